#include "bunker/link_left.h"

static bool is_recent(int64_t then_ms, int64_t now_ms)
{
    return now_ms - then_ms <= LINK_CODES_MS;
}

static void keep_name(char out[static CERTIFICATE_NAME_SIZE], const char *certificate)
{
    (void)snprintf(out, CERTIFICATE_NAME_SIZE, "%s", certificate);
}

static bool are_own(const struct link_left *left, const char *certificate, uint64_t pending,
                    int64_t now_ms)
{
    return strcmp(left->giver, certificate) == 0 && is_recent(left->given_ms, now_ms) &&
           pending <= left->users.n;
}

bool link_left_stops(struct link_left *left, const char *certificate, uint64_t pending,
                     int64_t now_ms)
{
    if (pending == 0)
        left->giver[0] = '\0'; // they are used up
    if (pending == 0 || are_own(left, certificate, pending, now_ms))
        return false;
    const bool was_warned =
        strcmp(left->warned, certificate) == 0 && is_recent(left->warned_ms, now_ms);
    keep_name(left->warned, was_warned ? "" : certificate);
    left->warned_ms = now_ms;
    return !was_warned;
}

static void add_user(struct link_users *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->items[i], name) == 0)
            return;
    if (all->n < COUNT(all->items))
        memcpy(all->items[all->n++], name, sizeof all->items[0]);
}

void link_left_add_users(struct link_left *left, const char *certificate,
                         const struct link_users *users, int64_t now_ms)
{
    if (users->n == 0)
        return;
    if (strcmp(left->giver, certificate) != 0 || !is_recent(left->given_ms, now_ms))
        left->users.n = 0;
    keep_name(left->giver, certificate);
    left->given_ms = now_ms;
    for (size_t i = 0; i < users->n; i++)
        add_user(&left->users, users->items[i]);
}

void link_left_keep(struct link_left *left, struct bytes message, struct bytes reply)
{
    enum request_id id;
    (void)link_gate(message, &id);
    if ((id != REQUEST_STOK && id != REQUEST_SMOK) || bytes_equal_text(reply, "okay") ||
        bytes_equal_text(reply, "busy") || reply.len == 0 || reply.len > sizeof left->decision)
        return;
    left->poll = id;
    memcpy(left->decision, reply.ptr, reply.len);
    left->decision_len = reply.len;
}
