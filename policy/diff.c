#include "policy/diff.h"
#include "base/json.h"
#include "base/require.h"
#include "policy/canonical.h"
#include "policy/diff_search.h"
#include "policy/percent.h"

#define BUDGET        UINT64_C(30000000) // tries of a rule
#define NOW_S         INT64_C(1764000000)
#define SETTINGS_MAX  64
#define SCRATCH_FIRST ((size_t)4 << 20)
#define SAYS_MAX      ((size_t)16 << 10) // of a decision's text

// Every decision takes some hundred kilobytes, and there are thousands: an arena keeps its first block,
// so that is made large enough for them.
static struct arena *new_scratch(void)
{
    struct arena *scratch = arena_new(DIFF_ARENA);
    REQUIRE(arena_alloc(scratch, SCRATCH_FIRST) != NULL);
    arena_reset(scratch);
    return scratch;
}

// --- Decisions ---

bool diff_decide(struct simulation *out, struct diff_world *world, const struct policy *policy,
                 const struct diff_request *request, const struct velocity *velocity, int64_t now_s)
{
    struct assumptions *a = arena_alloc(world->scratch, sizeof *a);
    struct err ignored;
    const uint64_t cost = 2 * policy->n_rules + 1;
    world->budget -= world->budget < cost ? world->budget : cost;
    if (a == NULL)
        return false;
    *a = *request->assumed;
    a->velocity = *velocity;
    a->now_s = now_s;
    return policy_simulate(out, policy, request->tx, a, world->scratch, &ignored);
}

bool diff_request_make(struct diff_request *out, const struct diff_world *world,
                       const struct diff_plan *plan, struct arena *arena)
{
    struct tx_facts *tx = arena_alloc(arena, sizeof *tx);
    struct assumptions *assumed = arena_alloc(arena, sizeof *assumed);
    struct bytes *users = arena_array(arena, plan->n_users, sizeof *users);
    if (tx == NULL || assumed == NULL || users == NULL ||
        !diff_plan_facts(tx, plan, world->chain, arena))
        return false;
    for (size_t i = 0; i < plan->n_users; i++)
        users[i] = plan->users[i];
    *assumed = (struct assumptions){ .users = users,
                                     .n_users = plan->n_users,
                                     .local_code = plan->local_code,
                                     .has_card = !plan->no_card,
                                     .now_s = world->now_s };
    *out = (struct diff_request){ tx, assumed };
    return true;
}

// --- What was found ---

static uint64_t failing(const struct rule_verdict *verdict)
{
    uint64_t bits = 0;
    for (size_t c = 0; c < RULE_CLAUSES; c++)
        if (verdict->clauses[c].outcome.reason != REASON_NONE)
            bits |= UINT64_C(1) << c;
    return bits;
}

static unsigned count_bits(uint64_t bits)
{
    unsigned n = 0;
    for (; bits != 0; bits &= bits - 1)
        n++;
    return n;
}

struct diff_key diff_key_of(const struct diff_side *side, const struct simulation *signed_by,
                            const struct simulation *refused_by)
{
    struct diff_key key = { .is_allowed = side->is_new,
                            .cause = refused_by->decision.cause,
                            .rule = signed_by->decision.rule };
    if (key.cause != CAUSE_NO_RULE_PASSES)
        return key;
    for (size_t i = 0; i < refused_by->n_rules; i++) {
        const uint64_t bits = failing(&refused_by->rules[i]);
        if (i > 0 && count_bits(bits) >= count_bits(key.lacks))
            continue;
        key.nearest = i;
        key.lacks = bits;
    }
    return key;
}

bool diff_is_news(const struct diff_world *world, const struct diff_key *key)
{
    for (size_t i = 0; i < world->out->n; i++) {
        const struct diff_key *known = &world->keys[i];
        if (known->is_allowed == key->is_allowed && known->is_again == key->is_again &&
            known->cause == key->cause && known->rule == key->rule &&
            (known->lacks & ~key->lacks) == 0)
            return false;
    }
    return true;
}

static struct bytes says(const struct diff_world *world, const struct policy *policy,
                         const struct simulation *s, const struct tx_facts *tx)
{
    struct writer w = writer_growing(world->arena, DECISION_TEXT_MAX);
    decision_write(&w, &s->decision, policy, tx);
    const struct bytes text = writer_bytes(&w);
    return bytes_slice(text, 0, text.len < SAYS_MAX ? text.len : SAYS_MAX);
}

void diff_add(const struct diff_side *side, const struct diff_key *key,
              const struct diff_example *example, const struct simulation *signed_by,
              const struct simulation *refused_by)
{
    struct diff_world *world = side->world;
    const struct tx_facts *tx = example->request.tx;
    struct policy_diff *out = world->out;
    struct writer w = writer_growing(world->arena, 4096);
    if (out->n == DIFF_ITEMS_MAX) {
        out->is_complete = false;
        return;
    }
    const struct bytes yes = says(world, side->signs, signed_by, tx);
    const struct bytes no = says(world, side->refuses, refused_by, tx);
    struct difference *d = &out->items[out->n];
    world->keys[out->n++] = *key;
    diff_write_text(&w, key, example);
    *d = (struct difference){ .is_allowed = side->is_new,
                              .kind = tx->is_message ? DIFF_MESSAGE_PSBT : DIFF_TRANSACTION,
                              .text = writer_bytes(&w),
                              .example = *example,
                              .old_says = side->is_new ? no : yes,
                              .new_says = side->is_new ? yes : no };
}

bool diff_example_decide(bool *is_allowed, struct bytes *text, const struct difference *difference,
                         const struct policy *policy, struct arena *arena, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(DIFF_ARENA);
    struct diff_world world = { .arena = arena, .scratch = scratch, .now_s = NOW_S };
    const struct diff_example *e = &difference->example;
    if (e->request.tx == NULL) {
        *is_allowed = diff_path_is_allowed(policy, difference, text, arena);
        return true;
    }
    struct velocity *v = arena_alloc(arena, sizeof *v);
    struct simulation *s = arena_alloc(arena, sizeof *s);
    if (v == NULL || s == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for an example");
    if (!diff_spend(v, &world, policy, e))
        return err_set(err, ERR_INVALID, "what comes before the example is refused");
    arena_reset(scratch);
    if (!diff_decide(s, &world, policy, &e->request, v, NOW_S + e->pause_s + e->wait_s))
        return err_set(err, ERR_NO_MEMORY, "no memory for an example");
    *is_allowed = s->decision.verdict == VERDICT_SIGN;
    *text = says(&world, policy, s, e->request.tx);
    return true;
}

// --- Settings: every member of the canonical form but the rules, whatever they are ---

static bool is_secret(struct bytes key)
{
    return bytes_equal_text(key, "boot_to_hsm");
}

static void write_value(struct writer *w, const struct json *value, struct bytes key)
{
    if (value == NULL)
        writer_text(w, "not set");
    else if (is_secret(key))
        writer_text(w, "a code");
    else {
        struct json_writer j = json_writer_of(w);
        json_value(&j, value);
    }
}

static struct bytes as_text(const struct json *value, struct arena *arena)
{
    struct writer w = writer_growing(arena, POLICY_STORED_MAX);
    write_value(&w, value, BYTES(""));
    return writer_bytes(&w);
}

static void compare_member(struct policy_diff *out, const struct json *old, const struct json *new,
                           const char *prefix, struct arena *arena)
{
    const struct bytes key = old != NULL ? old->key : new->key;
    struct writer w = writer_growing(arena, 2 * POLICY_STORED_MAX);
    if (bytes_equal_text(key, "rules") || out->n_settings == SETTINGS_MAX ||
        bytes_equal(as_text(old, arena), as_text(new, arena)))
        return;
    writer_printf(&w, "%s%.*s: ", prefix, BYTES_ARG(key));
    if (old != NULL && new != NULL && is_secret(key)) {
        writer_text(&w, "another code");
    } else {
        write_value(&w, new, key);
        writer_text(&w, ", was ");
        write_value(&w, old, key);
    }
    out->settings[out->n_settings++] = writer_bytes(&w);
}

static const struct json *member(const struct json *object, struct bytes key)
{
    const struct json *m = object != NULL && object->type == JSON_OBJECT ? object->items : NULL;
    while (m != NULL && !bytes_equal(m->key, key))
        m = m->next;
    return m;
}

static void compare_objects(struct policy_diff *out, const struct json *old, const struct json *new,
                            const char *prefix, struct arena *arena)
{
    for (const struct json *m = old != NULL ? old->items : NULL; m != NULL; m = m->next)
        if (!bytes_equal_text(m->key, "casemate"))
            compare_member(out, m, member(new, m->key), prefix, arena);
    for (const struct json *m = new != NULL ? new->items : NULL; m != NULL; m = m->next)
        if (!bytes_equal_text(m->key, "casemate") && member(old, m->key) == NULL)
            compare_member(out, NULL, m, prefix, arena);
}

static bool read_canonical(const struct json **out, const struct policy *policy,
                           struct arena *arena, struct err *err)
{
    struct writer w = writer_growing(arena, POLICY_STORED_MAX);
    struct bytes text;
    policy_canonical_write(&w, policy);
    return writer_finish(&w, &text) ? json_parse(out, text, arena, err)
                                    : err_set(err, ERR_NO_MEMORY, "the policy is too large");
}

static void add_setting(struct policy_diff *out, const char *text)
{
    if (out->n_settings < SETTINGS_MAX)
        out->settings[out->n_settings++] = bytes_of_text(text);
}

static bool compare_settings(struct policy_diff *out, struct arena *arena, struct err *err)
{
    const struct policy *old = &out->old, *new = &out->new;
    const struct json *a, *b;
    if (!read_canonical(&a, old, arena, err) || !read_canonical(&b, new, arena, err))
        return false;
    compare_objects(out, a, b, "", arena);
    compare_objects(out, json_get(a, "casemate"), json_get(b, "casemate"), "casemate: ", arena);
    if (new->has_sl_hash &&
        (!old->has_sl_hash || memcmp(old->sl_hash.b, new->sl_hash.b, sizeof new->sl_hash.b) != 0))
        add_setting(out, "set_sl: the storage locker gets another value");
    if (policy_can_be_left(old) && !policy_can_be_left(new))
        add_setting(out, "This policy can never be left.");
    return true;
}

// --- The whole ---

static bool is_same(bool *out, const struct policy *a, const struct policy *b, struct arena *arena,
                    struct err *err)
{
    struct writer old = writer_growing(arena, POLICY_STORED_MAX);
    struct writer new = writer_growing(arena, POLICY_STORED_MAX);
    policy_store_write(&old, a);
    policy_store_write(&new, b);
    *out = bytes_equal(writer_bytes(&old), writer_bytes(&new));
    return (!old.failed && !new.failed) || err_set(err, ERR_NO_MEMORY, "the policy is too large");
}

static void know_rule(struct diff_world *world, const struct rule *rule)
{
    world->use_pct |= !percent_is_zero(rule->min_pct);
    world->use_local |= rule->local_conf;
    world->use_fee |= rule->terms.max_fee.is_set || rule->terms.count_fees;
    world->use_wallet |= rule->wallet.len > 0;
    world->use_lists |= rule_lists_destinations(rule);
    for (size_t i = 0; i < rule->n_patterns; i++)
        world->use_shape[rule->patterns[i]] = true;
    for (size_t i = 0; i < rule->n_users; i++) {
        size_t k = 0;
        while (k < world->n_users && !bytes_equal(world->users[k], rule->users[i]))
            k++;
        if (k == world->n_users && k < USERS_MAX)
            world->users[world->n_users++] = rule->users[i];
    }
}

// In large policies one rule can take all there is to try: first every rule is asked for its hardest
// request, until one differs.
static void search_rules(const struct diff_side *side)
{
    bool found = false;
    side->world->budget = BUDGET;
    for (size_t i = 0; i < side->signs->n_rules && !found; i++)
        found = diff_search_hardest(side, i);
    side->world->budget = BUDGET;
    for (size_t i = 0; i < side->signs->n_rules; i++)
        diff_search_rule(side, i);
}

// Those that are allowed now come first.
static void put_in_order(struct policy_diff *out, struct difference *items)
{
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < out->n; i++)
            if (out->items[i].is_allowed == (pass == 0))
                items[n++] = out->items[i];
    REQUIRE(n == out->n);
    out->items = items;
}

static bool search(struct diff_world *world, struct arena *arena, struct err *err)
{
    struct policy_diff *out = world->out;
    const struct diff_side new = { world, &out->new, &out->old, true };
    const struct diff_side old = { world, &out->old, &out->new, false };
    struct difference *ordered = arena_array(arena, DIFF_ITEMS_MAX, sizeof *ordered);
    out->items = arena_array(arena, DIFF_ITEMS_MAX, sizeof *out->items);
    world->keys = arena_array(arena, DIFF_ITEMS_MAX, sizeof *world->keys);
    world->velocities = arena_array(arena, 2, sizeof *world->velocities);
    if (world->velocities == NULL || ordered == NULL || out->items == NULL || world->keys == NULL ||
        !stand_ins_make(&world->stand_ins, &out->old, &out->new, world->chain, arena))
        return err_set(err, ERR_NO_MEMORY, "the policies are too large to be compared");
    for (size_t i = 0; i < out->old.n_rules; i++)
        know_rule(world, &out->old.rules[i]);
    for (size_t i = 0; i < out->new.n_rules; i++)
        know_rule(world, &out->new.rules[i]);
    search_rules(&new);
    search_rules(&old);
    diff_search_repeated(world);
    if (!diff_search_paths(world, err))
        return false;
    put_in_order(out, ordered);
    return true;
}

bool policy_diff(struct policy_diff *out, const struct policy *old, const struct policy *new,
                 const struct chain *chain, struct arena *arena, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = new_scratch();
    struct diff_world world = { .chain = chain,
                                .out = out,
                                .arena = arena,
                                .scratch = scratch,
                                .now_s = NOW_S,
                                .budget = BUDGET };
    *out =
        (struct policy_diff){ .old_hash = policy_hash(old),
                              .new_hash = policy_hash(new),
                              .settings = arena_array(arena, SETTINGS_MAX, sizeof *out->settings),
                              .is_complete = true,
                              .old = *old,
                              .new = *new };
    out->hash_is_equal = memcmp(out->old_hash.b, out->new_hash.b, sizeof out->new_hash.b) == 0;
    if (out->settings == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the settings");
    if (!is_same(&out->is_same, old, new, arena, err))
        return false;
    return out->is_same || (compare_settings(out, arena, err) && search(&world, arena, err));
}
