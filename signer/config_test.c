#include "signer/config.h"
#include "tests/support/test.h"
#include <fcntl.h>
#include <sys/stat.h>

static bool parse(struct config *out, const char *text, struct err *err)
{
    return config_parse(out, "signer.conf", bytes_of_text(text), err);
}

static const char *written(const struct config *config)
{
    struct writer w = writer_growing(test_arena(), 65536);
    config_write(&w, config);
    writer_u8(&w, 0);
    assert_false(w.failed);
    return (const char *)w.ptr;
}

static const char defaults[] = "chain = BTC\n"
                               "hsm_commands = off\n"
                               "rz = 8\n"
                               "fee_limit = 10\n"
                               "sighshchk = off\n"
                               "# pms is not set\n"
                               "unsort_ms = off\n"
                               "multisig_checks = on\n"
                               "idle_min = 240\n"
                               "pin_tries = 0\n"
                               "only_accepted = off\n"
                               "# usb_gadget is not set\n"
                               "signed_viz_free = off\n"
                               "require_prev_tx = off\n"
                               "sighash_all_only = off\n"
                               "p2sh_strict = off\n"
                               "taproot = off\n";

TEST(an_empty_file_gives_the_defaults)
{
    struct config config;
    struct err err;
    assert_true(parse(&config, "", &err));
    assert_string_equal(written(&config), defaults);
    const struct config plain = config_default();
    assert_string_equal(written(&plain), defaults);
    assert_int_equal(config.chain, CHAIN_BTC);
    assert_int_equal(config.fee_limit_pct, 10);
    assert_int_equal(config.pms, CONFIG_PMS_UNSET);
    assert_true(config.multisig_checks);
}

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

TEST(every_key_is_read_and_written)
{
    static const char text[] = "# all of them\n"
                               "taproot=on\n"
                               "p2sh_strict = 1\n"
                               "sighash_all_only = on\n"
                               "require_prev_tx = on\n"
                               "signed_viz_free = on\n"
                               "usb_gadget = /dev/hidg0\n"
                               "only_accepted = on\n"
                               "accept_policy = " HASH_A "\n"
                               "accept_policy = " HASH_B "\n"
                               "pin_tries = 13\n"
                               "idle_min = 0\n"
                               "multisig_checks = off\n"
                               "unsort_ms = 1\n"
                               "pms = 2\n"
                               "sighshchk = 1\n"
                               "fee_limit = -1\n"
                               "rz = 0\n"
                               "hsm_commands = on\n"
                               "  chain =  XTN  \n";
    struct config config, again;
    struct err err;
    if (!parse(&config, text, &err))
        fail_msg("%s", err.text);
    assert_int_equal(config.chain, CHAIN_XTN);
    assert_true(config.hsm_commands);
    assert_int_equal(config.unit, UNIT_SATS);
    assert_int_equal(config.fee_limit_pct, -1);
    assert_true(config.sighash_allow);
    assert_int_equal(config.pms, 2);
    assert_true(config.unsort_ms);
    assert_false(config.multisig_checks);
    assert_int_equal(config.idle_min, 0);
    assert_int_equal(config.pin_tries, 13);
    assert_int_equal(config.n_accepted, 2);
    assert_int_equal(config.accepted[0].b[31], 0xaa);
    assert_int_equal(config.accepted[1].b[30], 0xee);
    assert_true(config.only_accepted);
    assert_string_equal(config.usb_gadget, "/dev/hidg0");
    assert_true(config.signed_viz_free && config.require_prev_tx && config.sighash_all_only &&
                config.p2sh_strict && config.taproot);
    // What --check-config prints is a configuration with the same meaning.
    assert_true(parse(&again, written(&config), &err));
    assert_string_equal(written(&again), written(&config));
}

TEST(each_value_of_each_choice)
{
    static const struct {
        const char *key, *good[6], *bad[8], *what;
    } cases[] = {
        { "chain",
          { "BTC", "XTN", "XRT" },
          { "", "btc", "XBT",
            "BTC "
            "X" },
          "BTC, XTN or XRT" },
        { "rz", { "8", "5", "2", "0" }, { "", "1", "08", "-0", "8.0" }, "8, 5, 2 or 0" },
        { "fee_limit",
          { "10", "25", "50", "-1" },
          { "", "11", "0", "-2", "10%", "100" },
          "10, 25, 50 or -1" },
        { "pms", { "0", "1", "2" }, { "", "3", "-1", "on" }, "0, 1 or 2" },
        { "idle_min",
          { "0", "240", "525600" },
          { "", "-1", "525601", "01", "4h", "1.5" },
          "a whole number from 0 to 525600" },
        { "pin_tries",
          { "0", "1", "1000" },
          { "", "-1", "1001", "4294967297", "+1" },
          "a whole number from 0 to 1000" },
        { "usb_gadget",
          { "/dev/hidg0", "/dev/hidg1" },
          { "", "hidg0", "/dev/hidg\x01" },
          "an absolute path of at most 127 bytes" },
        { "taproot", { "on", "off", "1", "0" }, { "", "yes", "true", "On", "2" }, "on or off" },
        { "accept_policy",
          { HASH_A, HASH_B },
          { "", "aa", HASH_A "a", "x" HASH_A },
          "64 hex digits" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config config = config_default();
        struct err err;
        char text[128];
        for (size_t k = 0; k < COUNT(cases[i].good) && cases[i].good[k]; k++)
            assert_true(config_set(&config, bytes_of_text(cases[i].key),
                                   bytes_of_text(cases[i].good[k]), &err));
        (void)snprintf(text, sizeof text, "%s: must be %s", cases[i].key, cases[i].what);
        const char *before = written(&config);
        for (size_t k = 0; k < COUNT(cases[i].bad) && cases[i].bad[k]; k++) {
            if (config_set(&config, bytes_of_text(cases[i].key), bytes_of_text(cases[i].bad[k]),
                           &err))
                fail_msg("%s = '%s' was taken", cases[i].key, cases[i].bad[k]);
            assert_err(&err, ERR_USAGE, text);
        }
        assert_string_equal(written(&config), before);
    }
}

TEST(a_bad_file_is_refused_with_its_line)
{
    static const struct {
        const char *text;
        enum err_code code;
        const char *error;
    } cases[] = {
        { "chain = BTC\ncolour = red\n", ERR_USAGE, "signer.conf:2: unknown key 'colour'" },
        { "\n\nchain = doge\n", ERR_USAGE, "signer.conf:3: chain: must be BTC, XTN or XRT" },
        { "rz = 8\n# again\nrz = 8\n", ERR_USAGE, "signer.conf:3: rz: stands on line 1 already" },
        { "Chain = BTC\n", ERR_USAGE, "signer.conf:1: unknown key 'Chain'" },
        { "accept_policy = 12\n", ERR_USAGE,
          "signer.conf:1: accept_policy: must be 64 hex digits" },
        { "[signer A]\nrz = 8\n", ERR_USAGE,
          "signer.conf:1: a signer's configuration has no sections" },
        { "rz = 8\n[signer A]\nrz = 8\n", ERR_USAGE,
          "signer.conf:2: a signer's configuration has no sections" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config config;
        struct err err;
        assert_false(parse(&config, cases[i].text, &err));
        assert_err(&err, cases[i].code, cases[i].error);
    }
}

TEST(lines_of_no_form_are_refused_with_their_line)
{
    static const char *const texts[] = { "chain BTC\n", "chain = BTC\n= 8\n", "rz = \xff\n",
                                         "rz = 8\0\n" };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct config config;
        struct err err;
        const struct bytes text = i == 3 ? BYTES("rz = 8\0\n") : bytes_of_text(texts[i]);
        assert_false(config_parse(&config, "signer.conf", text, &err));
        assert_int_equal(strncmp(err.text, "signer.conf:", 12), 0);
    }
}

TEST(pinned_policies_are_bounded)
{
    struct config config = config_default();
    struct err err;
    for (size_t i = 0; i < CONFIG_ACCEPTED_MAX; i++)
        assert_true(config_set(&config, BYTES("accept_policy"), BYTES(HASH_A), &err));
    assert_false(config_set(&config, BYTES("accept_policy"), BYTES(HASH_A), &err));
    assert_err(&err, ERR_USAGE, "accept_policy: more than 64");
}

// --- Files ---

static const char *write_file(const char *text, mode_t mode)
{
    char *path = arena_alloc(test_arena(), 256);
    (void)snprintf(path, 256, "%s/signer.conf", test_dir());
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
    return path;
}

TEST(a_file_that_others_may_write_is_refused)
{
    static const struct {
        mode_t mode;
        bool good;
    } cases[] = { { 0600, true },  { 0644, true },  { 0444, true },
                  { 0660, false }, { 0622, false }, { 0606, false } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *path = write_file("rz = 5\n", cases[i].mode);
        struct config config;
        struct err err;
        char text[512];
        (void)snprintf(text, sizeof text, "%s: others may write to it", path);
        assert_int_equal(config_read(&config, path, false, &err), cases[i].good);
        if (cases[i].good)
            assert_int_equal(config.unit, UNIT_MILLI);
        else
            assert_err(&err, ERR_AUTH, text);
        assert_int_equal(unlink(path), 0);
    }
}

TEST(a_file_of_another_user_is_refused)
{
    const char *path = write_file("rz = 5\n", 0600);
    struct config config;
    struct err err;
    char text[512];
    if (geteuid() != 0)
        skip(); // only root can give a file away
    assert_int_equal(chown(path, 12345, 12345), 0);
    (void)snprintf(text, sizeof text, "%s: belongs neither to root nor to this user", path);
    assert_false(config_read(&config, path, false, &err));
    assert_err(&err, ERR_AUTH, text);
}

TEST(absent_and_odd_files)
{
    struct config config;
    struct err err;
    char path[256];
    (void)snprintf(path, sizeof path, "%s/none.conf", test_dir());
    assert_false(config_read(&config, path, false, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_true(config_read(&config, path, true, &err));
    assert_string_equal(written(&config), defaults);
    assert_false(config_read(&config, test_dir(), true, &err)); // a folder
    assert_int_equal(err.code, ERR_AUTH);
    assert_int_equal(mkfifo(path, 0600), 0); // does not wait for a writer
    assert_false(config_read(&config, path, true, &err));
    assert_int_equal(err.code, ERR_AUTH);
}
