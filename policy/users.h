// policy/users.h -- users who can approve, their records, codes, and the queue of what they sent.
//
// (1) Tokens and codes are compared in constant time.
// (2) Verifying changes nothing: it gives the progress to commit when all of a request is good.
// Source: policy.md 13.
#ifndef CASEMATE_POLICY_USERS_H
#define CASEMATE_POLICY_USERS_H
#include "base/err.h"
#include "base/writer.h"
#include "crypto/hash.h"

#define USERS_MAX        30
#define USER_NAME_MIN    2  // characters
#define USER_NAME_MAX    16 // characters
#define USER_NAME_SIZE   64 // bytes: 16 characters of any script
#define USER_SECRET_MAX  32 // bytes: 10 or 20 for codes, 32 for passwords
#define USER_SHOW_QR     0x80u
#define USER_ENTROPY_LEN 10
#define USER_PICKED_SIZE 17 // 16 characters of base32 and a final zero
#define USER_TOKEN_MAX   255
#define USER_RECORD_MAX  128 // bytes of user_record_write
#define USER_SERIAL_SIZE 33  // a serial number and a final zero

enum user_mode { USER_NONE, USER_TOTP = 1, USER_HOTP = 2, USER_PASSWORD = 3 };

// How far a user's codes are used up: what must be durable before a signature leaves.
struct user_progress {
    uint64_t last;  // TOTP: last time step; HOTP: last counter; password: 1 once used
    bool zero_used; // HOTP: code 0 was accepted, while `last` is still 0 (D12)
};

struct user {
    uint8_t name[USER_NAME_SIZE];
    size_t name_len;
    enum user_mode mode;
    uint8_t secret[USER_SECRET_MAX];
    size_t secret_len;
    struct user_progress progress;
    // Of a password user: the serial number that the password was salted with, which need not be this
    // signer's (D33); "" for others.
    char salt_serial[USER_SERIAL_SIZE];
};
void user_wipe(struct user *user); // also for AUTO
struct bytes user_name(const struct user *user);

// A name in a text that people read: `?` for each character outside 0x20 to 0x7e, so that no name
// forges a line. Source: policy.md D15.
void name_write(struct writer *w, struct bytes name);

// The user of that name, exactly, or NULL.
const struct user *user_find(const struct user *users, size_t n_users, struct bytes name);

// --- Creating (13.2) ---

struct user_request {
    uint8_t mode; // 1 to 3, plus USER_SHOW_QR
    struct bytes name;
    struct bytes secret;               // empty: to be picked
    uint8_t entropy[USER_ENTROPY_LEN]; // fresh random bytes, used when the secret is picked
    struct bytes serial;               // of this signer: 12 upper-case hex digits
};

// Checks the request in the order of 13.2 and makes the user. *picked is what was picked, or "".
// The reply shows it unless USER_SHOW_QR is set, when the screen does (user_qr_write).
// Fails: the texts of 13.2: ERR_INVALID "badlen", "bad username", "Assertion no secret with QR",
//        "Assertion bad mode", "reserved", "Assertion bad secret length"; ERR_EXISTS "exists";
//        ERR_LIMIT "too many".
MUST_CHECK bool user_create(struct user *out, char picked[static USER_PICKED_SIZE],
                            const struct user_request *request, const struct user *users,
                            size_t n_users, struct err *err);

// What the QR code holds: "otpauth://totp/CC?secret=<picked>", or the password itself.
void user_qr_write(struct writer *w, enum user_mode mode, const char *picked);

// "TOTP: unused", "HOTP: count=7", "Password: active".
void user_menu_write(struct writer *w, const struct user *user);

// The stored value, `[mode, "BASE32", last]`; a fourth member `true` when HOTP code 0 is used up.
// Reading is strict. Fails: ERR_MALFORMED.
void user_record_write(struct writer *w, const struct user *user);
MUST_CHECK bool user_record_read(struct user *out, struct bytes name, struct bytes record,
                                 struct err *err);

// SHA-256(name || secret), for policy_hash_full.
struct hash256 user_secret_hash(const struct user *user);

// --- Passwords (13.3) ---

// The 32-byte secret of a password on the device of that serial. `v3`: as firmware before 4 did.
void user_password_secret(uint8_t out[static 32], struct bytes password, struct bytes serial,
                          bool v3);
// What the client sends for one PSBT.
void user_password_token(uint8_t out[static 32], const uint8_t secret[static 32],
                         const struct hash256 *psbt_hash);

// --- Submitting and verifying (13.4, 13.5) ---

struct authorisation {
    uint8_t name[USER_NAME_SIZE];
    size_t name_len;
    uint8_t token[USER_TOKEN_MAX];
    size_t token_len;
    uint32_t time_step; // of 30 s, as the host claims
};
struct bytes authorisation_name(const struct authorisation *auth);

// In order of submission; sending again for the same user replaces, and counts as submitted last.
struct auth_queue {
    size_t n;
    struct authorisation items[USERS_MAX];
};
void auth_queue_clear(struct auth_queue *queue); // wipes

// Fails: ERR_INVALID "badlen" for a name outside 2 to 16 characters or an oversized token;
//        ERR_LIMIT "toomany" when it would add a 31st. Nothing is verified.
MUST_CHECK bool auth_queue_put(struct auth_queue *queue, struct bytes name, struct bytes token,
                               uint32_t time_step, struct err *err);

enum auth_problem {
    AUTH_UNKNOWN_USER,
    AUTH_MISMATCH,
    AUTH_EXPECT_OTP,
    AUTH_RANGE,
    AUTH_REPLAY,
    AUTH_GOOD,
};
// "unknown user", "mismatch", "expect otp", "range", "replay"; "" when good.
const char *auth_problem_text(enum auth_problem problem);

// The time steps that a TOTP code may claim, both ends included; any other is AUTH_RANGE.
struct totp_window {
    uint64_t first, last;
};
extern const struct totp_window totp_any_time;

// `user` may be NULL: unknown. *after is written when good, and only then.
// Outside HSM mode the caller passes 32 zero bytes for the PSBT's hash.
enum auth_problem user_verify(struct user_progress *after, const struct user *user,
                              const struct authorisation *auth, const struct hash256 *psbt_hash,
                              const struct totp_window *window);

#endif
