// miniscript: wallets that only EDGE firmware has. Source: cli.md 3.15; wire-protocol.md 8.13.
#include "base/file.h"
#include "base/reader.h"
#include "cli/approval.h"
#include "cli/python_dump.h"
#include "cli/sorted_json.h"
#include "cli/verbs.h"

#define DESCRIPTOR_MAX 20000
#define NAME_LEN_MIN   2
#define NAME_LEN_MAX   40

static bool check_name(struct cli *cli, struct bytes *out, struct err *err)
{
    *out = bytes_of_text(cli->line.words[0]);
    if (out->len >= NAME_LEN_MIN && out->len <= NAME_LEN_MAX)
        return true;
    (void)cli_compat_raise(cli, "AssertionError: name length");
    return err_set(err, ERR_USAGE, "the wallet's name has %d to %d characters", NAME_LEN_MIN,
                   NAME_LEN_MAX);
}

static bool ask_json(struct cli *cli, const struct request *request, const struct json **out,
                     struct err *err)
{
    struct reply reply;
    cli->hint = HINT_MINISCRIPT;
    if (!cli_call(cli, &reply, REPLY_ASCI, request, err))
        return false;
    cli->hint = HINT_NONE;
    return json_parse(out, reply.data, cli->arena, err) ||
           err_set(err, ERR_FRAMING, "%s: %s", request_info(request->id)->code, err->text);
}

static bool put_json(struct cli *cli, const struct json *value, struct err *err)
{
    json_value(&cli->result, value);
    const bool ok = cli->o->compat ? python_dump_write(&cli->text, value, cli->arena)
                                   : sorted_json_write(&cli->text, value, cli->arena);
    return ok || err_set(err, ERR_NO_MEMORY, "the answer is too long");
}

// --- ls, get, policy ---

static bool fetch_names(struct cli *cli, const struct json **out, struct err *err)
{
    const struct request request = { .id = REQUEST_MSLS };
    if (!ask_json(cli, &request, out, err))
        return false;
    return (*out)->type == JSON_ARRAY || err_set(err, ERR_FRAMING, "msls: not a list");
}

static bool run_ls(struct cli *cli, struct err *err)
{
    const struct json *names;
    if (!cli_connect(cli, err) || !fetch_names(cli, &names, err))
        return false;
    if (cli->o->compat)
        return put_json(cli, names, err);
    json_value(&cli->result, names);
    for (const struct json *name = names->items; name != NULL; name = name->next)
        cli_print(cli, "%.*s\n", BYTES_ARG(name->text));
    return true;
}
const struct verb verb_miniscript_ls = { "miniscript ls",
                                         "",
                                         0,
                                         0,
                                         "List the miniscript wallets",
                                         NULL,
                                         NO_OPTIONS,
                                         VERB_PROVES_COMPAT | VERB_NOT_OVER_LINK,
                                         run_ls };

static bool show_wallet(struct cli *cli, enum request_id id, struct err *err)
{
    struct request request = { .id = id };
    const struct json *wallet;
    return check_name(cli, &request.data, err) && cli_connect(cli, err) &&
           ask_json(cli, &request, &wallet, err) && put_json(cli, wallet, err);
}

static bool run_get(struct cli *cli, struct err *err)
{
    return show_wallet(cli, REQUEST_MSGT, err);
}
const struct verb verb_miniscript_get = { "miniscript get",
                                          "NAME",
                                          1,
                                          1,
                                          "Show a miniscript wallet as a descriptor",
                                          NULL,
                                          NO_OPTIONS,
                                          VERB_PROVES_COMPAT | VERB_NOT_OVER_LINK,
                                          run_get };

static bool run_policy(struct cli *cli, struct err *err)
{
    return show_wallet(cli, REQUEST_MSPL, err);
}
const struct verb verb_miniscript_policy = { "miniscript policy",
                                             "NAME",
                                             1,
                                             1,
                                             "Show a miniscript wallet as a policy (BIP-388)",
                                             NULL,
                                             NO_OPTIONS,
                                             VERB_PROVES_COMPAT | VERB_NOT_OVER_LINK,
                                             run_policy };

// --- addr ---

static bool run_addr(struct cli *cli, struct err *err)
{
    struct request request = { .id = REQUEST_MSAS };
    struct reader r = reader_of(bytes_of_text(cli->line.words[1]));
    struct reply reply;
    request.msas.change = cli->o->change;
    if (!reader_decimal(&r, INT32_MAX, &request.msas.index) || !reader_done(&r))
        return err_set(err, ERR_USAGE, "INDEX: '%s' is no number below 2^31", cli->line.words[1]);
    cli->hint = HINT_MINISCRIPT;
    if (!check_name(cli, &request.msas.name, err) || !cli_connect(cli, err) ||
        !cli_call(cli, &reply, REPLY_ASCI, &request, err))
        return false;
    cli_print(cli, "%.*s\n", BYTES_ARG(reply.data));
    cli_text(cli, "address", reply.data);
    cli_text(cli, "wallet", request.msas.name);
    cli_number(cli, "index", request.msas.index);
    cli_flag(cli, "change", cli->o->change);
    return true;
}
static const struct option addr_options[] = {
    FLAG(0, "change", change, "an address for change"),
};
const struct verb verb_miniscript_addr = { "miniscript addr",
                                           "NAME INDEX",
                                           2,
                                           2,
                                           "Show an address of a miniscript wallet",
                                           NULL,
                                           OPTIONS(addr_options),
                                           VERB_PROVES_COMPAT | VERB_NOT_OVER_LINK,
                                           run_addr };

// --- enroll, del ---

// The question changes the list of names.
struct change {
    const struct json *before;
    size_t wanted; // how many names there are once the operator agreed
    bool seen_free;
};

static bool look(struct cli *cli, void *context, int64_t waited_ms, enum approval *out,
                 struct err *err)
{
    struct change *c = context;
    const struct json *names;
    bool is_free;
    (void)waited_ms;
    *out = APPROVAL_OPEN;
    if (!approval_screen_is_free(cli, &is_free, err) || !fetch_names(cli, &names, err))
        return false;
    if (names->n_items == c->wanted)
        *out = APPROVAL_AGREED;
    else if (is_free && c->seen_free)
        *out = APPROVAL_REFUSED;
    c->seen_free = is_free;
    return true;
}

static bool start_and_watch(struct cli *cli, struct bytes content, struct request *start, bool adds,
                            struct err *err)
{
    struct change c = { .before = NULL };
    enum approval state;
    if (!cli_connect(cli, err) || (!cli->o->compat && !fetch_names(cli, &c.before, err)))
        return false;
    cli->hint = HINT_MINISCRIPT;
    if (!cli_start(cli, content, start, err))
        return false;
    cli->hint = HINT_NONE;
    if (c.before == NULL) // compat
        return true;
    if (cli->o->no_wait)
        return cli_put_token(cli, "miniscript");
    c.wanted = c.before->n_items + (adds ? 1 : (size_t)0) - (adds ? (size_t)0 : 1);
    return approval_watch(cli, look, &c, &state, err) &&
           approval_report(cli, state, adds ? "the wallet" : "deleting the wallet", err);
}

static bool run_enroll(struct cli *cli, struct err *err)
{
    const char *word = cli->line.n_words > 0 ? cli->line.words[0] : NULL;
    const char *file = word != NULL && strcmp(word, "-") == 0 ? word : cli->o->file;
    struct request start = { .id = REQUEST_MINS };
    struct bytes text = bytes_of_text(word);
    if (word == NULL && file == NULL)
        return err_set(err, ERR_USAGE, "Missing argument 'DESCRIPTOR'.");
    if (file != NULL) {
        if (!file_read(&text, file, DESCRIPTOR_MAX, cli->arena, err))
            return false;
        text = bytes_trim(text);
    }
    if (text.len == 0)
        return err_set(err, ERR_USAGE, "the descriptor is empty");
    return start_and_watch(cli, text, &start, true, err);
}
static const struct option enroll_options[] = {
    NUMBER(0, "blksize", "N", block_len, 256, BLOCK_MAX, "taken and ignored: blocks of 2048 bytes"),
    TEXT(0, "file", "FILE", file, "read the descriptor from a file"),
};
const struct verb verb_miniscript_enroll = {
    "miniscript enroll",
    "[DESCRIPTOR]",
    0,
    1,
    "Enroll a miniscript wallet",
    "DESCRIPTOR is a descriptor or JSON; - reads standard input.\n",
    OPTIONS(enroll_options),
    VERB_PROVES_COMPAT | VERB_NOT_OVER_LINK,
    run_enroll
};

static bool run_del(struct cli *cli, struct err *err)
{
    struct request start = { .id = REQUEST_MSDL };
    return check_name(cli, &start.data, err) &&
           start_and_watch(cli, (struct bytes){ 0 }, &start, false, err);
}
const struct verb verb_miniscript_del = { "miniscript del",
                                          "NAME",
                                          1,
                                          1,
                                          "Delete a miniscript wallet",
                                          NULL,
                                          NO_OPTIONS,
                                          VERB_PROVES_COMPAT | VERB_NOT_OVER_LINK,
                                          run_del };
