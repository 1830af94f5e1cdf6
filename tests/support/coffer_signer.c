#include "tests/support/coffer_signer.h"
#include "bitcoin/psbt_sign.h"
#include "policy/evaluate.h"
#include "tests/support/ms_rig.h"

#define NOW_S 1800000000

static bool decide(struct signer_says *says, const struct psbt_facts *facts, const char *text,
                   const char *wallet)
{
    const struct bytes wallets[] = { bytes_of_text(wallet) };
    const struct policy_world world = { 0, NULL, 1, wallets };
    const struct auth_facts auth = { .card_usable = true };
    const struct velocity fresh = { 0 };
    struct decision *decision = arena_alloc(test_arena(), sizeof *decision);
    struct auth_queue *queue = arena_alloc(test_arena(), sizeof *queue);
    struct auth_facts asked = auth;
    struct policy policy;
    struct err err;
    asked.queue = queue;
    if (!policy_parse(&policy, bytes_of_text(text), &world, test_arena(), &err))
        fail_msg("policy: %s: %s", err.text, text);
    policy_decide(decision, &policy, &facts->tx, &asked, &fresh, NOW_S);
    struct writer w = writer_of(says->reply, sizeof says->reply - 1);
    decision_write(&w, decision, &policy, &facts->tx);
    says->reply[w.len] = 0;
    return decision->verdict == VERDICT_SIGN;
}

static bool sign(struct signer_says *says, struct psbt_facts *facts, const struct hdkey *master,
                 const char *policy, const char *wallet, struct err *err)
{
    AUTO(keycache_freep) struct keycache *keys = keycache_new(master);
    struct psbt_signed sigs;
    struct writer w = writer_growing(test_arena(), PSBT_SIZE_MAX + 65536);
    if (!psbt_prove(facts, keys, err))
        return false;
    if (policy != NULL && !decide(says, facts, policy, wallet))
        return err_set(err, ERR_REFUSED, "%s", says->reply);
    if (!psbt_sign(&sigs, facts, keys, NULL, test_arena(), err) ||
        !psbt_write_signed(&w, facts, &sigs, err))
        return false;
    says->psbt = writer_bytes(&w);
    return true;
}

struct signer_says coffer_sign(size_t who, struct bytes psbt, const struct ms_wallet *registered,
                               const char *policy)
{
    const struct hdkey master = ms_rig_node(who, "m");
    const struct signer_view view = {
        .xfp = hdpub_xfp(&master.pub),
        .chain = registered->chain,
        .unit = UNIT_COIN,
        .fee_limit_pct = 10,
        .hsm_mode = true,
        .pms = -1,
        .wallets = { &registered, 1 },
    };
    struct signer_says says = { 0 };
    struct psbt parsed;
    struct psbt_facts facts;
    struct err err;
    says.signed_it = psbt_parse(&parsed, psbt, test_arena(), &err) &&
                     psbt_analyse(&facts, &parsed, &view, test_arena(), &err) &&
                     sign(&says, &facts, &master, policy, registered->name, &err);
    if (!says.signed_it)
        (void)snprintf(says.reply, sizeof says.reply, "%s", err.text);
    return says;
}
