#include "bunker/cert_command.h"
#include "base/file.h"
#include "base/reader.h"
#include "tests/support/test.h"
#include <sys/stat.h>

#define NOW 1795000000

static const char *in_dir(const char *name)
{
    struct writer w = writer_growing(test_arena(), 400);
    writer_printf(&w, "%s/%s", test_dir(), name);
    return arena_text(test_arena(), writer_bytes(&w));
}

static bool run(struct bytes *out, struct err *err, size_t n, const char *const *words)
{
    struct cert_command c;
    struct writer w = writer_growing(test_arena(), 10000);
    const bool ok = cert_command_parse(&c, words, n, NULL, err) &&
                    cert_command_run(&c, NOW, &w, test_arena(), err);
    *out = writer_bytes(&w);
    return ok;
}
#define RUN(out, err, ...)                                                                         \
    run((out), (err), COUNT(((const char *[]){ __VA_ARGS__ })), (const char *[]){ __VA_ARGS__ })

static unsigned mode_of(const char *name)
{
    struct stat st;
    assert_int_equal(stat(in_dir(name), &st), 0);
    return st.st_mode & 07777;
}

TEST(bunker_51_an_authority_and_what_it_signs)
{
    const char *folder = in_dir("ca");
    struct bytes out, shown;
    struct err err;
    if (!RUN(&out, &err, "ca", folder) || !RUN(&out, &err, "client", folder, "coordinator") ||
        !RUN(&out, &err, "server", folder, "bunker.example", "127.0.0.1"))
        fail_msg("%s", err.text);
    assert_int_equal(mode_of("ca"), 0700);
    static const char *const files[] = { "ca/ca.crt",
                                         "ca/ca.key",
                                         "ca/coordinator.crt",
                                         "ca/coordinator.key",
                                         "ca/bunker.example.crt",
                                         "ca/bunker.example.key" };
    for (size_t i = 0; i < COUNT(files); i++)
        assert_int_equal(mode_of(files[i]), 0600);
    struct reader r = reader_of(out);
    struct bytes line;
    assert_true(reader_until(&r, '\n', &line) && bytes_starts_with(line, BYTES("certificate: ")));
    assert_true(reader_until(&r, '\n', &line) && bytes_starts_with(line, BYTES("key: ")));
    assert_true(RUN(&shown, &err, "show", in_dir("ca/bunker.example.crt")));
    assert_bytes_equal(reader_rest(&r), shown); // the pin
    assert_int_equal(shown.len, sizeof "sha256: " - 1 + 64 + 1);
}

TEST(bunker_51_nothing_is_written_over)
{
    const char *folder = in_dir("once");
    struct bytes out, before, after;
    struct err err;
    char why[600];
    assert_true(RUN(&out, &err, "ca", folder, "mine"));
    assert_true(file_read(&before, in_dir("once/ca.key"), 10000, test_arena(), &err));
    assert_false(RUN(&out, &err, "ca", folder));
    (void)snprintf(why, sizeof why, "%s/ca.crt: is there already", folder);
    assert_err(&err, ERR_EXISTS, why);
    assert_false(RUN(&out, &err, "client", folder, "ca")); // would be the same file
    assert_err(&err, ERR_EXISTS, why);
    assert_true(file_read(&after, in_dir("once/ca.key"), 10000, test_arena(), &err));
    assert_bytes_equal(before, after);
    assert_int_equal(unlink(in_dir("once/ca.crt")), 0); // half of it is not made whole
    assert_false(RUN(&out, &err, "ca", folder));
    assert_int_equal(err.code, ERR_EXISTS);
    assert_false(RUN(&out, &err, "server", folder, "x"));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_false(RUN(&out, &err, "client", in_dir("nowhere"), "x"));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_false(RUN(&out, &err, "show", in_dir("once/ca.key")));
    assert_int_equal(err.code, ERR_MALFORMED);
}

TEST(bunker_51_words_of_cert)
{
    static const char *const bad[][4] = {
        { "ca" },
        { "ca", "f", "a", "b" },
        { "server", "f" },
        { "client", "f" },
        { "client", "f", "a", "b" },
        { "show" },
        { "show", "f", "x" },
        { "key", "f", "x" },
    };
    struct cert_command c;
    struct err err;
    for (size_t i = 0; i < COUNT(bad); i++) {
        size_t n = 0;
        while (n < 4 && bad[i][n] != NULL)
            n++;
        if (cert_command_parse(&c, bad[i], n, NULL, &err) || err.code != ERR_USAGE)
            fail_msg("%zu", i);
    }
    static const char *const good[] = { "client", "f", "a" };
    assert_true(cert_command_parse(&c, good, 3, "36500", &err) && c.days == 36500);
    static const char *const days[] = { "0", "36501", "x", "", "1 " };
    for (size_t i = 0; i < COUNT(days); i++)
        assert_false(cert_command_parse(&c, good, 3, days[i], &err));
    static const char *const slash[] = { "client", "f", "../a" };
    struct writer w = writer_growing(test_arena(), 100);
    assert_true(cert_command_parse(&c, slash, 3, NULL, &err));
    assert_false(cert_command_run(&c, NOW, &w, test_arena(), &err));
    assert_err(&err, ERR_USAGE, "cert: '../a' is no name of a file");
}
