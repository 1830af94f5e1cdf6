#include "policy/payees.h"
#include "base/require.h"
#include "bitcoin/descriptor.h"
#include "bitcoin/keypath.h"
#include "policy/extension_members.h"

#define SCRIPT_ROOM    1024 // a bare multisig of three keys is the longest
#define DESCRIPTOR_MAX 4096 // bytes
#define CHILD_MAX      (KEYPATH_HARD - 1)
#define ARENA_REST     65536

// --- Reading ---

static const char *const members[] = { "desc", "range" };

static bool read_index(uint32_t *out, const struct json *item)
{
    int64_t n;
    if (!json_integer(item, &n, NULL) || n < 0 || n > (int64_t)CHILD_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

static bool read_range(struct payee *out, const struct fields *f)
{
    const struct json *range = json_get(f->object, "range");
    const struct json *first =
        range != NULL && range->type == JSON_ARRAY && range->n_items == 2 ? range->items : NULL;
    return (first != NULL && read_index(&out->first, first) &&
            read_index(&out->last, first->next) && out->first <= out->last) ||
           fields_fail(f, "range: must be [first, last], of 0 to %u", CHILD_MAX);
}

// "#" stands nowhere but before the checksum.
static bool has_checksum(struct bytes text)
{
    return memchr(text.ptr, '#', text.len) != NULL;
}

static bool read_keys(struct descriptor_keys *out, struct bytes text, struct err *err)
{
    struct descriptor descriptor;
    struct bytes body;
    return descriptor_body(&body, text, err) && descriptor_parse(&descriptor, body, err) &&
           descriptor_keys_read(out, &descriptor, false, err);
}

// The first script is made to see that all can be.
static bool check_descriptor(const struct payee *payee, const struct fields *f)
{
    struct descriptor_keys keys;
    uint8_t mem[SCRIPT_ROOM];
    struct writer w = writer_of(mem, sizeof mem);
    struct err why;
    if (payee->descriptor.len == 0)
        return fields_fail(f, "desc: must be string");
    if (!has_checksum(payee->descriptor))
        return fields_fail(f, "bad destination: no checksum");
    if (!read_keys(&keys, payee->descriptor, &why) ||
        !descriptor_child(&w, &keys, payee->first, &why))
        return fields_fail(f, "bad destination: %s", why.text);
    if (keys.has_pair)
        return fields_fail(f, "bad destination: one branch only, not <a;b>");
    if (!keys.has_star && payee->last > 0)
        return fields_fail(f, "bad destination: without * its range is [0, 0]");
    return true;
}

static bool read_payee(struct payee *out, const struct fields *f, const struct json *item)
{
    struct fields inner = *f;
    inner.object = item;
    if (item->type != JSON_OBJECT)
        return fields_fail(f, "destinations: must be dict");
    return field_text(&inner, "desc", 1, DESCRIPTOR_MAX, &out->descriptor) &&
           read_range(out, &inner) && check_descriptor(out, &inner) &&
           fields_finish(&inner, members, COUNT(members));
}

bool payees_read(struct rule_extension *out, const struct fields *f)
{
    const struct json *list;
    uint64_t n = 0;
    if (!field_list(f, "destinations", &list))
        return false;
    if (list == NULL)
        return true;
    struct payee *payees = arena_array(f->arena, list->n_items, sizeof *payees);
    if (payees == NULL)
        return fields_no_memory(f);
    for (const struct json *item = list->items; item != NULL; item = item->next) {
        struct payee *payee = &payees[out->n_payees++];
        if (!read_payee(payee, f, item))
            return false;
        n += (uint64_t)payee->last - payee->first + 1;
        if (n > PAYEES_MAX)
            return fields_fail(f, "too many destinations");
    }
    out->payees = payees;
    return true;
}

void payees_put(struct json_writer *j, const struct rule_extension *own)
{
    json_begin_array(j);
    for (size_t i = 0; i < own->n_payees; i++) {
        json_begin_object(j);
        json_key(j, "desc");
        json_string(j, own->payees[i].descriptor);
        json_key(j, "range");
        json_begin_array(j);
        json_u64(j, own->payees[i].first);
        json_u64(j, own->payees[i].last);
        json_end_array(j);
        json_end_object(j);
    }
    json_end_array(j);
}

// --- The table: open addressing over the hash, at most half full ---

struct entry {
    struct hash256 script_hash;
    uint16_t rule;
    uint16_t is_used;
    uint32_t payee;
    uint32_t child;
};
struct payee_table {
    size_t mask; // slots less one, a power of two
    struct entry *slots;
};

static size_t slots_for(uint64_t n)
{
    size_t slots = 16;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

uint64_t policy_count_payees(const struct policy *policy)
{
    uint64_t n = 0;
    for (size_t r = 0; r < policy->n_rules; r++)
        for (size_t i = 0; i < policy->rules[r].own.n_payees; i++) {
            const struct payee *payee = &policy->rules[r].own.payees[i];
            n += (uint64_t)payee->last - payee->first + 1;
        }
    return n;
}

size_t policy_payees_arena(const struct policy *policy)
{
    return slots_for(policy_count_payees(policy)) * sizeof(struct entry) + ARENA_REST;
}

// A hash is as good as random; the same script may be in many rules.
static size_t home_of(size_t rule, const struct hash256 *hash)
{
    uint64_t start;
    memcpy(&start, hash->b, sizeof start);
    return (size_t)(start + rule * 0x9e3779b97f4a7c15u);
}

static struct entry *find(const struct payee_table *t, size_t rule, const struct hash256 *hash)
{
    size_t at = home_of(rule, hash) & t->mask;
    while (t->slots[at].is_used &&
           (t->slots[at].rule != rule ||
            !bytes_equal(BYTES_OF(t->slots[at].script_hash.b), BYTES_OF(hash->b))))
        at = (at + 1) & t->mask;
    return &t->slots[at];
}

bool payee_find(const struct payee_table *table, size_t rule, const struct hash256 *script_hash,
                struct payee_hit *out)
{
    if (table == NULL)
        return false;
    const struct entry *entry = find(table, rule, script_hash);
    *out = (struct payee_hit){ entry->payee, entry->child };
    return entry->is_used;
}

// --- Deriving ---

bool payee_script(struct writer *w, const struct payee *payee, uint32_t index, struct err *err)
{
    struct descriptor_keys keys;
    return read_keys(&keys, payee->descriptor, err) && descriptor_child(w, &keys, index, err);
}

static bool add_scripts(struct payee_table *t, const struct policy *policy, size_t rule, size_t i,
                        struct err *err)
{
    const struct payee *payee = &policy->rules[rule].own.payees[i];
    struct descriptor_keys keys;
    if (!read_keys(&keys, payee->descriptor, err))
        return false;
    for (uint64_t child = payee->first; child <= payee->last; child++) {
        uint8_t mem[SCRIPT_ROOM];
        struct writer w = writer_of(mem, sizeof mem);
        struct bytes script;
        if (!descriptor_child(&w, &keys, (uint32_t)child, err))
            return err_within(err, "destination #%zu, index %u", i + 1, (unsigned)child);
        REQUIRE(writer_finish(&w, &script));
        const struct hash256 hash = sha256(script);
        struct entry *entry = find(t, rule, &hash);
        if (!entry->is_used) // of two that are the same the first is named
            *entry = (struct entry){ hash, (uint16_t)rule, 1, (uint32_t)i, (uint32_t)child };
    }
    return true;
}

bool policy_derive_payees(struct policy *policy, struct arena *arena, struct err *err)
{
    const uint64_t n = policy_count_payees(policy);
    policy->payee_table = NULL;
    if (n == 0)
        return true;
    struct payee_table *t = arena_alloc(arena, sizeof *t);
    const size_t slots = slots_for(n);
    if (t == NULL || (t->slots = arena_array(arena, slots, sizeof *t->slots)) == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory left for the destinations");
    t->mask = slots - 1;
    for (size_t r = 0; r < policy->n_rules; r++)
        for (size_t i = 0; i < policy->rules[r].own.n_payees; i++)
            if (!add_scripts(t, policy, r, i, err))
                return err_within(err, "rule #%zu", r + 1);
    policy->payee_table = t;
    return true;
}

// --- In the log ---

void payees_log_write(struct writer *w, const struct policy *policy, size_t rule,
                      const struct tx_facts *tx)
{
    if (policy->rules[rule].own.n_payees == 0)
        return;
    for (size_t i = 0; i < tx->n_out; i++) {
        const struct hash256 hash = sha256(tx->out[i].script);
        struct payee_hit hit;
        if (!tx->out[i].change && payee_find(policy->payee_table, rule, &hash, &hit))
            writer_printf(w, "Output %zu goes to destination #%zu, index %u.\n", i, hit.payee + 1,
                          (unsigned)hit.child);
    }
}
