// Past decisions under another policy: policy.md D18.
#include "base/clock.h"
#include "cli/line_file.h"
#include "cli/policy_file.h"
#include "cli/verbs.h"
#include "policy/replay.h"
#include <inttypes.h>

#define RECORD_ARENA ((size_t)64 << 20)

static void print_outcome(struct cli *cli, const struct replay_outcome *o)
{
    char time[CLOCK_TEXT_SIZE];
    clock_to_text(time, o->time_s);
    cli_print(cli, "record %" PRIu64 ", %s: %s\n  was:      ", o->seq, time,
              o->was_signed ? "would be refused" : "would be signed");
    cli_print_bytes(cli, o->was);
    cli_print(cli, "\n  would be: ");
    cli_print_bytes(cli, o->would_be);
    cli_print(cli, "\n");
}

static void put_outcome(struct cli *cli, const struct replay_outcome *o)
{
    struct json_writer *j = &cli->result;
    json_begin_object(j);
    json_key(j, "seq");
    json_u64(j, o->seq);
    json_key(j, "time");
    json_i64(j, o->time_s);
    json_key(j, "was_signed");
    json_bool(j, o->was_signed);
    json_key(j, "was");
    cli_item(cli, o->was);
    json_key(j, "would_be");
    cli_item(cli, o->would_be);
    json_end_object(j);
}

// A last line that was cut off is no record yet: what stands before it counts.
static bool replay_file(struct cli *cli, struct replay *replay, struct line_file *f,
                        struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(RECORD_ARENA);
    struct bytes line;
    bool is_whole, more;
    uint64_t number = 0;
    for (;;) {
        struct replay_outcome o;
        if (!line_file_next(f, &line, &is_whole, &more, err))
            return false;
        if (!more || (!is_whole && number > 0))
            return true;
        number++;
        arena_reset(arena);
        if (!replay_line(&o, replay, line, arena, err))
            return err_within(err, "%s: line %" PRIu64, f->path, number);
        if (o.result != REPLAY_DIFFERENT)
            continue;
        print_outcome(cli, &o);
        put_outcome(cli, &o);
    }
}

static bool run_policy_replay(struct cli *cli, struct err *err)
{
    struct policy_file *file;
    struct replay *replay = arena_alloc(cli->arena, sizeof *replay);
    struct line_file *journal = arena_alloc(cli->arena, sizeof *journal);
    if (replay == NULL || journal == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the journal");
    if (!policy_file_read(&file, cli, cli->line.words[0], err) ||
        !policy_file_derive(file, cli, err))
        return false;
    replay->policy = &file->policy;
    cli_key(cli, "different");
    json_begin_array(&cli->result);
    const bool ok =
        line_file_open(journal, cli->line.words[1], err) && replay_file(cli, replay, journal, err);
    line_file_close(journal);
    if (!ok)
        return false;
    json_end_array(&cli->result);
    cli_print(cli, "%" PRIu64 " decisions as they were, %" PRIu64 " others, %" PRIu64 " unknown\n",
              replay->n_same, replay->n_different, replay->n_unknown);
    cli_number(cli, "n_same", replay->n_same);
    cli_number(cli, "n_different", replay->n_different);
    cli_number(cli, "n_unknown", replay->n_unknown);
    cli_note(cli, "Whether the journal is whole says 'casemate audit verify'.");
    return true;
}

static const struct option replay_options[] = { POLICY_FILE_OPTIONS };
const struct verb verb_policy_replay = {
    .name = "policy replay",
    .words = "POLICY JOURNAL",
    .min_words = 2,
    .max_words = 2,
    .purpose = "Say which past decisions would be others under a policy file",
    .details =
        "Each decision of the journal again, by the code that decides in the signer, with what\n"
        "would have been spent by then. Text messages, and transactions too large for the\n"
        "journal, are counted as unknown.\n",
    .options = OPTIONS(replay_options),
    .run = run_policy_replay,
};
