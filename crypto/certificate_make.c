#include "crypto/evp.h"

// As in crypto/evp.h.
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "crypto/certificate_make.h"

#include "base/require.h"
#include "base/writer.h"
#include "crypto/random.h"

#define EARLIER_S    3600 // for clocks that are behind ours
#define DAY_S        86400
#define SERIAL_LEN   16
#define NAME_MAX_LEN 64 // "ub-common-name INTEGER ::= 64"
#define SAN_TEXT_MAX (CERTIFICATE_NAMES_MAX * (NAME_MAX_LEN + 8))

static void x509_freep(X509 **certificate)
{
    X509_free(*certificate);
}

static void key_freep(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

// --- Names ---

static bool is_address(const char *name)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    return address != NULL;
}

static bool has_only(const char *name, const char *others)
{
    const struct bytes text = bytes_of_text(name);
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        const bool alnum =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && strchr(others, c) == NULL)
            return false;
    }
    return text.len > 0 && text.len <= NAME_MAX_LEN;
}

static bool check_names(const struct certificate_wish *wish, struct err *err)
{
    REQUIRE(wish->n_names >= 1 && wish->n_names <= CERTIFICATE_NAMES_MAX);
    if (wish->kind == CERTIFICATE_AUTHORITY)
        return has_only(wish->names[0], " .-_") ||
               err_set(err, ERR_USAGE,
                       "'%s' is not 1 to %d letters, digits, blanks, '.', '-' or '_'",
                       wish->names[0], NAME_MAX_LEN);
    for (size_t i = 0; i < wish->n_names; i++) {
        const char *name = wish->names[i];
        const bool may_be_address = wish->kind == CERTIFICATE_SERVER;
        if (!(may_be_address && is_address(name)) && !has_only(name, ".-_"))
            return err_set(err, ERR_USAGE,
                           "'%s' is not a name of 1 to %d letters, digits, '.', '-' or '_'%s", name,
                           NAME_MAX_LEN, may_be_address ? ", and no address" : "");
    }
    return true;
}

// "DNS:a,IP:127.0.0.1": nothing in the names can end an item, see check_names.
static void write_alternatives(struct writer *w, const struct certificate_wish *wish)
{
    for (size_t i = 0; i < wish->n_names; i++)
        writer_printf(w, "%s%s:%s", i > 0 ? "," : "", is_address(wish->names[i]) ? "IP" : "DNS",
                      wish->names[i]);
    writer_u8(w, 0);
}

// --- The certificate ---

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    REQUIRE(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *certificate, X509 *issuer, const struct certificate_wish *wish)
{
    const bool is_authority = wish->kind == CERTIFICATE_AUTHORITY;
    char names[SAN_TEXT_MAX];
    struct writer w = writer_of(names, sizeof names);
    add_extension(certificate, issuer, NID_basic_constraints,
                  is_authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE");
    add_extension(certificate, issuer, NID_key_usage,
                  is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
    add_extension(certificate, issuer, NID_authority_key_identifier, "keyid");
    if (is_authority)
        return;
    add_extension(certificate, issuer, NID_ext_key_usage,
                  wish->kind == CERTIFICATE_SERVER ? "serverAuth" : "clientAuth");
    write_alternatives(&w, wish);
    REQUIRE(!w.failed);
    add_extension(certificate, issuer, NID_subject_alt_name, names);
}

static void set_serial(X509 *certificate)
{
    uint8_t mem[SERIAL_LEN];
    random_bytes(mem, sizeof mem);
    mem[0] = (uint8_t)((mem[0] & 0x3f) | 0x40); // RFC 5280: positive, and here always of one length
    BIGNUM *number = BN_bin2bn(mem, sizeof mem, NULL);
    REQUIRE(number != NULL &&
            BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL);
    BN_free(number);
}

static void set_subject(X509 *certificate, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    REQUIRE(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name,
                                       -1, -1, 0) == 1);
}

static void set_times(X509 *certificate, const struct certificate_wish *wish)
{
    time_t from = (time_t)(wish->now_s - EARLIER_S), to = (time_t)wish->now_s;
    REQUIRE(X509_time_adj_ex(X509_getm_notBefore(certificate), 0, 0, &from) != NULL);
    // An authority lasts a day longer, so that what it signs on its first day can live as long as it.
    const int days = (int)wish->days + (wish->kind == CERTIFICATE_AUTHORITY);
    REQUIRE(X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, &to) != NULL);
}

// With the authority's own certificate for `issuer` when it signs itself.
static X509 *sign(const struct certificate_wish *wish, EVP_PKEY *key, X509 *issuer,
                  EVP_PKEY *issuer_key)
{
    X509 *certificate = X509_new();
    REQUIRE(certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1);
    if (issuer == NULL)
        issuer = certificate;
    set_serial(certificate);
    set_subject(certificate, wish->names[0]);
    set_times(certificate, wish);
    REQUIRE(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
            X509_set_pubkey(certificate, key) == 1);
    add_extensions(certificate, issuer, wish);
    REQUIRE(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
    return certificate;
}

// --- PEM ---

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

static X509 *read_certificate(struct bytes pem)
{
    AUTO(bio_freep) BIO *bio = memory_of(pem);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    ERR_clear_error();
    return certificate;
}

static EVP_PKEY *read_key(struct bytes pem)
{
    AUTO(bio_freep) BIO *bio = memory_of(pem);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    ERR_clear_error();
    return key;
}

// The library's memory is wiped by the library: BIO_s_secmem.
static bool take(struct bytes *out, BIO *bio, struct arena *arena, struct err *err)
{
    char *at;
    const long len = BIO_get_mem_data(bio, &at);
    REQUIRE(len > 0);
    return arena_copy(arena, bytes_of(at, (size_t)len), out) ||
           err_set(err, ERR_NO_MEMORY, "no memory for a certificate");
}

static bool write_pem(struct certificate_pem *out, X509 *certificate, EVP_PKEY *key,
                      struct arena *arena, struct err *err)
{
    AUTO(bio_freep) BIO *public = BIO_new(BIO_s_mem());
    AUTO(bio_freep) BIO *secret = BIO_new(BIO_s_secmem());
    REQUIRE(public != NULL && secret != NULL && PEM_write_bio_X509(public, certificate) == 1 &&
            PEM_write_bio_PKCS8PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1);
    return take(&out->certificate, public, arena, err) && take(&out->key, secret, arena, err);
}

// --- All of it ---

static bool check_issuer(X509 *issuer, EVP_PKEY *key, const struct certificate_wish *wish,
                         struct err *err)
{
    time_t now = (time_t)wish->now_s;
    int days = 0, seconds = 0;
    ASN1_TIME *from = ASN1_TIME_set(NULL, now);
    if (issuer == NULL)
        err_set(err, ERR_USAGE, "authority: not a certificate in PEM");
    else if (key == NULL)
        err_set(err, ERR_USAGE, "authority: its key is not a private key in PEM");
    else if (X509_check_ca(issuer) == 0)
        err_set(err, ERR_USAGE, "authority: the certificate is not an authority's");
    else if (X509_check_private_key(issuer, key) != 1)
        err_set(err, ERR_USAGE, "authority: the key is not the certificate's");
    else if (ASN1_TIME_diff(&days, &seconds, from, X509_get0_notAfter(issuer)) != 1 ||
             days < (int)wish->days)
        err_set(err, ERR_USAGE, "would outlive its authority, which ends in %d days", days);
    else
        err->code = ERR_NONE;
    ASN1_TIME_free(from);
    ERR_clear_error();
    return err->code == ERR_NONE;
}

static bool make_leaf(struct certificate_pem *out, const struct certificate_wish *wish,
                      const struct certificate_pem *issuer, EVP_PKEY *key, struct arena *arena,
                      struct err *err)
{
    AUTO(x509_freep) X509 *above = read_certificate(issuer->certificate);
    AUTO(key_freep) EVP_PKEY *above_key = read_key(issuer->key);
    if (!check_issuer(above, above_key, wish, err))
        return false;
    AUTO(x509_freep) X509 *certificate = sign(wish, key, above, above_key);
    return write_pem(out, certificate, key, arena, err);
}

bool certificate_make(struct certificate_pem *out, const struct certificate_wish *wish,
                      const struct certificate_pem *issuer, struct arena *arena, struct err *err)
{
    REQUIRE((issuer == NULL) == (wish->kind == CERTIFICATE_AUTHORITY));
    REQUIRE(wish->days >= 1 && wish->days <= CERTIFICATE_DAYS_MAX);
    if (!check_names(wish, err))
        return false;
    AUTO(key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    REQUIRE(key != NULL);
    if (issuer != NULL)
        return make_leaf(out, wish, issuer, key, arena, err);
    AUTO(x509_freep) X509 *certificate = sign(wish, key, NULL, key);
    return write_pem(out, certificate, key, arena, err);
}

bool certificate_fingerprint(struct hash256 *out, struct bytes pem, struct err *err)
{
    AUTO(x509_freep) X509 *certificate = read_certificate(pem);
    unsigned char *der = NULL;
    const int len = certificate != NULL ? i2d_X509(certificate, &der) : -1;
    if (len <= 0)
        return err_set(err, ERR_MALFORMED, "not a certificate in PEM");
    *out = sha256(bytes_of(der, (size_t)len));
    OPENSSL_free(der);
    return true;
}
