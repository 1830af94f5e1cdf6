#include "policy/journal_verify.h"
#include "base/hex.h"
#include "base/reader.h"
#include <inttypes.h>

// What stands at the end of each line.
#define PREV_TEXT ", \"prev\": \""
#define SIG_TEXT  "\", \"sig\": \""
#define END_TEXT  "\"}"
enum {
    HASH_DIGITS = 64,
    SIG_DIGITS = 128,
    SIG_PART = sizeof SIG_TEXT - 1 + SIG_DIGITS + sizeof END_TEXT - 1,
    TAIL = sizeof PREV_TEXT - 1 + HASH_DIGITS + SIG_PART,
};

static bool bad(struct err *err)
{
    return err_set(err, ERR_MALFORMED, "not a journal record");
}

// Lower case, as it is written: the other case would be another line that says the same.
static bool read_hex(void *out, size_t len, struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'F')
            return false;
    return hex_decode(out, len, text);
}

bool journal_record_read(struct journal_record *out, struct bytes line, struct err *err)
{
    struct reader r = reader_of(line);
    struct bytes content, prev, sig;
    if (!reader_accept_bytes(&r, BYTES("{\"seq\": ")) ||
        !reader_decimal64(&r, INT64_MAX, &out->seq))
        return bad(err);
    const size_t left = line.len - r.offset;
    if (left < TAIL || !reader_take(&r, left - TAIL, &content) ||
        !reader_accept_bytes(&r, BYTES(PREV_TEXT)) || !reader_take(&r, HASH_DIGITS, &prev) ||
        !reader_accept_bytes(&r, BYTES(SIG_TEXT)) || !reader_take(&r, SIG_DIGITS, &sig) ||
        !reader_accept_bytes(&r, BYTES(END_TEXT)) || !reader_done(&r) ||
        !read_hex(out->prev.b, sizeof out->prev.b, prev) ||
        !read_hex(out->sig, sizeof out->sig, sig))
        return bad(err);
    // "over the SHA-256 of the line up to and without `, "sig"`": the quote before it is the end of
    // the value of `prev`.
    out->signed_part = bytes_slice(line, 0, line.len - SIG_PART + 1);
    out->hash = sha256(line);
    return true;
}

bool journal_record_verifies(const struct journal_record *record, const uint8_t key[static 32])
{
    const struct hash256 digest = sha256(record->signed_part);
    return record->seq > 0 && schnorr_verify(record->sig, key, BYTES_OF(digest.b));
}

// --- Faults ---

static void fault(struct journal_verifier *v, enum journal_fault_kind kind, uint64_t line,
                  uint64_t seq, uint64_t last)
{
    if (v->n_faults < JOURNAL_FAULTS_MAX)
        v->faults[v->n_faults] = (struct journal_fault){ kind, line, seq, last };
    v->n_faults++;
}

static void write_removed(struct writer *w, const struct journal_fault *f)
{
    if (f->seq == f->last)
        writer_printf(w, "record %" PRIu64 " was removed", f->seq);
    else
        writer_printf(w, "records %" PRIu64 " to %" PRIu64 " were removed", f->seq, f->last);
}

void journal_fault_write(struct writer *w, const struct journal_fault *f)
{
    writer_printf(w, "line %" PRIu64 ": ", f->line);
    switch (f->kind) {
    case FAULT_EDITED:
        writer_printf(w, "record %" PRIu64 " was edited: its signature does not fit", f->seq);
        break;
    case FAULT_FOREIGN:
        writer_text(w, "is no record of this journal");
        break;
    case FAULT_REMOVED:
        write_removed(w, f);
        break;
    case FAULT_MOVED:
        writer_printf(w, "record %" PRIu64 " was moved: it stands behind record %" PRIu64, f->seq,
                      f->last);
        break;
    case FAULT_REPEATED:
        writer_printf(w, "record %" PRIu64 " stands there once more", f->seq);
        break;
    case FAULT_HISTORY:
        writer_printf(w,
                      "record %" PRIu64 " does not follow the record %" PRIu64
                      " that stands before it: one of them is of another history",
                      f->seq, f->seq - 1);
        break;
    case FAULT_TRUNCATED:
        writer_printf(w, "record %" PRIu64 " is cut off in the middle", f->seq);
        break;
    case FAULT_CUT_OFF:
        writer_printf(w,
                      "what came after record %" PRIu64
                      " was cut off: the head that is expected is not there",
                      f->seq);
        break;
    case FAULT_EMPTY:
        writer_text(w, "there is no record");
        break;
    }
}

// --- Verifying ---

void journal_verifier_init(struct journal_verifier *v, const uint8_t key[static 32],
                           const struct hash256 *head)
{
    *v = (struct journal_verifier){ .next = 1, .has_last = true }; // the first follows 64 zeros
    memcpy(v->key, key, sizeof v->key);
    v->has_head = head != NULL;
    if (head != NULL)
        v->head = *head;
}

// The lines before this one that are no good records stand where records are missing, up to
// `missing` of them: those were edited. The others have been put in.
static void settle_doubtful(struct journal_verifier *v, uint64_t missing)
{
    for (uint64_t i = 0; i < v->n_doubtful; i++) {
        if (i >= missing) {
            fault(v, FAULT_FOREIGN, v->doubtful_line + i, 0, 0);
            continue;
        }
        fault(v, FAULT_EDITED, v->doubtful_line + i, v->next++, 0);
        v->has_last = false;
    }
    v->n_doubtful = 0;
}

static void report_gap(struct journal_verifier *v, const struct journal_gap *gap)
{
    fault(v, FAULT_REMOVED, gap->line, gap->first, gap->last);
}

// A hole that a record further down may still fill. Should there be too many, the oldest is told.
static void open_gap(struct journal_verifier *v, uint64_t first, uint64_t last)
{
    if (v->n_gaps == JOURNAL_GAPS_MAX) {
        report_gap(v, &v->gaps[0]);
        v->n_gaps--;
        memmove(v->gaps, v->gaps + 1, v->n_gaps * sizeof v->gaps[0]);
    }
    v->gaps[v->n_gaps++] = (struct journal_gap){ first, last, v->n_lines };
}

static void drop_gap(struct journal_verifier *v, size_t at)
{
    v->n_gaps--;
    memmove(v->gaps + at, v->gaps + at + 1, (v->n_gaps - at) * sizeof v->gaps[0]);
}

// Takes record `seq` out of the hole it belongs in. False if there is none.
static bool fill_gap(struct journal_verifier *v, uint64_t seq)
{
    for (size_t i = 0; i < v->n_gaps; i++) {
        struct journal_gap *gap = &v->gaps[i];
        if (seq < gap->first || seq > gap->last)
            continue;
        const struct journal_gap whole = *gap;
        drop_gap(v, i);
        const uint64_t line = v->n_lines;
        if (seq > whole.first) {
            open_gap(v, whole.first, seq - 1);
            v->gaps[v->n_gaps - 1].line = whole.line;
        }
        if (seq < whole.last) {
            open_gap(v, seq + 1, whole.last);
            v->gaps[v->n_gaps - 1].line = whole.line;
        }
        fault(v, FAULT_MOVED, line, seq, v->next - 1);
        return true;
    }
    return false;
}

// A good record with the number that should come, or a higher one.
static void go_on(struct journal_verifier *v, const struct journal_record *record)
{
    settle_doubtful(v, record->seq - v->next);
    if (record->seq > v->next)
        open_gap(v, v->next, record->seq - 1);
    else if (v->has_last && !bytes_equal(BYTES_OF(record->prev.b), BYTES_OF(v->last.b)))
        fault(v, FAULT_HISTORY, v->n_lines, record->seq, 0);
    v->next = record->seq + 1;
    v->has_last = true;
    v->last = record->hash;
}

static void take(struct journal_verifier *v, const struct journal_record *record)
{
    v->n_good++;
    if (v->has_head && bytes_equal(BYTES_OF(record->hash.b), BYTES_OF(v->head.b))) {
        v->head_found = true;
        v->head_seq = record->seq;
    }
    if (record->seq >= v->next)
        go_on(v, record);
    else if (!fill_gap(v, record->seq))
        fault(v, FAULT_REPEATED, v->n_lines, record->seq, 0);
}

void journal_verifier_line(struct journal_verifier *v, struct bytes line, bool is_whole)
{
    struct journal_record record;
    struct err ignored;
    v->n_lines++;
    if (journal_record_read(&record, line, &ignored) && journal_record_verifies(&record, v->key)) {
        take(v, &record);
        return;
    }
    if (!is_whole) {
        settle_doubtful(v, v->n_doubtful);
        fault(v, FAULT_TRUNCATED, v->n_lines, v->next, 0);
        return;
    }
    if (v->n_doubtful++ == 0)
        v->doubtful_line = v->n_lines;
}

bool journal_verifier_end(struct journal_verifier *v)
{
    settle_doubtful(v, v->n_doubtful);
    for (size_t i = 0; i < v->n_gaps; i++)
        report_gap(v, &v->gaps[i]);
    v->n_gaps = 0;
    if (v->n_lines == 0)
        fault(v, FAULT_EMPTY, 1, 0, 0);
    if (v->has_head && !v->head_found)
        fault(v, FAULT_CUT_OFF, v->n_lines + 1, v->next - 1, 0);
    return v->n_faults == 0;
}

bool journal_verify(struct journal_verifier *v, struct bytes file, const uint8_t key[static 32],
                    const struct hash256 *head)
{
    struct reader r = reader_of(file);
    struct bytes line;
    journal_verifier_init(v, key, head);
    while (reader_until(&r, '\n', &line))
        journal_verifier_line(v, line, r.offset > 0 && file.ptr[r.offset - 1] == '\n');
    return journal_verifier_end(v);
}
