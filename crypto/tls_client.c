#include "crypto/evp.h"

// As in crypto/evp.h.
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "crypto/tls_client.h"

#include "base/hex.h"
#include "base/require.h"

#define VERIFY_DEPTH 8

struct tls_client {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out; // memory; ssl's
    bool has_pin, has_authority;
    struct hash256 pin;
    struct err why; // of a certificate that was not accepted
};

void tls_client_free(struct tls_client *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->context);
    free(tls);
}

void tls_client_freep(struct tls_client **tls)
{
    tls_client_free(*tls);
    *tls = NULL;
}

// --- Files ---

// A key under a passphrase is not for programs that run alone; the library would ask the terminal.
static int no_passphrase(char *mem, int size, int writing, void *context)
{
    (void)mem, (void)size, (void)writing, (void)context;
    return 0;
}

static BIO *memory_of(struct bytes content)
{
    BIO *bio =
        BIO_new_mem_buf(content.len > 0 ? content.ptr : (const uint8_t *)"", (int)content.len);
    REQUIRE(bio != NULL);
    return bio;
}

static X509 *next_certificate(BIO *bio)
{
    return PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
}

static bool use_certificate(SSL_CTX *context, struct bytes pem, struct err *err)
{
    BIO *bio = memory_of(pem);
    X509 *own = next_certificate(bio), *above;
    bool ok = own != NULL && SSL_CTX_use_certificate(context, own) == 1;
    X509_free(own);
    while (ok && (above = next_certificate(bio)) != NULL) {
        ok = SSL_CTX_add1_chain_cert(context, above) == 1;
        X509_free(above);
    }
    BIO_free(bio);
    return ok || err_set(err, ERR_USAGE, "client certificate: not a certificate in PEM");
}

static bool use_key(SSL_CTX *context, struct bytes pem, struct err *err)
{
    BIO *bio = memory_of(pem);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key == NULL)
        return err_set(err, ERR_USAGE, "client key: not a private key in PEM without a passphrase");
    const bool ok = SSL_CTX_use_PrivateKey(context, key) == 1;
    EVP_PKEY_free(key);
    return ok || err_set(err, ERR_USAGE, "client key: is not the one of the client certificate");
}

static bool use_authority(SSL_CTX *context, struct bytes pem, struct err *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    BIO *bio = memory_of(pem);
    X509 *one;
    size_t n = 0;
    for (; (one = next_certificate(bio)) != NULL; n++) {
        const bool ok = X509_STORE_add_cert(store, one) == 1;
        X509_free(one);
        if (!ok)
            break;
    }
    BIO_free(bio);
    return n > 0 || err_set(err, ERR_USAGE, "authority: not a certificate in PEM");
}

// --- Who the other side is ---

static bool check_pin(struct tls_client *tls, X509 *leaf)
{
    char is[2 * sizeof tls->pin.b + 1];
    unsigned char *der = NULL;
    const int len = leaf != NULL ? i2d_X509(leaf, &der) : -1;
    if (len <= 0)
        return err_set(&tls->why, ERR_AUTH, "the other side shows no certificate");
    const struct hash256 hash = sha256(bytes_of(der, (size_t)len));
    OPENSSL_free(der);
    hex_encode(is, BYTES_OF(hash.b));
    return bytes_equal(BYTES_OF(hash.b), BYTES_OF(tls->pin.b)) ||
           err_set(&tls->why, ERR_AUTH, "the certificate is not the pinned one: %s", is);
}

static bool check_chain(struct tls_client *tls, X509_STORE_CTX *store)
{
    if (X509_verify_cert(store) == 1)
        return true;
    return err_set(&tls->why, ERR_AUTH, "the certificate is not accepted: %s",
                   X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
}

static int check_peer(X509_STORE_CTX *store, void *context)
{
    struct tls_client *tls = context;
    return (!tls->has_pin || check_pin(tls, X509_STORE_CTX_get0_cert(store))) &&
           (!tls->has_authority || check_chain(tls, store));
}

static void name_host(struct tls_client *tls, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set_depth(param, VERIFY_DEPTH);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
        return; // RFC 6066: "Literal IPv4 and IPv6 addresses are not permitted in HostName"
    char name[256] = ""; // the library's macro wants it writable
    (void)snprintf(name, sizeof name, "%s", host);
    REQUIRE(X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
            SSL_set_tlsext_host_name(tls->ssl, name) == 1);
}

// --- Opening ---

static void make_context(struct tls_client *tls)
{
    tls->context = SSL_CTX_new(TLS_client_method());
    REQUIRE(tls->context != NULL &&
            SSL_CTX_set_min_proto_version(tls->context, TLS1_3_VERSION) == 1 &&
            SSL_CTX_set_max_proto_version(tls->context, TLS1_3_VERSION) == 1);
    (void)SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(tls->context, check_peer, tls);
}

static void make_session(struct tls_client *tls, const char *host)
{
    static const unsigned char http[] = "\x08http/1.1";
    tls->ssl = SSL_new(tls->context);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    REQUIRE(tls->ssl != NULL && tls->in != NULL && tls->out != NULL);
    (void)BIO_set_mem_eof_return(tls->in, -1); // empty is "not yet", not the end
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_connect_state(tls->ssl);
    REQUIRE(SSL_set_alpn_protos(tls->ssl, http, sizeof http - 1) == 0); // 0 is success here
    name_host(tls, host);
}

bool tls_client_new(struct tls_client **out, const struct tls_client_options *o, struct err *err)
{
    if (!o->has_pin && o->authority.len == 0)
        return err_set(err, ERR_USAGE, "neither an authority nor a pin");
    AUTO(tls_client_freep) struct tls_client *tls = calloc(1, sizeof *tls);
    REQUIRE(tls != NULL);
    tls->has_pin = o->has_pin;
    tls->pin = o->pin;
    tls->has_authority = o->authority.len > 0;
    make_context(tls);
    const bool ok = use_certificate(tls->context, o->certificate, err) &&
                    use_key(tls->context, o->key, err) &&
                    (!tls->has_authority || use_authority(tls->context, o->authority, err));
    ERR_clear_error(); // the end of a PEM file is one
    if (!ok)
        return false;
    make_session(tls, o->host);
    *out = tls;
    tls = NULL; // the caller's now
    return true;
}

// --- Bytes of the network ---

void tls_client_feed(struct tls_client *tls, struct bytes received)
{
    if (received.len > 0)
        REQUIRE(BIO_write(tls->in, received.ptr, (int)received.len) == (int)received.len);
}

struct bytes tls_client_pending(struct tls_client *tls)
{
    char *at;
    const long len = BIO_get_mem_data(tls->out, &at);
    return bytes_of(at, len > 0 ? (size_t)len : 0);
}

void tls_client_sent(struct tls_client *tls, size_t n)
{
    uint8_t thrown_away[4096];
    while (n > 0) {
        const size_t part = n < sizeof thrown_away ? n : sizeof thrown_away;
        REQUIRE(BIO_read(tls->out, thrown_away, (int)part) == (int)part);
        n -= part;
    }
}

// --- Handshake and content ---

// Alerts about a certificate are about ours: theirs is checked here.
static bool is_about_us(int reason)
{
    switch (reason) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return true;
    default:
        return false;
    }
}

static bool is_about_the_version(int reason)
{
    return reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION || reason == SSL_R_UNSUPPORTED_PROTOCOL ||
           reason == SSL_R_WRONG_VERSION_NUMBER;
}

static bool failed(struct tls_client *tls, struct err *err)
{
    const unsigned long error = ERR_peek_error();
    const int reason = ERR_GET_REASON(error);
    const char *text = ERR_reason_error_string(error);
    ERR_clear_error();
    if (tls->why.code != ERR_NONE) {
        *err = tls->why;
        return false;
    }
    if (text == NULL)
        text = "the connection cannot be used";
    if (is_about_us(reason))
        return err_set(err, ERR_AUTH, "the other side refuses our certificate: %s", text);
    if (is_about_the_version(reason))
        return err_set(err, ERR_UNSUPPORTED, "the other side does not speak TLS 1.3");
    return err_set(err, ERR_FRAMING, "TLS: %s", text);
}

bool tls_client_handshake(struct tls_client *tls, bool *done, struct err *err)
{
    ERR_clear_error();
    const int result = SSL_do_handshake(tls->ssl);
    *done = result == 1;
    return result == 1 || SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ ||
           failed(tls, err);
}

void tls_client_write(struct tls_client *tls, struct bytes content)
{
    ERR_clear_error();
    // Into memory, which always has room. After a fatal alert it fails, and the next read says why.
    if (content.len > 0 && SSL_write(tls->ssl, content.ptr, (int)content.len) <= 0)
        ERR_clear_error();
}

bool tls_client_read(struct tls_client *tls, void *mem, size_t cap, size_t *n, bool *closed,
                     struct err *err)
{
    ERR_clear_error();
    *n = 0;
    *closed = false;
    const int result = SSL_read(tls->ssl, mem, (int)cap);
    if (result > 0) {
        *n = (size_t)result;
        return true;
    }
    const int error = SSL_get_error(tls->ssl, result);
    *closed = error == SSL_ERROR_ZERO_RETURN;
    return *closed || error == SSL_ERROR_WANT_READ || failed(tls, err);
}
