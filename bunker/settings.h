// bunker/settings.h -- what the bunker keeps: accounts, tokens, the policy's copy. Sealed on disk.
//
// (1) The key comes from the device's storage locker or from a file that the operator names; without one
//     nothing is kept and nobody can log in. There is no default password.
// (2) The reference's file is read, never written.
// (3) A save leaves the old file or the new one, and the generation before beside it.
// Source: bunker.md 12.
#ifndef CASEMATE_BUNKER_SETTINGS_H
#define CASEMATE_BUNKER_SETTINGS_H
#include "base/json.h"
#include "base/secret.h"
#include "bunker/role.h"
#include "bunker/tor_control.h"
#include "http/password.h"

#define SETTINGS_KEY_LEN    32
#define LOCKER_TEXT_SIZE    49 // base64 of "Bunk" and the key, and a final zero
#define ACCOUNTS_MAX        32
#define TOKENS_MAX          32
#define ACCOUNT_NAME_SIZE   33
#define TOKEN_ID_SIZE       17
#define SETTINGS_POLICY_MAX 200000
#define THEME_SIZE          8

struct account {
    char name[ACCOUNT_NAME_SIZE];
    enum role role;
    char password[PASSWORD_TEXT_MAX]; // verifier; empty: none can log in
    uint8_t totp[32];
    size_t totp_len; // 0: no second factor
    uint64_t totp_last;
    char theme[THEME_SIZE]; // empty: as the browser says
};

struct token {
    char id[TOKEN_ID_SIZE];
    uint8_t hash[32]; // SHA-256 of the secret, which is random
    enum role role;
    int64_t expires_s; // 0: never
};

// The device that was there first: bunker.md 15 "Pin serial, XFP and master xpub on first use".
struct device_pin {
    char serial[33], xfp[9], xpub[120]; // empty serial: none yet
};

struct settings {
    bool loaded;        // from a file, or made under a key that is safe somewhere
    struct secret *key; // NULL: none yet
    const char *folder;
    size_t n_accounts, n_tokens;
    struct account accounts[ACCOUNTS_MAX];
    struct token tokens[TOKENS_MAX];
    bool allow_reboots, easy_captcha;
    uint8_t *policy; // sanitised JSON; NULL: none
    size_t policy_len;
    char xfp[9], serial[33]; // of the device that the policy went to
    struct device_pin pin;
    bool tor_is_set, tor_enabled; // is_set: somebody has said whether
    struct secret *onion_key;     // ONION_KEY_LEN bytes; NULL: none yet
    char onion_addr[ONION_ADDR_LEN + 1];
    size_t n_onion_clients; // who may open the service; 0: everybody
    char onion_clients[TOR_CLIENTS_MAX][TOR_CLIENT_SIZE];
    struct secret *reference_pw; // of the reference's file, until it has been hashed; NULL: none
};

void settings_init(struct settings *s, const char *folder);
void settings_free(struct settings *s);

// "bp-01b00cf3685340cb.dat" with prefix "bp". Source: 12.2, appendix A.
void settings_file_name(char out[static 32], const char *prefix, const struct secret *key);

// The locker's text and back. Fails: ERR_MALFORMED "the locker holds no key of a bunker".
void settings_locker_text(char out[static LOCKER_TEXT_SIZE], const struct secret *key);
MUST_CHECK bool settings_locker_key(struct secret **out, struct bytes text, struct err *err);

// Takes the key over and loads what it opens: ours, else the reference's, else nothing.
// Fails: ERR_MALFORMED, ERR_IO; settings are then as they were.
MUST_CHECK bool settings_open(struct settings *s, struct secret *key, struct err *err);

// Fails: ERR_STATE "no key"; ERR_IO.
MUST_CHECK bool settings_save(const struct settings *s, struct err *err);

struct account *settings_account(struct settings *s, struct bytes name);
// The account of that name, made if there is none; NULL: too many, or no such name can be.
struct account *settings_add_account(struct settings *s, struct bytes name, enum role role);
bool settings_has_password(const struct settings *s); // somebody could log in

// The token of "id.secret" that has not expired, or NULL. Compared in constant time.
const struct token *settings_token(const struct settings *s, struct bytes id, struct bytes secret,
                                   int64_t now_s);

// A new token; its text "id.secret" goes to who asked and is kept nowhere.
#define TOKEN_TEXT_SIZE 128
MUST_CHECK bool settings_add_token(struct settings *s, enum role role, int64_t expires_s,
                                   char out[static TOKEN_TEXT_SIZE], struct err *err);

void settings_set_policy(struct settings *s, struct bytes policy);

// The onion service's key, ONION_KEY_LEN bytes, which are copied, and with it its address. False for bytes
// that are none; NULL removes it.
MUST_CHECK bool settings_set_onion(struct settings *s, const uint8_t *key);

// The file's plain form; for tests and export.
void settings_write(struct writer *w, const struct settings *s);
MUST_CHECK bool settings_read(struct settings *s, struct bytes text, struct arena *arena,
                              struct err *err);

#endif
