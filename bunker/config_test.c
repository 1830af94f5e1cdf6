#include "bunker/config.h"
#include "tests/support/test.h"

static bool parse(struct bunker_config *out, const char *text, struct config_request q,
                  struct err *err)
{
    return config_parse(out, "f", bytes_of_text(text), &q, test_arena(), err);
}

TEST(bunker_2_modes_are_presets)
{
    struct bunker_config c;
    struct err err;
    assert_true(parse(&c, "", (struct config_request){ 0 }, &err));
    assert_int_equal(c.listeners.n, 2);
    assert_ptr_equal(c.onion, &c.listeners.items[1]);
    assert_string_equal(c.onion->path, "./data/onion.sock");
    assert_int_equal(c.onion->auth, LISTENER_PASSWORD);
    assert_false(c.onion->loopback); // who comes from there is not on this host
    assert_int_equal(c.roles[1], ROLE_OPERATOR);
    assert_string_equal(c.listeners.items[0].address, "127.0.0.1"); // never every interface
    assert_int_equal(c.listeners.items[0].port, 9823);
    assert_int_equal(c.listeners.items[0].auth, LISTENER_PASSWORD);
    assert_null(c.device_path); // a socket is used only if it is named
    assert_false(c.usb);
    assert_true(parse(&c, "", (struct config_request){ .local = true }, &err));
    assert_int_equal(c.listeners.items[0].auth, 0);
    assert_int_equal(c.roles[0], ROLE_ADMIN);
    assert_true(c.local_mode);
    assert_null(c.onion);
    assert_null(c.tor_control);
    assert_true(parse(&c, "", (struct config_request){ .setup = true }, &err));
    assert_true(c.setup_mode);
    assert_int_equal(c.listeners.items[0].auth, 0);
    assert_false(
        parse(&c, "", (struct config_request){ .local = true, .listen = "0.0.0.0:1" }, &err));
    assert_err(&err, ERR_USAGE,
               "listener local: auth = none is for loopback and unix sockets; "
               "allow_unauthenticated_remote = yes overrules this");
}

TEST(bunker_14_the_onion_services_listener)
{
    static const struct {
        const char *text, *why; // why NULL: it is taken
    } cases[] = {
        { "[tor]\ncontrol = none\n", NULL },
        { "[tor]\nauth = password+totp\nrole = admin\nsocket = /run/x\n", NULL },
        { "[tor]\nauth = none\n", "[tor] auth: onion visitors always give a password" },
        { "[tor]\nauth = token\n", "[tor] auth: onion visitors always give a password" },
        { "[tor]\nsocket = /a b\n", "[tor] socket: too long, or with blanks or commas" },
        { "[tor]\nsocket = /a,b\n", "[tor] socket: too long, or with blanks or commas" },
        { "[tor]\nrole = king\n",
          "listener onion: role 'king' is none of viewer, operator, admin" },
    };
    struct bunker_config c;
    struct err err;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const bool ok = parse(&c, cases[i].text, (struct config_request){ 0 }, &err);
        if (ok != (cases[i].why == NULL) || (!ok && strcmp(err.text, cases[i].why) != 0))
            fail_msg("case %zu: %s", i, ok ? "taken" : err.text);
    }
    assert_true(parse(&c, "[tor]\ncontrol = none\n", (struct config_request){ 0 }, &err));
    assert_null(c.onion);
}

TEST(bunker_13_our_format)
{
    struct bunker_config c;
    struct err err;
    if (!parse(&c,
               "max_idle_time = 60\nslot_mode = shared\ncompat_message_signed = off\n"
               "[device]\npath = /run/s.sock\npath_owner = casemate\n"
               "[broadcast]\nbackend = bitcoind\nnode_url = http://127.0.0.1:18443\n"
               "[listener a]\nbind = 127.0.0.1:1\nauth = none\nrole = viewer\n",
               (struct config_request){ 0 }, &err))
        fail_msg("%s", err.text);
    assert_int_equal(c.max_idle_time, 60);
    assert_true(c.shared_slot);
    assert_int_equal(c.compat_message_signed, MESSAGE_OFF);
    assert_string_equal(c.device_path, "/run/s.sock");
    assert_int_equal(c.broadcast, BROADCAST_BITCOIND);
    assert_int_equal(c.roles[0], ROLE_VIEWER);
}

// What --check-config prints is read again as the same.
TEST(bunker_13_what_is_printed_is_read)
{
    struct bunker_config c;
    struct err err;
    struct writer first = writer_growing(test_arena(), 65536);
    struct writer second = writer_growing(test_arena(), 65536);
    assert_true(parse(&c,
                      "[listener a]\nbind = [::1]:5\nauth = password+totp\n[device]\npath = /x\n",
                      (struct config_request){ 0 }, &err));
    config_write(&first, &c);
    const char *text = arena_text(test_arena(), writer_bytes(&first));
    if (!parse(&c, text, (struct config_request){ 0 }, &err))
        fail_msg("%s in %s", err.text, text);
    config_write(&second, &c);
    assert_bytes_equal(writer_bytes(&first), writer_bytes(&second));
}

TEST(bunker_13_the_format_of_the_reference)
{
    struct bunker_config c;
    struct err err;
    assert_true(parse(&c,
                      "PORT_NUMBER: 9000\nMAX_IDLE_TIME: 5\nMASTER_PW: test1234\nport_number: 3\n"
                      "SIMULATOR_SOCK: /tmp/x.sock\nTOR_SOCKS: 'socks5h://127.0.0.1:9050'\n",
                      (struct config_request){ .local = true }, &err));
    assert_int_equal(c.listeners.items[0].port, 9000);
    assert_int_equal(c.max_idle_time, 5);
    assert_true(c.had_default_password);
    assert_int_equal(c.n_ignored, 1);
    assert_string_equal(c.ignored, "port_number");
    assert_string_equal(c.device_path, "/tmp/x.sock");
    assert_string_equal(c.socks, "socks5h://127.0.0.1:9050");
}

static const struct {
    const char *file, *text;
} bad[] = {
    { "nonsense = 1\n", "f:1: unknown key 'nonsense'" },
    { "[device]\nbackend = usb\npath = /x\n", "[device]: backend = usb has no path" },
    { "slot_mode = odd\n", "f: slot_mode: 'odd' is no such thing" },
    { "[listener a]\nbind = 127.0.0.1:1\nrole = king\n",
      "listener a: role 'king' is none of viewer, operator, admin" },
    { "PORT_NUMBER: 0\n", "f:1: PORT_NUMBER: '0' is out of range" },
    { "PORT_NUMBER: 1\nX\n", "f: 2: is no KEY: value" },
};

TEST(bunker_13_faults_of_a_file)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bunker_config c;
        struct err err;
        assert_false(parse(&c, bad[i].file, (struct config_request){ 0 }, &err));
        assert_string_equal(err.text, bad[i].text);
    }
}

#define LINK                                                                                       \
    "[listener link]\nbind = 127.0.0.1:9824\nserve = link\nauth = mtls\ntls_cert = c\n"            \
    "tls_key = k\nclient_ca = a\n"

// What was read is written so that it is read as the same.
TEST(bunker_51_listeners_of_signer_links)
{
    static const struct {
        const char *text, *why; // why NULL: it is taken
    } cases[] = {
        { LINK "link_names = coordinator-a, laptop\nlink_provision = yes\n", NULL },
        { LINK "link_names = a\nhosts = bunker.example\n", NULL },
        { LINK, "listener link: serve = link needs auth = mtls alone, and link_names" },
        { LINK "link_names = a\nrole = admin\n", "listener link: serve = link has no role" },
        { "[listener link]\nbind = 127.0.0.1:1\nserve = link\nauth = none\nlink_names = a\n",
          "listener link: serve = link needs auth = mtls alone, and link_names" },
        { "[listener link]\nbind = 127.0.0.1:1\nserve = link\nauth = mtls+password\ntls_cert = c\n"
          "tls_key = k\nclient_ca = a\nlink_names = a\n",
          "listener link: serve = link needs auth = mtls alone, and link_names" },
    };
    struct bunker_config c, again;
    struct err err;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct writer w = writer_growing(test_arena(), 1 << 16);
        const bool ok = parse(&c, cases[i].text, (struct config_request){ 0 }, &err);
        if (ok != (cases[i].why == NULL) || (!ok && strcmp(err.text, cases[i].why) != 0))
            fail_msg("case %zu: %s", i, err.text);
        if (!ok)
            continue;
        config_write(&w, &c);
        writer_u8(&w, 0);
        const char *written = strstr((const char *)w.ptr, "[listener link]");
        const char *end = written != NULL ? strstr(written + 1, "\n[listener ") : NULL;
        assert_non_null(written);
        char section[2000];
        (void)snprintf(section, sizeof section, "%.*s\n",
                       end != NULL ? (int)(end - written) : (int)strlen(written), written);
        if (!parse(&again, section, (struct config_request){ 0 }, &err))
            fail_msg("%s", err.text);
        const struct listener *a = &c.listeners.items[0], *b = &again.listeners.items[0];
        assert_true(b->serve == SERVE_LINK && b->auth == LISTENER_MTLS);
        assert_int_equal(a->link_provision, b->link_provision);
        assert_int_equal(a->n_link_names, b->n_link_names);
        for (size_t k = 0; k < a->n_link_names; k++)
            assert_bytes_equal(a->link_names[k], b->link_names[k]);
        assert_bytes_equal(a->hosts[0], b->hosts[0]);
    }
}
