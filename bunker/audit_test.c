#include "bunker/audit.h"
#include "base/file.h"
#include "tests/support/test.h"
#include <signal.h>
#include <sys/resource.h>

static const char *path_of(void)
{
    char *path = arena_alloc(test_arena(), 256);
    (void)snprintf(path, 256, "%s/audit.jsonl", test_dir());
    return path;
}

TEST(bunker_18_audit_records_are_chained)
{
    const char *path = path_of();
    struct audit a;
    struct err err;
    struct bytes text;
    assert_true(audit_open(&a, path, &err));
    assert_true(audit_add(&a, 0, &(struct audit_event){ .event = "login", .outcome = "ok" }));
    assert_true(audit_add(
        &a, 1, &(struct audit_event){ .event = "refused", .reason = BYTES("rule #1: \"x\"\n") }));
    audit_close(&a);
    assert_true(file_read(&text, path, 65536, test_arena(), &err));
    static const char start[] =
        "{\"seq\": 1, \"time\": \"1970-01-01T00:00:00Z\", \"event\": \"login\", \"outcome\": "
        "\"ok\", "
        "\"prev\": "
        "\"0000000000000000000000000000000000000000000000000000000000000000\"}\n{\"seq\": 2";
    assert_bytes_text(bytes_slice(text, 0, sizeof start - 1), start);
    assert_true(audit_open(&a, path, &err)); // goes on where it was
    assert_int_equal(a.seq, 2);
    struct writer w = writer_growing(test_arena(), 65536);
    assert_true(audit_read(&a, 1, &w, &err));
    assert_true(bytes_starts_with(writer_bytes(&w), BYTES("[{\"seq\": 2, ")));
    audit_close(&a);
}

// A reason of a device that is no text, and one that is cut within a character, once ended the process.
TEST(bunker_18_reasons_that_are_no_text)
{
    const char *path = path_of();
    struct audit a;
    struct err err;
    uint8_t reason[1026];
    assert_true(audit_open(&a, path, &err));
    memset(reason, 'x', sizeof reason);
    memcpy(reason + 1022, "\xe2\x82\xbf", 3);
    assert_true(
        audit_add(&a, 0, &(struct audit_event){ .event = "x", .reason = BYTES_OF(reason) }));
    assert_true(audit_add(&a, 0, &(struct audit_event){ .event = "x", .reason = BYTES("\xff") }));
    audit_close(&a);
    assert_true(audit_open(&a, path, &err));
    assert_int_equal(a.seq, 2);
    audit_close(&a);
}

TEST(bunker_18_an_edited_record_is_found)
{
    const char *path = path_of();
    struct audit a;
    struct err err;
    struct bytes text;
    assert_true(audit_open(&a, path, &err));
    for (int i = 0; i < 3; i++)
        assert_true(audit_add(&a, i, &(struct audit_event){ .event = "login" }));
    audit_close(&a);
    assert_true(file_read(&text, path, 65536, test_arena(), &err));
    uint8_t *copy = arena_alloc(test_arena(), text.len);
    memcpy(copy, text.ptr, text.len);
    copy[30] ^= 1; // in the first line
    assert_true(file_replace(path, bytes_of(copy, text.len), 0600, &err));
    assert_false(audit_open(&a, path, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, ":2: the chain is broken"));
}

// Half a line is what a full disk or a power cut leaves: it is cut off, and the chain goes on.
TEST(bunker_18_half_a_line_is_cut_off)
{
    const char *path = path_of();
    struct audit a;
    struct err err;
    struct bytes before, after;
    assert_true(audit_open(&a, path, &err));
    assert_true(audit_add(&a, 0, &(struct audit_event){ .event = "login" }));
    audit_close(&a);
    assert_true(file_read(&before, path, 65536, test_arena(), &err));
    struct writer w = writer_growing(test_arena(), 65536);
    writer_put(&w, before);
    writer_text(&w, "{\"seq\": 2, \"ti");
    assert_true(file_replace(path, writer_bytes(&w), 0600, &err));
    assert_true(audit_open(&a, path, &err));
    assert_int_equal(a.seq, 1);
    assert_true(file_read(&after, path, 65536, test_arena(), &err));
    assert_bytes_equal(after, before);
    assert_true(audit_add(&a, 1, &(struct audit_event){ .event = "logout" }));
    audit_close(&a);
    assert_true(audit_open(&a, path, &err));
    assert_int_equal(a.seq, 2);
    audit_close(&a);
}

// A disk that is full for a while costs records, and not the chain.
TEST(bunker_18_a_full_disk_breaks_no_chain)
{
    const char *path = path_of();
    const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
    struct audit a;
    struct err err;
    assert_true(audit_open(&a, path, &err));
    assert_true(audit_add(&a, 0, &(struct audit_event){ .event = "login" }));
    const struct rlimit small = { a.len + 20, RLIM_INFINITY };
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_false(audit_add(&a, 1, &(struct audit_event){ .event = "lost" }));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_true(audit_add(&a, 2, &(struct audit_event){ .event = "kept" }));
    audit_close(&a);
    assert_true(audit_open(&a, path, &err));
    assert_int_equal(a.seq, 2);
    audit_close(&a);
}

TEST(bunker_18_long_logs_are_read_in_pieces)
{
    const char *path = path_of();
    struct audit a;
    struct err err;
    assert_true(audit_open(&a, path, &err));
    for (int i = 0; i < 2500; i++)
        assert_true(audit_add(&a, i, &(struct audit_event){ .event = "x" }));
    for (uint64_t after = 0; after <= 2500; after += 1250 / 2 + 1) {
        const struct json *list;
        struct writer w = writer_growing(test_arena(), 8 << 20);
        assert_true(audit_read(&a, after, &w, &err));
        assert_true(json_parse(&list, writer_bytes(&w), test_arena(), &err));
        assert_int_equal(list->n_items, 2500 - after);
        if (list->n_items > 0)
            assert_int_equal(json_need_integer(json_item(list, 0), "seq"), after + 1);
    }
    audit_close(&a);
}
