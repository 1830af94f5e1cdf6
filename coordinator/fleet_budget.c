// What each signer may still sign, and which of them are asked. Source: coordinator.md B4, D9.
#include "client/wait.h"
#include "coordinator/fleet_internal.h"

bool member_serves(const struct member *m, const char *wallet_id)
{
    if (m->known == NULL)
        return false;
    for (size_t i = 0; i < m->known->n_wallets; i++)
        if (wallet_id == NULL || strcmp(m->known->wallets[i].id, wallet_id) == 0)
            return true;
    return wallet_id == NULL;
}

static uint32_t period_min_of(const struct known_signer *k)
{
    if (k->is_command)
        return k->vouched_period_min;
    return k->has_policy && k->rules.period_min > 0 ? k->rules.period_min : 60;
}

// What the ledger has of it since then, over all its wallets. False: the store is away.
static bool count_since(struct member *m, int64_t since_us, struct sats *sum, int64_t *last_us)
{
    struct err err;
    *sum = (struct sats){ 0 };
    for (size_t i = 0; i < m->known->n_wallets; i++) {
        struct sats part;
        if (!ledger_signed_by(m->db, m->known->wallets[i].id, m->known->id, since_us, &part,
                              last_us, &err))
            return false;
        if (!sats_add(sum, part))
            sum->n = SATS_MAX;
    }
    return true;
}

// The store's clock and ours differ: ages go from one to the other, never times.
static struct sats left(struct member *m, const struct device_rule *rule, struct sats counted,
                        int64_t now_ms)
{
    const struct port_status *s = &m->status;
    struct budget b = { .per_period = rule->per_period,
                        .is_reported = s->tells_velocity,
                        .counted = counted,
                        .assumed_spent = now_ms < m->assumed_until_ms };
    if (s->period_runs && rule->index < s->n_spent) {
        b.reported = s->spent[rule->index];
        b.window_ends_us = (m->status_ms + s->period_left_s * 1000) * 1000;
    }
    return budget_left(&b, now_ms * 1000);
}

void member_count(struct member *m)
{
    const int64_t now_ms = wait_now_ms(), period_us = (int64_t)period_min_of(m->known) * 60000000;
    struct sats in_period, since_look, budget_auto = { 0 }, budget_surge = { 0 };
    int64_t now_us, last_us = 0;
    struct err err;
    if (!db_now_us(m->db, &now_us, &err) ||
        !count_since(m, now_us - period_us, &in_period, &last_us) ||
        !count_since(m, now_us - (now_ms - m->status_ms) * 1000, &since_look, &last_us))
        return;
    const struct device_rules *runs = member_runs(m);
    const struct device_rules *r = runs != NULL ? runs : &m->known->rules;
    const struct sats counted = m->status.tells_velocity ? since_look : in_period;
    if (m->known->is_command)
        budget_auto = budget_left(
            &(struct budget){ .per_period = m->known->vouched_budget, .counted = in_period }, 0);
    else if (m->known->has_policy && r->automatic.is_there)
        budget_auto = left(m, &r->automatic, counted, now_ms);
    if (!m->known->is_command && m->known->has_policy && r->surge.is_there)
        budget_surge = left(m, &r->surge, counted, now_ms);
    (void)pthread_mutex_lock(&m->fleet->lock);
    m->value = in_period;
    m->last_us = last_us;
    m->view.budget_auto = budget_auto;
    m->view.budget_surge = budget_surge;
    (void)pthread_mutex_unlock(&m->fleet->lock);
}

struct candidate member_candidate(const struct member *m, enum tier tier, int64_t now_ms)
{
    const struct fleet_signer *v = &m->view;
    return (struct candidate){ .number = v->number,
                               .domain = m->known->domain,
                               .enabled = v->enabled,
                               .ready = v->ready,
                               .leased = m->leased,
                               .cooling = now_ms < m->cool_until_ms,
                               .refusals = v->refusals,
                               .max_amount = tier == TIER_AUTO ? v->max_auto : v->max_surge,
                               .budget = tier == TIER_AUTO ? v->budget_auto : v->budget_surge,
                               .value = m->value,
                               .last_us = m->last_us };
}

// --- Choosing ---

struct field {
    struct candidate all[CHOOSE_MAX];
    const struct member *members[CHOOSE_MAX];
    size_t n;
};

static bool is_excluded(const struct member *m, const char (*exclude)[ID_SIZE], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(m->known->id, exclude[i]) == 0)
            return true;
    return false;
}

static struct field field_of(const struct fleet *fleet, const char *wallet_id, enum tier tier,
                             const char (*exclude)[ID_SIZE], size_t n_exclude)
{
    struct field f = { .n = 0 };
    const int64_t now_ms = wait_now_ms();
    for (size_t i = 0; i < fleet->n && f.n < CHOOSE_MAX; i++) {
        const struct member *m = fleet->members[i];
        if (!member_serves(m, wallet_id))
            continue;
        f.members[f.n] = m;
        f.all[f.n] = member_candidate(m, tier, now_ms);
        f.all[f.n].excluded = is_excluded(m, exclude, n_exclude);
        f.n++;
    }
    return f;
}

static bool choose(struct fleet *fleet, const char *wallet_id, size_t need, struct sats amount,
                   enum tier tier, const char (*exclude)[ID_SIZE], size_t n_exclude,
                   struct fleet_signer *out, size_t *n, struct choice *choice)
{
    (void)pthread_mutex_lock(&fleet->lock);
    const struct field f = field_of(fleet, wallet_id, tier, exclude, n_exclude);
    const bool ok = choose_signers(choice, f.all, f.n, need, amount);
    for (size_t i = 0; ok && i < choice->n; i++)
        out[i] = f.members[choice->order[i]]->view;
    (void)pthread_mutex_unlock(&fleet->lock);
    *n = ok ? choice->n : 0;
    return ok;
}

bool fleet_choose(struct fleet *fleet, const char *wallet_id, size_t need, struct sats amount,
                  enum tier tier, const char (*exclude)[ID_SIZE], size_t n_exclude,
                  struct fleet_signer out[static SIGNERS_MAX], size_t *n, struct err *err)
{
    struct choice choice, surge;
    size_t n_surge;
    if (choose(fleet, wallet_id, need, amount, tier, exclude, n_exclude, out, n, &choice))
        return true;
    if (choice.n_ready < need)
        return code_fail(err, CODE_QUORUM_LOST, "%zu of %zu signers are ready", choice.n_ready,
                         need);
    if (tier == TIER_AUTO && choose(fleet, wallet_id, need, amount, TIER_SURGE, exclude, n_exclude,
                                    out, &n_surge, &surge))
        return code_fail(err, CODE_SURGE_REQUIRED,
                         "the signers want a person's code for that amount");
    return choice.n_amount < need
               ? code_fail(err, CODE_VELOCITY_EXCEEDED, "above what one transaction may send")
               : code_fail(err, CODE_VELOCITY_EXCEEDED,
                           "the signers have less left in this period");
}

// --- Limits for preflight ---

static const struct device_rule *rule_of(const struct member *m, enum tier tier)
{
    const struct device_rules *r = m->rules != NULL ? m->rules : &m->known->rules;
    return tier == TIER_AUTO ? &r->automatic : &r->surge;
}

static bool copy_list(struct signer_limits *out, const struct device_rule *rule,
                      struct arena *arena)
{
    struct bytes *list = arena_array(arena, rule->n_whitelist, sizeof *list);
    if (list == NULL)
        return false;
    for (size_t i = 0; i < rule->n_whitelist; i++)
        if (!arena_copy(arena, rule->whitelist[i], &list[i]))
            return false;
    out->whitelist = list;
    out->n_whitelist = rule->n_whitelist;
    return true;
}

static bool read_limits(const struct member *m, enum tier tier, struct signer_limits *out,
                        struct arena *arena)
{
    const struct device_rule *rule = rule_of(m, tier);
    *out = (struct signer_limits){
        .name = arena_text(arena, bytes_of_text(m->known->name)),
        .xfp = m->known->xfp,
        .max_psbt = m->view.max_psbt,
        .max_inputs = m->view.max_inputs,
        .max_amount = tier == TIER_AUTO ? m->view.max_auto : m->view.max_surge,
        .budget = tier == TIER_AUTO ? m->view.budget_auto : m->view.budget_surge
    };
    // Of a signer that tells nothing, no list is known; neither is one where the rule has none.
    return out->name != NULL &&
           (m->known->is_command || rule->n_whitelist == 0 || copy_list(out, rule, arena));
}

bool fleet_limits(struct fleet *fleet, const char *signer_id, const char *wallet_id, enum tier tier,
                  struct signer_limits *out, struct arena *arena)
{
    bool found = false;
    (void)pthread_mutex_lock(&fleet->lock);
    for (size_t i = 0; i < fleet->n && !found; i++) {
        const struct member *m = fleet->members[i];
        if (member_serves(m, wallet_id) && strcmp(m->known->id, signer_id) == 0)
            found = read_limits(m, tier, out, arena);
    }
    (void)pthread_mutex_unlock(&fleet->lock);
    return found;
}
