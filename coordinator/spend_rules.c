#include "coordinator/spend_rules.h"
#include <stddef.h>

enum kind { NUMBER, COUNT, SATS, SWITCH };
struct member {
    const char *name;
    enum kind kind;
    size_t at;
    uint64_t min, max;
};
#define AT(member) offsetof(struct spend_rules, member)

// COUNT is an unsigned, NUMBER a uint64_t.
static const struct member MEMBERS[] = {
    { "amount_max_sat", SATS, AT(amount_max), 546, SATS_MAX },
    { "approvals", COUNT, AT(approvals), 1, 10 },
    { "min_confirmations", COUNT, AT(limits.min_confirmations), 1, 100 },
    { "spend_own_change", SWITCH, AT(limits.spend_own_change), 0, 1 },
    { "chain_max", NUMBER, AT(limits.chain_max), 1, 24 },
    { "max_fee_sat", SATS, AT(limits.max_fee), 200, 100000000 },
    { "max_fee_percent", COUNT, AT(limits.max_fee_percent), 1, 4 },
    { "min_change_sat", SATS, AT(limits.min_change), 546, 100000000 },
    { "min_confirmed_coins", COUNT, AT(limits.min_coins), 1, 100 },
    { "consolidate_below", NUMBER, AT(limits.consolidate_below), 0, 1000000 },
    { "max_inputs", COUNT, AT(limits.max_inputs), 1, 500 },
    { "fee_floor", NUMBER, AT(fee_floor), 100, 10000000 },
    { "fee_ceiling", NUMBER, AT(fee_ceiling), 1000, 10000000 },
    { "fee_fallback", NUMBER, AT(fee_fallback), 100, 10000000 },
    { "fee_blocks_auto", COUNT, AT(fee_blocks_auto), 1, 1008 },
    { "fee_blocks_surge", COUNT, AT(fee_blocks_surge), 1, 1008 },
    { "stuck_s", COUNT, AT(stuck_s), 1, 604800 },
    { "max_bumps", COUNT, AT(max_bumps), 0, 20 },
    { "give_up_s", COUNT, AT(give_up_s), 1, 86400 },
    { "freeze_on_foreign", SWITCH, AT(freeze_on_foreign), 0, 1 },
};

struct spend_rules spend_rules_default(void)
{
    return (struct spend_rules){
        .limits = build_limits_default(),
        .fee_floor = 1000,
        .fee_ceiling = 200000,
        .fee_fallback = 2000,
        .fee_blocks_auto = 6,
        .fee_blocks_surge = 2,
        .stuck_s = 3600,
        .max_bumps = 3,
        .give_up_s = 600,
        .amount_max = { SATS_MAX },
        .approvals = 1,
    };
}

static void store(struct spend_rules *rules, const struct member *m, uint64_t value)
{
    uint8_t *at = (uint8_t *)rules + m->at;
    switch (m->kind) {
    case NUMBER:
        *(uint64_t *)(void *)at = value;
        return;
    case COUNT:
        *(unsigned *)(void *)at = (unsigned)value;
        return;
    case SATS:
        ((struct sats *)(void *)at)->n = value;
        return;
    case SWITCH:
        *(bool *)(void *)at = value != 0;
        return;
    }
}

static uint64_t load(const struct spend_rules *rules, const struct member *m)
{
    const uint8_t *at = (const uint8_t *)rules + m->at;
    switch (m->kind) {
    case NUMBER:
        return *(const uint64_t *)(const void *)at;
    case COUNT:
        return *(const unsigned *)(const void *)at;
    case SATS:
        return ((const struct sats *)(const void *)at)->n;
    case SWITCH:
        return *(const bool *)(const void *)at;
    }
    return 0;
}

static const struct member *find(struct bytes name)
{
    for (size_t i = 0; i < COUNT(MEMBERS); i++)
        if (bytes_equal_text(name, MEMBERS[i].name))
            return &MEMBERS[i];
    return NULL;
}

static bool read_member(struct spend_rules *out, const struct json *value, struct err *err)
{
    const struct member *m = find(value->key);
    int64_t number = 0;
    bool out_of_range;
    if (m == NULL)
        return code_fail(err, CODE_BAD_REQUEST, "settings: unknown member '%.*s'",
                         BYTES_ARG(bytes_slice(value->key, 0, 64)));
    if (m->kind == SWITCH) {
        if (value->type != JSON_TRUE && value->type != JSON_FALSE)
            return code_fail(err, CODE_BAD_REQUEST, "settings: %s: true or false", m->name);
        number = value->type == JSON_TRUE;
    } else if (value->type != JSON_NUMBER || !json_integer(value, &number, &out_of_range) ||
               number < 0 || (uint64_t)number < m->min || (uint64_t)number > m->max) {
        return code_fail(err, CODE_BAD_REQUEST, "settings: %s: a whole number from %llu to %llu",
                         m->name, (unsigned long long)m->min, (unsigned long long)m->max);
    }
    store(out, m, (uint64_t)number);
    return true;
}

bool spend_rules_parse(struct spend_rules *out, struct bytes text, struct arena *arena,
                       struct err *err)
{
    const struct json *object;
    *out = spend_rules_default();
    if (text.len == 0)
        return true;
    if (!json_parse(&object, text, arena, err) || object->type != JSON_OBJECT)
        return code_fail(err, CODE_BAD_REQUEST, "settings: not a JSON object");
    for (const struct json *m = object->items; m != NULL; m = m->next)
        if (!read_member(out, m, err))
            return false;
    if (out->fee_floor > out->fee_ceiling)
        return code_fail(err, CODE_BAD_REQUEST, "settings: fee_floor is above fee_ceiling");
    return true;
}

void spend_rules_write(struct json_writer *j, const struct spend_rules *rules)
{
    json_begin_object(j);
    for (size_t i = 0; i < COUNT(MEMBERS); i++) {
        json_key(j, MEMBERS[i].name);
        if (MEMBERS[i].kind == SWITCH)
            json_bool(j, load(rules, &MEMBERS[i]) != 0);
        else
            json_u64(j, load(rules, &MEMBERS[i]));
    }
    json_end_object(j);
}

uint64_t spend_rules_rate(const struct spend_rules *rules, uint64_t wish, uint64_t estimate,
                          uint64_t node_least)
{
    uint64_t rate = wish != 0 ? wish : estimate != 0 ? estimate : rules->fee_fallback;
    if (rate < rules->fee_floor)
        rate = rules->fee_floor;
    if (rate > rules->fee_ceiling)
        rate = rules->fee_ceiling;
    return rate < node_least ? node_least : rate;
}
