// policy/parse_rule.c -- one rule of a policy file.
#include "bitcoin/address.h"
#include "policy/extension.h"
#include "policy/parse.h"

#define WALLET_NAME_MAX 20 // characters
#define MODE_TEXT_MAX   80

static const char *const rule_fields[] = {
    "per_period", "max_amount",     "users",
    "whitelist",  "whitelist_opts", "min_users",
    "local_conf", "wallet",         "min_pct_self_transfer",
    "patterns",   "casemate",
};
static const char *const opts_fields[] = { "mode", "allow_zeroval_outs" };

static bool read_limit(struct sats_limit *out, const struct fields *f, const char *key)
{
    return field_integer(f, key, 0, SATS_MAX, &out->is_set, &out->max.n);
}

// An array of n texts to be filled in.
static struct bytes *new_texts(const struct fields *f, size_t n)
{
    struct bytes *texts = arena_array(f->arena, n, sizeof *texts);
    if (texts == NULL)
        (void)fields_no_memory(f);
    return texts;
}

static size_t count_name(struct bytes name, const struct bytes *names, size_t n_names)
{
    size_t n = 0;
    for (size_t i = 0; i < n_names; i++)
        n += bytes_equal(names[i], name);
    return n;
}

bool users_read(const struct bytes **out, size_t *n, const struct fields *f, const char *key,
                const struct policy_world *world)
{
    const struct json *list;
    if (!field_list(f, key, &list))
        return false;
    if (list == NULL)
        return true;
    struct bytes *users = new_texts(f, list->n_items);
    if (users == NULL)
        return false;
    for (const struct json *item = list->items; item != NULL; item = item->next) {
        const struct bytes shown = json_shown(item);
        if (item->type != JSON_STRING || count_name(item->text, world->users, world->n_users) == 0)
            return fields_fail(f, "Unknown user: %.*s", BYTES_ARG(shown));
        if (!arena_copy(f->arena, item->text, &users[(*n)++]))
            return fields_no_memory(f);
    }
    *out = users;
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;
    return bytes_compare(*x, *y);
}

static bool read_address(struct bytes *out, const struct fields *f, const struct json *item)
{
    char text[ADDRESS_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text);
    const struct bytes shown = json_shown(item);
    if (item->type != JSON_STRING || !address_clean(&w, item->text) || !writer_finish(&w, out))
        return fields_fail(f, "bad address value: %.*s", BYTES_ARG(shown));
    return arena_copy(f->arena, *out, out) || fields_no_memory(f);
}

static bool read_whitelist(struct rule *out, const struct fields *f)
{
    const struct json *list;
    if (!field_list(f, "whitelist", &list))
        return false;
    if (list == NULL)
        return true;
    struct bytes *addresses = new_texts(f, list->n_items);
    struct bytes *sorted = new_texts(f, list->n_items);
    if (addresses == NULL || sorted == NULL)
        return false;
    for (const struct json *item = list->items; item != NULL; item = item->next) {
        if (!read_address(&addresses[out->n_whitelist], f, item))
            return false;
        out->n_whitelist++;
    }
    // The same thousands of addresses are searched for every output of every transaction.
    memcpy(sorted, addresses, out->n_whitelist * sizeof *sorted);
    qsort(sorted, out->n_whitelist, sizeof *sorted, by_bytes);
    out->whitelist = addresses;
    out->whitelist_sorted = sorted;
    return true;
}

// Policy 2.7: "upper-cased first; `""` = `BASIC`; otherwise must be `BASIC` or `ATTEST`"
static bool read_mode(struct rule *out, const struct fields *f)
{
    struct bytes text = { NULL, 0 };
    char upper[MODE_TEXT_MAX * 4]; // bytes of that many characters
    if (!field_text(f, "mode", 0, MODE_TEXT_MAX, &text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        upper[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    const struct bytes mode = bytes_of(upper, text.len);
    if (bytes_equal_text(mode, "ATTEST"))
        out->mode = WHITELIST_ATTEST;
    else if (mode.len > 0 && !bytes_equal_text(mode, "BASIC"))
        return fields_fail(f, "invalid whitelist mode: %.*s", BYTES_ARG(mode));
    return true;
}

static bool read_whitelist_opts(struct rule *out, const struct fields *f)
{
    struct fields opts = *f;
    if (!field_object(f, "whitelist_opts", &opts.object))
        return false;
    if (opts.object == NULL)
        return true;
    out->has_whitelist_opts = true;
    return read_mode(out, &opts) &&
           field_bool(&opts, "allow_zeroval_outs", &out->allow_zeroval_outs) &&
           fields_finish(&opts, opts_fields, COUNT(opts_fields));
}

static bool read_min_users(struct rule *out, const struct fields *f)
{
    uint64_t n = 0;
    bool is_set;
    if (!field_integer(f, "min_users", 1, out->n_users, &is_set, &n))
        return false;
    out->min_users = is_set ? (size_t)n : out->n_users;
    return true;
}

bool no_user_twice(const struct bytes *users, size_t n, const struct fields *f)
{
    // All are known users, so there is a repetition before this takes long.
    for (size_t i = 0; i < n; i++)
        if (count_name(users[i], users, i) > 0)
            return fields_fail(f, "dup users");
    return true;
}

// "not `"1"`, and not the name of exactly one registered multisig wallet"
static bool wallet_is_known(const struct rule *rule, const struct fields *f,
                            const struct policy_world *world)
{
    const struct bytes name = rule->wallet;
    if (name.len == 0 || bytes_equal_text(name, "1") ||
        count_name(name, world->wallets, world->n_wallets) == 1)
        return true;
    return fields_fail(f, "unknown or ambiguous MS wallet: %.*s", BYTES_ARG(name));
}

static bool read_shape(enum shape *out, const struct fields *f, const struct json *item)
{
    for (enum shape s = 0; s < SHAPES; s++)
        if (json_is_text(item, shape_name(s))) {
            *out = s;
            return true;
        }
    const struct bytes shown = json_shown(item);
    return fields_fail(f, "unknown pattern: %.*s", BYTES_ARG(shown));
}

static bool read_shapes(struct rule *out, const struct fields *f, const struct json *list)
{
    if (list == NULL)
        return true;
    enum shape *patterns = arena_array(f->arena, list->n_items, sizeof *patterns);
    if (patterns == NULL)
        return fields_no_memory(f);
    for (const struct json *item = list->items; item != NULL; item = item->next)
        if (!read_shape(&patterns[out->n_patterns++], f, item))
            return false;
    out->patterns = patterns;
    return true;
}

bool rule_read(struct rule *out, const struct fields *f, const struct policy_world *world)
{
    const struct json *patterns;
    *out = (struct rule){ 0 };
    if (!read_limit(&out->per_period, f, "per_period") ||
        !read_limit(&out->max_amount, f, "max_amount") ||
        !users_read(&out->users, &out->n_users, f, "users", world) || !read_whitelist(out, f) ||
        !read_whitelist_opts(out, f) || !read_min_users(out, f) ||
        !field_bool(f, "local_conf", &out->local_conf) ||
        !field_text(f, "wallet", 1, WALLET_NAME_MAX, &out->wallet) ||
        !field_percent(f, "min_pct_self_transfer", &out->min_pct) ||
        !field_list(f, "patterns", &patterns) || !no_user_twice(out->users, out->n_users, f))
        return false;
    if (out->has_whitelist_opts && out->n_whitelist == 0 &&
        !extension_lists_destinations(f->object))
        return fields_fail(f, "whitelist options present with no whitelist");
    return wallet_is_known(out, f, world) && read_shapes(out, f, patterns) &&
           extension_read_rule(out, f) && fields_finish(f, rule_fields, COUNT(rule_fields));
}
