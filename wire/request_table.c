#include "base/require.h"
#include "wire/request.h"

// One row of wire-protocol.md 5.4 each. The columns, short:
//   kind     plaintext  HSM mode     hobbled          needs_switch  secret
#define PLAIN PLAIN_ALLOWED
#define CRYPT PLAIN_REFUSED
static const struct request_info table[] = {
    { "logo", REQUEST_LOGO, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "rebo", REQUEST_REBO, KIND_PRODUCT, PLAIN, HSM_REFUSED, HOBBLED_ALLOWED, false, false },
    { "vers", REQUEST_VERS, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "ping", REQUEST_PING, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "ncry", REQUEST_NCRY, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "mitm", REQUEST_MITM, KIND_PRODUCT, CRYPT, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "blkc", REQUEST_BLKC, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "bagi", REQUEST_BAGI, KIND_PRODUCT, PLAIN, HSM_REFUSED, HOBBLED_REFUSED, false, false },
    { "sha2", REQUEST_SHA2, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "upld", REQUEST_UPLD, KIND_PRODUCT, PLAIN, HSM_PSBT_ONLY, HOBBLED_PSBT_ONLY, false, false },
    { "dwld", REQUEST_DWLD, KIND_PRODUCT, PLAIN_REFUSED_LATER, HSM_ALLOWED, HOBBLED_ALLOWED, false,
      false },
    { "stxn", REQUEST_STXN, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "stok", REQUEST_STOK, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "smsg", REQUEST_SMSG, KIND_PRODUCT, PLAIN, HSM_BY_POLICY, HOBBLED_ALLOWED, false, false },
    { "smok", REQUEST_SMOK, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "xpub", REQUEST_XPUB, KIND_PRODUCT, CRYPT, HSM_BY_POLICY, HOBBLED_ALLOWED, false, false },
    { "show", REQUEST_SHOW, KIND_PRODUCT, PLAIN, HSM_BY_POLICY, HOBBLED_ALLOWED, false, false },
    { "p2sh", REQUEST_P2SH, KIND_PRODUCT, PLAIN, HSM_BY_POLICY, HOBBLED_ALLOWED, false, false },
    { "msck", REQUEST_MSCK, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "enrl", REQUEST_ENRL, KIND_PRODUCT, PLAIN, HSM_REFUSED, HOBBLED_REFUSED, false, false },
    { "hsms", REQUEST_HSMS, KIND_PRODUCT, PLAIN, HSM_REFUSED, HOBBLED_REFUSED, true, false },
    { "hsts", REQUEST_HSTS, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_REFUSED, true, false },
    // 8.10: "Plaintext is accepted by the device; [D] Casemate SHOULD require encryption"
    { "gslr", REQUEST_GSLR, KIND_PRODUCT, CRYPT, HSM_NEEDED, HOBBLED_REFUSED, true, true },
    { "nwur", REQUEST_NWUR, KIND_PRODUCT, PLAIN, HSM_REFUSED, HOBBLED_REFUSED, true, true },
    { "rmur", REQUEST_RMUR, KIND_PRODUCT, PLAIN, HSM_REFUSED, HOBBLED_REFUSED, true, false },
    { "user", REQUEST_USER, KIND_PRODUCT, PLAIN, HSM_ALLOWED, HOBBLED_REFUSED, true, true },
    { "back", REQUEST_BACK, KIND_PRODUCT, PLAIN, HSM_REFUSED, HOBBLED_REFUSED, false, false },
    { "bkok", REQUEST_BKOK, KIND_PRODUCT, PLAIN, HSM_REFUSED, HOBBLED_ALLOWED, false, false },
    { "rest", REQUEST_REST, KIND_PRODUCT, PLAIN, HSM_REFUSED, HOBBLED_RELATED_KEYS, false, false },
    { "pass", REQUEST_PASS, KIND_PRODUCT, CRYPT, HSM_REFUSED, HOBBLED_RELATED_KEYS, false, true },
    { "pwok", REQUEST_PWOK, KIND_PRODUCT, PLAIN, HSM_REFUSED, HOBBLED_RELATED_KEYS, false, false },
    // 8.1: "factory only; Casemate MUST answer `err_Unknown cmd`"
    { "dfu_", REQUEST_DFU_, KIND_UNSERVED, PLAIN, HSM_REFUSED, HOBBLED_REFUSED, false, false },
    // 8.13: what only EDGE firmware knows; a client may speak to one
    { "mins", REQUEST_MINS, KIND_UNSERVED, PLAIN, HSM_REFUSED, HOBBLED_ALLOWED, false, false },
    { "msls", REQUEST_MSLS, KIND_UNSERVED, CRYPT, HSM_REFUSED, HOBBLED_ALLOWED, false, false },
    { "msdl", REQUEST_MSDL, KIND_UNSERVED, CRYPT, HSM_REFUSED, HOBBLED_ALLOWED, false, false },
    { "msgt", REQUEST_MSGT, KIND_UNSERVED, CRYPT, HSM_REFUSED, HOBBLED_ALLOWED, false, false },
    { "mspl", REQUEST_MSPL, KIND_UNSERVED, CRYPT, HSM_REFUSED, HOBBLED_ALLOWED, false, false },
    { "msas", REQUEST_MSAS, KIND_UNSERVED, CRYPT, HSM_BY_POLICY, HOBBLED_ALLOWED, false, false },
    // 5.2 step 1: "Before all other gates, also in HSM mode"
    { "XKEY", REQUEST_XKEY, KIND_DEVELOPER, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "EVAL", REQUEST_EVAL, KIND_DEVELOPER, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
    { "EXEC", REQUEST_EXEC, KIND_DEVELOPER, PLAIN, HSM_ALLOWED, HOBBLED_ALLOWED, false, false },
};
#undef PLAIN
#undef CRYPT

const struct request_info *request_find(struct bytes message)
{
    const struct bytes code = bytes_slice(message, 0, CODE_LEN);
    for (size_t i = 0; i < COUNT(table); i++)
        if (bytes_equal_text(code, table[i].code))
            return &table[i];
    return NULL;
}

const struct request_info *request_info(enum request_id id)
{
    size_t i = 0;
    while (i < COUNT(table) && table[i].id != id)
        i++;
    REQUIRE(i < COUNT(table));
    return &table[i];
}

bool request_is_developer(struct bytes message)
{
    return message.len > 0 && message.ptr[0] >= 'A' && message.ptr[0] <= 'Z';
}
