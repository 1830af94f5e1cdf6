// bitcoin/psbt_analyse.c -- the order of checks, and those that concern the transaction as a whole.
#include "bitcoin/psbt_analyse.h"
#include "bitcoin/psbt_work.h"

enum {
    TX_LEN_MIN = 61, // of an unsigned transaction: one input, one output and some of its script
    TEXT_MAX = 16 << 20,
    SCRATCH_REST = 32 << 10, // bytes: patterns of change paths (psbt_change.c), and padding
    FOUND_MAX = 128,         // fingerprints listed: more do not fit an error text
};

// --- Tools of all steps ---

struct writer work_text(const struct work *w)
{
    return writer_growing(w->arena, TEXT_MAX);
}

static bool make_room(struct texts *texts, struct arena *arena)
{
    if (texts->n < texts->cap)
        return true;
    const size_t cap = texts->cap == 0 ? 8 : 2 * texts->cap;
    struct labelled_text *larger = arena_array(arena, cap, sizeof *larger);
    if (larger == NULL)
        return false;
    if (texts->n > 0)
        memcpy(larger, texts->list, texts->n * sizeof *larger);
    texts->list = larger;
    texts->cap = cap;
    return true;
}

bool work_add(struct work *w, struct texts *texts, const char *label, const struct writer *text,
              struct err *err)
{
    struct bytes content;
    if (!writer_finish(text, &content) || !make_room(texts, w->arena))
        return psbt_too_complex(err);
    texts->list[texts->n++] = (struct labelled_text){ label, content };
    return true;
}

bool work_warn(struct work *w, const char *label, const char *text, struct err *err)
{
    struct writer t = work_text(w);
    writer_text(&t, text);
    return work_add(w, &w->warnings, label, &t, err);
}

bool work_is_ours(const struct work *w, const struct psbt_field *path)
{
    return xfp_equal(psbt_path_xfp(path, w->view->xfp), w->view->xfp);
}

bool work_take_path(struct work *w, const struct psbt_field *path, bool *claims, struct err *err)
{
    const struct xfp zero = { { 0 } };
    if (!psbt_path_check_depth(path, err))
        return false;
    *claims = work_is_ours(w, path);
    if (w->warned_zero_xfp || !xfp_is_zero(psbt_path_xfp(path, zero)))
        return true;
    w->warned_zero_xfp = true;
    return work_warn(w, "Zero XFP", "Assuming XFP of zero should be replaced by correct XFP", err);
}

// --- V1 to V3: what the signer wants of a transaction that the container has accepted ---

static bool check_v0(const struct psbt *p, struct err *err)
{
    const size_t len = psbt_get(&p->global, PSBT_GLOBAL_UNSIGNED_TX)->value.len;
    if (p->tx.version < 0 || p->tx.version > 3)
        return psbt_unreadable(err, "bad txn version");
    if (p->n_in == 0)
        return psbt_unreadable(err, "no ins?");
    if (len < TX_LEN_MIN)
        return psbt_invalid(err, "txn too short");
    return true;
}

// Version 0 is for messages alone, which take 0 or 2 (19.2); D-TXVER: "version 1 to 3".
static bool check_version(const struct work *w, struct err *err)
{
    const int32_t v = w->psbt->tx.version;
    const bool good = w->facts->tx.is_message ? v == 0 || v == 2 : v >= 1 && v <= 3;
    return good || psbt_invalid(err, "bad txn version");
}

bool step_transaction(struct work *w, struct err *err)
{
    if (w->psbt->version == 0 && !check_v0(w->psbt, err))
        return false;
    return message_recognise(w, err) && check_version(w, err);
}

// --- V7, K1: something to sign, for us ---

struct found {
    struct xfp xfp[FOUND_MAX];
    size_t n;
};

static bool has_found(const struct found *found, struct xfp xfp)
{
    for (size_t i = 0; i < found->n; i++)
        if (xfp_equal(found->xfp[i], xfp))
            return true;
    return found->n == FOUND_MAX;
}

static void find_in(struct found *found, const struct work *w, const struct psbt_map *map)
{
    const struct psbt_field *f = NULL;
    while ((f = psbt_next_in_path(map, w->view->taproot, f)) != NULL) {
        const struct xfp xfp = psbt_path_xfp(f, w->view->xfp);
        if (!has_found(found, xfp))
            found->xfp[found->n++] = xfp;
    }
}

static bool no_key_of_ours(const struct work *w, struct err *err)
{
    struct found found = { .n = 0 };
    char ours[XFP_TEXT_SIZE], text[FOUND_MAX * (XFP_TEXT_SIZE + 1)];
    struct writer list = writer_of(text, sizeof text);
    for (size_t i = 0; i < w->psbt->n_in; i++)
        find_in(&found, w, &w->psbt->in[i]);
    for (size_t i = 0; i < found.n; i++) {
        char one[XFP_TEXT_SIZE];
        xfp_to_text(one, found.xfp[i]);
        writer_text(&list, i == 0 ? "" : ", ");
        writer_text(&list, one);
    }
    xfp_to_text(ours, w->view->xfp);
    return err_set(err, ERR_INVALID,
                   "None of the keys involved in this transaction belong to this Coldcard (need "
                   "%s, found %.*s)",
                   ours, BYTES_ARG(writer_bytes(&list)));
}

bool step_our_keys(struct work *w, struct err *err)
{
    bool any_path = false, any_claim = false;
    if (w->psbt->n_out == 0)
        return psbt_invalid(err, "need outputs");
    for (size_t i = 0; i < w->psbt->n_in; i++) {
        any_path = any_path || w->in[i].n_paths > 0 || w->in[i].has_tap_path;
        any_claim = any_claim || w->facts->tx.in[i].claims;
    }
    if (any_claim)
        return true;
    if (any_path)
        return no_key_of_ours(w, err);
    return err_set(err, ERR_INVALID, "PSBT does not contain any key path information.");
}

// --- All steps ---

// Psbt-signing 9: "The first problem found decides the reply."
static bool (*const steps[])(struct work *w, struct err *err) = {
    step_transaction,   step_read_inputs,  step_locks,        step_xpubs,
    step_our_keys,      step_judge_inputs, step_inputs_total, step_judge_outputs,
    step_outputs_total, step_change_paths, step_hash_types,
};

// Of version 0 the transaction is there as it is hashed.
static struct hash256 unsigned_txid(const struct psbt *p)
{
    return p->version == 0 ? sha256d(psbt_get(&p->global, PSBT_GLOBAL_UNSIGNED_TX)->value)
                           : tx_txid(&p->tx);
}

static bool start(struct work *w, struct psbt_facts *out, struct err *err)
{
    const struct psbt *p = w->psbt;
    struct tx_facts *tx = &out->tx;
    *out = (struct psbt_facts){ .psbt = p,
                                .xfp = w->view->xfp,
                                .taproot = w->view->taproot,
                                .device_order = w->view->device_order };
    tx->psbt_hash = sha256(p->raw);
    tx->txid = unsigned_txid(p);
    tx->locktime = p->tx.locktime;
    for (size_t i = 0; i < p->tx.n_in; i++) // "final" in every input switches the locktime off
        tx->locktime_counts |= p->tx.in[i].sequence != UINT32_MAX;
    tx->chain = w->view->chain;
    tx->n_in = p->n_in;
    tx->n_out = p->n_out;
    tx->in = arena_array(w->arena, p->n_in, sizeof *tx->in);
    tx->out = arena_array(w->arena, p->n_out, sizeof *tx->out);
    out->plans = arena_array(w->arena, p->n_in, sizeof *out->plans);
    w->in = arena_array(w->scratch, p->n_in, sizeof *w->in);
    if (tx->in == NULL || tx->out == NULL || out->plans == NULL || w->in == NULL)
        return psbt_too_complex(err);
    w->facts = out;
    return true;
}

bool psbt_analyse(struct psbt_facts *out, const struct psbt *psbt, const struct signer_view *view,
                  struct arena *arena, struct err *err)
{
    // Per input its work and a pointer to sort it by.
    const size_t per_input = sizeof(struct input_work) + sizeof(void *);
    AUTO(arena_freep) struct arena *scratch = arena_new(SCRATCH_REST + psbt->n_in * per_input);
    struct work w = { .psbt = psbt, .view = view, .arena = arena, .scratch = scratch };
    if (!start(&w, out, err))
        return false;
    for (size_t i = 0; i < COUNT(steps); i++)
        if (!steps[i](&w, err))
            return false;
    out->tx.warnings = w.warnings.list;
    out->tx.n_warnings = w.warnings.n;
    out->tx.notes = w.notes.list;
    out->tx.n_notes = w.notes.n;
    return true;
}
