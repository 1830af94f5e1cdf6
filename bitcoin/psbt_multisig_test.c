#include "bitcoin/base58.h"
#include "bitcoin/psbt_err.h"
#include "tests/support/ms_draft.h"

enum { COIN = 100000000 };
#define ANY_WALLET "Unknown multisig wallet"

static const struct bytes none = { 0 };

// One coin at receive address 0 of a wallet, paid on.
static struct draft *spend_from(const struct ms_wallet *wallet)
{
    struct draft *d = draft_new();
    const struct ms_place at = { wallet, MS_RECEIVE, 0 };
    (void)draft_in_ms(d, &at, COIN);
    (void)draft_pay(d, draft_foreign_script(0), COIN - 10000);
    return d;
}

static struct psbt_map *add_coin(struct draft *d, const struct ms_wallet *wallet)
{
    const struct ms_place at = { wallet, MS_RECEIVE, 5 };
    d->tx.out[0].value += COIN;
    return draft_in_ms(d, &at, COIN);
}

static struct bytes changed(struct bytes script, size_t at, uint8_t value)
{
    uint8_t *copy = arena_alloc(test_arena(), script.len);
    assert_non_null(copy);
    memcpy(copy, script.ptr, script.len);
    copy[at] = value;
    return bytes_of(copy, script.len);
}

static struct bytes p2wsh_of(struct bytes witness)
{
    return ms_redeem_of_witness(witness);
}

// Gives input 0 another witness script, which its coin is paid to.
static void respend(struct draft *d, struct bytes witness)
{
    struct writer utxo = writer_growing(test_arena(), 256);
    writer_u64le(&utxo, COIN);
    writer_counted(&utxo, p2wsh_of(witness));
    draft_put(&d->in[0], PSBT_IN_WITNESS_UTXO, none, writer_bytes(&utxo));
    draft_put(&d->in[0], PSBT_IN_WITNESS_SCRIPT, none, witness);
}

// --- What is signed ---

// Another cosigner's signature is added to ours, and the final transaction has both in script order.
TEST(psbt_signing_27_52_multisig_kinds_sign_and_finalise)
{
    for (size_t kind = 0; kind <= COUNT(ms_draft_heads); kind++)
        for (uint32_t version = 0; version <= 2; version += 2) {
            struct rig *rig = rig_new();
            const struct ms_wallet *wallet = kind < COUNT(ms_draft_heads)
                                                 ? ms_draft_wallet(rig, ms_draft_heads[kind], 3)
                                                 : ms_draft_unsorted(rig, 2, 3);
            const struct ms_place at = { wallet, MS_RECEIVE, 0 };
            struct draft *d = spend_from(wallet);
            rig_accepts(rig, draft_write(d, version));
            rig_warnings_are(rig, "");
            assert_int_equal(rig->sigs.n_sigs, 1);
            assert_true(rig->facts.tx.signs_multisig && !rig->facts.tx.signs_single_key);
            assert_bytes_text(rig->facts.tx.wallet_name, wallet->name);
            const struct psbt_new_sig ours = ms_draft_signature(d, 0, &at, COIN, 0, SIGHASH_ALL);
            assert_bytes_equal(rig->sigs.sigs[0].key, ours.key);
            assert_bytes_equal(rig->sigs.sigs[0].value, ours.value);
            assert_false(rig_finalize(rig));
            assert_string_equal(rig->err.detail, "Incomplete signature set on input #0");
            draft_sign_ms(d, 0, &at, COIN, 2);
            rig_accepts(rig, draft_write(d, version));
            assert_true(rig_finalize(rig));
        }
}

// Single keys of all kinds and one wallet's coins in one pass.
TEST(psbt_signing_27_52_mixed_with_single_keys)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet = ms_draft_wallet(rig, NESTED, 3);
    struct draft *d = spend_from(wallet);
    for (int kind = DRAFT_P2PK; kind <= DRAFT_P2SH_P2WPKH; kind++)
        (void)draft_in(d, rig, (enum draft_kind)kind, "m/84h/1h/0h/0/0", 10000);
    (void)add_coin(d, wallet);
    for (uint32_t version = 0; version <= 2; version += 2) {
        rig_accepts(rig, draft_write(d, version));
        assert_int_equal(rig->sigs.n_sigs, d->tx.n_in);
        assert_true(rig->facts.tx.signs_multisig && rig->facts.tx.signs_single_key);
    }
}

static void check_15_of_15(const char *head)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet = ms_draft_wallet(rig, head, 15);
    const struct ms_place at = { wallet, MS_RECEIVE, 0 };
    struct draft *d = spend_from(wallet);
    struct tx tx;
    assert_int_equal(ms_inner_script(&at).len, 513);
    for (size_t who = 1; who < 15; who++)
        draft_sign_ms(d, 0, &at, COIN, who);
    rig_accepts(rig, draft_v0(d));
    assert_int_equal(rig->sigs.n_sigs, 1);
    assert_true(rig_finalize(rig));
    assert_true(tx_parse(&tx, rig->tx, test_arena(), &rig->err));
    // The script comes last, in scriptSig behind PUSHDATA2 (item 106).
    const struct bytes inner = ms_inner_script(&at);
    const struct bytes in = wallet->format == ADDR_P2SH ? tx.in[0].script_sig : tx.in[0].witness;
    const struct bytes pushed = test_concat(
        wallet->format == ADDR_P2SH ? BYTES("\x4d\x01\x02") : BYTES("\xfd\x01\x02"), inner);
    assert_true(in.len > pushed.len + (size_t)(15 * 71));
    assert_bytes_equal(bytes_slice(in, in.len - pushed.len, in.len), pushed);
}

TEST(psbt_signing_27_34_106_fifteen_of_fifteen)
{
    check_15_of_15("Name: all\nPolicy: 15 of 15\nFormat: P2SH\n");
    check_15_of_15("Name: all\nPolicy: 15 of 15\nFormat: P2WSH\n");
}

// --- Which wallet (10.2 step 10) ---

TEST(psbt_signing_27_62_unknown_wallets)
{
    // Registered, instead of the native 2 of 3 that the coin is of.
    static const char *const others[] = {
        "Name: other\nPolicy: 1 of 3\nFormat: P2WSH\n",
        "Name: other\nPolicy: 2 of 3\nFormat: P2SH\n",
        "Name: other\nPolicy: 2 of 3\nFormat: P2SH-P2WSH\n",
    };
    struct rig *owner = rig_new();
    struct draft *d = spend_from(ms_draft_wallet(owner, NATIVE, 3));
    rig_refuses(rig_new(), draft_v0(d), ANY_WALLET, "");
    for (size_t i = 0; i < COUNT(others); i++) {
        struct rig *rig = rig_new();
        (void)ms_draft_wallet(rig, others[i], 3);
        rig_refuses(rig, draft_v0(d), ANY_WALLET, "");
        // Of another number of cosigners.
        (void)ms_draft_wallet(rig, "Name: four\nPolicy: 2 of 4\nFormat: P2WSH\n", 4);
        rig_refuses(rig, draft_v0(d), ANY_WALLET, "");
    }
    // The right one may stand anywhere among them.
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(others); i++)
        (void)ms_draft_wallet(rig, others[i], 3);
    (void)ms_draft_wallet(rig, NATIVE, 3);
    rig_accepts(rig, draft_v0(d));
    assert_bytes_text(rig->facts.tx.wallet_name, "native");
    // A key path more or less is another set, and so is one outside of the xpub's path.
    draft_put_ms_path(&d->in[0], PSBT_IN_KEY_PATH, 3, "/0/0");
    rig_refuses(rig, draft_v0(d), ANY_WALLET, "");
    for (size_t who = 4; who < 20; who++)
        draft_put_ms_path(&d->in[0], PSBT_IN_KEY_PATH, who, "/0/0");
    rig_refuses(rig, draft_v0(d), ANY_WALLET, "");
    draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
    draft_put_ms_path(&d->in[0], PSBT_IN_KEY_PATH, 0, "/0/0");
    draft_put_ms_path(&d->in[0], PSBT_IN_KEY_PATH, 1, "/0/0");
    rig_refuses(rig, draft_v0(d), ANY_WALLET, "");
    draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, ms_rig_xfp(2), "m/48h/1h/0h/1h/0/0");
    rig_refuses(rig, draft_v0(d), ANY_WALLET, "");
}

// "one multisig wallet per PSBT": the second input's differs in one thing.
TEST(psbt_signing_27_62_two_wallets)
{
    static const struct {
        const char *head;
        size_t n;
        const char *detail;
    } seconds[] = {
        { "Name: second\nPolicy: 1 of 3\nFormat: P2WSH\n", 3, "M/N mismatch" },
        { "Name: second\nPolicy: 2 of 4\nFormat: P2WSH\n", 4, "M/N mismatch" },
        { "Name: second\nPolicy: 2 of 3\nFormat: P2SH-P2WSH\n", 3, "addr fmt" },
    };
    for (size_t i = 0; i < COUNT(seconds); i++) {
        struct rig *rig = rig_new();
        struct draft *d = spend_from(ms_draft_wallet(rig, NATIVE, 3));
        rig_accepts(rig, draft_v0(d));
        (void)add_coin(d, ms_draft_wallet(rig, seconds[i].head, seconds[i].n));
        rig_refuses(rig, draft_v0(d), PSBT_INVALID, seconds[i].detail);
    }
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet = ms_draft_wallet(rig, NATIVE, 3);
    struct draft *d = spend_from(wallet);
    struct psbt_map *in = add_coin(d, wallet);
    rig_accepts(rig, draft_v0(d));
    draft_put_ms_path(in, PSBT_IN_KEY_PATH, 3, "/0/5");
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "XFP count");
    draft_drop(in, PSBT_IN_KEY_PATH);
    draft_put_ms_path(in, PSBT_IN_KEY_PATH, 0, "/0/5");
    draft_put_ms_path(in, PSBT_IN_KEY_PATH, 1, "/0/5");
    draft_put_ms_path(in, PSBT_IN_KEY_PATH, 3, "/0/5"); // a stranger in place of cosigner 2
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "wrong XFP/derivs");
}

// One of three, one signature of anybody's: m counts from 1.
TEST(psbt_signing_27_62_63_one_of_three)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet =
        ms_draft_wallet(rig, "Name: any\nPolicy: 1 of 3\nFormat: P2WSH\n", 3);
    const struct ms_place at = { wallet, MS_RECEIVE, 0 };
    struct draft *d = spend_from(wallet);
    rig_accepts(rig, draft_v0(d));
    assert_int_equal(rig->sigs.n_sigs, 1);
    draft_sign_ms(d, 0, &at, COIN, 2);
    rig_refuses(rig, draft_v0(d), "Transaction looks completely signed already?", "");
}

// A fingerprint of zero is ours, also where a wallet is found by its cosigners.
TEST(psbt_signing_27_65_zero_fingerprint_in_a_wallet)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet = ms_draft_wallet(rig, NATIVE, 3);
    struct draft *d = spend_from(wallet);
    const struct bytes key = ms_rig_key(0, "/0/0");
    const struct psbt_field *f = psbt_find_keyed(&d->in[0], PSBT_IN_KEY_PATH, key);
    draft_put(&d->in[0], PSBT_IN_KEY_PATH, key,
              test_concat(BYTES("\0\0\0\0"), bytes_slice(f->value, 4, f->value.len)));
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Zero XFP");
    assert_int_equal(rig->sigs.n_sigs, 1);
}

// Any number of signatures makes no script of more than fifteen fully signed: no wallet has it.
TEST(psbt_signing_27_62_63_more_than_fifteen)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet =
        ms_draft_wallet(rig, "Name: all\nPolicy: 15 of 15\nFormat: P2WSH\n", 15);
    const struct ms_place at = { wallet, MS_RECEIVE, 0 };
    struct draft *d = spend_from(wallet);
    struct psbt_map *in = add_coin(d, wallet);
    rig_accepts(rig, draft_v0(d));
    // A sixteenth key path, on the input that chooses the wallet and on the next.
    draft_put_ms_path(&d->in[0], PSBT_IN_KEY_PATH, 15, "/0/0");
    rig_refuses(rig, draft_v0(d), ANY_WALLET, "");
    d = spend_from(wallet);
    in = add_coin(d, wallet);
    draft_put_ms_path(in, PSBT_IN_KEY_PATH, 15, "/0/5");
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "XFP count");
    // Fifteen signatures are enough for fifteen, sixteen are not for sixteen; key paths do not tell.
    d = spend_from(wallet);
    draft_put_ms_path(&d->in[0], PSBT_IN_KEY_PATH, 15, "/0/0");
    draft_put_ms_path(&d->in[0], PSBT_IN_KEY_PATH, 16, "/0/0");
    for (size_t who = 0; who < 16; who++) {
        if (who == 15)
            rig_refuses(rig, draft_v0(d), "Transaction looks completely signed already?", "");
        draft_put(&d->in[0], PSBT_IN_PARTIAL_SIG, ms_rig_key(who, "/0/0"),
                  BYTES("0\x06\x02\x01\x01\x02\x01\x01\x01"));
    }
    respend(d, changed(ms_inner_script(&at), 0, 0x60));
    rig_refuses(rig, draft_v0(d), ANY_WALLET, "");
}

// The PSBT's xpubs choose the wallet before any input does: an input must then fit.
TEST(psbt_signing_27_32_62_wallet_of_the_xpubs)
{
    struct rig *rig = rig_new();
    struct draft *d = spend_from(ms_draft_wallet(rig, NATIVE, 3));
    const struct keypath path = test_path(MS_RIG_PATH);
    for (size_t who = 0; who < 3; who++) {
        struct writer key = writer_growing(test_arena(), 128),
                      value = writer_growing(test_arena(), 64);
        const struct xfp xfp = ms_rig_xfp(who);
        assert_true(base58check_read(&key, bytes_of_text(ms_rig_xpub(who, MS_RIG_PATH))));
        writer_put(&value, BYTES_OF(xfp.b));
        for (size_t i = 0; i < path.depth; i++)
            writer_u32le(&value, path.step[i]);
        draft_put(&d->global, PSBT_GLOBAL_XPUB, writer_bytes(&key), writer_bytes(&value));
    }
    rig_accepts(rig, draft_v0(d));
    assert_bytes_text(rig->facts.tx.wallet_name, "native");
    draft_put_ms_path(&d->in[0], PSBT_IN_KEY_PATH, 3, "/0/0");
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "XFP count");
}

// --- Scripts (7.6 as an input has them) ---

static struct draft *native_draft(struct rig *rig)
{
    return spend_from(ms_draft_wallet(rig, NATIVE, 3));
}

TEST(psbt_signing_27_62_forms_of_the_script)
{
    struct rig *rig = rig_new();
    struct draft *d = native_draft(rig);
    const struct ms_place at = { rig->view.wallets.list[0], MS_RECEIVE, 0 };
    const struct bytes script = ms_inner_script(&at);
    const size_t end = script.len;
    struct writer longer = writer_growing(test_arena(), 256);
    writer_put(&longer, bytes_slice(script, 0, end - 2));
    writer_put(&longer, BYTES("\x00\x53\xae"));
    const struct {
        struct bytes script;
        const char *reply, *detail;
    } rows[] = {
        { changed(script, end - 1, 0xac), PSBT_INVALID, "need CHECKMULTISIG" },
        { changed(script, 0, 0x53), ANY_WALLET, "" },       // 3 of 3
        { changed(script, 0, 0x50), ANY_WALLET, "" },       // 0 of 3
        { changed(script, end - 2, 0x52), ANY_WALLET, "" }, // 2 of 2
        { writer_bytes(&longer), "Input #0: bad len", "" },
        { changed(script, 1, 0x20), "Input #0: data", "" },
        { changed(script, 2, 0x04), "Input #0: Y val", "" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        respend(d, rows[i].script);
        rig_refuses(rig, draft_v0(d), rows[i].reply, rows[i].detail);
    }
    respend(d, script);
    rig_accepts(rig, draft_v0(d));
}

// The script with the key at a place exchanged for another, in order again.
static struct bytes with_key(const struct ms_wallet *wallet, struct bytes old_key, struct bytes key)
{
    const struct ms_place at = { wallet, MS_RECEIVE, 0 };
    struct ms_script s;
    struct err err;
    struct writer w = writer_growing(test_arena(), 1024);
    assert_true(ms_script_parse(&s, ms_inner_script(&at), &err));
    for (size_t i = 0; i < s.n; i++)
        if (bytes_equal(s.key[i], old_key))
            s.key[i] = key;
    script_sort_keys(s.key, s.n);
    script_write_multisig(&w, s.m, s.key, s.n);
    return writer_bytes(&w);
}

// Key path of any key under any cosigner's fingerprint.
static void put_claim(struct psbt_map *map, struct bytes key, size_t who, const char *suffix)
{
    char path[KEYPATH_TEXT_MAX];
    struct writer value = writer_growing(test_arena(), 256);
    const struct xfp xfp = ms_rig_xfp(who);
    (void)snprintf(path, sizeof path, "%s%s", MS_RIG_PATH, suffix);
    const struct keypath steps = test_path(path);
    writer_put(&value, BYTES_OF(xfp.b));
    for (size_t i = 0; i < steps.depth; i++)
        writer_u32le(&value, steps.step[i]);
    draft_put(map, PSBT_IN_KEY_PATH, key, writer_bytes(&value));
}

// The place of a key in a script, from 1, as the texts count.
static size_t place_of(struct bytes script, struct bytes key)
{
    struct ms_script s;
    struct err err;
    assert_true(ms_script_parse(&s, script, &err));
    for (size_t i = 0; i < s.n; i++)
        if (bytes_equal(s.key[i], key))
            return i + 1;
    fail_msg("the key is not in the script");
}

static const char *text(const char *fmt, ...) PRINTF_LIKE(1, 2);
static const char *text(const char *fmt, ...)
{
    char *out = arena_alloc(test_arena(), 128);
    va_list args;
    va_start(args, fmt);
    assert_in_range(vsnprintf(out, 128, fmt, args), 1, 127);
    va_end(args);
    return out;
}

// A key of the host's in place of cosigner 1's, with a path that says it is that cosigner's.
TEST(psbt_signing_27_62_an_evil_key)
{
    struct rig *rig = rig_new();
    struct draft *d = native_draft(rig);
    const struct ms_wallet *wallet = rig->view.wallets.list[0];
    const struct bytes evil = ms_rig_key(9, "/0/0"), right = ms_rig_key(1, "/0/0");
    const struct bytes script = with_key(wallet, right, evil);
    char xfp[XFP_TEXT_SIZE];
    xfp_to_text(xfp, ms_rig_xfp(1));
    respend(d, script);
    draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
    put_claim(&d->in[0], ms_rig_key(0, "/0/0"), 0, "/0/0");
    put_claim(&d->in[0], evil, 1, "/0/0");
    put_claim(&d->in[0], ms_rig_key(2, "/0/0"), 2, "/0/0");
    rig_refuses(
        rig, draft_v0(d),
        text("Input #0: pk#%zu wrong, tried: [%s/_/_/_/_/0/0]", place_of(script, evil), xfp), "");
    // Without a path of its own the key is in the script, but nobody's.
    draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
    put_claim(&d->in[0], ms_rig_key(0, "/0/0"), 0, "/0/0");
    put_claim(&d->in[0], right, 1, "/0/0");
    put_claim(&d->in[0], ms_rig_key(2, "/0/0"), 2, "/0/0");
    rig_refuses(rig, draft_v0(d), "Input #0: unexpected pubkey", "");
    // Checks that are off let it pass, but never in HSM mode (D-CHECKS).
    rig->view.skip_multisig_checks = true;
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Danger");
    rig->view.hsm_mode = true;
    rig_refuses(rig, draft_v0(d), "Input #0: unexpected pubkey", "");
}

TEST(psbt_signing_27_62_one_cosigner_twice)
{
    struct rig *rig = rig_new();
    struct draft *d = native_draft(rig);
    const struct ms_wallet *wallet = rig->view.wallets.list[0];
    const struct bytes twice = ms_rig_key(1, "/0/7");
    const struct bytes script = with_key(wallet, ms_rig_key(2, "/0/0"), twice);
    const size_t a = place_of(script, ms_rig_key(1, "/0/0")), b = place_of(script, twice);
    respend(d, script);
    draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
    put_claim(&d->in[0], ms_rig_key(0, "/0/0"), 0, "/0/0");
    put_claim(&d->in[0], ms_rig_key(1, "/0/0"), 1, "/0/0");
    put_claim(&d->in[0], twice, 1, "/0/7");
    rig_refuses(rig, draft_v0(d), text("Input #0: pk#%zu wrong, unknown XFP", a > b ? a : b), "");
}

TEST(psbt_signing_27_62_hardened_steps)
{
    struct rig *rig = rig_new();
    struct draft *d = native_draft(rig);
    draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
    put_claim(&d->in[0], ms_rig_key(0, "/0/0"), 0, "/0h/0");
    put_claim(&d->in[0], ms_rig_key(1, "/0/0"), 1, "/0h/0");
    put_claim(&d->in[0], ms_rig_key(2, "/0/0"), 2, "/0h/0");
    rig_refuses(rig, draft_v0(d), "Input #0: hard deriv", "");
}

// The keys of a wallet in the order of the script given by places.
static struct bytes script_in_order(const size_t *who)
{
    struct bytes keys[3];
    struct writer w = writer_growing(test_arena(), 1024);
    for (size_t i = 0; i < 3; i++)
        keys[i] = ms_rig_key(who[i], "/0/0");
    script_write_multisig(&w, 2, keys, 3);
    return writer_bytes(&w);
}

TEST(psbt_signing_27_62_order_of_keys)
{
    static const size_t orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                        { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    struct rig *sorted = rig_new(), *unsorted = rig_new();
    struct draft *d = native_draft(sorted);
    const struct ms_place at = { sorted->view.wallets.list[0], MS_RECEIVE, 0 };
    size_t n_sorted = 0;
    (void)ms_draft_unsorted(unsorted, 2, 3);
    for (size_t i = 0; i < COUNT(orders); i++) {
        const struct bytes script = script_in_order(orders[i]);
        respend(d, script);
        if (bytes_equal(script, ms_inner_script(&at))) {
            n_sorted++;
            rig_accepts(sorted, draft_v0(d));
        } else {
            rig_refuses(sorted, draft_v0(d), "Input #0: BIP-67 violation", "");
        }
        if (i == 0)
            rig_accepts(unsorted, draft_v0(d));
        else
            rig_refuses(unsorted, draft_v0(d), "Input #0: script key order", "");
    }
    assert_int_equal(n_sorted, 1);
}

// A script of the wallet's that the coin is not paid to.
TEST(psbt_signing_27_62_another_output_script)
{
    for (size_t kind = 0; kind < COUNT(ms_draft_heads); kind++) {
        struct rig *rig = rig_new();
        const struct ms_wallet *wallet = ms_draft_wallet(rig, ms_draft_heads[kind], 3);
        const struct ms_place at = { wallet, MS_RECEIVE, 0 }, next = { wallet, MS_RECEIVE, 1 };
        struct draft *d = spend_from(wallet);
        draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
        draft_put_ms_paths(&d->in[0], PSBT_IN_KEY_PATH, &next);
        draft_put(&d->in[0],
                  wallet->format == ADDR_P2SH ? PSBT_IN_REDEEM_SCRIPT : PSBT_IN_WITNESS_SCRIPT,
                  none, ms_inner_script(&next));
        rig_refuses(rig, draft_v0(d), "Input #0: spk mismatch", "");
        draft_drop(&d->in[0], PSBT_IN_REDEEM_SCRIPT);
        draft_drop(&d->in[0], PSBT_IN_WITNESS_SCRIPT);
        rig_refuses(rig, draft_v0(d), "Missing redeem/witness script for input #0", "");
        if (kind != 0)
            continue;
        // The right script in the wrong field.
        draft_put(&d->in[0], PSBT_IN_REDEEM_SCRIPT, none, ms_inner_script(&at));
        draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
        draft_put_ms_paths(&d->in[0], PSBT_IN_KEY_PATH, &at);
        rig_refuses(rig, draft_v0(d), "Need witness script for input #0", "");
    }
}

// "Legacy: the amount is proved by the previous transaction ... so it is mandatory."
TEST(psbt_signing_27_55_legacy_multisig_needs_its_previous_transaction)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet = ms_draft_wallet(rig, LEGACY, 3);
    const struct ms_place at = { wallet, MS_RECEIVE, 0 };
    struct draft *d = draft_new();
    struct psbt_map *in = draft_in_script(d, ms_output_script_of(&at), COIN, DRAFT_UTXO_WITNESS);
    draft_put(in, PSBT_IN_REDEEM_SCRIPT, none, ms_inner_script(&at));
    draft_put_ms_paths(in, PSBT_IN_KEY_PATH, &at);
    (void)draft_pay(d, draft_foreign_script(0), COIN - 10000);
    rig_refuses(rig, draft_v0(d), "Legacy input #0 requires non-witness UTXO", "");
}

// Our fingerprint on a key that is not ours: only with checks off does it come as far as the proof.
TEST(psbt_signing_27_94_multisig_without_a_key_of_ours)
{
    struct rig *rig = rig_new();
    struct draft *d = native_draft(rig);
    const struct bytes evil = ms_rig_key(9, "/0/0");
    respend(d, with_key(rig->view.wallets.list[0], ms_rig_key(0, "/0/0"), evil));
    draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
    put_claim(&d->in[0], evil, 0, "/0/0");
    put_claim(&d->in[0], ms_rig_key(1, "/0/0"), 1, "/0/0");
    put_claim(&d->in[0], ms_rig_key(2, "/0/0"), 2, "/0/0");
    rig->view.skip_multisig_checks = true;
    rig_refuses(rig, draft_v0(d), "Signing failed late", "Input #0 needs pubkey I dont have");
}

// With checks off the key paths may lie in any way that keeps the wallet's fingerprints and number: what
// signs is a key in the script, without a signature yet, that is derived where a claim of ours says.
static struct draft *claimed_as(struct rig *rig, const struct bytes keys[3])
{
    struct bytes sorted[3] = { keys[0], keys[1], keys[2] };
    struct writer w = writer_growing(test_arena(), 256);
    struct draft *d = native_draft(rig);
    script_sort_keys(sorted, 3);
    script_write_multisig(&w, 2, sorted, 3);
    respend(d, writer_bytes(&w));
    draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
    return d;
}

static void assert_signs_with(struct rig *rig, const struct draft *d, struct bytes key,
                              const char *path)
{
    const struct keypath expected = test_path(path);
    rig_accepts(rig, draft_v0(d));
    assert_int_equal(rig->sigs.n_sigs, 1);
    assert_bytes_equal(psbt_key_data(rig->facts.plans[0].key), key);
    assert_int_equal(rig->facts.tx.in[0].path.depth, expected.depth);
    assert_memory_equal(rig->facts.tx.in[0].path.step, expected.step, sizeof expected.step);
}

TEST(psbt_signing_27_94_the_key_that_is_ours_indeed)
{
    struct rig *rig = rig_new();
    const struct bytes ours = ms_rig_key(0, "/0/1"), signed_before = ms_rig_key(0, "/0/0"),
                       evil = ms_rig_key(9, "/0/0"), other = ms_rig_key(1, "/0/0");
    rig->view.skip_multisig_checks = true;

    // A lie before it.
    struct draft *d = claimed_as(rig, (const struct bytes[3]){ evil, ours, other });
    put_claim(&d->in[0], evil, 0, "/0/0");
    put_claim(&d->in[0], ours, 0, "/0/1");
    put_claim(&d->in[0], other, 1, "/0/0");
    assert_signs_with(rig, d, ours, MS_RIG_PATH "/0/1");

    // One of ours that has signed.
    d = claimed_as(rig, (const struct bytes[3]){ signed_before, ours, other });
    put_claim(&d->in[0], signed_before, 0, "/0/0");
    put_claim(&d->in[0], ours, 0, "/0/1");
    put_claim(&d->in[0], other, 1, "/0/0");
    draft_put(&d->in[0], PSBT_IN_PARTIAL_SIG, signed_before,
              BYTES("0\x06\x02\x01\x01\x02\x01\x01\x01"));
    assert_signs_with(rig, d, ours, MS_RIG_PATH "/0/1");

    // One of ours that is not in the script.
    d = claimed_as(rig, (const struct bytes[3]){ evil, ours, other });
    put_claim(&d->in[0], signed_before, 0, "/0/0");
    put_claim(&d->in[0], ours, 0, "/0/1");
    put_claim(&d->in[0], other, 1, "/0/0");
    assert_signs_with(rig, d, ours, MS_RIG_PATH "/0/1");

    // One of ours under another's fingerprint.
    d = claimed_as(rig, (const struct bytes[3]){ evil, ours, other });
    put_claim(&d->in[0], ours, 1, "/0/1");
    put_claim(&d->in[0], evil, 0, "/0/0");
    put_claim(&d->in[0], other, 2, "/0/0");
    rig_refuses(rig, draft_v0(d), "Signing failed late", "Input #0 needs pubkey I dont have");
}

// --- Already signed (10.3) ---

TEST(psbt_signing_27_63_multisig_rows)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet = ms_draft_wallet(rig, NATIVE, 3);
    const struct ms_place at = { wallet, MS_RECEIVE, 0 };
    struct draft *d = spend_from(wallet);
    // One, not ours: signed.
    draft_sign_ms(d, 0, &at, COIN, 1);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "");
    assert_int_equal(rig->sigs.n_sigs, 1);
    // One, ours: nothing to add, no warning, returned as it came.
    draft_drop(&d->in[0], PSBT_IN_PARTIAL_SIG);
    draft_sign_ms(d, 0, &at, COIN, 0);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "");
    assert_int_equal(rig->sigs.n_sigs, 0);
    assert_true(rig->facts.tx.in[0].own && !rig->facts.tx.in[0].will_sign);
    struct psbt before, after;
    assert_true(psbt_parse(&before, draft_v0(d), test_arena(), &rig->err));
    assert_true(psbt_parse(&after, rig->result, test_arena(), &rig->err));
    assert_int_equal(after.in[0].n_fields, before.in[0].n_fields);
    for (size_t i = 0; i < before.in[0].n_fields; i++)
        assert_bytes_equal(psbt_find(&after.in[0], before.in[0].fields[i].key)->value,
                           before.in[0].fields[i].value);
    // Two: fully signed, and with nothing else to sign that is the answer.
    draft_sign_ms(d, 0, &at, COIN, 2);
    rig_refuses(rig, draft_v0(d), "Transaction looks completely signed already?", "");
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 1000);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Partly Signed Already");
    assert_int_equal(rig->sigs.n_sigs, 1);
    assert_int_equal(rig->sigs.sigs[0].input, 1);
}

// --- Final scripts ---

// Three good signatures and junk: the first two in script order go into the witness.
TEST(psbt_signing_27_107_more_signatures_than_needed)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet = ms_draft_wallet(rig, NATIVE, 3);
    const struct ms_place at = { wallet, MS_RECEIVE, 0 };
    struct draft *d = spend_from(wallet);
    struct ms_script script;
    struct writer expected = writer_growing(test_arena(), 1024);
    struct tx tx;
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 1000);
    assert_true(ms_script_parse(&script, ms_inner_script(&at), &rig->err));
    const struct bytes junk = ms_rig_key(9, "/0/0");
    struct psbt_new_sig by_place[3];
    for (size_t who = 0; who < 3; who++) {
        const struct psbt_new_sig sig = ms_draft_signature(d, 0, &at, COIN, who, SIGHASH_ALL);
        draft_put(&d->in[0], PSBT_IN_PARTIAL_SIG, sig.key, sig.value);
        by_place[place_of(ms_inner_script(&at), sig.key) - 1] = sig;
    }
    draft_put(&d->in[0], PSBT_IN_PARTIAL_SIG, junk, by_place[0].value);
    rig_accepts(rig, draft_v0(d));
    assert_true(rig_finalize(rig));
    assert_true(tx_parse(&tx, rig->tx, test_arena(), &rig->err));
    writer_put(&expected, BYTES("\x04\x00"));
    writer_counted(&expected, by_place[0].value);
    writer_counted(&expected, by_place[1].value);
    writer_counted(&expected, ms_inner_script(&at));
    assert_bytes_equal(tx.in[0].witness, writer_bytes(&expected));
}

// A cosigner's signature of something else is found out, whichever it is.
TEST(psbt_signing_27_105_bad_signature_of_a_cosigner)
{
    for (size_t kind = 0; kind < COUNT(ms_draft_heads); kind++) {
        struct rig *rig = rig_new();
        const struct ms_wallet *wallet = ms_draft_wallet(rig, ms_draft_heads[kind], 3);
        const struct ms_place at = { wallet, MS_RECEIVE, 0 };
        struct draft *d = spend_from(wallet);
        const struct psbt_new_sig good = ms_draft_signature(d, 0, &at, COIN, 1, SIGHASH_ALL);
        const struct psbt_new_sig theirs = ms_draft_signature(d, 0, &at, COIN, 2, SIGHASH_ALL);
        const size_t end = good.value.len - 1;
        draft_put(&d->in[0], PSBT_IN_PARTIAL_SIG, good.key, good.value);
        rig_accepts(rig, draft_v0(d));
        assert_true(rig_finalize(rig));
        const struct bytes bad[] = {
            theirs.value,                                               // of another key
            changed(good.value, end, SIGHASH_NONE),                     // another type
            changed(good.value, end - 1, good.value.ptr[end - 1] ^ 1u), // another number
        };
        for (size_t i = 0; i < COUNT(bad); i++) {
            draft_put(&d->in[0], PSBT_IN_PARTIAL_SIG, good.key, bad[i]);
            rig_accepts(rig, draft_v0(d));
            assert_false(rig_finalize(rig));
            assert_err(&rig->err, ERR_INVALID, PSBT_OUTPUT_FAILED);
            assert_string_equal(rig->err.detail, "Bad signature on input #0");
        }
        // Signatures with other types are good, if they are what they say.
        const struct psbt_new_sig other = ms_draft_signature(d, 0, &at, COIN, 1, 0x81);
        draft_put(&d->in[0], PSBT_IN_PARTIAL_SIG, other.key, other.value);
        rig_accepts(rig, draft_v0(d));
        assert_true(rig_finalize(rig));
    }
}

// D-FINAL: "P2SH-P2WSH without redeem script: it is built from the witness script".
TEST(psbt_signing_27_104_nested_multisig_without_redeem_script)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet = ms_draft_wallet(rig, NESTED, 3);
    const struct ms_place at = { wallet, MS_RECEIVE, 0 };
    struct draft *d = spend_from(wallet);
    struct tx tx;
    draft_sign_ms(d, 0, &at, COIN, 1);
    rig_accepts(rig, draft_v0(d));
    assert_true(rig_finalize(rig));
    const struct bytes with = rig->tx;
    draft_drop(&d->in[0], PSBT_IN_REDEEM_SCRIPT);
    // Step 5: nothing then proves that the lone witness UTXO is segwit.
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Unable to calculate fee");
    assert_true(rig_finalize(rig));
    assert_bytes_equal(rig->tx, with);
    assert_true(tx_parse(&tx, rig->tx, test_arena(), &rig->err));
    assert_bytes_equal(tx.in[0].script_sig,
                       test_concat(BYTES("\x22"), ms_redeem_of_witness(ms_inner_script(&at))));
}

// Its amount is the one that nothing proves: if it was seen before, it must be the same.
TEST(psbt_signing_27_112_nested_multisig_without_redeem_script)
{
    struct rig *rig = rig_new();
    struct draft *d = spend_from(ms_draft_wallet(rig, NESTED, 3));
    draft_drop(&d->in[0], PSBT_IN_REDEEM_SCRIPT);
    rig_accepts(rig, draft_v0(d));
    rig_remember(rig);
    rig_accepts(rig, draft_v0(d));
    rig->seen_amount[0].n = COIN + 1;
    rig_refuses(rig, draft_v0(d), "Input#0: Expected 1.00000001 but PSBT claims 1 XTN", "");
}

TEST(psbt_signing_27_103_incomplete_multisig)
{
    for (size_t kind = 0; kind < COUNT(ms_draft_heads); kind++) {
        struct rig *rig = rig_new();
        const struct ms_wallet *wallet = ms_draft_wallet(rig, ms_draft_heads[kind], 3);
        struct draft *d = spend_from(wallet);
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 1000);
        rig_accepts(rig, draft_v0(d));
        assert_false(rig_finalize(rig));
        assert_err(&rig->err, ERR_INVALID, PSBT_OUTPUT_FAILED);
        assert_string_equal(rig->err.detail, "Incomplete signature set on input #0");
    }
}
