// Signing in slices: the same signatures however the inputs are spread over threads.
#include "bitcoin/psbt_err.h"
#include "bitcoin/psbt_sign.h"
#include "tests/support/psbt_rig.h"

static const uint32_t types[] = { SIGHASH_ALL,
                                  SIGHASH_NONE,
                                  SIGHASH_SINGLE,
                                  SIGHASH_ANYONECANPAY | SIGHASH_ALL,
                                  SIGHASH_ANYONECANPAY | SIGHASH_NONE,
                                  SIGHASH_ANYONECANPAY | SIGHASH_SINGLE };
enum { N_IN = 48, N_KINDS = 5 };

// Every kind with every hash type, which share what they can.
static struct bytes mixed_psbt(const struct rig *rig)
{
    static const struct {
        enum draft_kind kind;
        const char *branch;
    } kinds[N_KINDS] = { { DRAFT_P2PKH, "44h/1h/0h/0" },
                         { DRAFT_P2WPKH, "84h/1h/0h/0" },
                         { DRAFT_P2SH_P2WPKH, "49h/1h/0h/1" },
                         { DRAFT_P2TR, "86h/1h/0h/0" },
                         { DRAFT_P2PK, "44h/1h/7h/1" } };
    struct draft *d = draft_new();
    for (unsigned i = 0; i < N_IN; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "m/%s/%u", kinds[i % N_KINDS].branch, i);
        struct psbt_map *map = draft_in(d, rig, kinds[i % N_KINDS].kind, path, 20000);
        draft_put_u32(map, PSBT_IN_SIGHASH_TYPE, types[i % COUNT(types)]);
    }
    for (unsigned i = 0; i < N_IN; i++) // as many as inputs, for SINGLE
        (void)draft_pay(d, draft_foreign_script(i % 2), 18500);
    return draft_v0(d);
}

static struct rig *proved_rig(void)
{
    struct rig *rig = rig_new();
    rig->view.taproot = true;
    rig->view.sighash_allow = true;
    rig->view.fee_limit_pct = -1;
    memset(rig->aux, 0x5a, sizeof rig->aux);
    const struct bytes raw = mixed_psbt(rig);
    if (!rig_analyse(rig, raw) || !rig_prove(rig))
        fail_msg("%s (%s)", rig->err.text, rig->err.detail);
    assert_int_equal(rig->facts.tx.n_signatures, N_IN);
    return rig;
}

// A counter in place of random bytes: they go to inputs in their order, whoever signs them.
static void count_up(void *context, uint8_t out[32])
{
    uint8_t *next = context;
    memset(out, (*next)++, 32);
}

// `order`: digits, the slices as they run.
static struct psbt_signed sign_in(struct rig *rig, struct keycache *keys, const char *order)
{
    uint8_t next = 1;
    const struct entropy aux = { count_up, &next };
    struct psbt_signing *signing;
    struct psbt_signed out;
    if (!psbt_sign_begin(&signing, &rig->facts, keys, &aux, strlen(order), test_arena(), &rig->err))
        fail_msg("%s", rig->err.text);
    for (const char *c = order; *c != 0; c++)
        psbt_sign_slice(signing, (size_t)(*c - '0'));
    if (!psbt_sign_end(&out, signing, &rig->err))
        fail_msg("%s (%s)", rig->err.text, rig->err.detail);
    return out;
}

static void assert_same(const struct psbt_signed *a, const struct psbt_signed *b)
{
    assert_int_equal(a->n_sigs, b->n_sigs);
    for (size_t i = 0; i < a->n_sigs; i++) {
        assert_int_equal(a->sigs[i].input, b->sigs[i].input);
        assert_bytes_equal(a->sigs[i].key, b->sigs[i].key);
        assert_bytes_equal(a->sigs[i].value, b->sigs[i].value);
    }
}

TEST(psbt_signing_24_8_slices_sign_what_one_signs)
{
    static const char *const orders[] = { "01", "10", "012", "201", "0123", "3210" };
    struct rig *rig = proved_rig();
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&rig->master);
    const struct psbt_signed one = sign_in(rig, keys, "0");
    assert_int_equal(one.n_sigs, N_IN);
    for (size_t i = 0; i < COUNT(orders); i++) {
        // With a cache that knows nothing, and with one that has proved these keys.
        const struct psbt_signed cold = sign_in(rig, keys, orders[i]);
        assert_same(&one, &cold);
        if (!psbt_prove(&rig->facts, keys, &rig->err))
            fail_msg("%s", rig->err.text);
        const struct psbt_signed warm = sign_in(rig, keys, orders[i]);
        assert_same(&one, &warm);
    }
}

TEST(psbt_signing_24_8_more_slices_than_inputs)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 10000);
    (void)draft_pay(d, draft_foreign_script(0), 9900);
    assert_true(rig_analyse(rig, draft_v0(d)));
    assert_true(rig_prove(rig));
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&rig->master);
    const struct psbt_signed got = sign_in(rig, keys, "3021");
    assert_int_equal(got.n_sigs, 1);
    assert_true(got.sigs[0].value.len > 0);
}

// Whoever stops it gets nothing, wherever it stood, and can sign again.
TEST(psbt_signing_24_8_cancelled_signing_gives_nothing)
{
    struct rig *rig = proved_rig();
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&rig->master);
    for (size_t done = 0; done < 2; done++) {
        uint8_t next = 1;
        const struct entropy aux = { count_up, &next };
        struct psbt_signing *signing;
        struct psbt_signed out = { 0 };
        assert_true(psbt_sign_begin(&signing, &rig->facts, keys, &aux, 2, test_arena(), &rig->err));
        if (done > 0)
            psbt_sign_slice(signing, 1);
        psbt_sign_cancel(signing);
        psbt_sign_slice(signing, 0);
        if (done == 0)
            psbt_sign_slice(signing, 1);
        assert_false(psbt_sign_end(&out, signing, &rig->err));
        assert_err(&rig->err, ERR_INTERRUPTED, "Signing failed late");
        assert_null(out.sigs);
    }
    assert_int_equal(sign_in(rig, keys, "01").n_sigs, N_IN);
}

// A fault in any slice is that of the whole.
TEST(psbt_signing_24_8_a_fault_in_one_slice)
{
    struct rig *rig = proved_rig();
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&rig->master);
    const struct psbt_field wrong = { rig->facts.plans[11].key->key,
                                      test_concat(BYTES_OF(rig->view.xfp.b), test_u32le(7)) };
    rig->facts.plans[11].key = &wrong; // proved and another now
    for (size_t n = 1; n <= PSBT_SLICES_MAX; n++) {
        uint8_t next = 1;
        const struct entropy aux = { count_up, &next };
        struct psbt_signing *signing;
        struct psbt_signed out = { 0 };
        assert_true(psbt_sign_begin(&signing, &rig->facts, keys, &aux, n, test_arena(), &rig->err));
        for (size_t i = 0; i < n; i++)
            psbt_sign_slice(signing, i);
        assert_false(psbt_sign_end(&out, signing, &rig->err));
        assert_err(&rig->err, ERR_INTERNAL, PSBT_SIGNING_LATE);
        assert_null(out.sigs);
    }
}
