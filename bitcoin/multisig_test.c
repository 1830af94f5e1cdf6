#include "bitcoin/multisig.h"
#include "bitcoin/descriptor.h"
#include "bitcoin/script.h"
#include "tests/support/ms_rig.h"
#include <string.h>

static struct ms_wallet *wallet_of(const char *function, size_t m, size_t n)
{
    struct ms_register against = ms_rig();
    against.unsort_ms = true;
    return ms_rig_wallet(&against, ms_rig_descriptor(function, m, n, "/0/*"));
}

// --- Claims about a script, as a request states them: in the script's order ---

struct stated {
    struct key_origin list[MS_KEYS_MAX];
    size_t n;
};

static bool origin_of(const void *context, size_t place, struct bytes key, struct key_origin *out)
{
    const struct stated *stated = context;
    assert_int_equal(key.len, 33);
    if (place >= stated->n)
        return false;
    *out = stated->list[place];
    return true;
}

// A script of the wallet and the true claims about its keys.
struct shown {
    struct bytes script;
    struct stated stated;
};

static struct pubkey child_of(const struct ms_cosigner *cosigner, uint32_t a, uint32_t b)
{
    struct hdpub branch, leaf;
    struct err err;
    assert_true(hdpub_child(&branch, &cosigner->node, a, &err));
    assert_true(hdpub_child(&leaf, &branch, b, &err));
    return leaf.key;
}

// Each cosigner's key at a/b, in the wallet's order; `script` is written of them as they then stand.
static struct shown shown_at(const struct ms_wallet *wallet, uint32_t a, uint32_t b)
{
    struct shown shown = { .stated.n = wallet->n };
    struct pubkey key[MS_KEYS_MAX];
    struct bytes list[MS_KEYS_MAX];
    struct writer w = writer_growing(test_arena(), MS_SCRIPT_MAX);
    for (size_t i = 0; i < wallet->n; i++) {
        const struct ms_cosigner *cosigner = &wallet->cosigner[i];
        size_t at = i;
        const struct pubkey new = child_of(cosigner, a, b);
        struct key_origin origin = cosigner->origin;
        origin.path.step[origin.path.depth++] = a;
        origin.path.step[origin.path.depth++] = b;
        for (; wallet->sorted && at > 0 && memcmp(key[at - 1].b, new.b, 33) > 0; at--) {
            key[at] = key[at - 1];
            shown.stated.list[at] = shown.stated.list[at - 1];
        }
        key[at] = new;
        shown.stated.list[at] = origin;
    }
    for (size_t i = 0; i < wallet->n; i++)
        list[i] = BYTES_OF(key[i].b);
    script_write_multisig(&w, wallet->m, list, wallet->n);
    shown.script = writer_bytes(&w);
    return shown;
}

static bool check(const struct ms_wallet *wallet, const struct shown *shown, bool form_only,
                  struct err *err)
{
    const struct ms_claims claims = { .origin = origin_of, .context = &shown->stated };
    return ms_script_check(wallet, shown->script, &claims, form_only, err);
}

static void expect_good(const struct ms_wallet *wallet, const struct shown *shown)
{
    struct err err;
    if (!check(wallet, shown, false, &err))
        fail_msg("%s", err.text);
}

static void expect_bad(const struct ms_wallet *wallet, const struct shown *shown, const char *error)
{
    struct err err;
    assert_false(check(wallet, shown, false, &err));
    assert_err(&err, ERR_INVALID, error);
}

// The bytes of a script, to be changed; `len` may be longer than it is.
static uint8_t *edit(struct shown *shown, size_t len)
{
    uint8_t *copy = arena_alloc(test_arena(), len);
    assert_non_null(copy);
    memcpy(copy, shown->script.ptr, shown->script.len < len ? shown->script.len : len);
    shown->script = bytes_of(copy, len);
    return copy;
}

// --- Script check ---

TEST(psbt_signing_27_29_scripts_of_a_wallet_pass)
{
    static const struct {
        const char *function;
        size_t m, n;
    } wallets[] = {
        { "sortedmulti", 1, 1 }, { "sortedmulti", 2, 3 }, { "sortedmulti", 15, 15 },
        { "multi", 2, 3 },       { "multi", 15, 15 },
    };
    for (size_t i = 0; i < COUNT(wallets); i++) {
        const struct ms_wallet *wallet = wallet_of(wallets[i].function, wallets[i].m, wallets[i].n);
        for (uint32_t branch = 0; branch < 3; branch++) { // 2 is not kept, and allowed (7.6)
            const struct shown shown = shown_at(wallet, branch, 7);
            expect_good(wallet, &shown);
        }
        // Its own scripts are among them.
        for (uint32_t branch = 0; branch < MS_BRANCHES; branch++) {
            struct writer w = writer_growing(test_arena(), MS_SCRIPT_MAX);
            const struct shown shown = shown_at(wallet, branch, 2147483647);
            struct err err;
            assert_true(ms_wallet_script(&w, wallet, (enum ms_branch)branch, 2147483647, &err));
            assert_bytes_equal(writer_bytes(&w), shown.script);
        }
    }
}

TEST(psbt_signing_27_29_form_of_a_script)
{
    const struct ms_wallet *wallet = wallet_of("sortedmulti", 2, 3);
    const struct shown good = shown_at(wallet, 0, 4);
    const size_t len = good.script.len;
    struct shown bad = good;
    // Row 1
    edit(&bad, len)[len - 1] = 0xaf;
    expect_bad(wallet, &bad, "need CHECKMULTISIG");
    bad.script = bytes_of(NULL, 0);
    expect_bad(wallet, &bad, "need CHECKMULTISIG");
    // Row 7: what follows is seen by row 1 or row 3.
    bad = good;
    edit(&bad, len + 1)[len] = 0x00;
    expect_bad(wallet, &bad, "need CHECKMULTISIG");
    // Row 2
    static const struct {
        uint8_t m, n;
    } ranges[] = { { 80, 83 }, { 84, 83 }, { 82, 96 }, { 82, 80 }, { 79, 83 }, { 0x52, 0xff } };
    for (size_t i = 0; i < COUNT(ranges); i++) {
        bad = good;
        uint8_t *script = edit(&bad, len);
        script[0] = ranges[i].m;
        script[len - 2] = ranges[i].n;
        expect_bad(wallet, &bad, "M/N range");
    }
    bad.script = BYTES("\xae");
    expect_bad(wallet, &bad, "M/N range");
    // Row 3
    bad.script = BYTES("\x51\xae");
    expect_bad(wallet, &bad, "bad len");
    bad = good;
    edit(&bad, len)[len - 2] = 84;
    expect_bad(wallet, &bad, "bad len");
    bad = good;
    memcpy(edit(&bad, len + 2) + len, "\x53\xae", 2);
    expect_bad(wallet, &bad, "bad len");
    // Row 5: also for the last push, before row 6 looks at the first key
    bad = good;
    uint8_t *script = edit(&bad, len);
    script[2] = 0x04;
    script[1 + 34 * 2] = 32;
    expect_bad(wallet, &bad, "data");
    // Row 6
    script[1 + 34 * 2] = 33;
    expect_bad(wallet, &bad, "Y val");
    script[2] = 0x01;
    expect_bad(wallet, &bad, "Y val");
    // Row 8
    bad = good;
    edit(&bad, len)[0] = 81;
    expect_bad(wallet, &bad, "wrong M/N in script");
    const struct ms_wallet *smaller = wallet_of("sortedmulti", 2, 2);
    expect_bad(smaller, &good, "wrong M/N in script");
    expect_good(wallet, &good);
}

TEST(psbt_signing_27_29_keys_of_a_script)
{
    const struct ms_wallet *wallet = wallet_of("sortedmulti", 2, 3);
    const struct shown good = shown_at(wallet, 0, 4);
    struct shown bad = good;
    // Row 9
    bad.stated.n = 2;
    expect_bad(wallet, &bad, "unexpected pubkey");
    // Row 10: of nobody; of a cosigner that was used
    bad = good;
    bad.stated.list[1].xfp.b[0] ^= 1;
    expect_bad(wallet, &bad, "pk#2 wrong, unknown XFP");
    bad = good;
    bad.stated.list[2] = bad.stated.list[0];
    expect_bad(wallet, &bad, "pk#3 wrong, unknown XFP");
    // Row 12
    bad = good;
    bad.stated.list[0].path.depth = 3;
    expect_bad(wallet, &bad, "pk#1 wrong, too shallow");
    // Row 13
    bad = good;
    bad.stated.list[2].path.step[5] |= KEYPATH_HARD;
    expect_bad(wallet, &bad, "hard deriv");
    // Row 14
    bad = good;
    bad.stated.list[0].path.step[5] = 5;
    char xfp[XFP_TEXT_SIZE], error[64];
    xfp_to_text(xfp, bad.stated.list[0].xfp);
    assert_true(snprintf(error, sizeof error, "pk#1 wrong, tried: [%s/_/_/_/_/0/5]", xfp) > 0);
    expect_bad(wallet, &bad, error);
    bad.stated.list[0].path.depth = 4; // the xpub's own key
    assert_true(snprintf(error, sizeof error, "pk#1 wrong, tried: [%s/_/_/_/_]", xfp) > 0);
    expect_bad(wallet, &bad, error);
    bad = good;
    edit(&bad, bad.script.len)[20] ^= 1;
    assert_true(snprintf(error, sizeof error, "pk#1 wrong, tried: [%s/_/_/_/_/0/4]", xfp) > 0);
    expect_bad(wallet, &bad, error);
    expect_good(wallet, &good);
}

// Row 14 takes any number of steps, the xpub's own key too.
TEST(psbt_signing_27_29_steps_are_not_restricted)
{
    const struct ms_wallet *wallet = wallet_of("sortedmulti", 1, 1);
    struct shown shown = { .stated = { .list = { wallet->cosigner[0].origin }, .n = 1 } };
    struct hdpub node = wallet->cosigner[0].node;
    struct err err;
    for (uint32_t step = 0; shown.stated.list[0].path.depth < KEYPATH_DEPTH_MAX; step++) {
        struct writer w = writer_growing(test_arena(), MS_SCRIPT_MAX);
        const struct bytes key = BYTES_OF(node.key.b);
        script_write_multisig(&w, 1, &key, 1);
        shown.script = writer_bytes(&w);
        expect_good(wallet, &shown);
        const struct hdpub parent = node;
        assert_true(hdpub_child(&node, &parent, step, &err));
        shown.stated.list[0].path.step[shown.stated.list[0].path.depth++] = step;
    }
}

TEST(psbt_signing_27_29_order_of_keys)
{
    const struct ms_wallet *sorted = wallet_of("sortedmulti", 2, 3);
    const struct ms_wallet *unsorted = wallet_of("multi", 2, 3);
    const struct shown by_key = shown_at(sorted, 1, 0), by_file = shown_at(unsorted, 1, 0);
    assert_false(bytes_equal(by_key.script, by_file.script)); // the seeds are such
    // Row 11
    expect_bad(unsorted, &by_key, "script key order");
    // Row 15
    expect_bad(sorted, &by_file, "BIP-67 violation");
    expect_good(sorted, &by_key);
    expect_good(unsorted, &by_file);
}

// Row 15: "key > the key before it": two alike are refused. Only a broken wallet can have them.
TEST(psbt_signing_27_29_equal_keys)
{
    struct ms_wallet wallet = *wallet_of("sortedmulti", 1, 2);
    struct err err;
    wallet.cosigner[1].node = wallet.cosigner[0].node;
    assert_true(ms_wallet_prepare(&wallet, &err));
    const struct shown shown = shown_at(&wallet, 0, 0);
    expect_bad(&wallet, &shown, "BIP-67 violation");
}

TEST(psbt_signing_27_29_form_only_stops_after_row_8)
{
    const struct ms_wallet *wallet = wallet_of("sortedmulti", 2, 3);
    struct shown shown = shown_at(wallet, 0, 4);
    struct err err;
    shown.stated.n = 0;
    edit(&shown, shown.script.len)[20] ^= 1;
    assert_true(check(wallet, &shown, true, &err));
    edit(&shown, shown.script.len)[0] = 81;
    assert_false(check(wallet, &shown, true, &err));
    assert_err(&err, ERR_INVALID, "wrong M/N in script");
}

// Property: no changed bit of a script passes.
TEST(psbt_signing_27_29_a_flipped_bit_never_passes)
{
    const struct ms_wallet *wallet = wallet_of("sortedmulti", 2, 3);
    const struct shown good = shown_at(wallet, 0, 4);
    struct err err;
    for (size_t bit = 0; bit < 8 * good.script.len; bit++) {
        struct shown bad = good;
        edit(&bad, bad.script.len)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(check(wallet, &bad, false, &err));
    }
}

// --- Matching ---

TEST(matching_is_by_number_fingerprint_and_prefix)
{
    const struct ms_wallet *a = wallet_of("sortedmulti", 2, 3), *b = wallet_of("sortedmulti", 3, 3);
    const struct ms_wallet *small = wallet_of("sortedmulti", 2, 2);
    const struct ms_wallet *list[] = { small, a, b, a };
    const struct ms_wallets wallets = { list, COUNT(list) };
    const enum addr_format p2wsh = ADDR_P2WSH, p2sh = ADDR_P2SH;
    struct shown shown = shown_at(a, 0, 1);
    struct ms_query query = { .m = 2, .origins = shown.stated.list, .n = 3 };
    assert_ptr_equal(ms_find(wallets, &query), a);
    query.m = 3;
    assert_ptr_equal(ms_find(wallets, &query), b);
    query.m = 1;
    assert_null(ms_find(wallets, &query));
    query.m = 0; // any: the first in order
    assert_ptr_equal(ms_find(wallets, &query), a);
    query.format = &p2wsh;
    assert_ptr_equal(ms_find(wallets, &query), a);
    query.format = &p2sh;
    assert_null(ms_find(wallets, &query));
    query.format = NULL;
    query.n = 2; // of another number of keys
    assert_null(ms_find((struct ms_wallets){ &list[1], 1 }, &query));
    query.n = 3;
    // The cosigner's own path is a start of itself; a shorter one, another one and another's are none.
    shown.stated.list[1].path.depth = 4;
    assert_ptr_equal(ms_find(wallets, &query), a);
    shown.stated.list[1].path.depth = 3;
    assert_null(ms_find(wallets, &query));
    shown.stated.list[1].path.depth = 5;
    shown.stated.list[1].path.step[3] ^= 1;
    assert_null(ms_find(wallets, &query));
    shown.stated.list[1].path.step[3] ^= 1;
    shown.stated.list[1].xfp.b[3] ^= 1;
    assert_null(ms_find(wallets, &query));
    assert_null(ms_find((struct ms_wallets){ NULL, 0 }, &query));
}

TEST(psbt_signing_27_31_msck)
{
    const struct json *rows = json_need(test_vectors("multisig_registration.json"), "accept");
    struct ms_register against = ms_rig();
    against.unsort_ms = true;
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const struct ms_wallet *wallet = ms_rig_wallet(&against, json_need_text(row, "config"));
        const struct ms_wallets wallets = { &wallet, 1 };
        const uint32_t xor = (uint32_t)json_need_integer(row, "xfp_xor");
        assert_true(ms_is_known(wallets, wallet->m, wallet->n, xor));
        assert_false(ms_is_known(wallets, wallet->m + 1, wallet->n, xor));
        assert_false(ms_is_known(wallets, wallet->m, wallet->n + 1, xor));
        assert_true(ms_is_known(wallets, 0, wallet->n, xor)); // 0 is any
        assert_true(ms_is_known(wallets, wallet->m, 0, xor));
        assert_false(ms_is_known(wallets, 0, 0, xor^1));
        assert_false(ms_is_known(wallets, wallet->m, wallet->n, xor^1));
        assert_false(ms_is_known((struct ms_wallets){ &wallet, 0 }, wallet->m, wallet->n, xor));
    }
}

TEST(a_wallet_is_found_by_its_whole_name)
{
    const struct ms_wallet *wallet = wallet_of("sortedmulti", 2, 3);
    const struct ms_wallets wallets = { &wallet, 1 };
    assert_ptr_equal(ms_find_name(wallets, BYTES("2-of-3")), wallet);
    assert_null(ms_find_name(wallets, BYTES("2-of-")));
    assert_null(ms_find_name(wallets, BYTES("2-of-3 ")));
    assert_null(ms_find_name(wallets, BYTES("")));
}

// --- Exported ---

static struct bytes exported(const struct ms_wallet *wallet)
{
    struct writer w = writer_growing(test_arena(), MS_EXPORT_MAX);
    struct bytes text;
    struct err err;
    assert_true(ms_wallet_export(&w, wallet, ms_rig_xfp(0), &err));
    assert_true(writer_finish(&w, &text));
    return text;
}

static struct bytes descriptor_of(const struct ms_wallet *wallet, enum ms_branch branch)
{
    struct writer w = writer_growing(test_arena(), MS_EXPORT_MAX);
    struct bytes text;
    ms_wallet_descriptor(&w, wallet, branch);
    assert_true(writer_finish(&w, &text));
    return text;
}

TEST(psbt_signing_27_27_exports_register_as_the_same_wallet)
{
    const struct json *rows = json_need(test_vectors("multisig_registration.json"), "accept");
    struct ms_register against = ms_rig();
    against.unsort_ms = true;
    for (size_t i = 0; i < rows->n_items; i++) {
        struct ms_wallet *wallet =
            ms_rig_wallet(&against, json_need_text(json_item(rows, i), "config"));
        if (wallet->sorted)
            assert_wallets_equal(ms_rig_wallet(&against, exported(wallet)), wallet);
        memset(wallet->name, 0, sizeof wallet->name); // a descriptor has none
        assert_true(
            snprintf(wallet->name, sizeof wallet->name, "%zu-of-%zu", wallet->m, wallet->n) > 0);
        const struct bytes receive = descriptor_of(wallet, MS_RECEIVE);
        assert_wallets_equal(ms_rig_wallet(&against, receive), wallet);
        assert_wallets_equal(ms_rig_wallet(&against, descriptor_of(wallet, MS_BRANCHES)), wallet);
        ms_rig_refuses(&against, descriptor_of(wallet, MS_CHANGE),
                       "Invalid subderivation path - only 0/* or <0;1>/* allowed");
    }
}

// The checksums are those of the vectors.
TEST(psbt_signing_27_27_descriptors_byte_for_byte)
{
    static const struct {
        size_t row;
        enum ms_branch branch;
    } cases[] = { { 1, MS_RECEIVE },
                  { 3, MS_RECEIVE },
                  { 5, MS_RECEIVE },
                  { 6, MS_RECEIVE },
                  { 10, MS_BRANCHES } };
    const struct json *rows = json_need(test_vectors("multisig_registration.json"), "accept");
    struct ms_register against = ms_rig();
    against.unsort_ms = true;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes text = json_need_text(json_item(rows, cases[i].row), "config");
        assert_bytes_equal(descriptor_of(ms_rig_wallet(&against, text), cases[i].branch), text);
    }
}

// Each branch's descriptor gives the wallet's scripts.
TEST(a_descriptor_gives_the_wallets_addresses)
{
    const struct ms_wallet *wallet = wallet_of("sortedmulti", 2, 3);
    for (int branch = MS_RECEIVE; branch <= MS_BRANCHES; branch++)
        for (uint32_t child = 0; child < 3; child++) {
            struct writer script = writer_growing(test_arena(), 64);
            struct writer by_text = writer_growing(test_arena(), ADDRESS_TEXT_MAX);
            struct writer by_wallet = writer_growing(test_arena(), ADDRESS_TEXT_MAX);
            struct descriptor d;
            struct bytes body;
            struct err err;
            const bool second = branch == MS_BRANCHES; // of <0;1>
            assert_true(
                descriptor_body(&body, descriptor_of(wallet, (enum ms_branch)branch), &err));
            assert_true(descriptor_parse(&d, body, &err));
            assert_true(descriptor_script(&script, &d, second, child, &err));
            address_or_hex(&by_text, writer_bytes(&script), wallet->chain);
            assert_true(ms_wallet_address(
                &by_wallet, wallet, branch == MS_RECEIVE ? MS_RECEIVE : MS_CHANGE, child, &err));
            assert_bytes_equal(writer_bytes(&by_text), writer_bytes(&by_wallet));
        }
}

TEST(psbt_signing_27_27_exported_text_byte_for_byte)
{
    const struct ms_register against = ms_rig();
    struct ms_text text = ms_text("Name: msA\nPolicy: 2 of 3\nFormat: p2wsh\n");
    ms_text_key(&text, 0, MS_RIG_PATH);
    ms_text_key(&text, 1, MS_RIG_PATH);
    ms_text_key(&text, 2, "m/45h");
    const struct ms_wallet *wallet = ms_rig_wallet(&against, ms_text_bytes(&text));
    char xfp[2][XFP_TEXT_SIZE];
    struct ms_text expected = ms_text("# Coldcard Multisig setup file (exported from 0F056943)\n"
                                      "#\nName: msA\nPolicy: 2 of 3\nFormat: P2WSH\n\n"
                                      "Derivation: m/48h/1h/0h/2h\n\n");
    xfp_to_text(xfp[0], ms_rig_xfp(1));
    xfp_to_text(xfp[1], ms_rig_xfp(2));
    ms_text_line(&expected, "0F056943: %s", ms_rig_xpub(0, MS_RIG_PATH));
    ms_text_line(&expected, "%s: %s", xfp[0], ms_rig_xpub(1, MS_RIG_PATH));
    ms_text_line(&expected, "\nDerivation: m/45h\n");
    ms_text_line(&expected, "%s: %s", xfp[1], ms_rig_xpub(2, "m/45h"));
    assert_bytes_equal(exported(wallet), ms_text_bytes(&expected));
}

TEST(psbt_signing_27_27_format_line_of_an_export)
{
    static const struct {
        const char *line, *exported;
    } cases[] = { { "Format: p2sh\n", NULL },
                  { "Format: p2wsh\n", "\nFormat: P2WSH\n" },
                  { "Format: p2wsh-p2sh\n", "\nFormat: P2SH-P2WSH\n" } };
    const struct ms_register against = ms_rig();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct writer w = writer_growing(test_arena(), MS_EXPORT_MAX);
        writer_put(&w, exported(ms_rig_wallet(&against, ms_rig_text(cases[i].line, 2))));
        writer_u8(&w, 0);
        const char *at = strstr((const char *)w.ptr, "\nFormat:");
        assert_int_equal(at == NULL, cases[i].exported == NULL);
        if (at != NULL)
            assert_memory_equal(at, cases[i].exported, strlen(cases[i].exported));
    }
}

// The text would come back sorted, with other addresses.
TEST(an_unsorted_wallet_has_no_exported_text)
{
    struct writer w = writer_growing(test_arena(), MS_EXPORT_MAX);
    struct err err;
    assert_false(ms_wallet_export(&w, wallet_of("multi", 2, 3), ms_rig_xfp(0), &err));
    assert_err(&err, ERR_UNSUPPORTED, "an unsorted wallet is exported as its descriptor only");
    assert_int_equal(w.len, 0);
}

// --- Stored ---

static struct bytes stored(const struct ms_wallet *wallet)
{
    struct writer w = writer_growing(test_arena(), MS_STORED_MAX);
    struct bytes record;
    ms_wallet_store(&w, wallet);
    assert_true(writer_finish(&w, &record));
    return record;
}

static struct ms_wallet *loaded(struct bytes record)
{
    struct ms_wallet *wallet = arena_alloc(test_arena(), sizeof *wallet);
    struct err err;
    assert_non_null(wallet);
    if (!ms_wallet_load(wallet, record, test_arena(), &err))
        fail_msg("%s: %.*s", err.text, BYTES_ARG(record));
    return wallet;
}

TEST(psbt_signing_27_28_stored_wallets_come_back)
{
    const struct json *rows = json_need(test_vectors("multisig_registration.json"), "accept");
    struct ms_register against = ms_rig();
    against.unsort_ms = true;
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct ms_wallet *wallet =
            ms_rig_wallet(&against, json_need_text(json_item(rows, i), "config"));
        assert_wallets_equal(loaded(stored(wallet)), wallet);
    }
    // The longest: 15 keys, each at a path of its own.
    struct ms_wallet longest = *wallet_of("multi", 15, 15);
    memset(longest.name, '"', MS_NAME_MAX);
    for (size_t i = 0; i < longest.n; i++) {
        struct keypath *path = &longest.cosigner[i].origin.path;
        for (path->depth = 0; path->depth < KEYPATH_DEPTH_MAX; path->depth++)
            path->step[path->depth] = UINT32_MAX - (uint32_t)i;
        longest.cosigner[i].node.depth = KEYPATH_DEPTH_MAX;
    }
    struct err err;
    assert_true(ms_wallet_prepare(&longest, &err));
    assert_wallets_equal(loaded(stored(&longest)), &longest);
    // And its exports keep within their bound.
    assert_true(descriptor_of(&longest, MS_BRANCHES).len < MS_EXPORT_MAX);
    longest.sorted = true;
    assert_true(exported(&longest).len < MS_EXPORT_MAX);
}

#define X0 "0F056943"
#define N0 "1130956047"

// As the reference writes them: "%s" are the xpubs of keys 0 and 1.
static struct bytes record_of(const char *fmt, const char *path0, const char *path1)
{
    struct writer w = writer_growing(test_arena(), MS_STORED_MAX);
    for (; *fmt != '\0'; fmt++) {
        if (*fmt == '$')
            writer_text(&w, ms_rig_xpub(0, path0));
        else if (*fmt == '&')
            writer_text(&w, ms_rig_xpub(1, path1));
        else if (*fmt == '~')
            writer_printf(&w, "%u", (unsigned)xfp_to_u32(ms_rig_xfp(1)));
        else
            writer_u8(&w, (uint8_t)*fmt);
    }
    assert_false(w.failed);
    return writer_bytes(&w);
}

TEST(psbt_signing_27_28_records_of_the_reference)
{
    const struct ms_register against = ms_rig();
    struct ms_wallet *same =
        ms_rig_wallet(&against, ms_rig_text("Name: ms\nPolicy: 1 of 2\nFormat: p2wsh\n", 2));
    // pp, with h and with '
    const char *with_pp = "[\"ms\", [1, 2], [[" N0 ", \"$\"], [~, \"&\"]], "
                          "{\"ft\": 14, \"ch\": \"XTN\", \"pp\": \"m/48h/1h/0h/2h\"}]";
    assert_bytes_equal(stored(same), record_of(with_pp, MS_RIG_PATH, MS_RIG_PATH));
    assert_wallets_equal(loaded(record_of(with_pp, MS_RIG_PATH, MS_RIG_PATH)), same);
    assert_wallets_equal(loaded(record_of("[\"ms\",[1,2],[[" N0 ",\"$\"],[~,\"&\"]],"
                                          "{\"pp\":\"m/48'/1'/0'/2'\",\"ch\":\"XTN\",\"ft\":14}]",
                                          MS_RIG_PATH, MS_RIG_PATH)),
                         same);
    // The fifth element
    same->sorted = false;
    const char *unsorted = "[\"ms\", [1, 2], [[" N0 ", \"$\"], [~, \"&\"]], "
                           "{\"ft\": 14, \"ch\": \"XTN\", \"pp\": \"m/48h/1h/0h/2h\"}, 0]";
    assert_bytes_equal(stored(same), record_of(unsorted, MS_RIG_PATH, MS_RIG_PATH));
    assert_wallets_equal(loaded(record_of(unsorted, MS_RIG_PATH, MS_RIG_PATH)), same);
    // d: sorted paths, and no ft for p2sh
    struct ms_text text = ms_text("Name: d\nPolicy: 2 of 2\n");
    ms_text_key(&text, 0, MS_RIG_PATH);
    ms_text_key(&text, 1, "m/45h");
    const struct ms_wallet *two = ms_rig_wallet(&against, ms_text_bytes(&text));
    const char *with_d = "[\"d\", [2, 2], [[" N0 ", 1, \"$\"], [~, 0, \"&\"]], "
                         "{\"ch\": \"XTN\", \"d\": [\"m/45h\", \"m/48h/1h/0h/2h\"]}]";
    assert_bytes_equal(stored(two), record_of(with_d, MS_RIG_PATH, "m/45h"));
    assert_wallets_equal(loaded(record_of(with_d, MS_RIG_PATH, "m/45h")), two);
}

TEST(psbt_signing_27_28_damaged_records_are_refused)
{
    static const struct {
        const char *record, *error;
    } cases[] = {
        { "", "no JSON" },
        { "[", "no JSON" },
        { "{}", "not a record" },
        { "[\"ms\", [1, 1], [[" N0 ", \"$\"]]]", "not a record" },
        { "[\"ms\", [1, 1], [[" N0 ", \"$\"]], {}, 2]", "not a record" },
        { "[\"ms\", [1, 1], [[" N0 ", \"$\"]], {}, 0, 0]", "not a record" },
        { "[\"\", [1, 1], [[" N0 ", \"$\"]], {}]", "name" },
        { "[\"1\", [1, 1], [[" N0 ", \"$\"]], {}]", "name" },
        { "[\"123456789012345678901\", [1, 1], [[" N0 ", \"$\"]], {}]", "name" },
        { "[\"\\u00e4\", [1, 1], [[" N0 ", \"$\"]], {}]", "name" },
        { "[7, [1, 1], [[" N0 ", \"$\"]], {}]", "name" },
        { "[\"ms\", [0, 1], [[" N0 ", \"$\"]], {}]", "M and N" },
        { "[\"ms\", [2, 1], [[" N0 ", \"$\"]], {}]", "M and N" },
        { "[\"ms\", [1, 16], [[" N0 ", \"$\"]], {}]", "M and N" },
        { "[\"ms\", [1, 1, 1], [[" N0 ", \"$\"]], {}]", "M and N" },
        { "[\"ms\", 1, [[" N0 ", \"$\"]], {}]", "M and N" },
        { "[\"ms\", [1, 1], [[" N0 ", \"$\"]], {\"ft\": 1}]", "address format" },
        { "[\"ms\", [1, 1], [[" N0 ", \"$\"]], {\"ft\": \"14\"}]", "address format" },
        { "[\"ms\", [1, 1], [[" N0 ", \"$\"]], {\"ch\": \"LTC\"}]", "chain" },
        { "[\"ms\", [1, 1], [[" N0 ", \"$\"]], {\"new\": 1}]", "unknown option" },
        { "[\"ms\", [1, 2], [[" N0 ", \"$\"]], {\"ch\": \"XTN\", \"pp\": \"" MS_RIG_PATH "\"}]",
          "number of keys" },
        { "[\"ms\", [1, 1], [7], {\"ch\": \"XTN\", \"pp\": \"" MS_RIG_PATH "\"}]", "keys" },
        { "[\"ms\", [1, 1], [[" N0 "]], {\"ch\": \"XTN\", \"pp\": \"" MS_RIG_PATH "\"}]", "keys" },
        { "[\"ms\", [1, 1], [[0, \"$\"]], {\"ch\": \"XTN\", \"pp\": \"" MS_RIG_PATH "\"}]",
          "fingerprint or path of a key" },
        { "[\"ms\", [1, 1], [[4294967296, \"$\"]], {\"ch\": \"XTN\", \"pp\": \"" MS_RIG_PATH "\"}]",
          "fingerprint or path of a key" },
        { "[\"ms\", [1, 1], [[" N0 ", \"$\"]], {\"ch\": \"XTN\"}]",
          "fingerprint or path of a key" },
        { "[\"ms\", [1, 1], [[" N0 ", \"$\"]], {\"ch\": \"XTN\", \"pp\": \"m/x\"}]",
          "fingerprint or path of a key" },
        { "[\"ms\", [1, 1], [[" N0 ", 1, \"$\"]], {\"ch\": \"XTN\", \"d\": [\"" MS_RIG_PATH "\"]}]",
          "fingerprint or path of a key" },
        { "[\"ms\", [1, 1], [[" N0 ", \"$\"]], {\"pp\": \"" MS_RIG_PATH "\"}]", "xpub" }, // chain
        { "[\"ms\", [1, 1], [[" N0 ", \"$\"]], {\"ch\": \"XTN\", \"pp\": \"m/48h\"}]", "xpub" },
        { "[\"ms\", [1, 1], [[" N0 ", \"x\"]], {\"ch\": \"XTN\", \"pp\": \"m\"}]", "xpub" },
        { "[\"ms\", [1, 2], [[" N0 ", \"$\"], [" N0 ", \"&\"]], {\"ch\": \"XTN\", \"pp\": "
          "\"" MS_RIG_PATH "\"}]",
          "a fingerprint twice" },
        { "[\"ms\", [1, 2], [[" N0 ", \"$\"], [~, \"$\"]], {\"ch\": \"XTN\", \"pp\": "
          "\"" MS_RIG_PATH "\"}]",
          "a key twice" },
        { "[\"m1\", [1, 1], [[" N0 ", \"$\"]], {\"ch\": \"XTN\", \"pp\": \"m/46h\"}]", "xpub" },
        { "[\"m1\", [1, 1], [[~, \"$\"]], {\"ch\": \"XTN\", \"pp\": \"m/45h\"}]", "xpub" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ms_wallet wallet;
        char error[64];
        struct err err;
        // $ at depth 1 for the last rows, which say so by their name
        const char *path0 = strncmp(cases[i].record, "[\"m1", 4) == 0 ? "m/45h" : MS_RIG_PATH;
        const struct bytes record = record_of(cases[i].record, path0, MS_RIG_PATH);
        assert_true(snprintf(error, sizeof error, "stored wallet: %s", cases[i].error) > 0);
        assert_false(ms_wallet_load(&wallet, record, test_arena(), &err));
        assert_err(&err, ERR_MALFORMED, error);
    }
}
