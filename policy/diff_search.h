// policy/diff_search.h -- looking for requests that one policy signs and another refuses. Inside
// policy/diff*.c only.
#ifndef CASEMATE_POLICY_DIFF_SEARCH_H
#define CASEMATE_POLICY_DIFF_SEARCH_H
#include "policy/diff_plan.h"

// What is known of both policies, for all searches.
struct diff_world {
    const struct chain *chain;
    struct stand_ins stand_ins;
    struct policy_diff *out;
    struct arena *arena, *scratch;
    int64_t now_s;
    uint64_t budget;                  // clauses of rules that may still be tried
    struct diff_key *keys;            // of what was found, one per item
    struct velocity *velocities;      // two, of whoever decides
    bool use_pct, use_local, use_fee; // by some rule of either policy
    bool use_wallet, use_lists;
    bool use_shape[SHAPES];
    size_t n_users; // that either names, the most that can be
    struct bytes users[USERS_MAX];
};

// `signs` is to sign what `refuses` does not.
struct diff_side {
    struct diff_world *world;
    const struct policy *signs, *refuses;
    bool is_new; // `signs` is the new policy
};

// What makes two findings the same: the deciding rule, the nearest of the refusing rules, what that
// one lacks.
struct diff_key {
    bool is_allowed;
    bool is_again; // of several requests in a row
    enum cause cause;
    size_t rule, nearest;
    uint64_t lacks; // a bit for each clause
};

// One request under one policy. *out lives in the scratch memory.
MUST_CHECK bool diff_decide(struct simulation *out, struct diff_world *world,
                            const struct policy *policy, const struct diff_request *request,
                            const struct velocity *velocity, int64_t now_s);

// A plan's request, in the arena; false if there is none.
MUST_CHECK bool diff_request_make(struct diff_request *out, const struct diff_world *world,
                                  const struct diff_plan *plan, struct arena *arena);

// What a request would be filed under, from the decisions of both sides.
struct diff_key diff_key_of(const struct diff_side *side, const struct simulation *signed_by,
                            const struct simulation *refused_by);
// Nothing as near was found before.
bool diff_is_news(const struct diff_world *world, const struct diff_key *key);
// Adds a finding. Both simulations are of its last request.
void diff_add(const struct diff_side *side, const struct diff_key *key,
              const struct diff_example *example, const struct simulation *signed_by,
              const struct simulation *refused_by);

// --- The searches ---

// One request that rule `rule` of side->signs allows: the hardest alone, whether it was found to differ.
bool diff_search_hardest(const struct diff_side *side, size_t rule);
// And all.
void diff_search_rule(const struct diff_side *side, size_t rule);
// An easy request that the rule signs, and the largest. They borrow from the arena. False: there is none.
MUST_CHECK bool diff_rule_plans(struct diff_plan *easy, struct diff_plan *largest,
                                const struct diff_side *side, size_t rule, struct arena *arena);
// The same request again and again, and pairs, from either policy's rules; both directions at once.
// diff_repeat.c
void diff_search_repeated(struct diff_world *world);
// What the velocity is after what is signed before the example. False: it is not, so often.
MUST_CHECK bool diff_spend(struct velocity *velocity, struct diff_world *world,
                           const struct policy *policy, const struct diff_example *example);
// A BIP-322 message: with all who may be asked, a card and no warning; or with one of them less.
enum diff_message {
    DIFF_MESSAGE_EASY,
    DIFF_MESSAGE_NO_USERS = 1,
    DIFF_MESSAGE_WARNING = 2,
    DIFF_MESSAGE_NO_CARD = 4
};
MUST_CHECK bool diff_message_request(struct diff_request *out, const struct keypath *path,
                                     const struct diff_world *world, unsigned kind,
                                     struct arena *arena);
// A path that both lists allow; false if none was found.
MUST_CHECK bool diff_common_path(struct keypath *out, const struct path_list *a,
                                 const struct path_list *b, struct arena *arena);
// Paths of messages, extended keys and addresses: diff_paths.c
MUST_CHECK bool diff_search_paths(struct diff_world *world, struct err *err);
// What a path's kind of request comes to; false in *ok: no memory.
bool diff_path_is_allowed(const struct policy *policy, const struct difference *d,
                          struct bytes *text, struct arena *arena);

// --- Words: diff_words.c ---

// "Rule #2 of the new policy signs it; of the old policy, rule #1 comes nearest and refuses: a larger
// amount".
void diff_write_text(struct writer *w, const struct diff_key *key, const struct diff_example *e);

#endif
