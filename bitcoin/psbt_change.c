// bitcoin/psbt_change.c -- change at paths where the owner's software would never look (warning 13).
//
// Source: psbt-signing.md 12.2.
#include "bitcoin/psbt_work.h"

// BIP-44: unused addresses that a wallet looks past before it stops; ten times that, here.
#define GAP 200u

enum { TAIL = 2 }; // steps after the prefix: branch and index

// What the paths of one length, in the inputs that we sign, have in common.
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

static void learn_inputs(struct patterns *patterns, const struct work *w)
{
    for (size_t i = 0; i < w->psbt->n_in; i++) {
        const struct psbt_field *f = NULL;
        while (w->facts->tx.in[i].will_sign &&
               (f = psbt_next(&w->psbt->in[i], PSBT_IN_KEY_PATH, f)) != NULL) {
            const struct key_origin p = psbt_path_read(f);
            if (work_is_ours(w, f))
                learn(patterns, &p.path);
        }
    }
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

static bool check_output(struct work *w, const struct patterns *patterns, size_t i, struct err *err)
{
    const struct psbt_field *f = NULL;
    while ((f = psbt_next(&w->psbt->out[i], PSBT_OUT_KEY_PATH, f)) != NULL) {
        const struct key_origin p = psbt_path_read(f);
        if (!work_is_ours(w, f))
            continue;
        uint8_t mem[64];
        struct writer issue = writer_of(mem, sizeof mem);
        write_issue(&issue, patterns, &p.path);
        if (issue.len == 0)
            continue;
        struct writer text = work_text(w);
        writer_printf(&text, "Output#%zu: ", i);
        writer_put(&text, writer_bytes(&issue));
        write_expected(&text, patterns, &p.path);
        return work_add(w, &w->warnings, "Troublesome Change Outs", &text, err); // one an output
    }
    return true;
}

bool step_change_paths(struct work *w, struct err *err)
{
    struct patterns patterns = { .first = NULL };
    learn_inputs(&patterns, w);
    if (patterns.first == NULL)
        return true;
    for (size_t i = 0; i < w->psbt->n_out; i++)
        if (w->facts->tx.out[i].change && !check_output(w, &patterns, i, err))
            return false;
    return true;
}
