// A whole signer over memory that is full, a database, a disk that fails at any one call: the host gets an error and no
// signature, the next request is served as if nothing had been, and no limit is passed.
#include "signer/master.h"
#include "tests/support/device_checks.h"
#include "tests/support/fault.h"
#include "tests/support/ms_rig.h"

enum { PAID = 1000 };

struct scene {
    struct device_rig *rig;
    struct rig_host *host;
    struct bytes psbt;
};

// What a host is told as the operation's own error; true for any other reply.
static bool said(struct reply reply, struct err *err)
{
    if (reply.id == REPLY_ERR_)
        return err_set(err, ERR_IO, "%.*s", BYTES_ARG(reply.data));
    if (reply.id == REPLY_REFU)
        return err_set(err, ERR_REFUSED, "refused");
    return true;
}

static bool outcome(struct rig_outcome got, struct err *err)
{
    if (got.result == RIG_SIGNED)
        return true;
    return got.result == RIG_FAILED ? err_set(err, ERR_IO, "%.*s", BYTES_ARG(got.data))
                                    : err_set(err, ERR_REFUSED, "refused or waiting");
}

// --- What hosts ask for ---

static uint64_t spent(const struct scene *s)
{
    return s->rig->device.hsm->velocity.spent[0].n;
}

static bool sign_by_policy(struct scene *s, struct err *err)
{
    const uint64_t before = spent(s);
    const bool ok = outcome(rig_sign(s->host, s->psbt, 0), err);
    // A charge without a signature may remain; a signature without its charge may not be.
    if (ok)
        FAULT_CHECK(spent(s) == before + PAID);
    FAULT_CHECK(spent(s) <= before + PAID);
    return ok;
}

static bool sign_text_by_policy(struct scene *s, struct err *err)
{
    return outcome(rig_sign_text(s->host, "a message", "m/84h/1h/0h/0/0"), err);
}

static bool sign_by_key(struct scene *s, struct err *err)
{
    if (!said(rig_stxn(s->host, s->psbt, 0), err))
        return false;
    rig_run(s->rig);
    rig_keys(s->rig, "y");
    return outcome(rig_fetch(s->host), err);
}

static bool sign_text_by_key(struct scene *s, struct err *err)
{
    if (!said(rig_smsg(s->host, "a message", "m/84h/1h/0h/0/0", ADDR_P2WPKH), err))
        return false;
    rig_run(s->rig);
    rig_keys(s->rig, "y");
    const struct reply reply = rig_ask(s->host, REQUEST_SMOK);
    FAULT_CHECK(reply.id != REPLY_OKAY); // the key was pressed
    return said(reply, err);
}

static bool visualize(struct scene *s, struct err *err)
{
    return outcome(rig_sign(s->host, s->psbt, STXN_VISUALIZE), err);
}

static bool show_address(struct scene *s, struct err *err)
{
    const struct request show = { .id = REQUEST_SHOW,
                                  .show = { ADDR_P2WPKH, BYTES("m/84h/1h/0h/0/0") } };
    return said(rig_call(s->host, &show), err);
}

static bool get_xpub(struct scene *s, struct err *err)
{
    return said(
        rig_call(s->host, &(struct request){ .id = REQUEST_XPUB, .data = BYTES("m/84h/1h/0h") }),
        err);
}

static bool add_user(struct scene *s, struct err *err)
{
    return said(rig_nwur(s->host, NWUR_TOTP, BYTES("dave"), BYTES("0123456789")), err);
}

static bool remove_user(struct scene *s, struct err *err)
{
    return said(
        rig_call(s->host, &(struct request){ .id = REQUEST_RMUR, .rmur = { BYTES("alice") } }),
        err);
}

static bool enroll(struct scene *s, struct err *err)
{
    fault_disarm();
    const struct bytes text = ms_rig_text("Name: Another\nPolicy: 2 of 2\nFormat: p2wsh\n", 2);
    const size_t before = s->rig->device.wallets.n;
    rig_upload(s->host, text);
    const struct request enrl = { .id = REQUEST_ENRL,
                                  .enrl = { (uint32_t)text.len, sha256(text) } };
    fault_arm();
    if (!said(rig_call(s->host, &enrl), err))
        return false;
    rig_keys(s->rig, "y");
    // The key is not answered to the host: what became of it is on the screen and in the list.
    return s->rig->device.wallets.n == before + 1 || err_set(err, ERR_IO, "not enrolled");
}

static bool remove_wallet(struct scene *s, struct err *err)
{
    if (!rig_menu(s->rig, PANEL_DELETE_WALLET, BYTES("Vault"), err))
        return false;
    rig_keys(s->rig, "y");
    return s->rig->device.wallets.n == 0 || err_set(err, ERR_IO, "not deleted");
}

static bool offer_policy(struct scene *s, struct err *err)
{
    if (!said(rig_offer(s->host, "{\"rules\":[{\"max_amount\":5}],\"period\":60}"), err))
        return false;
    rig_keys(s->rig, "x");
    return true;
}

static bool activate(struct scene *s, struct err *err)
{
    const char *number = NULL;
    if (!said(rig_offer(s->host, "{\"rules\":[{\"per_period\":5}],\"period\":60,\"set_sl\":"
                                 "\"0123456789abcdef\",\"allow_sl\":1}"),
              err))
        return false;
    for (int page = 0; page < 9 && number == NULL; page++) {
        rig_keys(s->rig, "y");
        const struct bytes text = rig_screen(s->rig).text;
        if (bytes_starts_with(text, BYTES("Last chance.")))
            number = memmem(text.ptr, text.len, "Press (", 7);
    }
    if (number != NULL)
        rig_keys(s->rig, (const char[]){ number[7], 0 });
    const bool is_on = s->rig->device.state == DEVICE_HSM;
    FAULT_CHECK(is_on == (s->rig->device.hsm != NULL));
    return is_on || err_set(err, ERR_IO, "not in HSM mode");
}

static bool take_passphrase(struct scene *s, struct err *err)
{
    const struct request pass = { .id = REQUEST_PASS, .data = BYTES("TREZOR") };
    if (!said(rig_call(s->host, &pass), err))
        return false;
    rig_keys(s->rig, "y");
    const struct reply reply = rig_ask(s->host, REQUEST_PWOK);
    FAULT_CHECK(reply.id != REPLY_OKAY);
    return said(reply, err);
}

// The word that the question is about, from the list that was shown before.
static char right_key(struct scene *s, struct bytes words)
{
    const char *question = arena_text(s->rig->arena, rig_screen(s->rig).text);
    const char *list = arena_text(s->rig->arena, words);
    unsigned number;
    char in_list[8], word[16], line[40];
    if (sscanf(question, "Word %u?", &number) != 1)
        return 0;
    (void)snprintf(in_list, sizeof in_list, "\n%2u: ", number);
    const char *at = strstr(list, in_list);
    FAULT_CHECK(at != NULL && sscanf(at + strlen(in_list), "%15s", word) == 1);
    for (char key = '1'; key <= '3'; key++) {
        (void)snprintf(line, sizeof line, "\n%c: %s\n", key, word);
        if (strstr(question, line) != NULL)
            return key;
    }
    return 0;
}

static bool make_backup(struct scene *s, struct err *err)
{
    if (!said(rig_ask(s->host, REQUEST_BACK), err))
        return false;
    const struct bytes shown = rig_screen(s->rig).text;
    struct bytes words;
    FAULT_CHECK(arena_copy(s->rig->arena, shown, &words));
    rig_keys(s->rig, "y");
    for (char key; (key = right_key(s, words)) != 0;)
        rig_keys(s->rig, (const char[]){ key, 0 });
    const struct reply reply = rig_ask(s->host, REQUEST_BKOK);
    FAULT_CHECK(reply.id != REPLY_OKAY);
    return said(reply, err);
}

static bool read_locker(struct scene *s, struct err *err)
{
    return said(rig_ask(s->host, REQUEST_GSLR), err);
}

static bool get_status(struct scene *s, struct err *err)
{
    return said(rig_ask(s->host, REQUEST_HSTS), err);
}

static bool give_code(struct scene *s, struct err *err)
{
    return said(rig_user(s->host, "bob", BYTES("123456"), 0), err);
}

static bool start_a_link(struct scene *s, struct err *err)
{
    return said(rig_ncry(rig_host_new(s->rig), LINK_V2), err);
}

static bool prove_the_link(struct scene *s, struct err *err)
{
    return said(rig_ask(s->host, REQUEST_MITM), err);
}

static bool unlock_again(struct scene *s, struct err *err)
{
    fault_disarm();
    s->rig->asks_pin = true;
    device_lock(&s->rig->device);
    fault_arm();
    const bool ok = device_unlock(&s->rig->device, RIG_PIN, err);
    FAULT_CHECK(ok == (s->rig->device.state != DEVICE_LOCKED));
    return ok;
}

// --- Each, with one call after the other failing ---

struct request_case {
    const char *name;
    bool (*ask)(struct scene *s, struct err *err);
    bool
        is_once; // a second one is another question: after what was stored before the answer failed
    bool never_fails; // it can do without what fails here
};

struct trial {
    struct scene scene;
    const struct request_case *asked;
};

static bool try_once(void *context, struct err *err)
{
    struct trial *t = context;
    struct err again;
    fault_arm();
    const bool ok = t->asked->ask(&t->scene, err);
    fault_disarm();
    if (ok || !fault_has_struck() || t->asked->is_once)
        return ok;
    // What failed has left nothing behind that stands in the way of the next one.
    if (!t->asked->ask(&t->scene, &again))
        fault_wrong(t->asked->name, again.text, 0);
    return false;
}

static void sweep(struct trial *t, const struct request_case *cases, size_t n)
{
    static const enum fault_kind kinds[] = { FAULT_MEMORY, FAULT_DATABASE, FAULT_SYSTEM };
    fault_spare(t->scene.rig->arena);
    for (size_t i = 0; i < n; i++) {
        unsigned refused = 0;
        t->asked = &cases[i];
        for (size_t k = 0; k < COUNT(kinds); k++) {
            const struct fault_counts counts = fault_sweep(kinds[k], try_once, t);
            refused += counts.refused + counts.stopped;
        }
        if ((refused == 0) != cases[i].never_fails)
            fail_msg("%s: %u failed", cases[i].name, refused);
    }
}

TEST(in_normal_mode_what_fails_is_an_error_and_the_next_request_is_served)
{
    static const struct request_case cases[] = {
        { .name = "sign by key", .ask = sign_by_key },
        { .name = "sign a text by key", .ask = sign_text_by_key },
        { .name = "visualize", .ask = visualize },
        { .name = "show", .ask = show_address, .never_fails = true },
        { .name = "xpub", .ask = get_xpub },
        { .name = "nwur", .ask = add_user, .is_once = true },
        { .name = "rmur", .ask = remove_user },
        { .name = "enrl", .ask = enroll, .is_once = true },
        { .name = "remove a wallet", .ask = remove_wallet, .is_once = true },
        { .name = "hsms", .ask = offer_policy },
        { .name = "ncry", .ask = start_a_link },
        { .name = "mitm", .ask = prove_the_link },
        { .name = "activate", .ask = activate },
        { .name = "pass", .ask = take_passphrase, .is_once = true },
        { .name = "back", .ask = make_backup },
        { .name = "unlock", .ask = unlock_again, .is_once = true },
    };
    WITH_RIG(rig, host);
    rig_add_users(host);
    const struct bytes text = ms_rig_text("Name: Vault\nPolicy: 2 of 3\nFormat: p2wsh\n", 3);
    rig_upload(host, text);
    const struct request enrl = { .id = REQUEST_ENRL,
                                  .enrl = { (uint32_t)text.len, sha256(text) } };
    assert_okay(rig_call(host, &enrl));
    rig_keys(rig, "y");
    struct trial t = { .scene = { rig, host, rig_payment(rig, PAID) } };
    sweep(&t, cases, COUNT(cases));
}

TEST(in_hsm_mode_what_fails_is_an_error_and_no_limit_is_passed)
{
    static const struct request_case cases[] = {
        { .name = "sign", .ask = sign_by_policy },
        { .name = "sign a text", .ask = sign_text_by_policy },
        { .name = "hsts", .ask = get_status },
        { .name = "gslr", .ask = read_locker, .is_once = true },
        { .name = "user", .ask = give_code, .is_once = true, .never_fails = true },
        { .name = "unlock", .ask = unlock_again, .is_once = true },
    };
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"rules\":[{\"per_period\":1000000}],\"period\":60,\"msg_paths\":[\"any\"]"
                       ",\"set_sl\":\"0123456789abcdef\","
                       "\"allow_sl\":5,\"boot_to_hsm\":\"123456\"}");
    struct trial t = { .scene = { rig, host, rig_payment(rig, PAID) } };
    sweep(&t, cases, COUNT(cases));
}
