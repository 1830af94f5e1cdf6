#include "base/log.h"
#include "tests/support/test.h"
#include <fcntl.h>

static int64_t wall_s(const struct clock *clock)
{
    return 1795256130 + clock->offset_s;
}

static const struct clock fixed_clock = { .wall_s = wall_s, .monotonic_ms = wall_s };

struct capture {
    struct log log;
    int read_fd;
    char text[16384];
};

static void capture_open(struct capture *c, enum log_level min, const struct clock *clock)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    *c = (struct capture){ .log = { .fd = fds[1], .min = min, .clock = clock }, .read_fd = fds[0] };
}

// What was logged since the last call, in one read: each line must be one write.
static const char *captured(struct capture *c)
{
    const ssize_t n = read(c->read_fd, c->text, sizeof c->text - 1);
    c->text[n < 0 ? 0 : n] = 0;
    return c->text;
}

static void capture_close(const struct capture *c)
{
    close(c->log.fd);
    close(c->read_fd);
}

TEST(a_line_as_documented)
{
    AUTO(capture_close) struct capture c;
    capture_open(&c, LOG_DEBUG, &fixed_clock);
    LOG(&c.log, LOG_INFO, "psbt_refused", LOG_U64("rule", 2),
        LOG_TEXT("reason", "would exceed period spending"));
    assert_string_equal(captured(&c), "2026-11-21T10:15:30Z level=info event=psbt_refused rule=2 "
                                      "reason=\"would exceed period spending\"\n");
}

TEST(every_kind_of_field)
{
    AUTO(capture_close) struct capture c;
    capture_open(&c, LOG_DEBUG, NULL);
    LOG(&c.log, LOG_ERROR, "e", LOG_U64("u", UINT64_MAX), LOG_I64("i", INT64_MIN),
        LOG_BOOL("t", true), LOG_BOOL("f", false), LOG_BYTES("b", bytes_of("abc", 2)),
        LOG_TEXT("empty", ""), LOG_TEXT("null", NULL));
    assert_string_equal(captured(&c),
                        "level=error event=e u=18446744073709551615 i=-9223372036854775808 t=true "
                        "f=false b=ab empty=\"\" null=\"\"\n");
    log_event(&c.log, LOG_WARNING, "bare", NULL, 0);
    assert_string_equal(captured(&c), "level=warning event=bare\n");
}

// The same as objects: what a text holds stays within its quotes.
TEST(coordinator_D13_lines_of_json)
{
    AUTO(capture_close) struct capture c;
    capture_open(&c, LOG_DEBUG, &fixed_clock);
    c.log.json = true;
    c.log.replica = "one";
    LOG(&c.log, LOG_INFO, "e", LOG_U64("n", 2), LOG_BOOL("t", true),
        LOG_TEXT("quoted", "a\"b\\c\nd\x1b"), LOG_TEXT("wide", "\xc3\xa4"),
        LOG_BYTES("bad", bytes_of("\xff\\", 2)));
    assert_string_equal(captured(&c),
                        "{\"time\": \"2026-11-21T10:15:30Z\", \"level\": \"info\", \"event\": "
                        "\"e\", \"replica\": \"one\", \"n\": 2, \"t\": true, \"quoted\": "
                        "\"a\\\"b\\\\c\\nd\\u001b\", \"wide\": \"\\u00e4\", \"bad\": "
                        "\"\\\\xff\\\\x5c\"}\n");
}

TEST(coordinator_D13_a_long_line_of_json_is_still_an_object)
{
    AUTO(capture_close) struct capture c;
    char text[600];
    struct log_field fields[12];
    const struct json *object;
    struct err err;
    capture_open(&c, LOG_DEBUG, NULL);
    c.log.json = true;
    memset(text, '\x01', sizeof text - 1); // six characters each
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < COUNT(fields); i++)
        fields[i] = LOG_TEXT("f", text);
    for (size_t i = 0; i < COUNT(fields); i++) {
        static const char names[][2] = {
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"
        };
        fields[i].name = names[i];
    }
    log_event(&c.log, LOG_INFO, "e", fields, COUNT(fields));
    const char *line = captured(&c);
    assert_true(json_parse(&object, bytes_trim(bytes_of_text(line)), test_arena(), &err));
    assert_non_null(json_get(object, "cut"));
}

TEST(levels)
{
    AUTO(capture_close) struct capture c;
    capture_open(&c, LOG_WARNING, NULL);
    log_event(&c.log, LOG_DEBUG, "a", NULL, 0);
    log_event(&c.log, LOG_INFO, "b", NULL, 0);
    assert_string_equal(captured(&c), "");
    log_event(&c.log, LOG_WARNING, "c", NULL, 0);
    log_event(&c.log, LOG_ERROR, "d", NULL, 0);
    assert_string_equal(captured(&c), "level=warning event=c\nlevel=error event=d\n");
    const struct log nowhere = { .fd = -1, .min = LOG_DEBUG };
    log_event(&nowhere, LOG_ERROR, "x", NULL, 0);
}

TEST(no_value_forges_a_field_or_a_line)
{
    static const struct {
        struct bytes value;
        const char *expected;
    } cases[] = {
        { BYTES_INIT("azAZ09_.:/+@-"), "azAZ09_.:/+@-" },
        { BYTES_INIT("a b"), "\"a b\"" },
        { BYTES_INIT("x level=error"), "\"x level=error\"" },
        { BYTES_INIT("a=b"), "\"a=b\"" },
        { BYTES_INIT("\" x=\""), "\"\\\" x=\\\"\"" },
        { BYTES_INIT("\\"), "\"\\\\\"" },
        { BYTES_INIT("a\nb"), "\"a\\nb\"" },
        { BYTES_INIT("a\r\t\x1b[2J\x7f"), "\"a\\x0d\\x09\\x1b[2J\\x7f\"" },
        { BYTES_INIT("a\0b"), "\"a\\x00b\"" },
        { BYTES_INIT("caf\xc3\xa9 \xe2\x82\xbf"), "\"caf\xc3\xa9 \xe2\x82\xbf\"" },
        { BYTES_INIT("\xc2\x9b"
                     "2J"),
          "\"\\xc2\\x9b2J\"" }, // U+009B starts a terminal command
        { BYTES_INIT("\xc2\xa0"), "\"\xc2\xa0\"" },
        { BYTES_INIT("\xff\xc3"), "\"\\xff\\xc3\"" },
    };
    AUTO(capture_close) struct capture c;
    capture_open(&c, LOG_DEBUG, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char expected[128];
        snprintf(expected, sizeof expected, "level=info event=e v=%s\n", cases[i].expected);
        LOG(&c.log, LOG_INFO, "e", LOG_BYTES("v", cases[i].value));
        assert_string_equal(captured(&c), expected);
    }
}

TEST(long_values_and_lines_are_cut)
{
    static char text[100000];
    AUTO(capture_close) struct capture c;
    capture_open(&c, LOG_DEBUG, NULL);
    memset(text, 'a', sizeof text - 1);
    LOG(&c.log, LOG_INFO, "e", LOG_TEXT("v", text), LOG_U64("n", 1));
    const char *line = captured(&c);
    assert_int_equal(strlen(line), strlen("level=info event=e v=\"...\" n=1\n") + 512);
    assert_non_null(strstr(line, "aaa...\" n=1\n"));

    memset(text, 1, sizeof text - 1); // each byte of it becomes four
    LOG(&c.log, LOG_INFO, "e", LOG_U64("n", 1), LOG_TEXT("v", text), LOG_TEXT("w", text),
        LOG_U64("m", 2));
    line = captured(&c);
    assert_true(strlen(line) <= 4096);
    assert_int_equal(strncmp(line, "level=info event=e n=1 v=\"\\x01", 30), 0);
    assert_null(strstr(line, " w="));
    assert_string_equal(line + strlen(line) - 11, "...\" cut=1\n");
}

TEST(a_line_of_any_length_ends)
{
    char full[512], last[512];
    AUTO(capture_close) struct capture c;
    capture_open(&c, LOG_DEBUG, NULL);
    memset(full, 'a', sizeof full - 1);
    full[sizeof full - 1] = 0;
    for (size_t len = 0; len < sizeof last; len++) { // around 4 KiB in all
        memset(last, 'b', len);
        last[len] = 0;
        LOG(&c.log, LOG_INFO, "e", LOG_TEXT("v", full), LOG_TEXT("v", full), LOG_TEXT("v", full),
            LOG_TEXT("v", full), LOG_TEXT("v", full), LOG_TEXT("v", full), LOG_TEXT("v", full),
            LOG_TEXT("w", last), LOG_U64("end", 1));
        const char *line = captured(&c);
        const size_t n = strlen(line);
        const bool is_whole = strcmp(line + n - 7, " end=1\n") == 0;
        assert_true(n <= 4096);
        assert_true(is_whole || strcmp(line + n - 7, " cut=1\n") == 0);
        assert_true(is_whole || len > 400);
    }
}

TEST(a_full_pipe_stops_nobody)
{
    AUTO(capture_close) struct capture c;
    capture_open(&c, LOG_DEBUG, NULL);
    for (int i = 0; i < 100000; i++)
        log_event(&c.log, LOG_INFO, "e", NULL, 0);
    assert_non_null(strstr(captured(&c), "level=info event=e\n"));
}
