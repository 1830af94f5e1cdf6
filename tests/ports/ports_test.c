// One suite for every way to a signer: what holds over a unix socket holds over USB, a link and a command.
#include "base/require.h"
#include "crypto/otp.h"
#include "crypto/random.h"
#include "tests/ports/carrier.h"
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// --- What every carrier does ---

static void says_who_it_is(struct carrier *c)
{
    struct port_hello hello;
    struct err err;
    assert_true(port_hello(c->port, &hello, &err));
    assert_memory_equal(hello.xfp.b, c->options.xfp.b, 4);
    assert_int_equal(hello.max_psbt, 2097152);
    if (c->section.transport == TRANSPORT_COMMAND) {
        assert_string_equal(hello.kind, "command");
        assert_string_equal(hello.model, "command of the tests");
        assert_int_equal(hello.abilities, 0);
        return;
    }
    assert_string_equal(hello.kind, "simulator");
    assert_string_equal(hello.model, "mk4");
    assert_string_equal(hello.firmware, "5.6.1");
    assert_true((hello.abilities & PORT_TELLS_VELOCITY) != 0);
    assert_true((hello.abilities & PORT_SIGNS_MESSAGES) != 0);
    assert_int_equal((hello.abilities & PORT_PROVISIONS) != 0, c->provisions);
    assert_int_equal(hello.abilities & PORT_REBOOTS, 0);
}

// Nothing is asked of a device that is not the expected one.
static void is_the_expected_one(struct carrier *c)
{
    struct port_options options = c->options;
    AUTO(port_freep) struct port *port = NULL;
    struct port_status status;
    struct err err;
    port_hang_up(c->port);
    options.xfp.b[0] ^= 1;
    assert_true(port_new(&port, &options, &err));
    assert_false(port_status(port, &status, &err));
    if (c->section.transport == TRANSPORT_COMMAND)
        assert_err(&err, ERR_NOT_FOUND, "no device has the fingerprint 0E056943");
    else
        assert_err(&err, ERR_AUTH, "another device: fingerprint 0F056943, not 0E056943");
    struct port_answer answer;
    port_sign(port, &answer, box_payment(1000, 1), test_arena());
    assert_int_equal(answer.outcome,
                     c->section.transport == TRANSPORT_COMMAND ? PORT_REFUSED : PORT_UNSENT);
}

static void has_the_pinned_key(struct carrier *c)
{
    struct port_options options = c->options;
    AUTO(port_freep) struct port *port = NULL;
    struct port_hello hello, first;
    struct err err;
    if (c->section.transport == TRANSPORT_COMMAND)
        return;
    assert_true(port_hello(c->port, &first, &err));
    port_hang_up(c->port);
    options.pin_xpub = first.xpub;
    assert_true(port_new(&port, &options, &err));
    if (!port_hello(port, &hello, &err)) // and proves it
        fail_msg("%s", err.text);
    port_free(port);
    // BIP-32's test vector 1
    options.pin_xpub =
        "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD26"
        "5TMg7usUDFdp6W1EGMcet8";
    assert_true(port_new(&port, &options, &err));
    assert_false(port_hello(port, &hello, &err));
    assert_err(&err, ERR_AUTH, "another device: its master key is not the pinned one");
}

// Wallet, user, policy, each read back; A6's order.
static void is_given_what_it_needs(struct carrier *c)
{
    const struct port_user owner = { "owner", NWUR_TOTP, BYTES(CARRIER_TOTP) };
    enum port_wallet known;
    struct err err;
    if (!c->provisions) {
        if (c->section.transport == TRANSPORT_COMMAND) {
            assert_false(port_register(c->port, box_wallet(), &err));
            assert_err(&err, ERR_UNSUPPORTED, "a command signer cannot do that");
        }
        carrier_arm(c);
        return;
    }
    struct port_status s = carrier_status(c);
    assert_true(s.tells && !s.active && s.tells_wallets && s.n_wallets == 0 && s.n_users == 0);
    assert_true(port_knows_wallet(c->port, &known, box_wallet(), &err));
    assert_int_equal(known, PORT_WALLET_ABSENT);
    if (!port_register(c->port, box_wallet(), &err))
        fail_msg("%s", err.text);
    // Without demo mode somebody at the device confirms.
    assert_true(port_knows_wallet(c->port, &known, box_wallet(), &err));
    assert_int_equal(known, PORT_WALLET_ABSENT);
    box_keys(&c->box, "yyyyyy");
    assert_true(port_knows_wallet(c->port, &known, box_wallet(), &err));
    assert_int_equal(known, PORT_WALLET_HINTED);
    assert_true(port_register(c->port, box_wallet(), &err)); // again: fine
    assert_true(port_enrol(c->port, &owner, &err));
    assert_true(port_enrol(c->port, &owner, &err));
    s = carrier_status(c);
    assert_true(port_status_has_user(&s, "owner"));
    assert_false(port_status_has_user(&s, "owne"));
    assert_string_equal(s.wallets[0], "treasury");
    assert_false(port_load_policy(c->port, BYTES("{\"rules\": [{\"users\": [\"bob\"]}]}"), &err));
    assert_err(&err, ERR_INVALID, "Coldcard Error: HSM Policy invalid: rule #1: Unknown user: bob");
    assert_true(port_load_policy(c->port, BYTES(CARRIER_POLICY_HEAD), &err));
    s = carrier_status(c);
    assert_true(s.approval_wait && !s.active);
    assert_false(port_activate(c->port, &err));
    assert_err(&err, ERR_UNSUPPORTED, "a person must approve it at the signer's panel or keypad");
    assert_false(port_load_policy(c->port, BYTES(CARRIER_POLICY_HEAD), &err));
    assert_int_equal(err.code, ERR_BUSY);
    box_arm(&c->box);
    assert_true(port_activate(c->port, &err)); // it is
}

static void is_ready(struct carrier *c)
{
    enum port_wallet known;
    struct err err;
    if (c->section.transport == TRANSPORT_COMMAND) {
        const struct port_status s = carrier_status(c);
        assert_false(s.tells || s.active);
        return;
    }
    const struct port_status s = carrier_status(c);
    assert_true(s.tells && s.active && s.has_counters && s.tells_velocity);
    assert_int_equal(strlen(s.policy_hash), 64);
    assert_int_equal(s.approvals + s.refusals + s.n_spent, 0);
    assert_false(s.period_runs);
    assert_true(s.uptime_ms >= 0 && s.uptime_ms < 3600000);
    assert_string_equal(s.last_refusal, "");
    assert_true(port_status_has_user(&s, "owner"));
    assert_true(port_knows_wallet(c->port, &known, box_wallet(), &err));
    assert_int_equal(known, PORT_WALLET_PROVED); // by its first address
}

static void signs(struct carrier *c)
{
    const struct bytes psbt = box_payment(700000, 2);
    const struct port_answer a = carrier_sign(c, psbt);
    if (a.outcome != PORT_SIGNED)
        fail_msg("%s: outcome %d, %s", c->name, a.outcome, a.text);
    assert_true(box_is_signed(psbt, a.psbt));
    if (c->section.transport == TRANSPORT_COMMAND)
        return;
    const struct port_status s = carrier_status(c);
    assert_int_equal(s.approvals, 1);
    assert_true(s.period_runs && s.period_left_s > 3000 && s.period_left_s <= 3600);
    assert_int_equal(s.n_spent, 2);
    assert_int_equal(s.spent[0].n, 700000);
    assert_int_equal(s.spent[1].n, 0);
}

// The refusal in the device's words, and its tag.
static void refuses(struct carrier *c)
{
    const struct port_answer a = carrier_sign(c, box_payment(1000001, 3));
    assert_int_equal(a.outcome, PORT_REFUSED);
    if (c->section.transport == TRANSPORT_COMMAND)
        return; // in whatever words its program has
    assert_string_equal(a.text,
                        "Rejected: rule #1: amount exceeded, rule #2: need user(s) confirmation");
    assert_int_equal(a.tag, REFUSAL_USER);
    const struct port_status s = carrier_status(c);
    assert_int_equal(s.refusals, 1);
    assert_string_equal(s.last_refusal, a.text);
    assert_int_equal(s.tag, REFUSAL_USER);
}

static void says_what_it_cannot_read(struct carrier *c)
{
    uint8_t mem[200];
    memset(mem, 0, sizeof mem);
    memcpy(mem, "psbt\xff", 5);
    const struct port_answer a = carrier_sign(c, BYTES_OF(mem));
    assert_int_equal(a.outcome, PORT_REFUSED);
    if (c->section.transport == TRANSPORT_COMMAND)
        return;
    assert_string_equal(a.text, "Coldcard Error: PSBT parse failed");
    assert_int_equal(a.tag, REFUSAL_PROTOCOL);
}

static void relays_a_code(struct carrier *c)
{
    const uint32_t step = (uint32_t)(time(NULL) / 30);
    char code[OTP_TEXT_SIZE];
    struct err err;
    if (c->section.transport == TRANSPORT_COMMAND)
        return;
    otp_code(code, BYTES(CARRIER_TOTP), step);
    const struct port_auth auth = { "owner", bytes_of_text(code), step };
    const struct bytes psbt = box_payment(2000000, 4);
    assert_true(port_auth(c->port, &auth, &err));
    const struct port_answer a = carrier_sign(c, psbt);
    assert_int_equal(a.outcome, PORT_SIGNED);
    assert_true(box_is_signed(psbt, a.psbt));
    // The same code again.
    assert_true(port_auth(c->port, &auth, &err));
    const struct port_answer b = carrier_sign(c, box_payment(2000000, 5));
    assert_int_equal(b.outcome, PORT_REFUSED);
    assert_string_equal(b.text, "User 'owner' gave wrong auth value: replay");
    assert_int_equal(b.tag, REFUSAL_USER);
}

static void signs_a_message(struct carrier *c)
{
    struct port_message m;
    struct err err;
    const bool ok =
        port_sign_message(c->port, &m, "m/48h/1h/0h/2h/0/0", BYTES("two of three"), &err);
    if (c->section.transport == TRANSPORT_COMMAND) {
        assert_false(ok);
        return;
    }
    assert_true(ok);
    assert_int_equal(strlen(m.address), 42);
    assert_in_range(m.signature[0], 39, 42); // P2WPKH
    assert_false(port_sign_message(c->port, &m, "m/0", BYTES("a   b"), &err));
    assert_err(&err, ERR_INVALID, "Coldcard Error: too many spaces together in msg(max. 3)");
}

// What is gone, or hangs, is told as that, within its time; and when it is back it is used again.
static void goes_away_and_comes_back(struct carrier *c)
{
    struct port_status status;
    struct err err;
    box_kill(&c->box);
    const struct port_answer a = carrier_sign(c, box_payment(1000, 6));
    if (c->section.transport == TRANSPORT_COMMAND) {
        assert_int_not_equal(a.outcome, PORT_SIGNED);
    } else {
        assert_int_equal(a.outcome, PORT_UNSENT);
        assert_int_equal(a.tag, REFUSAL_UNREACHABLE);
    }
    assert_false(port_status(c->port, &status, &err));
    box_start_saved(&c->box);
    for (int i = 0; !port_status(c->port, &status, &err) && i < 50; i++)
        box_pause_ms(100); // a bunker looks for its device now and then
    const struct bytes psbt = box_payment(1000, 7);
    struct port_answer b = carrier_sign(c, psbt);
    for (int i = 0; b.outcome == PORT_BUSY && i < 50; i++) {
        box_pause_ms(100);
        b = carrier_sign(c, psbt);
    }
    if (b.outcome != PORT_SIGNED)
        fail_msg("%s: outcome %d, %s", c->name, b.outcome, b.text);
}

static void hangs(struct carrier *c)
{
    struct port_status status;
    struct err err;
    struct timespec before, after;
    if (c->section.transport == TRANSPORT_COMMAND)
        return; // its program waits as long as it likes
    assert_true(port_status(c->port, &status, &err));
    box_freeze(&c->box);
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_false(port_status(c->port, &status, &err));
    clock_gettime(CLOCK_MONOTONIC, &after);
    box_thaw(&c->box);
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_in_range(after.tv_sec - before.tv_sec, 2, 5); // 3 s
}

static const struct {
    const char *name;
    void (*run)(struct carrier *c);
} suite[] = {
    { "says who it is", says_who_it_is },
    { "is the expected one", is_the_expected_one },
    { "has the pinned key", has_the_pinned_key },
    { "is given what it needs", is_given_what_it_needs },
    { "is ready", is_ready },
    { "signs", signs },
    { "refuses", refuses },
    { "says what it cannot read", says_what_it_cannot_read },
    { "relays a code", relays_a_code },
    { "signs a message", signs_a_message },
    { "hangs", hangs },
    { "goes away and comes back", goes_away_and_comes_back },
};

static void run_suite(carrier_make *make)
{
    AUTO(carrier_drop) struct carrier c;
    make(&c);
    for (size_t i = 0; i < COUNT(suite); i++) {
        print_message("# %s: %s\n", c.name, suite[i].name);
        suite[i].run(&c);
    }
}

TEST(coordinator_F35_F36_unix_socket)
{
    run_suite(carrier_unix);
}

TEST(coordinator_F35_F36_usb)
{
    run_suite(carrier_usb);
}

TEST(coordinator_F35_F36_signer_link)
{
    run_suite(carrier_link);
}

TEST(coordinator_F35_command)
{
    run_suite(carrier_command);
}

// A6: in demo mode a simulator is brought all the way by key presses.
TEST(coordinator_F6_demo_arms_by_keys)
{
    AUTO(carrier_drop) struct carrier c;
    struct port_hello hello;
    struct err err;
    carrier_unix(&c);
    port_free(c.port);
    c.options.demo = true;
    assert_true(port_new(&c.port, &c.options, &err));
    assert_true(port_hello(c.port, &hello, &err));
    assert_true((hello.abilities & PORT_ACTIVATES_ALONE) != 0);
    carrier_arm(&c);
    assert_true(carrier_status(&c).active);
    // After a restart that forgot everything, all of it again.
    box_kill(&c.box);
    box_forget(&c.box);
    box_start(&c.box);
    port_hang_up(c.port);
    assert_false(carrier_status(&c).active);
    carrier_arm(&c);
    assert_true(carrier_status(&c).active);
}

// A question that is open is somebody's, but for a simulator's in demo mode.
TEST(coordinator_F6_open_question)
{
    AUTO(carrier_drop) struct carrier c;
    const struct port_user owner = { "owner", NWUR_TOTP, BYTES(CARRIER_TOTP) };
    struct err err;
    carrier_unix(&c);
    port_free(c.port);
    c.options.demo = true;
    assert_true(port_new(&c.port, &c.options, &err));
    assert_true(port_register(c.port, box_wallet(), &err));
    assert_true(port_enrol(c.port, &owner, &err));
    assert_true(port_load_policy(c.port, BYTES("{\"rules\": []}"), &err));
    assert_true(carrier_status(&c).approval_wait);
    assert_true(port_load_policy(c.port, BYTES(CARRIER_POLICY_HEAD), &err));
    assert_true(port_activate(c.port, &err));
    enum port_wallet known;
    assert_true(port_knows_wallet(c.port, &known, box_wallet(), &err));
    assert_int_equal(known, PORT_WALLET_PROVED); // the second policy, not the first
}

// The socket's owner is who may be believed to be the signer.
TEST(coordinator_F35_socket_of_anybody)
{
    AUTO(carrier_drop) struct carrier c;
    struct port_status status;
    struct err err;
    char text[300];
    carrier_unix(&c);
    assert_int_equal(chmod(c.box.socket, 0666), 0);
    assert_false(port_status(c.port, &status, &err));
    (void)snprintf(text, sizeof text, "%s: anybody may write to it", c.box.socket);
    assert_err(&err, ERR_AUTH, text);
    assert_int_equal(chmod(c.box.socket, 0660), 0);
    assert_true(port_status(c.port, &status, &err));
    if (geteuid() != 0)
        return; // nobody else to give it to
    port_hang_up(c.port);
    assert_int_equal(chown(c.box.socket, 65534, 65534), 0);
    assert_false(port_status(c.port, &status, &err));
    (void)snprintf(text, sizeof text, "%s: belongs to another user; see path_owner", c.box.socket);
    assert_err(&err, ERR_AUTH, text);
    c.section.path_owner = "nobody";
    assert_true(port_status(c.port, &status, &err));
}

TEST(coordinator_F35_restart_command)
{
    AUTO(carrier_drop) struct carrier c;
    struct err err;
    char path[300];
    carrier_unix(&c);
    assert_false(port_reboot(c.port, &err));
    assert_err(&err, ERR_UNSUPPORTED, "no restart_command is configured");
    (void)snprintf(path, sizeof path, "%s/restarted", test_dir());
    c.section.restart_command[0] = "/usr/bin/touch";
    c.section.restart_command[1] = path;
    struct port_options options = c.options;
    port_free(c.port);
    assert_true(port_new(&c.port, &options, &err));
    assert_true(port_reboot(c.port, &err));
    assert_int_equal(access(path, F_OK), 0);
}
