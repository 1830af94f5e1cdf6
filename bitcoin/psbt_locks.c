// bitcoin/psbt_locks.c -- when the transaction becomes valid, in notes for people (V5).
//
// Source: psbt-signing.md 12.4; BIP-68 for relative locks.
#include "base/clock.h"
#include "bitcoin/psbt_work.h"

#define SEQUENCE_FINAL     UINT32_MAX
#define LOCKTIME_THRESHOLD 500000000u
// BIP-68: bit 31 set: no relative lock; bit 22 set: units of 512 seconds, else blocks; 16 low bits.
#define RTL_DISABLED       (1u << 31)
#define RTL_IS_TIME        (1u << 22)
#define RTL_VALUE          0xffffu
#define RTL_UNIT_S         512u
#define RTL_VERSION        2 // of transactions, from which on locks count

enum { SHOWN_MAX = 10, SHOWN_EACH = SHOWN_MAX / 2 };

// --- The absolute lock ---

static bool any_sequence_not_final(const struct tx *tx)
{
    for (size_t i = 0; i < tx->n_in; i++)
        if (tx->in[i].sequence != SEQUENCE_FINAL)
            return true;
    return false;
}

static bool note_locktime(struct work *w, struct err *err)
{
    const uint32_t locktime = w->psbt->tx.locktime;
    struct writer text = work_text(w);
    if (locktime == 0)
        return true;
    if (!any_sequence_not_final(&w->psbt->tx))
        return work_warn(w, "Bad Locktime",
                         "Locktime has no effect! None of the nSequences decremented.", err);
    writer_text(&text, "This tx can only be spent after ");
    if (locktime < LOCKTIME_THRESHOLD) {
        writer_printf(&text, "block height of %u\n", locktime);
    } else {
        const struct civil t = clock_civil(locktime);
        writer_printf(&text, "%d-%02d-%02d %02d:%02d:%02d UTC (MTP)\n", t.year, t.month, t.day,
                      t.hour, t.minute, t.second);
    }
    return work_add(w, &w->notes, "Abs Locktime", &text, err);
}

// --- Relative locks ---

struct lock {
    size_t input;
    uint32_t value; // as in the sequence
};
// All locks of one unit, in input order until `shown` is decided.
struct locks {
    bool is_time;
    struct lock *list;
    size_t n, n_shown;
};

static bool has_lock(const struct tx_in *in, bool is_time)
{
    return (in->sequence & RTL_DISABLED) == 0 && (in->sequence & RTL_VALUE) != 0 &&
           ((in->sequence & RTL_IS_TIME) != 0) == is_time;
}

static bool collect_locks(struct locks *locks, struct work *w)
{
    const struct tx *tx = &w->psbt->tx;
    size_t n = 0;
    for (size_t i = 0; i < tx->n_in; i++)
        n += has_lock(&tx->in[i], locks->is_time);
    locks->list = arena_array(w->arena, n, sizeof *locks->list);
    if (locks->list == NULL)
        return false;
    for (size_t i = 0; i < tx->n_in; i++)
        if (has_lock(&tx->in[i], locks->is_time))
            locks->list[locks->n++] = (struct lock){ i, tx->in[i].sequence & RTL_VALUE };
    locks->n_shown = n;
    return true;
}

static int compare_locks(const void *a, const void *b)
{
    const struct lock *x = a, *y = b;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return x->input < y->input ? -1 : x->input > y->input;
}

// "b + t <= 10: all, in input order. Otherwise both are sorted by value, largest first, and cut: b >=
// 5 and t >= 5: five each; else the rarer kind complete and the other filled up to ten in total."
static void cut(struct locks *a, struct locks *b)
{
    if (a->n + b->n <= SHOWN_MAX)
        return;
    qsort(a->list, a->n, sizeof *a->list, compare_locks);
    qsort(b->list, b->n, sizeof *b->list, compare_locks);
    if (a->n >= SHOWN_EACH && b->n >= SHOWN_EACH)
        a->n_shown = b->n_shown = SHOWN_EACH;
    else if (a->n < b->n)
        b->n_shown = SHOWN_MAX - a->n;
    else
        a->n_shown = SHOWN_MAX - b->n;
}

// "1d 2h 3m 4s" without the parts that are zero.
static void write_duration(struct writer *w, uint32_t seconds)
{
    static const struct {
        uint32_t seconds;
        char letter;
    } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
    const char *gap = "";
    for (size_t i = 0; i < COUNT(units); i++) {
        if (seconds / units[i].seconds > 0) {
            writer_printf(w, "%s%u%c", gap, seconds / units[i].seconds, units[i].letter);
            gap = " ";
        }
        seconds %= units[i].seconds;
    }
}

static void write_value(struct writer *w, const struct locks *locks, uint32_t value)
{
    if (locks->is_time)
        write_duration(w, value * RTL_UNIT_S);
    else
        writer_printf(w, "%u blocks", value);
    writer_text(w, "\n");
}

static bool all_equal(const struct locks *locks)
{
    for (size_t i = 1; i < locks->n; i++) // D-RTL: over all of them, not those shown
        if (locks->list[i].value != locks->list[0].value)
            return false;
    return true;
}

static void write_list(struct writer *w, const struct locks *locks)
{
    writer_text(w, ".");
    if (locks->n_shown < locks->n)
        writer_printf(w, " Showing only %zu with highest values.", locks->n_shown);
    writer_text(w, "\n\n");
    for (size_t i = 0; i < locks->n_shown; i++) {
        writer_printf(w, " %zu.  ", locks->list[i].input);
        write_value(w, locks, locks->list[i].value);
    }
}

static bool note_relative(struct work *w, const struct locks *locks, struct err *err)
{
    struct writer text = work_text(w);
    if (locks->n == 0)
        return true;
    if (locks->n == 1)
        writer_printf(&text, "Input %zu. has", locks->list[0].input);
    else
        writer_printf(&text, "%zu inputs have", locks->n);
    writer_printf(&text, " relative %s timelock", locks->is_time ? "time-based" : "block height");
    if (all_equal(locks)) {
        writer_text(&text, locks->is_time ? " of:\n " : " of ");
        write_value(&text, locks, locks->list[0].value);
    } else {
        write_list(&text, locks);
    }
    return work_add(w, &w->notes, locks->is_time ? "Time-based RTL" : "Block height RTL", &text,
                    err);
}

bool step_locks(struct work *w, struct err *err)
{
    struct locks blocks = { .is_time = false }, times = { .is_time = true };
    if (!note_locktime(w, err))
        return false;
    if (w->psbt->tx.version < RTL_VERSION)
        return true;
    if (!collect_locks(&blocks, w) || !collect_locks(&times, w))
        return psbt_too_complex(err);
    cut(&blocks, &times);
    return note_relative(w, &blocks, err) && note_relative(w, &times, err);
}
