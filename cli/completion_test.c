#include "cli/completion.h"
#include "cli/verbs.h"
#include "tests/support/test.h"

static const char *script_of(const char *shell)
{
    struct writer w = writer_growing(test_arena(), COMPLETION_MAX);
    struct bytes out;
    completion_find(shell)->write(&w, verbs_globals(), verbs_all());
    assert_true(writer_finish(&w, &out));
    return arena_text(test_arena(), out);
}

static void assert_has(const char *script, const char *text)
{
    if (strstr(script, text) == NULL)
        fail_msg("the script has no %s", text);
}

// "generated from the same option table as the parser": nothing is left out.
TEST(cli_7_4_each_verb_and_option_is_completed)
{
    static const char *const shells[] = { "bash", "zsh", "fish" };
    const struct verb_table verbs = verbs_all();
    for (size_t s = 0; s < COUNT(shells); s++) {
        const char *script = script_of(shells[s]);
        for (size_t v = 0; v < verbs.n; v++) {
            const char *blank = strchr(verbs.rows[v]->name, ' ');
            assert_has(script, blank != NULL ? blank + 1 : verbs.rows[v]->name);
            for (size_t i = 0; i < verbs.rows[v]->options.n; i++)
                if (verbs.rows[v]->options.rows[i].name != NULL)
                    assert_has(script, verbs.rows[v]->options.rows[i].name);
        }
        for (size_t i = 0; i < verbs_globals().n; i++)
            assert_has(script, verbs_globals().rows[i].name);
    }
    assert_null(completion_find("csh"));
}

// With two colons zsh would keep the verb among the words, and `policy ha` would find nothing.
TEST(cli_7_4_zsh_hands_on_the_words_behind_a_verb)
{
    assert_has(script_of("zsh"), "'*::: :->rest'");
}

TEST(cli_7_4_words_of_a_verb)
{
    static const struct {
        const char *words;
        size_t n;
        const char *name; // NULL: there is none
        bool is_repeated;
    } rows[] = {
        { "PSBT_IN [PSBT_OUT]", 0, "PSBT_IN", false },
        { "PSBT_IN [PSBT_OUT]", 1, "PSBT_OUT", false },
        { "PSBT_IN [PSBT_OUT]", 2, NULL, false },
        { "SCRIPT FINGERPRINTS...", 1, "FINGERPRINTS", true },
        { "", 0, NULL, false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct verb verb = { .name = "x", .words = rows[i].words };
        struct bytes name;
        bool is_repeated;
        assert_int_equal(completion_word(&verb, rows[i].n, &name, &is_repeated),
                         rows[i].name != NULL);
        if (rows[i].name == NULL)
            continue;
        assert_bytes_text(name, rows[i].name);
        assert_int_equal(is_repeated, rows[i].is_repeated);
    }
}

TEST(cli_7_4_what_a_word_can_be)
{
    assert_int_equal(completion_of_word(BYTES("PSBT_IN")).kind, COMPLETE_FILE);
    assert_string_equal(completion_of_word(BYTES("USERNAME")).list, "users");
    assert_int_equal(completion_of_word(BYTES("MESSAGE")).kind, COMPLETE_NOTHING);
    const struct option socket = { .name = "socket", .argument = "PATH" };
    assert_string_equal(completion_of_option(&socket).list, "sockets");
    const struct option path = { .name = "path", .argument = "PATH" }; // of a key
    assert_int_equal(completion_of_option(&path).kind, COMPLETE_NOTHING);
}
