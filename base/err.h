// base/err.h -- why an operation failed: a code for programs, a sentence for people.
#ifndef CASEMATE_BASE_ERR_H
#define CASEMATE_BASE_ERR_H
#include "base/bytes.h"

#define ERR_TEXT_MAX   1024 // bytes, final zero included; longer texts are cut between characters
#define ERR_DETAIL_MAX 256

enum err_code {
    ERR_NONE,
    ERR_TRUNCATED,   // input ends too early
    ERR_MALFORMED,   // input is not of its format
    ERR_LIMIT,       // input is well formed and larger than we take
    ERR_INVALID,     // input is well formed and contradicts itself or a rule of its format
    ERR_UNSUPPORTED, // input asks for what we do not do
    ERR_REFUSED,     // a person or the policy said no
    ERR_BUSY,        // another request is in progress
    ERR_STATE,       // not allowed in this state
    ERR_NOT_FOUND,   // what was named does not exist
    ERR_EXISTS,      // what was to be made exists already
    ERR_AUTH,        // wrong PIN, key, code or peer
    ERR_FRAMING,     // the link between two programs lost its order
    ERR_TIMEOUT,     // somebody did not answer in time
    ERR_INTERRUPTED, // a person stopped waiting
    ERR_PENDING,     // who decides has not decided yet
    ERR_IO,          // the operating system, a disk or a socket failed
    ERR_NO_MEMORY,   // a bounded arena is used up
    ERR_USAGE,       // the command line or a configuration file is wrong
    ERR_INTERNAL,    // hardware or library gave a result that cannot be
};

// A plain value: nobody frees it. `text` is what the other side may read, outermost context first:
// "input 3: witness utxo: output ends at byte 41". `detail` is for panel, journal and log only, and
// empty when `text` says it all (spec psbt-signing.md 0, "reply" and "detail").
struct err {
    enum err_code code;
    char text[ERR_TEXT_MAX];
    char detail[ERR_DETAIL_MAX];
};

// Both return false, so that a failing function ends in one statement. `err` may not be NULL.
// err_set clears the detail; err_within puts "context: " before the text and keeps code and detail.
bool err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool err_within(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

// Sets the detail of an error that err_set has made; returns false.
bool err_detail(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

// err_set with ": " and the text of an errno value behind the sentence; the code is ERR_NOT_FOUND
// for ENOENT, else ERR_IO.
bool err_set_errno(struct err *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

// A short stable name, "malformed": for logs and JSON.
const char *err_code_name(enum err_code code);

#endif
