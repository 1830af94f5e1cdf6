#include "bitcoin/story.h"
#include "tests/support/psbt_rig.h"

// Facts as analysis would leave them, for a story alone.
static struct tx_facts *facts_of(size_t n_in, size_t n_out)
{
    struct tx_facts *facts = arena_alloc(test_arena(), sizeof *facts);
    facts->chain = chain_by_id(CHAIN_XTN);
    facts->n_in = n_in;
    facts->n_out = n_out;
    facts->out = arena_array(test_arena(), n_out, sizeof *facts->out);
    facts->fee_known = true;
    return facts;
}

static void put_output(struct tx_facts *facts, size_t i, uint64_t sats, struct bytes script,
                       bool change)
{
    facts->out[i] = (struct output_facts){
        .amount = { sats }, .script = script, .change = change, .own = change
    };
    assert_true(sats_add(&facts->total_out, facts->out[i].amount));
    if (change)
        assert_true(sats_add(&facts->change_total, facts->out[i].amount));
}

static struct bytes told(const struct tx_facts *facts, enum story_form form)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    story_write(&w, facts, UNIT_SATS, form);
    return writer_bytes(&w);
}

// --- 86: which outputs are shown ---

// The amounts in the story, in order, between two texts.
static struct bytes amounts_between(struct bytes story, const char *from, const char *to)
{
    struct writer w = writer_growing(test_arena(), 1 << 16);
    const char *start = strstr((const char *)story.ptr, from) + strlen(from);
    const char *end = to == NULL ? NULL : strstr(start, to);
    while (true) {
        const char *at = strstr(start, " sats\n - to script");
        if (at == NULL || (end != NULL && at > end))
            return writer_bytes(&w);
        const char *number = at;
        while (number > start && number[-1] >= '0' && number[-1] <= '9')
            number--;
        writer_printf(&w, "%.*s ", (int)(at - number), number);
        start = at + 1;
    }
}

// As a text with a final zero, for strstr.
static struct bytes payments_shown(const uint64_t *sats, size_t n, struct bytes *whole)
{
    struct tx_facts *facts = facts_of(1, n);
    for (size_t i = 0; i < n; i++)
        put_output(facts, i, sats[i], BYTES("\x51"), false);
    *whole = test_concat(told(facts, STORY_SCREEN), bytes_of("", 1));
    return amounts_between(*whole, "outputs\n\n", NULL);
}

TEST(psbt_signing_27_86_payments_shown)
{
    static const struct {
        size_t n;
        uint64_t sats[14];
        const char *shown, *rest; // NULL: nothing left out
    } cases[] = {
        // Up to nine: in transaction order.
        { 9, { 1, 9, 2, 8, 3, 7, 4, 6, 5 }, "1 9 2 8 3 7 4 6 5 ", NULL },
        // Ten: the largest first.
        { 10, { 1, 9, 2, 8, 3, 7, 4, 6, 5, 10 }, "10 9 8 7 6 5 4 3 2 1 ", NULL },
        { 11,
          { 1, 9, 2, 8, 3, 7, 4, 6, 5, 10, 11 },
          "11 10 9 8 7 6 5 4 3 2 ",
          ".. plus 1 smaller output(s), not shown here, which total: 1 sats\n\n" },
        { 12,
          { 1, 9, 2, 8, 3, 7, 4, 6, 5, 10, 1, 1 },
          "10 9 8 7 6 5 4 3 2 1 ",
          ".. plus 2 smaller output(s), not shown here, which total: 2 sats\n\n" },
        { 13,
          { 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 4, 5 },
          "6 5 5 5 5 5 5 5 5 5 ",
          ".. plus 3 smaller output(s), not shown here, which total: 14 sats\n\n" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes whole;
        assert_bytes_text(payments_shown(cases[i].sats, cases[i].n, &whole), cases[i].shown);
        const char *plus = strstr((const char *)whole.ptr, ".. plus");
        if (cases[i].rest == NULL)
            assert_null(plus);
        else
            assert_string_equal(plus, cases[i].rest);
    }
}

// Equal amounts keep their order; of those equal to the smallest, later ones stay out.
TEST(psbt_signing_27_86_equal_amounts_around_the_cut)
{
    struct tx_facts *facts = facts_of(1, 13);
    static const uint64_t sats[] = { 5, 7, 5, 5, 5, 5, 5, 5, 5, 5, 5, 7, 6 };
    for (size_t i = 0; i < 13; i++) {
        uint8_t *script = arena_alloc(test_arena(), 2); // an unknown script that names its place
        script[0] = 0x61;
        script[1] = (uint8_t)i;
        put_output(facts, i, sats[i], bytes_of(script, 2), false);
    }
    const struct bytes story = test_concat(told(facts, STORY_SCREEN), bytes_of("", 1));
    static const char *const order[] = { "6101\n", "610b\n", "610c\n", "6100\n", "6102\n",
                                         "6103\n", "6104\n", "6105\n", "6106\n", "6107\n" };
    const char *at = (const char *)story.ptr;
    for (size_t i = 0; i < COUNT(order); i++) {
        at = strstr(at, order[i]);
        assert_non_null(at);
    }
    assert_null(strstr((const char *)story.ptr, "6108\n"));
    assert_null(strstr((const char *)story.ptr, "6109\n"));
    assert_null(strstr((const char *)story.ptr, "610a\n"));
}

TEST(psbt_signing_27_86_change_shown)
{
    for (size_t n = 19; n <= 21; n++) {
        struct tx_facts *facts = facts_of(1, n + 1);
        put_output(facts, 0, 1000, BYTES("\x51"), false);
        for (size_t i = 1; i <= n; i++)
            put_output(facts, i, i, draft_foreign_script((unsigned)i), true);
        const struct bytes story = test_concat(told(facts, STORY_SCREEN), bytes_of("", 1));
        const char *back = strstr((const char *)story.ptr, "Change back:\n");
        assert_non_null(back);
        size_t shown = 0;
        for (const char *c = back; *c != '\0'; c++)
            shown += *c == 0x02;
        assert_int_equal(shown, n > 20 ? 20 : n);
        assert_int_equal(strstr(back, ".. plus 1 smaller change output(s), not shown here, which "
                                      "total: 1 sats\n\n") != NULL,
                         n == 21);
        // From twenty on the largest comes first.
        struct writer first = writer_growing(test_arena(), 128);
        writer_u8(&first, 0x02);
        address_or_hex(&first, facts->out[n < 20 ? 1 : n].script, facts->chain);
        writer_u8(&first, 0);
        assert_true(strstr(back, (const char *)writer_bytes(&first).ptr) == strchr(back, 0x02));
    }
}

// --- 87: OP_RETURN ---

static struct bytes pushed(const char *prefix, size_t n, const char *suffix)
{
    uint8_t *data = arena_alloc(test_arena(), n);
    memset(data, 0xee, n);
    return test_concat(test_concat(test_hex(prefix), bytes_of(data, n)), test_hex(suffix));
}

// The story's lines between the amount and the end.
static struct bytes told_output(struct bytes script)
{
    struct tx_facts *facts = facts_of(1, 1);
    put_output(facts, 0, 0, script, false);
    const struct bytes story = told(facts, STORY_SCREEN);
    const struct bytes head =
        BYTES("Sending 0 sats\nNetwork fee 0 sats\n\n 1 input\n 1 output\n\n0 sats\n");
    assert_true(bytes_starts_with(story, head));
    return bytes_slice(story, head.len, story.len);
}

TEST(psbt_signing_27_87_op_return_texts)
{
    static const struct {
        const char *script, *text;
    } cases[] = {
        { "6a", " - OP_RETURN -\nnull-data\n\n" },
        { "6a00", " - OP_RETURN -\nnull-data\n\n" },
        { "6a4c00", " - OP_RETURN -\nnull-data\n\n" },
        { "6a4d0000", " - OP_RETURN -\nnull-data\n\n" },
        { "6a0161", " - OP_RETURN -\n61 (ascii: a)\n\n" },
        { "6a037e2041", " - OP_RETURN -\n7e2041 (ascii: ~ A)\n\n" },
        { "6a02617f", " - OP_RETURN -\n617f\n\n" },
        { "6a02611f", " - OP_RETURN -\n611f\n\n" },
        { "6a02610a", " - OP_RETURN -\n610a\n\n" },
        // No single push to the end: the script itself.
        { "6a01610162", " - to script -\n6a01610162\n\n" },
        { "6a016151", " - to script -\n6a016151\n\n" },
        { "6a51", " - to script -\n6a51\n\n" },
        { "6a55", " - to script -\n6a55\n\n" },
        { "6a4e0100000061", " - to script -\n6a4e0100000061\n\n" },
        { "6a0261", " - to script -\n6a0261\n\n" },
        { "6a4c", " - to script -\n6a4c\n\n" },
        { "6a4d01", " - to script -\n6a4d01\n\n" },
        { "6a4c0261", " - to script -\n6a4c0261\n\n" },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_bytes_text(told_output(test_hex(cases[i].script)), cases[i].text);
}

TEST(psbt_signing_27_87_op_return_lengths)
{
    static const struct {
        const char *prefix;
        size_t n;
    } cases[] = {
        { "6a4b", 75 },    { "6a4c4c", 76 },  { "6a4c50", 80 },
        { "6a4ca0", 160 }, { "6a4ca1", 161 }, { "6a4d0001", 256 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes told = told_output(pushed(cases[i].prefix, cases[i].n, ""));
        struct writer want = writer_growing(test_arena(), 4096);
        const size_t shown = cases[i].n > 160 ? 80 : cases[i].n;
        writer_text(&want, " - OP_RETURN -\n");
        for (size_t k = 0; k < shown; k++)
            writer_text(&want, "ee");
        if (cases[i].n > 160) {
            writer_text(&want, "\n \xe2\x8b\xaf\n");
            for (size_t k = 0; k < shown; k++)
                writer_text(&want, "ee");
        }
        writer_text(&want, "\n\n");
        assert_bytes_equal(told, writer_bytes(&want));
    }
}

// --- 88: forms ---

TEST(psbt_signing_27_88_forms)
{
    struct rig *rig = rig_new();
    assert_true(rig_analyse(rig, draft_v0(draft_usual(rig))));
    const struct bytes screen = rig_story(rig, STORY_SCREEN), text = rig_story(rig, STORY_TEXT),
                       log = rig_story(rig, STORY_LOG);
    size_t n_marks = 0;
    assert_int_equal(screen.len, text.len);
    for (size_t i = 0; i < screen.len; i++) {
        n_marks += screen.ptr[i] == 0x02;
        assert_int_equal(text.ptr[i], screen.ptr[i] == 0x02 ? ' ' : screen.ptr[i]);
    }
    assert_int_equal(n_marks, 2);
    assert_int_equal(log.len, screen.len - 2);
    assert_null(memchr(log.ptr, 0x02, log.len));
}

// The example of policy.md 17.4, as the log has it.
TEST(policy_17_4_story_in_the_log)
{
    struct tx_facts *facts = facts_of(1, 2);
    put_output(facts, 0, 2000000, test_hex("00140505050505050505050505050505050505050505"), false);
    put_output(facts, 1, 7999000, test_hex("00140606060606060606060606060606060606060606"), true);
    facts->fee.n = 1000;
    struct writer w = writer_growing(test_arena(), 1024);
    story_write(&w, facts, UNIT_COIN, STORY_LOG);
    assert_bytes_text(writer_bytes(&w), "Sending 0.02000000 XTN\nNetwork fee 0.00001000 XTN\n\n"
                                        " 1 input\n 2 outputs\n\n"
                                        "0.02000000 XTN\n - to address -\n"
                                        "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g\n\n"
                                        "Change back:\n0.07999000 XTN\n - to address -\n"
                                        "tb1qqcrqvpsxqcrqvpsxqcrqvpsxqcrqvpsxwlrr47\n\n");
}

TEST(psbt_signing_13_1_change_without_an_address)
{
    struct tx_facts *facts = facts_of(2, 1);
    struct rig *rig = rig_new();
    const struct bytes script = psbt_rig_script(rig, DRAFT_P2PK, "m/1");
    put_output(facts, 0, 7, script, true);
    struct writer w = writer_growing(test_arena(), 1024);
    writer_text(&w, "Consolidating 7 sats\nwithin wallet.\n\nNetwork fee 0 sats\n\n 2 inputs\n"
                    " 1 output\n\nChange back:\n7 sats\n - to address -\n\x02");
    writer_hex(&w, script);
    writer_text(&w, "\n\n");
    assert_bytes_equal(told(facts, STORY_SCREEN), writer_bytes(&w));
}

// All change, but an unknown fee: not called a consolidation.
TEST(psbt_signing_13_1_unknown_fee)
{
    struct tx_facts *facts = facts_of(1, 1);
    put_output(facts, 0, 7, draft_foreign_script(1), true);
    facts->fee_known = false;
    assert_true(bytes_starts_with(told(facts, STORY_SCREEN),
                                  BYTES("Sending 0 sats\n 1 input\n 1 output\n\nChange back:")));
}
