// What a run prints: cli.md 1.3 (--compat), 7.2, 7.3.
#include "base/file.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/compat.h"
#include "cli/interrupt.h"
#include <stdarg.h>

// --- Text that did not come from us ---

// What a terminal could take for a command: control characters but for line feed and tab, and the
// second half of C1 in UTF-8.
static bool is_command(struct bytes text, size_t i)
{
    const uint8_t c = text.ptr[i];
    if (c < 0x20)
        return c != '\n' && c != '\t';
    return c == 0x7f || (c >= 0x80 && c <= 0x9f && i > 0 && text.ptr[i - 1] == 0xc2);
}

static void write_tame(struct writer *w, struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        writer_u8(w, is_command(text, i) ? '?' : text.ptr[i]);
}

// For JSON: whatever argv or a file name holds, it comes out as UTF-8.
static void write_json_text(struct json_writer *j, struct arena *arena, struct bytes text)
{
    struct bytes tame;
    if (utf8_is_valid(text)) {
        json_string(j, text);
        return;
    }
    struct writer w = writer_growing(arena, text.len);
    for (size_t i = 0; i < text.len; i++)
        writer_u8(&w, text.ptr[i] < 0x80 ? text.ptr[i] : '?');
    if (writer_finish(&w, &tame))
        json_string(j, tame);
    else
        json_null(j);
}

static void write_out(struct cli *cli, int fd, bool is_terminal, struct bytes text, struct err *err,
                      bool *ok)
{
    struct writer w = writer_growing(cli->arena, text.len);
    if (is_terminal) {
        write_tame(&w, text);
        text = writer_bytes(&w);
    }
    *ok = file_write_fd(fd, fd == STDOUT_FILENO ? "standard output" : "standard error", text, err);
}

static void say(struct cli *cli, struct bytes text)
{
    struct err err;
    bool ok;
    write_out(cli, STDERR_FILENO, true, text, &err, &ok); // nobody is left to be told
}

PRINTF_LIKE(2, 0)
static void say_format(struct cli *cli, const char *fmt, va_list args)
{
    char text[2 * ERR_TEXT_MAX];
    const int len = vsnprintf(text, sizeof text, fmt, args);
    const size_t shown = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    say(cli, bytes_of(text, shown));
}

// --- The result ---

void cli_print(struct cli *cli, const char *fmt, ...)
{
    char text[2 * ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    const int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof text)
        writer_text(&cli->text, text);
    else
        cli->text.failed = true;
}

void cli_print_bytes(struct cli *cli, struct bytes text)
{
    writer_put(&cli->text, text);
}

void cli_key(struct cli *cli, const char *key)
{
    if (!cli->result_is_object)
        json_begin_object(&cli->result);
    cli->result_is_object = true;
    json_key(&cli->result, key);
}

void cli_text(struct cli *cli, const char *key, struct bytes value)
{
    cli_key(cli, key);
    cli_item(cli, value);
}

void cli_item(struct cli *cli, struct bytes text)
{
    write_json_text(&cli->result, cli->arena, text);
}

void cli_hex(struct cli *cli, const char *key, struct bytes value)
{
    cli_key(cli, key);
    json_hex(&cli->result, value);
}

void cli_number(struct cli *cli, const char *key, uint64_t value)
{
    cli_key(cli, key);
    json_u64(&cli->result, value);
}

void cli_flag(struct cli *cli, const char *key, bool value)
{
    cli_key(cli, key);
    json_bool(&cli->result, value);
}

bool cli_put_token(struct cli *cli, const char *token)
{
    cli_print(cli, "%s\n", token);
    cli_text(cli, "token", bytes_of_text(token));
    return true;
}

// --- Notes ---

// Source: no-color.org, "when present and not an empty string".
bool cli_has_color(const struct cli *cli)
{
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    return !cli->o->no_color && (none == NULL || none[0] == 0) && term != NULL &&
           strcmp(term, "dumb") != 0;
}

void cli_note(struct cli *cli, const char *fmt, ...)
{
    va_list args;
    if (cli->o->quiet || cli->o->compat)
        return;
    cli_progress_end(cli);
    va_start(args, fmt);
    say_format(cli, fmt, args);
    va_end(args);
    say(cli, BYTES("\n"));
}

void cli_warn(struct cli *cli, const char *fmt, ...)
{
    va_list args;
    cli_progress_end(cli);
    say(cli, BYTES("casemate: "));
    va_start(args, fmt);
    say_format(cli, fmt, args);
    va_end(args);
    say(cli, BYTES("\n"));
}

void cli_compat_note(struct cli *cli, const char *fmt, ...)
{
    va_list args;
    char text[ERR_TEXT_MAX];
    struct err err;
    bool ok;
    if (!cli->o->compat)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    write_out(cli, STDERR_FILENO, false, bytes_of_text(text), &err, &ok); // with its \r
}

void cli_compat_print(struct cli *cli, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    struct err err;
    bool ok;
    va_list args;
    if (!cli->o->compat || cli->o->json)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    write_out(cli, STDOUT_FILENO, false, bytes_of_text(text), &err, &ok);
}

// --- The end ---

static void write_device(struct cli *cli, struct json_writer *j)
{
    const struct connection_identity *id = connection_identity(cli->connection);
    json_key(j, "device");
    json_begin_object(j);
    json_key(j, "serial");
    json_text(j, id->serial);
    if (id->has_seed) {
        json_key(j, "xfp");
        json_hex(j, BYTES_OF(id->xfp));
    }
    json_key(j, "transport");
    json_text(j, id->transport);
    json_end_object(j);
}

static void begin_envelope(struct cli *cli, struct json_writer *j, bool ok)
{
    json_begin_object(j);
    json_key(j, "ok");
    json_bool(j, ok);
    json_key(j, "verb");
    if (cli->line.verb != NULL)
        json_text(j, cli->line.verb->name);
    else
        json_null(j);
}

static bool write_envelope(struct cli *cli, struct bytes *out)
{
    struct writer w = writer_growing(cli->arena, CLI_OUTPUT_MAX);
    struct json_writer j = json_writer_of(&w);
    struct bytes result;
    if (cli->result_is_object)
        json_end_object(&cli->result);
    if (!writer_finish(&cli->json, &result))
        return false;
    begin_envelope(cli, &j, true);
    if (cli->connection != NULL)
        write_device(cli, &j);
    json_key(&j, "result");
    json_raw(&j, result.len > 0 ? result : BYTES("{}"));
    json_end_object(&j);
    writer_u8(&w, '\n');
    return writer_finish(&w, out);
}

int cli_finish_good(struct cli *cli)
{
    struct bytes out;
    struct err err;
    bool ok = cli->o->json ? write_envelope(cli, &out) : writer_finish(&cli->text, &out);
    cli->stage = STAGE_OUTPUT;
    // Who reads our output slowly keeps no session open, and Ctrl-C ends us as usual.
    cli_disconnect(cli);
    interrupt_close(&cli->cancel_fd);
    if (!ok)
        (void)err_set(&err, ERR_NO_MEMORY, "the result is too long to be printed");
    else
        write_out(cli, STDOUT_FILENO, cli->stdout_is_terminal && !cli->o->json, out, &err, &ok);
    if (ok && !cli->o->json)
        write_out(cli, STDOUT_FILENO, false, writer_bytes(&cli->picture), &err, &ok);
    return ok ? (int)cli->answer : cli_finish_bad(cli, &err);
}

static void print_json_failure(struct cli *cli, const struct failure *f)
{
    struct writer w = writer_growing(cli->arena, CLI_OUTPUT_MAX);
    struct json_writer j = json_writer_of(&w);
    struct err err;
    bool ok;
    begin_envelope(cli, &j, false);
    json_key(&j, "error");
    json_begin_object(&j);
    json_key(&j, "code");
    json_text(&j, exit_code_name(f->exit));
    json_key(&j, "exit");
    json_u64(&j, (uint64_t)f->exit);
    json_key(&j, "message");
    write_json_text(&j, cli->arena, bytes_of_text(f->message));
    const char *device_text = cli->last_refusal != NULL ? cli->last_refusal : f->device_text;
    if (device_text[0] != 0) {
        json_key(&j, "device_text");
        write_json_text(&j, cli->arena, bytes_of_text(device_text));
    }
    json_end_object(&j);
    json_end_object(&j);
    writer_u8(&w, '\n');
    write_out(cli, STDOUT_FILENO, false, writer_bytes(&w), &err, &ok);
}

// "print `last_refusal`, one reason per line [...] and say when credentials must be entered again"
static void print_reasons(struct cli *cli)
{
    struct bytes rest = bytes_of_text(cli->last_refusal), reason;
    while (hsm_refusal_next(&rest, &reason)) {
        say(cli, reason);
        say(cli, BYTES("\n"));
    }
    if (cli->credentials_are_used_up)
        cli_note(cli, "What users sent is used up: enter it again (casemate auth); a one-time code "
                      "works only once.");
    if (cli->local_code_is_used_up)
        cli_note(cli, "The local code has changed: fetch it again (casemate local-conf).");
}

static void print_usage_lines(struct cli *cli)
{
    const struct verb *verb = cli->line.verb;
    char text[ERR_TEXT_MAX];
    if (verb != NULL)
        snprintf(text, sizeof text,
                 "Usage: casemate %s [OPTIONS]%s%s\nTry 'casemate %s --help' for help.\n\n",
                 verb->name, verb->words[0] != 0 ? " " : "", verb->words, verb->name);
    else
        snprintf(text, sizeof text,
                 "Usage: casemate [OPTIONS] COMMAND [ARGS]...\n"
                 "Try 'casemate --help' for help.\n\n");
    say(cli, bytes_of_text(text));
}

static void print_how_to_go_on(struct cli *cli)
{
    cli_note(cli, "The question is still on the device's screen; answer or dismiss it there.");
    if (cli->token != NULL)
        cli_note(cli, "'casemate wait %s' collects the result.", cli->token);
}

static void print_failure(struct cli *cli, const struct failure *f)
{
    if (f->device_text[0] != 0 && cli->last_refusal == NULL)
        cli_warn(cli, "%s (%s)", f->message, f->device_text);
    else
        cli_warn(cli, "%s", f->message);
    if (cli->last_refusal != NULL)
        print_reasons(cli);
    if (cli->request_is_pending && (f->exit == EXIT_INTERRUPTED || f->exit == EXIT_PENDING))
        print_how_to_go_on(cli);
}

int cli_finish_bad(struct cli *cli, const struct err *err)
{
    struct failure f = failure_of(err, cli->stage, cli->hint);
    if (cli->exit != EXIT_OK)
        f.exit = cli->exit;
    if (cli->exit == EXIT_REFUSED_BY_POLICY)
        snprintf(f.message, sizeof f.message, "the policy refused");
    cli_progress_end(cli);
    cli_disconnect(cli);
    interrupt_close(&cli->cancel_fd);
    if (cli->o->json) {
        print_json_failure(cli, &f);
        return (int)f.exit;
    }
    if (err->code == ERR_USAGE && cli->compat_exception == NULL)
        print_usage_lines(cli);
    if (cli->o->compat)
        return compat_finish(cli, err);
    print_failure(cli, &f);
    return (int)f.exit;
}
