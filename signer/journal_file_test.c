#include "signer/journal_file.h"
#include "signer/store_fixture.h"
#include "tests/support/test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *path(void)
{
    char *path = arena_alloc(test_arena(), 256);
    (void)snprintf(path, 256, "%s/journal.jsonl", test_dir());
    return path;
}

static struct bytes content(void)
{
    uint8_t *mem = arena_alloc(test_arena(), 1 << 20);
    FILE *f = fopen(path(), "rb");
    assert_non_null(f);
    const size_t len = fread(mem, 1, 1 << 20, f);
    assert_int_equal(fclose(f), 0);
    return bytes_of(mem, len);
}

static void write_content(const char *text)
{
    FILE *f = fopen(path(), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void append(struct store *store, const char *line)
{
    struct err err;
    assert_true(store_append_journal(store, bytes_of_text(line), &err));
}

static struct journal_file file;

static void write_lines(struct store *store)
{
    struct err err;
    if (!journal_file_catch_up(&file, store, &err))
        fail_msg("%s", err.text);
}

static void catch_up(struct store *store)
{
    struct err err;
    write_lines(store);
    assert_true(journal_file_make_safe(&file, store, &err));
}

static size_t n_pending(struct store *store)
{
    struct store_lines lines;
    struct err err;
    assert_true(store_pending_lines(store, &lines, 0, 999, test_arena(), &err));
    return lines.n;
}

static struct store *fresh(void)
{
    journal_file_close(&file);
    fixture_make(test_dir());
    return fixture_open(test_dir());
}

static struct store *reopen(struct store *store)
{
    journal_file_close(&file);
    if (store != NULL)
        store_close(store);
    return fixture_open(test_dir());
}

#define L1 "{\"seq\": 1, \"x\": 1}"
#define L2 "{\"seq\": 2, \"x\": 1}"
#define L3 "{\"seq\": 3, \"x\": 1}"

TEST(lines_reach_the_file_once)
{
    struct store *store = fresh();
    struct stat st;
    catch_up(store);
    assert_int_equal(content().len, 0);
    assert_int_equal(stat(path(), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    append(store, L1);
    append(store, L2);
    catch_up(store);
    assert_bytes_text(content(), L1 "\n" L2 "\n");
    assert_int_equal(n_pending(store), 0);
    catch_up(store);
    store = reopen(store); // the store still has both, and the file too
    assert_int_equal(n_pending(store), 2);
    catch_up(store);
    assert_bytes_text(content(), L1 "\n" L2 "\n");
    append(store, L3); // now the first two leave the store
    catch_up(store);
    store = reopen(store);
    assert_int_equal(n_pending(store), 1);
    assert_bytes_text(content(), L1 "\n" L2 "\n" L3 "\n");
    store_close(store);
}

TEST(what_a_crash_left_out_is_appended_at_the_next_start)
{
    static const char *const left[] = {
        "", L1 "\n", L1 "\n" L2 "\n", L1 "\n" L2, L1 "\n{\"se", "{"
    };
    for (size_t i = 0; i < COUNT(left); i++) {
        struct store *store = i == 0 ? fresh() : fixture_open(test_dir());
        if (i == 0) {
            append(store, L1);
            append(store, L2);
            append(store, L3);
        }
        write_content(left[i]);
        catch_up(store);
        assert_bytes_text(content(), L1 "\n" L2 "\n" L3 "\n");
        store_close(store);
    }
}

// A line stays in the store until the file's disk has it.
TEST(what_a_power_cut_took_from_the_file_comes_back)
{
    static const struct {
        const char *text;
        size_t len;
    } left[] = {
        { L1 "\n", sizeof L1 },
        { "", 0 },
        { L1 "\n\0\0\0\0\0\0\0\0", sizeof L1 + 8 },
        { "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\n" L2 "\n", sizeof L1 + sizeof L2 },
        { L1 "\n{\"seq\": 2, \0\0\0\0\0\0\n" L3 "\n", sizeof L1 + sizeof L2 + sizeof L3 },
    };
    for (size_t i = 0; i < COUNT(left); i++) {
        struct store *store = i == 0 ? fresh() : reopen(NULL);
        if (i == 0) {
            append(store, L1);
            append(store, L2);
            write_lines(store);
            append(store, L3);
            write_lines(store);
            assert_int_equal(n_pending(store), 3);
            assert_bytes_text(content(), L1 "\n" L2 "\n" L3 "\n");
        }
        journal_file_close(&file);
        FILE *f = fopen(path(), "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(left[i].text, 1, left[i].len, f), left[i].len);
        assert_int_equal(fclose(f), 0);
        write_lines(store);
        assert_bytes_text(content(), L1 "\n" L2 "\n" L3 "\n");
        store_close(store);
    }
}

TEST(few_lines_wait_for_the_disk)
{
    struct store *store = fresh();
    struct err err;
    char line[40];
    for (unsigned i = 1; i <= 3 * JOURNAL_UNSAFE_LINES; i++) {
        (void)snprintf(line, sizeof line, "{\"seq\": %u}", i);
        append(store, line);
        write_lines(store);
        assert_int_equal(n_pending(store), i % JOURNAL_UNSAFE_LINES);
    }
    char long_line[60001];
    (void)snprintf(long_line, sizeof long_line, "{\"seq\": 193, \"x\": \"%059000d\"}", 0);
    append(store, long_line);
    write_lines(store);
    assert_int_equal(n_pending(store), 1);
    (void)snprintf(long_line, sizeof long_line, "{\"seq\": 194, \"x\": \"%059000d\"}", 0);
    append(store, long_line);
    write_lines(store);
    assert_int_equal(n_pending(store), 0);
    append(store, "{\"seq\": 195}");
    write_lines(store);
    assert_int_equal(n_pending(store), 1);
    assert_true(journal_file_make_safe(&file, store, &err));
    assert_int_equal(n_pending(store), 0);
    store_close(store);
}

// Whoever moves the file away has what was written to it, and the new one goes on.
TEST(a_file_that_was_moved_away_is_finished)
{
    struct store *store = fresh();
    char old[300];
    append(store, L1);
    write_lines(store);
    (void)snprintf(old, sizeof old, "%s/journal.1", test_dir());
    assert_int_equal(rename(path(), old), 0);
    append(store, L2);
    write_lines(store);
    assert_bytes_text(content(), L2 "\n");
    assert_int_equal(n_pending(store), 1); // the first is safe
    store_close(store);
}

// A store that was set back to an older copy forgets what was spent since: the file tells.
TEST(a_file_that_knows_more_than_the_store_is_refused)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { L1 "\n" L2 "\n", "journal.jsonl: line 2 is not in the store: it was set back to an older "
                           "copy" },
        { "{\"seq\": 1, \"x\": 2}\n",
          "journal.jsonl: line 1 is not in the store: it was set back to an older copy" },
    };
    struct store *store = fresh();
    append(store, L1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err;
        write_content(cases[i].text);
        assert_false(journal_file_catch_up(&file, store, &err));
        assert_err(&err, ERR_INVALID, cases[i].error);
        assert_bytes_text(content(), cases[i].text); // left as evidence
    }
    store_close(store);
}

// The file is a copy for people. Whoever edits it is told by the verifier, not by the signer.
TEST(an_edited_or_lost_file_goes_on)
{
    struct store *store = fresh();
    append(store, L1);
    append(store, L2);
    catch_up(store);
    append(store, L3);
    write_content("no journal\n");
    catch_up(store);
    assert_bytes_text(content(), "no journal\n" L3 "\n");
    assert_int_equal(unlink(path()), 0);
    append(store, "{\"seq\": 4}");
    catch_up(store);
    assert_bytes_text(content(), "{\"seq\": 4}\n");
    store_close(store);
}

TEST(many_lines_at_once)
{
    struct store *store = fresh();
    struct writer w = writer_growing(test_arena(), 1 << 20);
    for (unsigned i = 1; i <= 200; i++) {
        char line[32];
        (void)snprintf(line, sizeof line, "{\"seq\": %u}", i);
        append(store, line);
        writer_printf(&w, "%s\n", line);
    }
    catch_up(store);
    assert_bytes_equal(content(), writer_bytes(&w));
    store_close(store);
}

TEST(a_full_disk_keeps_the_lines_in_the_store)
{
    struct store *store = fresh();
    struct rlimit limit, small;
    struct err err;
    char line[2001];
    (void)snprintf(line, sizeof line, "{\"seq\": 2, \"x\": \"%01980d\"}", 0);
    append(store, L1);
    catch_up(store);
    append(store, line);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){ 1000, limit.rlim_max };
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const bool written = journal_file_catch_up(&file, store, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(written);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(n_pending(store), 1);
    catch_up(store); // half a line is cut off first
    const struct bytes got = content();
    assert_int_equal(got.len, strlen(L1) + 1 + strlen(line) + 1);
    assert_bytes_text(bytes_slice(got, strlen(L1) + 1, strlen(line)), line);
    store_close(store);
}

TEST(only_a_plain_file_of_one_name_is_written)
{
    struct store *store = fresh();
    struct err err;
    append(store, L1);
    assert_int_equal(symlink("victim", path()), 0);
    assert_false(journal_file_catch_up(&file, store, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(unlink(path()), 0);
    write_content("");
    char other[300];
    (void)snprintf(other, sizeof other, "%s/other", test_dir());
    assert_int_equal(link(path(), other), 0);
    assert_false(journal_file_catch_up(&file, store, &err));
    assert_err(&err, ERR_IO, "journal.jsonl: is not a plain file of one name");
    store_close(store);
}
