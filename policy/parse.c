// policy/parse.c -- a policy file: its top level.
#include "policy/parse.h"
#include "base/hex.h"
#include "policy/canonical.h"
#include "policy/extension.h"
#include "policy/payees.h"

#define NOTES_MAX     80 // characters
#define PERIOD_MAX    4320
#define ALLOW_SL_MAX  100
#define SET_SL_MIN    16
#define BOOT_TEXT_MAX 6

static const char *const file_fields[] = {
    "must_log",    "never_log",   "priv_over_ux", "warnings_ok", "msg_paths",
    "share_xpubs", "share_addrs", "notes",        "period",      "allow_sl",
    "set_sl",      "boot_to_hsm", "rules",        "casemate",
};
static const char *const stored_fields[] = {
    "must_log",    "never_log",   "priv_over_ux", "warnings_ok", "msg_paths",
    "share_xpubs", "share_addrs", "notes",        "period",      "allow_sl",
    "sl_hash",     "boot_to_hsm", "rules",        "casemate",
};

// --- Log, paths ---

static bool read_switches(struct policy *out, const struct fields *f)
{
    if (!field_bool(f, "must_log", &out->must_log) || !field_bool(f, "never_log", &out->never_log))
        return false;
    if (out->must_log && out->never_log)
        return fields_fail(f, "log conflict");
    return field_bool(f, "priv_over_ux", &out->priv_over_ux) &&
           field_bool(f, "warnings_ok", &out->warnings_ok);
}

static bool equals_ignoring_case(struct bytes text, const char *lower)
{
    if (text.len != strlen(lower))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != lower[i])
            return false;
    }
    return true;
}

// Policy 3.1: "compare case-insensitively with the keywords before trimming"
static bool read_path(struct path_entry *out, const struct fields *f, const char *key,
                      bool p2sh_allowed, const struct json *item)
{
    const struct bytes shown = json_shown(item);
    struct err why; // policy 2.5: one text, "whatever the cause"
    *out = (struct path_entry){ .kind = PATH_PATTERN };
    if (item->type == JSON_STRING && equals_ignoring_case(item->text, "any"))
        out->kind = PATH_ANY;
    else if (item->type == JSON_STRING && p2sh_allowed && equals_ignoring_case(item->text, "p2sh"))
        out->kind = PATH_P2SH;
    else if (item->type != JSON_STRING || !keypath_pattern_parse(&out->pattern, item->text, &why))
        return fields_fail(f, "%s: invalid path (%.*s)", key, BYTES_ARG(shown));
    return true;
}

static bool read_paths(struct path_list *out, const struct fields *f, const char *key,
                       bool p2sh_allowed)
{
    const struct json *list;
    if (!field_list(f, key, &list))
        return false;
    if (list == NULL)
        return true;
    if (list->n_items > POLICY_PATHS_MAX)
        return fields_fail(f, "%s: too many", key);
    struct path_entry *entries = arena_array(f->arena, list->n_items, sizeof *entries);
    if (entries == NULL)
        return fields_no_memory(f);
    for (const struct json *item = list->items; item != NULL; item = item->next)
        if (!read_path(&entries[out->n++], f, key, p2sh_allowed, item))
            return false;
    out->entries = entries;
    return true;
}

static bool read_path_lists(struct policy *out, const struct fields *f)
{
    return read_paths(&out->msg_paths, f, "msg_paths", false) &&
           read_paths(&out->share_xpubs, f, "share_xpubs", false) &&
           read_paths(&out->share_addrs, f, "share_addrs", true);
}

// --- Notes, period, locker, start ---

// Policy 2.9: "a newline forges summary lines; 0x01 to 0x03 are display commands"
static bool read_notes(struct policy *out, const struct fields *f)
{
    if (!field_text(f, "notes", 1, NOTES_MAX, &out->notes))
        return false;
    for (size_t i = 0; i < out->notes.len; i++)
        if (out->notes.ptr[i] < 0x20 || out->notes.ptr[i] == 0x7f)
            return fields_fail(f, "notes: must be printable");
    return true;
}

static bool read_unsigned(unsigned *out, const struct fields *f, const char *key, uint64_t max)
{
    uint64_t n = 0; // unset
    bool is_set;
    if (!field_integer(f, key, 1, max, &is_set, &n))
        return false;
    *out = (unsigned)n;
    return true;
}

static bool read_locker(struct policy *out, const struct fields *f)
{
    if (!field_text(f, "set_sl", SET_SL_MIN, POLICY_LOCKER_MAX, &out->set_sl))
        return false;
    if (out->set_sl.len == 0)
        return true;
    if (out->allow_sl == 0)
        return fields_fail(f, "need allow_sl>=1");
    // Policy 2.9: in the reference "the write happens after the policy is saved and HSM mode is on,
    // and fails". Printable ASCII has as many bytes as characters.
    if (!bytes_is_printable_ascii(out->set_sl))
        return fields_fail(f, "set_sl: must be ascii printable");
    out->has_sl_hash = true;
    out->sl_hash = policy_sl_hash(out->set_sl);
    return true;
}

static bool read_stored_locker(struct policy *out, const struct fields *f)
{
    const struct json *hash = json_get(f->object, "sl_hash");
    if (hash == NULL)
        return true;
    out->has_sl_hash = true;
    return (hash->type == JSON_STRING &&
            hex_decode(out->sl_hash.b, sizeof out->sl_hash.b, hash->text)) ||
           fields_fail(f, "sl_hash: must be 64 hex digits");
}

// --- Rules ---

static bool read_rule(struct rule *out, const struct fields *top, size_t number,
                      const struct json *item, const struct policy_world *world)
{
    struct fields f = *top;
    f.object = item;
    f.rule = number;
    if (item->type != JSON_OBJECT)
        return fields_fail(&f, "rules: must be dict");
    return rule_read(out, &f, world);
}

static bool read_rules(struct policy *out, struct rule **rules_out, const struct fields *f,
                       const struct policy_world *world)
{
    const struct json *list;
    bool needs_period = false;
    if (!field_list(f, "rules", &list))
        return false;
    if (list == NULL)
        return true;
    if (list->n_items > POLICY_RULES_MAX)
        return fields_fail(f, "rules: too many");
    struct rule *rules = arena_array(f->arena, list->n_items, sizeof *rules);
    if (rules == NULL)
        return fields_no_memory(f);
    for (const struct json *item = list->items; item != NULL; item = item->next) {
        struct rule *rule = &rules[out->n_rules++];
        if (!read_rule(rule, f, out->n_rules, item, world))
            return false;
        needs_period |= rule_counts(rule) && rule->own.period_min == 0;
    }
    out->rules = *rules_out = rules;
    if (policy_count_payees(out) > PAYEES_MAX)
        return fields_fail(f, "too many destinations");
    if (needs_period && out->period_min == 0)
        return fields_fail(f, "Needs period to be specified");
    return true;
}

// What the policy has for every rule is checked last, and then holds for each.
static bool read_extension(struct policy *out, struct rule *rules, const struct fields *f,
                           const struct policy_world *world)
{
    if (!extension_read_policy(out, f, world))
        return false;
    for (size_t i = 0; i < out->n_rules; i++)
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): without an array there are no rules
        rules[i].terms = extension_both(&out->extension, &rules[i].extension);
    return true;
}

// --- The whole ---

static bool read_fields(struct policy *out, const struct fields *f, enum policy_source source,
                        const struct policy_world *world)
{
    const bool is_file = source == POLICY_FILE;
    struct rule *rules = NULL;
    if (!read_switches(out, f) || !read_path_lists(out, f) || !read_notes(out, f) ||
        !read_unsigned(&out->period_min, f, "period", PERIOD_MAX) ||
        !read_unsigned(&out->allow_sl, f, "allow_sl", ALLOW_SL_MAX) ||
        !(is_file ? read_locker(out, f) : read_stored_locker(out, f)) ||
        !field_text(f, "boot_to_hsm", 1, BOOT_TEXT_MAX, &out->boot_to_hsm) ||
        !read_rules(out, &rules, f, world) || !read_extension(out, rules, f, world))
        return false;
    if (!is_file)
        return fields_finish(f, stored_fields, COUNT(stored_fields));
    return fields_finish(f, file_fields, COUNT(file_fields));
}

bool policy_read(struct policy *out, struct bytes text, enum policy_source source,
                 const struct policy_world *world, struct arena *arena, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(POLICY_SCRATCH); // set_sl is in it: wiped
    struct policy policy = { 0 };
    struct fields f = { .arena = arena, .err = err };
    if (!json_parse(&f.object, text, scratch, err))
        return err_within(err, "HSM Policy invalid: policy");
    if (f.object->type != JSON_OBJECT)
        return fields_fail(&f, "policy must be a JSON object");
    if (!read_fields(&policy, &f, source, world))
        return false;
    *out = policy;
    return true;
}

bool policy_parse(struct policy *out, struct bytes text, const struct policy_world *world,
                  struct arena *arena, struct err *err)
{
    if (text.len < POLICY_FILE_MIN || text.len > POLICY_FILE_MAX)
        return err_set(err, ERR_LIMIT, "badlen");
    return policy_read(out, text, POLICY_FILE, world, arena, err);
}
