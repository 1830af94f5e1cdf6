// bitcoin/psbt_change.c -- change at paths where the owner's software would never look (warning 13).
//
// A path is compared with the paths of the same fingerprint in the inputs that we sign: ours, and in
// change of a multisig wallet those of the other cosigners too (D-CHANGE: "the others' keys may stand
// at indices that only the host knows, which makes the change spendable for ransom only").
// Source: psbt-signing.md 12.2.
#include "base/require.h"
#include "bitcoin/psbt_work.h"

// BIP-44: unused addresses that a wallet looks past before it stops; ten times that, here.
#define GAP 200u

enum {
    TAIL = 2,                                // steps after the prefix: branch and index
    TROUBLE_MAX = 2 * KEYPATH_TEXT_MAX + 128 // bytes of a warning's text
};

// What the paths of one fingerprint and length, in the inputs that we sign, have in common.
struct pattern {
    bool used;
    struct keypath first; // its prefix and the hardness of its steps count
    uint32_t highest;     // index
};
struct patterns {
    struct pattern of_depth[PSBT_PATH_DEPTH_MAX + 1];
    const struct pattern *first; // in input order; NULL: there is nothing to compare with
};

static uint32_t index_of(const struct keypath *path)
{
    return path->step[path->depth - 1] & ~KEYPATH_HARD;
}

// D-CHANGE: one pattern per length; short paths give none.
static void learn(struct patterns *patterns, const struct keypath *path)
{
    struct pattern *p = &patterns->of_depth[path->depth];
    if (path->depth <= TAIL)
        return;
    if (!p->used)
        *p = (struct pattern){ .used = true, .first = *path };
    if (index_of(path) + GAP > p->highest)
        p->highest = index_of(path) + GAP;
    if (patterns->first == NULL)
        patterns->first = p;
}

// Of all fingerprints that matter.
struct known {
    struct patterns ours;
    struct patterns *cosigners; // by their place in the wallet; ours unused; NULL: no wallet
};

// Every key path is that of a key in the script, which 7.6 has re-made.
static void learn_multisig(struct known *known, const struct work *w, size_t i)
{
    const struct psbt_field *f = NULL;
    while ((f = psbt_next(&w->psbt->in[i], PSBT_IN_KEY_PATH, f)) != NULL) {
        const struct key_origin p = psbt_path_read(f);
        const size_t at = ms_wallet_position(w->wallet, p.xfp);
        if (work_is_ours(w, f))
            learn(&known->ours, &p.path);
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): without a wallet no input is multisig
        else if (at < w->wallet->n)
            learn(&known->cosigners[at], &p.path);
    }
}

// Of a single key only the path that signs, which psbt_prove derives: the host can write any others
// beside it, and give that one any fingerprint. So "every path that claims to be ours" is not enough.
static void learn_input(struct known *known, const struct work *w, size_t i)
{
    if (w->facts->tx.in[i].multisig) {
        learn_multisig(known, w, i);
    } else {
        const struct key_origin p = psbt_path_read(w->facts->plans[i].key);
        learn(&known->ours, &p.path);
    }
}

static bool learn_inputs(struct known *known, const struct work *w, struct err *err)
{
    if (w->wallet != NULL) {
        known->cosigners = arena_array(w->scratch, w->wallet->n, sizeof *known->cosigners);
        if (known->cosigners == NULL)
            return psbt_too_complex(err);
    }
    for (size_t i = 0; i < w->psbt->n_in; i++)
        if (w->facts->tx.in[i].will_sign)
            learn_input(known, w, i);
    return true;
}

static bool same_hardness(const struct keypath *a, const struct keypath *b)
{
    for (size_t i = 0; i < a->depth; i++)
        if (((a->step[i] ^ b->step[i]) & KEYPATH_HARD) != 0)
            return false;
    return true;
}

static struct keypath prefix_of(const struct keypath *path)
{
    struct keypath prefix = *path;
    prefix.depth -= TAIL;
    return prefix;
}

// The first issue that applies, or no text.
static void write_issue(struct writer *w, const struct patterns *patterns,
                        const struct keypath *path)
{
    const struct pattern *p = &patterns->of_depth[path->depth];
    if (!p->used) {
        writer_printf(w, "has wrong path length (%zu not %zu)", path->depth,
                      patterns->first->first.depth);
        return;
    }
    const struct keypath prefix = prefix_of(&p->first);
    if (!same_hardness(path, &p->first))
        writer_text(w, "has different hardening pattern");
    else if (!keypath_starts_with(path, &prefix))
        writer_text(w, "goes to diff path prefix");
    else if ((path->step[path->depth - TAIL] & ~KEYPATH_HARD) > 1)
        writer_text(w, "2nd last component not 0 or 1");
    else if (index_of(path) > p->highest)
        writer_text(w, "last component beyond reasonable gap");
}

static const char *quote_if_hard(const struct keypath *path, size_t from_end)
{
    return (path->step[path->depth - from_end] & KEYPATH_HARD) != 0 ? "'" : "";
}

static void write_expected(struct writer *w, const struct patterns *patterns,
                           const struct keypath *path)
{
    const struct pattern *own = &patterns->of_depth[path->depth];
    const struct pattern *p = own->used ? own : patterns->first;
    const struct keypath prefix = prefix_of(&p->first);
    writer_text(w, ": ");
    keypath_write(w, path);
    writer_text(w, " not ");
    keypath_write(w, &prefix);
    writer_printf(w, "/{0~1}%s/{0~%u}%s expected", quote_if_hard(&p->first, 2), p->highest,
                  quote_if_hard(&p->first, 1));
}

// What is wrong with a path, or no text.
static void write_trouble(struct writer *w, const struct patterns *patterns,
                          const struct keypath *path)
{
    if (patterns->first == NULL)
        return; // nothing to compare with
    write_issue(w, patterns, path);
    if (w->len > 0)
        write_expected(w, patterns, path);
}

static void write_our_trouble(struct writer *text, const struct work *w, const struct known *known,
                              size_t i)
{
    const struct psbt_field *f = NULL;
    while (text->len == 0 &&
           (f = psbt_next_out_path(&w->psbt->out[i], w->view->taproot, f)) != NULL) {
        const struct key_origin p = psbt_path_read(f);
        if (work_is_ours(w, f))
            write_trouble(text, &known->ours, &p.path);
    }
}

static void write_their_trouble(struct writer *text, const struct work *w,
                                const struct known *known, size_t i)
{
    const struct ms_paths paths = { w, &w->psbt->out[i], PSBT_OUT_KEY_PATH };
    const struct ms_claims claims = ms_paths_claims(&paths);
    struct ms_script script;
    REQUIRE(ms_output_script(&script, &w->psbt->out[i]));
    for (size_t k = 0; k < script.n && text->len == 0; k++) {
        struct key_origin p;
        REQUIRE(claims.origin(claims.context, k, script.key[k], &p)); // 7.6 has seen it
        const size_t at = ms_wallet_position(w->wallet, p.xfp);
        if (!xfp_equal(p.xfp, w->view->xfp))
            write_trouble(text, &known->cosigners[at], &p.path);
    }
}

// "still one entry per output"
static bool check_output(struct work *w, const struct known *known, size_t i, struct err *err)
{
    uint8_t mem[TROUBLE_MAX];
    struct writer trouble = writer_of(mem, sizeof mem);
    write_our_trouble(&trouble, w, known, i);
    if (trouble.len == 0 && w->facts->tx.out[i].multisig)
        write_their_trouble(&trouble, w, known, i);
    if (trouble.len == 0)
        return true;
    struct writer text = work_text(w);
    writer_printf(&text, "Output#%zu: ", i);
    writer_put(&text, writer_bytes(&trouble));
    return work_add(w, &w->warnings, "Troublesome Change Outs", &text, err);
}

bool step_change_paths(struct work *w, struct err *err)
{
    struct known *known = arena_alloc(w->scratch, sizeof *known);
    if (known == NULL)
        return psbt_too_complex(err);
    if (!learn_inputs(known, w, err))
        return false;
    for (size_t i = 0; i < w->psbt->n_out; i++)
        if (w->facts->tx.out[i].change && !check_output(w, known, i, err))
            return false;
    return true;
}
