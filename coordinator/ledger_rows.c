#include "coordinator/ledger_rows.h"
#include "base/require.h"
#include <string.h>

// --- Names ---

static const char *const kinds[] = { [ATTEMPT_PAY] = "pay",
                                     [ATTEMPT_REPLACE] = "replace",
                                     [ATTEMPT_CHILD] = "child",
                                     [ATTEMPT_VOID] = "void" };
static const char *const attempt_states[] = {
    [ATTEMPT_BUILT] = "built", [ATTEMPT_SIGNING] = "signing",     [ATTEMPT_SIGNED] = "signed",
    [ATTEMPT_SENT] = "sent",   [ATTEMPT_CONFIRMED] = "confirmed", [ATTEMPT_DEAD] = "dead"
};
static const char *const sign_states[] = { [SIGN_PLANNED] = "planned",
                                           [SIGN_ASKED] = "asked",
                                           [SIGN_SIGNED] = "signed",
                                           [SIGN_REFUSED] = "refused",
                                           [SIGN_UNKNOWN] = "unknown" };

const char *attempt_kind_name(enum attempt_kind kind)
{
    return kinds[kind];
}

const char *attempt_state_name(enum attempt_state state)
{
    return attempt_states[state];
}

const char *sign_state_name(enum sign_state state)
{
    return sign_states[state];
}

static bool index_of(size_t *out, const char *const *names, size_t n, struct bytes name)
{
    for (*out = 0; *out < n; (*out)++)
        if (bytes_equal_text(name, names[*out]))
            return true;
    return false;
}

bool attempt_kind_of(enum attempt_kind *out, struct bytes name)
{
    size_t i;
    const bool found = index_of(&i, kinds, COUNT(kinds), name);
    *out = (enum attempt_kind)i;
    return found;
}

bool attempt_state_of(enum attempt_state *out, struct bytes name)
{
    size_t i;
    const bool found = index_of(&i, attempt_states, COUNT(attempt_states), name);
    *out = (enum attempt_state)i;
    return found;
}

bool sign_state_of(enum sign_state *out, struct bytes name)
{
    size_t i;
    const bool found = index_of(&i, sign_states, COUNT(sign_states), name);
    *out = (enum sign_state)i;
    return found;
}

// --- Rows ---

struct spend spend_of_row(const struct db_rows *rows, size_t row)
{
    struct spend s = { .amount = db_cell_sats(rows, row, 5),
                       .fence = db_cell_u64(rows, row, 7),
                       .lease_until_us = db_cell_int(rows, row, 9),
                       .created_us = db_cell_int(rows, row, 10),
                       .not_after_us = db_cell_int(rows, row, 11),
                       .next_us = db_cell_int(rows, row, 12),
                       .has_anchor = !db_cell_is_null(rows, row, 13),
                       .has_change = !db_cell_is_null(rows, row, 15),
                       .bumps = (unsigned)db_cell_int(rows, row, 17),
                       .cancel_asked = db_cell_int(rows, row, 18) != 0,
                       .fee_rate = db_cell_u64(rows, row, 19) };
    db_cell_copy(s.id, sizeof s.id, rows, row, 0);
    db_cell_copy(s.wallet_id, sizeof s.wallet_id, rows, row, 1);
    db_cell_copy(s.principal_id, sizeof s.principal_id, rows, row, 2);
    db_cell_copy(s.request_id, sizeof s.request_id, rows, row, 3);
    s.tier = bytes_equal_text(db_cell_bytes(rows, row, 4), "surge") ? TIER_SURGE : TIER_AUTO;
    REQUIRE(spend_state_of(&s.state, db_cell_bytes(rows, row, 6))); // the table's CHECK
    db_cell_copy(s.owner, sizeof s.owner, rows, row, 8);
    s.anchor.txid = db_cell_hash(rows, row, 13);
    s.anchor.index = (uint32_t)db_cell_int(rows, row, 14);
    s.change_index = (uint32_t)db_cell_int(rows, row, 15);
    s.code = code_of_name(db_cell_bytes(rows, row, 16));
    return s;
}

struct attempt attempt_of_row(const struct db_rows *rows, size_t row)
{
    struct attempt a = { .number = (unsigned)db_cell_int(rows, row, 1),
                         .psbt = db_cell_bytes(rows, row, 4),
                         .txid = db_cell_hash(rows, row, 5),
                         .raw = db_cell_bytes(rows, row, 6),
                         .fee = db_cell_sats(rows, row, 7),
                         .vsize = db_cell_u64(rows, row, 8),
                         .first_sent_us = db_cell_int(rows, row, 9) };
    db_cell_copy(a.id, sizeof a.id, rows, row, 0);
    REQUIRE(attempt_kind_of(&a.kind, db_cell_bytes(rows, row, 2)));
    REQUIRE(attempt_state_of(&a.state, db_cell_bytes(rows, row, 3)));
    return a;
}
