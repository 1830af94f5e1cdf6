// Upload and download: wire-protocol.md 6, checklist items 36 to 42.
#include "signer/requests.h"
#include "tests/support/device_checks.h"

static struct reply sha2(struct rig_host *host)
{
    return rig_ask(host, REQUEST_SHA2);
}

static void expect_hash(struct rig_host *host, struct bytes content)
{
    const struct hash256 hash = sha256(content);
    const struct reply reply = sha2(host);
    assert_int_equal(reply.id, REPLY_BINY);
    assert_bytes_equal(reply.data, BYTES_OF(hash.b));
}

static void expect_number(struct reply reply, uint32_t number)
{
    assert_int_equal(reply.id, REPLY_INT1);
    assert_int_equal(reply.number[0], number);
}

static struct bytes blanks(size_t len)
{
    uint8_t *mem = arena_alloc(test_arena(), len);
    memset(mem, ' ', len);
    return bytes_of(mem, len);
}

// --- Blocks ---

static const struct {
    uint32_t offset, total;
    size_t len;
    const char *text;
} bad_blocks[] = {
    { 23, 1000, 5, "alignment" },
    { 256, 1000, 5, "offset" }, // nothing came before
    { 0, 0, 5, "long" },
    { 0, 4194305, 5, "long" },
    { 0, 0xffffffff, 5, "long" },
    { 0, 4, 5, "long" },
    { 0xffffff00, 0xffffffff, 5, "offset" }, // no sum overflows
};

TEST(wire_36_bad_blocks_forget_the_upload)
{
    WITH_RIG(rig, host);
    for (size_t i = 0; i < COUNT(bad_blocks); i++) {
        if (bad_blocks[i].offset == 0)
            rig_upload(host, BYTES("what was there before"));
        assert_error(
            rig_upld(host, bad_blocks[i].offset, bad_blocks[i].total, blanks(bad_blocks[i].len)),
            bad_blocks[i].text);
        expect_hash(host, BYTES(""));
    }
    // Also an error before the first check.
    rig_upload(host, BYTES("hello"));
    assert_error(rig_message(host, BYTES("upld\0\0\0"), true), "buffer too small");
    expect_hash(host, BYTES(""));
    (void)rig;
}

TEST(wire_37_blocks_in_their_order)
{
    const struct bytes file = blanks(256 + 2048 + 10);
    const uint32_t total = (uint32_t)file.len;
    WITH_RIG(rig, host);
    expect_number(rig_upld(host, 0, total, bytes_slice(file, 0, 256)), 0);
    expect_hash(host, bytes_slice(file, 0, 256));
    expect_number(rig_upld(host, 256, total, bytes_slice(file, 256, 2048)), 256);
    expect_hash(host, bytes_slice(file, 0, 256 + 2048));
    // No block changes nothing.
    expect_number(rig_upld(host, 256 + 2048, total, BYTES("")), 256 + 2048);
    expect_number(rig_upld(host, 256 + 2048, total, bytes_slice(file, 256 + 2048, 10)), 256 + 2048);
    expect_hash(host, file);
    // Not twice, and not beyond an end that is no multiple of 256.
    assert_error(rig_upld(host, 256, total, BYTES("x")), "offset");
    // Offset 0 begins anew.
    rig_upload(host, file);
    expect_number(rig_upld(host, 0, 1, BYTES("x")), 0);
    expect_hash(host, BYTES("x"));
    (void)rig;
}

TEST(wire_6_1_the_largest_upload)
{
    const struct bytes block = blanks(BLOCK_MAX);
    WITH_RIG(rig, host);
    rig_upload(host, blanks(UPLOAD_MAX));
    assert_error(rig_upld(host, UPLOAD_MAX, UPLOAD_MAX, block), "long");
    // Memory for what has come, not for what is announced.
    assert_true(rig_peer(host)->staging.cap <= UPLOAD_MAX);
    struct rig_host *other = rig_host_linked(rig);
    expect_number(rig_upld(other, 0, UPLOAD_MAX, block), 0);
    assert_true(rig_peer(other)->staging.cap <= 16 * 1024);
}

// The last total counts.
TEST(wire_6_1_total_of_the_last_block)
{
    WITH_RIG(rig, host);
    const struct bytes psbt = rig_payment(rig, 1000);
    expect_number(rig_upld(host, 0, 4000, bytes_slice(psbt, 0, 256)), 0);
    expect_number(rig_upld(host, 256, (uint32_t)psbt.len, bytes_slice(psbt, 256, psbt.len)), 256);
    struct request stxn = { .id = REQUEST_STXN,
                            .stxn = { .length = (uint32_t)psbt.len, .sha = sha256(psbt) } };
    assert_okay(rig_call(host, &stxn));
    rig_keys(rig, "x");
    expect_number(rig_upld(host, 0, (uint32_t)psbt.len, bytes_slice(psbt, 0, 256)), 0);
    expect_number(rig_upld(host, 256, 4000, bytes_slice(psbt, 256, psbt.len)), 256);
    assert_error(rig_call(host, &stxn), "Checksum");
}

// Two hosts upload at once: neither notices the other.
TEST(wire_4_3_each_peer_has_its_own_upload)
{
    WITH_RIG(rig, a);
    struct rig_host *b = rig_host_new(rig);
    expect_number(rig_upld(a, 0, 600, blanks(256)), 0);
    expect_number(rig_upld(b, 0, 3, BYTES("abc")), 0);
    expect_number(rig_upld(a, 256, 600, blanks(256)), 256);
    assert_error(rig_upld(b, 1, 3, BYTES("abc")), "alignment");
    expect_hash(a, blanks(512));
    expect_hash(b, BYTES(""));
}

TEST(wire_38_resync_makes_stxn_fail)
{
    WITH_RIG(rig, host);
    const struct bytes psbt = rig_payment(rig, 1000);
    rig_upload(host, psbt);
    struct writer resync = writer_growing(test_arena(), 64);
    frame_cut_resync(&resync);
    assert_int_equal(rig_packet(host, writer_bytes(&resync)).len, 0);
    assert_error(rig_call(host, &(struct request){ .id = REQUEST_STXN,
                                                   .stxn = { .length = (uint32_t)psbt.len,
                                                             .sha = sha256(psbt) } }),
                 "Checksum");
}

TEST(wire_39_hsm_mode_takes_psbts_only)
{
    static const struct {
        uint32_t total;
        const char *data;
        const char *text;
    } cases[] = {
        { 100, "psbt\xfe", "psbt" },     { 100, "psbt", "psbt" },
        { 100, "{}", "psbt" },           { 100, "", "psbt" },
        { 2097153, "psbt\xff", "psbt" }, { 4194305, "psbt\xff", "long" }, // the earlier check
    };
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_error(rig_upld(host, 0, cases[i].total, bytes_of_text(cases[i].data)),
                     cases[i].text);
        expect_hash(host, BYTES(""));
    }
    expect_number(rig_upld(host, 0, 2097152, BYTES("psbt\xff")), 0);
}

// --- Firmware ---

TEST(wire_42_firmware_is_refused)
{
    static const char refusal[] =
        "That firmware doesn't support this version of Coldcard hardware (mk4).";
    static const size_t block_lens[] = { 256, 512, 768, 1024, 2048 };
    uint8_t *file = arena_alloc(test_arena(), 0x4400);
    memcpy(file + 0x3f80, "\x34\x12\x00\xcc", 4);
    WITH_RIG(rig, host);
    for (size_t i = 0; i < COUNT(block_lens); i++) {
        bool refused = false;
        for (uint32_t at = 0; at < 0x4400 && !refused; at += (uint32_t)block_lens[i]) {
            const struct bytes block = bytes_slice(bytes_of(file, 0x4400), at, block_lens[i]);
            const struct reply reply = rig_upld(host, at, 0x4400, block);
            if (at <= 0x3f80 && at + block.len > 0x3f80) {
                assert_error(reply, refusal);
                refused = true;
            } else {
                expect_number(reply, at);
            }
        }
        assert_true(refused);
    }
    // One byte elsewhere it is nothing.
    memset(file, 0, 0x4400);
    memcpy(file + 0x3f81, "\x34\x12\x00\xcc", 4);
    rig_upload(host, bytes_of(file, 0x4400));
    (void)rig;
}

// --- Downloads ---

struct download {
    uint32_t offset, length, file;
    const char *text;
};

static struct reply dwld(struct rig_host *host, uint32_t offset, uint32_t length, uint32_t file)
{
    return rig_call(host,
                    &(struct request){ .id = REQUEST_DWLD, .dwld = { offset, length, file } });
}

static void expect_downloads(struct rig_host *host, const struct download *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_error(dwld(host, cases[i].offset, cases[i].length, cases[i].file), cases[i].text);
}

TEST(wire_40_downloads_that_are_refused)
{
    static const struct download without[] = {
        { 0, 1, 2, "bad fnum" },
        { 0, 0, 7, "bad fnum" }, // before the length
        { 2097152, 1, 0, "bad offset" },
        { 2097151, 2, 0, "bad offset" },
        { 0xffffffff, 0xffffffff, 0, "bad offset" },
        { 0, 0, 0, "len" },
        { 0, 1, 0, "not allowed" },
        { 0, 1, 1, "not allowed" },
    };
    WITH_RIG(rig, host);
    expect_downloads(host, without, COUNT(without));
    assert_error(rig_message(host, BYTES("dwld\0\0\0\0"), true), "buffer too small");
    assert_error(rig_message(host, BYTES("dwld\0\0\0\0\1\0\0\0\1\0\0\0\0"), true), "badlen");

    assert_int_equal(rig_stxn(host, rig_payment(rig, 1000), STXN_VISUALIZE).id, REPLY_OKAY);
    rig_run(rig);
    const struct reply done = rig_ask(host, REQUEST_STOK);
    assert_int_equal(done.id, REPLY_STRX);
    const struct download with[] = {
        { 0, 1, 0, "not allowed: file no" },
        { 0, done.strx.length + 1, 1, "not allowed: out of bounds" },
        { done.strx.length, 1, 1, "not allowed: out of bounds" },
        { 0, 5000, 1, "not allowed: out of bounds" }, // "silently clipped to 2048"
    };
    expect_downloads(host, with, COUNT(with));
    assert_int_equal(dwld(host, 0, done.strx.length, 1).data.len, done.strx.length);
    assert_int_equal(dwld(host, done.strx.length - 1, 1, 1).data.len, 1);
    // "may be read repeatedly and in any order"
    assert_int_equal(dwld(host, 0, done.strx.length, 1).data.len, done.strx.length);
}

static void finish_one(struct rig_host *host)
{
    assert_int_equal(rig_sign(host, rig_payment(host->rig, 1000), STXN_VISUALIZE).result,
                     RIG_SIGNED);
    assert_int_equal(dwld(host, 0, 1, 1).id, REPLY_BINY);
}

TEST(wire_41_what_ends_a_lease)
{
    WITH_RIG(rig, host);
    struct rig_host *other = rig_host_linked(rig);
    finish_one(host);
    struct writer resync = writer_growing(test_arena(), 64);
    frame_cut_resync(&resync);
    assert_int_equal(rig_packet(host, writer_bytes(&resync)).len, 0);
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
    rig_upload(other, BYTES("another peer's upload"));
    assert_int_equal(rig_ncry(other, LINK_V1).id, REPLY_MYPB);
    assert_int_equal(dwld(host, 0, 1, 1).id, REPLY_BINY); // it remains after all these

    assert_error(rig_upld(host, 23, 100, BYTES("x")), "alignment"); // past check 2
    assert_error(dwld(host, 0, 1, 1), "not allowed");
    finish_one(host);
    assert_int_equal(rig_ncry(host, LINK_V1).id, REPLY_MYPB);
    assert_error(dwld(host, 0, 1, 1), "not allowed");
    finish_one(host);
    const struct bytes psbt = rig_payment(rig, 1);
    assert_okay(rig_stxn(host, psbt, 0));
    assert_error(dwld(host, 0, 1, 1), "not allowed");
    rig_run(rig);
    rig_keys(rig, "x");
    // A second request for what is still uploaded.
    assert_okay(rig_stxn(host, psbt, STXN_VISUALIZE));
    rig_run(rig);
    assert_int_equal(rig_ask(host, REQUEST_STOK).id, REPLY_STRX);
    assert_okay(rig_call(
        host, &(struct request){ .id = REQUEST_STXN,
                                 .stxn = { .length = (uint32_t)psbt.len, .sha = sha256(psbt) } }));
    assert_error(dwld(host, 0, 1, 1), "not allowed");
    rig_run(rig);
    rig_keys(rig, "x");
    // An `ncry` that is refused voids nothing.
    finish_one(host);
    const struct request bad = { .id = REQUEST_NCRY, .ncry = { 3, { { 1 } } } };
    assert_fram(rig_plain(host, &bad), "bad ncry version");
    assert_int_equal(dwld(host, 0, 1, 1).id, REPLY_BINY);
}

// "a `dwld` at offset 0 restarts it and then hashes what is sent"
TEST(wire_6_1_downloads_use_the_running_hash)
{
    WITH_RIG(rig, host);
    const struct rig_outcome seen = rig_sign(host, rig_payment(rig, 1000), STXN_VISUALIZE);
    expect_hash(host, seen.data);
    assert_bytes_equal(dwld(host, 0, 10, 1).data, bytes_slice(seen.data, 0, 10));
    expect_hash(host, bytes_slice(seen.data, 0, 10));
    // So it cannot be taken for an upload of that hash and length.
    const struct bytes part = bytes_slice(seen.data, 0, 100);
    assert_int_equal(dwld(host, 0, 100, 1).data.len, 100);
    assert_error(
        rig_call(host, &(struct request){ .id = REQUEST_STXN,
                                          .stxn = { .length = 100, .sha = sha256(part) } }),
        "Checksum");
}

// --- stxn's own checks ---

TEST(wire_55_checks_of_stxn)
{
    WITH_RIG(rig, host);
    const struct bytes psbt = rig_payment(rig, 1000);
    rig_upload(host, psbt);
    struct writer w = writer_growing(test_arena(), 256);
    request_pack(
        &w, &(struct request){ .id = REQUEST_STXN,
                               .stxn = { .length = (uint32_t)psbt.len, .sha = sha256(psbt) } });
    const struct bytes stxn = writer_bytes(&w);
    assert_error(rig_message(host, bytes_slice(stxn, 0, stxn.len - 1), true), "buffer too small");
    writer_u8(&w, 0); // 41 bytes: an empty EDGE suffix
    writer_u8(&w, 9);
    assert_error(rig_message(host, writer_bytes(&w), true), "badlen");
    struct request wallet = {
        .id = REQUEST_STXN,
        .stxn = { .length = (uint32_t)psbt.len, .sha = sha256(psbt), .wallet = BYTES("decay") }
    };
    assert_error(rig_call(host, &wallet), "Miniscript wallet not found");
    wallet.stxn.wallet = (struct bytes){ 0 };
    wallet.stxn.sha.b[0] ^= 1;
    assert_error(rig_call(host, &wallet), "Checksum");
    wallet.stxn.length = 50; // the hash is checked first
    assert_error(rig_call(host, &wallet), "Checksum");
    wallet.stxn.sha.b[0] ^= 1;
    assert_error(rig_call(host, &wallet), "badlen");
    wallet.stxn.length = (uint32_t)psbt.len - 1;
    assert_error(rig_call(host, &wallet), "Checksum");

    const struct bytes fifty = bytes_slice(psbt, 0, 50);
    rig_upload(host, fifty);
    wallet.stxn.length = 50;
    wallet.stxn.sha = sha256(fifty);
    assert_error(rig_call(host, &wallet), "badlen");
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
}
