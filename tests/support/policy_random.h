// tests/support/policy_random.h -- policies and requests drawn from bytes, small enough that all
// their parts meet.
//
// The same bytes give the same draw; past their end everything is 0.
#ifndef CASEMATE_TESTS_SUPPORT_POLICY_RANDOM_H
#define CASEMATE_TESTS_SUPPORT_POLICY_RANDOM_H
#include "base/reader.h"
#include "policy/evaluate.h"

#define DRAWN_RULES     4
#define DRAWN_INPUTS    4
#define DRAWN_OUTPUTS   5
#define DRAWN_USERS     3 // alice, bob, carol
#define DRAWN_ADDRESSES 3

struct draw {
    struct reader bytes;
};
uint32_t draw_below(struct draw *d, uint32_t bound); // of at most 65536

extern const struct policy_world drawn_world;

// A policy that would pass every check of the parser. All of it is in this struct.
struct drawn_policy {
    struct policy policy;
    struct rule rules[DRAWN_RULES];
    struct bytes users[DRAWN_RULES][DRAWN_USERS];
    struct bytes whitelist[DRAWN_RULES][DRAWN_ADDRESSES], sorted[DRAWN_RULES][DRAWN_ADDRESSES];
    enum shape patterns[DRAWN_RULES][SHAPES];
    struct path_entry paths[3][2];
};
void draw_policy(struct drawn_policy *out, struct draw *d);

enum drawn_code { CODE_NONE, CODE_RIGHT, CODE_WRONG };

// A request, and what the tests may know of it without asking the code under test.
struct drawn_request {
    struct tx_facts tx;
    struct input_facts in[DRAWN_INPUTS];
    struct output_facts out[DRAWN_OUTPUTS];
    struct user users[DRAWN_USERS];
    struct auth_queue queue;
    struct auth_facts auth;
    struct velocity velocity;
    int64_t now_s;
    enum drawn_code codes[DRAWN_USERS];
    enum drawn_code local;
};
void draw_request(struct drawn_request *out, struct draw *d, const struct policy *policy);

// The attestation of the worked example in policy.md 10.4 is good for output DRAWN_ATTESTED only,
// and is made by the address that a drawn whitelist has last.
struct bytes drawn_address(size_t i); // 0 to DRAWN_ADDRESSES - 1
struct bytes drawn_script(size_t i);  // 0 to 3; 3 has no address
bool drawn_is_attested(const struct output_facts *out);

#endif
