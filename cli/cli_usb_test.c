// A Coldcard on USB, as far as hidapi shows one: wire-protocol.md 1.1, cli.md 3.1, 7.6.
#include "cli/test_run.h"
#include "client/fake_hidapi.h"
#include <sys/file.h>

#define SERIAL "C0FFEE000001"

static void detach(int *unused)
{
    (void)unused;
    fake_hid_detach_all();
}
#define ON_A_BUS __attribute__((cleanup(detach), unused)) int bus = 0

static void plug(const char *name, const char *serial)
{
    const struct fake_hid device = { .path = path_of(name),
                                     .serial = serial,
                                     .socket = path_of("fake-1.sock") };
    put_file(name, "");
    fake_hid_attach(&device);
}

TEST(cli_3_1_list_of_usb_devices)
{
    ON_A_BUS;
    struct outcome o = run_words("--compat list");
    assert_int_equal(o.status, EXIT_OK);
    assert_bytes_text(o.out, "(none found)\n");
    plug("hidraw0", SERIAL);
    o = run_words("--compat list");
    char expected[1000];
    snprintf(expected, sizeof expected,
             "\nColdcard " SERIAL ":\n'interface_number': 3\n'manufacturer_string': 'Coinkite'\n"
             "'path': '%s'\n'product_id': 52240\n'product_string': 'Coldcard Wallet'\n"
             "'release_number': 514\n'serial_number': '" SERIAL
             "'\n'usage': 1\n'usage_page': 4300\n'vendor_id': 53566\n",
             path_of("hidraw0"));
    assert_bytes_text(o.out, expected);
}

// Item 12, as far as it can be without a device: the same verbs over the other carrier.
TEST(cli_8_12_verbs_over_usb)
{
    ON_A_BUS;
    struct fake_rule rules[] = { { "blkc", 0, FAKE_REPLY, BYTES_INIT("asciXTN") } };
    struct fake_signer *fake = start(rules, 1);
    plug("hidraw0", SERIAL);
    plug("hidraw1", "C0FFEE000002");
    struct outcome o = run_words("chain"); // "Without any of them: first USB device found."
    assert_int_equal(o.status, EXIT_OK);
    assert_bytes_text(o.out, "XTN\n");
    o = run_words("xfp --json --serial C0FFEE000002");
    assert_bytes_text(o.out,
                      "{\"ok\": true, \"verb\": \"xfp\", \"device\": {\"serial\": "
                      "\"C0FFEE000002\", \"xfp\": \"" FAKE_XFP
                      "\", \"transport\": \"usb\"}, \"result\": {\"xfp\": \"" FAKE_XFP "\"}}\n");
    put_file("in.psbt", "psbt\xff");
    o = run_words("-s " SERIAL " sign @in.psbt");
    assert_int_equal(o.status, EXIT_OK);
    assert_bytes_text(o.out, "cHNidP8=\n");
    assert_true(fake_hid_writes_were_right());
    assert_int_equal(fake_hid_opened(), 0);
    fake_signer_stop(fake);
}

TEST(cli_7_3_no_device_on_usb)
{
    ON_A_BUS;
    static const struct {
        const char *line;
        enum exit_code exit;
        const char *says;
    } rows[] = {
        { "xfp", EXIT_NO_DEVICE,
          "casemate: no Coldcard is attached; name a signer with --socket or --serial\n" },
        { "-s ABC xfp", EXIT_NO_DEVICE, "casemate: no Coldcard with the serial number ABC\n" },
        { "--compat xfp", EXIT_FAILED, "KeyError: 'Could not find Coldcard!'\n" },
        { "--compat -s ABC xfp", EXIT_FAILED, "KeyError: 'Cannot find CC with serial: ABC'\n" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct outcome o = run_words(rows[i].line);
        assert_int_equal(o.status, rows[i].exit);
        if (!bytes_ends_with(o.err, rows[i].says))
            fail_msg("%s: %.*s", rows[i].line, BYTES_ARG(o.err));
    }
}

// Item 13: "on USB the second waits or exits 4", and the first is undisturbed.
TEST(cli_8_13_a_second_program_on_usb)
{
    ON_A_BUS;
    struct fake_signer *fake = start(NULL, 0);
    plug("hidraw0", SERIAL);
    const int other = open(path_of("hidraw0"), O_RDWR | O_CLOEXEC);
    assert_true(other >= 0 && flock(other, LOCK_EX) == 0);
    struct outcome o = run_words("xfp --timeout 0");
    assert_int_equal(o.status, EXIT_BUSY);
    assert_bytes_text(o.err, "casemate: Coldcard " SERIAL ": another program is using it\n");
    o = run_words("xfp --timeout 1"); // waits in vain
    assert_int_equal(o.status, EXIT_BUSY);
    close(other);
    o = run_words("xfp");
    assert_int_equal(o.status, EXIT_OK);
    fake_signer_pause(fake);
    assert_int_equal(fake_signer_count(fake, "ncry"), 1);
    fake_signer_stop(fake);
}
