// bitcoin/keypath.h -- BIP-32 derivation paths, and the patterns by which a policy allows them.
#ifndef CASEMATE_BITCOIN_KEYPATH_H
#define CASEMATE_BITCOIN_KEYPATH_H
#include "base/err.h"
#include "base/writer.h"

#define KEYPATH_DEPTH_MAX 12 // steps
#define KEYPATH_HARD      0x80000000u
#define KEYPATH_TEXT_MAX  160 // longest text, final zero included

struct keypath {
    uint32_t step[KEYPATH_DEPTH_MAX]; // child numbers, KEYPATH_HARD included
    size_t depth;                     // 0 is the master key, "m"
};

// What must follow a pattern's prefix.
enum keypath_tail { TAIL_NONE, TAIL_STAR, TAIL_HARD_STAR };
struct keypath_pattern {
    struct keypath prefix;
    enum keypath_tail tail;
};

// A path in a request: cleaned by policy.md 3.1 (blanks trimmed, printable ASCII, lower case, ' and
// p for h, empty for m), no star. Fails: ERR_MALFORMED with exactly the texts of policy.md 3.1
// ("must be ascii printable",
//        "invalid characters in path", "too deep", "empty path component", "bad component:
//        <text>").
MUST_CHECK bool keypath_parse(struct keypath *out, struct bytes text, struct err *err);

// The same for a policy, where a last step may be * or *h. Fails also with "bad wildcard".
MUST_CHECK bool keypath_pattern_parse(struct keypath_pattern *out, struct bytes text,
                                      struct err *err);

// A star stands for exactly one step, of its own hardness. Source: policy.md 3.2.
bool keypath_pattern_matches(const struct keypath_pattern *pattern, const struct keypath *path);

bool keypath_equal(const struct keypath *a, const struct keypath *b);
bool keypath_starts_with(const struct keypath *path, const struct keypath *prefix);

// "m", "m/84h/1h/0h/0/3"; the pattern's tail as "/*" or "/*h".
void keypath_write(struct writer *w, const struct keypath *path);
void keypath_pattern_write(struct writer *w, const struct keypath_pattern *pattern);

#endif
