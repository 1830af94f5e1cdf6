#include "bunker/policy_form.h"
#include "base/reader.h"
#include "base/utf8.h"
#include "crypto/random.h"

#define COIN_DECIMALS 8
#define COINS_MAX     21000000

void form_random_key(uint8_t *out, size_t len)
{
    random_bytes(out, len);
}

static bool is_any(struct bytes key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes_equal_text(key, names[i]))
            return true;
    return false;
}
#define IS_ANY(key, names) is_any((key), (names), COUNT(names))

static const char *const list_keys[] = { "msg_paths", "share_xpubs", "share_addrs" };
static const char *const rule_list_keys[] = { "whitelist", "users", "patterns" };
static const char *const amount_keys[] = { "per_period", "max_amount" };
static const char *const locker_keys[] = { "set_sl", "allow_sl" };

static bool is_blank(const struct json *v)
{
    return v->type == JSON_NULL || (v->type == JSON_STRING && bytes_trim(v->text).len == 0);
}

// --- Form to device ---

static bool is_separator(uint8_t c)
{
    return c == ' ' || c == ',' || c == ';' || (c >= '\t' && c <= '\r');
}

// Words of a text, split at blanks, commas and semicolons of any kind.
static void write_split(struct json_writer *j, struct bytes text)
{
    size_t start = 0;
    json_begin_array(j);
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && !is_separator(text.ptr[i]))
            continue;
        if (i > start)
            json_string(j, bytes_slice(text, start, i - start));
        start = i + 1;
    }
    json_end_array(j);
}

static void write_list(struct json_writer *j, const struct json *v)
{
    if (v->type == JSON_STRING)
        write_split(j, v->text);
    else
        json_value(j, v);
}

// Coins as a strict decimal to satoshi: at most 8 decimals, 0 to 21,000,000 coins.
static bool coins_to_sats(struct bytes text, uint64_t *out)
{
    struct reader r = reader_of(bytes_trim(text));
    uint64_t whole, part = 0;
    if (!reader_decimal64(&r, COINS_MAX, &whole))
        return false;
    if (reader_accept(&r, '.')) {
        const struct bytes digits = reader_digits(&r);
        if (digits.len == 0 || digits.len > COIN_DECIMALS)
            return false;
        for (size_t i = 0; i < COIN_DECIMALS; i++)
            part = 10 * part + (i < digits.len ? digits.ptr[i] - (uint64_t)'0' : 0);
    }
    *out = whole * 100000000 + part;
    return reader_done(&r) && *out <= (uint64_t)COINS_MAX * 100000000;
}

static bool write_amount(struct json_writer *j, const struct json *v, size_t rule, struct err *err)
{
    uint64_t sats;
    if ((v->type != JSON_STRING && v->type != JSON_NUMBER) || !coins_to_sats(v->text, &sats))
        return err_set(err, ERR_MALFORMED, "Rule #%zu field %.*s is invalid: %.*s", rule,
                       BYTES_ARG(v->key), BYTES_ARG(utf8_cut(v->text, 64)));
    json_u64(j, sats);
    return true;
}

static size_t count_words(const struct json *v)
{
    size_t n = 0;
    bool inside = false;
    if (v == NULL || v->type == JSON_NULL)
        return 0;
    if (v->type == JSON_ARRAY)
        return v->n_items;
    for (size_t i = 0; i < v->text.len; i++) {
        const bool is_word = !is_separator(v->text.ptr[i]);
        n += is_word && !inside;
        inside = is_word;
    }
    return n;
}

// "removed when no users; "all" -> number of users; else integer"
static bool write_min_users(struct json_writer *j, const struct json *v, size_t n_users,
                            size_t rule, struct err *err)
{
    struct reader r = reader_of(v->text);
    int64_t number = 0;
    uint32_t digits;
    if (json_is_text(v, "all"))
        number = (int64_t)n_users;
    else if (v->type == JSON_STRING && reader_decimal(&r, 1000, &digits) && reader_done(&r))
        number = digits;
    else if (v->type != JSON_NUMBER || !json_integer(v, &number, NULL))
        return err_set(err, ERR_MALFORMED, "Rule #%zu field min_users is invalid: %.*s", rule,
                       BYTES_ARG(utf8_cut(v->text, 64)));
    json_key(j, "min_users");
    json_i64(j, number);
    return true;
}

static bool clean_rule(struct json_writer *j, const struct json *rule, size_t number,
                       struct err *err)
{
    const size_t n_users = count_words(json_get(rule, "users"));
    if (rule->type != JSON_OBJECT)
        return err_set(err, ERR_MALFORMED, "Rule #%zu is no object", number);
    json_begin_object(j);
    for (const struct json *v = rule->items; v != NULL; v = v->next) {
        const bool is_list = IS_ANY(v->key, rule_list_keys);
        if (is_blank(v) || (is_list && count_words(v) == 0))
            continue;
        if (bytes_equal_text(v->key, "min_users")) {
            if (n_users > 0 && !write_min_users(j, v, n_users, number, err))
                return false;
            continue;
        }
        json_key_bytes(j, v->key);
        if (is_list)
            write_list(j, v);
        else if (!IS_ANY(v->key, amount_keys))
            json_value(j, v);
        else if (!write_amount(j, v, number, err))
            return false;
    }
    json_end_object(j);
    return true;
}

static bool clean_rules(struct json_writer *j, const struct json *rules, struct err *err)
{
    size_t number = 0;
    json_begin_array(j);
    for (const struct json *rule = rules->items; rule != NULL; rule = rule->next)
        if (!clean_rule(j, rule, ++number, err))
            return false;
    json_end_array(j);
    return true;
}

static bool is_code(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len == 6;
}

static bool write_boot_code(struct json_writer *j, const struct json *form, struct err *err)
{
    const struct json *waste = json_get(form, "ewaste_enable");
    const struct json *code = json_get(form, "boot_to_hsm");
    const bool wasted = waste != NULL && waste->type == JSON_TRUE;
    if (!wasted && (code == NULL || is_blank(code)))
        return true;
    if (!wasted && (code->type != JSON_STRING || !is_code(code->text)))
        return err_set(err, ERR_MALFORMED, "Boot to HSM code must be 6 numeric digits.");
    json_key(j, "boot_to_hsm");
    if (wasted)
        json_text(j, "xyzzy"); // no keypad can enter it
    else
        json_string(j, code->text);
    return true;
}

// "integer, or null when falsy"
static bool write_period(struct json_writer *j, const struct json *v, struct err *err)
{
    struct reader r = reader_of(bytes_trim(v->text));
    int64_t minutes = 0;
    uint32_t digits;
    if (v->type == JSON_STRING && reader_decimal(&r, 1000000, &digits) && reader_done(&r))
        minutes = digits;
    else if (v->type != JSON_FALSE && (v->type != JSON_NUMBER || !json_integer(v, &minutes, NULL)))
        return err_set(err, ERR_MALFORMED, "period is invalid: %.*s",
                       BYTES_ARG(utf8_cut(v->text, 64)));
    if (minutes == 0)
        return true;
    json_key(j, "period");
    json_i64(j, minutes);
    return true;
}

static bool clean_member(struct json_writer *j, const struct json *v,
                         const struct form_locker *locker, struct err *err)
{
    if (bytes_equal_text(v->key, "ewaste_enable") || bytes_equal_text(v->key, "boot_to_hsm") ||
        (locker != NULL && IS_ANY(v->key, locker_keys)))
        return true;
    if (IS_ANY(v->key, list_keys) && v->type == JSON_STRING) { // "" is []
        json_key_bytes(j, v->key);
        write_split(j, v->text);
        return true;
    }
    if (is_blank(v))
        return true;
    if (bytes_equal_text(v->key, "period"))
        return write_period(j, v, err);
    json_key_bytes(j, v->key);
    if (bytes_equal_text(v->key, "rules"))
        return clean_rules(j, v, err);
    json_value(j, v);
    return true;
}

bool policy_form_clean(struct writer *w, struct bytes text, const struct form_locker *locker,
                       struct arena *arena, struct err *err)
{
    const struct json *form;
    struct json_writer j = json_writer_of(w);
    j.indent = true;
    if (!json_parse(&form, text, arena, err))
        return false;
    const struct json *rules = json_get(form, "rules");
    if (rules == NULL || rules->type != JSON_ARRAY)
        return err_set(err, ERR_MALFORMED, "'rules'");
    json_begin_object(&j);
    for (const struct json *v = form->items; v != NULL; v = v->next)
        if (!clean_member(&j, v, locker, err))
            return false;
    if (!write_boot_code(&j, form, err))
        return false;
    if (locker != NULL) {
        json_key(&j, "set_sl");
        json_text(&j, locker->text);
        json_key(&j, "allow_sl");
        json_u64(&j, locker->reads);
    }
    json_end_object(&j);
    return true;
}

// --- Device to form ---

static void write_joined(struct json_writer *j, const struct json *list, struct arena *arena)
{
    struct writer w = writer_growing(arena, POLICY_FORM_MAX);
    const char *comma = "";
    if (list->type != JSON_ARRAY) {
        json_value(j, list);
        return;
    }
    for (const struct json *v = list->items; v != NULL; v = v->next) {
        writer_text(&w, comma);
        writer_put(&w, v->type == JSON_STRING ? v->text : (struct bytes){ 0 });
        comma = ",";
    }
    json_string(j, writer_bytes(&w));
}

// Exact: 1 satoshi is 0.00000001, never 1E-8.
static void write_coins(struct json_writer *j, const struct json *v)
{
    char text[40];
    int64_t sats;
    if (v->type != JSON_NUMBER || !json_integer(v, &sats, NULL) || sats < 0) {
        json_value(j, v);
        return;
    }
    (void)snprintf(text, sizeof text, "%lld.%08lld", (long long)(sats / 100000000),
                   (long long)(sats % 100000000));
    json_text(j, text);
}

static void put_missing(struct json_writer *j, const struct json *object, const char *key,
                        const char *value)
{
    if (json_get(object, key) != NULL)
        return;
    json_key(j, key);
    if (value != NULL)
        json_text(j, value);
    else
        json_null(j);
}

static void cook_rule(struct json_writer *j, const struct json *rule, struct arena *arena)
{
    char number[24];
    int64_t min;
    json_begin_object(j);
    for (const struct json *v = rule->items; v != NULL; v = v->next) {
        json_key_bytes(j, v->key);
        if (IS_ANY(v->key, rule_list_keys)) {
            write_joined(j, v, arena);
        } else if (IS_ANY(v->key, amount_keys)) {
            write_coins(j, v);
        } else if (bytes_equal_text(v->key, "min_users") && v->type == JSON_NUMBER &&
                   json_integer(v, &min, NULL)) {
            (void)snprintf(number, sizeof number, "%lld", (long long)min);
            json_text(j, number);
        } else {
            json_value(j, v);
        }
    }
    put_missing(j, rule, "whitelist", "");
    put_missing(j, rule, "users", "");
    put_missing(j, rule, "per_period", NULL);
    put_missing(j, rule, "max_amount", NULL);
    put_missing(j, rule, "min_users", "all");
    json_end_object(j);
}

bool policy_form_cook(struct writer *w, const struct json *policy, struct arena *arena,
                      struct err *err)
{
    struct json_writer j = json_writer_of(w);
    const struct json *rules = json_get(policy, "rules"), *boot = json_get(policy, "boot_to_hsm");
    if (rules == NULL || rules->type != JSON_ARRAY)
        return err_set(err, ERR_MALFORMED, "'rules'");
    json_begin_object(&j);
    for (const struct json *v = policy->items; v != NULL; v = v->next) {
        json_key_bytes(&j, v->key);
        if (bytes_equal_text(v->key, "rules")) {
            json_begin_array(&j);
            for (const struct json *rule = v->items; rule != NULL; rule = rule->next) {
                if (rule->type != JSON_OBJECT)
                    return err_set(err, ERR_MALFORMED, "'rules'");
                cook_rule(&j, rule, arena);
            }
            json_end_array(&j);
        } else if (IS_ANY(v->key, list_keys)) {
            write_joined(&j, v, arena);
        } else {
            json_value(&j, v);
        }
    }
    json_key(&j, "ewaste_enable");
    json_bool(&j, boot != NULL && boot->type == JSON_STRING && boot->text.len > 0 &&
                      !is_code(boot->text));
    json_end_object(&j);
    return true;
}

bool policy_form_sanitise(struct writer *w, struct bytes text, struct arena *arena, struct err *err)
{
    static const char *const secret_keys[] = { "set_sl", "allow_sl", "boot_to_hsm" };
    const struct json *policy;
    struct json_writer j = json_writer_of(w);
    j.indent = true;
    if (!json_parse(&policy, text, arena, err))
        return false;
    if (policy->type != JSON_OBJECT)
        return err_set(err, ERR_MALFORMED, "'rules'");
    json_begin_object(&j);
    for (const struct json *v = policy->items; v != NULL; v = v->next) {
        if (IS_ANY(v->key, secret_keys))
            continue;
        json_key_bytes(&j, v->key);
        json_value(&j, v);
    }
    json_end_object(&j);
    return true;
}
