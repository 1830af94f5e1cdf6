#include "bitcoin/multisig_register.h"
#include "bitcoin/descriptor.h"
#include "tests/support/ms_rig.h"
#include <string.h>

// --- Vectors ---

static void apply_row(struct ms_register *against, const struct json *row)
{
    const struct json *file_name = json_get(row, "file_name");
    const struct json *settings = json_get(row, "settings");
    against->file_name = file_name ? file_name->text : (struct bytes){ 0 };
    against->unsort_ms = settings && json_need_integer(settings, "unsort_ms") == 1;
}

static void check_keys(const struct ms_wallet *wallet, const struct json *keys)
{
    assert_int_equal(keys->n_items, wallet->n);
    for (size_t i = 0; i < wallet->n; i++) {
        const struct ms_cosigner *cosigner = &wallet->cosigner[i];
        char xfp[XFP_TEXT_SIZE], xpub[XPUB_TEXT_SIZE];
        struct writer path = writer_growing(test_arena(), KEYPATH_TEXT_MAX);
        xfp_to_text(xfp, cosigner->origin.xfp);
        keypath_write(&path, &cosigner->origin.path);
        hdpub_to_text(xpub, &cosigner->node, wallet->chain);
        assert_bytes_text(json_item_text(json_item(keys, i), 0), xfp);
        assert_bytes_equal(json_item_text(json_item(keys, i), 1), writer_bytes(&path));
        assert_bytes_text(json_item_text(json_item(keys, i), 2), xpub);
    }
}

static void check_address(const struct ms_wallet *wallet, enum ms_branch branch,
                          struct bytes expected)
{
    struct writer w = writer_growing(test_arena(), ADDRESS_TEXT_MAX);
    struct err err;
    assert_true(ms_wallet_address(&w, wallet, branch, 0, &err));
    assert_bytes_equal(writer_bytes(&w), expected);
}

TEST(psbt_signing_27_15_accepted_registrations)
{
    const struct json *rows = json_need(test_vectors("multisig_registration.json"), "accept");
    struct ms_register against = ms_rig();
    assert_int_equal(rows->n_items, 26);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        apply_row(&against, row);
        const struct ms_wallet *wallet = ms_rig_wallet(&against, json_need_text(row, "config"));
        assert_bytes_text(json_need_text(row, "name"), wallet->name);
        assert_int_equal(json_need_integer(row, "M"), wallet->m);
        assert_int_equal(json_need_integer(row, "N"), wallet->n);
        assert_int_equal(json_need_integer(row, "addr_fmt"), wallet->format);
        assert_int_equal(json_need(row, "sorted")->type == JSON_TRUE, wallet->sorted);
        check_keys(wallet, json_need(row, "keys"));
        check_address(wallet, MS_RECEIVE, json_need_text(row, "first_receive"));
        check_address(wallet, MS_CHANGE, json_need_text(row, "first_change"));
        assert_int_equal(json_need_integer(row, "xfp_xor"), ms_wallet_xor(wallet));
    }
}

TEST(psbt_signing_27_16_rejected_registrations)
{
    const struct json *rows = json_need(test_vectors("multisig_registration.json"), "reject");
    struct ms_register against = ms_rig();
    assert_int_equal(rows->n_items, 37);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        struct ms_wallet wallet;
        struct err err;
        apply_row(&against, row);
        assert_false(
            ms_register(&wallet, json_need_text(row, "config"), &against, test_arena(), &err));
        assert_bytes_equal(bytes_of_text(err.text), json_need_text(row, "error"));
    }
}

// The coordinator reads the same texts without a seed: what only a seed can tell is left out.
TEST(a_program_without_a_seed_reads_the_same_wallets)
{
    static const char *const of_seed[] = { "[0F056943/48h/1h/0h/2h] wrong pubkey",
                                           "my key not included", "my key included more than once",
                                           "[01020304] is our key",
                                           "Unsorted multisig \"multi(...)\" not allowed" };
    const struct json *vectors = test_vectors("multisig_registration.json");
    const struct json *accept = json_need(vectors, "accept"),
                      *reject = json_need(vectors, "reject");
    struct ms_wallet wallet;
    struct err err;
    for (size_t i = 0; i < accept->n_items; i++)
        assert_true(ms_read_foreign(&wallet, json_need_text(json_item(accept, i), "config"),
                                    chain_by_id(CHAIN_XTN), test_arena(), &err));
    for (size_t i = 0; i < reject->n_items; i++) {
        const struct json *row = json_item(reject, i);
        bool needs_seed = false;
        for (size_t k = 0; k < COUNT(of_seed); k++)
            needs_seed = needs_seed || bytes_equal_text(json_need_text(row, "error"), of_seed[k]);
        const bool read = ms_read_foreign(&wallet, json_need_text(row, "config"),
                                          chain_by_id(CHAIN_XTN), test_arena(), &err);
        // One of these has a fingerprint twice, which is seen without a seed.
        if (read != (needs_seed && !bytes_equal_text(json_need_text(row, "error"), of_seed[2])))
            fail_msg("row %zu: %s", i, read ? "read" : err.text);
    }
}

// --- Lines ---

TEST(psbt_signing_27_17_comments)
{
    static const struct {
        const char *line, *name;
    } cases[] = {
        { "Name: Vault #3", "Vault #3" },
        { "Name: Vault #x", "Vault" },
        { "Name: Vault #", "Vault" },
        { "Name: Vault #3 # x", "Vault #3 # x" }, // first only
        { "Name: a # b #3", "a" },
        { "#Name: x", "1-of-1" },
        { "#3Name: x", "1-of-1" },
        { " #Name: x", "1-of-1" },
        { "  Name:  padded \t", "padded" },
        { "Name: cr\r", "cr" },
        { "NAME: upper", "upper" },
        { "Name: first\nName: last", "last" },
        { "Name:", "1-of-1" },
        { "Name: a:b", "a:b" },
    };
    const struct ms_register against = ms_rig();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ms_text text = ms_text(cases[i].line);
        ms_text_line(&text, "%s", "");
        ms_text_key(&text, 0, MS_RIG_PATH);
        assert_string_equal(ms_rig_wallet(&against, ms_text_bytes(&text))->name, cases[i].name);
    }
}

TEST(psbt_signing_27_18_labels_that_are_ignored)
{
    static const char *const cases[] = {
        "Name : x",           // not trimmed on its right
        "Policy : 3 of 2",    // likewise
        "nothing special",    // no colon
        "Something: else",    //
        "zzzzzzzz: tpubxyz",  // 8 characters, not hex
        "0F05694: tpubxyz",   // 7
        "0F0569433: tpubxyz", // 9
        ": tpubxyz",          //
        "0F056943 : tpubxyz", // 9 with the blank
    };
    const struct ms_register against = ms_rig();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ms_text text = ms_text(cases[i]);
        ms_text_line(&text, "%s", "");
        ms_text_key(&text, 0, MS_RIG_PATH);
        assert_string_equal(ms_rig_wallet(&against, ms_text_bytes(&text))->name, "1-of-1");
    }
}

TEST(psbt_signing_27_19_policy_forms)
{
    static const struct {
        const char *value;
        size_t m; // 0: refused
    } cases[] = {
        { "2 of 3", 2 },
        { "2/3", 2 },
        { "2,3", 2 },
        { "M=2 N=3", 2 },
        { "02-03", 2 },
        { "3 of 3", 3 },
        { "1 of 3 x", 1 },
        { "2 of 3 of 4", 2 },
        { "23", 0 },
        { "2", 0 },
        { "", 0 },
        { "0 of 3", 0 },
        { "4 of 3", 0 },
        { "2 of 16", 0 },
        { "99999999999999999999 of 3", 0 },
        { "2 of 18446744073709551619", 0 }, // 2^64 + 3
    };
    const struct ms_register against = ms_rig();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ms_text text = ms_text("Name: p\n");
        ms_text_line(&text, "Policy: %s", cases[i].value);
        for (size_t who = 0; who < 3; who++)
            ms_text_key(&text, who, MS_RIG_PATH);
        if (cases[i].m == 0)
            ms_rig_refuses(&against, ms_text_bytes(&text), "bad policy line");
        else
            assert_int_equal(ms_rig_wallet(&against, ms_text_bytes(&text))->m, cases[i].m);
    }
}

TEST(format_names_in_any_case)
{
    static const struct {
        const char *value;
        enum addr_format format;
    } cases[] = { { "p2sh", ADDR_P2SH },
                  { "P2SH", ADDR_P2SH },
                  { "P2wsh", ADDR_P2WSH },
                  { "P2SH-P2WSH", ADDR_P2SH_P2WSH },
                  { "P2WSH-P2SH", ADDR_P2SH_P2WSH } };
    static const char *const bad[] = { "",      "p2tr",       "p2wpkh",
                                       "p2pkh", "p2sh p2wsh", "p2sh-p2wsh-p2sh-p2wsh" };
    const struct ms_register against = ms_rig();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ms_text text = ms_text("");
        ms_text_line(&text, "Format: %s", cases[i].value);
        ms_text_key(&text, 0, MS_RIG_PATH);
        assert_int_equal(ms_rig_wallet(&against, ms_text_bytes(&text))->format, cases[i].format);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct ms_text text = ms_text("");
        ms_text_line(&text, "Format: %s", bad[i]);
        ms_text_key(&text, 0, MS_RIG_PATH);
        ms_rig_refuses(&against, ms_text_bytes(&text), "bad format line");
    }
}

TEST(psbt_signing_27_20_default_names)
{
    static const struct {
        const char *used[3];
        const char *file, *name;
    } cases[] = {
        { { NULL }, "", "2-of-2" },
        { { "2-of-2" }, "", "2-of-2 #2" },
        { { "2-of-2", "2-of-2 #2" }, "", "2-of-2 #3" },
        { { "2-of-2", "2-of-2 #7", "2-of-2 #3" }, "", "2-of-2 #8" }, // above all used ones
        { { "2-of-2 #2" }, "", "2-of-2" },
        { { "2-of-2", "2-of-2 #x" }, "", "2-of-2 #2" },
        { { "2-of-2", "2-of-2 #2y" }, "", "2-of-2 #2" },
        { { "2-of-2", "2-of-3 #9" }, "", "2-of-2 #2" },
        { { NULL }, "vault", "vault" },
        { { "vault" }, "vault", "vault #2" },
    };
    struct ms_register against = ms_rig();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ms_wallet wallet[3] = { 0 };
        const struct ms_wallet *list[3];
        size_t n = 0;
        for (; n < COUNT(list) && cases[i].used[n] != NULL; n++) {
            memcpy(wallet[n].name, cases[i].used[n], strlen(cases[i].used[n]));
            list[n] = &wallet[n];
        }
        against.wallets = (struct ms_wallets){ list, n };
        against.file_name = bytes_of_text(cases[i].file);
        const struct ms_wallet *made = ms_rig_wallet(&against, ms_rig_text("", 2));
        assert_string_equal(made->name, cases[i].name);
        assert_int_equal(made->m, 2); // no policy: N of N
        assert_int_equal(made->format, ADDR_P2SH);
    }
}

// --- Descriptors ---

#define D(branch) ms_rig_descriptor("sortedmulti", 2, 3, branch)

// All places.
static struct bytes replaced_all(struct bytes text, const char *old, const char *new)
{
    struct writer w = writer_growing(test_arena(), 65536);
    for (size_t i = 0; i < text.len; i++) {
        if (bytes_starts_with(bytes_slice(text, i, text.len), bytes_of_text(old))) {
            writer_text(&w, new);
            i += strlen(old) - 1;
        } else {
            writer_u8(&w, text.ptr[i]);
        }
    }
    return writer_bytes(&w);
}

TEST(psbt_signing_27_21_descriptor_forms)
{
    static const char *const outers[][3] = { { "sh(", ")", "P2SH" },
                                             { "wsh(", ")", "P2WSH" },
                                             { "sh(wsh(", "))", "P2SH-P2WSH" } };
    static const char *const branches[] = { "/0/*", "/<0;1>/*", "/<1;0>/*" };
    const struct ms_register against = ms_rig();
    for (size_t o = 0; o < COUNT(outers); o++) {
        struct ms_text lines = ms_text("");
        ms_text_line(&lines, "Policy: 2 of 3\nFormat: %s", outers[o][2]);
        writer_u8(&lines.w, 0);
        const struct ms_wallet *expected =
            ms_rig_wallet(&against, ms_rig_text((const char *)lines.w.ptr, 3));
        for (size_t b = 0; b < COUNT(branches); b++) {
            struct ms_text text = ms_text(outers[o][0]);
            const struct bytes wsh = D(branches[b]);
            char checksum[DESCRIPTOR_CHECKSUM_LEN + 1];
            writer_put(&text.w, bytes_slice(wsh, 4, wsh.len - 5));
            writer_text(&text.w, outers[o][1]);
            const struct bytes plain = ms_text_bytes(&text);
            assert_wallets_equal(ms_rig_wallet(&against, plain), expected);
            const struct bytes quoted = replaced_all(plain, "48h/1h/0h/2h", "48'/1'/0h/2'");
            assert_wallets_equal(ms_rig_wallet(&against, quoted), expected);
            // Over several lines, with comments between.
            assert_wallets_equal(
                ms_rig_wallet(&against, replaced_all(plain, ",", ",\r\n  # next\n\n\t")), expected);
            assert_true(descriptor_checksum(checksum, plain));
            ms_text_line(&text, "#%s", checksum);
            assert_wallets_equal(ms_rig_wallet(&against, ms_text_bytes(&text)), expected);
        }
    }
}

// The first place, which must be there.
static struct bytes replaced(struct bytes text, const char *old, const char *new)
{
    struct writer w = writer_growing(test_arena(), 65536);
    bool done = false;
    for (size_t i = 0; i < text.len; i++) {
        if (!done && bytes_starts_with(bytes_slice(text, i, text.len), bytes_of_text(old))) {
            writer_text(&w, new);
            i += strlen(old) - 1;
            done = true;
        } else {
            writer_u8(&w, text.ptr[i]);
        }
    }
    assert_true(done);
    return writer_bytes(&w);
}

TEST(psbt_signing_27_21_descriptor_errors_in_order)
{
#define UNSUPPORTED "Unsupported descriptor. Supported: sh(), sh(wsh()), wsh()."
#define BRANCH      "Invalid subderivation path - only 0/* or <0;1>/* allowed"
    static const struct {
        const char *old, *new, *error;
    } cases[] = {
        { "wsh(", "wpkh(", UNSUPPORTED },
        { "wsh(", "sh(sh(", UNSUPPORTED },
        { "wsh(", "tr(", UNSUPPORTED },
        { "wsh(sortedmulti", "sortedmulti", UNSUPPORTED },
        { "(sortedmulti(", "(sortedmulti_a(", UNSUPPORTED },
        { "(sortedmulti(", "(pk(", UNSUPPORTED },
        { "(2,", "(x,", UNSUPPORTED },
        { "(2,", "(,", UNSUPPORTED },
        { "(2,", "(2 ,", UNSUPPORTED },
        { "(2,", "(02,", UNSUPPORTED },
        { "))", ")", UNSUPPORTED },
        { "))", ")))", UNSUPPORTED },
        { "))", ")) ,", UNSUPPORTED },
        { "))", "))x", UNSUPPORTED },
        { "/0/*,", "/0/*,,", UNSUPPORTED },
        { "wsh(", "Name: x wsh(", UNSUPPORTED },
        { "wsh(", "\xc3\xa4wsh(", UNSUPPORTED },
        { "(2,", "(4,", "M must be <= N: got M=4 and N=3" },
        { "(2,", "(2147483647,", "M must be <= N: got M=2147483647 and N=3" },
        { "(2,", "(2147483648,", UNSUPPORTED },
        { "]tpub", "]Vpub", "Only extended public keys are supported" },
        { "]tpub", "]tprv", "Only extended public keys are supported" },
        { "]tpub", "]03a34b", "Only extended public keys are supported" },
        { "/0/*", "/0h/*", "Cannot use hardened sub derivation path" },
        { "/0/*", "/0/*'", "Cannot use hardened sub derivation path" },
        { "/0/*", "/1/*", BRANCH },
        { "/0/*", "/*", BRANCH },
        { "/0/*", "/0/0/*", BRANCH },
        { "/0/*", "/0", BRANCH },
        { "/0/*", "", BRANCH },
        { "/0/*", "/<0;2>/*", BRANCH },
        { "/0/*", "/<0;1>/*", BRANCH }, // the other keys have /0/*
        { "(2,", "(0,", "M/N range" },
        { "]tpub", "]tpubx", "unable to parse xpub" },
    };
    const struct ms_register against = ms_rig();
    const struct bytes good = D("/0/*");
    (void)ms_rig_wallet(&against, good);
    for (size_t i = 0; i < COUNT(cases); i++)
        ms_rig_refuses(&against, replaced(good, cases[i].old, cases[i].new), cases[i].error);
    // Of several defects the first of the table is told.
    ms_rig_refuses(&against, replaced(replaced(good, "(2,", "(4,"), "/0/*", "/7"),
                   "M must be <= N: got M=4 and N=3");
    ms_rig_refuses(&against, replaced(replaced(good, "wsh(", "wpkh("), "(2,", "(4,"), UNSUPPORTED);
    ms_rig_refuses(&against, BYTES("raw(deadbeef)#qqqqqqqq"),
                   "Wrong checksum qqqqqqqq, expected 89f8spxm");
    ms_rig_refuses(&against, BYTES("raw(deadbeef)#"), "Wrong checksum , expected 89f8spxm");
    ms_rig_refuses(&against, BYTES("raw(deadbeef)#89f8spxm"), UNSUPPORTED);
}

TEST(psbt_signing_27_21_a_key_without_its_origin_is_named)
{
    const struct ms_register against = ms_rig();
    static const char *const origins[] = { "",
                                           "[]",
                                           "[0f05694/48h]",
                                           "[0f056943/48H/1h/0h/2h]",
                                           "[0f056943/48h/1h/0h/2h/]",
                                           "[0f056943/48h/1h/0h/2h",
                                           "0f056943/48h/1h/0h/2h]" };
    for (size_t i = 0; i < COUNT(origins); i++) {
        struct writer error = writer_growing(test_arena(), 1024);
        writer_printf(&error, "Key origin info is required for %s%s/0/*", origins[i],
                      ms_rig_xpub(0, MS_RIG_PATH));
        writer_u8(&error, 0);
        ms_rig_refuses(&against, replaced(D("/0/*"), "[0f056943/48h/1h/0h/2h]", origins[i]),
                       (const char *)error.ptr);
    }
}

TEST(psbt_signing_27_21_unsorted_needs_the_setting)
{
    struct ms_register against = ms_rig();
    const struct bytes multi = ms_rig_descriptor("multi", 2, 3, "/0/*");
    ms_rig_refuses(&against, multi, "Unsorted multisig \"multi(...)\" not allowed");
    // It is the last of its table, and before the checks of keys.
    ms_rig_refuses(&against, replaced(multi, "/0/*", "/9/*"), BRANCH);
    ms_rig_refuses(&against, replaced(multi, "]tpub", "]tpubx"),
                   "Unsorted multisig \"multi(...)\" not allowed");
    against.unsort_ms = true;
    assert_false(ms_rig_wallet(&against, multi)->sorted);
    assert_true(ms_rig_wallet(&against, D("/0/*"))->sorted);
}

// More keys than a wallet has: each is still looked at, then they are too many.
TEST(sixteen_keys_are_out_of_range)
{
    const struct ms_register against = ms_rig();
    ms_rig_refuses(&against, ms_rig_descriptor("sortedmulti", 2, 16, "/0/*"), "M/N range");
    ms_rig_refuses(&against, ms_rig_descriptor("sortedmulti", 16, 16, "/0/*"), "M/N range");
    ms_rig_refuses(&against, ms_rig_text("", 16), "M/N range");
    ms_rig_refuses(&against, ms_rig_text("Policy: 2 of 15\n", 16), "wrong # of xpubs, expect 15");
    assert_int_equal(ms_rig_wallet(&against, ms_rig_descriptor("sortedmulti", 15, 15, "/0/*"))->n,
                     15);
}

// --- JSON ---

static struct bytes json_of(const char *name, struct bytes desc)
{
    struct writer w = writer_growing(test_arena(), 65536);
    struct json_writer j = json_writer_of(&w);
    json_begin_object(&j);
    if (name != NULL) {
        json_key(&j, "name");
        json_text(&j, name);
    }
    json_key(&j, "desc");
    json_string(&j, desc);
    json_end_object(&j);
    assert_false(w.failed);
    return writer_bytes(&w);
}

TEST(psbt_signing_27_22_json)
{
    const struct ms_register against = ms_rig();
    assert_string_equal(ms_rig_wallet(&against, json_of("Vault", D("/0/*")))->name, "Vault");
    assert_string_equal(ms_rig_wallet(&against, json_of(NULL, D("/0/*")))->name, "2-of-3");
    // Form 3 inside.
    const struct ms_wallet *text =
        ms_rig_wallet(&against, json_of("ab", ms_rig_text("Policy: 1 of 2\nFormat: p2wsh\n", 2)));
    assert_string_equal(text->name, "ab");
    assert_int_equal(text->format, ADDR_P2WSH);

    ms_rig_refuses(&against, BYTES("{\"name\": \"ab\"}"), "'desc' key required");
    ms_rig_refuses(&against, BYTES("[]"), "'desc' key required");
    ms_rig_refuses(&against, BYTES("17"), "'desc' key required");
    ms_rig_refuses(&against, BYTES("{\"desc\": 1}"), "'desc' key required");
    ms_rig_refuses(&against, BYTES("{\"desc\": \"\"}"), "'desc' empty");
    ms_rig_refuses(&against, BYTES("{\"desc\": \"\", \"name\": 1}"), "'desc' empty");
    ms_rig_refuses(&against, json_of("a", D("/0/*")), "'name' length");
    ms_rig_refuses(&against, json_of("", D("/0/*")), "'name' length");
    ms_rig_refuses(&against, json_of("12345678901234567890123456789012345678901", D("/0/*")),
                   "'name' length");
    ms_rig_refuses(&against, BYTES("{\"desc\": \"x\", \"name\": 1}"), "'name' length");
    ms_rig_refuses(&against, json_of("123456789012345678901", D("/0/*")),
                   "name must be ascii, 1..20 long");
    // JSON in JSON is text, and none that has keys.
    ms_rig_refuses(&against, json_of("ab", BYTES("{\"desc\": \"x\"}")), "need xpubs");
    // A repeated member is no JSON of ours, and no descriptor either.
    struct ms_text twice = ms_text("{\"desc\": \"x\", \"desc\": \"");
    writer_put(&twice.w, D("/0/*"));
    writer_text(&twice.w, "\"}");
    ms_rig_refuses(&against, ms_text_bytes(&twice), UNSUPPORTED);
}

// --- Checks ---

static struct bytes one_line(const char *head, const char *label, const char *xpub)
{
    struct ms_text text = ms_text(head);
    ms_text_line(&text, "%s: %s", label, xpub);
    return ms_text_bytes(&text);
}

static const char *xpub_of(const struct hdpub *node, enum chain_id chain)
{
    char *text = arena_alloc(test_arena(), XPUB_TEXT_SIZE);
    assert_non_null(text);
    hdpub_to_text(text, node, chain_by_id(chain));
    return text;
}

static const char *xfp_of(size_t who)
{
    char *text = arena_alloc(test_arena(), XFP_TEXT_SIZE);
    assert_non_null(text);
    xfp_to_text(text, ms_rig_xfp(who));
    return text;
}

TEST(psbt_signing_27_23_checks_of_each_key)
{
    const struct ms_register against = ms_rig();
    const char *deep = "Derivation: " MS_RIG_PATH "\n";
    const struct hdkey ours = ms_rig_node(0, MS_RIG_PATH);
    // 1
    ms_rig_refuses(&against, one_line(deep, "0F056943", "tpubD"), "unable to parse xpub");
    ms_rig_refuses(&against, one_line(deep, "0F056943", ""), "unable to parse xpub");
    ms_rig_refuses(&against, one_line(deep, "0F056943 x", "tpub"), "need xpubs");
    ms_rig_refuses(&against, BYTES("not a pub\n"), "unable to parse xpub");
    // 2
    ms_rig_refuses(&against, one_line(deep, "0F056943", xpub_of(&ours.pub, CHAIN_BTC)),
                   "wrong chain");
    // 3
    ms_rig_refuses(&against, one_line("", xfp_of(1), ms_rig_xpub(0, "m/45h")), "xfp depth=1 wrong");
    (void)ms_rig_wallet(&against, one_line("", "00000000", ms_rig_xpub(0, "m/45h")));
    (void)ms_rig_wallet(&against, one_line("", "0F056943", ms_rig_xpub(0, "m/45h")));
    // 4
    ms_rig_refuses(&against, one_line(deep, "00000000", ms_rig_xpub(0, MS_RIG_PATH)),
                   "need fingerprint");
    ms_rig_refuses(&against, one_line("", "00000000", ms_rig_xpub(0, MS_RIG_PATH)),
                   "need fingerprint");
    // 5
    ms_rig_refuses(&against, one_line("Derivation: 46'\n", "0F056943", ms_rig_xpub(0, "m/45h")),
                   "m/45h != m/46h");
    ms_rig_refuses(&against, one_line("Derivation: m\n", "0F056943", ms_rig_xpub(0, "m/45h")),
                   "m/45h != m");
    // 6
    ms_rig_refuses(&against, one_line("", "0F056943", ms_rig_xpub(0, MS_RIG_PATH)), "empty deriv");
    // 7
    ms_rig_refuses(&against,
                   one_line("Derivation: m/48h/1h/0h\n", "0F056943", ms_rig_xpub(0, MS_RIG_PATH)),
                   "deriv 3 != 4 xpub depth (xfp=0F056943)");
    ms_rig_refuses(&against, one_line("Derivation: m/1\n", xfp_of(1), ms_rig_xpub(1, "m")),
                   "deriv 1 != 0 xpub depth (xfp=090C209F)");
    // 8
    ms_rig_refuses(&against, one_line(deep, "0F056943", ms_rig_xpub(1, MS_RIG_PATH)),
                   "[0F056943/48h/1h/0h/2h] wrong pubkey");
    ms_rig_refuses(&against, one_line(deep, "0f056943", ms_rig_xpub(0, "m/48h/1h/1h/2h")),
                   "[0F056943/48h/1h/0h/2h] wrong pubkey");
    ms_rig_refuses(&against, one_line("Derivation: m\n", "0F056943", ms_rig_xpub(1, "m")),
                   "[0F056943/] wrong pubkey");
}

TEST(psbt_signing_27_24_chain_code_of_our_own_key)
{
    const struct ms_register against = ms_rig();
    struct hdpub node = ms_rig_node(0, MS_RIG_PATH).pub;
    const char *head = "Derivation: " MS_RIG_PATH "\n";
    (void)ms_rig_wallet(&against, one_line(head, "0F056943", xpub_of(&node, CHAIN_XTN)));
    node.chain_code[31] ^= 1;
    ms_rig_refuses(&against, one_line(head, "0F056943", xpub_of(&node, CHAIN_XTN)),
                   "[0F056943/48h/1h/0h/2h] wrong pubkey");
}

// Two keys with their labels chosen freely.
static struct bytes two_keys(const char *first, const char *second, const char *path,
                             const char *xpub)
{
    struct ms_text text = ms_text("");
    ms_text_line(&text, "Derivation: %s", MS_RIG_PATH);
    ms_text_line(&text, "%s: %s", first, ms_rig_xpub(0, MS_RIG_PATH));
    ms_text_line(&text, "Derivation: %s", path);
    ms_text_line(&text, "%s: %s", second, xpub);
    return ms_text_bytes(&text);
}

TEST(psbt_signing_27_23_checks_of_the_whole)
{
    const struct ms_register against = ms_rig();
    struct hdpub twin = ms_rig_node(0, MS_RIG_PATH).pub;
    // 9
    ms_rig_refuses(&against, BYTES("Name: m\nPolicy: 1 of 1\n"), "need xpubs");
    ms_rig_refuses(&against, BYTES(""), "need xpubs");
    // 10
    ms_rig_refuses(&against, ms_rig_text("Name: 123456789012345678901\n", 1),
                   "name must be ascii, 1..20 long");
    ms_rig_refuses(&against, ms_rig_text("Name: n\xc3\xa4me\n", 1),
                   "name must be ascii, 1..20 long");
    ms_rig_refuses(&against, ms_rig_text("Name: a\x01z\n", 1), "name must be ascii, 1..20 long");
    (void)ms_rig_wallet(&against, ms_rig_text("Name: 12345678901234567890\n", 1));
    // 11: in sixteen_keys_are_out_of_range and the descriptor with M = 0
    // 12
    ms_rig_refuses(&against, ms_rig_text("Policy: 2 of 3\n", 2), "wrong # of xpubs, expect 3");
    ms_rig_refuses(&against, ms_rig_text("Policy: 1 of 1\n", 2), "wrong # of xpubs, expect 1");
    // 14
    struct ms_text others = ms_text("");
    ms_text_key(&others, 1, MS_RIG_PATH);
    ms_rig_refuses(&against, ms_text_bytes(&others), "my key not included");
    ms_rig_refuses(
        &against,
        two_keys("0F056943", "0F056943", "m/48h/1h/1h/2h", ms_rig_xpub(0, "m/48h/1h/1h/2h")),
        "my key included more than once");
    // 15: another fingerprint, chain code and number hide nothing
    twin.chain_code[0] ^= 1;
    twin.child ^= 1;
    ms_rig_refuses(&against,
                   two_keys("0F056943", xfp_of(1), MS_RIG_PATH, xpub_of(&twin, CHAIN_XTN)),
                   "same key under two XFPs");
    // 16
    ms_rig_refuses(
        &against,
        two_keys("0F056943", "01020304", "m/48h/1h/1h/2h", ms_rig_xpub(0, "m/48h/1h/1h/2h")),
        "[01020304] is our key");
    // 17
    struct ms_text dup = ms_text("");
    ms_text_key(&dup, 0, MS_RIG_PATH);
    ms_text_key(&dup, 1, MS_RIG_PATH);
    ms_text_key(&dup, 1, "m/48h/1h/1h/2h");
    ms_rig_refuses(&against, ms_text_bytes(&dup), "dup XFP");
}

TEST(psbt_signing_27_25_a_wallet_named_1)
{
    const struct ms_register against = ms_rig();
    ms_rig_refuses(&against, ms_rig_text("Name: 1\n", 2), "name must be ascii, 1..20 long");
    (void)ms_rig_wallet(&against, ms_rig_text("Name: 11\n", 2));
    (void)ms_rig_wallet(&against, ms_rig_text("Name: 1 1\n", 2));
}

TEST(a_text_longer_than_the_limit_is_refused_unread)
{
    const struct ms_register against = ms_rig();
    struct ms_text text = ms_text("");
    ms_text_key(&text, 0, MS_RIG_PATH);
    while (text.w.len < MS_TEXT_MAX)
        writer_u8(&text.w, '\n');
    (void)ms_rig_wallet(&against, ms_text_bytes(&text));
    writer_u8(&text.w, '\n');
    ms_rig_refuses(&against, ms_text_bytes(&text), "badlen");
}

// --- Against existing wallets ---

struct shelf {
    struct ms_wallet wallet[4];
    const struct ms_wallet *list[4];
    size_t n;
};

static void put(struct shelf *shelf, const struct ms_wallet *wallet, const char *name)
{
    shelf->wallet[shelf->n] = *wallet;
    memset(shelf->wallet[shelf->n].name, 0, sizeof shelf->wallet[0].name);
    memcpy(shelf->wallet[shelf->n].name, name, strlen(name));
    shelf->list[shelf->n] = &shelf->wallet[shelf->n];
    shelf->n++;
}

static struct ms_wallet named(const struct ms_wallet *wallet, const char *name)
{
    struct ms_wallet copy = *wallet;
    memset(copy.name, 0, sizeof copy.name);
    memcpy(copy.name, name, strlen(name));
    return copy;
}

static void swap_cosigners(struct ms_wallet *wallet)
{
    const struct ms_cosigner first = wallet->cosigner[0];
    wallet->cosigner[0] = wallet->cosigner[1];
    wallet->cosigner[1] = first;
}

static void other_xpub(struct ms_wallet *wallet)
{
    wallet->cosigner[1].node = ms_rig_node(9, MS_RIG_PATH).pub;
}

static void expect_duplicate(const struct shelf *shelf, const struct ms_wallet *wallet,
                             const char *error)
{
    struct ms_review review;
    struct err err;
    assert_false(ms_review(&review, wallet, (struct ms_wallets){ shelf->list, shelf->n }, &err));
    assert_err(&err, ERR_EXISTS, error);
}

static struct ms_review expect_allowed(const struct shelf *shelf, const struct ms_wallet *wallet)
{
    struct ms_review review;
    struct err err;
    if (!ms_review(&review, wallet, (struct ms_wallets){ shelf->list, shelf->n }, &err))
        fail_msg("%s", err.text);
    return review;
}

TEST(psbt_signing_27_26_duplicates)
{
    const struct ms_register against = ms_rig();
    const struct ms_wallet *base = ms_rig_wallet(&against, D("/0/*"));
    struct shelf shelf = { .n = 0 };
    struct ms_wallet unsorted = named(base, "u");
    unsorted.sorted = false;
    assert_null(expect_allowed(&shelf, base).similar);
    put(&shelf, base, "one");
    put(&shelf, ms_rig_wallet(&against, ms_rig_text("", 2)), "two");

    // Row 1: equal but for the xpubs.
    struct ms_wallet new = named(base, "new");
    other_xpub(&new);
    const struct ms_review review = expect_allowed(&shelf, &new);
    assert_ptr_equal(review.similar, &shelf.wallet[0]);
    assert_true(review.xpubs_differ && !review.m_differs && !review.format_differs);
    new = named(&new, "two");
    expect_duplicate(&shelf, &new, "Duplicate wallet. Name already exists.");
    new = named(&new, "one");
    expect_duplicate(&shelf, &new, "Duplicate wallet. Name already exists.");

    // Row 2: other sortedness, whatever the name.
    expect_duplicate(&shelf, &unsorted, "Duplicate wallet. BIP-67 clash");

    // Row 4 and 5. The order of the cosigners is no difference in sorted wallets.
    new = named(base, "two");
    expect_duplicate(&shelf, &new, "Duplicate wallet. Name already exists.");
    swap_cosigners(&new);
    expect_duplicate(&shelf, &new, "Duplicate wallet. Name already exists.");
    new = named(&new, "one");
    expect_duplicate(&shelf, &new, "Duplicate wallet. All details are the same as existing!");
    new = named(&new, "new");
    expect_duplicate(&shelf, &new, "Duplicate wallet. All details are the same as existing!");

    // Row 6: a name alone.
    new = named(ms_rig_wallet(&against, ms_rig_text("", 1)), "two");
    expect_duplicate(&shelf, &new, "Duplicate wallet. Name already exists.");
}

// Row 3.
TEST(psbt_signing_27_26_key_order_of_unsorted_wallets)
{
    struct ms_register against = ms_rig();
    against.unsort_ms = true;
    const struct ms_wallet *base =
        ms_rig_wallet(&against, ms_rig_descriptor("multi", 2, 3, "/0/*"));
    struct shelf shelf = { .n = 0 };
    struct ms_wallet new = named(base, "new");
    put(&shelf, base, "one");
    expect_duplicate(&shelf, &new, "Duplicate wallet. All details are the same as existing!");
    swap_cosigners(&new);
    expect_duplicate(&shelf, &new, "Duplicate wallet. key order");
    new.sorted = true;
    expect_duplicate(&shelf, &new, "Duplicate wallet. BIP-67 clash");
}

// Row 7.
TEST(psbt_signing_27_26_similar_wallets)
{
    const struct ms_register against = ms_rig();
    const struct ms_wallet *base = ms_rig_wallet(&against, D("/0/*"));
    struct shelf shelf = { .n = 0 };
    struct ms_wallet new = named(base, "new");
    put(&shelf, base, "one");
    new.m = 3;
    assert_true(expect_allowed(&shelf, &new).m_differs);
    new.format = ADDR_P2SH;
    other_xpub(&new);
    const struct ms_review all = expect_allowed(&shelf, &new);
    assert_true(all.m_differs && all.format_differs && all.xpubs_differ);
    // One that differs in its xpubs alone is told rather than an earlier one.
    new.m = 2;
    put(&shelf, &new, "p2sh");
    new = named(base, "another");
    new.format = ADDR_P2SH;
    const struct ms_review nearer = expect_allowed(&shelf, &new);
    assert_ptr_equal(nearer.similar, &shelf.wallet[1]);
    assert_true(nearer.xpubs_differ && !nearer.m_differs && !nearer.format_differs);
    new = named(&new, "one");
    expect_duplicate(&shelf, &new, "Duplicate wallet. Name already exists.");
    // Another path makes it another wallet.
    new = named(base, "path");
    new.cosigner[0].origin.path.step[2]++;
    assert_null(expect_allowed(&shelf, &new).similar);
}

// --- The question ---

static const char *question(const struct ms_wallet *wallet, const struct ms_review *review)
{
    struct writer w = writer_growing(test_arena(), MS_EXPORT_MAX);
    ms_write_question(&w, wallet, review, ms_rig_xfp(0));
    writer_u8(&w, 0);
    assert_false(w.failed);
    return (const char *)w.ptr;
}

TEST(the_question_shows_policy_and_every_xpub)
{
    struct ms_register against = ms_rig();
    const struct ms_wallet *wallet = ms_rig_wallet(&against, ms_rig_text("Name: ms\n"
                                                                         "Policy: 1 of 2\n"
                                                                         "Format: p2wsh\n",
                                                                         2));
    const struct ms_review none = { .similar = NULL };
    struct writer expected = writer_growing(test_arena(), MS_EXPORT_MAX);
    writer_printf(&expected,
                  "Create new multisig wallet?\n\nWallet Name:\n  ms\n\nPolicy: 1 of 2\n\n"
                  "Any one of 2 co-signers can sign to approve spends.\n\n"
                  "Addresses:\n  p2wsh\n\nDerivation:\n  m/48h/1h/0h/2h\n\n"
                  "Co-signers, in the order of the file:\n\n"
                  "0F056943 (this signer)\n  m/48h/1h/0h/2h\n  %s\n\n%s\n  m/48h/1h/0h/2h\n  %s\n",
                  ms_rig_xpub(0, MS_RIG_PATH), xfp_of(1), ms_rig_xpub(1, MS_RIG_PATH));
    assert_bytes_text(writer_bytes(&expected), question(wallet, &none));
}

TEST(the_question_warns)
{
    const struct ms_register against = ms_rig();
    struct ms_wallet wallet = *ms_rig_wallet(&against, D("/0/*"));
    const struct ms_review all = { &wallet, true, true, true },
                           xpubs = { &wallet, false, false, true };
    const struct ms_review none = { .similar = NULL };
#define SIMILAR                                                                                    \
    "WARNING: This new wallet is similar to an existing wallet, but will NOT replace it. "         \
    "Consider "                                                                                    \
    "deleting previous wallet first. Differences: "
    assert_non_null(strstr(question(&wallet, &none), "2 signatures, from 3 possible co-signers, "));
    assert_ptr_equal(strstr(question(&wallet, &none), "WARNING"), NULL);
    const char *text = question(&wallet, &all);
    assert_ptr_equal(strstr(text, SIMILAR "M differs, address type, xpubs\n\nWallet Name"), text);
    wallet.sorted = false;
    text = question(&wallet, &xpubs);
    assert_ptr_equal(strstr(text, SIMILAR "xpubs\nWARNING: BIP-67 disabled! Unsorted multisig - "
                                          "order of keys in descriptor/backup is crucial\n\n"),
                     text);
    wallet.m = 3;
    assert_non_null(strstr(question(&wallet, &none), "All 3 co-signers must sign"));
    wallet.cosigner[1].origin.path.step[0]++;
    assert_non_null(strstr(question(&wallet, &none), "Derivation:\n  differs, see below\n"));
}
