// tests/support/model_keys.c -- when two states of a model are one.
#include "base/require.h"
#include "tests/support/model_internal.h"
#include "tests/support/test.h"
#include <string.h>

// Of one spend: its rows, without the names of coins, change addresses and transactions. Of one signer and
// attempt: what it was asked last, and whether it may have signed before.
#define SAYS_NO(last) ((last) == 0 || (last) == 2) // planned or refused
static const char *const KEY_SQL =
    "SELECT 0, state, anchor_vout IS NULL, owner IS NULL, coalesce(lease_until, 0) > 1, "
    "change_index IS NULL FROM spend WHERE id = ?1 "
    "UNION ALL SELECT 1, status, CASE WHEN first_sent_at IS NULL THEN 0 WHEN first_sent_at "
    "< " MODEL_AGED
    " THEN 1 ELSE 2 END, coalesce(release_rule, ''), 0, 0 FROM reservation WHERE spend_id = ?1 "
    "UNION ALL SELECT 2, kind, raw IS NULL, state, first_sent_at IS NULL, 0 FROM attempt "
    "WHERE spend_id = ?1 "
    "UNION ALL SELECT 3, a.kind, g.number, max(r.seq * 8 + CASE r.state WHEN 'planned' THEN 0 "
    "WHEN 'signed' THEN 1 WHEN 'refused' THEN 2 WHEN 'asked' THEN 3 ELSE 4 END) % 8, "
    "max(CASE WHEN r.seq = (SELECT max(l.seq) FROM sign_request l WHERE l.attempt_id = "
    "r.attempt_id AND l.signer_id = r.signer_id) THEN 0 WHEN r.state = 'signed' THEN 2 "
    "WHEN r.state IN ('asked', 'unknown') THEN 1 ELSE 0 END), 0 FROM sign_request r "
    "JOIN attempt a ON a.id = r.attempt_id JOIN signer g ON g.id = r.signer_id "
    "WHERE a.spend_id = ?1 GROUP BY a.kind, g.number "
    "UNION ALL SELECT 4, '', count(*), '', 0, 0 FROM input_lock WHERE spend_id = ?1 "
    "ORDER BY 1, 2, 3";

void model_keys_open(struct model *m)
{
    REQUIRE(sqlite3_prepare_v2(m->sql, KEY_SQL, -1, &m->key, NULL) == SQLITE_OK);
}

bool model_is_at(const struct model_replica *r, unsigned spend)
{
    return r->phase != MODEL_IDLE && r->spend == spend;
}

static uint64_t mix(uint64_t h, uint64_t value)
{
    h ^= value + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    h *= 0xff51afd7ed558ccdu;
    return h ^ h >> 29;
}

static uint64_t row_key(sqlite3_stmt *s, int from)
{
    uint64_t h = 1;
    for (int c = from; c < 6; c++) {
        const unsigned char *text = c != 2 || from == 0 ? sqlite3_column_text(s, c) : NULL;
        for (; text && *text; text++)
            h = mix(h, *text);
        h = mix(h, 1);
    }
    return h;
}

static unsigned kind_of(sqlite3_stmt *s, int column)
{
    return sqlite3_column_text(s, column)[0] == 'v' ? MODEL_VOID : MODEL_PAY;
}

// Of the spend, and of its attempts: which transactions nobody is asked to sign any more, whoever holds it.
static void note_closed(struct model_read *r, sqlite3_stmt *s)
{
    if (sqlite3_column_int(s, 0) == 2)
        r->closed[kind_of(s, 1)] |= sqlite3_column_int(s, 2) == 0; // its final form is stored
    if (sqlite3_column_int(s, 0) != 0)
        return;
    r->closed[MODEL_PAY] = r->spend.state > SPEND_PARKED;
    r->closed[MODEL_VOID] = r->spend.state != SPEND_VOIDING;
}

// What one signer was asked for one transaction. Of one that is closed R1 and R2 can still tell whether it was
// asked, and whether it may have signed; no more.
static void note_asked(struct model_read *r, sqlite3_stmt *s)
{
    const unsigned kind = kind_of(s, 1), signer = (unsigned)sqlite3_column_int(s, 2) - 1;
    const int last = sqlite3_column_int(s, 3), before = sqlite3_column_int(s, 4);
    const uint64_t all = row_key(s, 1);
    r->exact.of[kind][signer] += all;
    r->brief.of[kind][signer] +=
        r->closed[kind] ? mix(17, SAYS_NO(last) && before == 0 ? (unsigned)last : 1) : all;
    r->asked[kind] = mix(r->asked[kind], all + signer);
}

const struct model_read *model_read_spend(struct model *m, unsigned spend)
{
    struct model_read *r = &m->read[spend];
    sqlite3_stmt *s = m->key;
    if (r->writes == model_writes(m))
        return r;
    *r = (struct model_read){ .writes = model_writes(m),
                              .spend = rig_read(&m->rig, m->ids[spend]),
                              .rows = 1 };
    (void)sqlite3_bind_text(s, 1, m->ids[spend], -1, SQLITE_STATIC);
    while (sqlite3_step(s) == SQLITE_ROW) {
        if (sqlite3_column_int(s, 0) == 3) {
            note_asked(r, s);
            continue;
        }
        note_closed(r, s);
        r->rows = mix(r->rows, row_key(s, 0));
    }
    (void)sqlite3_reset(s);
    return r;
}

bool model_is_stale(struct model *m, const struct model_replica *r)
{
    const struct spend *now = &model_read_spend(m, r->spend)->spend;
    return now->fence != r->s.fence || now->state != r->s.state ||
           strcmp(now->owner, r->s.owner) != 0;
}

static uint64_t replica_key(struct model *m, const struct model_replica *r)
{
    // A late one does what it was about to do, whatever it last knew.
    const uint64_t knows = model_is_stale(m, r) ? SPEND_STATES : r->s.state;
    const uint64_t h = mix(mix(11, r->phase), knows);
    return r->phase == MODEL_DECIDE ? h : mix(h, r->kind * 8u + r->outcome);
}

// With what devices did, and replicas are at.
struct model_signers model_signers_of(struct model *m, unsigned spend,
                                      const struct model_signers *rows)
{
    struct model_signers all = *rows;
    for (unsigned kind = 0; kind < MODEL_KINDS; kind++)
        for (unsigned i = 0; i < RIG_SIGNERS; i++)
            if (m->w.signatures[spend][kind] >> i & 1u)
                all.of[kind][i] += mix(5, kind);
    for (unsigned i = 0; i < MODEL_REPLICAS; i++) {
        const struct model_replica *r = &m->w.r[i];
        if (model_is_at(r, spend) && (r->phase == MODEL_ASKED || r->phase == MODEL_REPLIED))
            all.of[r->kind][r->signer] += mix(7, replica_key(m, r));
    }
    return all;
}

// Signers are alike, of one transaction and of the other: nothing puts the two in relation.
static uint64_t key_of(struct model *m, unsigned spend, const struct model_signers *rows)
{
    const struct model_signers signers = model_signers_of(m, spend, rows);
    uint64_t sum = 0, h = mix(m->read[spend].rows, m->w.mined[spend]);
    h = mix(h, m->w.aged[spend] + 2u * m->w.deep[spend] + 4u * m->w.reorged[spend]);
    for (unsigned i = 0; i < MODEL_REPLICAS; i++)
        sum += model_is_at(&m->w.r[i], spend) ? replica_key(m, &m->w.r[i]) : 0;
    h = mix(h, sum);
    for (unsigned kind = 0; kind < MODEL_KINDS; kind++) {
        sum = 0;
        for (unsigned i = 0; i < RIG_SIGNERS; i++)
            sum += mix(3, signers.of[kind][i]);
        h = mix(mix(h, m->w.sent[spend][kind] + 2u * m->w.told[spend][kind]), sum);
    }
    return h ? h : 1;
}

struct model_keys model_keys_of(struct model *m, unsigned spend)
{
    const struct model_read *r = model_read_spend(m, spend);
    struct model_keys keys = { .key = key_of(m, spend, &r->brief),
                               .exact = key_of(m, spend, &r->exact) };
    memcpy(keys.closed, r->closed, sizeof keys.closed);
    memcpy(keys.asked, r->asked, sizeof keys.asked);
    return keys;
}

uint64_t model_key(struct model *m, unsigned spend)
{
    return model_keys_of(m, spend).key;
}
