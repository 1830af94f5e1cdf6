// bench/pipeline.c
#include "bench/pipeline.h"
#include "base/file.h"
#include "base/json.h"
#include "base/require.h"
#include "bitcoin/multisig_register.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROOM = 8 << 20, NOW_S = 1750000000 };

// A rule that makes the policy look at every output and at the period.
static const char policy_text[] =
    "{\"period\": 60, \"warnings_ok\": true, \"must_log\": false, \"rules\": [{\"max_amount\": 1, "
    "\"wallet\": \"1\"}, {\"per_period\": 2100000000000000, \"max_amount\": 2100000000000000}]}";

static NORETURN void stop(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "%s: %s (%s)\n", what, err->text, err->detail);
    exit(1);
}

struct bytes bench_file(const char *folder, const char *name, struct arena *arena)
{
    struct bytes content;
    struct err err;
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return file_read(&content, path, ROOM, arena, &err) ? content : (struct bytes){ 0 };
}

// --- The signer ---

static struct bytes member(const struct json *manifest, const char *object, const char *key)
{
    const struct json *value =
        json_get(object == NULL ? manifest : json_get(manifest, object), key);
    REQUIRE(value != NULL && value->type == JSON_STRING);
    return value->text;
}

static bool derive_public(const void *context, struct hdpub *out, const struct keypath *path,
                          struct err *err)
{
    const struct hdkey *master = context;
    AUTO(hdkey_wipe) struct hdkey key = { 0 };
    if (!hdkey_derive(&key, master, path, err))
        return false;
    *out = key.pub;
    return true;
}

static void load_wallet(struct bench_signer *s, struct bytes descriptor)
{
    const struct ms_register against = {
        .chain = s->view.chain,
        .ours = { s->view.xfp, derive_public, &s->master },
    };
    struct err err;
    if (!ms_register(&s->wallet, descriptor, &against, s->arena, &err))
        stop("wallet", &err);
    s->wallets[0] = &s->wallet;
    s->view.wallets = (struct ms_wallets){ s->wallets, 1 };
}

struct bench_signer *bench_signer_new(const char *folder)
{
    struct arena *arena = arena_new(128u << 20);
    struct bench_signer *s = arena_alloc(arena, sizeof *s);
    const struct policy_world world = { .n_users = 0 };
    const struct json *manifest;
    struct err err = { .text = "missing" };
    bool is_main;
    REQUIRE(s != NULL);
    const struct bytes text = bench_file(folder, "manifest.json", arena);
    if (text.len == 0 || !json_parse(&manifest, text, arena, &err) ||
        !hdkey_from_text(&s->master, &is_main, member(manifest, NULL, "root_tprv"), &err))
        stop("manifest.json", &err);
    s->arena = arena;
    s->keys = keycache_new(&s->master);
    s->view = (struct signer_view){
        .xfp = hdpub_xfp(&s->master.pub),
        .chain = chain_by_id(CHAIN_XTN),
        .unit = UNIT_COIN,
        .fee_limit_pct = 10,
        .hsm_mode = true,
        .pms = -1,
        .taproot = true,
        .table = keycache_table(s->keys),
    };
    load_wallet(s, member(manifest, "descriptors", "wsh"));
    if (!policy_parse(&s->policy, bytes_of_text(policy_text), &world, arena, &err))
        stop("policy", &err);
    s->auth = (struct auth_facts){ .queue = &s->queue, .card_usable = true };
    return s;
}

void bench_signer_free(struct bench_signer *s)
{
    keycache_free(s->keys);
    arena_free(s->arena);
}

// --- A request ---

static void tell(struct bench_result *out, const struct bench_signer *s, struct arena *arena)
{
    struct writer story = writer_growing(arena, ROOM);
    story_write(&story, &out->facts.tx, s->view.unit, STORY_SCREEN);
    REQUIRE(!story.failed);
}

static void understand(struct bench_result *out, struct bench_signer *s, struct bytes psbt,
                       struct arena *arena)
{
    struct err err;
    if (!psbt_parse(&out->psbt, psbt, arena, &err) ||
        !psbt_analyse(&out->facts, &out->psbt, &s->view, arena, &err))
        stop("PSBT", &err);
    tell(out, s, arena);
}

static void decide(const struct bench_result *out, const struct bench_signer *s)
{
    struct decision decision;
    policy_decide(&decision, &s->policy, &out->facts.tx, &s->auth, &s->velocity, NOW_S);
    REQUIRE(decision.verdict == VERDICT_SIGN);
}

static void no_random(void *context, uint8_t out[32])
{
    (void)context;
    memset(out, 0, 32); // as the recorded signatures have it
}

// What the threads of a run share.
struct signing {
    struct bench_result *out;
    struct bench_signer *signer;
    struct psbt_signing *work;
    struct arena *arena;
};

static double thread_us(void)
{
    struct timespec t;
    REQUIRE(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void sign_slice(void *context, size_t slice)
{
    struct signing *s = context;
    const double begin = thread_us();
    psbt_sign_slice(s->work, slice);
    s->signer->slice_us[slice] = thread_us() - begin;
}

static void finish(struct signing *s)
{
    struct writer w = writer_growing(s->arena, ROOM);
    struct err err;
    if (!psbt_sign_end(&s->out->sigs, s->work, &err))
        stop("signing", &err);
    if (!s->signer->keep_inputs)
        psbt_forget_inputs(&s->out->facts, &s->out->psbt, s->arena);
    if (!psbt_write_signed(&w, &s->out->facts, &s->out->sigs, &err))
        stop("result", &err);
    s->out->psbt_out = writer_bytes(&w);
}

static void finish_slices(void *context)
{
    struct signing *s = context;
    const double begin = thread_us();
    finish(s);
    s->signer->last_us = thread_us() - begin;
}

static void nothing(void *context)
{
    (void)context;
}

static void sign_all(struct signing *s)
{
    const struct entropy aux = { no_random, NULL };
    const size_t n = s->signer->worker == NULL ? 1 : WORKER_THREADS;
    struct err err;
    if (!psbt_sign_begin(&s->work, &s->out->facts, s->signer->keys, &aux, n, s->arena, &err))
        stop("signing", &err);
    if (s->signer->worker == NULL) {
        psbt_sign_slice(s->work, 0);
        finish(s);
        return;
    }
    const struct worker_task task = { n, s, sign_slice, finish_slices, nothing };
    worker_start(s->signer->worker, &task);
    worker_wait(s->signer->worker);
}

void bench_run(struct bench_result *out, struct bench_signer *s, struct bytes psbt,
               struct arena *arena)
{
    struct signing signing = { out, s, NULL, arena };
    struct err err;
    understand(out, s, psbt, arena);
    if (!psbt_prove(&out->facts, s->keys, &err))
        stop("proof", &err);
    decide(out, s);
    sign_all(&signing);
}

void bench_decide(struct bench_result *out, struct bench_signer *s, struct bytes psbt,
                  struct arena *arena)
{
    understand(out, s, psbt, arena);
    decide(out, s);
}

struct bytes bench_signatures(const struct bench_result *result, struct arena *arena)
{
    struct writer w = writer_growing(arena, ROOM);
    for (size_t i = 0; i < result->sigs.n_sigs; i++) {
        const struct psbt_new_sig *sig = &result->sigs.sigs[i];
        writer_printf(&w, "%u ", sig->input);
        writer_hex(&w, sig->key);
        writer_text(&w, sig->key.len > 0 ? " " : "- ");
        writer_hex(&w, sig->value);
        writer_text(&w, "\n");
    }
    return writer_bytes(&w);
}
