// replay -- replays the golden vectors against a simulator, in TAP.
//
// usage: replay SIGNER VECTORS DEVIATIONS [ID]
//   SIGNER      casemate-signer, built with the simulator
//   VECTORS     the folder of setup.json, summary.jsonl, decisions.jsonl and messages.jsonl
//   DEVIATIONS  deviations.json
//   ID          replay this case only, and those that it belongs to
#include "tests/replay/replay.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/require.h"
#include "base/secret.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX   ((size_t)256 << 20)
#define CASE_MAX    ((size_t)256 << 20)
#define RECORDS_MAX 400 // in one file

void crypto_init(void);

// --- The case ---

void run_fail(struct run *run, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(run->why, sizeof run->why, fmt, args);
    va_end(args);
    longjmp(run->failed, 1);
}

void run_skip(struct run *run, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(run->why, sizeof run->why, fmt, args);
    va_end(args);
    run->skipped = true;
    longjmp(run->failed, 1);
}

struct writer run_writer(struct run *run)
{
    return writer_growing(run->arena, (size_t)16 << 20);
}

struct bytes run_written(struct run *run, const struct writer *w)
{
    struct bytes out;
    if (!writer_finish(w, &out))
        run_fail(run, "something is too long");
    return out;
}

const char *run_text(struct run *run, struct bytes text)
{
    const char *out = arena_text(run->arena, text);
    if (out == NULL)
        run_fail(run, "a text with a zero in it");
    return out;
}

const struct json *need(struct run *run, const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);
    if (value == NULL)
        run_fail(run, "the record has no %s", key);
    return value;
}

struct bytes need_text(struct run *run, const struct json *object, const char *key)
{
    const struct json *value = need(run, object, key);
    if (value->type != JSON_STRING)
        run_fail(run, "%s is no text", key);
    return value->text;
}

uint32_t need_u32(struct run *run, const struct json *object, const char *key)
{
    int64_t value;
    if (!json_integer(need(run, object, key), &value, NULL) || value < 0 || value > UINT32_MAX)
        run_fail(run, "%s is no number", key);
    return (uint32_t)value;
}

struct bytes need_hex(struct run *run, const struct json *object, const char *key)
{
    const struct bytes text = need_text(run, object, key);
    uint8_t *mem = arena_alloc(run->arena, text.len / 2);
    if (mem == NULL || !hex_decode(mem, text.len / 2, text))
        run_fail(run, "%s is no hex", key);
    return bytes_of(mem, text.len / 2);
}

struct bytes need_base64(struct run *run, const struct json *object, const char *key)
{
    struct writer w = run_writer(run);
    if (!base64_read(&w, need_text(run, object, key)))
        run_fail(run, "%s is no base64", key);
    return run_written(run, &w);
}

struct bytes text_or(const struct json *object, const char *key, const char *other)
{
    const struct json *value = json_get(object, key);
    return value != NULL && value->type == JSON_STRING ? value->text : bytes_of_text(other);
}

bool is_true(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);
    return value != NULL && value->type == JSON_TRUE;
}

// --- Files ---

// Before a signer runs.
static NORETURN void give_up(const char *what, const char *why)
{
    printf("Bail out! %s: %s\n", what, why);
    exit(1);
}

static struct bytes read_file(struct run *run, const char *path)
{
    struct bytes content;
    struct err err;
    if (!file_read(&content, path, FILES_MAX / 8, run->files, &err))
        give_up(path, err.text);
    return content;
}

static const struct json *parse(struct run *run, struct bytes text, const char *what)
{
    const struct json *value;
    struct err err;
    if (!json_parse(&value, text, run->files, &err))
        give_up(what, err.text);
    return value;
}

struct records {
    size_t n;
    const struct json *items[RECORDS_MAX];
};

// One record tells what Python made of `NaN` by writing NaN, which is no JSON. That member is not
// used: policy_text has the file as it was sent.
static struct bytes without_nan(struct run *run, struct bytes line)
{
    static const char nan[] = "\"policy\": {\"period\": NaN}";
    struct bytes copy;
    REQUIRE(arena_copy(run->files, line, &copy));
    const char *found = memmem(copy.ptr, copy.len, nan, sizeof nan - 1);
    if (found != NULL)
        memcpy((void *)(uintptr_t)found, "\"policy\": {\"period\": 555}", sizeof nan - 1);
    return copy;
}

static void read_records(struct run *run, const char *name, struct records *out)
{
    char path[4096];
    struct bytes line;
    out->n = 0;
    snprintf(path, sizeof path, "%s/%s", run->vectors, name);
    struct reader r = reader_of(read_file(run, path));
    while (reader_until(&r, '\n', &line)) {
        if (out->n == RECORDS_MAX)
            give_up(path, "too many records");
        out->items[out->n++] = parse(run, without_nan(run, line), path);
    }
}

// --- TAP ---

struct tap {
    unsigned n, failed;
    const char *only; // id; NULL: all
};

static void begin_case(struct run *run, const struct json *record)
{
    arena_reset(run->arena);
    run->record = record;
    run->id = text_or(record, "id", "?");
    run->step = 0;
    run->skipped = false;
    run->why[0] = 0;
}

static void print_one_line(const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '\n')
            fputs("\\n", stdout);
        else
            putchar(*text);
    }
}

static void end_case(struct tap *tap, const struct run *run, bool ok)
{
    const struct bytes kind = text_or(run->record, "kind", "policy");
    const struct json *group = json_get(run->record, "group");
    tap->n++;
    tap->failed += !ok;
    printf("%sok %u - golden %.*s %.*s", ok ? "" : "not ", tap->n, BYTES_ARG(run->id),
           BYTES_ARG(group != NULL ? group->text : kind));
    if (run->skipped)
        printf(" # SKIP %s", run->why);
    putchar('\n');
    if (!ok) {
        printf("# step %d: ", run->step);
        print_one_line(run->why);
        putchar('\n');
    }
}

typedef void replay_fn(struct run *run);

// A case that failed may have left anything: the next one begins with a new process.
static bool attempt(struct run *run, replay_fn *replay)
{
    if (setjmp(run->failed) == 0) {
        replay(run);
        return true;
    }
    if (!run->skipped)
        host_close(run);
    return run->skipped;
}

static bool is_wanted(const struct tap *tap, const struct json *record)
{
    return tap->only == NULL || bytes_equal_text(text_or(record, "id", ""), tap->only);
}

static void replay_each(struct run *run, struct tap *tap, const char *file, replay_fn *replay)
{
    static struct records records;
    read_records(run, file, &records);
    for (size_t i = 0; i < records.n; i++) {
        if (!is_wanted(tap, records.items[i]))
            continue;
        begin_case(run, records.items[i]);
        end_case(tap, run, attempt(run, replay));
    }
}

// --- Messages: records that belong together ---

static const struct json *previous; // of the same unit

static void replay_message(struct run *run)
{
    messages_replay(run, previous);
}

static void replay_unit(struct run *run, struct tap *tap, const struct json **unit, size_t n)
{
    begin_case(run, unit[0]);
    const bool begun = attempt(run, messages_begin);
    char why[sizeof run->why];
    memcpy(why, run->why, sizeof why);
    previous = NULL;
    for (size_t i = 0; i < n; i++) {
        begin_case(run, unit[i]);
        bool ok = begun;
        if (begun)
            ok = attempt(run, replay_message);
        else
            memcpy(run->why, why, sizeof why);
        end_case(tap, run, ok);
        previous = unit[i];
    }
}

static void replay_messages(struct run *run, struct tap *tap)
{
    static struct records records;
    static const struct json *unit[RECORDS_MAX];
    size_t n_bases = 0;
    read_records(run, "messages.jsonl", &records);
    for (size_t i = 0; i < records.n; i++) {
        const struct json *first = records.items[i];
        size_t n = 0;
        bool wanted = false;
        if (first == NULL)
            continue;
        if (bytes_equal_text(text_or(first, "kind", ""), "setup")) {
            REQUIRE(n_bases < COUNT(run->bases));
            run->bases[n_bases++] = first;
            continue;
        }
        for (size_t j = i; j < records.n; j++) {
            if (records.items[j] == NULL || !messages_belong(first, records.items[j]))
                continue;
            wanted = wanted || is_wanted(tap, records.items[j]);
            unit[n++] = records.items[j];
            records.items[j] = NULL; // taken
        }
        if (wanted)
            replay_unit(run, tap, unit, n);
    }
}

// --- All ---

// None is left over.
static void check_deviations(struct run *run, struct tap *tap)
{
    size_t i = 0, n_unused = 0;
    for (const struct json *d = run->deviations->items; d != NULL; d = d->next, i++) {
        if (run->deviation_used[i])
            continue;
        printf("# never asked for: %.*s\n", BYTES_ARG(d->text));
        n_unused++;
    }
    tap->n++;
    tap->failed += n_unused > 0;
    printf("%sok %u - golden deviations: each is asked for\n", n_unused > 0 ? "not " : "", tap->n);
}

static void prepare(struct run *run, char **argv)
{
    char path[4096];
    run->program = argv[1];
    run->vectors = argv[2];
    run->files = arena_new(FILES_MAX);
    run->arena = arena_new(CASE_MAX);
    run->fd = -1;
    snprintf(path, sizeof path, "%s/setup.json", run->vectors);
    run->setup = parse(run, read_file(run, path), path);
    snprintf(path, sizeof path, "%s/summary_deviations.json", run->vectors);
    run->summary_deviations = parse(run, read_file(run, path), path);
    run->deviations = parse(run, read_file(run, argv[3]), argv[3]);
    REQUIRE(run->deviations->n_items <= DEVIATIONS_MAX);
    // The first needs no disk: each decision waits for it.
    snprintf(run->dir, sizeof run->dir, "%s/casemate-replay-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(run->dir) == NULL)
        give_up(run->dir, "cannot be made");
    snprintf(run->socket, sizeof run->socket, "%s/signer-r.sock", run->dir);
    snprintf(run->panel_path, sizeof run->panel_path, "%s.panel", run->socket);
    snprintf(run->own_path, sizeof run->own_path, "%s/host.sock", run->dir);
    snprintf(path, sizeof path, "%s/state", run->dir);
    if (mkdir(path, 0700) != 0)
        give_up(path, "cannot be made");
}

int main(int argc, char **argv)
{
    static struct run run;
    struct tap tap = { .only = argc > 4 ? argv[4] : NULL };
    if (argc < 4 || argc > 5) {
        fputs("usage: replay SIGNER VECTORS DEVIATIONS [ID]\n", stderr);
        return 2;
    }
    if (!secret_init())
        give_up(argv[0], "secret_init failed");
    crypto_init();
    setvbuf(stdout, NULL, _IOLBF, 0);
    prepare(&run, argv);
    replay_each(&run, &tap, "decisions.jsonl", replay_decision);
    replay_messages(&run, &tap);
    replay_each(&run, &tap, "summary.jsonl", replay_summary);
    if (tap.only == NULL)
        check_deviations(&run, &tap);
    printf("1..%u\n", tap.n);
    if (setjmp(run.failed) == 0)
        signer_stop(&run);
    arena_free(run.arena);
    arena_free(run.files);
    return tap.failed == 0 ? 0 : 1;
}
