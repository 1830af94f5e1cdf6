#include "signer/hsm_report.h"
#include "base/json.h"
#include "policy/simulate.h"
#include "signer/device.h"

#define REPORT_MAX   (512u << 10)
#define REPORT_ROOM  (64u << 10) // rules past this are left out: the status report has limits
#define DRY_RUN_ROOM ((size_t)16 << 20)

static void put_text(struct json_writer *j, const char *key, struct bytes text)
{
    json_key(j, key);
    json_string(j, text);
}

static void put_outcome(struct json_writer *j, size_t rule, const struct rule_outcome *outcome,
                        const struct policy *policy, const struct tx_facts *tx)
{
    char mem[2 * DECISION_SCRIPT_SHOWN + 1024];
    struct writer text = writer_of(mem, sizeof mem);
    rule_outcome_write(&text, outcome, &policy->rules[rule], tx);
    json_begin_object(j);
    json_key(j, "rule");
    json_u64(j, rule + 1);
    json_key(j, "code");
    json_text(j, reason_code(outcome->reason));
    put_text(j, "text", writer_bytes(&text));
    json_key(j, "limit");
    json_u64(j, outcome->limit);
    json_key(j, "actual");
    json_u64(j, outcome->actual);
    json_end_object(j);
}

static void put_decision(struct json_writer *j, const struct hsm_ruling *ruling,
                         const struct policy *policy)
{
    const struct decision *d = ruling->decision;
    json_begin_array(j);
    for (size_t i = 0; i < d->n_tried && j->w->len < REPORT_ROOM; i++)
        put_outcome(j, i, &d->tried[i], policy, ruling->tx);
    if (d->n_tried == 0) {
        json_begin_object(j);
        json_key(j, "code");
        json_text(j, cause_code(d->cause));
        put_text(j, "text", bytes_slice(ruling->text, 0, REPORT_ROOM));
        json_end_object(j);
    }
    json_end_array(j);
}

void hsm_report_decision(struct hsm *hsm, const struct hsm_ruling *ruling)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4 * REPORT_MAX);
    struct writer w = writer_growing(arena, REPORT_MAX);
    struct json_writer j = json_writer_of(&w);
    j.ascii = true; // as the status report, of which this becomes a part
    struct bytes json;
    put_decision(&j, ruling, &hsm->policy);
    if (writer_finish(&w, &json))
        blob_set(&hsm->last_decision, json);
}

// --- Dry run ---

static void assume(struct assumptions *out, struct device *device, struct bytes names[USERS_MAX])
{
    const struct hsm *hsm = device->hsm;
    const struct user_list *users = device_open_users(device);
    *out = (struct assumptions){ .users = names,
                                 .local_code = hsm_has_code(device),
                                 .has_card = true,
                                 .velocity = hsm->velocity,
                                 .now_s = hsm_now_s(device) };
    for (size_t i = 0; i < hsm->queue.n; i++) {
        const struct bytes name = authorisation_name(&hsm->queue.items[i]);
        if (user_find(users->items, users->n, name) != NULL)
            names[out->n_users++] = name;
    }
    device_close_users(device);
}

// Of each rule the first clause that does not hold.
static void put_rules(struct json_writer *j, const struct simulation *s,
                      const struct policy *policy, const struct tx_facts *tx)
{
    json_key(j, "rules");
    json_begin_array(j);
    for (size_t i = 0; i < s->n_rules && j->w->len < REPORT_ROOM; i++) {
        struct rule_outcome outcome = { .reason = REASON_NONE };
        for (size_t c = 0; c < RULE_CLAUSES && outcome.reason == REASON_NONE; c++)
            outcome = s->rules[i].clauses[c].outcome;
        put_outcome(j, i, &outcome, policy, tx);
    }
    json_end_array(j);
}

static bool put_simulation(struct json_writer *j, struct device *device, const struct job *job,
                           struct arena *arena, struct err *err)
{
    const struct policy *policy = &device->hsm->policy;
    const struct tx_facts *tx = &job->facts->tx;
    struct bytes names[USERS_MAX];
    struct assumptions *assumed = arena_alloc(arena, sizeof *assumed);
    struct simulation *s = arena_alloc(arena, sizeof *s);
    struct writer text = writer_growing(arena, DECISION_TEXT_MAX);
    if (assumed == NULL || s == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for a dry run");
    assume(assumed, device, names);
    if (!policy_simulate(s, policy, tx, assumed, arena, err))
        return false;
    decision_write(&text, &s->decision, policy, tx);
    json_key(j, "signed");
    json_bool(j, s->decision.verdict == VERDICT_SIGN);
    put_text(j, "text", bytes_slice(writer_bytes(&text), 0, REPORT_ROOM));
    put_rules(j, s, policy, tx);
    return true;
}

void hsm_report_dry_run(struct device *device, const struct job *job, const struct err *failure)
{
    AUTO(arena_freep) struct arena *arena = arena_new(DRY_RUN_ROOM);
    struct writer w = writer_growing(arena, REPORT_MAX);
    struct json_writer j = json_writer_of(&w);
    struct bytes json;
    struct err err;
    j.ascii = true;
    json_begin_object(&j);
    json_key(&j, "sha256");
    json_hex(&j, BYTES_OF(job->psbt_hash.b));
    if (failure == NULL && !put_simulation(&j, device, job, arena, &err))
        return;
    if (failure != NULL)
        put_text(&j, "error", bytes_of_text(failure->text));
    json_end_object(&j);
    if (!writer_finish(&w, &json))
        return;
    blob_set(&device->hsm->dry_run, json);
    device->hsm->dry_run_peer = job->peer;
}

void hsm_report_write(struct json_writer *j, const struct hsm *hsm, uint64_t peer)
{
    const struct bytes last = blob_bytes(&hsm->last_decision), dry = blob_bytes(&hsm->dry_run);
    if (last.len > 0) {
        json_key(j, "last_decision");
        json_raw(j, last);
    }
    if (dry.len > 0 && hsm->dry_run_peer == peer) {
        json_key(j, "dry_run");
        json_raw(j, dry);
    }
}
