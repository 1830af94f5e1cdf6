#include "client/transfer.h"
#include "client/test_peer.h"

static struct bytes some_bytes(size_t len)
{
    uint8_t *mem = arena_alloc(test_arena(), len);
    for (size_t i = 0; i < len; i++)
        mem[i] = (uint8_t)(i * 7 + (i >> 8));
    return bytes_of(mem, len);
}

struct seen {
    enum transfer_phase phase;
    uint64_t done, total;
    unsigned calls;
};

static void note(void *context, enum transfer_phase phase, uint64_t done, uint64_t total)
{
    struct seen *seen = context;
    assert_true(total == 0 || done <= total || phase == TRANSFER_WAIT);
    *seen = (struct seen){ phase, done, total, seen->calls + 1 };
}

TEST(upload_in_blocks_with_progress)
{
    FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    struct seen seen = { 0 };
    const struct progress progress = { note, &seen };
    const struct bytes content = some_bytes(5000);
    struct err err;
    assert_true(transfer_upload(c, content, 0, &progress, &err));
    assert_int_equal(seen.done, 5000);
    assert_int_equal(seen.calls, 4);
    fake_signer_pause(fake);
    assert_int_equal(fake_signer_count(fake, "upld"), 3); // 2048, 2048, 904
    assert_int_equal(fake_signer_count(fake, "sha2"), 1);
    assert_bytes_equal(fake_signer_uploaded(fake), content);
}

// cli.md 8, item 14, without the signer's side.
TEST(upload_of_the_largest_psbt)
{
    FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    struct err err;
    assert_true(transfer_upload(c, some_bytes(PSBT_MAX), 0, NULL, &err));
    fake_signer_pause(fake);
    assert_int_equal(fake_signer_count(fake, "upld"), 1024);
}

TEST(upload_with_small_blocks)
{
    FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    struct err err;
    assert_true(transfer_upload(c, some_bytes(1024), 256, NULL, &err));
    fake_signer_pause(fake);
    assert_int_equal(fake_signer_count(fake, "upld"), 4);
}

TEST(nothing_and_too_much_are_not_sent)
{
    FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    struct err err;
    assert_false(transfer_upload(c, BYTES(""), 0, NULL, &err));
    assert_err(&err, ERR_LIMIT, "a file of 0 bytes cannot be sent: 1 to 4194304");
    assert_false(transfer_upload(c, some_bytes(UPLOAD_MAX + 1), 0, NULL, &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

// cli.md 7.6: "on `err_Checksum` or `busy` restart from offset 0 at most twice".
static const struct {
    struct fake_rule rule;
    bool good;
    unsigned n_uploads; // of one block each
    enum err_code code;
    const char *text;
} restarts[] = {
    { { "stxn", 1, FAKE_REPLY, BYTES_INIT("err_Checksum") }, true, 2, ERR_NONE, NULL },
    { { "stxn", 0, FAKE_REPLY, BYTES_INIT("err_Checksum") },
      false,
      3,
      ERR_INVALID,
      "Coldcard Error: Checksum" },
    { { "upld", 1, FAKE_REPLY, BYTES_INIT("busy") }, true, 2, ERR_NONE, NULL },
    { { "upld", 0, FAKE_REPLY, BYTES_INIT("busy") },
      false,
      3,
      ERR_BUSY,
      "Coldcard is handling another request right now" },
    { { "sha2", 2, FAKE_REPLY, BYTES_INIT("binywrong") }, true, 1, ERR_NONE, NULL },
    { { "sha2", 1, FAKE_REPLY, BYTES_INIT("binywrong") }, true, 2, ERR_NONE, NULL },
    { { "sha2", 0, FAKE_REPLY, BYTES_INIT("binywrong") },
      false,
      3,
      ERR_FRAMING,
      "Checksum wrong after upload" },
    // other errors are no reason to try again
    { { "stxn", 1, FAKE_REPLY, BYTES_INIT("err_badlen") },
      false,
      1,
      ERR_INVALID,
      "Coldcard Error: badlen" },
    { { "upld", 1, FAKE_REPLY, BYTES_INIT("err_psbt") },
      false,
      1,
      ERR_INVALID,
      "Coldcard Error: psbt" },
    { { "upld", 1, FAKE_REPLY, BYTES_INIT("int1\x00\x08\x00\x00") },
      false,
      1,
      ERR_FRAMING,
      "upld: offset 2048, not 0" },
};

TEST(cli_7_6_uploads_start_anew_at_most_twice)
{
    for (size_t i = 0; i < COUNT(restarts); i++) {
        FAKE_SIGNER(fake) = start_fake(&restarts[i].rule, 1, BYTES(""));
        AUTO(connection_closep) struct connection *c = open_to_fake();
        struct request start = { .id = REQUEST_STXN };
        struct err err;
        assert_int_equal(transfer_start(c, some_bytes(100), &start, NULL, &err), restarts[i].good);
        if (!restarts[i].good)
            assert_err(&err, restarts[i].code, restarts[i].text);
        assert_int_equal(start.stxn.length, 100);
        fake_signer_pause(fake);
        assert_int_equal(fake_signer_count(fake, "upld"), restarts[i].n_uploads);
    }
}

TEST(waiting_for_a_decision)
{
    static const struct fake_rule rules[] = { { "stok", 1, FAKE_REPLY, BYTES_INIT("okay") },
                                              { "stok", 2, FAKE_REPLY, BYTES_INIT("okay") } };
    FAKE_SIGNER(fake) = start_fake(rules, 2, BYTES("result"));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    struct seen seen = { 0 };
    const struct progress progress = { note, &seen };
    struct reply reply;
    struct err err;
    assert_true(transfer_wait(c, &reply, REQUEST_STOK, REPLY_STRX, TRANSFER_WAIT_NO_END, NULL,
                              &progress, &err));
    assert_int_equal(reply.strx.length, 6);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(seen.phase, TRANSFER_WAIT);
}

TEST(wire_15_78_a_wait_with_an_end)
{
    static const struct fake_rule rule = { "stok", 0, FAKE_REPLY, BYTES_INIT("okay") };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    const struct request vers = { .id = REQUEST_LOGO };
    struct reply reply;
    struct err err;
    assert_false(
        transfer_wait(c, &reply, REQUEST_STOK, REPLY_STRX, 0, NULL, NULL, &err)); // one poll
    assert_err(&err, ERR_PENDING, "nobody has decided within 0 s");
    assert_false(transfer_wait(c, &reply, REQUEST_STOK, REPLY_STRX, 1000, NULL, NULL, &err));
    assert_err(&err, ERR_PENDING, "nobody has decided within 1 s");
    assert_true(connection_call(c, &reply, REPLY_OKAY, &vers, NULL, &err)); // still usable
}

TEST(a_refusal_ends_the_wait)
{
    static const struct fake_rule rule = { "stok", 0, FAKE_REPLY, BYTES_INIT("refu") };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    struct reply reply;
    struct err err;
    assert_false(transfer_wait(c, &reply, REQUEST_STOK, REPLY_STRX, 0, NULL, NULL, &err));
    assert_err(&err, ERR_REFUSED, "You refused permission to do the operation");
}

static struct reply announce(struct connection *c)
{
    const struct request stok = { .id = REQUEST_STOK };
    struct reply reply;
    struct err err;
    assert_true(connection_call(c, &reply, REPLY_STRX, &stok, NULL, &err));
    return reply;
}

TEST(download_of_each_length_around_a_block)
{
    static const size_t lengths[] = { 1, 2047, 2048, 2049, 4096, 100000 };
    for (size_t i = 0; i < COUNT(lengths); i++) {
        const struct bytes result = some_bytes(lengths[i]);
        FAKE_SIGNER(fake) = start_fake(NULL, 0, result);
        AUTO(connection_closep) struct connection *c = open_to_fake();
        const struct reply strx = announce(c);
        struct bytes got;
        struct err err;
        assert_true(transfer_download(c, &got, 1, &strx, test_arena(), NULL, &err));
        assert_bytes_equal(got, result);
    }
}

TEST(a_download_that_is_not_what_was_announced)
{
    static const struct fake_rule wrong = { "dwld", 1, FAKE_REPLY, BYTES_INIT("binyresulT") };
    static const struct fake_rule brief = { "dwld", 1, FAKE_REPLY, BYTES_INIT("binyresul") };
    static const struct fake_rule over = { "dwld", 1, FAKE_REPLY, BYTES_INIT("binyresults") };
    static const struct {
        const struct fake_rule *rule;
        const char *text;
    } rows[] = { { &wrong, "Checksum wrong during file download" },
                 { &brief, "dwld: 5 bytes, not 6" },
                 { &over, "dwld: 7 bytes, not 6" } };
    for (size_t i = 0; i < COUNT(rows); i++) {
        FAKE_SIGNER(fake) = start_fake(rows[i].rule, 1, BYTES("result"));
        AUTO(connection_closep) struct connection *c = open_to_fake();
        const struct reply strx = announce(c);
        struct bytes got = BYTES("untouched");
        struct err err;
        assert_false(transfer_download(c, &got, 1, &strx, test_arena(), NULL, &err));
        assert_err(&err, ERR_FRAMING, rows[i].text);
        assert_bytes_text(got, "untouched");
    }
}

TEST(an_announced_length_is_bounded_before_it_is_believed)
{
    static const uint32_t lengths[] = { 0, TRANSFER_RESULT_MAX + 1, UINT32_MAX };
    FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES("result"));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct reply strx = announce(c);
        struct bytes got;
        struct err err;
        strx.strx.length = lengths[i];
        assert_false(transfer_download(c, &got, 1, &strx, test_arena(), NULL, &err));
        assert_int_equal(err.code, ERR_LIMIT);
    }
}
