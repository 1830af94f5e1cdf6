#include "policy/named.h"
#include "base/json.h"

struct names {
    struct bytes *items; // POLICY_NAMED_MAX of them
    size_t n;
};

static void add_name(struct names *names, const struct json *v)
{
    if (v == NULL || v->type != JSON_STRING || v->text.len == 0 || names->n == POLICY_NAMED_MAX)
        return; // what is left out is refused by policy_parse, by its name
    for (size_t i = 0; i < names->n; i++)
        if (bytes_equal(names->items[i], v->text))
            return;
    names->items[names->n++] = v->text;
}

static const struct json *items_of(const struct json *object, const char *key)
{
    const struct json *list = json_get(object, key);
    return list != NULL && list->type == JSON_ARRAY ? list->items : NULL;
}

static void add_list(struct names *names, const struct json *object, const char *key)
{
    for (const struct json *v = items_of(object, key); v != NULL; v = v->next)
        add_name(names, v);
}

bool policy_names(struct policy_world *out, struct bytes text, struct arena *arena, struct err *err)
{
    struct names users = { arena_array(arena, POLICY_NAMED_MAX, sizeof *users.items), 0 };
    struct names wallets = { arena_array(arena, POLICY_NAMED_MAX, sizeof *wallets.items), 0 };
    const struct json *policy = NULL;
    struct err unimportant;
    if (users.items == NULL || wallets.items == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the policy");
    if (!json_parse(&policy, text, arena, &unimportant))
        policy = NULL; // names nobody; policy_parse says what is wrong with it
    for (const struct json *rule = items_of(policy, "rules"); rule != NULL; rule = rule->next) {
        const struct json *wallet = json_get(rule, "wallet");
        add_list(&users, rule, "users");
        if (wallet != NULL && !json_is_text(wallet, "1"))
            add_name(&wallets, wallet);
    }
    add_list(&users, json_get(policy, "casemate"), "msg_users");
    *out = (struct policy_world){ users.n, users.items, wallets.n, wallets.items };
    return true;
}

bool policy_parse_named(struct policy *out, struct bytes text, struct arena *arena, struct err *err)
{
    struct policy_world world;
    return policy_names(&world, text, arena, err) && policy_parse(out, text, &world, arena, err);
}
