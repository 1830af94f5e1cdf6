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

// --- A bunker's signer link, TLS 1.3 with certificates on both sides ---

static void make_certificate(const char *kind, const char *folder, const char *name)
{
    const char *bunker = getenv("CASEMATE_BUNKER");
    char log[300];
    int status;
    REQUIRE(bunker != NULL);
    const char *const argv[] = { bunker, "cert", kind, folder, name, NULL };
    (void)snprintf(log, sizeof log, "%s/cert.log", test_dir());
    assert_int_equal(waitpid(box_spawn(argv, log), &status, 0) > 0, true);
    assert_int_equal(status, 0);
}

// Writes its configuration and starts it on a port of the kernel's choice. Returns the port.
static unsigned start_bunker(struct carrier *c, const char *folder)
{
    char config[300], log[300], text[2000];
    struct bytes said = { 0 };
    struct err err;
    (void)snprintf(config, sizeof config, "%s/bunker.conf", test_dir());
    (void)snprintf(log, sizeof log, "%s/bunker.log", test_dir());
    (void)snprintf(text, sizeof text,
                   "data_files = %s/data\nreconnect_delay = 1\n[device]\npath = %s\n[broadcast]\n"
                   "backend = none\n[tor]\ncontrol = none\n[listener link]\nbind = 127.0.0.1:0\n"
                   "serve = link\nauth = mtls\ntls_cert = %s/127.0.0.1.crt\ntls_key = "
                   "%s/127.0.0.1.key\nclient_ca = %s/ca.crt\nlink_names = coordinator\n"
                   "link_provision = yes\n",
                   test_dir(), c->box.socket, folder, folder, folder);
    assert_true(file_replace(config, bytes_of_text(text), 0600, &err));
    const char *const argv[] = { getenv("CASEMATE_BUNKER"), "-c", config, "run", NULL };
    c->other = box_spawn(argv, log);
    for (int ms = 0; ms < 30000; ms += 20) {
        static const char mark[] = "at=https://127.0.0.1:";
        if (file_read(&said, log, 1 << 20, test_arena(), &err)) {
            const char *at = memmem(said.ptr, said.len, mark, sizeof mark - 1);
            if (at != NULL)
                return (unsigned)strtoul(at + sizeof mark - 1, NULL, 10);
        }
        box_pause_ms(20);
    }
    fail_msg("the bunker does not listen: %.*s", BYTES_ARG(said));
    return 0;
}

void carrier_link(struct carrier *c)
{
    char folder[200];
    begin(c, "link", TRANSPORT_LINK);
    box_prepare(&c->box, "link");
    box_start(&c->box);
    c->provisions = true;
    (void)snprintf(folder, sizeof folder, "%s/ca", test_dir());
    make_certificate("ca", folder, NULL);
    make_certificate("server", folder, "127.0.0.1");
    make_certificate("client", folder, "coordinator");
    (void)snprintf(c->text[0], sizeof c->text[0], "wss://127.0.0.1:%u/device",
                   start_bunker(c, folder));
    (void)snprintf(c->text[1], sizeof c->text[1], "%s/coordinator.crt", folder);
    (void)snprintf(c->text[2], sizeof c->text[2], "%s/coordinator.key", folder);
    (void)snprintf(c->text[3], sizeof c->text[3], "%s/ca.crt", folder);
    c->section.url = c->text[0];
    c->section.client_cert = c->text[1];
    c->section.client_key = c->text[2];
    c->section.server_ca = c->text[3];
    finish(c);
    struct port_status status; // the bunker finds its device in its own time
    struct err err = { .text = "" };
    for (int ms = 0; !port_status(c->port, &status, &err); ms += 100) {
        if (ms >= 20000)
            fail_msg("link: %s", err.text);
        box_pause_ms(100);
    }
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
