// policy -- what a decision costs under the largest policies that there can be.
//
// usage: bench-policy [--rounds N]
//
// A line for each policy and transaction: microseconds of the processor for one policy_evaluate, the best
// of all rounds, and its ratio to signing one input (a signature and its verification, measured in turn).
#include "base/reader.h"
#include "base/require.h"
#include "base/secret.h"
#include "bitcoin/address.h"
#include "bitcoin/descriptor.h"
#include "crypto/ec.h"
#include "policy/evaluate.h"
#include "policy/payees.h"
#include <time.h>

#define RULES        1000
#define ADDRESSES    4 // of each rule
#define DESTINATIONS 100000
#define OUTPUTS_MAX  100
#define OFTEN        20 // times in a row
#define PAYEE                                                                                      \
    "wpkh([d34db33f/84h/0h/"                                                                       \
    "0h]xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4"                      \
    "koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL/1/*)"

struct bench {
    struct arena *arena;
    unsigned rounds;
    struct policy policy;
    struct tx_facts tx;
    struct input_facts in;
    struct output_facts out[OUTPUTS_MAX];
    struct velocity velocity;
    struct auth_queue queue;
    struct auth_facts auth;
    struct decision decision;
};

static double now_us(void)
{
    struct timespec t;
    REQUIRE(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

// --- What is decided ---

static struct bytes script_number(struct arena *arena, unsigned number)
{
    uint8_t *script = arena_alloc(arena, 22);
    const unsigned seed[] = { number, 4000 };
    const struct hash256 hash = sha256(BYTES_OF(seed));
    REQUIRE(script != NULL);
    script[1] = 20;
    memcpy(script + 2, hash.b, 20);
    return bytes_of(script, 22);
}

static void put_rule(struct writer *w, struct arena *arena, unsigned rule)
{
    const struct chain *chain = chain_by_id(CHAIN_BTC);
    writer_text(w, rule == 0 ? "{\"whitelist\":[" : ",{\"whitelist\":[");
    for (unsigned i = 0; i < ADDRESSES; i++) {
        writer_text(w, i == 0 ? "\"" : ",\"");
        REQUIRE(address_from_script(w, script_number(arena, rule * ADDRESSES + i), chain));
        writer_text(w, "\"");
    }
    writer_text(w, "]}");
}

static void parse(struct bench *b, const struct writer *w)
{
    const struct policy_world nobody = { .n_users = 0 };
    struct bytes text;
    struct err err;
    REQUIRE(writer_finish(w, &text) && text.len <= POLICY_FILE_MAX);
    if (policy_parse(&b->policy, text, &nobody, b->arena, &err) &&
        policy_derive_payees(&b->policy, b->arena, &err))
        return;
    fprintf(stderr, "bench-policy: %s\n", err.text);
    exit(1);
}

static void parse_whitelists(struct bench *b)
{
    struct writer w = writer_growing(b->arena, (size_t)1 << 20);
    writer_text(&w, "{\"rules\":[");
    for (unsigned i = 0; i < RULES; i++)
        put_rule(&w, b->arena, i);
    writer_text(&w, "]}");
    parse(b, &w);
}

static void parse_destinations(struct bench *b)
{
    struct writer w = writer_growing(b->arena, 4096);
    char sum[DESCRIPTOR_CHECKSUM_LEN + 1];
    REQUIRE(descriptor_checksum(sum, BYTES(PAYEE)));
    writer_printf(&w,
                  "{\"rules\":[{\"casemate\":{\"destinations\":[{\"desc\":\"%s#%s\",\"range\":"
                  "[0,%d]}]}}]}",
                  PAYEE, sum, DESTINATIONS - 1);
    parse(b, &w);
}

// Many outputs to `scripts`, and change.
static void pay(struct bench *b, size_t n, const struct bytes *scripts)
{
    b->in = (struct input_facts){ .has_amount = true,
                                  .verified = true,
                                  .own = true,
                                  .claims = true,
                                  .will_sign = true,
                                  .amount = { 1000000000 } };
    for (size_t i = 0; i < n; i++)
        b->out[i] = (struct output_facts){ .amount = { 1000 + i }, .script = scripts[i] };
    b->out[n] = (struct output_facts){ .amount = { 900000000 },
                                       .script = script_number(b->arena, 999999),
                                       .change = true,
                                       .own = true };
    b->tx = (struct tx_facts){ .chain = chain_by_id(CHAIN_BTC),
                               .n_in = 1,
                               .in = &b->in,
                               .n_out = n + 1,
                               .out = b->out,
                               .fee_known = true,
                               .fee = { 1000 },
                               .signs_single_key = true,
                               .n_signatures = 1 };
    b->auth = (struct auth_facts){ .queue = &b->queue, .card_usable = true };
}

// --- Measuring ---

static double decide_us(struct bench *b, enum verdict expected)
{
    const double begin = now_us();
    for (int i = 0; i < OFTEN; i++)
        b->decision = policy_evaluate(&b->policy, &b->tx, &b->auth, &b->velocity, 1764000000);
    REQUIRE(b->decision.verdict == expected);
    return (now_us() - begin) / OFTEN;
}

static double sign_us(void)
{
    const struct hash256 digest = sha256(BYTES("bench"));
    const struct hash256 secret = sha256(BYTES("key"));
    struct signature signature;
    struct seckey key;
    struct err err;
    REQUIRE(seckey_from_bytes(&key, BYTES_OF(secret.b), &err));
    const struct pubkey pubkey = seckey_pubkey(&key);
    const double begin = now_us();
    for (int i = 0; i < OFTEN; i++)
        REQUIRE(ecdsa_sign(&signature, &key, &pubkey, &digest, false, &err)); // which verifies
    return (now_us() - begin) / OFTEN;
}

static void measure(struct bench *b, const char *what, enum verdict expected)
{
    double best = 1e12, sign = 1e12;
    for (unsigned i = 0; i < b->rounds; i++) {
        const double d = decide_us(b, expected), s = sign_us();
        best = d < best ? d : best;
        sign = s < sign ? s : sign;
    }
    printf("%-58s %8.1f us %6.2f\n", what, best, best / sign);
}

static void bench_whitelists(struct bench *b)
{
    struct bytes to[OUTPUTS_MAX];
    parse_whitelists(b);
    to[0] = script_number(b->arena, RULES * ADDRESSES - 1);
    pay(b, 1, to);
    measure(b, "1,000 rules, 4,000 addresses: the last one", VERDICT_SIGN);
    to[0] = script_number(b->arena, RULES * ADDRESSES);
    pay(b, 1, to);
    measure(b, "1,000 rules, 4,000 addresses: a stranger", VERDICT_REFUSE);
    for (unsigned i = 0; i < 10; i++)
        to[i] = script_number(b->arena, RULES * ADDRESSES - 1 - i % ADDRESSES);
    pay(b, 10, to);
    measure(b, "1,000 rules, 4,000 addresses: ten outputs", VERDICT_SIGN);
}

static void bench_destinations(struct bench *b)
{
    struct bytes to[OUTPUTS_MAX];
    parse_destinations(b);
    for (uint32_t i = 0; i < 10; i++) {
        struct writer w = writer_growing(b->arena, 64);
        struct err err;
        REQUIRE(payee_script(&w, &b->policy.rules[0].own.payees[0], i * 11111, &err));
        to[i] = writer_bytes(&w);
    }
    pay(b, 1, to);
    measure(b, "100,000 destinations: one output", VERDICT_SIGN);
    pay(b, 10, to);
    measure(b, "100,000 destinations: ten outputs", VERDICT_SIGN);
    to[0] = script_number(b->arena, 1);
    pay(b, 1, to);
    measure(b, "100,000 destinations: a stranger", VERDICT_REFUSE);
}

int main(int argc, char **argv)
{
    struct bench *b = calloc(1, sizeof *b);
    REQUIRE(b != NULL && secret_init());
    crypto_init();
    b->arena = arena_new((size_t)1 << 30);
    b->rounds = 40;
    if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
        b->rounds = (unsigned)strtoul(argv[2], NULL, 10);
    printf("%-58s %11s %6s\n", "a decision", "", "/ sign");
    bench_whitelists(b);
    bench_destinations(b);
    arena_free(b->arena);
    free(b);
    return 0;
}
