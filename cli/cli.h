// cli/cli.h -- one run of the program: what was asked, the device it talks to, and what it says.
//
// (1) Standard output carries the result and nothing else (but for --compat); notes, prompts and
//     progress go to standard error.
// (2) A verb writes its result in both forms, text and JSON, and returns; what is printed is decided
//     here, once it is known that it succeeded.
// (3) A verb reads its input, then connects: once a socket or a prompt is to be cleaned up, signals
//     no longer end the process on the spot.
// Source: cli.md 7.
#ifndef CASEMATE_CLI_CLI_H
#define CASEMATE_CLI_CLI_H
#include "base/clock.h"
#include "base/json.h"
#include "cli/command_line.h"
#include "cli/failure.h"
#include "cli/settings.h"
#include "cli/trace.h"
#include "client/hsm_status.h"
#include "client/transfer.h"

#define CLI_ARENA_MAX  ((size_t)256 << 20)
#define CLI_OUTPUT_MAX ((size_t)32 << 20)
#define CLI_WAIT_S     600 // "waiting for a person; default none on a terminal, 600 s otherwise"

struct cli {
    struct command_line line;
    struct options *o; // line.options
    struct arena *arena;
    struct clock clock;
    int cancel_fd; // -1 until cli_can_interrupt
    struct connection *connection;
    struct settings settings; // once the device is looked for
    struct trace_file trace;

    struct writer text;        // the result as text
    struct writer picture;     // behind it: QR codes, with colours of ours for a terminal
    struct writer json;        // and as one JSON value; empty: {}
    struct json_writer result; // over `json`
    bool result_is_object;     // begun by cli_text and its like, and to be ended

    bool stdout_is_terminal, stderr_is_terminal;
    bool progress_shown;            // a line on standard error is to be erased
    enum transfer_phase last_phase; // what --verbose said last, and at which tenth
    unsigned last_tenth;
    bool request_is_pending; // on the device, which goes on asking when we leave
    const char *token;       // then what `wait` collects it by; NULL: there is nothing to collect

    enum stage stage;
    enum hint hint;
    enum exit_code exit;      // what the error means, where a verb knows better; 0: it does not
    enum exit_code answer;    // what the result says to a script, where that is no plain yes
    const char *last_refusal; // why the policy refused, as the device says; NULL: it did not
    bool credentials_are_used_up, local_code_is_used_up; // by that refusal
    const char *compat_exception; // --compat: the last line of the traceback; "" for no text at all
};

void cli_init(struct cli *cli);
void cli_free(struct cli *cli); // disconnects and wipes

// Runs the verb and prints what came of it. Returns the exit code; with --json, `ok` is whether there is a result.
int cli_run(struct cli *cli);

// Says why the command line cannot be run. Returns the exit code.
int cli_complain(struct cli *cli, const struct err *err);

// --- For verbs ---

// From here on signals are read. Again does nothing. Fails: ERR_IO.
MUST_CHECK bool cli_can_interrupt(struct cli *cli, struct err *err);

// Opens the session with the device that options and environment name, compares it with the pinned
// key, and has it prove its own where the verb wants that.
// Fails: ERR_NOT_FOUND, ERR_AUTH, and as connection_open.
MUST_CHECK bool cli_connect(struct cli *cli, struct err *err);
void cli_disconnect(struct cli *cli);

// connection_call with the arena of the run.
MUST_CHECK bool cli_call(struct cli *cli, struct reply *out, enum reply_id expected,
                         const struct request *request, struct err *err);

// hsm_status_fetch, as STAGE_DEVICE.
MUST_CHECK bool cli_status(struct cli *cli, struct hsm_status *out, struct err *err);

// Milliseconds to wait for a person, by --timeout, --no-wait and where we run.
int64_t cli_wait_limit_ms(const struct cli *cli);

// Sends what starts a request, uploading `content` first (no bytes: a request without a file). While
// the device is busy it tries again each second, as long as --timeout lasts.
MUST_CHECK bool cli_start(struct cli *cli, struct bytes content, struct request *start,
                          struct err *err);

// transfer_wait. A refusal in HSM mode becomes EXIT_REFUSED_BY_POLICY with its reasons; the end of
// the wait becomes EXIT_PENDING.
MUST_CHECK bool cli_wait(struct cli *cli, struct reply *out, enum request_id poll,
                         enum reply_id expected, struct err *err);

// The error is a refusal, a pending request, ...: err_set that also says with which exit code.
bool cli_fail(struct cli *cli, enum exit_code exit, struct err *err, enum err_code code,
              const char *fmt, ...) PRINTF_LIKE(5, 6);

// Names what the reference client prints in place of the error `err`, and ends with 1: the last line
// of a traceback, or a line on standard output. Both return false.
bool cli_compat_raise(struct cli *cli, const char *exception);
bool cli_compat_complain(struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

// The token of a request that was started and not waited for, as the result.
bool cli_put_token(struct cli *cli, const char *token);

// Appends to the result as text.
void cli_print(struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
void cli_print_bytes(struct cli *cli, struct bytes text);

// A member of the result as JSON, which then is an object. Bytes that are no UTF-8 become `?`.
void cli_text(struct cli *cli, const char *key, struct bytes value);
void cli_hex(struct cli *cli, const char *key, struct bytes value);
void cli_number(struct cli *cli, const char *key, uint64_t value);
void cli_flag(struct cli *cli, const char *key, bool value);
void cli_key(struct cli *cli, const char *key);    // the value is written to cli->result next
void cli_item(struct cli *cli, struct bytes text); // text as that value, or as an item of an array

// Whether to use colours where a terminal is written to: --no-color, NO_COLOR, TERM.
bool cli_has_color(const struct cli *cli);

// A line on standard error for a person; not with --quiet. cli_warn: also then.
void cli_note(struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
void cli_warn(struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

// --compat: text that the reference client prints at once, whatever follows.
void cli_compat_print(struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
void cli_compat_note(struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

// How transfers report.
struct progress cli_progress(struct cli *cli);
void cli_progress_end(struct cli *cli);

// What ends a run: the result, or the failure. For cli.c.
int cli_finish_good(struct cli *cli);
int cli_finish_bad(struct cli *cli, const struct err *err);

#endif
