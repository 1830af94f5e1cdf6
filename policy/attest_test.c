// What attestors sign: items 52 and 85 of policy.md 24.
#include "bitcoin/address.h"
#include "bitcoin/message.h"
#include "tests/support/policy_fixture.h"

#define APPROVED "Acceptable by rule #1"

static struct bytes sign_as_attestor(struct bytes text)
{
    struct seckey key = { 0 };
    struct err err;
    uint8_t *sig = arena_alloc(test_arena(), MESSAGE_SIGNATURE_LEN);
    memset(key.b, 7, sizeof key.b);
    assert_true(message_sign(sig, &key, ADDR_P2WPKH, text, &err));
    return bytes_of(sig, MESSAGE_SIGNATURE_LEN);
}

static struct bytes attest(const struct fixture *f, size_t output, struct outpoint first,
                           uint32_t uses)
{
    const struct output_facts *out = &f->out[output];
    struct writer w = text_writer();
    writer_u64le(&w, out->amount.n);
    writer_counted(&w, out->script);
    writer_put(&w, BYTES_OF(first.txid.b));
    writer_u32le(&w, first.index);
    writer_u32le(&w, uses);
    return sign_as_attestor(written(&w));
}

// Good for ever.
static void attest_plainly(struct fixture *f, size_t output)
{
    struct writer w = text_writer();
    writer_u64le(&w, f->out[output].amount.n);
    writer_counted(&w, f->out[output].script);
    f->out[output].has_attestation = true;
    f->out[output].attestation = sign_as_attestor(written(&w));
}

static void attest_once(struct fixture *f, size_t output)
{
    f->out[output].has_bound_attestation = true;
    f->out[output].bound_attestation = attest(f, output, f->in[0].prevout, 1);
}

static const char *attestor_policy_with(const char *options, bool is_bound)
{
    struct seckey key = { 0 };
    uint8_t mem[64];
    char address[100];
    struct err err;
    memset(key.b, 7, sizeof key.b);
    const struct pubkey pub = seckey_pubkey(&key);
    struct writer script = writer_of(mem, sizeof mem), text = writer_of(address, sizeof address);
    assert_true(address_script_of_key(&script, &pub, ADDR_P2WPKH, &err));
    assert_true(address_from_script(&text, writer_bytes(&script), chain_by_id(CHAIN_XTN)));
    struct writer w = text_writer();
    writer_printf(
        &w,
        "{\"rules\":[{\"whitelist\":[\"%.*s\"],\"whitelist_opts\":{\"mode\":\"ATTEST\"%s},"
        "\"casemate\":{\"attest_bound\":%s}}]}",
        BYTES_ARG(writer_bytes(&text)), options, is_bound ? "true" : "false");
    return arena_text(test_arena(), written(&w));
}

static const char *attestor_policy(bool is_bound)
{
    return attestor_policy_with("", is_bound);
}

TEST(policy_24_85_attest_bound)
{
    const char *bound = attestor_policy(true), *plain = attestor_policy(false);
    struct fixture f;
    fixture_init(&f);
    struct outpoint first = { .index = 5 };
    memset(first.txid.b, 3, sizeof first.txid.b);
    f.in[0].prevout = first;
    f.out[0].has_bound_attestation = true;
    f.out[0].bound_attestation = attest(&f, 0, first, 1);
    (void)assert_decision(&f, bound, APPROVED);
    (void)assert_decision(&f, plain, "Rejected: rule #1: missing attestation for output 0");
    // In any other transaction it is nobody's.
    f.in[0].prevout.index = 6;
    (void)assert_decision(&f, bound,
                          "Rejected: rule #1: non-whitelisted attestation key for output 0");
    f.in[0].prevout = first;
    f.out[0].bound_attestation = attest(&f, 0, first, 2);
    (void)assert_decision(&f, bound,
                          "Rejected: rule #1: non-whitelisted attestation key for output 0");
    // One that is good for ever is not enough.
    f.out[0].has_attestation = true;
    f.out[0].attestation = attest(&f, 0, first, 1);
    f.out[0].has_bound_attestation = false;
    (void)assert_decision(&f, bound, "Rejected: rule #1: missing attestation for output 0");
}

TEST(policy_24_85_attest_bound_is_used_once)
{
    const char *bound = attestor_policy(true);
    struct fixture f;
    fixture_init(&f);
    const struct outpoint first = f.in[0].prevout;
    f.tx.n_out = 3;
    f.out[2] = f.out[0];
    for (size_t i = 0; i <= 2; i += 2) {
        f.out[i].has_bound_attestation = true;
        f.out[i].bound_attestation = attest(&f, i, first, 1);
    }
    const struct decision d =
        assert_decision(&f, bound, "Rejected: rule #1: attestation used twice, for output 2");
    assert_string_equal(reason_code(d.tried[0].reason), "attestation-twice");
    f.out[2].amount.n++;
    f.out[2].bound_attestation = attest(&f, 2, first, 1);
    (void)assert_decision(&f, bound, APPROVED);
}

// The use is of amount, script and need together: what differs in one of them is another.
TEST(policy_24_85_what_is_a_second_use)
{
    const char *bound = attestor_policy(true);
    struct fixture f;
    fixture_init(&f);
    f.tx.n_out = 4;
    f.out[1] = f.out[2]; // no change any more
    f.out[3].amount = f.out[2].amount;
    for (size_t i = 0; i < f.tx.n_out; i++)
        attest_once(&f, i);
    (void)assert_decision(&f, bound, "Rejected: rule #1: attestation used twice, for output 2");
    f.out[1].change = f.out[1].own = true; // attested by nobody, as it need not be
    (void)assert_decision(&f, bound, APPROVED);
}

TEST(policy_24_52_one_attestation_for_ever_serves_every_output)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.n_out = 3;
    f.out[2] = f.out[0];
    attest_plainly(&f, 0);
    (void)assert_decision(&f, attestor_policy(false),
                          "Rejected: rule #1: missing attestation for output 2");
    attest_plainly(&f, 2);
    (void)assert_decision(&f, attestor_policy(false), APPROVED);
}

TEST(policy_24_52_outputs_without_value)
{
    static const char zero[] = ",\"allow_zeroval_outs\":true";
    struct fixture f;
    fixture_init(&f);
    (void)assert_decision(&f, attestor_policy_with(zero, false),
                          "Rejected: rule #1: missing attestation for output 0");
    f.out[0].amount.n = 0;
    fixture_sum(&f);
    (void)assert_decision(&f, attestor_policy_with(zero, false), APPROVED);
    (void)assert_decision(&f, attestor_policy(false),
                          "Rejected: rule #1: missing attestation for output 0");
    attest_plainly(&f, 0);
    (void)assert_decision(&f, attestor_policy(false), APPROVED);
}

// The ends of the range of headers: what stands within it is recovered, or not.
TEST(policy_24_52_headers)
{
    static const struct {
        uint8_t header;
        const char *reason;
    } cases[] = {
        { 26, "Rejected: rule #1: unsupported recovery id: 26" },
        { 27, "Rejected: rule #1: invalid signature" },
        { 42, "Rejected: rule #1: invalid signature" },
        { 43, "Rejected: rule #1: unsupported recovery id: 43" },
    };
    struct fixture f;
    fixture_init(&f);
    f.out[0].has_attestation = true;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t sig[MESSAGE_SIGNATURE_LEN] = { cases[i].header };
        f.out[0].attestation = BYTES_OF(sig);
        (void)assert_decision(&f, attestor_policy(false), cases[i].reason);
    }
}

TEST(policy_24_85_without_inputs_nothing_is_bound)
{
    struct fixture f;
    fixture_init(&f);
    attest_once(&f, 0);
    f.tx.n_in = 0;
    (void)assert_decision(&f, attestor_policy(true),
                          "Rejected: rule #1: missing attestation for output 0");
}

// Two rules, the first of which wants a local code that nobody entered: what it has found out of every
// output is not taken for what the second wants to know.
static const char *both_policies(bool is_first_bound)
{
    const char *first = attestor_policy(is_first_bound), *second = attestor_policy(!is_first_bound);
    const size_t head = strlen("{\"rules\":[");
    struct writer w = text_writer();
    writer_put(&w, bytes_of(first, strlen(first) - strlen("}]}")));
    writer_text(&w, ",\"local_conf\":true},");
    writer_text(&w, second + head);
    return arena_text(test_arena(), written(&w));
}

TEST(policy_24_85_both_kinds_of_every_output)
{
    struct fixture f;
    fixture_init(&f);
    uint8_t *script = arena_alloc(test_arena(), 10000);
    memset(script, 0x6a, 10000);
    f.tx.n_out = FIXTURE_MAX;
    for (size_t i = 0; i < FIXTURE_MAX; i++) { // as long as a script may be
        f.out[i] = (struct output_facts){ .amount = { 1 + i }, .script = bytes_of(script, 10000) };
        attest_plainly(&f, i);
        attest_once(&f, i);
    }
    fixture_sum(&f);
    for (unsigned is_first_bound = 0; is_first_bound < 2; is_first_bound++)
        (void)assert_decision(&f, both_policies(is_first_bound), "Acceptable by rule #2");
}

TEST(policy_24_85_one_kind_is_not_the_other)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.n_out = 3;
    attest_plainly(&f, 0);
    attest_plainly(&f, 2);
    (void)assert_decision(&f, both_policies(false),
                          "Rejected: rule #1: local operator didn't confirm, rule #2: missing "
                          "attestation for output 0");
    (void)assert_decision(&f, both_policies(true), "Acceptable by rule #2");
}
