// The liar suite of D18, as far as PSBTs go: whatever a signer returns but its own good signatures for what it
// was sent is no signature.
#include "bitcoin/sighash.h"
#include "coordinator/build.h"
#include "tests/support/coffer.h"

struct returned {
    struct coffer *t;
    struct bytes psbt;  // as cosigner 1 returns it
    struct psbt parsed; // for edits
};

static struct returned *returned_new(const char *form)
{
    struct returned *r = arena_alloc(test_arena(), sizeof *r);
    r->t = coffer_new(form, 2, 3);
    (void)coffer_coin(r->t, MS_RECEIVE, 3, 600000);
    (void)coffer_coin(r->t, MS_CHANGE, 4, 600000);
    (void)coffer_pay(r->t, 1, 1000000);
    coffer_builds(r->t);
    const struct signer_says says =
        coffer_sign(1, r->t->build.psbt, wallet_keys(r->t->wallet), NULL);
    assert_true(says.signed_it);
    r->psbt = says.psbt;
    assert_true(psbt_parse(&r->parsed, r->psbt, test_arena(), &r->t->err));
    return r;
}

static void returned_end(struct returned **r)
{
    coffer_end(&(*r)->t);
}

static struct bytes rewritten(struct returned *r)
{
    struct writer tx = writer_growing(test_arena(), 65536);
    struct writer w = writer_growing(test_arena(), PSBT_SIZE_MAX);
    tx_write(&tx, &r->parsed.tx);
    r->parsed.global.fields[0].value = writer_bytes(&tx);
    psbt_write(&w, &r->parsed);
    return writer_bytes(&w);
}

static struct psbt_field *signature_in(struct psbt *psbt, size_t input)
{
    for (size_t i = 0; i < psbt->in[input].n_fields; i++)
        if (psbt->in[input].fields[i].key.ptr[0] == PSBT_IN_PARTIAL_SIG)
            return &psbt->in[input].fields[i];
    fail_msg("there is no signature");
}

static uint8_t *copied(struct bytes *bytes)
{
    uint8_t *mem = arena_alloc(test_arena(), bytes->len);
    memcpy(mem, bytes->ptr, bytes->len);
    bytes->ptr = mem;
    return mem;
}

static void put(struct psbt_map *map, struct bytes key, struct bytes value)
{
    struct psbt_field *fields = arena_array(test_arena(), map->n_fields + 1, sizeof *fields);
    memcpy(fields, map->fields, map->n_fields * sizeof *fields);
    fields[map->n_fields++] = (struct psbt_field){ key, value };
    map->fields = fields;
}

// --- Lies ---

static void honest(struct returned *r)
{
    (void)r;
}
static void other_output(struct returned *r)
{
    r->parsed.tx.out[0].value++;
}
static void extra_output(struct returned *r)
{
    r->parsed.n_out--;
    r->parsed.tx.n_out--;
}
static void other_sequence(struct returned *r)
{
    r->parsed.tx.in[0].sequence = 0xffffffff;
}
static void bad_signature(struct returned *r)
{
    copied(&signature_in(&r->parsed, 1)->value)[40] ^= 1;
}
static void swapped(struct returned *r) // each good, for the other input
{
    struct psbt_field *a = signature_in(&r->parsed, 0), *b = signature_in(&r->parsed, 1);
    const struct bytes value = a->value;
    a->value = b->value;
    b->value = value;
}
static void missing(struct returned *r)
{
    struct psbt_field *f = signature_in(&r->parsed, 1);
    *f = r->parsed.in[1].fields[--r->parsed.in[1].n_fields];
}
static void none(struct returned *r)
{
    missing(r);
    struct psbt_field *f = signature_in(&r->parsed, 0);
    *f = r->parsed.in[0].fields[--r->parsed.in[0].n_fields];
}
static void hash_type_none(struct returned *r)
{
    struct psbt_field *f = signature_in(&r->parsed, 0);
    copied(&f->value)[f->value.len - 1] = SIGHASH_NONE;
}
static void truncated(struct returned *r)
{
    signature_in(&r->parsed, 0)->value.len -= 2;
}
static void empty(struct returned *r)
{
    signature_in(&r->parsed, 0)->value.len = 0;
}
static void more_signatures(struct returned *r) // a second one, by a key of its choice
{
    uint8_t key[34] = { PSBT_IN_PARTIAL_SIG };
    const struct hdkey other = ms_rig_node(2, "m");
    memcpy(key + 1, other.pub.key.b, 33);
    struct bytes kept = BYTES_OF(key);
    (void)copied(&kept);
    put(&r->parsed.in[0], kept, signature_in(&r->parsed, 0)->value);
}
static void under_another_key(struct returned *r)
{
    const struct hdkey other = ms_rig_node(2, "m/48h/1h/0h/2h/0/3");
    struct psbt_field *f = signature_in(&r->parsed, 0);
    memcpy(copied(&f->key) + 1, other.pub.key.b, 33);
}
static void extra_fields(struct returned *r) // not wanted, not believed, not kept
{
    put(&r->parsed.in[0],
        BYTES("\xfc\x04"
              "evil\x00"),
        BYTES("x"));
    put(&r->parsed.out[0], BYTES("\x01"), BYTES("\x51"));
    put(&r->parsed.global,
        BYTES("\xfc\x04"
              "evil\x00"),
        BYTES("x"));
}
// n - s verifies as well, and no node would relay it.
static void high_s(struct returned *r)
{
    static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
                                       0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
                                       0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41 };
    struct psbt_field *f = signature_in(&r->parsed, 0);
    struct signature sig;
    uint8_t *der = arena_alloc(test_arena(), ECDSA_DER_MAX + 1);
    int borrow = 0;
    assert_true(ecdsa_from_der(&sig, bytes_slice(f->value, 0, f->value.len - 1)));
    for (size_t i = 32; i-- > 0;) {
        const int d = order[i] - sig.b[32 + i] - borrow;
        borrow = d < 0;
        sig.b[32 + i] = (uint8_t)(d + (borrow ? 256 : 0));
    }
    const size_t len = ecdsa_to_der(der, &sig);
    der[len] = SIGHASH_ALL;
    f->value = bytes_of(der, len + 1);
}

static const struct {
    const char *name;
    void (*lie)(struct returned *);
    const char *says; // NULL: it is taken
} lies[] = {
    { "none", honest, NULL },
    { "fields besides", extra_fields, NULL },
    { "another output", other_output, "another transaction" },
    { "an output less", extra_output, "another transaction" },
    { "another sequence", other_sequence, "another transaction" },
    { "a bad signature", bad_signature, "input 1: a bad signature" },
    { "signatures swapped", swapped, "input 0: a bad signature" },
    { "one signature", missing, "input 1: no signature" },
    { "no signature", none, "input 0: no signature" },
    { "hash type NONE", hash_type_none, "input 0: the hash type is not ALL" },
    { "cut short", truncated, "input 0: the hash type is not ALL" },
    { "empty", empty, "PSBT parse failed" },
    { "two signatures", more_signatures, "input 0: a signature by another key" },
    { "under another's key", under_another_key, "input 0: a signature by another key" },
    { "a high s", high_s, "input 0: the signature has a high s" },
};

TEST(coordinator_F30_liars)
{
    static const char *const forms[] = { "wsh", "sh(wsh" };
    for (size_t f = 0; f < COUNT(forms); f++) {
        AUTO(returned_end) struct returned *r = returned_new(forms[f]);
        for (size_t i = 0; i < COUNT(lies); i++) {
            struct bytes out;
            struct err err = { 0 };
            assert_true(psbt_parse(&r->parsed, r->psbt, test_arena(), &err));
            lies[i].lie(r);
            const bool taken = combine_check(&out, r->t->wallet, r->t->build.psbt, rewritten(r),
                                             ms_rig_xfp(1), test_arena(), &err);
            if (taken != (lies[i].says == NULL) || (!taken && !strstr(err.text, lies[i].says)))
                fail_msg("%s: %s", lies[i].name, taken ? "taken" : err.text);
            if (!taken)
                assert_true(err.code == ERR_INVALID || err.code == ERR_MALFORMED);
        }
    }
}

TEST(coordinator_F30_what_belongs_to_another_spend_or_signer)
{
    AUTO(returned_end) struct returned *r = returned_new("wsh");
    struct bytes out;
    struct err err;
    // As if cosigner 2 had returned what 1 signed; as if a stranger had.
    assert_false(combine_check(&out, r->t->wallet, r->t->build.psbt, r->psbt, ms_rig_xfp(2),
                               test_arena(), &err));
    assert_string_equal(err.text, "input 0: a signature by another key");
    assert_false(combine_check(&out, r->t->wallet, r->t->build.psbt, r->psbt, ms_rig_xfp(9),
                               test_arena(), &err));
    assert_string_equal(err.text, "the signer is no cosigner of the wallet");
    // The answer of another spend, late.
    const struct bytes sent = r->t->build.psbt;
    r->t->request.locktime = 5;
    coffer_builds(r->t);
    assert_false(combine_check(&out, r->t->wallet, r->t->build.psbt, r->psbt, ms_rig_xfp(1),
                               test_arena(), &err));
    assert_string_equal(err.text, "another transaction");
    // The unsigned one back, and no PSBT at all.
    assert_false(combine_check(&out, r->t->wallet, sent, sent, ms_rig_xfp(1), test_arena(), &err));
    assert_string_equal(err.text, "input 0: no signature");
    assert_false(combine_check(&out, r->t->wallet, sent, BYTES("psbt\xff"), ms_rig_xfp(1),
                               test_arena(), &err));
    assert_false(combine_check(&out, r->t->wallet, sent, (struct bytes){ 0 }, ms_rig_xfp(1),
                               test_arena(), &err));
}

// Only signatures stay, so that nothing else a device wrote reaches the ledger or another device.
TEST(coordinator_F30_what_is_kept_is_the_signatures)
{
    AUTO(returned_end) struct returned *r = returned_new("wsh");
    struct bytes first, second;
    struct psbt kept;
    struct err err;
    assert_true(combine_check(&first, r->t->wallet, r->t->build.psbt, r->psbt, ms_rig_xfp(1),
                              test_arena(), &err));
    extra_fields(r);
    assert_true(combine_check(&second, r->t->wallet, r->t->build.psbt, rewritten(r), ms_rig_xfp(1),
                              test_arena(), &err));
    assert_bytes_equal(first, second);
    assert_true(psbt_parse(&kept, first, test_arena(), &err));
    assert_int_equal(kept.global.n_fields, 1);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(kept.in[i].n_fields, 1);
    assert_int_equal(kept.out[0].n_fields + kept.out[1].n_fields, 0);
    // Cut down again it is the same.
    assert_true(combine_check(&second, r->t->wallet, r->t->build.psbt, first, ms_rig_xfp(1),
                              test_arena(), &err));
    assert_bytes_equal(first, second);
}

// --- Final ---

TEST(coordinator_D6_any_k_of_the_signers_make_it_final)
{
    static const char *const forms[] = { "wsh", "sh(wsh" };
    for (size_t f = 0; f < COUNT(forms); f++) {
        AUTO(returned_end) struct returned *r = returned_new(forms[f]);
        struct coffer *t = r->t;
        struct bytes raw[4], all[3];
        struct err err;
        for (size_t who = 0; who < 3; who++)
            all[who] = coffer_part(t, who);
        const struct bytes pairs[3][2] = { { all[0], all[1] },
                                           { all[1], all[0] },
                                           { all[2], all[0] } };
        for (size_t i = 0; i < 3; i++)
            assert_true(combine_finalize(&raw[i], t->wallet, t->build.psbt, pairs[i], 2,
                                         test_arena(), &err));
        assert_bytes_equal(raw[0], raw[1]); // in the order of the keys, whoever came first
        assert_true(bytes_compare(raw[0], raw[2]) != 0);
        assert_true(
            combine_finalize(&raw[3], t->wallet, t->build.psbt, all, 3, test_arena(), &err));
        for (size_t i = 0; i < 4; i++) {
            struct tx tx;
            assert_true(tx_parse(&tx, raw[i], test_arena(), &err));
            const struct hash256 txid = tx_txid(&tx);
            assert_memory_equal(&txid, &t->build.txid, 32);
            assert_true(tx.has_witness);
        }
        // One is not enough, twice the same neither.
        assert_false(
            combine_finalize(&raw[0], t->wallet, t->build.psbt, all, 1, test_arena(), &err));
        assert_string_equal(err.text, "input 0: 1 of 2 signatures");
        const struct bytes twice[] = { all[0], all[0] };
        assert_false(
            combine_finalize(&raw[0], t->wallet, t->build.psbt, twice, 2, test_arena(), &err));
        assert_false(
            combine_finalize(&raw[0], t->wallet, t->build.psbt, NULL, 0, test_arena(), &err));
    }
}

// What comes from the ledger is verified again: a row that was damaged makes no transaction.
TEST(coordinator_D6_a_stored_signature_that_went_bad_is_found)
{
    AUTO(returned_end) struct returned *r = returned_new("wsh");
    struct bytes raw;
    struct err err;
    const struct bytes good = coffer_part(r->t, 0);
    bad_signature(r);
    const struct bytes parts[] = { good, rewritten(r) };
    assert_false(
        combine_finalize(&raw, r->t->wallet, r->t->build.psbt, parts, 2, test_arena(), &err));
    assert_string_equal(err.text, "input 1: bad signature");
    other_output(r);
    const struct bytes others[] = { good, rewritten(r) };
    assert_false(
        combine_finalize(&raw, r->t->wallet, r->t->build.psbt, others, 2, test_arena(), &err));
    assert_string_equal(err.text, "another transaction");
}

// Devices take an output with one key path for a single key's, so 1 of 1 has no change.
TEST(coordinator_D1_from_one_of_two_to_fifteen_of_fifteen)
{
    static const struct {
        size_t m, n;
    } sizes[] = { { 1, 2 }, { 3, 5 }, { 15, 15 } };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        AUTO(coffer_end) struct coffer *t = coffer_new("wsh", sizes[i].m, sizes[i].n);
        struct bytes parts[15], raw;
        (void)coffer_coin(t, MS_RECEIVE, 0, 600000);
        (void)coffer_pay(t, 1, 100000);
        coffer_builds(t);
        for (size_t who = 0; who < sizes[i].m; who++)
            parts[who] = coffer_part(t, who);
        if (!combine_finalize(&raw, t->wallet, t->build.psbt, parts, sizes[i].m, test_arena(),
                              &t->err))
            fail_msg("%zu of %zu: %s", sizes[i].m, sizes[i].n, t->err.text);
    }
}
