// cli/test_run.h -- command lines run in a test's process, against the fake signer.
#ifndef CASEMATE_CLI_TEST_RUN_H
#define CASEMATE_CLI_TEST_RUN_H
#include "base/file.h"
#include "base/reader.h"
#include "cli/cli.h"
#include "cli/verbs.h"
#include "client/fake_signer.h"
#include "tests/support/test.h"
#include <fcntl.h>

static inline const char *path_of(const char *name)
{
    struct writer w = writer_growing(test_arena(), 200);
    writer_printf(&w, "%s/%s", test_dir(), name);
    return arena_text(test_arena(), writer_bytes(&w));
}

static inline void put_file(const char *name, const char *content)
{
    struct err err;
    assert_true(file_replace(path_of(name), bytes_of_text(content), 0600, &err));
}

static inline struct fake_signer *start(const struct fake_rule *rules, size_t n_rules)
{
    const struct fake_options options = { .path = path_of("fake-1.sock"),
                                          .rules = rules,
                                          .n_rules = n_rules,
                                          .result = BYTES("psbt\xff") };
    return fake_signer_start(&options);
}

struct outcome {
    int status;
    struct bytes out, err;
};

// Standard output or error, into a file of the test's folder. Returns what it was.
static inline int redirect(int stream, const char *name)
{
    const int before = dup(stream);
    const int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(before >= 0 && fd >= 0);
    fflush(NULL);
    assert_true(dup2(fd, stream) >= 0);
    close(fd);
    return before;
}

static inline struct bytes restore(int stream, int before, const char *name)
{
    struct bytes said;
    struct err err;
    assert_true(dup2(before, stream) >= 0);
    close(before);
    assert_true(file_read(&said, path_of(name), 1 << 20, test_arena(), &err));
    return said;
}

// How far the next runs' clocks are from ours.
__attribute__((unused)) static int64_t clock_offset_s;

// Runs a command line in this process and catches what it says.
static inline struct outcome run(int argc, char **argv)
{
    struct outcome result;
    struct cli cli;
    struct err err;
    static const char *const names[] = { "CASEMATE_SOCKET", "CASEMATE_SERIAL", "CASEMATE_BUNKER",
                                         "CASEMATE_PIN_XPUB", "XDG_CONFIG_HOME" };
    for (size_t i = 0; i < COUNT(names); i++)
        unsetenv(names[i]);
    setenv("HOME", test_dir(), 1);
    const int out = redirect(STDOUT_FILENO, "out"), errors = redirect(STDERR_FILENO, "err");
    cli_init(&cli);
    cli.clock.offset_s = clock_offset_s;
    result.status = command_line_parse(&cli.line, argc, argv, verbs_globals(), verbs_all(), &err)
                        ? cli_run(&cli)
                        : cli_complain(&cli, &err);
    cli_free(&cli);
    result.out = restore(STDOUT_FILENO, out, "out");
    result.err = restore(STDERR_FILENO, errors, "err");
    return result;
}

// A line of words: "@name" is a path in the test's folder, "~" a blank.
static inline struct outcome run_words(const char *line)
{
    char *text = arena_alloc(test_arena(), 4096), *argv[32] = { text };
    int argc = 0;
    struct writer w = writer_of(text, 4096);
    writer_printf(&w, "casemate %s ", line);
    struct reader r = reader_of(writer_bytes(&w));
    char *copy = arena_alloc(test_arena(), 8192);
    for (struct bytes word; reader_until(&r, ' ', &word); argc++) {
        argv[argc] = copy;
        if (word.len > 0 && word.ptr[0] == '@')
            copy += snprintf(copy, 300, "%s/%.*s", test_dir(),
                             BYTES_ARG(bytes_slice(word, 1, SIZE_MAX)));
        else
            copy += snprintf(copy, 300, "%.*s", BYTES_ARG(word));
        copy++;
    }
    for (char *c = argv[0]; c < copy; c++)
        *c = *c == '~' ? ' ' : *c;
    argv[argc] = NULL;
    return run(argc, argv);
}

// The same, asking the fake signer of `start`.
static inline struct outcome run_line(const char *line)
{
    char text[4096];
    snprintf(text, sizeof text, "-c @fake-1.sock %s", line);
    return run_words(text);
}

static inline bool bytes_ends_with(struct bytes text, const char *end)
{
    const size_t len = strlen(end);
    return text.len >= len && bytes_equal_text(bytes_slice(text, text.len - len, len), end);
}

// The last request of that code that came. The signer stops there.
static inline struct bytes last(struct fake_signer *fake, const char *code)
{
    fake_signer_pause(fake);
    return fake_signer_last(fake, code);
}

#endif
