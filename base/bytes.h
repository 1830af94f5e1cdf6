// base/bytes.h -- borrowed bytes, and the few attributes and macros that every file uses.
#ifndef CASEMATE_BASE_BYTES_H
#define CASEMATE_BASE_BYTES_H
#include "base/banned.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK              __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, args) __attribute__((format(printf, text, args)))
#define NORETURN                __attribute__((noreturn))

// Runs `release(&variable)` on every way out of the variable's scope.
#define AUTO(release) __attribute__((cleanup(release)))

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

// Borrowed bytes: never freed or written through. `ptr` may be NULL when `len` is 0.
struct bytes {
    const uint8_t *ptr;
    size_t len;
};

// The bytes of a string literal, without its final zero.
#define BYTES(literal) ((struct bytes){ (const uint8_t *)("" literal), sizeof(literal) - 1 })

// The same where C wants a constant: in the initializer of a static table.
#define BYTES_INIT(literal)                                                                        \
    {                                                                                              \
        (const uint8_t *)("" literal), sizeof(literal) - 1                                         \
    }

// The bytes of an array (not of a pointer).
#define BYTES_OF(array) ((struct bytes){ (const uint8_t *)(array), sizeof(array) })

// For printf's "%.*s". Clamped, as a negative precision would mean none.
#define BYTES_ARG(b)                                                                               \
    (int)((b).len < INT32_MAX ? (b).len : INT32_MAX),                                              \
        (const char *)((b).ptr ? (b).ptr : (const uint8_t *)"")

struct bytes bytes_of(const void *ptr, size_t len);

// The bytes of a zero-terminated string, without the zero. NULL gives no bytes.
struct bytes bytes_of_text(const char *text);

// Not for secrets: time depends on the content (see ct_equal in base/secret.h).
bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_equal_text(struct bytes a, const char *text);

// As memcmp, a shorter prefix first.
int bytes_compare(struct bytes a, struct bytes b);

bool bytes_starts_with(struct bytes all, struct bytes prefix);

// The part from `start`, at most `len` long; what lies outside `all` is left out.
struct bytes bytes_slice(struct bytes all, size_t start, size_t len);

// Without the blanks (space, tab, CR, LF, VT, FF) at both ends.
struct bytes bytes_trim(struct bytes all);

// Whether all bytes are 0x20 to 0x7e. True for no bytes.
bool bytes_is_printable_ascii(struct bytes text);

#endif
