#include "crypto/evp.h"

// As in crypto/evp.h.
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "crypto/certificate.h"

static bool keep(char *out, const ASN1_STRING *text)
{
    const struct bytes name =
        bytes_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    if (name.len == 0 || name.len >= CERTIFICATE_NAME_SIZE || !bytes_is_printable_ascii(name))
        return false;
    memcpy(out, name.ptr, name.len);
    out[name.len] = '\0';
    return true;
}

// *found: there is a DNS name, good or not; then the common name does not count.
static bool keep_dns(char *out, const X509 *certificate, bool *found)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool ok = false;
    *found = false;
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names) && !*found; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        *found = name->type == GEN_DNS;
        ok = *found && keep(out, name->d.dNSName);
    }
    GENERAL_NAMES_free(names);
    return ok;
}

static bool keep_common(char *out, const X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    return at >= 0 && keep(out, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static bool keep_name(char *out, const X509 *certificate)
{
    bool has_dns;
    const bool ok = keep_dns(out, certificate, &has_dns);
    return has_dns ? ok : keep_common(out, certificate);
}

bool certificate_name(char out[static CERTIFICATE_NAME_SIZE], void *store_context)
{
    X509_STORE_CTX *context = store_context;
    const X509 *certificate = X509_STORE_CTX_get_current_cert(context);
    return certificate != NULL && X509_STORE_CTX_get_error_depth(context) == 0 &&
           keep_name(out, certificate);
}

bool certificate_name_of(char out[static CERTIFICATE_NAME_SIZE], struct bytes der)
{
    const unsigned char *at = der.ptr;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    const bool ok = certificate != NULL && keep_name(out, certificate);
    X509_free(certificate);
    return ok;
}
