#include "crypto/evp.h"

// As in crypto/evp.h.
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#undef ERR_STATE

#include "crypto/tls_client.h"

#include "base/hex.h"
#include "crypto/certificate_make.h"
#include "tests/support/test.h"
#include <time.h>

// The other side: OpenSSL's own server, over memory too.
struct server {
    SSL_CTX *context;
    SSL *ssl;
};

static void server_free(struct server *s)
{
    SSL_free(s->ssl);
    SSL_CTX_free(s->context);
}

static X509 *certificate_of(struct bytes pem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return certificate;
}

static struct server server_of(const struct certificate_pem *own, const struct certificate_pem *ca,
                               int version)
{
    struct server s = { .context = SSL_CTX_new(TLS_server_method()) };
    BIO *bio = BIO_new_mem_buf(own->key.ptr, (int)own->key.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    X509 *certificate = certificate_of(own->certificate), *above = certificate_of(ca->certificate);
    assert_int_equal(SSL_CTX_use_certificate(s.context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(s.context, key), 1);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(s.context), above), 1);
    SSL_CTX_set_verify(s.context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_max_proto_version(s.context, version);
    X509_free(certificate);
    X509_free(above);
    EVP_PKEY_free(key);
    BIO_free(bio);
    s.ssl = SSL_new(s.context);
    SSL_set_bio(s.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(s.ssl);
    return s;
}

// Everything that lies there, in both directions.
static void move(struct tls_client *client, struct server *s)
{
    const struct bytes up = tls_client_pending(client);
    if (up.len > 0)
        assert_int_equal(BIO_write(SSL_get_rbio(s->ssl), up.ptr, (int)up.len), (int)up.len);
    tls_client_sent(client, up.len);
    (void)SSL_do_handshake(s->ssl);
    char *at;
    const long n = BIO_get_mem_data(SSL_get_wbio(s->ssl), &at);
    tls_client_feed(client, bytes_of(at, (size_t)n));
    (void)BIO_reset(SSL_get_wbio(s->ssl));
    ERR_clear_error();
}

static bool shake_hands(struct tls_client *client, struct server *s, struct err *err)
{
    bool done = false;
    for (int i = 0; i < 10 && !done; i++) {
        if (!tls_client_handshake(client, &done, err))
            return false;
        move(client, s);
    }
    assert_true(done);
    return true;
}

struct set { // one authority, what it signed, and another's
    struct certificate_pem ca, server, client, other_ca, other_client;
};

static struct certificate_pem made(enum certificate_kind kind, const char *name,
                                   const struct certificate_pem *by, int64_t now_s)
{
    const struct certificate_wish w = {
        .kind = kind, .n_names = 1, .names = { name }, .now_s = now_s, .days = 10
    };
    struct certificate_pem out;
    struct err err;
    if (!certificate_make(&out, &w, by, test_arena(), &err))
        fail_msg("%s", err.text);
    return out;
}

static struct set make_set(void)
{
    const int64_t now = (int64_t)time(NULL);
    struct set s;
    s.ca = made(CERTIFICATE_AUTHORITY, "one", NULL, now);
    s.other_ca = made(CERTIFICATE_AUTHORITY, "two", NULL, now);
    s.server = made(CERTIFICATE_SERVER, "127.0.0.1", &s.ca, now);
    s.client = made(CERTIFICATE_CLIENT, "alice", &s.ca, now);
    s.other_client = made(CERTIFICATE_CLIENT, "alice", &s.other_ca, now);
    return s;
}

static struct tls_client *client_of(const struct certificate_pem *own, struct bytes authority,
                                    const struct hash256 *pin, const char *host)
{
    struct tls_client_options o = { own->certificate, own->key, authority, host,
                                    pin != NULL,      { { 0 } } };
    struct tls_client *client;
    struct err err;
    if (pin != NULL)
        o.pin = *pin;
    if (!tls_client_new(&client, &o, &err))
        fail_msg("%s", err.text);
    return client;
}

static struct hash256 pin_of(const struct certificate_pem *c)
{
    struct hash256 out;
    struct err err;
    assert_true(certificate_fingerprint(&out, c->certificate, &err));
    return out;
}

TEST(content_goes_both_ways)
{
    const struct set set = make_set();
    AUTO(server_free) struct server s = server_of(&set.server, &set.ca, TLS1_3_VERSION);
    AUTO(tls_client_freep)
    struct tls_client *c = client_of(&set.client, set.ca.certificate, NULL, "127.0.0.1");
    struct err err;
    char mem[100];
    size_t n;
    bool closed;
    assert_true(shake_hands(c, &s, &err));
    tls_client_write(c, BYTES("from us"));
    move(c, &s);
    assert_int_equal(SSL_read(s.ssl, mem, sizeof mem), 7);
    assert_memory_equal(mem, "from us", 7);
    assert_true(tls_client_read(c, mem, sizeof mem, &n, &closed, &err));
    assert_true(n == 0 && !closed);
    assert_int_equal(SSL_write(s.ssl, "from them", 9), 9);
    move(c, &s);
    assert_true(tls_client_read(c, mem, sizeof mem, &n, &closed, &err));
    assert_int_equal(n, 9);
    assert_memory_equal(mem, "from them", 9);
    (void)SSL_shutdown(s.ssl);
    move(c, &s);
    assert_true(tls_client_read(c, mem, sizeof mem, &n, &closed, &err));
    assert_true(n == 0 && closed);
}

TEST(bunker_51_who_the_server_must_be)
{
    const struct set set = make_set();
    const struct hash256 pin = pin_of(&set.server), wrong = pin_of(&set.client);
    char text[100];
    char expected[200];
    hex_encode(text, BYTES_OF(pin.b));
    (void)snprintf(expected, sizeof expected, "the certificate is not the pinned one: %s", text);
    const struct {
        struct bytes authority;
        const struct hash256 *pin;
        const char *host, *why;
    } rows[] = {
        { set.ca.certificate, NULL, "127.0.0.1", NULL },
        { { 0 }, &pin, "elsewhere.example", NULL }, // a pin alone knows no name
        { set.ca.certificate, &pin, "127.0.0.1", NULL },
        { { 0 }, &wrong, "127.0.0.1", expected },
        { set.ca.certificate, &wrong, "127.0.0.1", expected },
        { set.ca.certificate, NULL, "127.0.0.2",
          "the certificate is not accepted: IP address mismatch" },
        { set.ca.certificate, NULL, "localhost",
          "the certificate is not accepted: hostname mismatch" },
        { set.other_ca.certificate, NULL, "127.0.0.1",
          "the certificate is not accepted: self-signed certificate in certificate chain" },
        { set.other_ca.certificate, &pin, "127.0.0.1", // both must hold
          "the certificate is not accepted: self-signed certificate in certificate chain" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(server_free) struct server s = server_of(&set.server, &set.ca, TLS1_3_VERSION);
        AUTO(tls_client_freep)
        struct tls_client *c = client_of(&set.client, rows[i].authority, rows[i].pin, rows[i].host);
        struct err err = { 0 };
        if (shake_hands(c, &s, &err) != (rows[i].why == NULL))
            fail_msg("row %zu: %s", i, err.text);
        if (rows[i].why == NULL)
            continue;
        assert_string_equal(err.text, rows[i].why);
        assert_int_equal(err.code, ERR_AUTH);
    }
}

// A client's certificate is no server's, whoever signed it; and an old one is none.
TEST(bunker_51_servers_whose_certificate_does_not_count)
{
    const int64_t old = (int64_t)time(NULL) - 1000000;
    const struct set set = make_set();
    const struct certificate_pem old_ca =
        made(CERTIFICATE_AUTHORITY, "old", NULL, (int64_t)time(NULL));
    const struct certificate_pem expired = made(CERTIFICATE_SERVER, "127.0.0.1", &old_ca, old);
    const struct {
        const struct certificate_pem *server;
        struct bytes authority;
        const char *why;
    } rows[] = {
        { &set.client, set.ca.certificate,
          "the certificate is not accepted: unsuitable certificate purpose" },
        { &expired, old_ca.certificate,
          "the certificate is not accepted: certificate has expired" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(server_free) struct server s = server_of(rows[i].server, &set.ca, TLS1_3_VERSION);
        AUTO(tls_client_freep)
        struct tls_client *c =
            client_of(&set.client, rows[i].authority, NULL, i == 0 ? "alice" : "127.0.0.1");
        struct err err = { 0 };
        assert_false(shake_hands(c, &s, &err));
        assert_string_equal(err.text, rows[i].why);
    }
}

TEST(bunker_51_a_server_that_refuses_our_certificate)
{
    const struct set set = make_set();
    AUTO(server_free) struct server s = server_of(&set.server, &set.ca, TLS1_3_VERSION);
    AUTO(tls_client_freep)
    struct tls_client *c = client_of(&set.other_client, set.ca.certificate, NULL, "127.0.0.1");
    struct err err = { 0 };
    char mem[10];
    size_t n;
    bool closed;
    assert_true(shake_hands(c, &s, &err)); // TLS 1.3: ours is looked at when we are done
    move(c, &s);
    assert_false(tls_client_read(c, mem, sizeof mem, &n, &closed, &err));
    assert_int_equal(err.code, ERR_AUTH);
    assert_string_equal(err.text, "the other side refuses our certificate: tlsv1 alert unknown ca");
    tls_client_write(c, BYTES("too late")); // goes nowhere
    assert_true(tls_client_read(c, mem, sizeof mem, &n, &closed, &err) && closed);
}

TEST(bunker_51_only_tls_1_3)
{
    const struct set set = make_set();
    AUTO(server_free) struct server s = server_of(&set.server, &set.ca, TLS1_2_VERSION);
    AUTO(tls_client_freep)
    struct tls_client *c = client_of(&set.client, set.ca.certificate, NULL, "127.0.0.1");
    struct err err = { 0 };
    assert_false(shake_hands(c, &s, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_string_equal(err.text, "the other side does not speak TLS 1.3");
}

TEST(what_is_no_tls)
{
    const struct set set = make_set();
    AUTO(tls_client_freep)
    struct tls_client *c = client_of(&set.client, set.ca.certificate, NULL, "127.0.0.1");
    struct err err = { 0 };
    bool done;
    assert_true(tls_client_handshake(c, &done, &err) && !done);
    tls_client_feed(c, BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert_false(tls_client_handshake(c, &done, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
}

static const char encrypted_key[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgvSQTOmHS0lAICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEHn1MZLnOGuA6hSBZZl4BycEgZAA\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

TEST(files_that_are_none)
{
    const struct set set = make_set();
    const struct bytes none = { 0 };
    const struct {
        struct tls_client_options options;
        const char *why;
    } rows[] = {
        { { BYTES("x"), set.client.key, set.ca.certificate, "a", false, { { 0 } } },
          "client certificate: not a certificate in PEM" },
        { { none, set.client.key, set.ca.certificate, "a", false, { { 0 } } },
          "client certificate: not a certificate in PEM" },
        { { set.client.certificate,
            bytes_of_text(encrypted_key),
            set.ca.certificate,
            "a",
            false,
            { { 0 } } },
          "client key: not a private key in PEM without a passphrase" },
        { { set.client.certificate, none, set.ca.certificate, "a", false, { { 0 } } },
          "client key: not a private key in PEM without a passphrase" },
        { { set.client.certificate, set.server.key, set.ca.certificate, "a", false, { { 0 } } },
          "client key: is not the one of the client certificate" },
        { { set.client.certificate, set.client.key, BYTES("x"), "a", false, { { 0 } } },
          "authority: not a certificate in PEM" },
        { { set.client.certificate, set.client.key, none, "a", false, { { 0 } } },
          "neither an authority nor a pin" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tls_client *client = NULL;
        struct err err;
        assert_false(tls_client_new(&client, &rows[i].options, &err));
        assert_int_equal(err.code, ERR_USAGE);
        assert_string_equal(err.text, rows[i].why);
    }
}
