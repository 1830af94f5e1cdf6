// bitcoin/descriptor.h -- output descriptors of public keys: BIP-380 to 383, key-only tr() of 386,
// and the pairs <a;b> of BIP-389.
//
// (1) What is read is a grammar's sentence from the first byte to the last; nothing is searched for.
// (2) Private keys are refused: no secret may enter by this door.
// Source: psbt-signing.md 7.2, 7.4.
#ifndef CASEMATE_BITCOIN_DESCRIPTOR_H
#define CASEMATE_BITCOIN_DESCRIPTOR_H
#include "base/reader.h"
#include "bitcoin/hdkey.h"
#include "bitcoin/script.h"

#define DESCRIPTOR_CHECKSUM_LEN 8

// The checksum of a descriptor (without '#'), with a final zero. False if a character occurs that
// no descriptor has.
MUST_CHECK bool descriptor_checksum(char out[static DESCRIPTOR_CHECKSUM_LEN + 1],
                                    struct bytes body);

// '#' and the checksum behind a descriptor that the writer holds from `start` on.
void descriptor_write_checksum(struct writer *w, size_t start);

// *body = the text before '#', whose checksum is right; or all of it, when there is no '#'.
// Fails: ERR_MALFORMED "Wrong checksum %s, expected %s", "no descriptor has the character at byte
//        %zu".
MUST_CHECK bool descriptor_body(struct bytes *body, struct bytes text, struct err *err);

// What stands around the function, outermost first.
enum descriptor_outer {
    DESCRIPTOR_BARE,
    DESCRIPTOR_SH,
    DESCRIPTOR_WSH,
    DESCRIPTOR_SH_WSH,
};
enum descriptor_function {
    DESCRIPTOR_PK,
    DESCRIPTOR_PKH,
    DESCRIPTOR_WPKH,
    DESCRIPTOR_TR, // key path only
    DESCRIPTOR_MULTI,
    DESCRIPTOR_SORTEDMULTI,
};

// The form of a descriptor. Its keys are not looked at yet.
struct descriptor {
    enum descriptor_outer outer;
    enum descriptor_function function;
    uint32_t threshold; // of multi and sortedmulti: as written
    size_t n_keys;      // 1 or more
    struct bytes keys;  // their expressions with commas between, borrowed
};

// Fails: ERR_MALFORMED for what is no descriptor, ERR_UNSUPPORTED for a function or a nesting that
//        is not read here.
MUST_CHECK bool descriptor_parse(struct descriptor *out, struct bytes body, struct err *err);

// The next key expression; begin with reader_of(descriptor->keys). False after the last.
MUST_CHECK bool descriptor_next_key(struct reader *keys, struct bytes *expression);

// The parts of a key expression, borrowed: "[origin]key/path".
struct descriptor_key_parts {
    bool has_origin;
    struct bytes origin; // between the brackets
    struct bytes key;
    struct bytes path; // from the first '/' after the key on; may be empty
};
struct descriptor_key_parts descriptor_split_key(struct bytes expression);

// "0f056943/48h/1h": BIP-380, so ' and h are hardened and nothing else is.
MUST_CHECK bool descriptor_origin(struct key_origin *out, struct bytes text);

enum descriptor_key_kind {
    DESCRIPTOR_KEY_POINT,    // 33 or 65 bytes in hex
    DESCRIPTOR_KEY_XONLY,    // 32 bytes in hex, for tr()
    DESCRIPTOR_KEY_EXTENDED, // xpub or tpub
};
struct descriptor_key {
    bool has_origin;
    struct key_origin origin;
    enum descriptor_key_kind kind;
    uint8_t point[65]; // as written; x-only: with 02 before it
    size_t point_len;
    struct hdpub node;       // of an extended key
    bool is_main;            // of an extended key: xpub
    struct keypath path;     // below the node, with the first of a pair
    bool has_pair;           // some step is <a;b>:
    size_t pair_at;          // which one
    uint32_t pair_second;    // b
    enum keypath_tail child; // what follows the path: *, *h, nothing
};

// Fails: ERR_MALFORMED, ERR_UNSUPPORTED "private keys are not read here".
MUST_CHECK bool descriptor_key_parse(struct descriptor_key *out, struct bytes expression,
                                     struct err *err);

// The output script of that child. `second` takes the second of each <a;b>.
// Fails: as descriptor_key_parse; ERR_INVALID for a threshold, number or kind of keys that the
//        function cannot have, and for hardened steps of an extended key.
MUST_CHECK bool descriptor_script(struct writer *w, const struct descriptor *descriptor,
                                  bool second, uint32_t child, struct err *err);

// What all children have in common, read once: for a thousand of them.
struct descriptor_keys {
    struct descriptor descriptor;
    bool has_star; // some key has: its children differ
    bool has_pair; // some key has <a;b>
    size_t n;
    struct descriptor_parent {
        uint8_t point[65]; // of a key without a star
        size_t point_len;
        enum keypath_tail tail;
        struct hdpub node; // above the star:
        struct point at;   // its key
    } keys[SCRIPT_MULTISIG_KEYS_MAX];
};
// Fails: as descriptor_script. *out borrows what `descriptor` does.
MUST_CHECK bool descriptor_keys_read(struct descriptor_keys *out,
                                     const struct descriptor *descriptor, bool second,
                                     struct err *err);
MUST_CHECK bool descriptor_child(struct writer *w, const struct descriptor_keys *keys,
                                 uint32_t child, struct err *err);

#endif
