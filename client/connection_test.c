#include "client/connection.h"
#include "base/hex.h"
#include "client/test_peer.h"
#include "wire/link.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static struct pubkey master_of(const char *seckey)
{
    struct seckey key;
    assert_true(hex_decode(key.b, sizeof key.b, bytes_of_text(seckey)));
    return seckey_pubkey(&key);
}
#define RIGHT_KEY "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"
#define WRONG_KEY "0000000000000000000000000000000000000000000000000000000000000001"

// One request to a fake with one rule.
static bool ask(const struct fake_rule *rule, enum request_id id, enum reply_id expected,
                struct reply *reply, struct err *err)
{
    FAKE_SIGNER(fake) = start_fake(rule, 1, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    const struct request request = { .id = id };
    return connection_call(c, reply, expected, &request, test_arena(), err);
}

TEST(identity_is_what_the_device_says)
{
    FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    const struct connection_identity *id = connection_identity(c);
    assert_string_equal(id->transport, "socket");
    assert_string_equal(id->serial, "F1F1F1F1F1F1");
    assert_string_equal(id->xpub, FAKE_XPUB);
    assert_bytes_equal(BYTES_OF(id->xfp), test_hex(FAKE_XFP));
    assert_true(id->has_seed);
}

TEST(a_device_without_a_seed)
{
    const struct fake_options options = { .path = test_path("fake-1.sock"), .no_seed = true };
    FAKE_SIGNER(fake) = fake_signer_start(&options);
    AUTO(connection_closep) struct connection *c = open_to_fake();
    assert_false(connection_identity(c)->has_seed);
    assert_string_equal(connection_identity(c)->xpub, "");
}

TEST(nobody_there)
{
    struct connection *c;
    struct err err;
    char text[300];
    snprintf(text, sizeof text, "%s: no signer listens there", test_path("fake-1.sock"));
    assert_false(try_open(&c, &err));
    assert_err(&err, ERR_NOT_FOUND, text);
    fake_signer_stop(start_fake(NULL, 0, BYTES("")));
    assert_false(try_open(&c, &err)); // its path is gone again
    assert_err(&err, ERR_NOT_FOUND, text);
    const int fd = creat(test_path("fake-1.sock"), 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_false(try_open(&c, &err)); // a file is no socket
    assert_err(&err, ERR_NOT_FOUND, text);
}

// What each odd answer becomes, and whether the session survives it.
static const struct {
    struct fake_rule rule;
    enum request_id id;
    enum err_code code;
    const char *text;
    bool usable; // afterwards
} cases[] = {
    { { "vers", 1, FAKE_REPLY, BYTES_INIT("err_nope") },
      REQUEST_VERS,
      ERR_INVALID,
      "Coldcard Error: nope",
      true },
    { { "vers", 1, FAKE_REPLY, BYTES_INIT("busy") },
      REQUEST_VERS,
      ERR_BUSY,
      "Coldcard is handling another request right now",
      true },
    { { "vers", 1, FAKE_REPLY, BYTES_INIT("refu") },
      REQUEST_VERS,
      ERR_REFUSED,
      "You refused permission to do the operation",
      true },
    { { "vers", 1, FAKE_REPLY, BYTES_INIT("okay") },
      REQUEST_VERS,
      ERR_FRAMING,
      "expected asci, got okay",
      true },
    { { "vers", 1, FAKE_REPLY, BYTES_INIT("zzzz") },
      REQUEST_VERS,
      ERR_FRAMING,
      "Unknown response signature: 'zzzz'",
      true },
    // a reply shorter than its layout
    { { "upld", 1, FAKE_REPLY, BYTES_INIT("int1\x01\x02") },
      REQUEST_UPLD,
      ERR_FRAMING,
      "int1: wrong length",
      true },
    { { "vers", 1, FAKE_REPLY, BYTES_INIT("abc") },
      REQUEST_VERS,
      ERR_FRAMING,
      "reply shorter than its code",
      false },
    // item 76: in the clear only `fram` may come
    { { "vers", 1, FAKE_PLAINTEXT, BYTES_INIT("ascihello") },
      REQUEST_VERS,
      ERR_FRAMING,
      "reply in plaintext to an encrypted request",
      false },
    { { "vers", 1, FAKE_PLAINTEXT, BYTES_INIT("framno key") },
      REQUEST_VERS,
      ERR_FRAMING,
      "Framing Error: no key",
      false },
    // item 77: firmware before 5.3
    { { "vers", 1, FAKE_WITHOUT_LAST, BYTES_INIT("framno key") },
      REQUEST_VERS,
      ERR_FRAMING,
      "Framing Error: no key",
      false },
    { { "vers", 1, FAKE_SHORT_PACKET, BYTES_INIT("okay") },
      REQUEST_VERS,
      ERR_FRAMING,
      "packet is not 64 bytes long",
      false },
    { { "vers", 1, FAKE_LONG_PACKET, BYTES_INIT("okay") },
      REQUEST_VERS,
      ERR_FRAMING,
      "packet is not 64 bytes long",
      false },
    { { "vers", 1, FAKE_SILENT, { 0 } },
      REQUEST_VERS,
      ERR_TIMEOUT,
      "no reply from the device within 2 s",
      false },
};

TEST(wire_15_76_77_78_odd_answers)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        FAKE_SIGNER(fake) = start_fake(&cases[i].rule, 1, BYTES(""));
        AUTO(connection_closep) struct connection *c = open_to_fake();
        const struct request request = { .id = cases[i].id };
        const struct request again = { .id = REQUEST_LOGO };
        struct reply reply;
        struct err err;
        assert_false(connection_call(c, &reply,
                                     cases[i].id == REQUEST_UPLD ? REPLY_INT1 : REPLY_ASCI,
                                     &request, NULL, &err));
        assert_err(&err, cases[i].code, cases[i].text);
        assert_int_equal(connection_call(c, &reply, REPLY_OKAY, &again, NULL, &err),
                         cases[i].usable);
        if (!cases[i].usable)
            assert_err(&err, ERR_FRAMING, "the session with the device is lost");
    }
}

TEST(half_a_reply_is_none)
{
    const struct fake_rule rule = { "vers", 1, FAKE_HALF, test_hex("61736369") };
    uint8_t text[200] = "asci";
    memset(text + 4, 'x', sizeof text - 4);
    const struct fake_rule longer = { "vers", 1, FAKE_HALF, BYTES_OF(text) };
    struct reply reply;
    struct err err;
    assert_true(ask(&rule, REQUEST_VERS, REPLY_ASCI, &reply, &err)); // its first packet is its last
    assert_false(ask(&longer, REQUEST_VERS, REPLY_ASCI, &reply, &err));
    assert_int_equal(err.code, ERR_TIMEOUT);
}

// cli.md 8, item 15; wire-protocol.md 2.3: "The client MUST NOT use a 2060-byte buffer".
TEST(cli_8_15_a_reply_of_40000_bytes)
{
    uint8_t *text = arena_alloc(test_arena(), 40006);
    memset(text, 'x', 40006);
    memcpy(text, "asci", 4);
    const struct fake_rule rule = { "vers", 1, FAKE_REPLY, bytes_of(text, 40006) };
    struct reply reply;
    struct err err;
    assert_true(ask(&rule, REQUEST_VERS, REPLY_ASCI, &reply, &err));
    assert_bytes_equal(reply.data, bytes_of(text + 4, 40002));
}

TEST(a_reply_longer_than_the_cap)
{
    uint8_t *text = arena_alloc(test_arena(), REPLY_MAX + 1);
    memset(text, 'x', REPLY_MAX + 1);
    memcpy(text, "asci", 4);
    const struct fake_rule rule = { "vers", 1, FAKE_REPLY, bytes_of(text, REPLY_MAX + 1) };
    struct reply reply;
    struct err err;
    assert_false(ask(&rule, REQUEST_VERS, REPLY_ASCI, &reply, &err));
    assert_err(&err, ERR_LIMIT, "reply longer than 1048576 bytes");
}

TEST(a_signer_that_vanishes)
{
    const struct fake_rule rule = { "vers", 1, FAKE_VANISH, { 0 } };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    const struct request request = { .id = REQUEST_VERS };
    struct reply reply;
    struct err err;
    char text[300];
    snprintf(text, sizeof text, "%s: the signer went away", test_path("fake-1.sock"));
    assert_false(connection_call(c, &reply, REPLY_ASCI, &request, NULL, &err));
    assert_err(&err, ERR_NOT_FOUND, text);
}

TEST(too_long_arguments_are_not_sent)
{
    FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    uint8_t data[REQUEST_MAX - 3] = { 0 };
    struct request request = { .id = REQUEST_PING, .data = BYTES_OF(data) };
    struct reply reply;
    struct err err;
    assert_false(connection_call(c, &reply, REPLY_OKAY, &request, NULL, &err));
    assert_err(&err, ERR_LIMIT, "ping: arguments too long");
    request.data.len--;
    assert_true(connection_call(c, &reply, REPLY_OKAY, &request, NULL, &err));
}

// --- Proof of identity ---

TEST(wire_15_80_proof_against_a_key)
{
    FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    const struct pubkey right = master_of(RIGHT_KEY), wrong = master_of(WRONG_KEY);
    struct err err;
    assert_true(connection_prove(c, &right, &err));
    assert_false(connection_prove(c, &wrong, &err));
    assert_err(&err, ERR_AUTH, "Possible active MiTM attack in progress! Incorrect signature.");
    assert_true(connection_prove(c, &right, &err)); // the session goes on
}

TEST(a_wrong_signature_is_no_proof)
{
    const struct fake_rule rule = { "mitm", 0, FAKE_WRONG_PROOF, { 0 } };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    const struct pubkey right = master_of(RIGHT_KEY);
    struct err err;
    assert_false(connection_prove(c, &right, &err));
    assert_err(&err, ERR_AUTH, "Possible active MiTM attack in progress! Incorrect signature.");
}

TEST(a_short_proof_is_none)
{
    const struct fake_rule rule = { "mitm", 0, FAKE_REPLY, BYTES_INIT("binyabc") };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    AUTO(connection_closep) struct connection *c = open_to_fake();
    const struct pubkey right = master_of(RIGHT_KEY);
    struct err err;
    assert_false(connection_prove(c, &right, &err));
    assert_err(&err, ERR_FRAMING, "mitm: 3 bytes, not 65");
}

TEST(a_session_key_that_is_no_point)
{
    uint8_t mypb[76] = "mypb";
    const struct fake_rule rule = { "ncry", 0, FAKE_PLAINTEXT, BYTES_OF(mypb) };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    struct connection *c;
    struct err err;
    assert_false(try_open(&c, &err));
    assert_err(&err, ERR_FRAMING, "mypb: the device's key is no point of the curve");
}

TEST(an_xpub_that_is_none)
{
    uint8_t mypb[78] = "mypb";
    mypb[72] = 2;
    mypb[76] = 'x';
    mypb[77] = 0x1b; // would reach a terminal
    const struct fake_rule rule = { "ncry", 0, FAKE_PLAINTEXT, BYTES_OF(mypb) };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    struct connection *c;
    struct err err;
    assert_false(try_open(&c, &err));
    assert_err(&err, ERR_FRAMING, "mypb: not an extended public key");
}

// --- Giving up ---

// A session with the fake, which was told to stop before it asked for the version.
static struct connection *stopped_at_its_call(int fds[static 2])
{
    const struct request request = { .id = REQUEST_VERS };
    struct connection *c;
    struct reply reply;
    struct err err;
    assert_int_equal(pipe(fds), 0);
    const struct connection_options options = { .socket_path = test_path("fake-1.sock"),
                                                .cancel_fd = fds[0] };
    assert_true(connection_open(&c, &options, &err));
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_false(connection_call(c, &reply, REPLY_ASCI, &request, test_arena(), &err));
    assert_err(&err, ERR_INTERRUPTED, "interrupted");
    return c;
}

TEST(cli_7_4_a_wait_can_be_stopped)
{
    const struct fake_rule rule = { "vers", 0, FAKE_SILENT, { 0 } };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    int fds[2];
    struct err err;
    struct connection *c = stopped_at_its_call(fds);
    assert_false(connection_pause(c, 10000, &err));
    assert_err(&err, ERR_INTERRUPTED, "interrupted");
    connection_close(c);
    close(fds[0]);
    close(fds[1]);
    fake_signer_pause(fake);
    assert_int_equal(fake_signer_count(fake, "vers"), 0); // nothing is begun by who is to stop
}

// What was never sent has not moved the keystream either: the session goes on.
TEST(a_session_outlives_what_was_not_sent)
{
    const struct fake_rule rule = { "vers", 0, FAKE_REPLY, BYTES_INIT("ascione\ntwo") };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    const struct request request = { .id = REQUEST_VERS };
    int fds[2];
    char told;
    struct reply reply;
    struct err err;
    struct connection *c = stopped_at_its_call(fds);
    assert_int_equal(read(fds[0], &told, 1), 1);
    assert_true(connection_call(c, &reply, REPLY_ASCI, &request, test_arena(), &err));
    connection_close(c);
    close(fds[0]);
    close(fds[1]);
}

// --- The file of the socket that we are answered at ---

static size_t n_in_folder(const char *prefix, char *name, size_t size)
{
    DIR *dir = opendir(test_dir());
    size_t n = 0;
    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0) {
            n++;
            snprintf(name, size, "%s/%s", test_dir(), e->d_name);
        }
    closedir(dir);
    return n;
}

TEST(cli_7_6_own_socket_beside_the_servers)
{
    FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES(""));
    char name[600];
    struct stat st;
    const mode_t mask = umask(077); // whatever the umask, the signer's group may answer
    struct connection *a = open_to_fake();
    umask(mask);
    assert_int_equal(n_in_folder("casemate-client-", name, sizeof name), 1);
    assert_int_equal(stat(name, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0660);
    struct connection *b = open_to_fake(); // a second one of this process
    assert_int_equal(n_in_folder("casemate-client-", name, sizeof name), 2);
    connection_close(a);
    connection_close(b);
    assert_int_equal(n_in_folder("casemate-client-", name, sizeof name), 0);
}

TEST(cli_7_6_a_path_of_somebody_else_is_not_removed)
{
    FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES(""));
    char name[600];
    struct connection *c = open_to_fake();
    assert_int_equal(n_in_folder("casemate-client-", name, sizeof name), 1);
    assert_int_equal(unlink(name), 0);
    const int fd = creat(name, 0600); // something new has our old name
    assert_true(fd >= 0);
    close(fd);
    connection_close(c);
    assert_int_equal(n_in_folder("casemate-client-", name, sizeof name), 1);
}

TEST(cli_7_6_nothing_stays_behind_a_failed_opening)
{
    const struct fake_rule rule = { "ncry", 0, FAKE_SILENT, { 0 } };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    struct connection *c;
    struct err err;
    char name[600];
    assert_false(try_open(&c, &err));
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_int_equal(n_in_folder("casemate-client-", name, sizeof name), 0);
}
