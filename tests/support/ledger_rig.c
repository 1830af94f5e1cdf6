#include "tests/support/ledger_rig.h"
#include "coordinator/migrate.h"
#include "tests/support/test.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s: %s", #condition, err.text);                                              \
    } while (0)

// --- Stores ---

const struct postgres *rig_server(void)
{
    static struct postgres server; // of this test program
    static enum { NOT_TRIED, NONE, RUNS } state;
    if (state == NOT_TRIED)
        state = postgres_start(&server, NULL) ? RUNS : NONE;
    return state == RUNS ? &server : NULL;
}

static void insert_wallet(struct ledger_rig *rig)
{
    static const uint8_t hash[32] = { 1 };
    struct err err;
    MUST(db_exec(rig->db, NULL,
                 "INSERT INTO wallet(id, name, network, k, n, kind, desc_receive, desc_change, "
                 "desc_hash, status, settle_depth) VALUES($1, 'treasury', 'regtest', 2, 3, "
                 "'wsh-sortedmulti', 'r', 'c', $2, 'active', 6)",
                 DB_ARGS(db_text(rig->wallet), db_blob(BYTES_OF(hash))), &err));
    MUST(db_exec(rig->db, NULL,
                 "INSERT INTO velocity_guard(wallet_id, window_s, cap_auto, cap_surge, fee_cap) "
                 "VALUES($1, $2, 500, 1000, 100)",
                 DB_ARGS(db_text(rig->wallet), db_int(RIG_WINDOW_S)), &err));
}

static void insert_signers(struct ledger_rig *rig)
{
    struct err err;
    for (unsigned i = 0; i < RIG_SIGNERS; i++) {
        const char name[2] = { (char)('A' + (int)i), 0 };
        const uint8_t xfp[4] = { (uint8_t)i, 1, 2, 3 };
        db_new_id(rig->signers[i], 1000 * i);
        MUST(db_exec(
            rig->db, NULL,
            "INSERT INTO signer(id, name, number, kind, fingerprint) "
            "VALUES($1, $2, $3, 'unix', $4)",
            DB_ARGS(db_text(rig->signers[i]), db_text(name), db_int(i + 1), db_blob(BYTES_OF(xfp))),
            &err));
        MUST(db_exec(rig->db, NULL,
                     "INSERT INTO wallet_signer(wallet_id, signer_id, position, xpub, "
                     "registered_name) VALUES($1, $2, $3, 'x', 'treasury')",
                     DB_ARGS(db_text(rig->wallet), db_text(rig->signers[i]), db_int(i)), &err));
    }
}

static void insert_people(struct ledger_rig *rig)
{
    struct err err;
    MUST(db_exec(rig->db, NULL,
                 "INSERT INTO principal(id, kind, subject) VALUES($1, 'token', 'service')",
                 DB_ARGS(db_text(rig->principal)), &err));
    MUST(db_exec(rig->db, NULL,
                 "INSERT INTO destination(id, wallet_id, name, address, script, state) "
                 "VALUES($1, $2, 'hot', 'bcrt1hot', $3, 'active')",
                 DB_ARGS(db_text(rig->destination), db_text(rig->wallet), db_blob(BYTES("hot"))),
                 &err));
}

static void fill(struct ledger_rig *rig)
{
    struct err err;
    MUST(migrate_apply(rig->db, migrate_steps(), &err));
    db_new_id(rig->wallet, 1000);
    db_new_id(rig->principal, 2000);
    db_new_id(rig->destination, 3000);
    insert_wallet(rig);
    insert_signers(rig);
    insert_people(rig);
    MUST(ledger_reconciled(rig->db, rig->wallet, &err));
}

static void open_at(struct ledger_rig *rig, const char *path, const char *uri)
{
    struct err err;
    *rig = (struct ledger_rig){ .db = NULL };
    (void)snprintf(rig->place, sizeof rig->place, "%s", path ? path : uri);
    rig->options = (struct db_options){ .path = path ? rig->place : NULL,
                                        .uri = path ? NULL : rig->place,
                                        .clock_offset_us = &rig->offset_us };
    MUST(db_open(&rig->db, &rig->options, &err));
}

void rig_sqlite(struct ledger_rig *rig)
{
    char path[200];
    (void)snprintf(path, sizeof path, "%s/ledger.db", test_dir());
    open_at(rig, path, NULL);
    // What is tested here survives kill -9 without it; db_test.c looks at what the program itself sets.
    rig_exec(rig, "PRAGMA synchronous = OFF");
    fill(rig);
}

void rig_memory(struct ledger_rig *rig)
{
    open_at(rig, ":memory:", NULL);
    fill(rig);
}

void rig_postgres(struct ledger_rig *rig, const struct postgres *pg)
{
    open_at(rig, NULL, pg->uri);
    rig_exec(rig, "DROP SCHEMA IF EXISTS casemate CASCADE");
    fill(rig);
}

void rig_close(struct ledger_rig *rig)
{
    db_close(&rig->db);
}

struct db *rig_connect(const struct ledger_rig *rig)
{
    struct db *db = NULL;
    struct err err;
    MUST(db_open(&db, &rig->options, &err));
    return db;
}

void rig_exec(struct ledger_rig *rig, const char *sql)
{
    struct err err;
    MUST(db_script(rig->db, bytes_of_text(sql), &err));
}

int64_t rig_number(struct ledger_rig *rig, const char *sql)
{
    struct db_rows rows;
    struct err err;
    MUST(db_query(rig->db, &rows, sql, DB_NONE, test_arena(), &err));
    assert_int_equal(rows.n, 1);
    return db_cell_int(&rows, 0, 0);
}

void rig_caps(struct ledger_rig *rig, uint64_t cap_auto, uint64_t cap_surge, uint64_t fee_cap)
{
    struct err err;
    MUST(db_exec(rig->db, NULL,
                 "UPDATE velocity_guard SET cap_auto = $1, cap_surge = $2, fee_cap = $3",
                 DB_ARGS(db_u64(cap_auto), db_u64(cap_surge), db_u64(fee_cap)), &err));
}

void rig_sleep(struct ledger_rig *rig, int64_t s)
{
    struct err err;
    rig->offset_us += s * 1000000;
    MUST(ledger_reconciled(rig->db, rig->wallet, &err));
}

// --- Spends ---

struct spend rig_submit(struct ledger_rig *rig, uint64_t amount)
{
    char id[32];
    struct spend s;
    struct err err;
    bool is_new;
    struct spend_output output = { .script = BYTES("hot"),
                                   .address = BYTES("bcrt1hot"),
                                   .amount = { amount } };
    (void)snprintf(id, sizeof id, "request-%u", rig->n_requests++);
    memcpy(output.destination_id, rig->destination, ID_SIZE);
    const struct spend_request request = { .wallet_id = rig->wallet,
                                           .principal_id = rig->principal,
                                           .request_id = bytes_of_text(id),
                                           .body_hash = sha256(bytes_of_text(id)),
                                           .outputs = &output,
                                           .n_outputs = 1 };
    MUST(ledger_submit(rig->db, &s, &is_new, &request, &err));
    assert_true(is_new);
    return s;
}

struct spend rig_read(struct ledger_rig *rig, const char *id)
{
    struct spend s;
    struct err err;
    MUST(ledger_spend(rig->db, &s, id, &err));
    return s;
}

void rig_hold(struct ledger_rig *rig, struct spend *spend, const char *holder)
{
    struct err err;
    int64_t now_us;
    MUST(db_now_us(rig->db, &now_us, &err));
    MUST(db_exec(
        rig->db, NULL,
        "UPDATE spend SET owner = $2, lease_until = $3, fence = fence + 1, "
        "next_at = $4 WHERE id = $1",
        DB_ARGS(db_text(spend->id), db_text(holder), db_int(now_us + 60000000), db_int(INT64_MAX)),
        &err));
    *spend = rig_read(rig, spend->id);
}

struct spend rig_claimed(struct ledger_rig *rig, uint64_t amount)
{
    struct spend s = rig_submit(rig, amount);
    rig_hold(rig, &s, "me");
    return s;
}

struct spend rig_reserved(struct ledger_rig *rig, uint64_t amount)
{
    struct spend s = rig_claimed(rig, amount);
    struct err err;
    MUST(ledger_reserve(rig->db, &s, (struct sats){ 1 }, &err));
    return s;
}

// --- Transactions ---

struct outpoint rig_coin(unsigned number)
{
    struct outpoint o = { .index = number };
    memset(o.txid.b, 0xc0, sizeof o.txid.b);
    return o;
}

static struct tx_in *inputs_of(const struct outpoint *coins, size_t n)
{
    struct tx_in *in = arena_array(test_arena(), n, sizeof *in);
    assert_non_null(in);
    for (size_t i = 0; i < n; i++)
        in[i] = (struct tx_in){ .prevout = coins[i], .sequence = 0xfffffffd };
    return in;
}

struct attempt rig_attempt_of(struct ledger_rig *rig, enum attempt_kind kind,
                              const struct outpoint *coins, size_t n, uint64_t fee)
{
    struct tx_out out = { .value = 1000, .script = BYTES("hot") };
    const struct tx tx = { .version = 2,
                           .locktime = ++rig->n_txs,
                           .n_in = n,
                           .n_out = 1,
                           .in = inputs_of(coins, n),
                           .out = &out };
    struct writer w = writer_growing(test_arena(), 100000);
    struct attempt_input *in = arena_array(test_arena(), n, sizeof *in);
    struct attempt a = { .kind = kind,
                         .psbt = BYTES("psbt"),
                         .fee = { fee },
                         .vsize = 190,
                         .txid = tx_txid(&tx),
                         .inputs = in,
                         .n_inputs = n };
    assert_non_null(in);
    for (size_t i = 0; i < n; i++)
        in[i] = (struct attempt_input){ .outpoint = coins[i], .amount = { 2000 } };
    tx_write(&w, &tx);
    assert_true(writer_finish(&w, &a.raw));
    return a;
}

struct attempt rig_attempt(struct ledger_rig *rig, enum attempt_kind kind, unsigned coin)
{
    const struct outpoint o = rig_coin(coin);
    return rig_attempt_of(rig, kind, &o, 1, 1);
}

void ledger_rig_sign(struct ledger_rig *rig, struct spend *spend, struct attempt *attempt)
{
    const struct bytes raw = attempt->raw;
    struct sign_request r;
    struct err err;
    for (unsigned i = 0; i < 2; i++) {
        MUST(ledger_sign_ask(rig->db, spend, attempt, rig->signers[i], &r, &err));
        MUST(ledger_sign_answer(rig->db, spend, &r, SIGN_SIGNED, "", "", BYTES("signature"), &err));
    }
    MUST(ledger_signed(rig->db, spend, attempt, raw, &err));
}

struct spend rig_sent(struct ledger_rig *rig, uint64_t amount, struct attempt *attempt)
{
    struct spend s = rig_reserved(rig, amount);
    struct err err;
    *attempt = rig_attempt(rig, ATTEMPT_PAY, 1000 + rig->n_requests);
    MUST(ledger_attempt_add(rig->db, &s, attempt, &err));
    ledger_rig_sign(rig, &s, attempt);
    MUST(ledger_sent(rig->db, &s, attempt, &err));
    return s;
}
