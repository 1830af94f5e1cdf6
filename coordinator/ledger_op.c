#include "base/json.h"
#include "base/require.h"
#include "base/utf8.h"
#include "coordinator/db_internal.h"
#include "coordinator/ledger_internal.h"
#include "coordinator/ledger_rows.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OP_ARENA = 64 << 20 }; // hundreds of attempts with their PSBTs

// --- One transaction ---

struct run {
    struct op op;
    op_body *body;
    void *context;
};

static bool run_body(struct db *db, void *context, struct err *err)
{
    struct run *run = context;
    arena_reset(run->op.arena);
    db->n_told = 0;
    return db_now_us(db, &run->op.now_us, err) && run->body(&run->op, run->context, err);
}

bool op_run(struct db *db, op_body *body, void *context, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(OP_ARENA);
    struct run run = { { db, arena, 0 }, body, context };
    if (!db_transact(db, run_body, &run, err))
        return false;
    db_notes_told(db);
    return true;
}

bool op_clock(struct op *op, struct err *err)
{
    return db_now_us(op->db, &op->now_us, err);
}

bool op_change(struct op *op, const char *sql, const struct db_value *args, size_t n,
               struct err *err)
{
    uint64_t changed;
    if (!db_exec(op->db, &changed, sql, args, n, err))
        return false;
    if (changed == 1)
        return true;
    return code_fail(err, CODE_CONFLICT, "the ledger's row has changed meanwhile");
}

// --- Values ---

struct db_value db_hash(const struct hash256 *hash)
{
    return db_blob(BYTES_OF(hash->b));
}

struct hash256 db_cell_hash(const struct db_rows *rows, size_t row, size_t column)
{
    struct hash256 hash = { 0 };
    const struct bytes b = db_cell_bytes(rows, row, column);
    if (b.len == sizeof hash.b)
        memcpy(hash.b, b.ptr, b.len);
    return hash;
}

struct db_value db_sats(struct sats amount)
{
    return db_int(amount.n <= INT64_MAX ? (int64_t)amount.n : INT64_MAX);
}

struct sats db_cell_sats(const struct db_rows *rows, size_t row, size_t column)
{
    return (struct sats){ db_cell_u64(rows, row, column) };
}

// --- Spends ---

bool op_lock_spend(struct op *op, struct spend *out, const char *id, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err, SPEND_SELECT " WHERE s.id = $1 FOR UPDATE", db_text(id)))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_NOT_FOUND, "there is no spend %s", id);
    *out = spend_of_row(&rows, 0);
    return true;
}

bool op_hold(struct op *op, const struct spend *spend, struct err *err)
{
    struct spend now;
    if (!op_lock_spend(op, &now, spend->id, err))
        return false;
    if (now.fence == spend->fence && now.state == spend->state &&
        strcmp(now.owner, spend->owner) == 0 && now.owner[0])
        return true;
    return code_fail(err, CODE_CONFLICT, "spend %s is another's by now, or was moved", spend->id);
}

// Who ends is nobody's any more, and has no work that is due.
static bool let_go_of_ended(struct op *op, struct spend *spend, struct err *err)
{
    if (!spend_state_is_final(spend->state) && spend->state != SPEND_CONFIRMED)
        return true;
    spend->owner[0] = 0;
    spend->lease_until_us = 0;
    spend->next_us = NEVER_US;
    return OP_CHANGE(
        op, err, "UPDATE spend SET owner = NULL, lease_until = NULL, next_at = $2 WHERE id = $1",
        db_text(spend->id), db_int(NEVER_US));
}

static bool move_event(struct op *op, const struct spend *spend, enum spend_state from,
                       const char *reason, struct err *err)
{
    uint8_t before[64], after[ERR_TEXT_MAX + 512];
    struct writer wb = writer_of(before, sizeof before), wa = writer_of(after, sizeof after);
    struct json_writer b = json_writer_of(&wb), a = json_writer_of(&wa);
    json_begin_object(&b);
    json_key(&b, "state");
    json_text(&b, spend_state_name(from));
    json_end_object(&b);
    json_begin_object(&a);
    json_key(&a, "state");
    json_text(&a, spend_state_name(spend->state));
    if (spend->code != CODE_NONE) {
        json_key(&a, "code");
        json_text(&a, code_name(spend->code));
    }
    if (reason[0]) {
        json_key(&a, "reason");
        json_text(&a, reason);
    }
    json_end_object(&a);
    writer_u8(&wb, 0);
    writer_u8(&wa, 0);
    REQUIRE(!wb.failed && !wa.failed);
    return op_event(op, spend, "spend.state", (const char *)before, (const char *)after, err);
}

// A sentence for people, of which devices and nodes may have written a part: 200 bytes of valid UTF-8.
static void copy_reason(char out[static 201], const char *reason)
{
    (void)snprintf(out, 201, "%s", reason ? reason : "");
    for (size_t len = strlen(out); len > 0 && !utf8_is_valid(bytes_of_text(out)); len--)
        out[len - 1] = 0;
}

bool op_move(struct op *op, struct spend *spend, enum spend_state to, enum code code,
             const char *reason, struct err *err)
{
    const enum spend_state from = spend->state;
    char cut[201];
    copy_reason(cut, reason);
    // Invariant 14: states move only along D3's table.
    if (!spend_state_may(from, to))
        return code_fail(err, CODE_CONFLICT, "a spend that is %s cannot become %s",
                         spend_state_name(from), spend_state_name(to));
    if (!OP_CHANGE(op, err,
                   "UPDATE spend SET state = $3, state_at = $4, code = $5, reason = $6 "
                   "WHERE id = $1 AND state = $2 AND fence = $7",
                   db_text(spend->id), db_text(spend_state_name(from)),
                   db_text(spend_state_name(to)), db_int(op->now_us),
                   db_text(code == CODE_NONE ? NULL : code_name(code)), db_text(cut),
                   db_u64(spend->fence)))
        return false;
    spend->state = to;
    spend->code = code;
    return let_go_of_ended(op, spend, err) && move_event(op, spend, from, cut, err);
}

// --- Events about spends ---

// What the holder told meanwhile comes before what happens now (NULL: nothing).
static bool write_events(struct op *op, const struct event *now, struct err *err)
{
    struct event events[DB_NOTES_MAX + 1];
    size_t n = 0;
    for (; op->db->n_told < op->db->n_notes; op->db->n_told++) {
        const struct db_note *note = &op->db->notes[op->db->n_told];
        events[n++] = (struct event){ .actor = "coordinator",
                                      .kind = "spend.frame",
                                      .object = note->spend_id,
                                      .after = bytes_of_text(note->frame) };
    }
    if (now != NULL)
        events[n++] = *now;
    return ledger_events_within(op->db, events, n, err);
}

bool op_event(struct op *op, const struct spend *spend, const char *kind, const char *before,
              const char *after, struct err *err)
{
    const struct event event = { .actor = "coordinator",
                                 .origin = spend->owner[0] ? spend->owner : NULL,
                                 .kind = kind,
                                 .object = spend->id,
                                 .before = bytes_of_text(before),
                                 .after = bytes_of_text(after),
                                 .request_id = spend->request_id };
    return write_events(op, &event, err);
}

bool op_eventf(struct op *op, const struct spend *spend, const char *kind, struct err *err,
               const char *after, ...)
{
    char text[1024];
    va_list args;
    va_start(args, after);
    const int len = vsnprintf(text, sizeof text, after, args);
    va_end(args);
    REQUIRE(len >= 0 && (size_t)len < sizeof text);
    return op_event(op, spend, kind, "", text, err);
}

static bool tell(struct op *op, void *context, struct err *err)
{
    (void)context;
    return write_events(op, NULL, err);
}

bool ledger_tell(struct db *db, struct err *err)
{
    return db->n_notes == 0 || op_run(db, tell, NULL, err);
}

bool ledger_story(struct db *db, const char *spend_id, struct bytes frame, struct err *err)
{
    if (db->n_notes == DB_NOTES_MAX && !ledger_tell(db, err))
        return false;
    return db_note(db, spend_id, frame) ||
           code_fail(err, CODE_BAD_REQUEST, "a frame of %zu bytes", frame.len);
}

size_t ledger_story_mark(const struct db *db)
{
    return db->n_notes;
}

void ledger_story_forget(struct db *db, size_t mark)
{
    db->n_told = 0;
    while (db->n_notes > mark)
        free(db->notes[--db->n_notes].frame);
}
