// The journal of a signer, verified offline: policy.md D11, item 83; cli.md 7.1.
#include "base/hex.h"
#include "cli/verbs.h"
#include "policy/journal_verify.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

// --- Lines of a file that may be of any length ---

#define LINE_ROOM (JOURNAL_LINE_MAX + 1) // and one byte that no record has

struct line_file {
    const char *path;
    int fd;
    uint8_t mem[2 * LINE_ROOM];
    size_t start, end; // what is read and not yet taken
    bool at_eof;
};

static void close_file(struct line_file *f)
{
    if (f->fd > STDIN_FILENO)
        (void)close(f->fd);
}

static bool open_file(struct line_file *f, const char *path, struct err *err)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    f->path = is_stdin ? "standard input" : path;
    f->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    return f->fd >= 0 || err_set_errno(err, errno, "%s", path);
}

static bool fill(struct line_file *f, struct err *err)
{
    memmove(f->mem, f->mem + f->start, f->end - f->start);
    f->end -= f->start;
    f->start = 0;
    while (!f->at_eof && f->end < sizeof f->mem) {
        const ssize_t n = read(f->fd, f->mem + f->end, sizeof f->mem - f->end);
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, errno, "%s", f->path);
        f->at_eof = n == 0;
        f->end += n > 0 ? (size_t)n : 0;
    }
    return true;
}

// The next line. *more: there is one. A line longer than any record comes in pieces of LINE_ROOM.
static bool next_line(struct line_file *f, struct bytes *line, bool *is_whole, bool *more,
                      struct err *err)
{
    if (f->end - f->start < LINE_ROOM && !f->at_eof && !fill(f, err))
        return false;
    const size_t have = f->end - f->start;
    const uint8_t *at = f->mem + f->start;
    const uint8_t *lf = have > 0 ? memchr(at, '\n', have) : NULL;
    *more = have > 0;
    *is_whole = lf != NULL;
    *line = bytes_of(at, lf != NULL ? (size_t)(lf - at) : have < LINE_ROOM ? have : LINE_ROOM);
    f->start += line->len + (lf != NULL ? 1 : 0);
    return true;
}

static bool verify_file(struct journal_verifier *v, struct line_file *f, struct err *err)
{
    struct bytes line;
    bool is_whole, more, inside_long = false;
    do {
        if (!next_line(f, &line, &is_whole, &more, err))
            return false;
        const bool is_long = line.len == LINE_ROOM && !is_whole;
        if (more && !inside_long)
            journal_verifier_line(v, line, is_whole || is_long);
        inside_long = (inside_long || is_long) && !is_whole;
    } while (more);
    return true;
}

// --- What is said of it ---

static bool tell_faults(struct cli *cli, const struct journal_verifier *v, struct err *err)
{
    char first[512] = "";
    const uint64_t told = v->n_faults < JOURNAL_FAULTS_MAX ? v->n_faults : JOURNAL_FAULTS_MAX;
    for (uint64_t i = 0; i < told; i++) {
        char text[512];
        struct writer w = writer_of(text, sizeof text - 1);
        journal_fault_write(&w, &v->faults[i]);
        text[w.len] = 0;
        if (i == 0)
            memcpy(first, text, sizeof first);
        if (told > 1 && !cli->o->json)
            cli_warn(cli, "%s", text);
    }
    if (v->n_faults == 1)
        return cli_fail(cli, EXIT_FAILED, err, ERR_INVALID, "%s: %s", cli->line.words[0], first);
    return cli_fail(cli, EXIT_FAILED, err, ERR_INVALID, "%s: %" PRIu64 " faults, the first: %s",
                    cli->line.words[0], v->n_faults, first);
}

static bool read_key(uint8_t out[static 32], const char *option, const char *text, struct err *err)
{
    return hex_decode(out, 32, bytes_of_text(text)) ||
           err_set(err, ERR_USAGE, "Invalid value for '%s': not 64 digits of hex.", option);
}

static bool run_audit_verify(struct cli *cli, struct err *err)
{
    const struct options *o = cli->o;
    struct journal_verifier *v = arena_alloc(cli->arena, sizeof *v);
    struct line_file *file = arena_alloc(cli->arena, sizeof *file);
    uint8_t key[32];
    struct hash256 head;
    cli->stage = STAGE_INPUT;
    if (v == NULL || file == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the journal");
    if (o->key == NULL)
        return err_set(err, ERR_USAGE, "Missing option '--key'.");
    if (!read_key(key, "--key", o->key, err) ||
        (o->head != NULL && !read_key(head.b, "--head", o->head, err)))
        return false;
    journal_verifier_init(v, key, o->head != NULL ? &head : NULL);
    const bool ok = open_file(file, cli->line.words[0], err) && verify_file(v, file, err);
    close_file(file);
    if (!ok)
        return false;
    if (!journal_verifier_end(v))
        return tell_faults(cli, v, err);
    cli_print(cli, "%" PRIu64 " records, whole, in order and unaltered\nhead ", v->n_good);
    writer_hex(&cli->text, BYTES_OF(v->last.b));
    cli_print(cli, "\n");
    if (o->head == NULL)
        cli_note(cli, "Records cut off at the end show only with --head: the hash of a head that "
                      "the signer's status has shown.");
    cli_number(cli, "records", v->n_good);
    cli_hex(cli, "head", BYTES_OF(v->last.b));
    cli_flag(cli, "head_checked", o->head != NULL);
    return true;
}

static const struct option verify_options[] = {
    TEXT(0, "key", "HEX", key, "the signer's journal key, as its status shows it"),
    TEXT(0, "head", "HEX", head, "hash of a record that must be there: to notice a cut at the end"),
};
const struct verb verb_audit_verify = {
    "audit verify",
    "JOURNAL",
    1,
    1,
    "Prove that a journal is whole, offline",
    "Says which record was removed, moved, edited, put in or cut off. Exit status 1 if any was.\n",
    OPTIONS(verify_options),
    0,
    run_audit_verify
};
