// Long requests beside the event loop: who is served meanwhile, and what may happen in the middle.
#include "signer/sign_work.h"
#include "base/secret.h"
#include "tests/support/device_checks.h"
#include <fcntl.h>

#define LIMIT "{\"period\":10,\"rules\":[{\"per_period\":100000000000}]}"
enum { N_IN = 300, SATS = 100000, PAID = 5000, LATER = 2000 };

static struct device_rig *new_rig(const char *dir, bool has_worker)
{
    struct device_rig *rig = device_rig_prepare(dir);
    rig->has_worker = has_worker;
    device_rig_start(rig);
    return rig;
}

#define WITH_WORKER(rig, host)                                                                     \
    AUTO(device_rig_freep) struct device_rig *rig = new_rig(test_dir(), true);                     \
    struct rig_host *host = rig_host_linked(rig)

// Many inputs, so that neither understanding nor signing is done at once.
static struct bytes large(struct device_rig *rig, uint32_t salt)
{
    struct psbt_maker *maker = rig_maker(rig, PAID);
    maker->salt = salt;
    maker->n_in = N_IN;
    for (uint32_t i = 0; i < N_IN; i++) {
        maker->in[i] = maker->in[0];
        maker->in[i].path.step[4] = i % 40;
        maker->in[i].amount.n = SATS;
    }
    maker->out[1].amount.n = (uint64_t)N_IN * SATS - PAID - 20000;
    return rig_make(rig, maker);
}

static void step(struct device_rig *rig)
{
    struct err err;
    assert_true(loop_step(rig->loop, 10, &err));
}

// Polls until there is a result, as a client does.
static struct rig_outcome wait_for(struct rig_host *host)
{
    struct rig_outcome outcome = { .result = RIG_WAITING };
    for (int i = 0; i < 10000 && outcome.result == RIG_WAITING; i++) {
        step(host->rig);
        outcome = rig_fetch(host);
    }
    return outcome;
}

static void assert_spent(struct rig_host *host, uint64_t sats)
{
    char text[32];
    (void)snprintf(text, sizeof text, "[%llu]", (unsigned long long)sats);
    assert_status(host, "has_spent", sats == 0 ? "[0]" : text);
}

// --- Meanwhile ---

TEST(psbt_signing_24_8_others_are_answered_while_one_is_signed)
{
    WITH_WORKER(rig, host);
    struct rig_host *other = rig_host_linked(rig);
    rig_activate(host, LIMIT);
    unsigned answered = 0, polled = 0;
    // How long it takes is the machine's affair: one of several tries must meet it at work.
    for (uint32_t i = 0; i < 20 && (answered == 0 || polled == 0); i++) {
        assert_okay(rig_stxn(host, large(rig, 1000 + i), 0));
        step(rig);
        while (sign_work_is_busy(&rig->device)) {
            assert_int_equal(rig_ask(other, REQUEST_VERS).id, REPLY_ASCI);
            assert_int_equal(rig_ask(other, REQUEST_HSTS).id, REPLY_ASCI);
            answered += sign_work_is_busy(&rig->device);
            polled += rig_ask(host, REQUEST_STOK).id == REPLY_OKAY;
            step(rig);
        }
        assert_int_equal(wait_for(host).result, RIG_SIGNED);
    }
    assert_true(answered > 0 && polled > 0);
}

TEST(psbt_signing_24_8_the_result_is_the_same)
{
    static const uint32_t flags[] = { 0, STXN_FINALIZE, STXN_VISUALIZE };
    AUTO(device_rig_freep) struct device_rig *at_once = new_rig(test_dir(), false);
    struct rig_host *host = rig_host_linked(at_once);
    rig_activate(host, LIMIT);
    struct bytes expected[COUNT(flags)];
    for (size_t i = 0; i < COUNT(flags); i++) {
        const struct rig_outcome got = rig_sign(host, large(at_once, 7), flags[i]);
        assert_int_equal(got.result, RIG_SIGNED);
        expected[i] = got.data;
    }
    device_rig_stop(at_once);
    at_once->has_worker = true;
    device_rig_start(at_once);
    rig_keys(at_once, "y");
    host = rig_host_linked(at_once);
    for (size_t i = 0; i < COUNT(flags); i++) {
        assert_okay(rig_stxn(host, large(at_once, 7), flags[i]));
        const struct rig_outcome got = wait_for(host);
        assert_int_equal(got.result, RIG_SIGNED);
        assert_bytes_equal(got.data, expected[i]);
    }
}

TEST(psbt_17_amounts_are_known_to_the_worker)
{
    WITH_WORKER(rig, host);
    rig_activate(host, LIMIT);
    const struct bytes honest = large(rig, 8);
    assert_okay(rig_stxn(host, honest, 0));
    assert_int_equal(wait_for(host).result, RIG_SIGNED);
    // The same coins; the 41st told with 2000 satoshi more.
    static const uint8_t amount[] = { 0xa0, 0x86, 0x01, 0, 0, 0, 0, 0 };
    uint8_t *lie = arena_alloc(test_arena(), honest.len);
    memcpy(lie, honest.ptr, honest.len);
    uint8_t *at = lie;
    for (unsigned i = 0; i <= 41; i++) {
        at = memmem(at + 1, honest.len - (size_t)(at + 1 - lie), amount, sizeof amount);
        assert_non_null(at);
    }
    at[0] += 8;
    assert_okay(rig_stxn(host, bytes_of(lie, honest.len), 0));
    const struct rig_outcome got = wait_for(host);
    assert_int_equal(got.result, RIG_FAILED);
    assert_true(bytes_starts_with(got.data, BYTES("Input#41: Expected 0.001 but PSBT claims ")));
}

// Decisions are made in the order of arrival, one at a time.
TEST(wire_7_2_small_requests_wait_for_the_large_one)
{
    WITH_WORKER(rig, host);
    struct rig_host *other = rig_host_linked(rig);
    char limit[128];
    (void)snprintf(limit, sizeof limit, "{\"period\":10,\"rules\":[{\"per_period\":%d}]}", PAID);
    rig_activate(host, limit);
    assert_okay(rig_stxn(host, large(rig, 9), 0));
    step(rig);
    assert_okay(rig_stxn(other, rig_payment(rig, PAID), 0));
    assert_int_equal(wait_for(host).result, RIG_SIGNED);
    assert_int_equal(wait_for(other).result, RIG_REFUSED); // nothing was left
    assert_spent(host, PAID);
}

// --- In the middle ---

// Whatever happens after so many rounds of the loop.
static void begin(struct rig_host *host, uint32_t salt, int rounds)
{
    assert_okay(rig_stxn(host, large(host->rig, salt), 0));
    for (int i = 0; i < rounds; i++)
        step(host->rig);
}

// No signature was released, so none is charged; or it had been made, and is.
TEST(psbt_signing_24_8_locked_in_the_middle)
{
    WITH_WORKER(rig, host);
    rig_activate(host, LIMIT);
    uint64_t spent = 0;
    for (int rounds = 0; rounds < 12; rounds++) {
        begin(host, 100 + (uint32_t)rounds, rounds);
        device_lock(&rig->device);
        assert_false(sign_work_is_busy(&rig->device));
        assert_int_equal(rig->device.state, DEVICE_OFFER); // the rig unlocks by itself
        rig_keys(rig, "y");
        host = rig_host_linked(rig);
        assert_error(rig_ask(host, REQUEST_STOK), "No active request");
        const struct json *now = rig_status(host);
        const struct json *list = json_get(now, "has_spent");
        const uint64_t was = spent;
        spent = list == NULL ? 0 : (uint64_t)json_item_integer(list, 0);
        assert_true(spent == was || spent == was + PAID);
    }
    assert_okay(rig_stxn(host, large(rig, 200), 0));
    assert_int_equal(wait_for(host).result, RIG_SIGNED);
    assert_spent(host, spent + PAID);
}

TEST(psbt_signing_24_8_ended_in_the_middle)
{
    for (int rounds = 0; rounds < 8; rounds++) {
        AUTO(device_rig_freep) struct device_rig *rig = new_rig(test_dir(), true);
        rig_keys(rig, rounds == 0 ? "x" : "y");
        struct rig_host *host = rig_host_linked(rig);
        if (rounds == 0)
            rig_activate(host, LIMIT);
        begin(host, 300 + (uint32_t)rounds, rounds);
        device_rig_stop(rig);
    }
}

// "stxn replaces it": what the first was charged is taken back unless it was signed.
TEST(wire_7_3_replaced_in_the_middle)
{
    WITH_WORKER(rig, host);
    rig_activate(host, LIMIT);
    for (int rounds = 0; rounds < 8; rounds++) {
        begin(host, 400 + (uint32_t)rounds, rounds);
        const bool was_busy = sign_work_is_busy(&rig->device);
        const struct bytes small = rig_payment(rig, LATER);
        assert_okay(rig_stxn(host, small, 0));
        const struct rig_outcome got = wait_for(host);
        assert_int_equal(got.result, RIG_SIGNED);
        assert_true(got.data.len < 1000); // of the second
        assert_true(was_busy || rounds != 1);
    }
}

// A peer that is forgotten to make room for others.
TEST(wire_4_3_forgotten_in_the_middle)
{
    WITH_WORKER(rig, host);
    rig_activate(host, LIMIT);
    for (int rounds = 0; rounds < 6; rounds++) {
        struct rig_host *leaving = rig_host_linked(rig);
        begin(leaving, 500 + (uint32_t)rounds, rounds);
        peers_forget(&rig->device.peers, rig_peer(leaving));
        for (int i = 0; i < 10000 && sign_work_is_busy(&rig->device); i++)
            step(rig);
        assert_signs(host, rig_payment(rig, LATER));
    }
}

// What is visualised is proved for the dry run, and nobody waits for that.
TEST(policy_d18_a_dry_run_of_a_large_one)
{
    WITH_WORKER(rig, host);
    struct rig_host *other = rig_host_linked(rig);
    rig_activate(host, LIMIT);
    // On a busy machine the worker may have ended before this thread looks.
    for (int tries = 0; tries < 50 && !sign_work_is_busy(&rig->device); tries++) {
        if (tries > 0)
            assert_int_equal(wait_for(host).result, RIG_SIGNED);
        assert_okay(rig_stxn(host, large(rig, 700), STXN_VISUALIZE));
        rig_run(rig);
    }
    assert_true(sign_work_is_busy(&rig->device));
    assert_bytes_text(rig_ask(other, REQUEST_BLKC).data, "XTN");
    assert_int_equal(wait_for(host).result, RIG_SIGNED);
    const struct json *run = json_get(json_get(rig_status(host), "casemate"), "dry_run");
    assert_non_null(run);
    assert_int_equal(json_get(run, "signed")->type, JSON_TRUE);
    assert_status(host, "approvals", "0");
}

// --- Normal mode ---

TEST(psbt_signing_24_8_accepted_with_keys)
{
    WITH_WORKER(rig, host);
    for (int rounds = 0; rounds < 6; rounds++) {
        assert_okay(rig_stxn(host, large(rig, 600 + (uint32_t)rounds), 0));
        for (int i = 0; i < 10000 && rig->device.screen.ask == ASK_NONE; i++)
            step(rig);
        assert_string_equal(rig->device.screen.title, "OK TO SEND?");
        rig_keys(rig, "y");
        if (rounds % 2 == 0) {
            assert_int_equal(wait_for(host).result, RIG_SIGNED);
            continue;
        }
        for (int i = 0; i < rounds - 1; i++)
            step(rig);
        // Discarded by another command: the operator is asked what that wants.
        assert_int_equal(
            rig_call(host, &(struct request){ .id = REQUEST_SHOW,
                                              .show = { .addr_format = ADDR_P2WPKH,
                                                        .path = BYTES("m/84h/1h/0h/0/0") } })
                .id,
            REPLY_ASCI);
        rig_keys(rig, "x");
    }
}

// --- Locked ---

// Whether this process has these bytes anywhere: each was XORed with MASK, so that the question is not
// the answer. Also in guarded memory, which the kernel reads all the same.
enum { MASK = 0x5a, CHUNK = 1 << 20 };

static bool has_in(int mem, uintptr_t begin, uintptr_t end, const uint8_t *masked, size_t len)
{
    uint8_t *chunk = malloc(CHUNK + 64);
    bool found = false;
    assert_non_null(chunk);
    for (uintptr_t at = begin; at < end && !found; at += CHUNK) {
        const size_t want = end - at < CHUNK + len ? end - at : CHUNK + len;
        const ssize_t n = pread(mem, chunk, want, (off_t)at);
        for (ssize_t i = 0; i + (ssize_t)len <= n && !found; i++) {
            const uint8_t *first = memchr(chunk + i, masked[0] ^ MASK, (size_t)(n - i));
            if (first == NULL)
                break;
            i = first - chunk;
            size_t k = 0;
            while (k < len && (chunk[i + (ssize_t)k] ^ MASK) == masked[k])
                k++;
            found = k == len;
        }
        if (n > 0)
            wipe(chunk, (size_t)n);
    }
    free(chunk);
    return found;
}

static bool is_in_memory(const uint8_t *masked, size_t len)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    const int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    char line[512];
    bool found = false;
    assert_true(maps != NULL && mem >= 0);
    while (!found && fgets(line, sizeof line, maps) != NULL) {
        char *rest;
        const uintptr_t begin = strtoul(line, &rest, 16), end = strtoul(rest + 1, &rest, 16);
        // Neither the kernel's own pages nor the terabytes that a sanitizer reserves.
        if (strstr(line, "[v") == NULL && end - begin <= (uintptr_t)1 << 30)
            found = has_in(mem, begin, end, masked, len);
    }
    (void)fclose(maps);
    close(mem);
    return found;
}

// AddressSanitizer, told to look for the use of a stack after return, keeps frames in memory of its own,
// where wiping the stack does not reach: what is found then was copied and not wiped by name.
TEST(psbt_signing_24_1_nodes_and_tables_are_wiped_on_lock)
{
    WITH_WORKER(rig, host);
    uint8_t key[32], chain_code[32];
    struct err err;
    rig_activate(host, LIMIT);
    assert_okay(rig_stxn(host, large(rig, 900), 0));
    assert_int_equal(wait_for(host).result, RIG_SIGNED);
    {
        AUTO(hdkey_wipe) struct hdkey node = { 0 };
        const struct keypath branch = rig_path("m/84h/1h/0h/0");
        assert_true(hdkey_derive(&node, &rig->master, &branch, &err));
        for (size_t i = 0; i < 32; i++) {
            key[i] = node.key.b[i] ^ MASK;
            chain_code[i] = node.pub.chain_code[i] ^ MASK;
        }
    }
    wipe_stack();
    assert_true(is_in_memory(key, sizeof key)); // the kept node
    assert_true(is_in_memory(chain_code, sizeof chain_code));
    rig->asks_pin = true; // it stays locked
    device_lock(&rig->device);
    assert_int_equal(rig->device.state, DEVICE_LOCKED);
    assert_false(is_in_memory(key, sizeof key));
    assert_false(is_in_memory(chain_code, sizeof chain_code));
}
