#include "client/discover.h"
#include "client/test_peer.h"
#include <fcntl.h>

TEST(only_signers_that_listen_are_listed)
{
    const struct fake_options options = { .path = test_path("cksim-2.sock") };
    const struct fake_options client = { .path = test_path("ckcc-client-1-2-0.sock") };
    FAKE_SIGNER(a) = start_fake(NULL, 0, BYTES(""));
    FAKE_SIGNER(b) = fake_signer_start(&options);
    FAKE_SIGNER(c) = fake_signer_start(&client);
    const int fd = creat(test_path("file.sock"), 0600);
    assert_true(fd >= 0);
    close(fd);
    struct discovery found = { 0 };
    struct err err;
    assert_true(discover_folder(&found, test_dir(), test_arena(), &err));
    assert_int_equal(found.n, 2);
    assert_string_equal(found.items[0].path, options.path);
    assert_string_equal(found.items[1].path, test_path("fake-1.sock"));
    assert_string_equal(found.items[0].serial, "F1F1F1F1F1F1");
    fake_signer_pause(a);
    fake_signer_pause(b);
    assert_int_equal(fake_signer_count(a, "ncry"), 0); // nobody was asked anything
}

TEST(a_folder_that_is_not_there_holds_none)
{
    struct discovery found = { 0 };
    struct err err;
    assert_true(discover_folder(&found, test_path("none"), test_arena(), &err));
    assert_int_equal(found.n, 0);
}
