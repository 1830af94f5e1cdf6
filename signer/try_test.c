// Item 87: `try` and the whole signer agree on random policies and PSBTs, and `try` consumes nothing.
//
// The signer is a device with its store, users and hosts; `try` sees what the command sees: the PSBT, the
// policy, the signer's fingerprint, who is said to have approved, what was spent.
// TRY_COUNT in the environment is how many pairs; `./check --long` asks for ten thousand.
#include "bitcoin/psbt_analyse.h"
#include "policy/simulate.h"
#include "signer/hsm.h"
#include "tests/support/device_checks.h"

enum { SAMPLE = 500, PER_POLICY = 40, POLICY_ROOM = 4096 };

#define OTHER "tb1qqcrqvpsxqcrqvpsxqcrqvpsxqcrqvpsxwlrr47"

// --- Chance, the same in every run ---

struct chance {
    uint64_t state;
};

static uint32_t below(struct chance *c, uint32_t bound)
{
    c->state ^= c->state << 13;
    c->state ^= c->state >> 7;
    c->state ^= c->state << 17;
    return (uint32_t)((c->state >> 32) % bound);
}

static bool one_in(struct chance *c, uint32_t n)
{
    return below(c, n) == 0;
}

// Few values, so that they meet.
static unsigned amount(struct chance *c)
{
    return 1000000 * below(c, 6) + below(c, 2);
}

// --- Policies ---

static void put(struct writer *w, bool *first, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void put(struct writer *w, bool *first, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    writer_printf(w, "%s%s", *first ? "" : ",", text);
    *first = false;
}

static void put_extension(struct writer *w, bool *first, struct chance *c)
{
    static const unsigned fees[] = { 0, 999, 1000, 100000 };
    struct writer inner = writer_growing(test_arena(), POLICY_ROOM);
    bool none = true;
    if (one_in(c, 2))
        return;
    if (one_in(c, 3))
        put(&inner, &none, "\"max_fee\":%u", fees[below(c, COUNT(fees))]);
    if (one_in(c, 3))
        put(&inner, &none, "\"count_fees\":true");
    if (one_in(c, 4))
        put(&inner, &none, "\"max_txns\":%u", 1 + below(c, 3));
    if (one_in(c, 4))
        put(&inner, &none, "\"period\":%u", 5 + below(c, 20));
    if (one_in(c, 4))
        put(&inner, &none, "\"window\":\"%s\"", one_in(c, 2) ? "sliding" : "fixed");
    if (one_in(c, 6))
        put(&inner, &none, "\"not_before_height\":%u", 1 + below(c, 3));
    if (one_in(c, 6))
        put(&inner, &none, "\"scripts\":[\"00140505050505050505050505050505050505050505\"]");
    put(w, first, "\"casemate\":{%.*s}", BYTES_ARG(writer_bytes(&inner)));
}

static void put_rule(struct writer *w, struct chance *c)
{
    static const char *const users[] = { "\"alice\"", "\"bob\"", "\"alice\",\"bob\"",
                                         "\"alice\",\"bob\",\"carol\"" };
    static const char *const shapes[] = { "EQ_NUM_INS_OUTS", "EQ_NUM_OWN_INS_OUTS",
                                          "EQ_OUT_AMOUNTS" };
    bool first = true;
    writer_text(w, "{");
    if (one_in(c, 2))
        put(w, &first, "\"max_amount\":%u", amount(c));
    if (one_in(c, 2))
        put(w, &first, "\"per_period\":%u", 2 * amount(c));
    if (one_in(c, 3))
        put(w, &first, "\"users\":[%s],\"min_users\":1", users[below(c, COUNT(users))]);
    if (one_in(c, 3))
        put(w, &first, "\"whitelist\":[\"%s\"%s]", RIG_STRANGER,
            one_in(c, 2) ? ",\"" OTHER "\"" : "");
    if (one_in(c, 5))
        put(w, &first, "\"local_conf\":true");
    if (one_in(c, 6))
        put(w, &first, "\"wallet\":\"1\"");
    if (one_in(c, 5))
        put(w, &first, "\"min_pct_self_transfer\":%u.%u", below(c, 100), below(c, 10));
    if (one_in(c, 8))
        put(w, &first, "\"patterns\":[\"%s\"]", shapes[below(c, COUNT(shapes))]);
    put_extension(w, &first, c);
    writer_text(w, "}");
}

static const char *draw_policy_text(struct chance *c)
{
    struct writer w = writer_growing(test_arena(), POLICY_ROOM);
    const uint32_t n = 1 + below(c, 4);
    writer_printf(&w, "{\"period\":%u,\"warnings_ok\":%s,", 1 + below(c, 30),
                  one_in(c, 2) ? "true" : "false");
    if (one_in(c, 4))
        writer_text(&w, "\"casemate\":{\"dedupe\":true},");
    writer_text(&w, "\"rules\":[");
    for (uint32_t i = 0; i < n; i++) {
        writer_text(&w, i == 0 ? "" : ",");
        put_rule(&w, c);
    }
    writer_text(&w, "]}");
    return arena_text(test_arena(), writer_bytes(&w));
}

// --- PSBTs ---

static void draw_inputs(struct psbt_maker *m, struct chance *c)
{
    m->n_in = 1 + below(c, 3);
    for (size_t i = 0; i < m->n_in; i++) {
        m->in[i] = m->in[0];
        m->in[i].path.step[m->in[i].path.depth - 1] = (uint32_t)i;
    }
}

static struct bytes draw_psbt(struct device_rig *rig, struct chance *c)
{
    static const unsigned fees[] = { 0, 999, 1000, 1001, 100000, 700000, 3000000 };
    struct psbt_maker *m = rig_maker(rig, 1000);
    const struct maker_output change = m->out[1];
    draw_inputs(m, c);
    uint64_t left = 10000000 * m->n_in - fees[below(c, COUNT(fees))];
    m->n_out = 0;
    for (uint32_t n = below(c, 3); n > 0; n--) {
        const uint64_t sats = amount(c);
        if (sats > left)
            continue;
        m->out[m->n_out++] =
            (struct maker_output){ .amount = { sats },
                                   .script = rig_script(rig, one_in(c, 3) ? OTHER : RIG_STRANGER) };
        left -= sats;
    }
    if (m->n_out == 0 || !one_in(c, 5)) {
        m->out[m->n_out] = change;
        m->out[m->n_out++].amount.n = left;
    }
    m->locktime = one_in(c, 3) ? 1 + below(c, 6) : 0;
    return rig_make(rig, m);
}

// --- `try` ---

static bool try_facts(struct psbt_facts *out, const struct device_rig *rig, struct bytes psbt,
                      struct arena *arena, struct err *err)
{
    struct psbt *parsed = arena_alloc(arena, sizeof *parsed);
    struct signer_view view = { .chain = chain_by_id(CHAIN_XTN),
                                .unit = UNIT_COIN,
                                .fee_limit_pct = rig->config.fee_limit_pct,
                                .hsm_mode = true,
                                .pms = -1,
                                .taproot = true,
                                .xfp = hdpub_xfp(&rig->master.pub) };
    assert_non_null(parsed);
    if (!psbt_parse(parsed, psbt, arena, err) || !psbt_analyse(out, parsed, &view, arena, err))
        return false;
    out->tx.psbt_hash = sha256(psbt);
    for (size_t i = 0; i < out->tx.n_in; i++)
        out->tx.in[i].own = out->tx.in[i].claims;
    for (size_t i = 0; i < out->tx.n_out; i++)
        out->tx.out[i].own |= out->tx.out[i].change;
    return true;
}

// --- Both ---

struct trial {
    struct arena *arena; // of one pair
    struct device_rig *rig;
    struct rig_host *host;
    struct chance chance;
    uint32_t totp_step;
    struct policy policy; // as `try` reads it
    struct assumptions *assumed;
    struct simulation *tried;
    unsigned n_signed, n_refused, n_failed;
};

static void assert_same_velocity(const struct velocity *a, const struct velocity *b)
{
    assert_memory_equal(a, b, offsetof(struct velocity, outlays)); // n_outlays too
    assert_memory_equal(a->outlays, b->outlays, a->n_outlays * sizeof a->outlays[0]);
    assert_int_equal(a->n_repeats, b->n_repeats);
    assert_memory_equal(a->repeats, b->repeats, a->n_repeats * sizeof a->repeats[0]);
}

static void approve(struct trial *t, struct bytes psbt)
{
    static const char *const names[] = { "alice", "bob", "carol" };
    static struct bytes users[COUNT(names)];
    t->assumed->n_users = 0;
    t->assumed->users = users;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (!one_in(&t->chance, 2))
            continue;
        if (i == 0)
            rig_alice(t->host, ++t->totp_step);
        else if (i == 1)
            rig_bob(t->host, (uint32_t)rig_progress(t->rig, "bob") + 1);
        else
            rig_carol(t->host, psbt);
        users[t->assumed->n_users++] = bytes_of_text(names[i]);
    }
    t->assumed->local_code = policy_wants_local_code(&t->policy) && one_in(&t->chance, 2);
    if (t->assumed->local_code) {
        char code[7];
        rig_local_code(t->host, psbt, code);
        rig_keys(t->rig, code);
    }
}

static void compare(struct trial *t, struct bytes psbt, const char *policy_text)
{
    arena_reset(t->arena);
    struct hsm *hsm = t->rig->device.hsm;
    struct psbt_facts *facts = arena_alloc(t->arena, sizeof *facts);
    struct writer w = writer_growing(t->arena, DECISION_TEXT_MAX);
    struct err err;
    assert_non_null(facts);
    if (!try_facts(facts, t->rig, psbt, t->arena, &err)) {
        assert_int_equal(rig_sign(t->host, psbt, 0).result, RIG_FAILED);
        t->n_failed++;
        return;
    }
    approve(t, psbt);
    t->assumed->has_card = true;
    velocity_copy(&t->assumed->velocity, &hsm->velocity);
    t->assumed->now_s = t->rig->clock.wall_s;
    const size_t queued = hsm->queue.n;
    const bool has_code = hsm->has_code;
    assert_true(policy_simulate(t->tried, &t->policy, &facts->tx, t->assumed, t->arena, &err));
    // "and `try` consumes nothing"
    assert_same_velocity(&t->assumed->velocity, &hsm->velocity);
    assert_true(hsm->queue.n == queued && hsm->has_code == has_code);
    decision_write(&w, &t->tried->decision, &t->policy, &facts->tx);
    const struct rig_outcome got = rig_sign(t->host, psbt, 0);
    const bool is_signed = t->tried->decision.verdict == VERDICT_SIGN;
    if (got.result != (is_signed ? RIG_SIGNED : RIG_REFUSED))
        fail_msg("%s\ntry: %.*s, the signer: %d %.*s", policy_text, BYTES_ARG(writer_bytes(&w)),
                 got.result, BYTES_ARG(got.data));
    if (!is_signed)
        assert_bytes_text(writer_bytes(&w), hsm->last_refusal);
    assert_same_velocity(&t->tried->decision.velocity, &hsm->velocity);
    t->n_signed += is_signed;
    t->n_refused += !is_signed;
}

static void try_policy(struct trial *t, unsigned n)
{
    static const struct bytes names[] = { { (const uint8_t *)"alice", 5 },
                                          { (const uint8_t *)"bob", 3 },
                                          { (const uint8_t *)"carol", 5 } };
    const struct policy_world world = { .n_users = COUNT(names), .users = names };
    const char *text = draw_policy_text(&t->chance);
    struct err err;
    if (!policy_parse(&t->policy, bytes_of_text(text), &world, test_arena(), &err))
        fail_msg("%s\n%s", err.text, text);
    rig_activate(t->host, text);
    struct bytes psbt = draw_psbt(t->rig, &t->chance);
    for (unsigned i = 0; i < n; i++) {
        if (!one_in(&t->chance, 6)) // or the same once more
            psbt = draw_psbt(t->rig, &t->chance);
        compare(t, psbt, text);
        rig_pass(t->rig, 60000 * (int64_t)below(&t->chance, 8));
    }
}

TEST(policy_24_87_try_and_the_whole_signer_agree)
{
    const char *count = getenv("TRY_COUNT");
    const unsigned wanted = count != NULL ? (unsigned)strtoul(count, NULL, 10) : SAMPLE;
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)64 << 20);
    struct trial t = { .arena = arena,
                       .chance = { UINT64_C(0x9e3779b97f4a7c15) },
                       .totp_step = 57000000,
                       .assumed = arena_alloc(test_arena(), sizeof *t.assumed),
                       .tried = arena_alloc(test_arena(), sizeof *t.tried) };
    assert_true(t.assumed != NULL && t.tried != NULL);
    for (unsigned done = 0; done < wanted; done += PER_POLICY) {
        // A new process on the same store; the policy before is declined.
        AUTO(device_rig_freep) struct device_rig *rig = device_rig_prepare(test_dir());
        rig->of_xprv = true;
        rig->clock.wall_s += (int64_t)done * 600; // it never goes back
        device_rig_start(rig);
        rig->salt = done; // no coin twice
        if (done > 0)
            rig_keys(rig, "x");
        t.rig = rig;
        t.host = rig_host_linked(rig);
        if (done == 0)
            rig_add_users(t.host);
        try_policy(&t, wanted - done < PER_POLICY ? wanted - done : PER_POLICY);
    }
    print_message("# counted: %u signed, %u refused, %u failed\n", t.n_signed, t.n_refused,
                  t.n_failed);
    assert_in_range(t.n_signed, wanted / 10, wanted);
    assert_in_range(t.n_refused, wanted / 10, wanted);
}
