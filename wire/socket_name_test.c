#include "wire/socket_name.h"
#include "tests/support/test.h"

// The table of 1.2.1; `client` is what the reference client would bind.
static const struct {
    const char *server, *tag, *client;
    bool works;
} cases[] = {
    { "/tmp/ckcc-simulator.sock", "simulator", "/tmp/ckcc-client-999-0.sock", true },
    { "/tmp/ckcc-simulator-1234.sock", "1234", "/tmp/ckcc-client-1234-999-0.sock", true },
    { "/tmp/cksim-1.sock", "1", "/tmp/ckcc-client-1-999-0.sock", true },
    { "/run/user/1000/casemate-a.sock", "a", "/tmp/ckcc-client-a-999-0.sock", true },
    { "/tmp/casemate.sock", "/tmp/casemate", "/tmp/ckcc-client-999-0.sock", false },
    { "/tmp/a-b/c.sock", "b/c", "/tmp/ckcc-client-999-0.sock", false },
    { "/home/joe.smith/cm-1.sock", "/home/joe", "/tmp/ckcc-client-999-0.sock", false },
    { "/run/casemate/signer-main.sock", "main", "/tmp/ckcc-client-main-999-0.sock", true },
    { "/tmp/x-.sock", "", "/tmp/ckcc-client--999-0.sock", true },
    { "/tmp/no-extension", "extension", "/tmp/ckcc-client-extension-999-0.sock", true },
    { "x", "x", "/tmp/ckcc-client-x-999-0.sock", true }, // no slash: odd, and it works
};

TEST(wire_15_1_names_that_existing_clients_compute)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes server = bytes_of_text(cases[i].server);
        uint8_t mem[200];
        struct writer w = writer_of(mem, sizeof mem);
        assert_bytes_text(socket_name_tag(server), cases[i].tag);
        assert_int_equal(socket_name_suits_clients(server), cases[i].works);
        socket_name_client(&w, server, 999, 0);
        assert_bytes_text(writer_bytes(&w), cases[i].client);
        assert_false(w.failed);
    }
}

TEST(wire_1_2_1_paths_are_at_most_107_bytes)
{
    char path[200];
    struct bytes out;
    uint8_t mem[400];
    // "/tmp/ckcc-client-" + tag + "-4194304-4.sock" is 107 with a tag of 75
    for (int tag = 70; tag <= 80; tag++) {
        snprintf(path, sizeof path, "a-%0*d.sock", tag, 0);
        assert_int_equal(socket_name_suits_clients(bytes_of_text(path)), tag <= 75);
        struct writer w = writer_of(mem, sizeof mem);
        socket_name_client(&w, bytes_of_text(path), 4194304, 4);
        assert_int_equal(writer_finish(&w, &out), tag <= 75);
    }
    memset(path, '/', sizeof path);
    memcpy(path + 104, "-1", 3);
    assert_true(socket_name_suits_clients(bytes_of(path, 106)));
    memcpy(path + 106, "00", 2);
    assert_false(socket_name_suits_clients(bytes_of(path, 108)));
    assert_false(socket_name_suits_clients(BYTES("")));
}

TEST(wire_own_client_binds_beside_the_server)
{
    uint8_t mem[400];
    struct bytes out;
    struct writer w = writer_of(mem, sizeof mem);
    socket_name_beside(&w, BYTES("/run/casemate/signer-A.sock"), 17, 3, 0xbeef);
    assert_bytes_text(writer_bytes(&w), "/run/casemate/casemate-client-17-3-0000beef.sock");
    w = writer_of(mem, sizeof mem);
    socket_name_beside(&w, BYTES("s.sock"), 17, 3, 0xffffffff);
    assert_bytes_text(writer_bytes(&w), "casemate-client-17-3-ffffffff.sock");
    char deep[110];
    memset(deep, 'd', sizeof deep);
    deep[90] = '/';
    w = writer_of(mem, sizeof mem);
    socket_name_beside(&w, bytes_of(deep, 100), 17, 3, 1);
    assert_false(writer_finish(&w, &out));
}
