#include "coordinator/metrics.h"
#include "base/clock.h"
#include "coordinator/audit.h"
#include <inttypes.h>

// --- Lines ---

static void family(struct writer *w, const char *name, const char *type, const char *help)
{
    writer_printf(w, "# HELP casemate_%s %s\n# TYPE casemate_%s %s\n", name, help, name, type);
}

void metrics_label(struct writer *w, struct bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        const uint8_t c = value.ptr[i];
        if (c == '\\' || c == '"')
            writer_u8(w, '\\');
        if (c == '\n')
            writer_text(w, "\\n");
        else
            writer_u8(w, c);
    }
}

static void begin(struct writer *w, const char *name)
{
    writer_printf(w, "casemate_%s", name);
}

static void label(struct writer *w, const char *name, struct bytes value, bool first, bool last)
{
    writer_printf(w, "%s%s=\"", first ? "{" : ",", name);
    metrics_label(w, value);
    writer_text(w, last ? "\"}" : "\"");
}

static void value_u64(struct writer *w, uint64_t value)
{
    writer_printf(w, " %" PRIu64 "\n", value);
}

static void value_seconds(struct writer *w, int64_t us)
{
    const int64_t safe = us < 0 ? 0 : us;
    writer_printf(w, " %" PRId64 ".%06" PRId64 "\n", safe / 1000000, safe % 1000000);
}

static void single(struct writer *w, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    family(w, name, type, help);
    begin(w, name);
    value_u64(w, value);
}

// --- Of the fleet ---

struct signer_gauge {
    const char *name, *help;
    uint64_t (*of)(const struct fleet_signer *s);
};

static uint64_t of_ready(const struct fleet_signer *s)
{
    return s->ready;
}
static uint64_t of_active(const struct fleet_signer *s)
{
    return s->active;
}
static uint64_t of_enabled(const struct fleet_signer *s)
{
    return s->enabled;
}
static uint64_t of_refusals(const struct fleet_signer *s)
{
    return s->refusals;
}
static uint64_t of_budget(const struct fleet_signer *s)
{
    return s->budget_auto.n;
}
static uint64_t of_drift(const struct fleet_signer *s)
{
    return s->drift;
}

static const struct signer_gauge gauges[] = {
    { "signer_ready", "Whether a signer is read back as ready.", of_ready },
    { "signer_active", "Whether a signer runs its policy.", of_active },
    { "signer_enabled", "Whether a signer may be asked.", of_enabled },
    { "signer_refusals", "Refusals since the signer's start, of which 100 end it.", of_refusals },
    { "signer_budget_sat", "What is left of the automatic rule's budget.", of_budget },
    { "policy_drift", "Whether a signer runs another policy than the published one.", of_drift },
};

static void write_signers(struct writer *w, const struct metrics_sources *s)
{
    struct fleet_signer all[SIGNERS_MAX];
    const size_t n = s->fleet != NULL ? fleet_view(s->fleet, NULL, all) : 0;
    for (size_t g = 0; g < COUNT(gauges); g++) {
        family(w, gauges[g].name, "gauge", gauges[g].help);
        for (size_t i = 0; i < n; i++) {
            begin(w, gauges[g].name);
            label(w, "signer", bytes_of_text(all[i].name), true, true);
            value_u64(w, gauges[g].of(&all[i]));
        }
    }
}

static unsigned quorum_of(const struct metrics_sources *s, const char *wallet_id)
{
    struct fleet_signer all[SIGNERS_MAX];
    const size_t n = s->fleet != NULL ? fleet_view(s->fleet, wallet_id, all) : 0;
    unsigned quorum = 0;
    for (size_t i = 0; i < n; i++)
        quorum += all[i].enabled && all[i].active;
    return quorum;
}

// --- Of the board ---

static void write_nodes(struct writer *w, const struct metrics_sources *s)
{
    struct board_node nodes[BOARD_NODES];
    const size_t n = board_nodes(s->board, nodes);
    family(w, "node_up", "gauge", "Whether the node answers and is not behind.");
    for (size_t i = 0; i < n; i++) {
        begin(w, "node_up");
        label(w, "node", bytes_of_text(nodes[i].name), true, true);
        value_u64(w, nodes[i].up && !nodes[i].behind);
    }
    family(w, "chain_height", "gauge", "Height of the node's best chain.");
    for (size_t i = 0; i < n; i++) {
        begin(w, "chain_height");
        label(w, "node", bytes_of_text(nodes[i].name), true, true);
        value_u64(w, nodes[i].height);
    }
    family(w, "fee_rate", "gauge", "Estimated rate, sat per 1000 vB; 0: not known.");
    for (size_t i = 0; i < n; i++) {
        begin(w, "fee_rate");
        label(w, "node", bytes_of_text(nodes[i].name), true, true);
        value_u64(w, nodes[i].fee_rate);
    }
}

static void write_counters(struct writer *w, const struct metrics_sources *s)
{
    static const struct {
        enum board_counter counter;
        const char *name, *help;
    } rows[] = {
        { BOARD_REORGS, "reorgs_total", "Blocks that went from the best chain." },
        { BOARD_TAKEOVERS, "lease_takeovers_total", "Spends taken over from another holder." },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        single(w, rows[i].name, "counter", rows[i].help, board_counted(s->board, rows[i].counter));
}

// --- Of the ledger: per wallet ---

struct wallets {
    struct treasury_wallet *items;
    size_t n;
    struct velocity_view *velocity; // of each; now_us 0: not known
};

static bool read_wallets(struct wallets *out, const struct metrics_sources *s, struct arena *arena)
{
    struct err err;
    if (s->db == NULL || !treasury_all(s->treasury, s->db, &out->items, &out->n, arena, &err))
        return false;
    out->velocity = arena_array(arena, out->n, sizeof *out->velocity);
    for (size_t i = 0; out->velocity != NULL && i < out->n; i++)
        if (!ledger_velocity(s->db, &out->velocity[i], out->items[i].row.id, &err))
            return false;
    return out->velocity != NULL;
}

static void wallet_line(struct writer *w, const char *name, const struct treasury_wallet *t,
                        const char *more, const char *value)
{
    begin(w, name);
    label(w, "wallet", t->row.name, true, more == NULL);
    if (more != NULL)
        label(w, more, bytes_of_text(value), false, true);
}

static void write_quorum(struct writer *w, const struct metrics_sources *s,
                         const struct wallets *all)
{
    family(w, "quorum", "gauge", "Signers that are enabled and active.");
    for (size_t i = 0; i < all->n; i++) {
        wallet_line(w, "quorum", &all->items[i], NULL, NULL);
        value_u64(w, quorum_of(s, all->items[i].row.id));
    }
    family(w, "quorum_needed", "gauge", "Signers that a spend needs.");
    for (size_t i = 0; i < all->n; i++) {
        wallet_line(w, "quorum_needed", &all->items[i], NULL, NULL);
        value_u64(w, all->items[i].row.k);
    }
    family(w, "quorum_signers", "gauge", "Signers that the wallet has.");
    for (size_t i = 0; i < all->n; i++) {
        wallet_line(w, "quorum_signers", &all->items[i], NULL, NULL);
        value_u64(w, all->items[i].row.n);
    }
}

static void write_velocity(struct writer *w, const struct wallets *all)
{
    family(w, "velocity_spent_sat", "gauge", "What counts against the tier's cap.");
    for (size_t i = 0; i < all->n; i++)
        for (int tier = TIER_AUTO; tier <= TIER_SURGE; tier++) {
            wallet_line(w, "velocity_spent_sat", &all->items[i], "tier",
                        tier_name((enum tier)tier));
            value_u64(w, all->velocity[i].spent.n);
        }
    family(w, "velocity_cap_sat", "gauge", "The tier's cap.");
    for (size_t i = 0; i < all->n; i++)
        for (int tier = TIER_AUTO; tier <= TIER_SURGE; tier++) {
            wallet_line(w, "velocity_cap_sat", &all->items[i], "tier", tier_name((enum tier)tier));
            value_u64(w, tier == TIER_AUTO ? all->velocity[i].cap_auto.n
                                           : all->velocity[i].cap_surge.n);
        }
    family(w, "reservations_open", "gauge", "Reservations that are neither sent nor released.");
    for (size_t i = 0; i < all->n; i++) {
        wallet_line(w, "reservations_open", &all->items[i], NULL, NULL);
        value_u64(w, all->velocity[i].n_open);
    }
    family(w, "reservation_oldest_seconds", "gauge", "Age of the oldest open reservation.");
    for (size_t i = 0; i < all->n; i++) {
        const struct velocity_view *v = &all->velocity[i];
        wallet_line(w, "reservation_oldest_seconds", &all->items[i], NULL, NULL);
        value_seconds(w, v->n_open > 0 ? v->now_us - v->oldest_open_us : 0);
    }
    family(w, "reconcile_age_seconds", "gauge", "Since the ledger was compared with the chain.");
    for (size_t i = 0; i < all->n; i++) {
        const struct velocity_view *v = &all->velocity[i];
        wallet_line(w, "reconcile_age_seconds", &all->items[i], NULL, NULL);
        if (v->reconciled_us == 0)
            writer_text(w, " +Inf\n");
        else
            value_seconds(w, v->now_us - v->reconciled_us);
    }
}

static void write_balances(struct writer *w, const struct metrics_sources *s,
                           const struct wallets *all)
{
    static const char *const kinds[] = { "confirmed", "unconfirmed" };
    struct board_wallet seen;
    family(w, "balance_sat", "gauge", "What the wallet holds, as a node sees it.");
    for (size_t i = 0; i < all->n; i++)
        for (size_t k = 0; k < COUNT(kinds); k++)
            if (board_wallet(s->board, all->items[i].row.id, &seen) && seen.known) {
                wallet_line(w, "balance_sat", &all->items[i], "kind", kinds[k]);
                value_u64(w, k == 0 ? seen.confirmed.n : seen.unconfirmed.n);
            }
    family(w, "coins", "gauge", "How many unspent outputs the wallet has.");
    for (size_t i = 0; i < all->n; i++)
        if (board_wallet(s->board, all->items[i].row.id, &seen) && seen.known) {
            wallet_line(w, "coins", &all->items[i], "kind", "all");
            value_u64(w, seen.n_coins);
        }
}

// --- Of the ledger: counts ---

struct count {
    const char *name, *type, *help;
    const char *labels[2];
    const char *sql; // the labels, then the count
};

static const struct count counts[] = {
    { "spends_total",
      "counter",
      "Spends by the state that they are in.",
      { "state" },
      "SELECT state, CAST(count(*) AS bigint) FROM spend GROUP BY state ORDER BY state" },
    { "refusals_total",
      "counter",
      "Requests that a signer refused.",
      { "signer", "tag" },
      "SELECT g.name, coalesce(r.tag, 'unknown'), CAST(count(*) AS bigint) FROM sign_request r "
      "JOIN signer g ON g.id = r.signer_id WHERE r.state = 'refused' "
      "GROUP BY g.name, coalesce(r.tag, 'unknown') ORDER BY 1, 2" },
    { "bumps_total",
      "counter",
      "Children and replacements that were made.",
      { NULL },
      "SELECT CAST(count(*) AS bigint) FROM attempt WHERE kind IN ('child', 'replace')" },
    { "foreign_outflow_total",
      "counter",
      "Outflows that no spend of ours made.",
      { "wallet" },
      "SELECT w.name, (SELECT CAST(count(*) AS bigint) FROM foreign_outflow f "
      "WHERE f.wallet_id = w.id) FROM wallet w ORDER BY w.name" },
    { "webhook_backlog",
      "gauge",
      "Deliveries that nobody has taken yet.",
      { NULL },
      "SELECT CAST(count(*) AS bigint) FROM outbox WHERE done_at IS NULL" },
    { "schema_step",
      "gauge",
      "The ledger's schema.",
      { NULL },
      "SELECT CAST(coalesce(max(step), 0) AS bigint) FROM schema_version" },
};

static void write_count(struct writer *w, const struct metrics_sources *s, const struct count *c,
                        struct arena *arena)
{
    struct db_rows rows;
    struct err err;
    size_t n_labels = 0;
    while (n_labels < COUNT(c->labels) && c->labels[n_labels] != NULL)
        n_labels++;
    if (!db_query(s->db, &rows, c->sql, DB_NONE, arena, &err))
        return;
    family(w, c->name, c->type, c->help);
    for (size_t i = 0; i < rows.n; i++) {
        begin(w, c->name);
        for (size_t k = 0; k < n_labels; k++)
            label(w, c->labels[k], db_cell_bytes(&rows, i, k), k == 0, k + 1 == n_labels);
        value_u64(w, db_cell_u64(&rows, i, n_labels));
    }
}

// Seconds from the reservation to the first broadcast, and from there to a block.
static const unsigned buckets_s[] = { 1, 2, 5, 10, 30, 60, 300, 900, 3600 };

static void write_phase(struct writer *w, const struct metrics_sources *s, struct arena *arena)
{
    struct db_rows rows;
    struct err err;
    uint64_t counts_in[COUNT(buckets_s)] = { 0 }, n = 0, sum_us = 0;
    if (!db_query(s->db, &rows,
                  "SELECT first_sent_at - reserved_at FROM reservation "
                  "WHERE first_sent_at IS NOT NULL ORDER BY first_sent_at DESC LIMIT 100000",
                  DB_NONE, arena, &err))
        return;
    for (size_t i = 0; i < rows.n; i++) {
        const uint64_t us = db_cell_u64(&rows, i, 0);
        for (size_t b = 0; b < COUNT(buckets_s); b++)
            counts_in[b] += us <= (uint64_t)buckets_s[b] * 1000000;
        n++;
        sum_us += us;
    }
    family(w, "spend_phase_seconds", "histogram", "From the reservation to the first broadcast.");
    for (size_t b = 0; b < COUNT(buckets_s); b++)
        writer_printf(w,
                      "casemate_spend_phase_seconds_bucket{phase=\"send\",le=\"%u\"} %" PRIu64 "\n",
                      buckets_s[b], counts_in[b]);
    writer_printf(w,
                  "casemate_spend_phase_seconds_bucket{phase=\"send\",le=\"+Inf\"} %" PRIu64 "\n"
                  "casemate_spend_phase_seconds_sum{phase=\"send\"} %" PRIu64 ".%06" PRIu64 "\n"
                  "casemate_spend_phase_seconds_count{phase=\"send\"} %" PRIu64 "\n",
                  n, sum_us / 1000000, sum_us % 1000000, n);
}

static void write_ages(struct writer *w, const struct metrics_sources *s, struct arena *arena)
{
    struct audit_head head;
    struct db_rows rows;
    struct err err;
    int64_t now_us;
    if (!db_now_us(s->db, &now_us, &err))
        return;
    if (audit_head(s->db, &head, &err)) {
        family(w, "audit_head_age_seconds", "gauge", "Since the newest event of the audit chain.");
        begin(w, "audit_head_age_seconds");
        value_seconds(w, head.seq == 0 ? 0 : now_us - head.at_us);
    }
    if (!db_query(s->db, &rows,
                  "SELECT p.name, CAST(coalesce(max(r.created_at), 0) AS bigint) "
                  "FROM refill_policy p LEFT JOIN refill_run r ON r.policy_id = p.id "
                  "GROUP BY p.name ORDER BY p.name",
                  DB_NONE, arena, &err))
        return;
    family(w, "refill_last_seconds", "gauge", "Since the policy's newest refill.");
    for (size_t i = 0; i < rows.n; i++) {
        begin(w, "refill_last_seconds");
        label(w, "policy", db_cell_bytes(&rows, i, 0), true, true);
        if (db_cell_int(&rows, i, 1) == 0)
            writer_text(w, " +Inf\n");
        else
            value_seconds(w, now_us - db_cell_int(&rows, i, 1));
    }
}

void metrics_write(struct writer *w, const struct metrics_sources *s, struct arena *arena)
{
    struct wallets all = { 0 };
    const bool ledger = read_wallets(&all, s, arena);
    family(w, "build_info", "gauge", "Which program this is.");
    writer_text(w, "casemate_build_info{version=\"" CASEMATE_VERSION "\"} 1\n");
    single(w, "ledger_up", "gauge", "Whether the ledger answers.", ledger);
    write_nodes(w, s);
    write_signers(w, s);
    write_counters(w, s);
    if (!ledger)
        return;
    write_quorum(w, s, &all);
    write_velocity(w, &all);
    write_balances(w, s, &all);
    for (size_t i = 0; i < COUNT(counts); i++)
        write_count(w, s, &counts[i], arena);
    write_phase(w, s, arena);
    write_ages(w, s, arena);
}
