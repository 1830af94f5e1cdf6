// policy/diff_stand_in.c -- keys in place of attestors, whose own we do not have.
//
// A decision does not depend on which key attests but on whether its address is listed. So each address
// in a whitelist of attestors becomes that of a key of ours, the same one wherever it is listed, and
// examples can be attested for good.
#include "bitcoin/address.h"
#include "bitcoin/script.h"
#include "policy/diff_plan.h"

static int by_bytes(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;
    return bytes_compare(*x, *y);
}

static int by_listed(const void *a, const void *b)
{
    const struct stand_in *x = a, *y = b;
    return bytes_compare(x->listed, y->listed);
}

const struct stand_in *stand_in_find(const struct stand_ins *all, struct bytes listed)
{
    const struct stand_in wanted = { .listed = listed };
    if (all->n == 0)
        return NULL;
    return bsearch(&wanted, all->items, all->n, sizeof wanted, by_listed);
}

const struct stand_in *stand_in_of_address(const struct stand_ins *all, struct bytes address)
{
    for (size_t i = 0; i < all->n; i++)
        if (bytes_equal(all->items[i].address, address))
            return &all->items[i];
    return NULL;
}

// "Turned into that type of address on the current chain": those of single keys.
static bool format_of(enum addr_format *out, struct bytes address, const struct chain *chain)
{
    static const struct {
        enum script_kind kind;
        enum addr_format format;
    } formats[] = { { SCRIPT_P2PKH, ADDR_P2PKH },
                    { SCRIPT_P2SH, ADDR_P2SH_P2WPKH },
                    { SCRIPT_P2WPKH, ADDR_P2WPKH } };
    uint8_t mem[64];
    struct writer script = writer_of(mem, sizeof mem);
    struct err ignored;
    if (!address_to_script(&script, address, chain, &ignored))
        return false;
    for (size_t i = 0; i < COUNT(formats); i++)
        if (script_classify(writer_bytes(&script)) == formats[i].kind) {
            *out = formats[i].format;
            return true;
        }
    return false;
}

static size_t count_attestors(const struct policy *policy)
{
    size_t n = 0;
    for (size_t i = 0; i < policy->n_rules; i++)
        if (policy->rules[i].mode == WHITELIST_ATTEST)
            n += policy->rules[i].n_whitelist;
    return n;
}

static void collect(struct stand_ins *all, const struct policy *policy, const struct chain *chain)
{
    for (size_t i = 0; i < policy->n_rules; i++) {
        const struct rule *rule = &policy->rules[i];
        for (size_t k = 0; k < rule->n_whitelist && rule->mode == WHITELIST_ATTEST; k++) {
            struct stand_in *next = &all->items[all->n];
            next->listed = rule->whitelist[k];
            all->n += format_of(&next->format, next->listed, chain);
        }
    }
}

static void drop_repeated(struct stand_ins *all)
{
    size_t n = 0;
    if (all->n > 0)
        qsort(all->items, all->n, sizeof *all->items, by_listed);
    for (size_t i = 0; i < all->n; i++)
        if (n == 0 || !bytes_equal(all->items[n - 1].listed, all->items[i].listed))
            all->items[n++] = all->items[i];
    all->n = n;
}

static bool give_key(struct stand_in *s, size_t number, const struct chain *chain,
                     struct arena *arena)
{
    const uint64_t seed[] = { number, 0x636173656d617465 };
    const struct hash256 hash = sha256(BYTES_OF(seed));
    uint8_t mem[64];
    struct writer script = writer_of(mem, sizeof mem), address = writer_growing(arena, 128);
    struct err ignored;
    if (!seckey_from_bytes(&s->key, BYTES_OF(hash.b), &ignored))
        return false;
    const struct pubkey key = seckey_pubkey(&s->key);
    return address_script_of_key(&script, &key, s->format, &ignored) &&
           address_from_script(&address, writer_bytes(&script), chain) &&
           writer_finish(&address, &s->address);
}

static bool replace_list(struct rule *rule, const struct stand_ins *all, struct arena *arena)
{
    struct bytes *list = arena_array(arena, rule->n_whitelist, sizeof *list);
    struct bytes *sorted = arena_array(arena, rule->n_whitelist, sizeof *sorted);
    if (list == NULL || sorted == NULL)
        return false;
    for (size_t i = 0; i < rule->n_whitelist; i++) {
        const struct stand_in *s = stand_in_find(all, rule->whitelist[i]);
        sorted[i] = list[i] = s != NULL ? s->address : rule->whitelist[i];
    }
    qsort(sorted, rule->n_whitelist, sizeof *sorted, by_bytes);
    rule->whitelist = list;
    rule->whitelist_sorted = sorted;
    return true;
}

static bool replace(struct policy *policy, const struct stand_ins *all, struct arena *arena)
{
    struct rule *rules = arena_array(arena, policy->n_rules, sizeof *rules);
    if (rules == NULL)
        return false;
    for (size_t i = 0; i < policy->n_rules; i++) {
        rules[i] = policy->rules[i];
        if (rules[i].mode == WHITELIST_ATTEST && rules[i].n_whitelist > 0 &&
            !replace_list(&rules[i], all, arena))
            return false;
    }
    policy->rules = rules;
    return true;
}

bool stand_ins_make(struct stand_ins *out, struct policy *old, struct policy *new,
                    const struct chain *chain, struct arena *arena)
{
    const size_t most = count_attestors(old) + count_attestors(new);
    *out = (struct stand_ins){ .items = arena_array(arena, most + 1, sizeof *out->items) };
    if (out->items == NULL)
        return false;
    collect(out, old, chain);
    collect(out, new, chain);
    drop_repeated(out);
    for (size_t i = 0; i < out->n; i++)
        if (!give_key(&out->items[i], i, chain, arena))
            return false;
    return replace(old, out, arena) && replace(new, out, arena);
}
