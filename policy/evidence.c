// policy/evidence.c -- what a transaction shows, gathered once for all rules.
#include "base/require.h"
#include "bitcoin/address.h"
#include "bitcoin/message.h"
#include "policy/clauses.h"

#define PER_OUTPUT   1024 // destination, two attestors, three addresses, and what alignment adds
#define ATTESTED_MAX 57   // amount and compact size before the script, outpoint and uses behind it
#define ONE_USE      1u

size_t evidence_scratch_size(const struct tx_facts *tx)
{
    size_t size = 65536 + tx->n_out * PER_OUTPUT;
    for (size_t i = 0; i < tx->n_out; i++)
        size += 2 * tx->out[i].script.len;
    return size;
}

static void *need(struct arena *scratch, size_t n, size_t size)
{
    void *mem = arena_array(scratch, n, size);
    REQUIRE(mem != NULL); // evidence_scratch_size counts it
    return mem;
}

static struct bytes address_of(struct arena *scratch, struct bytes script,
                               const struct chain *chain)
{
    char text[ADDRESS_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text);
    struct bytes address;
    if (!address_from_script(&w, script, chain) || !writer_finish(&w, &address))
        return bytes_of(NULL, 0);
    REQUIRE(arena_copy(scratch, address, &address));
    return address;
}

// --- Destinations ---

// Same value or none, then script, then place.
static int by_target(const void *a, const void *b)
{
    const struct destination *x = *(struct destination *const *)a;
    const struct destination *y = *(struct destination *const *)b;
    if (x->is_zero != y->is_zero)
        return x->is_zero ? 1 : -1;
    const int order = bytes_compare(x->script, y->script);
    return order != 0 ? order : (x->output > y->output) - (x->output < y->output);
}

static bool same_target(const struct destination *x, const struct destination *y)
{
    return x->is_zero == y->is_zero && bytes_equal(x->script, y->script);
}

// Keeps the first of each target, in output order: a rule then asks its list once for each address
// and not once for each of many outputs.
static void drop_repeated(struct evidence *e)
{
    struct destination **sorted = need(e->scratch, e->n_destinations, sizeof(struct destination *));
    bool *repeated = need(e->scratch, e->n_destinations, sizeof *repeated);
    size_t n = 0;
    for (size_t i = 0; i < e->n_destinations; i++)
        sorted[i] = &e->destinations[i];
    qsort(sorted, e->n_destinations, sizeof(struct destination *), by_target);
    for (size_t i = 1; i < e->n_destinations; i++)
        repeated[sorted[i] - e->destinations] = same_target(sorted[i - 1], sorted[i]);
    for (size_t i = 0; i < e->n_destinations; i++)
        if (!repeated[i])
            e->destinations[n++] = e->destinations[i];
    e->n_destinations = n;
}

// Policy 10.2: "every output that is not change and not (value 0 with `allow_zeroval_outs`)". Which
// of the zero ones count depends on the rule.
void evidence_need_destinations(struct evidence *e)
{
    const struct tx_facts *tx = e->tx;
    if (e->has_destinations)
        return;
    e->has_destinations = true;
    e->destinations = need(e->scratch, tx->n_out, sizeof *e->destinations);
    for (size_t i = 0; i < tx->n_out; i++) {
        if (tx->out[i].change)
            continue;
        e->destinations[e->n_destinations++] = (struct destination){
            .output = i,
            .is_zero = tx->out[i].amount.n == 0,
            .address = address_of(e->scratch, tx->out[i].script, tx->chain),
            .script = tx->out[i].script,
        };
    }
    drop_repeated(e);
}

const struct hash256 *destination_hash(struct destination *destination)
{
    if (!destination->has_hash)
        destination->hash = sha256(destination->script);
    destination->has_hash = true;
    return &destination->hash;
}

// --- Sums ---

// Policy 10.2: "total_out = sum of values of all outputs that are not change. The network fee is not
// in it."
static void sum_outputs(struct evidence *e)
{
    const struct tx_facts *tx = e->tx;
    e->spent_is_known = true;
    e->amounts_are_equal = true;
    for (size_t i = 0; i < tx->n_out; i++) {
        const struct output_facts *out = &tx->out[i];
        e->amounts_are_equal &= out->amount.n == tx->out[0].amount.n;
        if (!out->change)
            e->spent_is_known &= sats_add(&e->spent, out->amount);
        if (!out->own && !out->change)
            continue;
        e->n_own_out++;
        if (!sats_add(&e->own_out, out->amount))
            e->spent_is_known = false;
    }
}

// An amount that nobody proves is no amount: the share that comes back would be what the host says.
static void sum_inputs(struct evidence *e)
{
    const struct tx_facts *tx = e->tx;
    e->own_in_is_known = true;
    for (size_t i = 0; i < tx->n_in; i++) {
        const struct input_facts *in = &tx->in[i];
        if (!in->own)
            continue;
        e->n_own_in++;
        e->own_in_is_known &= in->has_amount && in->verified && sats_add(&e->own_in, in->amount);
    }
}

struct evidence evidence_of(const struct policy *policy, const struct tx_facts *tx,
                            const struct auth_facts *auth, const struct decision *decision,
                            struct arena *scratch)
{
    struct evidence e = {
        .policy = policy, .tx = tx, .auth = auth, .decision = decision, .scratch = scratch
    };
    sum_outputs(&e);
    sum_inputs(&e);
    e.attestors = need(scratch, 2 * tx->n_out, sizeof *e.attestors);
    return e;
}

// --- Attestations. Source: policy.md 10.4 ---

// "The signed message is the consensus encoding of the output: 8 bytes little-endian value, the
// compact size of the script, the script [...] It is hashed as a signed message". D26: subtype 1 "also
// covers the transaction's first input outpoint and a number of uses of 1", here in 36 and 4 bytes.
static struct hash256 attested_digest(const struct evidence *e, const struct output_facts *out,
                                      bool is_bound)
{
    const size_t room = ATTESTED_MAX + out->script.len;
    struct writer w = writer_of(need(e->scratch, 1, room), room);
    struct bytes message;
    writer_u64le(&w, out->amount.n);
    writer_counted(&w, out->script);
    if (is_bound) {
        const struct outpoint *first = &e->tx->in[0].prevout;
        writer_put(&w, BYTES_OF(first->txid.b));
        writer_u32le(&w, first->index);
        writer_u32le(&w, ONE_USE);
    }
    REQUIRE(writer_finish(&w, &message));
    return message_digest(message);
}

// "Checks in order: present; 65 bytes; header range; recovery; membership." The last is the rule's.
static enum reason read_attestation(struct attestor *a, struct evidence *e,
                                    const struct output_facts *out, bool is_bound)
{
    const struct bytes given = is_bound ? out->bound_attestation : out->attestation;
    uint8_t mem[64];
    struct writer script = writer_of(mem, sizeof mem);
    enum addr_format format;
    struct pubkey key;
    struct err err;
    if (!(is_bound ? out->has_bound_attestation && e->tx->n_in > 0 : out->has_attestation))
        return REASON_NO_ATTESTATION;
    if (given.len != MESSAGE_SIGNATURE_LEN)
        return REASON_ATTEST_LENGTH;
    a->header = given.ptr[0];
    if (a->header < 27 || a->header > 42)
        return REASON_ATTEST_HEADER;
    const struct hash256 digest = attested_digest(e, out, is_bound);
    if (!message_recover(&key, &format, given, &digest) ||
        !address_script_of_key(&script, &key, format, &err))
        return REASON_ATTEST_SIGNATURE;
    a->address = address_of(e->scratch, writer_bytes(&script), e->tx->chain);
    return REASON_NONE;
}

const struct attestor *attestor_of(struct evidence *evidence, size_t output, bool is_bound)
{
    struct attestor *a = &evidence->attestors[output + (is_bound ? evidence->tx->n_out : 0)];
    if (!a->is_known)
        a->reason = read_attestation(a, evidence, &evidence->tx->out[output], is_bound);
    a->is_known = true;
    return a;
}
