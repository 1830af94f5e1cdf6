#include "tests/ports/carrier.h"
#include "base/file.h"
#include "base/require.h"
#include "base/secret.h"
#include "client/fake_hidapi.h"
#include "tests/support/psbt_maker.h"
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SERIAL "C0FFEE000001"

static void begin(struct carrier *c, const char *name, enum signer_transport transport)
{
    struct hdkey master;
    struct err err;
    bool is_main;
    *c = (struct carrier){ .name = name };
    REQUIRE(secret_init());
    connection_init();
    c->section = (struct signer_config){ .name = "A", .transport = transport };
    c->options = (struct port_options){ .section = &c->section, .network = "regtest" };
    REQUIRE(hdkey_from_text(&master, &is_main, BYTES(TEST_SEED_XPRV), &err));
    c->options.xfp = hdpub_xfp(&master.pub);
}

static void finish(struct carrier *c)
{
    struct err err;
    if (!port_new(&c->port, &c->options, &err))
        fail_msg("%s: %s", c->name, err.text);
}

void carrier_unix(struct carrier *c)
{
    begin(c, "unix", TRANSPORT_UNIX);
    box_prepare(&c->box, "unix");
    box_start(&c->box);
    c->provisions = c->takes_xkey = true;
    c->section.path = c->box.socket;
    finish(c);
}

// A Coldcard as hidapi shows it, behind which the simulator stands.
void carrier_usb(struct carrier *c)
{
    struct err err;
    begin(c, "usb", TRANSPORT_USB);
    box_prepare(&c->box, "usb");
    box_start(&c->box);
    c->provisions = c->takes_xkey = true;
    (void)snprintf(c->text[0], sizeof c->text[0], "%s/hidraw0", test_dir());
    assert_true(file_replace(c->text[0], BYTES(""), 0600, &err));
    const struct fake_hid device = { .path = c->text[0],
                                     .serial = SERIAL,
                                     .socket = c->box.socket };
    fake_hid_attach(&device);
    c->section.serial = SERIAL;
    finish(c);
}

// A script in the style of Bitcoin Core's external signers, around the command line of the simulator.
void carrier_command(struct carrier *c)
{
    const char *program = getenv("COMMAND_SIGNER"), *casemate = getenv("CASEMATE");
    REQUIRE(program != NULL && casemate != NULL);
    begin(c, "command", TRANSPORT_COMMAND);
    box_prepare(&c->box, "command");
    box_start(&c->box);
    c->section.path = program;
    c->section.args[0] = casemate;
    c->section.args[1] = c->box.socket;
    finish(c);
}

void carrier_drop(struct carrier *c)
{
    port_free(c->port);
    c->port = NULL;
    if (c->other > 0) {
        (void)kill(c->other, SIGKILL);
        (void)waitpid(c->other, NULL, 0);
        c->other = 0;
    }
    box_drop(&c->box);
    fake_hid_detach_all();
}

// --- What tests of any carrier do ---

#define need(call)                                                                                 \
    do {                                                                                           \
        struct err need_err;                                                                       \
        if (!(call))                                                                               \
            fail_msg("%s: %s: %s", c->name, #call, need_err.text);                                 \
    } while (0)

// Through the simulator's own socket where the carrier does not provision.
static void arm_through(struct carrier *c, struct port *port)
{
    const struct port_user owner = { "owner", NWUR_TOTP, BYTES(CARRIER_TOTP) };
    need(port_register(port, box_wallet(), &need_err));
    need(port_enrol(port, &owner, &need_err));
    need(port_load_policy(port, BYTES(CARRIER_POLICY_HEAD), &need_err));
    need(port_activate(port, &need_err));
    port_hang_up(port);
}

void carrier_arm(struct carrier *c)
{
    const struct signer_config section = { .name = "A", .path = c->box.socket };
    struct port_options options = {
        .section = &section, .network = "regtest", .xfp = c->options.xfp, .demo = true
    };
    AUTO(port_freep) struct port *port = NULL;
    need(port_new(&port, &options, &need_err));
    arm_through(c, port);
}

struct port_status carrier_status(struct carrier *c)
{
    struct port_status status;
    need(port_status(c->port, &status, &need_err));
    return status;
}

struct port_answer carrier_sign(struct carrier *c, struct bytes psbt)
{
    struct port_answer answer;
    port_sign(c->port, &answer, psbt, test_arena());
    return answer;
}
