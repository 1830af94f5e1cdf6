#include "coordinator/build.h"
#include "tests/support/coffer.h"

static const struct psbt *parsed(const struct coffer *t)
{
    struct psbt *psbt = arena_alloc(test_arena(), sizeof *psbt);
    struct err err;
    if (!psbt_parse(psbt, t->build.psbt, test_arena(), &err))
        fail_msg("%s (%s)", err.text, err.detail);
    return psbt;
}

static size_t count(const struct psbt_map *map, uint8_t type)
{
    const struct psbt_field *f = NULL;
    size_t n = 0;
    while ((f = psbt_next(map, type, f)) != NULL)
        n++;
    return n;
}

// Version 0, one unsigned transaction, and of each input what every kind of signer asks for.
TEST(coordinator_D6_psbt_has_what_every_signer_needs)
{
    static const char *const forms[] = { "wsh", "sh(wsh" };
    for (size_t f = 0; f < COUNT(forms); f++) {
        AUTO(coffer_end) struct coffer *t = coffer_new(forms[f], 2, 3);
        (void)coffer_coin(t, MS_RECEIVE, 5, 400000);
        (void)coffer_coin(t, MS_CHANGE, 6, 400000);
        (void)coffer_pay(t, 1, 500000);
        t->request.change_index = 7;
        t->request.locktime = 812345;
        coffer_builds(t);
        const struct psbt *psbt = parsed(t);
        const size_t nested = f;
        assert_int_equal(psbt->version, 0);
        assert_int_equal(psbt->global.n_fields, 1);
        assert_int_equal(psbt->tx.version, 2);
        assert_int_equal(psbt->tx.locktime, 812345);
        assert_int_equal(psbt->n_in, 2);
        assert_int_equal(psbt->n_out, 2);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(psbt->tx.in[i].sequence, 0xfffffffd);
            assert_int_equal(count(&psbt->in[i], PSBT_IN_NON_WITNESS_UTXO), 1);
            assert_int_equal(count(&psbt->in[i], PSBT_IN_WITNESS_UTXO), 1);
            assert_int_equal(count(&psbt->in[i], PSBT_IN_WITNESS_SCRIPT), 1);
            assert_int_equal(count(&psbt->in[i], PSBT_IN_REDEEM_SCRIPT), nested);
            assert_int_equal(count(&psbt->in[i], PSBT_IN_KEY_PATH), 3); // of every cosigner
            assert_int_equal(psbt->in[i].n_fields, 6 + nested);         // and nothing else
        }
        assert_int_equal(psbt->out[0].n_fields, 0);
        assert_int_equal(psbt->out[1].n_fields, 4 + nested);
        assert_int_equal(count(&psbt->out[1], PSBT_OUT_KEY_PATH), 3);
        // The outputs are the spend's, and change at the place that was reserved.
        struct wallet_place place;
        assert_bytes_equal(psbt->tx.out[0].script, t->output[0].script);
        assert_int_equal(psbt->tx.out[0].value, 500000);
        assert_true(wallet_owns(t->wallet, psbt->tx.out[1].script, &place));
        assert_int_equal(place.branch, MS_CHANGE);
        assert_int_equal(place.index, 7);
        assert_int_equal(psbt->tx.out[1].value, t->build.change.n);
    }
}

TEST(coordinator_D3_txid_is_known_before_anybody_signs)
{
    static const char *const forms[] = { "wsh", "sh(wsh" };
    for (size_t f = 0; f < COUNT(forms); f++) {
        AUTO(coffer_end) struct coffer *t = coffer_new(forms[f], 2, 3);
        struct bytes raw;
        struct tx tx;
        (void)coffer_coin(t, MS_RECEIVE, 5, 1000000);
        (void)coffer_pay(t, 1, 500000);
        coffer_builds(t);
        const struct bytes parts[] = { coffer_part(t, 0), coffer_part(t, 2) };
        assert_true(
            combine_finalize(&raw, t->wallet, t->build.psbt, parts, 2, test_arena(), &t->err));
        assert_true(tx_parse(&tx, raw, test_arena(), &t->err));
        const struct hash256 txid = tx_txid(&tx);
        assert_memory_equal(&txid, &t->build.txid, sizeof txid);
        // And not larger than it was said to be.
        struct tx bare = tx;
        uint8_t mem[512];
        struct writer w = writer_of(mem, sizeof mem);
        bare.has_witness = false;
        for (size_t i = 0; i < bare.n_in; i++)
            bare.in[i].witness = (struct bytes){ 0 };
        tx_write(&w, &bare);
        const size_t vsize = (3 * w.len + raw.len + 3) / 4;
        assert_in_range(vsize, t->build.vsize - 2, t->build.vsize);
    }
}

// What a node says of a coin is not believed.
TEST(coordinator_D6_a_coin_that_is_not_its_previous_transactions_is_refused)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    struct coin *coin = coffer_coin(t, MS_RECEIVE, 0, 1000000);
    const struct coin good = *coin;
    (void)coffer_pay(t, 1, 500000);
    coin->amount.n++;
    coffer_refuses(t, CODE_NODE_UNAVAILABLE);
    *coin = good;
    coin->outpoint.txid.b[5] ^= 1;
    coffer_refuses(t, CODE_NODE_UNAVAILABLE);
    *coin = good;
    coin->outpoint.index = 0;
    coffer_refuses(t, CODE_NODE_UNAVAILABLE);
    *coin = good;
    coin->outpoint.index = 2;
    coffer_refuses(t, CODE_NODE_UNAVAILABLE);
    *coin = good;
    coin->place.index = 1;
    coffer_refuses(t, CODE_NODE_UNAVAILABLE);
    *coin = good;
    coin->previous.len--;
    coffer_refuses(t, CODE_NODE_UNAVAILABLE);
    *coin = good;
    coffer_builds(t);
}

TEST(coordinator_D6_the_same_request_makes_the_same_psbt)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 3, 5);
    for (uint32_t i = 0; i < 8; i++)
        (void)coffer_coin(t, MS_RECEIVE, i, 300000);
    (void)coffer_pay(t, 1, 500000);
    (void)coffer_pay(t, 2, 600000);
    coffer_builds(t);
    const struct bytes first = t->build.psbt;
    coffer_builds(t);
    assert_bytes_equal(t->build.psbt, first);
}
