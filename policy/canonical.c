// policy/canonical.c
#include "policy/canonical.h"
#include "base/json.h"
#include "base/require.h"
#include "policy/device_float.h"
#include "policy/extension.h"
#include "policy/parse.h"

#define SCRATCH      (4 * POLICY_STORED_MAX) // a growing writer copies itself
#define FULL_MAX     (4 * POLICY_STORED_MAX) // with the descriptors of the wallets
#define FULL_SCRATCH (4 * FULL_MAX)

// How a form differs from the reference's.
struct form {
    bool keep_zeros; // limits of 0 are written, not dropped
    bool exact;      // percentages as exact decimals, and those of 0 too
};
static const struct form reference_form = { false, false };
static const struct form full_form = { true, false };
static const struct form stored_form = { true, true };

// --- Parts. Policy 7.1: "each only when its value is truthy (true, non-zero, non-empty)" ---

static void put_true(struct json_writer *j, const char *key, bool value)
{
    if (!value)
        return;
    json_key(j, key);
    json_bool(j, true);
}

static void put_number(struct json_writer *j, const char *key, uint64_t value)
{
    if (value == 0)
        return;
    json_key(j, key);
    json_u64(j, value);
}

static void put_limit(struct json_writer *j, const char *key, struct sats_limit limit,
                      struct form form)
{
    if (!limit.is_set || (limit.max.n == 0 && !form.keep_zeros))
        return;
    json_key(j, key);
    json_u64(j, limit.max.n);
}

static void put_text(struct json_writer *j, const char *key, struct bytes text)
{
    if (text.len == 0)
        return;
    json_key(j, key);
    json_string(j, text);
}

static void put_texts(struct json_writer *j, const char *key, const struct bytes *texts, size_t n)
{
    if (n == 0)
        return;
    json_key(j, key);
    json_begin_array(j);
    for (size_t i = 0; i < n; i++)
        json_string(j, texts[i]);
    json_end_array(j);
}

static void put_path(struct json_writer *j, const struct path_entry *entry)
{
    char text[KEYPATH_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text);
    if (entry->kind == PATH_PATTERN)
        keypath_pattern_write(&w, &entry->pattern);
    else
        writer_text(&w, entry->kind == PATH_ANY ? "any" : "p2sh");
    json_string(j, writer_bytes(&w));
}

static void put_paths(struct json_writer *j, const char *key, const struct path_list *list)
{
    if (list->n == 0)
        return;
    json_key(j, key);
    json_begin_array(j);
    for (size_t i = 0; i < list->n; i++)
        put_path(j, &list->entries[i]);
    json_end_array(j);
}

static void put_hash(struct json_writer *j, const char *key, const struct hash256 *hash)
{
    json_key(j, key);
    json_hex(j, BYTES_OF(hash->b));
}

static void write_exact(struct writer *w, struct percent pct)
{
    writer_printf(w, "%u", pct.whole);
    if (pct.scale > 0)
        writer_printf(w, ".%0*llu", (int)pct.scale, (unsigned long long)pct.fraction);
}

static void put_percent(struct json_writer *j, const char *key, struct percent pct,
                        struct form form)
{
    char text[64];
    struct writer w = writer_of(text, sizeof text);
    const bool is_zero = pct.whole == 0 && pct.fraction == 0;
    if (!pct.is_set || (is_zero && !form.exact))
        return;
    if (form.exact)
        write_exact(&w, pct);
    else
        device_float_percent(&w, pct);
    json_key(j, key);
    json_raw(j, writer_bytes(&w));
}

// --- Rules ---

static void put_shapes(struct json_writer *j, const char *key, const struct rule *rule)
{
    if (rule->n_patterns == 0)
        return;
    json_key(j, key);
    json_begin_array(j);
    for (size_t i = 0; i < rule->n_patterns; i++)
        json_text(j, shape_name(rule->patterns[i]));
    json_end_array(j);
}

static void put_whitelist_opts(struct json_writer *j, const struct rule *rule)
{
    if (!rule->has_whitelist_opts)
        return;
    json_key(j, "whitelist_opts");
    json_begin_object(j);
    json_key(j, "mode");
    json_text(j, rule->mode == WHITELIST_ATTEST ? "ATTEST" : "BASIC");
    put_true(j, "allow_zeroval_outs", rule->allow_zeroval_outs);
    json_end_object(j);
}

static void put_rule(struct json_writer *j, const struct rule *rule, struct form form)
{
    json_begin_object(j);
    put_limit(j, "per_period", rule->per_period, form);
    put_limit(j, "max_amount", rule->max_amount, form);
    put_texts(j, "users", rule->users, rule->n_users);
    put_number(j, "min_users", rule->min_users);
    put_true(j, "local_conf", rule->local_conf);
    put_texts(j, "whitelist", rule->whitelist, rule->n_whitelist);
    put_text(j, "wallet", rule->wallet);
    put_percent(j, "min_pct_self_transfer", rule->min_pct, form);
    put_shapes(j, "patterns", rule);
    put_whitelist_opts(j, rule);
    extension_put_rule(j, rule);
    json_end_object(j);
}

// --- Forms ---

// All but the closing bracket, so that a form can have more keys at its end.
static void put_policy(struct json_writer *j, const struct policy *p, struct form form)
{
    json_begin_object(j);
    put_true(j, "must_log", p->must_log);
    put_true(j, "never_log", p->never_log);
    put_paths(j, "msg_paths", &p->msg_paths);
    put_paths(j, "share_xpubs", &p->share_xpubs);
    put_paths(j, "share_addrs", &p->share_addrs);
    put_text(j, "notes", p->notes);
    put_number(j, "period", p->period_min);
    put_number(j, "allow_sl", p->allow_sl);
    put_true(j, "warnings_ok", p->warnings_ok);
    put_text(j, "boot_to_hsm", p->boot_to_hsm);
    put_true(j, "priv_over_ux", p->priv_over_ux);
    json_key(j, "rules");
    json_begin_array(j);
    for (size_t i = 0; i < p->n_rules; i++)
        put_rule(j, &p->rules[i], form);
    json_end_array(j);
    extension_put_policy(j, p);
}

static void put_sl_hash(struct json_writer *j, const struct policy *p)
{
    if (p->has_sl_hash)
        put_hash(j, "sl_hash", &p->sl_hash);
}

void policy_canonical_write(struct writer *w, const struct policy *policy)
{
    struct json_writer j = json_writer_of(w);
    put_policy(&j, policy, reference_form);
    json_end_object(&j);
}

void policy_store_write(struct writer *w, const struct policy *policy)
{
    struct json_writer j = json_writer_of(w);
    put_policy(&j, policy, stored_form);
    put_sl_hash(&j, policy);
    json_end_object(&j);
}

// --- Hashes ---

static struct hash256 hash_written(const struct writer *w)
{
    struct bytes form;
    REQUIRE(writer_finish(w, &form)); // POLICY_STORED_MAX holds any policy that was parsed
    return sha256(form);
}

struct hash256 policy_hash(const struct policy *policy)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(SCRATCH);
    struct writer w = writer_growing(scratch, POLICY_STORED_MAX);
    struct json_writer j = json_writer_of(&w);
    put_policy(&j, policy, reference_form);
    put_sl_hash(&j, policy);
    json_end_object(&j);
    return hash_written(&w);
}

struct hash256 policy_hash_without_locker(const struct policy *policy)
{
    struct policy without = *policy;
    without.has_sl_hash = false;
    return policy_hash(&without);
}

struct hash256 policy_sl_hash(struct bytes set_sl)
{
    struct sha256 ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, set_sl);
    sha256_update(&ctx, BYTES("pepper"));
    return sha256_final(&ctx);
}

bool policy_store_read(struct policy *out, struct bytes stored, const struct policy_world *world,
                       struct arena *arena, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(SCRATCH);
    struct writer w = writer_growing(scratch, POLICY_STORED_MAX);
    struct policy policy;
    struct bytes again;
    if (stored.len > POLICY_STORED_MAX)
        return err_set(err, ERR_LIMIT, "HSM Policy invalid: policy: not our stored form");
    if (!policy_read(&policy, stored, POLICY_STORED, world, arena, err))
        return false;
    policy_store_write(&w, &policy);
    if (!writer_finish(&w, &again) || !bytes_equal(again, stored))
        return err_set(err, ERR_MALFORMED, "HSM Policy invalid: policy: not our stored form");
    *out = policy;
    return true;
}

// --- policy_hash_full ---

static int user_by_name(const void *a, const void *b)
{
    const struct bound_user *x = a, *y = b;
    return bytes_compare(x->name, y->name);
}

static int wallet_by_name(const void *a, const void *b)
{
    const struct bound_wallet *x = a, *y = b;
    return bytes_compare(x->name, y->name);
}

static bool has_user(const struct policy_bindings *b, struct bytes name)
{
    size_t i = 0;
    while (i < b->n_users && !bytes_equal(b->users[i].name, name))
        i++;
    return i < b->n_users;
}

static bool has_wallet(const struct policy_bindings *b, struct bytes name)
{
    size_t i = 0;
    while (i < b->n_wallets && !bytes_equal(b->wallets[i].name, name))
        i++;
    return i < b->n_wallets;
}

static bool users_are_bound(const struct bytes *users, size_t n, const struct policy_bindings *b,
                            struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!has_user(b, users[i]))
            return err_set(err, ERR_NOT_FOUND, "Unknown user: %.*s", BYTES_ARG(users[i]));
    return true;
}

static bool rule_is_bound(const struct rule *rule, const struct policy_bindings *b, struct err *err)
{
    if (!users_are_bound(rule->users, rule->n_users, b, err))
        return false;
    if (rule->wallet.len == 0 || bytes_equal_text(rule->wallet, "1") || has_wallet(b, rule->wallet))
        return true;
    return err_set(err, ERR_NOT_FOUND, "unknown MS wallet: %.*s", BYTES_ARG(rule->wallet));
}

// "`users` (name -> [mode, hex SHA-256(name || secret)])"
static void put_bound_users(struct json_writer *j, const struct policy *policy,
                            const struct bound_user *users, size_t n)
{
    json_key(j, "users");
    json_begin_object(j);
    for (size_t i = 0; i < n; i++) {
        if (!policy_names_user(policy, users[i].name))
            continue;
        json_key_bytes(j, users[i].name);
        json_begin_array(j);
        json_u64(j, users[i].mode);
        json_hex(j, BYTES_OF(users[i].secret_hash.b));
        json_end_array(j);
    }
    json_end_object(j);
}

static void put_bound_wallets(struct json_writer *j, const struct policy *policy,
                              const struct bound_wallet *wallets, size_t n)
{
    json_key(j, "wallets");
    json_begin_object(j);
    for (size_t i = 0; i < n; i++) {
        if (!policy_names_wallet(policy, wallets[i].name))
            continue;
        json_key_bytes(j, wallets[i].name);
        json_string(j, wallets[i].descriptor);
    }
    json_end_object(j);
}

// The bindings by name: a copy, as the caller's order may be any.
static bool sort_bindings(struct policy_bindings *out, const struct policy_bindings *in,
                          struct arena *scratch, struct err *err)
{
    struct bound_user *users = arena_array(scratch, in->n_users, sizeof *users);
    struct bound_wallet *wallets = arena_array(scratch, in->n_wallets, sizeof *wallets);
    if (users == NULL || wallets == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory left for the policy");
    for (size_t i = 0; i < in->n_users; i++)
        users[i] = in->users[i];
    for (size_t i = 0; i < in->n_wallets; i++)
        wallets[i] = in->wallets[i];
    qsort(users, in->n_users, sizeof *users, user_by_name);
    qsort(wallets, in->n_wallets, sizeof *wallets, wallet_by_name);
    out->users = users;
    out->wallets = wallets;
    return true;
}

// Policy D7: "The bytes hashed: 7.2 of 7.1 with limits of 0 kept, then the keys `sl_hash` (if any),
// `chain`, `users` [...] and `wallets` [...], names sorted."
bool policy_hash_full(struct hash256 *out, const struct policy *policy,
                      const struct policy_bindings *bindings, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(FULL_SCRATCH);
    struct writer w = writer_growing(scratch, FULL_MAX);
    struct json_writer j = json_writer_of(&w);
    struct policy_bindings b = *bindings;
    struct bytes form;
    if (!users_are_bound(policy->own.msg_users, policy->own.n_msg_users, bindings, err))
        return false;
    for (size_t i = 0; i < policy->n_rules; i++)
        if (!rule_is_bound(&policy->rules[i], bindings, err))
            return false;
    if (!sort_bindings(&b, bindings, scratch, err))
        return false;
    put_policy(&j, policy, full_form);
    put_sl_hash(&j, policy);
    json_key(&j, "chain");
    json_text(&j, b.chain->code);
    put_bound_users(&j, policy, b.users, b.n_users);
    put_bound_wallets(&j, policy, b.wallets, b.n_wallets);
    json_end_object(&j);
    if (!writer_finish(&w, &form))
        return err_set(err, ERR_NO_MEMORY, "no memory left for the policy");
    *out = sha256(form);
    return true;
}
