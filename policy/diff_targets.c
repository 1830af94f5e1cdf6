// policy/diff_targets.c -- where the money of an example goes.
#include "bitcoin/address.h"
#include "policy/diff_values.h"
#include "policy/payees.h"

#define ATTESTED_MAX 64 // attestors in one example

static const uint8_t stranger[] = { 0,    20,   0x73, 0x6f, 0x6d, 0x65, 0x62, 0x6f,
                                    0x64, 0x79, 0x20, 0x65, 0x6c, 0x73, 0x65, 0x73,
                                    0x20, 0x63, 0x6f, 0x69, 0x6e, 0x73 };

static bool script_of(struct bytes *out, struct bytes address, const struct diff_world *world,
                      struct arena *arena)
{
    struct writer w = writer_growing(arena, 64);
    struct err ignored;
    return address_to_script(&w, address, world->chain, &ignored) && writer_finish(&w, out);
}

static bool lists(const struct rule *rule, enum whitelist_mode mode, struct bytes address)
{
    for (size_t i = 0; i < rule->n_whitelist && rule->mode == mode; i++)
        if (bytes_equal(rule->whitelist[i], address))
            return true;
    return false;
}

static bool policy_lists(const struct policy *policy, enum whitelist_mode mode,
                         struct bytes address)
{
    for (size_t i = 0; i < policy->n_rules; i++)
        if (lists(&policy->rules[i], mode, address))
            return true;
    return false;
}

static void add_targets(struct values *v, const struct diff_target *items, size_t n)
{
    if (n > 0 && v->n_targets < SETS_MAX)
        v->targets[v->n_targets++] = (struct target_set){ items, n };
}

static void add_target(struct values *v, struct bytes script, const struct stand_in *attestor,
                       struct arena *arena)
{
    struct diff_target *one = arena_alloc(arena, sizeof *one);
    if (one == NULL)
        return;
    *one = (struct diff_target){ script, attestor };
    add_targets(v, one, 1);
}

static bool payee_script_of(struct bytes *out, const struct payee *payee, uint32_t index,
                            struct arena *arena)
{
    struct writer w = writer_growing(arena, 128);
    struct err ignored;
    return payee_script(&w, payee, index, &ignored) && writer_finish(&w, out);
}

// The first script that the rule lists.
static bool listed_script(struct bytes *out, const struct rule *rule,
                          const struct diff_world *world, struct arena *arena)
{
    for (size_t i = 0; i < rule->n_whitelist && i < 100; i++)
        if (script_of(out, rule->whitelist[i], world, arena))
            return true;
    if (rule->own.n_scripts > 0)
        *out = rule->own.scripts[0];
    return rule->own.n_scripts > 0 ||
           (rule->own.n_payees > 0 &&
            payee_script_of(out, &rule->own.payees[0], rule->own.payees[0].first, arena));
}

// Something that the other policy would let through, so that it is not this that it refuses.
static void easy_target(struct diff_target *out, const struct policy *other,
                        const struct diff_world *world, struct arena *arena)
{
    bool has_script = false;
    *out = (struct diff_target){ BYTES_OF(stranger), NULL };
    for (size_t i = 0; i < other->n_rules; i++) {
        const struct rule *rule = &other->rules[i];
        if (rule->mode == WHITELIST_BASIC && !has_script)
            has_script = listed_script(&out->script, rule, world, arena);
        for (size_t k = 0; k < rule->n_whitelist && out->attestor == NULL; k++)
            if (rule->mode == WHITELIST_ATTEST)
                out->attestor = stand_in_of_address(&world->stand_ins, rule->whitelist[k]);
    }
}

// Of each payee the first and the last child, and those beside the bounds of the other policy.
static void fill_payee(struct values *v, const struct payee *payee, const struct policy *other,
                       struct arena *arena)
{
    uint32_t children[2 + 2 * VALUES_MAX] = { payee->first, payee->last };
    size_t n = payee->first < payee->last ? 2 : 1;
    for (size_t i = 0; i < other->n_rules; i++)
        for (size_t k = 0; k < other->rules[i].own.n_payees; k++) {
            const struct payee *theirs = &other->rules[i].own.payees[k];
            if (n + 2 > COUNT(children))
                break;
            if (theirs->first > payee->first && theirs->first <= payee->last)
                children[n++] = theirs->first - 1;
            if (theirs->last >= payee->first && theirs->last < payee->last)
                children[n++] = theirs->last + 1;
        }
    for (size_t i = 0; i < n; i++) {
        struct bytes script;
        if (payee_script_of(&script, payee, children[i], arena))
            add_target(v, script, NULL, arena);
    }
}

static void fill_addresses(struct values *v, const struct policy *other, bool listed_there,
                           struct arena *arena)
{
    const struct rule *rule = v->rule;
    size_t n = 0;
    for (size_t i = 0; i < rule->n_whitelist && n < SETS_MAX / 4; i++) {
        struct bytes script;
        if (policy_lists(other, WHITELIST_BASIC, rule->whitelist[i]) != listed_there ||
            !script_of(&script, rule->whitelist[i], v->world, arena))
            continue;
        add_target(v, script, NULL, arena);
        n++;
    }
}

// A rule that says where to: each alone, those that the other policy lists too first, then all.
static void fill_listed(struct values *v, const struct policy *other, struct arena *arena)
{
    const struct rule *rule = v->rule;
    const size_t most = rule->n_whitelist + SETS_MAX;
    struct diff_target *all = arena_array(arena, most, sizeof *all);
    size_t n = 0;
    if (all == NULL)
        return;
    fill_addresses(v, other, true, arena);
    fill_addresses(v, other, false, arena);
    for (size_t i = 0; i < rule->own.n_scripts && i < SETS_MAX / 4; i++)
        add_target(v, rule->own.scripts[i], NULL, arena);
    for (size_t i = 0; i < rule->own.n_payees && i < SETS_MAX / 8; i++)
        fill_payee(v, &rule->own.payees[i], other, arena);
    for (size_t i = 0; i < rule->n_whitelist; i++)
        n += script_of(&all[n].script, rule->whitelist[i], v->world, arena);
    for (size_t i = 0; i < v->n_targets && rule->own.n_scripts + rule->own.n_payees > 0; i++)
        all[n++] = v->targets[i].items[0];
    if (n > 1)
        add_targets(v, all, n);
}

// A rule that asks for attestations.
static void fill_attested(struct values *v, const struct diff_target *easy, struct arena *arena)
{
    const struct rule *rule = v->rule;
    struct diff_target *all = arena_array(arena, ATTESTED_MAX, sizeof *all);
    size_t n = 0;
    if (all == NULL)
        return;
    for (size_t i = 0; i < rule->n_whitelist && n < ATTESTED_MAX; i++) {
        const struct stand_in *s = stand_in_of_address(&v->world->stand_ins, rule->whitelist[i]);
        if (s == NULL)
            continue;
        all[n++] = (struct diff_target){ BYTES_OF(stranger), s };
        if (easy->attestor == s || easy->attestor == NULL)
            add_target(v, easy->script, s, arena);
        add_target(v, BYTES_OF(stranger), s, arena);
    }
    if (n > 1)
        add_targets(v, all, n);
}

void values_fill_targets(struct values *v, const struct policy *other, struct arena *arena)
{
    struct diff_target easy;
    easy_target(&easy, other, v->world, arena);
    if (v->rule->n_whitelist > 0 && v->rule->mode == WHITELIST_ATTEST) {
        fill_attested(v, &easy, arena);
    } else if (rule_lists_destinations(v->rule)) {
        fill_listed(v, other, arena);
    } else {
        add_target(v, easy.script, easy.attestor, arena);
        if (easy.attestor != NULL) {
            add_target(v, BYTES_OF(stranger), easy.attestor, arena);
            add_target(v, easy.script, NULL, arena);
        }
        add_target(v, BYTES_OF(stranger), NULL, arena);
    }
}
