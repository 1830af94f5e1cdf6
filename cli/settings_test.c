#include "cli/settings.h"
#include "base/file.h"
#include "tests/support/test.h"
#include <sys/stat.h>

static const char *in_dir(const char *name)
{
    char *path = arena_alloc(test_arena(), 300);
    snprintf(path, 300, "%s/%s", test_dir(), name);
    return path;
}

static void put_file(const char *path, const char *content)
{
    struct err err;
    assert_true(file_replace(path, bytes_of_text(content), 0600, &err));
}

static void set(const char *name, const char *value)
{
    assert_int_equal(value != NULL ? setenv(name, value, 1) : unsetenv(name), 0);
}

// Who says what: option, environment, file; which one counts. "x" is the simulator.
TEST(cli_7_1_options_over_environment_over_file)
{
    static const struct {
        const char *o_socket, *o_serial;
        bool o_simulator;
        const char *env_socket, *env_serial, *file;
        const char *socket, *serial;
        bool simulator;
    } rows[] = {
        { "a", "b", true, "c", "d", "socket = e\n", "a", NULL, false },
        { NULL, "b", true, "c", "d", "socket = e\n", NULL, NULL, true },
        { NULL, "b", false, "c", "d", "socket = e\n", NULL, "b", false },
        { NULL, NULL, false, "c", "d", "socket = e\n", "c", NULL, false },
        { NULL, NULL, false, NULL, "d", "socket = e\n", NULL, "d", false },
        { NULL, NULL, false, "", "d", "socket = e\n", NULL, "d", false }, // empty is not set
        { NULL, NULL, false, NULL, NULL, "socket = e\n", "e", NULL, false },
        { NULL, NULL, false, NULL, NULL, "serial = f\n", NULL, "f", false },
        { NULL, NULL, false, NULL, NULL, "# nothing\n", NULL, NULL, false },
    };
    const char *path = in_dir("casemate.conf");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct options o = { .socket = rows[i].o_socket,
                                   .serial = rows[i].o_serial,
                                   .simulator = rows[i].o_simulator,
                                   .config = path };
        struct settings s;
        struct err err;
        put_file(path, rows[i].file);
        set("CASEMATE_SOCKET", rows[i].env_socket);
        set("CASEMATE_SERIAL", rows[i].env_serial);
        assert_true(settings_read(&s, &o, test_arena(), &err));
        assert_bytes_text(bytes_of_text(s.socket), rows[i].socket != NULL ? rows[i].socket : "");
        assert_bytes_text(bytes_of_text(s.serial), rows[i].serial != NULL ? rows[i].serial : "");
        assert_int_equal(s.simulator, rows[i].simulator);
    }
    set("CASEMATE_SOCKET", NULL);
    set("CASEMATE_SERIAL", NULL);
}

// A pin stays in force whichever signer is named.
TEST(cli_7_1_pins)
{
    const char *path = in_dir("casemate.conf");
    const struct options named = { .socket = "a", .config = path };
    const struct options pinned = { .pin_xpub = "p1", .config = path };
    struct settings s;
    struct err err;
    put_file(path, "socket = e\npin_xpub = p3\n");
    assert_true(settings_read(&s, &named, test_arena(), &err));
    assert_string_equal(s.pin_xpub, "p3");
    set("CASEMATE_PIN_XPUB", "p2");
    assert_true(settings_read(&s, &named, test_arena(), &err));
    assert_string_equal(s.pin_xpub, "p2");
    assert_true(settings_read(&s, &pinned, test_arena(), &err));
    assert_string_equal(s.pin_xpub, "p1");
    set("CASEMATE_PIN_XPUB", NULL);
}

// A bunker is another device; who vouches for it comes from one place.
TEST(bunker_51_bunkers_and_their_certificates)
{
    const char *path = in_dir("casemate.conf");
    const struct options none = { .config = path };
    const struct options socket = { .socket = "a", .config = path };
    const struct options pinned = {
        .bunker = "u2", .tls_pin = "p", .tls_key = "k2", .config = path
    };
    const struct options both = { .bunker = "u2", .serial = "s", .config = path };
    struct settings s;
    struct err err;
    put_file(path, "bunker = u\ntls_cert = c\ntls_key = k\ntls_ca = a\n");
    assert_true(settings_read(&s, &none, test_arena(), &err));
    assert_string_equal(s.bunker, "u");
    assert_string_equal(s.tls_cert, "c");
    assert_string_equal(s.tls_key, "k");
    assert_string_equal(s.tls_ca, "a");
    assert_null(s.tls_pin);
    assert_true(settings_read(&s, &pinned, test_arena(), &err));
    assert_string_equal(s.bunker, "u2");
    assert_string_equal(s.tls_cert, "c");
    assert_string_equal(s.tls_key, "k2");
    assert_null(s.tls_ca);
    assert_string_equal(s.tls_pin, "p");
    assert_true(settings_read(&s, &socket, test_arena(), &err));
    assert_null(s.bunker);
    assert_string_equal(s.socket, "a");
    assert_false(settings_read(&s, &both, test_arena(), &err));
    assert_err(&err, ERR_USAGE, "--bunker and another device: which is it?");
    set("CASEMATE_BUNKER", "u3");
    set("CASEMATE_SOCKET", "c");
    assert_true(settings_read(&s, &none, test_arena(), &err));
    assert_string_equal(s.bunker, "u3");
    assert_null(s.socket);
    set("CASEMATE_BUNKER", NULL);
    assert_true(settings_read(&s, &none, test_arena(), &err));
    assert_null(s.bunker);
    set("CASEMATE_SOCKET", NULL);
}

TEST(cli_7_1_which_file)
{
    const struct options none = { 0 }, absent = { .config = in_dir("absent") };
    struct settings s;
    struct err err;
    set("HOME", test_dir());
    set("XDG_CONFIG_HOME", NULL);
    assert_true(settings_read(&s, &none, test_arena(), &err)); // none need be there
    assert_false(settings_read(&s, &absent, test_arena(), &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(mkdir(in_dir(".config"), 0700), 0);
    assert_int_equal(mkdir(in_dir(".config/casemate"), 0700), 0);
    put_file(in_dir(".config/casemate/casemate.conf"), "socket = home\n");
    assert_true(settings_read(&s, &none, test_arena(), &err));
    assert_string_equal(s.socket, "home");
    assert_int_equal(mkdir(in_dir("xdg"), 0700), 0);
    assert_int_equal(mkdir(in_dir("xdg/casemate"), 0700), 0);
    put_file(in_dir("xdg/casemate/casemate.conf"), "socket = xdg\n");
    set("XDG_CONFIG_HOME", in_dir("xdg"));
    assert_true(settings_read(&s, &none, test_arena(), &err));
    assert_string_equal(s.socket, "xdg");
    set("XDG_CONFIG_HOME", NULL);
}

TEST(cli_7_1_bad_files)
{
    static const struct {
        const char *file, *what;
    } rows[] = {
        { "sockets = a\n", ":1: unknown key 'sockets'" },
        { "socket = a\nsocket = b\n", ":2: " },
        { "socket = a\nserial = b\n", ": both socket and serial" },
        { "bunker = a\nserial = b\n", ": bunker, and socket or serial" },
        { "\n[x]\nsocket = a\n", ":2: " },
        { "socket\n", ":1: " },
    };
    const char *path = in_dir("casemate.conf");
    const struct options o = { .config = path };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct settings s;
        struct err err;
        put_file(path, rows[i].file);
        assert_false(settings_read(&s, &o, test_arena(), &err));
        if (strncmp(err.text, path, strlen(path)) != 0 ||
            strstr(err.text, rows[i].what) != err.text + strlen(path))
            fail_msg("%zu: %s", i, err.text);
    }
}
