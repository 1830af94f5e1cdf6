#include "policy/extension.h"
#include "policy/extension_members.h"

static bool belongs(const struct member *m, bool is_rule)
{
    return m->part == PART_BOTH || (m->part == PART_RULE) == is_rule;
}

static const void *value_of(const struct member *m, const struct view *v)
{
    const uint8_t *base = m->part == PART_BOTH   ? (const void *)v->both
                          : m->part == PART_RULE ? (const void *)&v->rule->own
                                                 : (const void *)&v->policy->own;
    return base + m->at;
}

static bool is_set(const struct member *m, const struct view *v)
{
    switch (m->kind) {
    case KIND_BOOL:
        return *(const bool *)value_of(m, v);
    case KIND_NUMBER:
        return *(const unsigned *)value_of(m, v) > 0;
    case KIND_SPECIAL:
        break;
    }
    return m->is_set(v);
}

// --- Reading ---

static bool read_member(const struct member *m, const struct owner *o, const struct fields *f,
                        const struct policy_world *world)
{
    uint8_t *base = m->part == PART_BOTH   ? (void *)o->both
                    : m->part == PART_RULE ? (void *)&o->rule->own
                                           : (void *)&o->policy->own;
    uint64_t n = 0; // unset
    bool given;
    switch (m->kind) {
    case KIND_BOOL:
        return field_bool(f, m->name, (bool *)(void *)(base + m->at));
    case KIND_NUMBER:
        if (!field_integer(f, m->name, 1, m->max, &given, &n))
            return false;
        *(unsigned *)(void *)(base + m->at) = (unsigned)n;
        return true;
    case KIND_SPECIAL:
        break;
    }
    return m->read(o, f, world);
}

static bool read_members(const struct owner *o, const struct fields *f,
                         const struct policy_world *world)
{
    const char *known[EXTENSION_MEMBERS];
    struct fields inner = *f;
    size_t n = 0;
    if (!field_object(f, "casemate", &inner.object))
        return false;
    if (inner.object == NULL)
        return true;
    for (size_t i = 0; i < EXTENSION_MEMBERS; i++) {
        if (!belongs(&extension_members[i], o->rule != NULL))
            continue;
        if (!read_member(&extension_members[i], o, &inner, world))
            return false;
        known[n++] = extension_members[i].name;
    }
    return fields_finish(&inner, known, n);
}

// What would have no effect where it stands, or another than it says, is an error.
bool extension_read_rule(struct rule *out, const struct fields *f)
{
    const struct owner owner = { &out->extension, out, NULL };
    if (!read_members(&owner, f, NULL))
        return false;
    const bool is_attested = out->n_whitelist > 0 && out->mode == WHITELIST_ATTEST;
    if (out->own.attest_bound && !is_attested)
        return fields_fail(f, "attest_bound: needs whitelist mode ATTEST");
    if (out->own.n_payees > 0 && is_attested)
        return fields_fail(f, "destinations: not with whitelist mode ATTEST");
    if (out->own.n_scripts > 0 && is_attested)
        return fields_fail(f, "scripts: not with whitelist mode ATTEST");
    return true;
}

bool extension_read_policy(struct policy *out, const struct fields *f,
                           const struct policy_world *world)
{
    const struct owner owner = { &out->extension, NULL, out };
    if (!read_members(&owner, f, world))
        return false;
    return out->own.msg_per_period == 0 || out->period_min > 0 ||
           fields_fail(f, "Needs period to be specified");
}

struct extension extension_both(const struct extension *policy, const struct extension *rule)
{
    struct extension both = *rule;
    both.count_fees |= policy->count_fees;
    if (policy->max_fee.is_set &&
        (!both.max_fee.is_set || policy->max_fee.max.n < both.max_fee.max.n))
        both.max_fee = policy->max_fee;
    return both;
}

static bool has_items(const struct json *object, const char *key)
{
    const struct json *list = json_get(object, key);
    return list != NULL && list->type == JSON_ARRAY && list->n_items > 0;
}

bool extension_lists_destinations(const struct json *rule)
{
    const struct json *extension = json_get(rule, "casemate");
    return has_items(extension, "scripts") || has_items(extension, "destinations");
}

// --- Writing ---

static void put_member(struct json_writer *j, const struct member *m, const struct view *v)
{
    json_key(j, m->name);
    if (m->kind == KIND_BOOL)
        json_bool(j, true);
    else if (m->kind == KIND_NUMBER)
        json_u64(j, *(const unsigned *)value_of(m, v));
    else
        m->put(j, v);
}

static void put_members(struct json_writer *j, const struct view *v)
{
    bool is_open = false;
    for (size_t i = 0; i < EXTENSION_MEMBERS; i++) {
        if (!belongs(&extension_members[i], v->rule != NULL) || !is_set(&extension_members[i], v))
            continue;
        if (!is_open) {
            json_key(j, "casemate");
            json_begin_object(j);
        }
        is_open = true;
        put_member(j, &extension_members[i], v);
    }
    if (is_open)
        json_end_object(j);
}

void extension_put_rule(struct json_writer *j, const struct rule *rule)
{
    put_members(j, &(struct view){ .both = &rule->extension, .rule = rule });
}

void extension_put_policy(struct json_writer *j, const struct policy *policy)
{
    put_members(j, &(struct view){ .both = &policy->extension, .policy = policy });
}

// --- Lines ---

static void write_line(struct writer *w, const struct member *m, const struct view *v,
                       const char *of)
{
    writer_printf(w, "- Casemate: %s", of);
    if (m->kind == KIND_SPECIAL)
        m->text(w, v);
    for (const char *c = m->kind == KIND_SPECIAL ? "" : m->line; *c != '\0'; c++) {
        if (*c == '%')
            writer_printf(w, "%u", *(const unsigned *)value_of(m, v));
        else
            writer_u8(w, (uint8_t)*c);
    }
    writer_u8(w, '\n');
}

static void write_lines(struct writer *w, const struct view *v, const char *of,
                        enum extension_section section)
{
    for (size_t i = 0; i < EXTENSION_MEMBERS; i++)
        if (belongs(&extension_members[i], v->rule != NULL) &&
            extension_members[i].section == section && is_set(&extension_members[i], v))
            write_line(w, &extension_members[i], v, of);
}

void extension_lines_of_rule(struct writer *w, const struct rule *rule, size_t number,
                             const struct chain *chain, enum unit unit)
{
    const struct view v = { &rule->extension, rule, NULL, chain, unit };
    char of[32];
    (void)snprintf(of, sizeof of, "Rule #%zu: ", number);
    write_lines(w, &v, of, SECTION_TRANSACTIONS);
}

void extension_lines_of_policy(struct writer *w, const struct policy *policy,
                               enum extension_section section, const struct chain *chain,
                               enum unit unit)
{
    const struct view v = { &policy->extension, NULL, policy, chain, unit };
    write_lines(w, &v, section == SECTION_TRANSACTIONS ? "Every rule: " : "", section);
}
