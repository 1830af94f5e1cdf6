// policy/diff_paths.c -- paths that one policy allows and another does not: messages, extended keys,
// addresses.
#include "policy/diff_search.h"

#define SHOWN_MAX 10 // of a kind, for each direction

struct candidates {
    size_t n;
    struct keypath *items;
};

// A child number that no list names: a star that allows it, and nothing else, is seen by it.
static uint32_t fresh_number(const struct path_list *const *lists, size_t n)
{
    uint32_t fresh = 0;
    for (size_t l = 0; l < n; l++)
        for (size_t i = 0; i < lists[l]->n; i++) {
            const struct keypath *path = &lists[l]->entries[i].pattern.prefix;
            for (size_t k = 0; k < path->depth; k++) {
                const uint32_t step = path->step[k] & ~KEYPATH_HARD;
                if (step >= fresh && step < KEYPATH_HARD - 1)
                    fresh = step + 1;
            }
        }
    return fresh;
}

static void add_entry(struct candidates *c, const struct path_entry *entry, uint32_t fresh)
{
    struct keypath path = entry->pattern.prefix;
    if (entry->kind == PATH_P2SH)
        return;
    if (entry->kind == PATH_ANY)
        path = (struct keypath){ { fresh, fresh }, 2 };
    else if (entry->pattern.tail != TAIL_NONE && path.depth < KEYPATH_DEPTH_MAX)
        path.step[path.depth++] =
            fresh | (entry->pattern.tail == TAIL_HARD_STAR ? KEYPATH_HARD : 0);
    c->items[c->n++] = path;
}

static bool list_candidates(struct candidates *out, const struct path_list *a,
                            const struct path_list *b, struct arena *arena)
{
    const struct path_list *lists[2] = { a, b };
    const uint32_t fresh = fresh_number(lists, COUNT(lists));
    *out = (struct candidates){ 1, arena_array(arena, a->n + b->n + 1, sizeof *out->items) };
    if (out->items == NULL)
        return false;
    out->items[0] = (struct keypath){ .depth = 0 };
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l]->n; i++)
            add_entry(out, &lists[l]->entries[i], fresh);
    return true;
}

// --- Decisions ---

static bool says(struct bytes *text, bool is_allowed)
{
    *text = is_allowed ? BYTES("shared") : BYTES("Not allowed in HSM mode");
    return is_allowed;
}

static bool message_is_allowed(const struct policy *policy, const struct difference *d,
                               struct bytes *text, struct arena *arena)
{
    const struct message_facts message = { d->example.path, sha256(BYTES("an example")) };
    struct decision *decision = arena_alloc(arena, sizeof *decision);
    struct assumptions *assumed = arena_alloc(arena, sizeof *assumed);
    struct writer w = writer_growing(arena, 4096);
    struct err ignored;
    *text = bytes_of(NULL, 0);
    if (decision == NULL || assumed == NULL)
        return false;
    *assumed = (struct assumptions){ .users = policy->own.msg_users,
                                     .n_users = d->example.no_users ? 0 : policy->own.n_msg_users,
                                     .has_card = !d->example.no_card };
    if (!policy_simulate_message(decision, policy, &message, assumed, arena, &ignored))
        return false;
    decision_write(&w, decision, policy, NULL);
    *text = writer_bytes(&w);
    return decision->verdict == VERDICT_SIGN;
}

bool diff_path_is_allowed(const struct policy *policy, const struct difference *d,
                          struct bytes *text, struct arena *arena)
{
    switch (d->kind) {
    case DIFF_MESSAGE:
        return message_is_allowed(policy, d, text, arena);
    case DIFF_XPUB:
        return says(text, policy_shares_xpub(policy, &d->example.path));
    case DIFF_ADDRESS:
        return says(text, policy_shares_address(policy, &d->example.path));
    case DIFF_MULTISIG_ADDRESS:
        return says(text, policy_shares_multisig_address(policy));
    case DIFF_TRANSACTION:
    case DIFF_MESSAGE_PSBT:
        break;
    }
    return says(text, false);
}

// --- Findings ---

static const char *const subjects[] = {
    [DIFF_MESSAGE] = "A text message signed by the key",
    [DIFF_XPUB] = "The extended key",
    [DIFF_ADDRESS] = "The address",
};

static bool write_text(struct difference *d, struct arena *arena)
{
    struct writer w = writer_growing(arena, 1024);
    const char *now = d->is_allowed ? "is now allowed" : "is now refused";
    if (d->kind == DIFF_MULTISIG_ADDRESS) {
        writer_printf(&w, "Showing multisig addresses %s", now);
    } else {
        writer_printf(&w, "%s at ", subjects[d->kind]);
        keypath_write(&w, &d->example.path);
        writer_printf(&w, "%s%s %s", d->example.no_users ? ", approved by nobody," : "",
                      d->example.no_card ? ", without a card to log on," : "", now);
    }
    return writer_finish(&w, &d->text);
}

static bool is_known(const struct policy_diff *out, const struct difference *d)
{
    size_t alike = 0;
    for (size_t i = 0; i < out->n; i++) {
        const struct difference *other = &out->items[i];
        if (other->kind != d->kind || other->is_allowed != d->is_allowed)
            continue;
        alike++;
        if (keypath_equal(&other->example.path, &d->example.path))
            return true;
    }
    return alike >= SHOWN_MAX;
}

static bool try_path(struct diff_world *world, enum diff_kind kind, const struct keypath *path,
                     unsigned less)
{
    struct policy_diff *out = world->out;
    struct difference d = { .kind = kind,
                            .example = { .path = *path,
                                         .no_users = (less & DIFF_MESSAGE_NO_USERS) != 0,
                                         .no_card = (less & DIFF_MESSAGE_NO_CARD) != 0 } };
    arena_reset(world->scratch);
    d.is_allowed = diff_path_is_allowed(&out->new, &d, &d.new_says, world->scratch);
    if (diff_path_is_allowed(&out->old, &d, &d.old_says, world->scratch) == d.is_allowed ||
        is_known(out, &d))
        return true;
    if (!arena_copy(world->arena, d.new_says, &d.new_says) ||
        !arena_copy(world->arena, d.old_says, &d.old_says))
        return false;
    if (out->n == DIFF_ITEMS_MAX) {
        out->is_complete = false;
        return true;
    }
    if (!write_text(&d, world->arena))
        return false;
    out->items[out->n++] = d;
    return true;
}

// --- BIP-322 messages: transactions that pay nothing ---

// Everybody whom either policy asks for messages.
static bool list_users(struct assumptions *out, const struct diff_world *world, struct arena *arena)
{
    const struct policy *policies[2] = { &world->out->old, &world->out->new };
    struct bytes *users = arena_array(arena, USERS_MAX, sizeof *users);
    if (users == NULL)
        return false;
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < policies[p]->own.n_msg_users; i++) {
            size_t k = 0;
            while (k < out->n_users && !bytes_equal(users[k], policies[p]->own.msg_users[i]))
                k++;
            if (k == out->n_users && k < USERS_MAX)
                users[out->n_users++] = policies[p]->own.msg_users[i];
        }
    out->users = users;
    return true;
}

bool diff_message_request(struct diff_request *out, const struct keypath *path,
                          const struct diff_world *world, unsigned kind, struct arena *arena)
{
    static const uint8_t op_return[] = { 0x6a };
    struct tx_facts *tx = arena_alloc(arena, sizeof *tx);
    struct assumptions *assumed = arena_alloc(arena, sizeof *assumed);
    struct input_facts *in = arena_alloc(arena, sizeof *in);
    struct output_facts *to = arena_alloc(arena, sizeof *to);
    if (tx == NULL || assumed == NULL || in == NULL || to == NULL)
        return false;
    *in = (struct input_facts){ .has_amount = true,
                                .verified = true,
                                .claims = true,
                                .own = true,
                                .will_sign = true,
                                .path = *path };
    *to = (struct output_facts){ .script = BYTES_OF(op_return) };
    *tx = (struct tx_facts){ .psbt_hash = sha256(BYTES("an example")),
                             .chain = world->chain,
                             .n_in = 1,
                             .in = in,
                             .n_out = 1,
                             .out = to,
                             .is_message = true,
                             .signs_single_key = true,
                             .n_signatures = 1,
                             .n_warnings = (kind & DIFF_MESSAGE_WARNING) != 0 };
    *assumed = (struct assumptions){ .has_card = (kind & DIFF_MESSAGE_NO_CARD) == 0,
                                     .now_s = world->now_s };
    *out = (struct diff_request){ .tx = tx, .assumed = assumed };
    return (kind & DIFF_MESSAGE_NO_USERS) != 0 || list_users(assumed, world, arena);
}

bool diff_common_path(struct keypath *out, const struct path_list *a, const struct path_list *b,
                      struct arena *arena)
{
    struct candidates c;
    if (!list_candidates(&c, a, b, arena))
        return false;
    for (size_t i = 0; i < c.n; i++)
        if (path_list_matches(a, &c.items[i]) && path_list_matches(b, &c.items[i])) {
            *out = c.items[i];
            return true;
        }
    return false;
}

static bool try_message_psbt(struct diff_world *world, const struct keypath *path, unsigned kind)
{
    const struct policy *policies[2] = { &world->out->old, &world->out->new };
    struct diff_example e = { .path = *path };
    struct simulation *s[2];
    struct velocity *fresh = world->velocities;
    arena_reset(world->scratch);
    *fresh = (struct velocity){ 0 };
    if (!diff_message_request(&e.request, path, world, kind, world->scratch))
        return false;
    for (size_t i = 0; i < 2; i++) {
        s[i] = arena_alloc(world->scratch, sizeof *s[i]);
        if (s[i] == NULL || !diff_decide(s[i], world, policies[i], &e.request, fresh, world->now_s))
            return false;
    }
    const bool by_new = s[1]->decision.verdict == VERDICT_SIGN;
    if (by_new == (s[0]->decision.verdict == VERDICT_SIGN))
        return true;
    const struct diff_side side = { world, policies[by_new], policies[!by_new], by_new };
    const struct diff_key key = diff_key_of(&side, s[by_new], s[!by_new]);
    if (!diff_is_news(world, &key))
        return true;
    if (!diff_message_request(&e.request, path, world, kind, world->arena))
        return false;
    diff_add(&side, &key, &e, s[by_new], s[!by_new]);
    return true;
}

static bool try_messages(struct diff_world *world, const struct keypath *path)
{
    static const unsigned text_kinds[] = { DIFF_MESSAGE_EASY, DIFF_MESSAGE_NO_USERS,
                                           DIFF_MESSAGE_NO_CARD,
                                           DIFF_MESSAGE_NO_CARD | DIFF_MESSAGE_NO_USERS };
    for (size_t i = 0; i < COUNT(text_kinds); i++)
        if (!try_path(world, DIFF_MESSAGE, path, text_kinds[i]))
            return false;
    for (unsigned kind = 0; kind < 8; kind++)
        if (!try_message_psbt(world, path, kind))
            return false;
    return true;
}

static bool search_list(struct diff_world *world, enum diff_kind kind, const struct path_list *old,
                        const struct path_list *new)
{
    struct candidates c;
    if (!list_candidates(&c, old, new, world->arena))
        return false;
    for (size_t i = 0; i < c.n; i++)
        if (kind == DIFF_MESSAGE ? !try_messages(world, &c.items[i])
                                 : !try_path(world, kind, &c.items[i], 0))
            return false;
    return true;
}

bool diff_search_paths(struct diff_world *world, struct err *err)
{
    const struct policy *old = &world->out->old, *new = &world->out->new;
    const struct keypath none = { .depth = 0 };
    return (search_list(world, DIFF_MESSAGE, &old->msg_paths, &new->msg_paths) &&
            search_list(world, DIFF_XPUB, &old->share_xpubs, &new->share_xpubs) &&
            search_list(world, DIFF_ADDRESS, &old->share_addrs, &new->share_addrs) &&
            try_path(world, DIFF_MULTISIG_ADDRESS, &none, 0)) ||
           err_set(err, ERR_NO_MEMORY, "the policies are too large to be compared");
}
