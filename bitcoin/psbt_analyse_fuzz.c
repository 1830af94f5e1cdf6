#include "bitcoin/psbt_analyse.h"
#include "fuzz/fuzz.h"
#include "tests/support/fuzz_signer.h"

// The sums are those of the parts.
static void check_sums(const struct tx_facts *tx)
{
    struct sats in = { 0 }, out = { 0 }, change = { 0 };
    size_t n_signatures = 0, n_unknown = 0;
    for (size_t i = 0; i < tx->n_in; i++) {
        REQUIRE(sats_add(&in, tx->in[i].amount));
        n_signatures += tx->in[i].will_sign;
        n_unknown += !tx->in[i].has_amount || !tx->in[i].verified;
        REQUIRE(!tx->in[i].own); // nothing is proved yet
    }
    for (size_t i = 0; i < tx->n_out; i++) {
        REQUIRE(sats_add(&out, tx->out[i].amount) && !tx->out[i].own);
        REQUIRE(!tx->out[i].change || sats_add(&change, tx->out[i].amount));
    }
    REQUIRE(tx->total_out.n == out.n && tx->change_total.n == change.n);
    REQUIRE(facts_spent(tx).n == out.n - change.n);
    REQUIRE(tx->n_signatures == n_signatures && tx->fee_known == (n_unknown == 0));
    if (tx->fee_known && !tx->is_message)
        REQUIRE(tx->total_in.n == in.n && in.n == out.n + tx->fee.n);
}

static struct bytes story(const struct tx_facts *tx, enum story_form form, struct arena *arena)
{
    struct bytes text;
    struct writer w = writer_growing(arena, 8 << 20);
    story_write(&w, tx, UNIT_COIN, form);
    REQUIRE(writer_finish(&w, &text));
    return text;
}

// The forms differ in their marks alone.
static void check_stories(const struct tx_facts *tx, struct arena *arena)
{
    const struct bytes screen = story(tx, STORY_SCREEN, arena);
    const struct bytes text = story(tx, STORY_TEXT, arena);
    size_t n_marks = 0;
    REQUIRE(screen.len == text.len && screen.len > 0);
    for (size_t i = 0; i < screen.len; i++) {
        n_marks += screen.ptr[i] == 0x02;
        REQUIRE(text.ptr[i] == (screen.ptr[i] == 0x02 ? ' ' : screen.ptr[i]));
    }
    REQUIRE(story(tx, STORY_LOG, arena).len == screen.len - n_marks);
    REQUIRE(bytes_equal(story(tx, STORY_SCREEN, arena), screen));
}

FUZZ_TARGET(data)
{
    struct arena *arena = arena_new(64 << 20);
    struct psbt p;
    struct err err;
    if (psbt_parse(&p, data, arena, &err))
        for (unsigned flags = 0; flags < FUZZ_VIEWS; flags++) {
            struct psbt_facts facts;
            struct err why = { 0 };
            const struct signer_view view = fuzz_view(fuzz_signer(), flags);
            if (!psbt_analyse(&facts, &p, &view, arena, &why)) {
                REQUIRE(why.code != ERR_NONE && why.text[0] != '\0');
                continue;
            }
            check_sums(&facts.tx);
            check_stories(&facts.tx, arena);
        }
    arena_free(arena);
}
