// A disk that fails, a call that is interrupted or not known, memory that ends: a file is the old one or the new one, and
// nothing is left beside it.
#include "base/file.h"
#include "tests/support/fault.h"
#include "tests/support/test.h"
#include <dirent.h>
#include <sys/stat.h>

#define OLD "the old content"
#define NEW "the new content, which is longer"

static const char *path_of(char out[static 256], const char *name)
{
    (void)snprintf(out, 256, "%s/%s", test_dir(), name);
    return out;
}

static unsigned count_entries(void)
{
    unsigned n = 0;
    DIR *dir = opendir(test_dir());
    FAULT_CHECK(dir != NULL);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

static bool holds(const char *path, struct bytes expected)
{
    struct bytes got;
    struct err err;
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 16);
    return file_read(&got, path, 4096, arena, &err) && bytes_equal(got, expected);
}

static bool replace(void *context, struct err *err)
{
    char path[256];
    (void)context;
    const unsigned before = count_entries();
    fault_arm();
    const bool ok = file_replace(path_of(path, "file"), BYTES(NEW), 0600, err);
    fault_disarm();
    FAULT_CHECK(holds(path, BYTES(NEW)) || (!ok && holds(path, BYTES(OLD))));
    FAULT_CHECK(count_entries() == before);
    return ok;
}

static bool create(void *context, struct err *err)
{
    char path[256];
    struct stat st;
    (void)context;
    const unsigned before = count_entries();
    fault_arm();
    const bool ok = file_create(path_of(path, "another"), BYTES(NEW), 0600, err);
    fault_disarm();
    const bool is_there = stat(path, &st) == 0;
    FAULT_CHECK(is_there ? holds(path, BYTES(NEW)) : !ok);
    FAULT_CHECK(count_entries() == before + is_there);
    return ok;
}

static bool read_back(void *context, struct err *err)
{
    char path[256];
    struct bytes got = { 0 };
    (void)context;
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 16);
    fault_arm();
    const bool ok = file_read(&got, path_of(path, "file"), 4096, arena, err);
    fault_disarm();
    if (ok)
        FAULT_CHECK(bytes_equal(got, BYTES(OLD)));
    return ok;
}

// It tells no length, and gives more than was guessed.
static bool read_pipe(void *context, struct err *err)
{
    static uint8_t content[3 * 4096];
    struct bytes got = { 0 };
    int ends[2];
    (void)context;
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 16);
    memset(content, 'x', sizeof content);
    FAULT_CHECK(pipe(ends) == 0);
    FAULT_CHECK(write(ends[1], content, sizeof content) == (ssize_t)sizeof content &&
                close(ends[1]) == 0);
    fault_arm();
    const bool ok = file_read_fd(&got, ends[0], "pipe", sizeof content, arena, err);
    fault_disarm();
    (void)close(ends[0]);
    if (ok)
        FAULT_CHECK(bytes_equal(got, BYTES_OF(content)));
    return ok;
}

TEST(a_file_is_the_old_one_or_the_new_one_whichever_call_fails)
{
    static const struct {
        const char *name;
        bool (*run)(void *context, struct err *err);
        enum fault_kind kind;
        unsigned refused, harmless; // at least
    } cases[] = {
        { "replace", replace, FAULT_SYSTEM, 6,
          0 }, // folder, file, write, fsync, rename, fsync of the folder
        { "replace", replace, FAULT_SIGNAL, 0, 1 },       // a write is made again
        { "create", create, FAULT_SYSTEM, 6, 0 },         //
        { "create", create, FAULT_SIGNAL, 0, 1 },         //
        { "create", create, FAULT_UNKNOWN, 0, 1 },        // renamed in another way
        { "read", read_back, FAULT_SYSTEM, 3, 1 },        // its length is only a guess
        { "read", read_back, FAULT_SIGNAL, 0, 2 },        // read again
        { "read", read_back, FAULT_MEMORY, 1, 0 },        //
        { "read a pipe", read_pipe, FAULT_SYSTEM, 6, 1 }, //
        { "read a pipe", read_pipe, FAULT_SIGNAL, 0, 6 }, //
        { "read a pipe", read_pipe, FAULT_MEMORY, 3, 0 }, // the first guess, and twice more
    };
    char path[256];
    struct err err;
    assert_true(file_create(path_of(path, "file"), BYTES(OLD), 0600, &err));
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fault_counts counts = fault_sweep(cases[i].kind, cases[i].run, NULL);
        if (counts.refused < cases[i].refused || counts.harmless < cases[i].harmless ||
            counts.stopped != 0)
            fail_msg("%s, kind %d: %u refused, %u harmless, %u stopped", cases[i].name,
                     (int)cases[i].kind, counts.refused, counts.harmless, counts.stopped);
    }
}
