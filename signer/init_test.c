#include "signer/init.h"
#include "signer/master.h"
#include "tests/support/test.h"
#include <sys/stat.h>

#define WORDS                                                                                      \
    "wife shiver author away frog air rough vanish fantasy frozen noodle athlete pioneer citizen " \
    "symptom firm much faith extend rare axis garment kiwi clarify"
#define TPRV                                                                                       \
    "tprv8ZgxMBicQKsPeXJHL3vPPgTAEqQ5P2FD9qDeCQT4Cp1EMY5QkwMPWFxHdxHrxZhhcVRJ2m7BNWTz9Xre68y7mX5v" \
    "CdMJ5qXMUfnrZ2si2X4"

// What the operator types, and what he sees. "@" stands for the words that were shown last.
struct operator
{
    const char *const *answers; // up to NULL
    char seen[32768];
    size_t n_seen;
    size_t n_hidden; // answers that were not echoed
    char words[MNEMONIC_TEXT_MAX];
};

static void show(void *context, struct bytes text)
{
    struct operator* op = context;
    assert_true(op->n_seen + text.len < sizeof op->seen);
    memcpy(op->seen + op->n_seen, text.ptr, text.len);
    op->n_seen += text.len;
    op->seen[op->n_seen] = '\0';
}

// The words of the numbered list that was shown last, as the operator copies them.
static const char *copied_words(struct operator* op)
{
    const char *at = NULL;
    char *out = op->words;
    for (const char *next = strstr(op->seen, "   1. "); next; next = strstr(next + 1, "   1. "))
        at = next;
    if (!at)
        fail_msg("no words were shown");
    while (at[0] == ' ' && strchr(at, '.')) {
        const char *word = strchr(at, '.') + 2;
        const char *end = strchr(word, '\n');
        assert_non_null(end);
        out += snprintf(out, (size_t)(op->words + sizeof op->words - out), "%.*s ",
                        (int)(end - word), word);
        at = end + 1;
    }
    return op->words;
}

static bool ask(void *context, struct writer *out, bool echo, struct err *err)
{
    struct operator* op = context;
    const char *answer = *op->answers;
    if (!answer)
        return err_set(err, ERR_TRUNCATED, "the input ended before the last answer");
    op->answers++;
    op->n_hidden += !echo;
    writer_text(out, strcmp(answer, "@") == 0 ? copied_words(op) : answer);
    return true;
}

static void counting_bytes(void *context, void *out, size_t len)
{
    (void)context;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)i;
}

static const char *dir(void)
{
    char *path = arena_alloc(test_arena(), 256);
    (void)snprintf(path, 256, "%s/state", test_dir());
    return path;
}

static bool init(struct operator* op, enum init_source source, const char *const *answers,
                 struct err *err)
{
    *op = (struct operator){ .answers = answers };
    const struct init_options options = { .dir = dir(),
                                          .source = source,
                                          .n_words = source == INIT_GENERATE ? 12 : 0,
                                          .io = { .context = op, .show = show, .ask = ask },
                                          .cost = vault_cost_weak(),
                                          .random = counting_bytes };
    return init_run(&options, err);
}

static struct secret *open_secret(struct bytes pin)
{
    const struct clock clock = clock_system();
    struct store *store;
    struct vault vault;
    struct secret *secret;
    struct err err;
    assert_true(store_open(&store, dir(), &err));
    assert_true(vault_init(&vault, store, &clock, 0, true, &err));
    if (!vault_unlock(&vault, &secret, pin, &err))
        fail_msg("%s", err.text);
    store_close(store);
    return secret;
}

static void assert_fingerprint(struct bytes pin, const char *expected)
{
    AUTO(secret_freep) struct secret *secret = open_secret(pin);
    struct hdkey node;
    struct err err;
    char xfp[XFP_TEXT_SIZE];
    assert_true(master_node(&node, secret, &err));
    xfp_to_text(xfp, hdpub_xfp(&node.pub));
    assert_string_equal(xfp, expected);
}

static void assert_nothing_made(void)
{
    struct stat st;
    assert_int_equal(stat(dir(), &st), -1);
}

TEST(words_are_imported)
{
    static const char *const answers[] = { "7",          "2",          "not words",
                                           WORDS,        "",           "short",
                                           "short",      "one PIN",    "another PIN",
                                           "a long PIN", "a long PIN", NULL };
    struct operator op;
    struct stat st;
    struct err err;
    if (!init(&op, INIT_ASK, answers, &err))
        fail_msg("%s", err.text);
    assert_null(*op.answers);
    assert_int_equal(op.n_hidden, 9); // all but the choices
    assert_fingerprint(BYTES("a long PIN"), "0F056943");
    assert_int_equal(stat(dir(), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0710);
    assert_non_null(strstr(op.seen, "a PIN has 6 to 64 characters."));
    assert_non_null(strstr(op.seen, "These two differ.\n"));
    assert_non_null(strstr(op.seen, "Done. The master fingerprint is 0F056943.\n"));
    assert_null(strstr(op.seen, "shiver")); // what was typed is not shown again
    assert_null(strstr(op.seen, "long PIN"));
}

TEST(a_passphrase_is_asked_twice)
{
    static const char *const answers[] = { WORDS,    "secret", "secrot", "secret",
                                           "secret", "123456", "123456", NULL };
    struct operator op;
    struct err err;
    assert_true(init(&op, INIT_WORDS, answers, &err));
    AUTO(secret_freep) struct secret *secret = open_secret(BYTES("123456"));
    AUTO(secret_freep) struct secret *expected = NULL;
    assert_true(master_of_words(&expected, BYTES(WORDS), BYTES("secret"), &err));
    assert_bytes_equal(secret_open(secret), secret_open(expected));
    secret_close(secret);
    secret_close(expected);
}

TEST(an_extended_key_is_imported)
{
    static const char *const answers[] = { "nonsense", TPRV, "123456", "123456", NULL };
    struct operator op;
    struct err err;
    assert_true(init(&op, INIT_XPRV, answers, &err));
    assert_fingerprint(BYTES("123456"), "0F056943");
    assert_non_null(strstr(op.seen, "Failed to parse extended private key.\n"));
    assert_non_null(strstr(op.seen, "set chain = XTN (or XRT) in signer.conf"));
}

// The words are those of an independent computation over the same bytes and rolls.
TEST(a_new_seed_is_made_and_its_backup_verified)
{
    static const char *const answers[] = { "d",
                                           "3164261552 3465151346",
                                           "9", // no roll
                                           "2254126344523156542614331163254625 143652",
                                           "",        // the list was seen
                                           "abandon", // not these
                                           "",        // show them again
                                           "",
                                           "@",
                                           "", // no passphrase
                                           "123456",
                                           "123456",
                                           NULL };
    struct operator op;
    struct err err;
    if (!init(&op, INIT_GENERATE, answers, &err))
        fail_msg("%s", err.text);
    assert_null(*op.answers);
    assert_non_null(strstr(
        op.seen,
        "lazy despair virtual fever device capable source soul tortoise outer village kiwi"));
    assert_non_null(
        strstr(op.seen,
               "SHA-256 is\n  630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd\n"));
    // Before the first roll is asked for.
    assert_true(
        strstr(op.seen, "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd") <
        strstr(op.seen, "Rolls (1 to 6): "));
    assert_non_null(strstr(op.seen, "20 of 50.\n"));
    assert_non_null(strstr(op.seen, "character 1 is no roll: a die shows 1 to 6.\n"));
    AUTO(secret_freep) struct secret *secret = open_secret(BYTES("123456"));
    char text[MNEMONIC_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text);
    assert_true(master_words(&w, secret, &err));
    assert_bytes_text(
        writer_bytes(&w),
        "lazy despair virtual fever device capable source soul tortoise outer village kiwi");
}

TEST(uneven_rolls_are_asked_for_again)
{
    static const char *const answers[] = {
        "c",
        "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
        "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh",
        NULL
    };
    struct operator op;
    struct err err;
    assert_false(init(&op, INIT_GENERATE, answers, &err));
    assert_err(&err, ERR_TRUNCATED, "the input ended before the last answer");
    assert_non_null(strstr(op.seen, "the rolls are too uneven"));
    assert_non_null(strstr(op.seen, "Begin again, and roll each one.\n0 of 128.\n"));
    assert_nothing_made();
}

TEST(giving_up_leaves_nothing)
{
    static const char *const answers[] = { "q", NULL };
    struct operator op;
    struct err err;
    assert_false(init(&op, INIT_ASK, answers, &err));
    assert_err(&err, ERR_REFUSED, "given up; nothing was made");
    assert_nothing_made();
}

TEST(the_input_may_end_anywhere)
{
    static const char *const all[] = { "2", WORDS, "", "123456", "123456", NULL };
    for (size_t n = 0; n + 1 < COUNT(all); n++) {
        const char *answers[COUNT(all)] = { NULL };
        struct operator op;
        struct err err;
        memcpy(answers, all, n * sizeof all[0]);
        assert_false(init(&op, INIT_ASK, answers, &err));
        assert_int_equal(err.code, ERR_TRUNCATED);
        assert_nothing_made();
    }
}

TEST(a_signer_is_never_made_over_another)
{
    static const char *const answers[] = { WORDS, "", "123456", "123456", NULL };
    struct operator op;
    struct err err;
    char text[512];
    assert_true(init(&op, INIT_WORDS, answers, &err));
    (void)snprintf(text, sizeof text, "%s: there is a signer already", dir());
    assert_false(init(&op, INIT_WORDS, answers, &err));
    assert_err(&err, ERR_EXISTS, text);
    assert_ptr_equal(op.answers, answers); // before the first question
    assert_fingerprint(BYTES("123456"), "0F056943");
}

TEST(an_interrupted_init_is_taken_up)
{
    static const char *const answers[] = { WORDS, "", "123456", "123456", NULL };
    struct operator op;
    struct store *store;
    struct err err;
    assert_int_equal(mkdir(dir(), 0710), 0);
    assert_true(store_create(&store, dir(), &err)); // and then the power went
    store_close(store);
    assert_true(init(&op, INIT_WORDS, answers, &err));
    assert_fingerprint(BYTES("123456"), "0F056943");
}

TEST(a_pin_that_is_given_is_not_asked_for)
{
    static const char *const answers[] = { WORDS, "", NULL };
    struct operator op = { .answers = answers };
    struct init_options options = { .dir = dir(),
                                    .source = INIT_WORDS,
                                    .pin = BYTES("12345"),
                                    .io = { .context = &op, .show = show, .ask = ask },
                                    .cost = vault_cost_weak() };
    struct err err;
    assert_false(init_run(&options, &err));
    assert_err(&err, ERR_INVALID, "a PIN has 6 to 64 characters");
    assert_nothing_made();
    op.answers = answers;
    options.pin = BYTES("123456");
    assert_true(init_run(&options, &err));
    assert_fingerprint(BYTES("123456"), "0F056943");
}

TEST(a_seed_has_12_18_or_24_words)
{
    const struct init_options options = { .dir = dir(), .source = INIT_GENERATE, .n_words = 15 };
    struct err err;
    assert_false(init_run(&options, &err));
    assert_err(&err, ERR_USAGE, "a seed has 12, 18 or 24 words");
}

TEST(what_cannot_be_made_is_told_before_the_first_question)
{
    static const char *const answers[] = { WORDS, "", "123456", "123456", NULL };
    struct operator op = { .answers = answers };
    char path[256], text[512];
    (void)snprintf(path, sizeof path, "%s/no/such", test_dir());
    (void)snprintf(text, sizeof text, "%s: No such file or directory", path);
    const struct init_options options = { .dir = path,
                                          .source = INIT_WORDS,
                                          .io = { .context = &op, .show = show, .ask = ask },
                                          .cost = vault_cost_weak() };
    struct err err;
    assert_false(init_run(&options, &err));
    assert_err(&err, ERR_NOT_FOUND, text);
    assert_ptr_equal(op.answers, answers);
}
