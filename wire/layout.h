// wire/layout.h -- the arguments of a message as a table of fields, read and written by one
// interpreter: what the client packs is what the device unpacks, because it is the same table. For
// wire/ only.
#ifndef CASEMATE_WIRE_LAYOUT_H
#define CASEMATE_WIRE_LAYOUT_H
#include "base/bytes.h"
#include "base/writer.h"

enum field_kind {
    FIELD_END, // nothing may follow
    FIELD_U8,
    FIELD_U32,     // little-endian
    FIELD_RAW,     // `size` bytes of an array
    FIELD_LEN8,    // how long a FIELD_BYTES further on is
    FIELD_LEN16,   // little-endian
    FIELD_LEN32,   // little-endian
    FIELD_BYTES,   // as long as its length field said, and at least `size`
    FIELD_REST,    // all that is left
    FIELD_SUFFIX8, // nothing, or a length of 1 to `size` and as many bytes
    FIELD_IF_ANY,  // a bool that is not on the wire: whether there are any arguments
    FIELD_IGNORED, // what is left, whatever it is; written as nothing
};

struct field {
    enum field_kind kind;
    size_t member; // offset in the struct; length fields name the struct bytes that they are for
    size_t size;
};

enum layout_result {
    LAYOUT_OK,
    LAYOUT_TOO_SMALL,  // ends inside the fixed fields
    LAYOUT_BAD_LENGTH, // any other disagreement about lengths
};

// `fields` ends with FIELD_END. The struct is zeroed by the caller. Bytes borrow from `args`.
MUST_CHECK enum layout_result layout_unpack(const struct field *fields, void *out,
                                            struct bytes args);

// The writer fails where a member is too long for its length field, or shorter than its least.
void layout_pack(const struct field *fields, const void *in, struct writer *w);

#endif
