// bunker/slot.h -- one PSBT on its way to a signature, with the codes that people gave for it.
//
// (1) Codes belong to the PSBT that was loaded when they were given: any change of the PSBT erases them.
// (2) A slot is one session's, or, when it is shared, its participants'. Each of them sees who has given a
//     code, and may take back only their own; the PSBT is replaced by its owner alone.
// (3) PSBT and codes are frozen while it is queued or signing.
// (4) The result stays until the slot is cleared, so that a failed broadcast or a lost connection loses
//     no signature. PSBTs and results are never written to disk.
// Source: bunker.md 9.
#ifndef CASEMATE_BUNKER_SLOT_H
#define CASEMATE_BUNKER_SLOT_H
#include "base/json.h"
#include "base/secret.h"
#include "client/codes.h"

#define SLOT_AUTH_MAX  30 // as many users as a device has
#define SLOT_NAME_SIZE 65
#define SLOT_CODE_MAX  255   // bytes
#define SLOT_CODE_MS   90000 // how long a six-digit code is kept
#define SLOT_RESULT_S  86400
#define SLOT_BLANKS    5 // rows when no names are known
#define SLOT_ID_SIZE   9
#define SLOT_CODE_SIZE 9 // by which a slot is joined: eight characters of base32
#define SLOT_BY_SIZE   33

enum slot_state {
    SLOT_EMPTY,
    SLOT_LOADED,
    SLOT_PREVIEWING,
    SLOT_QUEUED,
    SLOT_SIGNED,
    SLOT_REFUSED,
    SLOT_FAILED,
};
const char *slot_state_name(enum slot_state state);

// One who may approve. Source: bunker.md 9.3, 9.4.
struct slot_auth {
    char name[SLOT_NAME_SIZE];
    bool has_name;         // the device named it
    struct secret *code;   // NULL: none given
    size_t code_len;       // characters, as `has_guess` shows them
    uint32_t window;       // of 30 s; 0 for passwords
    uint32_t shown_window; // `totp` as the client gave it
    int64_t given_ms;
    bool expires;
    const void *by;             // the session that gave it: compared only
    char by_name[SLOT_BY_SIZE]; // its account
};

struct slot {
    char id[SLOT_ID_SIZE];
    enum slot_state state;
    uint8_t *psbt;
    size_t psbt_len;
    struct hash256 hash;
    char hash_text[65];
    uint8_t *preview; // text
    size_t preview_len;
    size_t n_auth;
    struct slot_auth auth[SLOT_AUTH_MAX];
    char code[SLOT_CODE_SIZE]; // empty: nobody else may join
    const void *owner;         // the session that made it, compared only; NULL: it has ended
    unsigned n_members;        // sessions whose slot it is
    uint8_t *result;
    size_t result_len;
    bool result_is_final; // a transaction, not a PSBT
    char txid[65];
    int64_t result_s;
    char broadcast[200]; // what came of it; empty: nothing was asked
    unsigned n_jobs;     // of the device that will come back to it, whatever has been loaded since
    bool orphaned;       // its session has ended: who finishes its job frees it
    unsigned serial;     // counts changes of the PSBT: late answers to an old one are dropped
};

struct slot *slot_new(void);
void slot_free(struct slot *slot);

bool slot_is_busy(const struct slot *slot);

// Takes a copy. Codes, preview and result go.
void slot_load(struct slot *slot, struct bytes psbt);
void slot_clear(struct slot *slot);

void slot_set_preview(struct slot *slot, struct bytes text); // no bytes: none

// Rebuilds the rows from the device's user names (an array; NULL or empty: five blanks). Codes of names
// that stay are kept. Source: 9.3.
void slot_set_users(struct slot *slot, const struct json *users);

// A code for a row; empty clears it. `now_s` and `window` as bunker.md 9.4 "Window normalisation".
// *adjusted: the window was too far off and the server's is used.
// Fails: ERR_INVALID for an index without row, or a code above SLOT_CODE_MAX.
MUST_CHECK bool slot_offer(struct slot *slot, size_t index, int64_t window, struct bytes code,
                           int64_t now_s, int64_t now_ms, bool *adjusted, struct err *err);

// What is sent to the device as the time step of a code. Source: bunker.md 9.4.
uint32_t slot_window(int64_t window, int64_t now_s, bool *adjusted);

void slot_forget_codes(struct slot *slot);
void slot_forget_codes_of(struct slot *slot, const void *session); // those that it has given

// Lets others join, by slot->code.
void slot_share(struct slot *slot);
bool slot_expire_codes(struct slot *slot, int64_t now_ms); // whether any was

void slot_set_result(struct slot *slot, struct bytes result, bool is_final, int64_t now_s);

#endif
