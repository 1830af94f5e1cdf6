// tests/support/ms_rig.h -- a signer and cosigners of made-up seeds, and registration texts made
// part by part. All memory is the test's arena; whatever goes wrong inside stops the test.
#ifndef CASEMATE_TESTS_SUPPORT_MS_RIG_H
#define CASEMATE_TESTS_SUPPORT_MS_RIG_H
#include "bitcoin/multisig_register.h"
#include "tests/support/test.h"

#define MS_RIG_SEED                                                                                \
    "wife shiver author away frog air rough vanish fantasy frozen noodle athlete pioneer citizen " \
    "symptom firm much faith extend rare axis garment kiwi clarify" // fingerprint 0F056943

#define MS_RIG_PATH "m/48h/1h/0h/2h"

// Chain XTN, no wallets, unsorted ones not allowed, derives from MS_RIG_SEED.
struct ms_register ms_rig(void);

// The node of a cosigner: 0 is this signer, others have seeds of their own.
struct hdkey ms_rig_node(size_t who, const char *path);
// The public key at MS_RIG_PATH and the suffix, "/1/0".
struct bytes ms_rig_key(size_t who, const char *suffix);
struct xfp ms_rig_xfp(size_t who);
const char *ms_rig_xpub(size_t who, const char *path);

// A registration text line by line.
struct ms_text {
    struct writer w;
};
struct ms_text ms_text(const char *head);
void ms_text_key(struct ms_text *text, size_t who, const char *path); // with its derivation line
void ms_text_line(struct ms_text *text, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct bytes ms_text_bytes(const struct ms_text *text);

// `head`, then the keys 0 to n - 1 at MS_RIG_PATH.
struct bytes ms_rig_text(const char *head, size_t n);
// wsh(sortedmulti(m, keys 0 to n - 1 at MS_RIG_PATH with that branch)), without a checksum.
struct bytes ms_rig_descriptor(const char *function, size_t m, size_t n, const char *branch);

// Registers, or stops the test with the error.
struct ms_wallet *ms_rig_wallet(const struct ms_register *against, struct bytes text);
// Fails the test unless registration ends with that text.
#define ms_rig_refuses(against, text, error)                                                       \
    ms_rig_expect_refusal((against), (text), (error), __FILE__, __LINE__)
void ms_rig_expect_refusal(const struct ms_register *against, struct bytes text, const char *error,
                           const char *file, int line);

#define assert_wallets_equal(a, b) ms_rig_assert_equal((a), (b), __FILE__, __LINE__)
void ms_rig_assert_equal(const struct ms_wallet *a, const struct ms_wallet *b, const char *file,
                         int line);

#endif
