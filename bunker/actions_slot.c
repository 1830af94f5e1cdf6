// Meeting in the bunker: several sessions before one PSBT. Source: bunker.md 9.7.
#include "base/require.h"
#include "bunker/actions.h"

// --- What a participant may do ---

static bool is_joined_by_code(const struct slot *slot)
{
    return slot->code[0] != '\0';
}

const char *slot_why_not_load(struct bunker *b, struct session *session)
{
    const struct slot *slot = session_slot(b, session);
    return is_joined_by_code(slot) && slot->owner != session
               ? "Only who shared this transaction may replace it."
               : NULL;
}

// "must have opened the preview (or ticked "I have checked this transaction") before entering a code"
const char *slot_why_not_offer(struct bunker *b, struct session *session, size_t index)
{
    const struct slot *slot = session_slot(b, session);
    const struct slot_auth *a = index < slot->n_auth ? &slot->auth[index] : NULL;
    if (!is_joined_by_code(slot) || a == NULL)
        return NULL;
    if (a->code != NULL && a->by != session && slot->owner != session)
        return "Somebody else has given a code for that user.";
    if (session_visitor(b, session)->checked != slot->serial + 1)
        return "Look at the transaction first: open its preview, or say that you have checked it.";
    return NULL;
}

// --- Coming and going ---

static void release(struct bunker *b, struct slot *slot, const struct session *session)
{
    if (slot == NULL || slot == b->shared)
        return;
    slot_forget_codes_of(slot, session);
    if (slot->owner == session)
        slot->owner = NULL;
    slot->n_members--;
    if (slot->n_members > 0)
        clients_push_slot(b, slot, NULL);
    else if (slot->n_jobs > 0)
        slot->orphaned = true; // who finishes the last one frees it
    else
        slot_free(slot);
}

void slot_release_all(struct bunker *b, struct session *session)
{
    struct visitor *v = session->data;
    struct slot *slot = v->slot, *own = v->own;
    v->slot = v->own = NULL;
    session->data = NULL; // nothing is pushed to who is leaving
    release(b, slot, session);
    release(b, own, session);
    session->data = v;
}

static struct slot *find_shared(struct bunker *b, struct bytes code)
{
    struct session_store *store = b->sessions.store;
    for (struct session *s = NULL; (s = store->next(store, s)) != NULL;) {
        const struct visitor *v = s->data;
        if (v != NULL && is_joined_by_code(v->slot) && ct_equal(code, bytes_of_text(v->slot->code)))
            return v->slot;
    }
    return NULL;
}

static void run_share(struct action_call *call)
{
    struct slot *slot = session_slot(call->b, call->c->session);
    struct frame f;
    if (slot == call->b->shared) {
        frame_fail(call->c, "bad_args", "Everybody has the same transaction here already.");
        return;
    }
    if (!is_joined_by_code(slot))
        slot_share(slot);
    call_audit(call, "slot_share", "ok", bytes_of_text(slot->id));
    frame_begin(&f);
    json_key(&f.j, "vue_app_cb");
    json_begin_object(&f.j);
    json_key(&f.j, "slot_code");
    json_text(&f.j, slot->code);
    json_end_object(&f.j);
    frame_send(&f, call->c, 0);
    clients_push_slot(call->b, slot, call->c);
}

// One's own stays where it is, for the way back; another's is left.
static void enter(struct action_call *call, struct visitor *v, struct slot *slot)
{
    const struct session *session = call->c->session;
    const bool is_own = v->slot->owner == session && !is_joined_by_code(v->slot);
    if (is_own) {
        slot_forget_codes(v->slot);
        v->own = v->slot;
    } else {
        release(call->b, v->slot, session);
    }
    v->slot = slot;
    v->checked = 0;
    v->warned = false;
    slot->n_members++;
}

static void run_join(struct action_call *call)
{
    struct visitor *v = session_visitor(call->b, call->c->session);
    struct bytes code;
    if (!call_text(call, 0, &code))
        return;
    struct slot *slot = find_shared(call->b, bytes_trim(code));
    const char *why = NULL;
    if (v->slot == call->b->shared)
        why = "Everybody has the same transaction here already.";
    else if (slot == NULL)
        why = "No transaction is shared under that code.";
    else if (slot_is_busy(v->slot))
        why = "This PSBT is being signed now.";
    if (why != NULL) {
        frame_fail(call->c, "bad_args", "%s", why);
        call_audit(call, "slot_join", "failed", bytes_of_text(why));
        return;
    }
    if (slot != v->slot)
        enter(call, v, slot);
    call_audit(call, "slot_join", "ok", bytes_of_text(slot->id));
    clients_push_slot(call->b, slot, call->c);
}

static void run_leave(struct action_call *call)
{
    struct session *session = call->c->session;
    struct visitor *v = session_visitor(call->b, session);
    if (v->slot == call->b->shared || !is_joined_by_code(v->slot)) {
        frame_fail(call->c, "bad_args", "This transaction is not shared.");
        return;
    }
    call_audit(call, "slot_leave", "ok", bytes_of_text(v->slot->id));
    struct slot *left = v->slot;
    v->slot = v->own != NULL ? v->own : slot_new();
    if (v->own == NULL) {
        v->slot->owner = session;
        v->slot->n_members = 1;
    }
    v->own = NULL;
    v->checked = 0;
    slot_set_users(v->slot, json_get(call->b->hsm, "users"));
    release(call->b, left, session);
    clients_push_slot(call->b, v->slot, call->c);
}

// "I have checked this transaction."
static void run_checked(struct action_call *call)
{
    struct slot *slot = session_slot(call->b, call->c->session);
    struct bytes hash;
    if (!call_text(call, 0, &hash))
        return;
    if (slot->psbt == NULL || !bytes_equal_text(hash, slot->hash_text)) {
        frame_fail(call->c, "hash_mismatch", "hash mismatch");
        return;
    }
    session_visitor(call->b, call->c->session)->checked = slot->serial + 1;
    call_audit(call, "slot_checked", "ok", (struct bytes){ 0 });
    clients_push_slot(call->b, NULL, call->c);
}

const struct action slot_actions[] = {
    { "slot_share", 0, 0, ROLE_OPERATOR, run_share },
    { "slot_join", 1, 1, ROLE_OPERATOR, run_join },
    { "slot_leave", 0, 0, ROLE_OPERATOR, run_leave },
    { "slot_checked", 1, 1, ROLE_OPERATOR, run_checked },
};
const size_t n_slot_actions = COUNT(slot_actions);
