// tests/support/test.h -- what every unit test includes: cmocka, and registration without a list.
//
//   TEST(listed_cases_hold) { ... assert_true(x); ... }
//
// A test registers itself, so none can be forgotten; support.c holds main. Its name, with blanks
// for underscores, is what ./check prints; a number at its end is the checklist item that it
// covers: TEST(psbt_signing_27_4_bip39_vectors).
#ifndef CASEMATE_TESTS_SUPPORT_TEST_H
#define CASEMATE_TESTS_SUPPORT_TEST_H
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/json.h"
#include <setjmp.h>
#include <stdarg.h>
// cmocka.h wants the two above first.
#include <cmocka.h>

// fail() and fail_msg() never return, which cmocka.h does not tell the compiler.
NORETURN void _fail(const char *const file, const int line);

#define TEST(name)                                                                                 \
    static void name(void);                                                                        \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        test_register(#name, name);                                                                \
    }                                                                                              \
    static void name(void)

void test_register(const char *name, void (*body)(void));

// Equal length and content, else fails showing both in hex (or as text if both are printable).
#define assert_bytes_equal(a, b) test_assert_bytes_equal((a), (b), __FILE__, __LINE__)
#define assert_bytes_text(a, text)                                                                 \
    test_assert_bytes_equal((a), bytes_of_text(text), __FILE__, __LINE__)
void test_assert_bytes_equal(struct bytes a, struct bytes b, const char *file, int line);

// The call failed with exactly this code and text.
#define assert_err(err, code, text) test_assert_err((err), (code), (text), __FILE__, __LINE__)
void test_assert_err(const struct err *err, enum err_code code, const char *text, const char *file,
                     int line);

// An arena for this test, freed after it.
struct arena *test_arena(void);

// Bytes of hex text (blanks ignored) in the test's arena; stops the test on bad hex.
struct bytes test_hex(const char *hex);
struct bytes test_base64(struct bytes text);

// A vector file of tests/vectors, parsed, in the test's arena. test_vector_lines: JSON lines.
const struct json *test_vectors(const char *file);
struct bytes test_vector_bytes(const char *file);

// Members of a parsed vector: stops the test when missing or of another type.
struct bytes json_need_text(const struct json *object, const char *key);
struct bytes json_need_hex(const struct json *object, const char *key);
int64_t json_need_integer(const struct json *object, const char *key);
const struct json *json_need(const struct json *object, const char *key);
// The i-th item of an array; as text, hex or a whole number: stops the test when it is not that.
const struct json *json_item(const struct json *array, size_t i);
struct bytes json_item_text(const struct json *array, size_t i);
struct bytes json_item_hex(const struct json *array, size_t i);
int64_t json_item_integer(const struct json *array, size_t i);

// A directory of the test's own, removed after it.
const char *test_dir(void);

#endif
