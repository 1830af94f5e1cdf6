#include "http/outbox.h"
#include "base/require.h"
#include "base/secret.h"

void outbox_init(struct outbox *box, size_t limit)
{
    *box = (struct outbox){ .last = &box->first, .limit = limit };
}

void outbox_drop(struct outbox_message *message)
{
    wipe(message->mem + OUTBOX_ROOM, message->len);
    free(message);
}

struct outbox_message *outbox_take(struct outbox *box)
{
    struct outbox_message *taken = box->first;
    if (taken == NULL)
        return NULL;
    box->first = taken->next;
    if (box->first == NULL)
        box->last = &box->first;
    box->held -= taken->len;
    return taken;
}

void outbox_free(struct outbox *box)
{
    for (struct outbox_message *m; (m = outbox_take(box)) != NULL;)
        outbox_drop(m);
}

static void remove_key(struct outbox *box, unsigned key)
{
    for (struct outbox_message **at = &box->first; *at != NULL; at = &(*at)->next) {
        struct outbox_message *found = *at;
        if (found->key != key)
            continue;
        *at = found->next;
        if (*at == NULL)
            box->last = at;
        box->held -= found->len;
        outbox_drop(found);
        return;
    }
}

static bool put(struct outbox *box, struct bytes content, unsigned key, bool binary)
{
    if (content.len > box->limit - box->held)
        return false;
    struct outbox_message *m = malloc(sizeof *m + OUTBOX_ROOM + content.len);
    REQUIRE(m != NULL); // running out of memory stops the process
    *m = (struct outbox_message){ .key = key, .binary = binary, .len = content.len };
    if (content.len > 0)
        memcpy(m->mem + OUTBOX_ROOM, content.ptr, content.len);
    *box->last = m;
    box->last = &m->next;
    box->held += content.len;
    return true;
}

bool outbox_put(struct outbox *box, struct bytes content, unsigned key)
{
    if (key != 0)
        remove_key(box, key);
    return put(box, content, key, false);
}

bool outbox_put_binary(struct outbox *box, struct bytes content)
{
    return put(box, content, 0, true);
}

bool outbox_is_empty(const struct outbox *box)
{
    return box->first == NULL;
}
