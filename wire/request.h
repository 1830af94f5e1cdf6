// wire/request.h -- every request of the protocol: its code, its gates, its arguments, packed and
// unpacked by one table for both sides.
//
// A request is a code of four bytes, then arguments. A device looks the code up (request_find),
// decides by the row's gates whether it may be handled at all, and only then unpacks the arguments.
// Source: wire-protocol.md 3.1, 5.4, 8.
#ifndef CASEMATE_WIRE_REQUEST_H
#define CASEMATE_WIRE_REQUEST_H
#include "base/err.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/ec.h"
#include "wire/frame.h"

#define BLOCK_MAX   2048    // data bytes in one `upld` or `dwld`
#define PSBT_MAX    2097152 // bytes (Mk4 class)
#define UPLOAD_MAX  4194304 // bytes
#define BLOCK_ALIGN 256     // an upload's offsets are multiples of it

enum request_id {
    REQUEST_NONE,
    REQUEST_LOGO,
    REQUEST_REBO,
    REQUEST_VERS,
    REQUEST_PING,
    REQUEST_NCRY,
    REQUEST_MITM,
    REQUEST_BLKC,
    REQUEST_BAGI,
    REQUEST_SHA2,
    REQUEST_UPLD,
    REQUEST_DWLD,
    REQUEST_STXN,
    REQUEST_STOK,
    REQUEST_SMSG,
    REQUEST_SMOK,
    REQUEST_XPUB,
    REQUEST_SHOW,
    REQUEST_P2SH,
    REQUEST_MSCK,
    REQUEST_ENRL,
    REQUEST_HSMS,
    REQUEST_HSTS,
    REQUEST_GSLR,
    REQUEST_NWUR,
    REQUEST_RMUR,
    REQUEST_USER,
    REQUEST_BACK,
    REQUEST_BKOK,
    REQUEST_REST,
    REQUEST_PASS,
    REQUEST_PWOK,
    REQUEST_DFU_,
    REQUEST_MINS,
    REQUEST_MSLS,
    REQUEST_MSDL,
    REQUEST_MSGT,
    REQUEST_MSPL,
    REQUEST_MSAS,
    REQUEST_XKEY,
    REQUEST_EVAL,
    REQUEST_EXEC,
    REQUEST_COUNT
};

// --- Gates: wire-protocol.md 5.4. The device decides by these before it looks at arguments ---

enum gate_plain { // is the request refused with `must encrypt` when it comes in plaintext?
    PLAIN_REFUSED,
    PLAIN_REFUSED_LATER, // `dwld`: only after its fields are found good (6.2, check 7)
    PLAIN_ALLOWED,
};
enum gate_hsm { // while HSM mode is active
    HSM_REFUSED,
    HSM_BY_POLICY,
    HSM_PSBT_ONLY,
    HSM_ALLOWED,
    HSM_NEEDED, // `gslr`: and only then
};
enum gate_hobbled { // while a spending policy for single signers is in effect
    HOBBLED_REFUSED,
    HOBBLED_RELATED_KEYS, // only with that option
    HOBBLED_PSBT_ONLY,
    HOBBLED_ALLOWED,
};
enum request_kind {
    KIND_UNSERVED,  // `dfu_`, and what only EDGE firmware knows: our signer says `Unknown cmd`
    KIND_PRODUCT,   // lower case
    KIND_DEVELOPER, // upper case: decided before all gates (5.2 step 1)
};

struct request_info {
    char code[CODE_LEN + 1];
    enum request_id id;
    enum request_kind kind;
    enum gate_plain plain;
    enum gate_hsm hsm;
    enum gate_hobbled hobbled;
    bool needs_switch; // the setting `hsmcmd`: else `HSM commands disabled`
    bool secret;       // request or reply holds secrets: masked in traces, wiped by who handles it
};

// The row of a message's code; NULL for an unknown code or fewer than 4 bytes.
const struct request_info *request_find(struct bytes message);
const struct request_info *request_info(enum request_id id);

// Whether the first byte is an upper-case letter, known code or not.
bool request_is_developer(struct bytes message);

// --- Arguments. Bytes are borrowed: from the message when unpacked ---

struct request_ncry {
    uint32_t version;
    struct pubkey64 client; // unchecked
};
struct request_upld {
    uint32_t offset, total;
    struct bytes data;
};
struct request_dwld {
    uint32_t offset, length, file; // length is not clipped here
};
struct request_file { // what was uploaded before: `enrl`, `mins`
    uint32_t length;
    struct hash256 sha;
};
struct request_hsms {
    bool has_file; // false: the stored policy
    struct request_file file;
};
#define REST_CUSTOM_PASSWORD 0x01u
#define REST_PLAINTEXT       0x02u
#define REST_TEMPORARY       0x04u
struct request_rest {
    struct request_file file;
    uint8_t flags;
};
#define STXN_FINALIZE   0x01u
#define STXN_VISUALIZE  0x02u
#define STXN_SIGNED     0x04u
#define STXN_FLAGS      0x07u
#define STXN_WALLET_MAX 32
struct request_stxn {
    uint32_t length, flags; // flags are not masked here
    struct hash256 sha;
    struct bytes wallet; // EDGE: a miniscript wallet's name; empty: none
};
struct request_smsg {
    uint32_t addr_format;
    struct bytes path, message;
};
struct request_show {
    uint32_t addr_format;
    struct bytes path;
};
struct request_p2sh {
    uint32_t addr_format;
    uint8_t m, n;
    struct bytes script;
    struct bytes keys; // n of struct p2sh_key, packed
};
struct request_msck {
    uint32_t m, n;
    uint32_t xor_xfp; // of the fingerprints read as little-endian numbers
};
#define NWUR_TOTP        1
#define NWUR_HOTP        2
#define NWUR_HMAC        3
#define NWUR_SHOW_SECRET 0x80u // added to the mode
struct request_nwur {
    uint8_t mode;
    struct bytes name, secret;
};
struct request_rmur {
    struct bytes name;
};
struct request_user {
    uint32_t totp_time;
    struct bytes name, token;
};
struct request_msas {
    uint32_t change, index;
    struct bytes name;
};

struct request {
    enum request_id id;
    union {
        struct bytes
            data; // ping; bagi; xpub: the path; pass: the passphrase; XKEY: key names; EVAL
                  // and EXEC: the text; msdl, msgt, mspl: the name
        struct request_ncry ncry;
        struct request_upld upld;
        struct request_dwld dwld;
        struct request_stxn stxn;
        struct request_smsg smsg;
        struct request_show show;
        struct request_p2sh p2sh;
        struct request_msck msck;
        struct request_file enrl, mins;
        struct request_hsms hsms;
        struct request_rest rest;
        struct request_nwur nwur;
        struct request_rmur rmur;
        struct request_user user;
        struct request_msas msas;
    };
};

// Unpacks the arguments of a message whose row is `info` (not of kind KIND_UNSERVED `dfu_`).
// Arguments of requests that have none are ignored.
// Checks lengths only, in the order of the request's table in section 8; what the members mean is
// checked by who serves the request. p2sh: all of 8.5's checks up to the format.
// Fails: ERR_TRUNCATED "buffer too small", ERR_MALFORMED "badlen"; p2sh also ERR_INVALID
//        "Assertion <token>" and ERR_UNSUPPORTED "Unknown/unsupported addr format".
MUST_CHECK bool request_unpack(struct request *out, const struct request_info *info,
                               struct bytes message, struct err *err);

// Appends code and arguments. The writer fails if a member is too long for its length field or the
// message would exceed REQUEST_MAX.
void request_pack(struct writer *w, const struct request *request);

// --- The keys of p2sh ---

#define P2SH_DEPTH_MAX 15 // steps after the fingerprint
struct p2sh_key {
    uint8_t xfp[4]; // in BIP-32's order
    uint32_t step[P2SH_DEPTH_MAX];
    size_t depth;
};
// The next key of request_p2sh.keys (reader_of). Fails: ERR_MALFORMED "badlen" past the end or with
// a count outside 1...16, ERR_TRUNCATED "buffer too small".
MUST_CHECK bool p2sh_key_read(struct p2sh_key *out, struct reader *keys, struct err *err);
void p2sh_key_write(struct writer *keys, const struct p2sh_key *key);

// --- Texts that existing programs send as EXEC and EVAL: wire-protocol.md 8.12 ---

#define EXEC_IS_EDGE   "import version; RV.write(str(int(getattr(version, 'is_edge', 0))))"
#define EXEC_HSM_ON    "settings.put('hsmcmd', True); settings.save(); RV.write('ok')"
#define EXEC_STORY     "RV.write(repr(sim_display.story))"
#define EVAL_N_WALLETS "len(settings.get('multisig',[]))"

#endif
