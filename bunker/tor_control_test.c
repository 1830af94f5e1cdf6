#include "bunker/tor_control.h"
#include "tests/support/test.h"

#define ADDRESS "ou734ickitggezugvs7lnhncwhfwhzhj33uymsyfcmz2r2cqa7wbosyd.onion"
#define ID      "ou734ickitggezugvs7lnhncwhfwhzhj33uymsyfcmz2r2cqa7wbosyd"
#define COOKIES                                                                                    \
    "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"/run/a \\\"b\"\r\n"     \
    "250-VERSION Tor=\"0.4.9.11\"\r\n250 OK\r\n"

struct talk {
    struct tor_control t;
    char mem[TOR_SEND_MAX];
    struct writer w;
    struct err err;
};

static void begin(struct talk *k)
{
    assert_true(secret_init());
    k->w = writer_of(k->mem, sizeof k->mem);
    tor_control_begin(&k->t, &k->w);
    assert_bytes_text(writer_bytes(&k->w), "PROTOCOLINFO 1\r\n");
    k->w.len = 0;
}

// What is said in answer, byte by byte fed.
static struct bytes says(struct talk *k, const char *text)
{
    k->w.len = 0;
    for (const char *c = text; *c != '\0'; c++)
        assert_true(tor_control_feed(&k->t, bytes_of(c, 1), &k->w, &k->err));
    return writer_bytes(&k->w);
}

static void let_in(struct talk *k)
{
    begin(k);
    (void)says(k, "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250 OK\r\n");
    assert_int_equal(k->t.step, TOR_WANTS_PROOF);
    assert_true(k->t.may_null && !k->t.may_cookie && !k->t.may_password);
    tor_control_with_nothing(&k->t, &k->w);
    assert_bytes_text(says(k, "250 OK\r\n"), "GETINFO version\r\n");
    assert_bytes_text(says(k, "250-version=0.4.9.11\r\n250 OK\r\n"), "SETEVENTS HS_DESC\r\n");
    assert_bytes_text(says(k, "250 OK\r\n"), "");
    assert_int_equal(k->t.step, TOR_READY);
    assert_string_equal(k->t.version, "0.4.9.11");
}

// Both hashes were computed with Python's hmac over cookie 00..1f, client nonce 40..5f, server nonce 80..9f.
TEST(bunker_14_cookie_is_proved_and_not_sent)
{
    struct talk k;
    uint8_t cookie[32], nonce[32];
    for (unsigned i = 0; i < 32; i++) {
        cookie[i] = (uint8_t)i;
        nonce[i] = (uint8_t)(0x40 + i);
    }
    begin(&k);
    (void)says(&k, COOKIES);
    assert_int_equal(k.t.step, TOR_WANTS_PROOF);
    assert_true(k.t.may_cookie && !k.t.may_null);
    assert_string_equal(k.t.cookie_path, "/run/a \"b");
    tor_control_with_cookie(&k.t, cookie, nonce, &k.w);
    assert_bytes_text(writer_bytes(&k.w),
                      "AUTHCHALLENGE SAFECOOKIE "
                      "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f\r\n");
    assert_bytes_text(
        says(&k, "250 AUTHCHALLENGE "
                 "SERVERHASH=160641a194bfaea2230d06f430059824b60b4f9bb8ce8aa865309ec1e45b7628 "
                 "SERVERNONCE="
                 "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f\r\n"),
        "AUTHENTICATE 770b04ca32ee69238b43574d9dc3c90f691d4d1a659a9374abd244de7d01865e\r\n");
}

TEST(bunker_14_a_daemon_without_the_cookie_is_left)
{
    struct talk k;
    const uint8_t zero[32] = { 0 };
    begin(&k);
    (void)says(&k, COOKIES);
    tor_control_with_cookie(&k.t, zero, zero, &k.w);
    k.w.len = 0;
    const char *text = "250 AUTHCHALLENGE SERVERHASH="
                       "0000000000000000000000000000000000000000000000000000000000000000 "
                       "SERVERNONCE="
                       "0000000000000000000000000000000000000000000000000000000000000000\r\n";
    assert_false(tor_control_feed(&k.t, bytes_of_text(text), &k.w, &k.err));
    assert_err(&k.err, ERR_AUTH, "Tor: it does not know what is in its cookie file");
    assert_int_equal(k.w.len, 0);
}

TEST(bunker_14_password_is_quoted)
{
    struct talk k;
    begin(&k);
    (void)says(&k, "250-AUTH METHODS=HASHEDPASSWORD\r\n250 OK\r\n");
    assert_true(k.t.may_password);
    tor_control_with_password(&k.t, BYTES("a\"b\\c"), &k.w);
    assert_bytes_text(writer_bytes(&k.w), "AUTHENTICATE \"a\\\"b\\\\c\"\r\n");
    k.w.len = 0;
    assert_false(tor_control_feed(&k.t, BYTES("515 Authentication failed: no\r\n"), &k.w, &k.err));
    assert_err(&k.err, ERR_REFUSED, "Tor says: 515 Authentication failed: no");
}

TEST(bunker_43_service_is_added_followed_and_removed)
{
    static const uint8_t zero[ONION_KEY_LEN];
    char clients[TOR_CLIENTS_MAX][TOR_CLIENT_SIZE] = { "ABC", "DEF" };
    struct talk k;
    let_in(&k);
    struct secret *key = secret_new(BYTES_OF(zero));
    struct tor_service s = {
        .key = key, .address = ADDRESS, .target = "unix:/a/b", .clients = clients, .n_clients = 2
    };
    tor_control_add(&k.t, &s, &k.w);
    char line[512];
    (void)snprintf(
        line, sizeof line,
        "ADD_ONION ED25519-V3:%.86s== Flags=V3Auth Port=80,unix:/a/b ClientAuthV3=ABC "
        "ClientAuthV3=DEF\r\n",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "A");
    assert_bytes_text(writer_bytes(&k.w), line);
    assert_true(tor_control_waits(&k.t));
    (void)says(&k, "250-ServiceID=" ID "\r\n");
    assert_string_equal(k.t.served, "");
    (void)says(&k, "650 HS_DESC UPLOAD " ID " x y\r\n250 OK\r\n"); // events come between
    assert_string_equal(k.t.served, ADDRESS);
    assert_false(tor_control_waits(&k.t));
    (void)says(&k, "650 HS_DESC UPLOAD " ID " UNKNOWN $A~b\r\n"
                   "650 HS_DESC UPLOADED " ID " UNKNOWN $A~b\r\n"
                   "650 HS_DESC UPLOADED another UNKNOWN $A~b\r\n"
                   "650 HS_DESC FAILED " ID " UNKNOWN $A~b\r\n650 OTHER x\r\n");
    assert_int_equal(k.t.uploads, 1);
    assert_int_equal(k.t.uploaded, 1);
    assert_int_equal(k.t.failed, 1);
    tor_control_remove(&k.t, &k.w);
    assert_bytes_text(writer_bytes(&k.w), "DEL_ONION " ID "\r\n");
    (void)says(&k, "250 OK\r\n");
    assert_string_equal(k.t.served, "");
    tor_control_probe(&k.t, &k.w);
    assert_bytes_text(says(&k, "250+config=\r\n250 not the end\r\n.\r\n250 OK\r\n"), "");
    assert_int_equal(k.t.step, TOR_READY);
    secret_free(key);
}

TEST(bunker_43_another_address_than_the_keys_is_refused)
{
    static const uint8_t zero[ONION_KEY_LEN];
    struct talk k;
    let_in(&k);
    struct secret *key = secret_new(BYTES_OF(zero));
    const struct tor_service s = { .key = key, .address = ADDRESS, .target = "unix:/a" };
    tor_control_add(&k.t, &s, &k.w);
    assert_false(tor_control_feed(&k.t, BYTES("250-ServiceID=abc\r\n"), &k.w, &k.err));
    assert_err(&k.err, ERR_INVALID, "Tor: the service has another address than its key");
    secret_free(key);
}

TEST(bunker_50_what_a_daemon_says_is_bounded)
{
    static const struct {
        const char *text;
        enum err_code code;
        const char *why;
    } cases[] = {
        { "hello\r\n", ERR_MALFORMED, "Tor: a line that is no answer" },
        { "25\r\n", ERR_MALFORMED, "Tor: a line that is no answer" },
        { "250?x\r\n", ERR_MALFORMED, "Tor: a line that is no answer" },
        { "250-AUTH COOKIEFILE=\"x\"\r\n", ERR_MALFORMED, "Tor: AUTH without methods" },
        { "250-AUTH METHODS=COOKIE COOKIEFILE=\"\\101\"\r\n", ERR_MALFORMED,
          "Tor: the path of its cookie" },
        { "250-AUTH METHODS=COOKIE COOKIEFILE=\"x\r\n", ERR_MALFORMED,
          "Tor: the path of its cookie" },
        { "551 \x01\r\n", ERR_REFUSED, "Tor says no" },
        { "250 OK\r\n250 OK\r\n", ERR_MALFORMED, "Tor: an answer that nobody asked for" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct talk k;
        begin(&k);
        assert_false(tor_control_feed(&k.t, bytes_of_text(cases[i].text), &k.w, &k.err));
        assert_err(&k.err, cases[i].code, cases[i].why);
    }
}

TEST(bunker_50_long_lines_and_answers_are_refused)
{
    struct talk k;
    begin(&k);
    for (size_t i = 0; i < TOR_LINE_MAX; i++)
        assert_true(tor_control_feed(&k.t, BYTES("2"), &k.w, &k.err));
    assert_false(tor_control_feed(&k.t, BYTES("2"), &k.w, &k.err));
    assert_err(&k.err, ERR_LIMIT, "Tor: a line of more than 4608 bytes");
    begin(&k);
    for (size_t i = 1; i < TOR_REPLY_LINES; i++)
        assert_true(tor_control_feed(&k.t, BYTES("250-x\r\n"), &k.w, &k.err));
    assert_false(tor_control_feed(&k.t, BYTES("250-x\r\n"), &k.w, &k.err));
    assert_err(&k.err, ERR_LIMIT, "Tor: an answer of more than 64 lines");
}
