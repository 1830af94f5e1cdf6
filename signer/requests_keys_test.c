// What a host may read of keys and addresses: policy.md 15.2, 15.3; wire-protocol.md 8.4, 8.5.
#include "signer/requests.h"
#include "tests/support/device_checks.h"

static struct reply xpub(struct rig_host *host, const char *path)
{
    return rig_call(host, &(struct request){ .id = REQUEST_XPUB, .data = bytes_of_text(path) });
}

static struct reply show(struct rig_host *host, const char *path, uint32_t format)
{
    return rig_call(
        host, &(struct request){ .id = REQUEST_SHOW, .show = { format, bytes_of_text(path) } });
}

#define MASTER                                                                                     \
    "tpubD6NzVbkrYhZ4XzL5Dhayo67Gorv1YMS7j8pRUvVMd5odC2LBPLAygka9p7748JtSq82FNGPppFEz5xxZUdasBRCq" \
    "J"                                                                                            \
    "qXvUHq6xpnsMcYJzeh"

// Path rules of 8.4. `same` is another way to write the path; NULL: `error`.
static const struct {
    const char *path, *same, *error;
} paths[] = {
    { "", "m", NULL },
    { "M", "m", NULL },
    { " m ", "m", NULL },
    { "0/1", "m/0/1", NULL },
    { "44'/0P", "m/44h/0h", NULL },
    { "  m/1 ", "m/1", NULL },
    { "m/84H/1p/0'", "84h/1h/0h", NULL },
    { "m/2147483647h", "2147483647'", NULL },
    { "m/1/2/3/4/5/6/7/8/9/10/11/12", "1/2/3/4/5/6/7/8/9/10/11/12", NULL },
    { "m/1/2/3/4/5/6/7/8/9/10/11/12/13", NULL, "too deep" },
    { "m/", NULL, "empty path component" },
    { "/", NULL, "empty path component" },
    { "m//1", NULL, "empty path component" },
    { "m/h", NULL, "empty path component" },
    { "m/01", NULL, "bad component: 01" },
    { "m/2147483648", NULL, "bad component: 2147483648" },
    { "m'", NULL, "bad component: m" },
    { "m/1hh", NULL, "bad component: 1h" },
    { "m/q", NULL, "invalid characters in path" },
    { "m/*", NULL, "invalid characters in path" },
    { "x/1", NULL, "invalid characters in path" },
    { "m/-1", NULL, "invalid characters in path" },
    { "m/\xc3\xa9", NULL, "must be ascii printable" },
};

TEST(wire_51_path_rules)
{
    WITH_RIG(rig, host);
    for (size_t i = 0; i < COUNT(paths); i++) {
        const struct reply key = xpub(host, paths[i].path);
        const struct reply address = show(host, paths[i].path, ADDR_P2WPKH);
        if (paths[i].error != NULL) {
            assert_error(key, paths[i].error);
            assert_error(address, paths[i].error);
            continue;
        }
        assert_int_equal(key.id, REPLY_ASCI);
        assert_bytes_equal(key.data, xpub(host, paths[i].same).data);
        assert_bytes_equal(address.data, show(host, paths[i].same, ADDR_P2WPKH).data);
    }
    assert_asci(xpub(host, "m"), MASTER);
    (void)rig;
}

TEST(wire_52_address_formats)
{
    static const struct {
        uint32_t format;
        const char *address; // of m; NULL: not supported
    } formats[] = {
        { 0x00, NULL },
        { 0x01, "mgtNuuaT8RzRJDQjnzYiLbK3A4McGqEnad" },
        { 0x07, "tb1qpuzkjsuxpq6dzhlj8ntrp3yc994u6dtgthuupa" },
        { 0x13, "2NEPHWLJ8vreR7UvkEDeoJFgo7EkiEnis9g" },
        { 0x08, NULL },
        { 0x0e, NULL },
        { 0x1a, NULL },
        { 0x02, NULL },
        { 0x20, NULL },
        { 0xffffffff, NULL },
    };
    WITH_RIG(rig, host);
    for (size_t i = 0; i < COUNT(formats); i++) {
        if (formats[i].address != NULL)
            assert_asci(show(host, "m", formats[i].format), formats[i].address);
        else
            assert_error(show(host, "m/q", formats[i].format), "Unknown/unsupported addr format");
    }
    assert_error(rig_message(host, BYTES("show\1\0\0"), true), "buffer too small");
    // Old clients' wrong code for P2TR is taken for the right one.
    assert_bytes_equal(show(host, "m/1", 0x17).data, show(host, "m/1", 0x23).data);
}

TEST(wire_8_5_the_address_is_on_the_screen)
{
    WITH_RIG(rig, host);
    assert_int_equal(show(host, "m/1/2h", ADDR_P2PKH).id, REPLY_ASCI);
    const struct bytes address = show(host, "m", ADDR_P2PKH).data;
    assert_screen(rig, "Address:", "mgtNuuaT8RzRJDQjnzYiLbK3A4McGqEnad\n\n= m");
    assert_bytes_text(address, "mgtNuuaT8RzRJDQjnzYiLbK3A4McGqEnad");
    rig_keys(rig, "x");
    assert_bytes_text(rig_screen(rig).title, "Ready To Sign");
    // An address that cannot be made takes nothing down.
    assert_int_equal(show(host, "m", ADDR_P2PKH).id, REPLY_ASCI);
    assert_error(show(host, "m", 99), "Unknown/unsupported addr format");
    assert_bytes_text(rig_screen(rig).title, "Address:");
    // In HSM mode nothing stays on the screen.
    rig_keys(rig, "x");
    rig_activate(host, "{\"share_addrs\":[\"any\"]}");
    assert_int_equal(show(host, "m", ADDR_P2PKH).id, REPLY_ASCI);
    assert_bytes_text(rig_screen(rig).title, "HSM MODE");
}

// --- By policy: the rows of 3.2 ---

static const struct {
    const char *list, *path;
    bool matches;
} rows[] = {
    { "[]", "m", false },
    { "[\"m\"]", "m", true },
    { "[\"m/*\"]", "m", false },
    { "[\"m/*\"]", "m/5", true },
    { "[\"m/*\"]", "m/5h", false },
    { "[\"m/*h\"]", "m/5'", true },
    { "[\"m/*h\"]", "m/5", false },
    { "[\"m/84h/0h/0h/0/*\"]", "m/84p/0'/0h/0/7", true },
    { "[\"m/84h/0h/0h/0/*\"]", "m/84h/0h/0h/1/7", false },
    { "[\"m/84h/0h/0h/*\"]", "m/84h/0h/0h/9", true },
    { "[\"m/84h/0h/0h/*\"]", "m/84h/0h/0h/0/7", false },
    { "[\"m/1\"]", "m/1h", false },
    { "[\"m/1\"]", "m", false },
    { "[\"m/1/2\"]", "m/1/2/3", false },
    { "[\"any\"]", "m", true },
    { "[\"any\"]", "m/1/2", true },
};

TEST(policy_24_78_what_a_policy_shares)
{
    char policy[256];
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (i > 0) {
            device_rig_restart(rig);
            rig_keys(rig, "x");
        }
        struct rig_host *host = rig_host_linked(rig);
        snprintf(policy, sizeof policy, "{\"share_xpubs\":%s,\"share_addrs\":%s}", rows[i].list,
                 rows[i].list);
        rig_activate(host, policy);
        // `m` is always shared as an xpub, never by itself as an address.
        const bool is_master = strcmp(rows[i].path, "m") == 0;
        const struct reply key = xpub(host, rows[i].path);
        const struct reply address = show(host, rows[i].path, ADDR_P2WPKH);
        if (rows[i].matches || is_master)
            assert_int_equal(key.id, REPLY_ASCI);
        else
            assert_error(key, "Not allowed in HSM mode");
        if (rows[i].matches)
            assert_int_equal(address.id, REPLY_ASCI);
        else
            assert_error(address, "Not allowed in HSM mode");
        assert_asci(xpub(host, ""), MASTER);
        // Errors of form come before the policy.
        assert_error(xpub(host, "m/q"), "invalid characters in path");
        assert_error(show(host, "m/q", ADDR_P2WPKH), "invalid characters in path");
        assert_error(show(host, rows[i].path, 0), "Unknown/unsupported addr format");
        assert_status(host, "refusals", "0");
    }
}

TEST(policy_24_79_p2sh_needs_its_keyword)
{
    static const char *const lists[] = { "[]", "[\"any\"]", "[\"m/*\",\"any\"]" };
    char policy[256];
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
    for (size_t i = 0; i < COUNT(lists); i++) {
        if (i > 0) {
            device_rig_restart(rig);
            rig_keys(rig, "x");
        }
        struct rig_host *host = rig_host_linked(rig);
        snprintf(policy, sizeof policy, "{\"share_addrs\":%s}", lists[i]);
        rig_activate(host, policy);
        // "checked before anything else"
        assert_error(rig_message(host, BYTES("p2sh"), true), "Not allowed in HSM mode");
        assert_error(rig_message(host, BYTES("p2sh\x0e\0\0\0\1\1"), true),
                     "Not allowed in HSM mode");
    }
    // The keyword gives no single-key address.
    device_rig_restart(rig);
    rig_keys(rig, "x");
    struct rig_host *host = rig_host_linked(rig);
    rig_activate(host, "{\"share_addrs\":[\"p2sh\"]}");
    assert_error(show(host, "m", ADDR_P2PKH), "Not allowed in HSM mode");
    assert_error(show(host, "m/1", ADDR_P2PKH), "Not allowed in HSM mode");
}
