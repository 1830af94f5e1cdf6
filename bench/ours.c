// bench/ours.c -- what bench/peers measures of ours, and the judge of what every peer signs.
//
// usage: ours library VECTORS                 signs in this process
//        ours signer VECTORS SIGNER FOLDER    has SIGNER, a build with the simulator, sign under a policy
//        ours judge VECTORS
// VECTORS is tests/vectors/perf; the signer's store is made in FOLDER. One line of JSON for each that is
// read; `keys` is "kept" or, of the library, "anew": with nothing derived before but the master.
//   {"file": PSBT, "keys": KEYS, "times": N}   {"clock_us": N, "cpu_us": N, "signed": BASE64}, of the last
//   {"file": PSBT, "signed": BASE64}           {"signatures": N}: how many of our key are there and good
//   anything that fails                        {"error": TEXT}
#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/require.h"
#include "base/secret.h"
#include "bench/host.h"
#include "bench/pipeline.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ARENA = 64 << 20, LINE_MAX_LEN = 8 << 20, ROOM = 4 << 20, PATH_LEN = 4096, ASK_MS = 1 };

static const char policy[] = "{\"period\": 1440, \"rules\": [{\"per_period\": 2000000000000000}]}";

struct ours {
    struct bench_signer *signer;
    struct host host;
    bool over_socket;
};

struct answer {
    double clock_us, cpu_us;
    struct bytes psbt;
};

static double us_of(clockid_t clock)
{
    struct timespec t;
    REQUIRE(clock_gettime(clock, &t) == 0);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

// Of this process and, if there is one, the signer's.
static double cpu_us(const struct ours *o)
{
    clockid_t clock;
    if (!o->over_socket)
        return us_of(CLOCK_PROCESS_CPUTIME_ID);
    REQUIRE(clock_getcpuclockid(o->host.pid, &clock) == 0);
    return us_of(CLOCK_PROCESS_CPUTIME_ID) + us_of(clock);
}

// --- Signing ---

static void forget_all_keys(struct bench_signer *s)
{
    keycache_free(s->keys);
    s->keys = keycache_new(&s->master);
    s->view.table = keycache_table(s->keys);
}

static void sign_once(struct ours *o, struct bytes *out, struct bytes psbt, bool anew,
                      struct arena *arena)
{
    struct bench_result result;
    if (o->over_socket) {
        host_sign(o->host.c, out, psbt, ASK_MS, arena);
        return;
    }
    if (anew)
        forget_all_keys(o->signer);
    bench_run(&result, o->signer, psbt, arena);
    *out = result.psbt_out;
}

static struct answer sign(struct ours *o, struct bytes psbt, bool anew, int64_t times,
                          struct arena *arena)
{
    struct answer a = { 0 };
    const double clock = us_of(CLOCK_MONOTONIC), cpu = cpu_us(o);
    for (int64_t i = 0; i < times; i++) {
        arena_reset(arena);
        sign_once(o, &a.psbt, psbt, anew, arena);
    }
    a.clock_us = us_of(CLOCK_MONOTONIC) - clock;
    a.cpu_us = cpu_us(o) - cpu;
    return a;
}

// --- Judging ---

static bool is_good(const struct psbt_field *sig, const struct spend_way *spend, struct bytes key,
                    const struct hash256 *digest)
{
    struct signature ecdsa;
    struct pubkey pubkey;
    struct err err;
    if (sig == NULL || sig->value.len == 0)
        return false;
    const struct bytes value = sig->value;
    if (spend_is_taproot(spend->kind))
        return value.len == SCHNORR_LEN &&
               schnorr_verify(value.ptr, script_payload(spend->script, SCRIPT_P2TR).ptr,
                              BYTES_OF(digest->b));
    return value.ptr[value.len - 1] == SIGHASH_ALL && pubkey_parse(&pubkey, key, &err) &&
           ecdsa_from_der(&ecdsa, bytes_slice(value, 0, value.len - 1)) &&
           ecdsa_verify(&ecdsa, &pubkey, digest);
}

static size_t count_good(const struct bench_result *r, const struct psbt *other,
                         struct arena *arena)
{
    const struct tx_out *spent;
    struct sighash_cache cache;
    struct err err;
    size_t n = 0;
    REQUIRE(psbt_spent_outputs(&spent, &r->facts, arena, &err));
    sighash_cache_init(&cache, &r->psbt.tx, arena);
    for (size_t i = 0; i < r->facts.tx.n_in; i++) {
        const struct input_plan *plan = &r->facts.plans[i];
        const struct spend_at at = { &cache, i, r->facts.tx.in[i].amount, spent };
        const struct bytes key = psbt_key_data(plan->key);
        struct hash256 digest;
        REQUIRE(spend_digest(&digest, &plan->spend, &at, plan->sighash, &err));
        const struct psbt_field *sig =
            spend_is_taproot(plan->spend.kind)
                ? psbt_get(&other->in[i], PSBT_IN_TAP_KEY_SIG)
                : psbt_find_keyed(&other->in[i], PSBT_IN_PARTIAL_SIG, key);
        n += is_good(sig, &plan->spend, key, &digest);
    }
    return n;
}

// Of what somebody else made of a PSBT: the transaction must be the same.
static bool judge(size_t *n_good, struct bench_signer *s, struct bytes psbt, struct bytes base64,
                  struct arena *arena, struct err *err)
{
    struct bench_result result;
    struct psbt other;
    struct writer w = writer_growing(arena, ROOM);
    if (!base64_read(&w, base64))
        return err_set(err, ERR_MALFORMED, "no base64");
    s->keep_inputs = true;
    bench_run(&result, s, psbt, arena);
    if (!psbt_parse(&other, writer_bytes(&w), arena, err))
        return false;
    const struct psbt_field *tx = psbt_get(&other.global, PSBT_GLOBAL_UNSIGNED_TX);
    if (tx == NULL ||
        !bytes_equal(tx->value, psbt_get(&result.psbt.global, PSBT_GLOBAL_UNSIGNED_TX)->value))
        return err_set(err, ERR_INVALID, "it is another transaction");
    *n_good = count_good(&result, &other, arena);
    return true;
}

// --- Lines ---

static void print_answer(const struct answer *a, struct arena *arena)
{
    struct writer w = writer_growing(arena, ROOM);
    base64_write(&w, a->psbt);
    const struct bytes text = writer_bytes(&w);
    printf("{\"clock_us\": %.1f, \"cpu_us\": %.1f, \"signed\": \"%.*s\"}\n", a->clock_us, a->cpu_us,
           (int)text.len, (const char *)text.ptr);
}

static bool text_of(struct bytes *out, const struct json *line, const char *key, struct err *err)
{
    const struct json *value = json_get(line, key);
    if (value == NULL || value->type != JSON_STRING)
        return err_set(err, ERR_USAGE, "%s is missing", key);
    *out = value->text;
    return true;
}

static bool read_psbt(struct bytes *out, const struct json *line, struct arena *arena,
                      struct err *err)
{
    struct bytes file = { 0 };
    char path[PATH_LEN];
    if (!text_of(&file, line, "file", err))
        return false;
    (void)snprintf(path, sizeof path, "%.*s", (int)file.len, (const char *)file.ptr);
    return file_read(out, path, ROOM, arena, err);
}

static bool do_judge(struct ours *o, const struct json *line, struct bytes psbt,
                     struct arena *arena, struct err *err)
{
    struct bytes other = { 0 };
    size_t n_good = 0;
    if (!text_of(&other, line, "signed", err) ||
        !judge(&n_good, o->signer, psbt, other, arena, err))
        return false;
    printf("{\"signatures\": %zu}\n", n_good);
    return true;
}

static bool do_line(struct ours *o, struct bytes text, struct arena *arena, struct err *err)
{
    AUTO(arena_freep) struct arena *kept = arena_new(2u * ARENA);
    const struct json *line;
    struct bytes psbt = { 0 };
    int64_t times = 0;
    if (!json_parse(&line, text, kept, err) || !read_psbt(&psbt, line, kept, err))
        return false;
    const struct json *keys = json_get(line, "keys"), *number = json_get(line, "times");
    if (keys == NULL)
        return do_judge(o, line, psbt, arena, err);
    if (number == NULL || !json_integer(number, &times, NULL) || times < 1)
        return err_set(err, ERR_USAGE, "times is missing");
    const struct answer a = sign(o, psbt, json_is_text(keys, "anew"), times, arena);
    print_answer(&a, kept);
    return true;
}

static void serve(struct ours *o)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA);
    char *line = malloc(LINE_MAX_LEN);
    REQUIRE(line != NULL);
    printf("{\"ready\": true}\n");
    (void)fflush(stdout);
    while (fgets(line, LINE_MAX_LEN, stdin) != NULL) {
        struct err err;
        arena_reset(arena);
        if (!do_line(o, bytes_of_text(line), arena, &err))
            printf("{\"error\": \"%s\"}\n", err.text);
        (void)fflush(stdout);
    }
    free(line);
}

// --- The signer ---

// The registration text: a name and a descriptor.
static struct bytes wallet_text(const char *vectors, struct arena *arena)
{
    const struct json *manifest;
    struct err err;
    struct writer w = writer_growing(arena, ROOM);
    REQUIRE(json_parse(&manifest, bench_file(vectors, "manifest.json", arena), arena, &err));
    const struct bytes descriptor = json_get(json_get(manifest, "descriptors"), "wsh")->text;
    writer_text(&w, "{\"name\": \"bench\", \"desc\": \"");
    writer_put(&w, descriptor);
    writer_text(&w, "\"}");
    return writer_bytes(&w);
}

static void open_host(struct ours *o, const char *vectors, const char *signer, const char *folder)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA);
    o->over_socket = true;
    o->host = (struct host){ .signer = signer, .folder = folder, .words = HOST_PERF_WORDS };
    host_start(&o->host);
    host_set(&o->host, "taproot", "on");
    host_enrol(&o->host, wallet_text(vectors, arena));
    host_arm(&o->host, policy);
}

int main(int argc, char **argv)
{
    struct ours o = { 0 };
    const bool signer = argc == 5 && strcmp(argv[1], "signer") == 0;
    if (!signer &&
        (argc != 3 || (strcmp(argv[1], "library") != 0 && strcmp(argv[1], "judge") != 0))) {
        (void)fprintf(stderr, "usage: %s library|judge|signer VECTORS [SIGNER FOLDER]\n", argv[0]);
        return 2;
    }
    if (!secret_init())
        return 1;
    connection_init();
    o.signer = bench_signer_new(argv[2]);
    if (signer)
        open_host(&o, argv[2], argv[3], argv[4]);
    serve(&o);
    if (signer)
        host_end(&o.host);
    bench_signer_free(o.signer);
    return 0;
}
