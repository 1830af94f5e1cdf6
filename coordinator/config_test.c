#include "coordinator/config.h"
#include "tests/support/test.h"

#define STORE "[store]\nsqlite = /var/lib/c/ledger.db\n"

static bool parse(struct coordinator_config *out, const char *text, struct err *err)
{
    return config_parse(out, "f", bytes_of_text(text), test_arena(), err);
}

static const char everything[] =
    "replica = one\napi_threads = 2\nworkers = 3\nexplorer = https://mempool.example/tx/\n" STORE
    "[compat]\nget = on\npublic_status = on\nwallet = cold\n[log]\nlevel = warning\njson = on\n"
    "[node a]\nport = 18443\ncookie = /run/n/.cookie\n"
    "[node b]\nhost = ::1\ncredential_file = /run/c\ntimeout = 5\n"
    "[signer A]\ntransport = unix\npath = /run/casemate/signer-A.sock\npath_owner = casemate\n"
    "restart_command = /usr/bin/systemctl restart casemate-signer@A\n"
    "[signer B]\ntransport = link\nurl = wss://b.example:9824\nclient_cert = /c\nclient_key = /k\n"
    "server_ca = /ca\n"
    "[signer C]\ntransport = usb\nserial = F1F1F1F1F1F1\nboots_to_hsm = on\n"
    "[signer D]\ntransport = command\npath = /usr/bin/hwi\nargs = --stdin  --quiet\n"
    "[listener api]\nbind = 127.0.0.1:0\nhosts = a.example, localhost\n"
    "[listener m]\nbind = 127.0.0.1:9\nauth = none\nserve = metrics\n";

TEST(coordinator_F50_configuration_of_everything)
{
    struct coordinator_config c;
    struct err err;
    if (!parse(&c, everything, &err))
        fail_msg("%s", err.text);
    assert_string_equal(c.sqlite, "/var/lib/c/ledger.db");
    assert_int_equal(c.api_threads, 2);
    assert_int_equal(c.log_level, LOG_WARNING);
    assert_int_equal(c.n_nodes, 2);
    assert_string_equal(c.nodes[0].url, "http://127.0.0.1:18443");
    assert_string_equal(c.nodes[1].url, "http://[::1]:8332");
    assert_string_equal(c.nodes[0].credential_file, "/run/n/.cookie");
    assert_int_equal(c.n_signers, 4);
    assert_string_equal(c.signers[0].restart_command[2], "casemate-signer@A");
    assert_null(c.signers[0].restart_command[3]);
    assert_string_equal(c.signers[3].args[1], "--quiet"); // more than one blank is none more
    assert_ptr_equal(config_signer(&c, BYTES("C")), &c.signers[2]);
    assert_null(config_signer(&c, BYTES("E")));
    assert_int_equal(c.listeners.items[0].auth, LISTENER_TOKEN);
    assert_int_equal(c.listeners.items[1].serve, SERVE_METRICS);
}

TEST(coordinator_D14_defaults)
{
    struct coordinator_config c;
    struct err err;
    assert_true(parse(&c, STORE, &err));
    assert_int_equal(c.listeners.n, 1);
    assert_string_equal(c.listeners.items[0].address, "127.0.0.1"); // never every interface
    assert_int_equal(c.listeners.items[0].port, 8099);
    assert_int_equal(c.listeners.items[0].auth, LISTENER_TOKEN);
    assert_false(c.compat_get); // F42: GET off by default
    assert_false(c.compat_demo);
    assert_false(c.compat_public_status);
}

// Looking for a password between the scheme and an '@' before it read past the end of the text.
TEST(coordinator_F50_an_at_sign_before_the_scheme)
{
    struct coordinator_config c;
    struct err err;
    assert_true(parse(&c, "[store]\npostgres = a@b://c\n", &err));
    assert_true(parse(&c, "[store]\npostgres = postgresql://u@h:1/d\n", &err));
    assert_false(parse(&c, "[store]\npostgres = a@b://u:p@h/d\n", &err));
}

// What is printed is read again as the same.
TEST(coordinator_F50_what_is_printed_is_read)
{
    struct coordinator_config c;
    struct err err;
    struct writer first = writer_growing(test_arena(), 65536);
    struct writer second = writer_growing(test_arena(), 65536);
    assert_true(parse(&c, everything, &err));
    config_write(&first, &c);
    if (!config_parse(&c, "g", writer_bytes(&first), test_arena(), &err))
        fail_msg("%s", err.text);
    config_write(&second, &c);
    assert_bytes_equal(writer_bytes(&first), writer_bytes(&second));
}

static const struct {
    const char *text, *error;
} wrong[] = {
    { "", "f: [store] wants either sqlite or postgres" },
    { "[store]\nsqlite = a\npostgres = postgresql://h/d\n",
      "f: [store] wants either sqlite or postgres" },
    // Secrets come from files only.
    { "[store]\npostgres = postgresql://u:p@h/d\n",
      "f: [store] postgres: a password goes into password_file" },
    { "[store]\npostgres = host=h password=p\n",
      "f: [store] postgres: a password goes into password_file" },
    { STORE "password_file = x\n", "f: [store] password_file is for postgres" },
    { STORE "[node a]\n", "f: [node a] has neither cookie nor credential_file" },
    { STORE "[node a]\ncookie = x\ncredential_file = y\n",
      "f: [node a] has cookie and credential_file" },
    { STORE "[node]\ncookie = x\n", "f:3: a node's name is 1 to 64 of A-Z a-z 0-9 _ - ." },
    { STORE "[signer A]\npath = x\n",
      "f: [signer A] transport is none of unix, usb, link, command" },
    { STORE "[signer A]\ntransport = unix\n", "f: [signer A] path is missing" },
    { STORE "[signer A]\ntransport = usb\n", "f: [signer A] serial is missing" },
    // A link without anything to know the other side by.
    { STORE "[signer A]\ntransport = link\nurl = wss://h:1\nclient_cert = a\nclient_key = b\n",
      "f: [signer A] server_ca or server_pin is needed" },
    { STORE "[listener a]\nbind = 127.0.0.1:1\nrole = admin\n",
      "f: [listener a] role: rights are people's own here" },
    { STORE "[listener a]\nbind = 127.0.0.1:1\nserve = link\nauth = mtls\n",
      "f: [listener a] serve = link is a bunker's" },
    { STORE "[listener a]\nbind = 127.0.0.1:1\nauth = password\n",
      "f: [listener a] auth is one of token, mtls, token+mtls, none" },
    { STORE "[listener a]\nbind = 127.0.0.1:1\nauth = none\n",
      "f: [listener a] auth = none is for serve = metrics and for [compat] demo" },
    { STORE "[listener a]\nbind = 0.0.0.0:1\nauth = none\nserve = metrics\n",
      "listener a: auth = none is for loopback and unix sockets; "
      "allow_unauthenticated_remote = yes overrules this" },
    { STORE "[compat]\ntotp_secret_file = x\n",
      "f: [compat] totp_secret_file and sink_wallet need demo = on" },
    { STORE "[log]\nlevel = loud\n", "f: level is none of debug, info, warning, error" },
    { STORE "[compat]\nsurprise = 1\n", "f:4: unknown key 'surprise'" },
    { STORE "[strange]\n", "f:3: unknown section 'strange'" },
};

TEST(coordinator_F50_a_wrong_file_names_what_is_wrong)
{
    struct coordinator_config c;
    struct err err;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (parse(&c, wrong[i].text, &err))
            fail_msg("case %zu is taken", i);
        if (err.code != ERR_USAGE || strcmp(err.text, wrong[i].error) != 0)
            fail_msg("case %zu: %s", i, err.text);
    }
}
