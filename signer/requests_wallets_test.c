// Multisig wallets: wire-protocol.md 8.1 (msck), 8.5 (p2sh), 8.8; psbt-signing.md 7.
#include "signer/device_wallets.h"
#include "signer/requests.h"
#include "tests/support/device_checks.h"
#include "tests/support/ms_rig.h"

#define HEAD      "Name: Vault\nPolicy: 2 of 3\nFormat: p2wsh\n"
#define DUPLICATE "Duplicate wallet. "

static struct reply send_enrl(struct rig_host *host, struct bytes text)
{
    rig_upload(host, text);
    return rig_call(host, &(struct request){
                              .id = REQUEST_ENRL,
                              .enrl = { (uint32_t)text.len, sha256(text) },
                          });
}

static void enroll(struct rig_host *host, struct bytes text)
{
    assert_okay(send_enrl(host, text));
    rig_keys(host->rig, "y");
}

static uint32_t msck(struct rig_host *host, uint32_t m, uint32_t n, uint32_t xor)
{
    const struct reply reply =
        rig_call(host, &(struct request){ .id = REQUEST_MSCK, .msck = { m, n, xor} });
    assert_int_equal(reply.id, REPLY_INT1);
    return reply.number[0];
}

static uint32_t xor_of(size_t n)
{
    uint32_t xor = 0;
    for (size_t who = 0; who < n; who++)
        xor ^= xfp_to_u32(ms_rig_xfp(who));
    return xor;
}

static bool screen_has(struct device_rig *rig, const char *text)
{
    const struct bytes shown = rig_screen(rig).text;
    return memmem(shown.ptr, shown.len, text, strlen(text)) != NULL;
}

// --- Enrolment ---

TEST(wire_8_8_a_wallet_is_enrolled_by_a_key)
{
    WITH_RIG(rig, host);
    assert_okay(send_enrl(host, ms_rig_text(HEAD, 3)));
    assert_bytes_text(rig_screen(rig).title, "Multisig wallet");
    assert_true(screen_has(rig, "Create new multisig wallet?\n\nWallet Name:\n  Vault\n\n"));
    for (size_t who = 0; who < 3; who++)
        assert_true(screen_has(rig, ms_rig_xpub(who, MS_RIG_PATH)));
    // Nothing counts before the key; `stok` says `okay` while the question is open.
    assert_okay(rig_ask(host, REQUEST_STOK));
    assert_status(host, "wallets", "[]");
    assert_int_equal(msck(host, 2, 3, xor_of(3)), 0);
    rig_keys(rig, "5");
    assert_status(host, "wallets", "[]");
    rig_keys(rig, "y");
    assert_status(host, "wallets", "[\"Vault\"]");
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
    assert_int_equal(msck(host, 2, 3, xor_of(3)), 1);
    // Also after a restart.
    enroll(host, ms_rig_text("Name: Second\n", 2));
    device_rig_restart(rig);
    host = rig_host_linked(rig);
    assert_status(host, "wallets", "[\"Vault\", \"Second\"]");
    assert_int_equal(msck(host, 2, 3, xor_of(3)), 1);
    assert_int_equal(msck(host, 2, 2, xor_of(2)), 1);
}

TEST(wire_8_8_no_leaves_nothing)
{
    WITH_RIG(rig, host);
    assert_okay(send_enrl(host, ms_rig_text(HEAD, 3)));
    rig_keys(rig, "x");
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
    assert_status(host, "wallets", "[]");
    // An address on the screen takes the question's place.
    assert_okay(send_enrl(host, ms_rig_text(HEAD, 3)));
    (void)rig_call(host,
                   &(struct request){ .id = REQUEST_SHOW, .show = { ADDR_P2PKH, BYTES("m") } });
    rig_keys(rig, "yy");
    assert_status(host, "wallets", "[]");
}

TEST(wire_8_8_errors_of_enrl)
{
    WITH_RIG(rig, host);
    struct bytes text = ms_rig_text(HEAD, 3);
    struct request enrl = { .id = REQUEST_ENRL, .enrl = { (uint32_t)text.len, { { 0 } } } };
    rig_upload(host, text);
    assert_error(rig_call(host, &enrl), "Checksum");
    enrl.enrl.sha = sha256(text);
    enrl.enrl.length--;
    assert_error(rig_call(host, &enrl), "Checksum");
    // 100 and 4001 bytes.
    char long_text[MS_TEXT_MAX + 1];
    memset(long_text, '\n', sizeof long_text);
    assert_error(send_enrl(host, bytes_of(long_text, MS_TEXT_MIN - 1)), "badlen");
    assert_error(send_enrl(host, bytes_of(long_text, MS_TEXT_MAX + 1)), "badlen");
    assert_error(send_enrl(host, bytes_of(long_text, MS_TEXT_MIN)), "need xpubs");
    assert_error(send_enrl(host, bytes_of(long_text, MS_TEXT_MAX)), "need xpubs");
    struct ms_text others = ms_text("");
    ms_text_key(&others, 1, MS_RIG_PATH);
    assert_error(send_enrl(host, ms_text_bytes(&others)), "my key not included");
    // A longer text is cut to 80 bytes.
    struct bytes key = ms_rig_descriptor("sortedmulti", 1, 1, "/0/*");
    struct writer bare = writer_growing(test_arena(), 4096);
    writer_text(&bare, "wsh(sortedmulti(1,");
    writer_put(&bare, bytes_slice(key, 18 + 23, key.len)); // without its origin
    assert_error(
        send_enrl(host, writer_bytes(&bare)),
        "Key origin info is required for tpubDF2rnouQaaYrXF4noGTv6rQYmx87cQ4GrUdhpvXkhtCh");
    assert_false(screen_has(rig, "wallet"));
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
}

TEST(wire_8_8_unsorted_wallets_need_the_setting)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_prepare(test_dir());
    const struct bytes multi = ms_rig_descriptor("multi", 2, 3, "/0/*");
    device_rig_start(rig);
    struct rig_host *host = rig_host_linked(rig);
    assert_error(send_enrl(host, multi), "Unsorted multisig \"multi(...)\" not allowed");
    rig->config.unsort_ms = true;
    device_rig_restart(rig);
    host = rig_host_linked(rig);
    assert_okay(send_enrl(host, multi));
    assert_true(screen_has(rig, "WARNING: BIP-67 disabled! Unsorted multisig"));
}

TEST(wire_7_3_enrl_discards_what_is_pending)
{
    WITH_RIG(rig, host);
    assert_okay(rig_stxn(host, rig_payment(rig, 1000), 0));
    // The upload is allowed beside a transaction.
    assert_okay(send_enrl(host, ms_rig_text(HEAD, 3)));
    rig_keys(rig, "y");
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
    assert_status(host, "wallets", "[\"Vault\"]");
    // And nothing but `show` and its like gets past the question.
    assert_okay(send_enrl(host, ms_rig_text("", 2)));
    assert_busy(rig_upld(host, 0, 5, BYTES("hello")));
    assert_busy(rig_smsg(host, "hello", "m", ADDR_P2PKH));
    rig_keys(rig, "x");
}

TEST(psbt_signing_27_26_duplicates_over_the_wire)
{
    WITH_RIG(rig, host);
    enroll(host, ms_rig_text(HEAD, 3));
    assert_error(send_enrl(host, ms_rig_text(HEAD, 3)),
                 DUPLICATE "All details are the same as existing!");
    assert_error(send_enrl(host, ms_rig_text("Name: Vault\n", 2)),
                 DUPLICATE "Name already exists.");
    assert_okay(send_enrl(host, ms_rig_text("Name: New\nPolicy: 1 of 3\n", 3)));
    assert_true(screen_has(rig,
                           "WARNING: This new wallet is similar to an existing wallet, but will "
                           "NOT replace it."));
    assert_true(screen_has(rig, "Differences: M differs, address type\n"));
    rig_keys(rig, "y");
    assert_status(host, "wallets", "[\"Vault\", \"New\"]");
    // Default names differ from those that are there.
    enroll(host, ms_rig_text("", 2));
    enroll(host, ms_rig_text("Format: p2wsh\n", 2));
    assert_status(host, "wallets", "[\"Vault\", \"New\", \"2-of-2\", \"2-of-2 #2\"]");
}

TEST(wire_32_no_wallet_in_hsm_mode)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    const struct bytes text = ms_rig_text(HEAD, 3);
    assert_error(rig_call(host, &(struct request){ .id = REQUEST_ENRL,
                                                   .enrl = { (uint32_t)text.len, sha256(text) } }),
                 "Not allowed in HSM mode");
}

TEST(the_reference_rigs_count_wallets)
{
    WITH_RIG(rig, host);
    const struct request eval = { .id = REQUEST_EVAL, .data = BYTES_INIT(EVAL_N_WALLETS) };
    assert_bytes_text(rig_call(host, &eval).data, "0");
    enroll(host, ms_rig_text(HEAD, 3));
    assert_bytes_text(rig_call(host, &eval).data, "1");
}

// --- msck ---

TEST(psbt_signing_27_31_msck_over_the_wire)
{
    WITH_RIG(rig, host);
    enroll(host, ms_rig_text(HEAD, 3));
    const uint32_t xor = xor_of(3);
    assert_int_equal(msck(host, 2, 3, xor), 1);
    assert_int_equal(msck(host, 3, 3, xor), 0);
    assert_int_equal(msck(host, 2, 2, xor), 0);
    assert_int_equal(msck(host, 2, 3, xor^1), 0);
    // "M = 0 and/or N = 0 match any value"
    assert_int_equal(msck(host, 0, 3, xor), 1);
    assert_int_equal(msck(host, 2, 0, xor), 1);
    assert_int_equal(msck(host, 0, 0, xor), 1);
    assert_int_equal(msck(host, 0, 0, 0), 0);
}

// --- p2sh ---

// The request for the wallet's address 0/<index>, true in all its parts.
struct shown {
    struct request request;
    uint8_t script[MS_SCRIPT_MAX];
    struct p2sh_key key[MS_KEYS_MAX];
    size_t n;
};

static struct reply ask_p2sh(struct rig_host *host, struct shown *shown)
{
    struct writer keys = writer_growing(test_arena(), 4096);
    for (size_t i = 0; i < shown->n; i++)
        p2sh_key_write(&keys, &shown->key[i]);
    shown->request.p2sh.keys = writer_bytes(&keys);
    shown->request.p2sh.script.ptr = shown->script;
    return rig_call(host, &shown->request);
}

static struct shown shown_of(const struct ms_wallet *wallet, uint32_t index)
{
    struct shown shown = { .n = wallet->n };
    struct writer w = writer_of(shown.script, sizeof shown.script);
    struct ms_script script;
    struct err err;
    assert_true(ms_wallet_script(&w, wallet, MS_RECEIVE, index, &err));
    assert_true(ms_script_parse(&script, writer_bytes(&w), &err));
    for (size_t i = 0; i < wallet->n; i++) {
        const struct ms_cosigner *cosigner = &wallet->cosigner[i];
        const size_t depth = cosigner->origin.path.depth;
        struct hdpub child;
        size_t at = 0;
        assert_true(hdpub_child(&child, &cosigner->branch[MS_RECEIVE], index, &err));
        while (!bytes_equal(script.key[at], BYTES_OF(child.key.b)))
            at++;
        struct p2sh_key *key = &shown.key[at];
        memcpy(key->xfp, cosigner->origin.xfp.b, sizeof key->xfp);
        memcpy(key->step, cosigner->origin.path.step, depth * sizeof key->step[0]);
        key->step[depth] = MS_RECEIVE;
        key->step[depth + 1] = index;
        key->depth = depth + 2;
    }
    shown.request = (struct request){ .id = REQUEST_P2SH,
                                      .p2sh = { .addr_format = wallet->format,
                                                .m = (uint8_t)wallet->m,
                                                .n = (uint8_t)wallet->n,
                                                .script = { NULL, w.len } } };
    return shown;
}

static const char *address_of(const struct ms_wallet *wallet, uint32_t index)
{
    struct writer w = writer_growing(test_arena(), ADDRESS_TEXT_MAX);
    struct err err;
    assert_true(ms_wallet_address(&w, wallet, MS_RECEIVE, index, &err));
    writer_u8(&w, 0);
    return (const char *)w.ptr;
}

static struct ms_wallet vault(void)
{
    const struct ms_register against = ms_rig();
    return *ms_rig_wallet(&against, ms_rig_text(HEAD, 3));
}

#define NOT_FOUND "Multisig wallet with those fingerprints not found"

TEST(psbt_signing_27_30_p2sh_shows_an_address)
{
    WITH_RIG(rig, host);
    const struct ms_wallet wallet = vault();
    struct shown shown = shown_of(&wallet, 7);
    assert_error(ask_p2sh(host, &shown), NOT_FOUND);
    enroll(host, ms_rig_text(HEAD, 3));
    assert_asci(ask_p2sh(host, &shown), address_of(&wallet, 7));
    assert_true(screen_has(rig, address_of(&wallet, 7)));
    assert_true(screen_has(rig, "Vault"));
    // It is pending until a key takes it down, and gives way to another address only.
    assert_okay(rig_ask(host, REQUEST_STOK));
    shown = shown_of(&wallet, 8);
    assert_asci(ask_p2sh(host, &shown), address_of(&wallet, 8));
    assert_false(screen_has(rig, address_of(&wallet, 7)));
    rig_keys(rig, "x");
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
    assert_okay(rig_stxn(host, rig_payment(rig, 1000), 0));
    assert_busy(ask_p2sh(host, &shown));
    rig_keys(rig, "x");
}

TEST(psbt_signing_27_30_p2sh_of_something_else)
{
    WITH_RIG(rig, host);
    const struct ms_wallet wallet = vault();
    enroll(host, ms_rig_text(HEAD, 3));
    const struct shown good = shown_of(&wallet, 7);
    struct shown bad = good;
    // Unknown sets.
    bad.key[0].xfp[0] ^= 1;
    assert_error(ask_p2sh(host, &bad), NOT_FOUND);
    bad = good;
    bad.key[2].step[1] ^= 1;
    assert_error(ask_p2sh(host, &bad), NOT_FOUND);
    bad = good;
    bad.request.p2sh.m = 1;
    assert_error(ask_p2sh(host, &bad), NOT_FOUND);
    bad = good;
    bad.key[1].depth = P2SH_DEPTH_MAX; // longer than any path of ours
    assert_error(ask_p2sh(host, &bad), NOT_FOUND);
    // Wrong scripts.
    bad = good;
    bad.script[0] = 0x51;
    assert_error(ask_p2sh(host, &bad), "wrong M/N in script");
    bad = good;
    bad.key[0].step[5] = 9;
    char xfp[XFP_TEXT_SIZE], error[64];
    struct xfp first;
    memcpy(first.b, bad.key[0].xfp, sizeof first.b);
    xfp_to_text(xfp, first);
    assert_true(snprintf(error, sizeof error, "pk#1 wrong, tried: [%s/_/_/_/_/0/9]", xfp) > 0);
    assert_error(ask_p2sh(host, &bad), error);
    bad = good;
    bad.key[1] = bad.key[0];
    assert_error(ask_p2sh(host, &bad), "pk#2 wrong, unknown XFP");
    bad = good;
    bad.script[40] ^= 1;
    assert_int_equal(ask_p2sh(host, &bad).id, REPLY_ERR_);
    assert_error(rig_ask(host, REQUEST_STOK), "No active request"); // nothing was shown
}

// More keys than a wallet can have.
TEST(wire_8_5_p2sh_of_twenty_keys)
{
    WITH_RIG(rig, host);
    struct writer keys = writer_growing(test_arena(), 4096);
    const uint8_t script[30] = { 0 };
    const struct p2sh_key key = { .xfp = { 1 }, .depth = 1 };
    for (size_t i = 0; i < 20; i++)
        p2sh_key_write(&keys, &key);
    const struct request p2sh = {
        .id = REQUEST_P2SH,
        .p2sh = { ADDR_P2WSH, 1, 20, { script, sizeof script }, writer_bytes(&keys) }
    };
    assert_error(rig_call(host, &p2sh), NOT_FOUND);
}

TEST(psbt_signing_27_30_p2sh_in_another_format)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
    struct rig_host *host = rig_host_linked(rig);
    const struct ms_wallet wallet = vault();
    struct ms_wallet p2sh = wallet;
    enroll(host, ms_rig_text(HEAD, 3));
    p2sh.format = ADDR_P2SH;
    struct shown shown = shown_of(&p2sh, 0);
    assert_asci(ask_p2sh(host, &shown), address_of(&p2sh, 0));
    // With the option, after the script check.
    rig->config.p2sh_strict = true;
    device_rig_restart(rig);
    host = rig_host_linked(rig);
    assert_error(ask_p2sh(host, &shown), NOT_FOUND);
    shown.script[0] = 0x51;
    assert_error(ask_p2sh(host, &shown), "wrong M/N in script");
    shown = shown_of(&wallet, 0);
    assert_asci(ask_p2sh(host, &shown), address_of(&wallet, 0));
}

TEST(policy_15_3_p2sh_in_hsm_mode)
{
    WITH_RIG(rig, host);
    const struct ms_wallet wallet = vault();
    struct shown shown = shown_of(&wallet, 3);
    enroll(host, ms_rig_text(HEAD, 3));
    rig_activate(host, "{\"share_addrs\":[\"any\"]}");
    assert_error(ask_p2sh(host, &shown), "Not allowed in HSM mode");
    // "checked before anything else"
    assert_error(rig_message(host, BYTES("p2sh"), true), "Not allowed in HSM mode");
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    rig_activate(host, "{\"share_addrs\":[\"p2sh\"]}");
    assert_asci(ask_p2sh(host, &shown), address_of(&wallet, 3));
    assert_false(screen_has(rig, address_of(&wallet, 3))); // nobody is there to look
    assert_error(rig_message(host, BYTES("p2sh"), true), "buffer too small");
    shown.key[0].step[5] = 9;
    assert_int_equal(ask_p2sh(host, &shown).id, REPLY_ERR_);
    assert_status(host, "refusals", "0"); // queries are not counted
}

// "With the setting "skip multisig checks" the reference stops after 8. [FIX] In HSM mode that setting
// is ignored"
TEST(psbt_signing_7_6_skipping_checks_ends_with_hsm_mode)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_prepare(test_dir());
    rig->config.multisig_checks = false;
    device_rig_start(rig);
    struct rig_host *host = rig_host_linked(rig);
    const struct ms_wallet wallet = vault();
    enroll(host, ms_rig_text(HEAD, 3));
    struct shown shown = shown_of(&wallet, 3);
    shown.key[0].step[5] = 9;
    assert_asci(ask_p2sh(host, &shown), address_of(&wallet, 3));
    rig_keys(rig, "x");
    rig_activate(host, "{\"share_addrs\":[\"p2sh\"]}");
    assert_int_equal(ask_p2sh(host, &shown).id, REPLY_ERR_);
}

// --- Policies ---

#define USES_VAULT "{\"rules\":[{\"wallet\":\"Vault\"}]}"

TEST(a_policy_names_registered_wallets_only)
{
    WITH_RIG(rig, host);
    assert_error(rig_offer(host, USES_VAULT),
                 "HSM Policy invalid: rule #1: unknown or ambiguous MS wallet: Vault");
    enroll(host, ms_rig_text(HEAD, 3));
    assert_okay(rig_offer(host, USES_VAULT));
    rig_keys(rig, "x");
    assert_error(rig_offer(host, "{\"rules\":[{\"wallet\":\"vault\"}]}"),
                 "HSM Policy invalid: rule #1: unknown or ambiguous MS wallet: vault");
}

static struct bytes full_hash(struct rig_host *host)
{
    return json_need_text(json_need(rig_status(host), "casemate"), "policy_hash_full");
}

// Policy.md D7: the plain hash does not bind the wallet's keys; the full one does.
TEST(policy_d7_the_full_hash_binds_the_wallets_keys)
{
    static const char *const heads[] = { HEAD, "Name: Vault\nPolicy: 1 of 3\nFormat: p2wsh\n",
                                         HEAD };
    struct bytes plain[COUNT(heads)], full[COUNT(heads)];
    WITH_RIG(rig, host);
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct err err;
        enroll(host, ms_rig_text("Name: Other\n", 2)); // not named: not bound
        enroll(host, ms_rig_text(heads[i], 3));
        rig_activate(host, USES_VAULT);
        plain[i] = json_need_text(rig_status(host), "policy_hash");
        full[i] = full_hash(host);
        device_rig_restart(rig);
        rig_keys(rig, "x");
        host = rig_host_linked(rig);
        assert_true(rig_menu(rig, PANEL_DELETE_WALLET, BYTES("Vault"), &err));
        rig_keys(rig, "y");
        assert_true(rig_menu(rig, PANEL_DELETE_WALLET, BYTES("Other"), &err));
        rig_keys(rig, "y");
    }
    assert_bytes_equal(plain[0], plain[1]);
    assert_false(bytes_equal(full[0], full[1]));
    assert_bytes_equal(full[0], full[2]);
}

// --- Deleting ---

TEST(a_wallet_is_deleted_at_the_panel)
{
    WITH_RIG(rig, host);
    struct err err;
    enroll(host, ms_rig_text(HEAD, 3));
    enroll(host, ms_rig_text("Name: Other\n", 2));
    assert_false(rig_menu(rig, PANEL_DELETE_WALLET, BYTES("vault"), &err));
    assert_err(&err, ERR_NOT_FOUND, "no wallet 'vault'");
    assert_true(rig_menu(rig, PANEL_DELETE_WALLET, BYTES("Vault"), &err));
    assert_bytes_text(rig_screen(rig).title, "Delete wallet?");
    rig_keys(rig, "x");
    assert_status(host, "wallets", "[\"Vault\", \"Other\"]");
    assert_true(rig_menu(rig, PANEL_DELETE_WALLET, BYTES("Vault"), &err));
    rig_keys(rig, "y");
    assert_status(host, "wallets", "[\"Other\"]");
    assert_int_equal(msck(host, 2, 3, xor_of(3)), 0);
    assert_false(rig_menu(rig, PANEL_DELETE_WALLET, BYTES("Vault"), &err));
    // It may come back.
    enroll(host, ms_rig_text(HEAD, 3));
    assert_status(host, "wallets", "[\"Other\", \"Vault\"]");
}

// "Deleting a user or wallet that a saved policy **with `boot_to_hsm`** names is refused"
TEST(policy_d21_a_wallet_that_a_booting_policy_names_stays)
{
    WITH_RIG(rig, host);
    struct err err;
    enroll(host, ms_rig_text(HEAD, 3));
    enroll(host, ms_rig_text("Name: Other\n", 2));
    rig_activate(host, "{\"boot_to_hsm\":\"123456\",\"rules\":[{\"wallet\":\"Vault\"}]}");
    rig_keys(rig, "123456y"); // the escape
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    assert_true(rig_menu(rig, PANEL_DELETE_WALLET, BYTES("Vault"), &err));
    rig_keys(rig, "y");
    assert_screen(rig, "Failure", "in use by policy");
    rig_keys(rig, "y");
    assert_true(rig_menu(rig, PANEL_DELETE_WALLET, BYTES("Other"), &err));
    rig_keys(rig, "y");
    assert_status(host, "wallets", "[\"Vault\"]");
}

TEST(policy_d21_without_boot_the_next_start_tells_of_the_missing_wallet)
{
    WITH_RIG(rig, host);
    struct err err;
    enroll(host, ms_rig_text(HEAD, 3));
    rig_activate(host, USES_VAULT);
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    assert_true(rig_menu(rig, PANEL_DELETE_WALLET, BYTES("Vault"), &err));
    rig_keys(rig, "y");
    assert_status(host, "wallets", "[]");
    assert_error(rig_call(host, &(struct request){ .id = REQUEST_HSMS }),
                 "HSM Policy invalid: rule #1: unknown or ambiguous MS wallet: Vault");
}

// --- Stored ---

TEST(a_stored_wallet_that_cannot_be_read_keeps_the_signer_locked)
{
    WITH_RIG(rig, host);
    struct err err;
    enroll(host, ms_rig_text(HEAD, 3));
    const struct store_wallet damaged = { BYTES("Vault"), BYTES("[]") };
    assert_true(store_put_wallet(rig->store, &damaged, (struct bytes){ 0 }, &err));
    assert_false(device_load_wallets(&rig->device, &err));
    assert_err(&err, ERR_MALFORMED, "wallet 'Vault': stored wallet: not a record");
    assert_int_equal(rig->device.wallets.n, 0);
}

TEST(locking_forgets_the_wallets)
{
    WITH_RIG(rig, host);
    enroll(host, ms_rig_text(HEAD, 3));
    assert_int_equal(rig->device.wallets.n, 1);
    device_rig_stop(rig);
    assert_int_equal(rig->device.wallets.n, 0);
    assert_null(rig->device.wallets_arena);
}

// --- A wallet that a PSBT describes: psbt-signing.md 7.9, setting `pms` ---

// Two of three P2WSH inputs of the reference's wallet msA, with its xpubs.
static struct bytes psbt_with_xpubs(void)
{
    const struct json *cases = json_need(test_vectors("reference_psbt_cases.json"), "cases");
    for (const struct json *c = cases->items; c != NULL; c = c->next)
        if (json_is_text(json_need(c, "id"), "mx-match"))
            return test_base64(json_need_text(c, "psbt"));
    fail_msg("the case is not there");
}

#define DECLINED "Refused to import new wallet"

static void assert_failed(struct rig_host *host, const char *text)
{
    const struct rig_outcome outcome = rig_fetch(host);
    assert_int_equal(outcome.result, RIG_FAILED);
    assert_bytes_text(outcome.data, text);
}

// Without a registered wallet the setting is 1 when it is unset.
TEST(psbt_signing_27_32_an_unknown_wallet_is_offered)
{
    static const int settings[] = { 1, CONFIG_PMS_UNSET };
    for (size_t i = 0; i < COUNT(settings); i++) {
        WITH_RIG(rig, host);
        struct err err;
        rig->device.config.pms = settings[i];
        assert_int_equal(rig_sign(host, psbt_with_xpubs(), 0).result, RIG_WAITING);
        assert_bytes_text(rig_screen(rig).title, "Multisig wallet");
        assert_true(screen_has(rig, "Wallet Name:\n  PSBT-2-of-3\n"));
        rig_keys(rig, "x");
        assert_failed(host, DECLINED);
        assert_status(host, "wallets", "[]");
        // Agreed to, it is registered, and the transaction is asked about next.
        assert_int_equal(rig_sign(host, psbt_with_xpubs(), 0).result, RIG_WAITING);
        rig_keys(rig, "y");
        assert_status(host, "wallets", "[\"PSBT-2-of-3\"]");
        assert_bytes_text(rig_screen(rig).title, "OK TO SEND?");
        assert_true(rig->device.job.facts->tx.signs_multisig);
        rig_keys(rig, "y");
        assert_int_equal(rig_fetch(host).result, RIG_SIGNED);
        // From now on it is known.
        assert_int_equal(rig_sign(host, psbt_with_xpubs(), 0).result, RIG_WAITING);
        assert_bytes_text(rig_screen(rig).title, "OK TO SEND?");
        rig_keys(rig, "x");
        assert_true(device_delete_wallet(&rig->device, BYTES("PSBT-2-of-3"), &err));
    }
}

// Another request comes between: nothing is registered, and the transaction is gone.
TEST(psbt_signing_27_32_an_offer_that_is_dismissed)
{
    WITH_RIG(rig, host);
    rig->device.config.pms = 1;
    assert_int_equal(rig_sign(host, psbt_with_xpubs(), 0).result, RIG_WAITING);
    assert_int_equal(rig_sign(host, rig_payment(rig, 5000), 0).result, RIG_WAITING);
    assert_bytes_text(rig_screen(rig).title, "OK TO SEND?");
    rig_keys(rig, "y");
    assert_int_equal(rig_fetch(host).result, RIG_SIGNED);
    assert_int_equal(rig->device.wallets.n, 0);
}

// A name that is taken gets a number; what cannot be registered is told.
TEST(psbt_signing_27_32_names_of_offered_wallets)
{
    WITH_RIG(rig, host);
    enroll(host, ms_rig_text("Name: PSBT-2-of-3\nPolicy: 1 of 2\n", 2));
    rig->device.config.pms = 1;
    assert_int_equal(rig_sign(host, psbt_with_xpubs(), 0).result, RIG_WAITING);
    assert_true(screen_has(rig, "Wallet Name:\n  PSBT-2-of-3 #2\n"));
    rig_keys(rig, "y");
    assert_status(host, "wallets", "[\"PSBT-2-of-3\", \"PSBT-2-of-3 #2\"]");
}

// D32, D-WALLET: in HSM mode nobody is asked, and xpubs make no wallet.
TEST(psbt_signing_27_32_policy_d32_no_offer_in_hsm_mode)
{
    static const int settings[] = { 1, 2, CONFIG_PMS_UNSET };
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\": [{}], \"warnings_ok\": true}");
    for (size_t i = 0; i < COUNT(settings); i++) {
        rig->device.config.pms = settings[i];
        assert_fails(host, psbt_with_xpubs(), "MS enroll not allowed in HSM mode");
    }
    rig->device.config.pms = 0;
    assert_fails(host, psbt_with_xpubs(), "XPUBs in PSBT do not match any existing wallet");
    assert_int_equal(rig->device.wallets.n, 0);
}
