// Death between any two steps, seen by whoever waits for the answer: style.md 7, policy.md 10.1, 8.2.
//
// A child runs the device and dies at the n-th step of the store's changes. What it wrote into the pipe
// before, a host has; what a device finds on the same disk afterwards must go with it.
#include "base/file.h"
#include "base/require.h"
#include "signer/hsm_start.h"
#include "tests/support/device_checks.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIED = 42, DONE = 43 };

#define POLICY                                                                                     \
    "{\"period\":10,\"rules\":[{\"per_period\":5000,\"users\":[\"alice\"],\"max_amount\":3000}]}"
#define STEP 57000000u // of alice's code

// --- Directories ---

static const char *dir(const char *name)
{
    struct writer w = writer_growing(test_arena(), 256);
    writer_printf(&w, "%s/%s", test_dir(), name);
    return arena_text(test_arena(), writer_bytes(&w));
}

static void make_dir(const char *path)
{
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
}

// What a signer that was stopped leaves: one file of the store, the journal.
static void copy_signer(const char *from, const char *to)
{
    static const char *const files[] = { "signer.db", "signer.db-wal", "signer.db-shm",
                                         "journal.jsonl" };
    char a[256], b[256];
    make_dir(to);
    for (size_t i = 0; i < COUNT(files); i++) {
        struct bytes content;
        struct err err;
        snprintf(a, sizeof a, "%s/%s", from, files[i]);
        snprintf(b, sizeof b, "%s/%s", to, files[i]);
        if (file_read(&content, a, 64u << 20, test_arena(), &err))
            assert_true(file_replace(b, content, 0600, &err));
        else
            (void)unlink(b);
    }
}

// --- The child ---

struct fuse {
    unsigned left; // steps until death
};

static void burn(void *context, const char *name)
{
    struct fuse *fuse = context;
    (void)name;
    if (fuse->left-- == 0)
        _exit(DIED);
}

// What a child does with its device; it tells through `out` what a host was told.
typedef void act_fn(struct device_rig *rig, struct rig_host *host, int out);

static void tell(int out, const char *what)
{
    REQUIRE(write(out, what, strlen(what)) == (ssize_t)strlen(what));
}

static NORETURN void run_child(act_fn *act, const char *path, unsigned at, bool starts, int out)
{
    struct fuse fuse = { at };
    struct device_rig *rig = device_rig_new(path);
    if (rig->device.state == DEVICE_OFFER)
        rig_keys(rig, starts ? "y" : "x");
    struct rig_host *host = rig_host_linked(rig);
    store_set_hook(rig->store, (struct store_hook){ burn, &fuse });
    act(rig, host, out);
    _exit(DONE); // no clean end in either case
}

struct told {
    bool died;
    char text[64];
};

static struct told dies_at(act_fn *act, const char *path, unsigned at, bool starts)
{
    int ends[2];
    struct told told = { 0 };
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_child(act, path, at, starts, ends[1]);
    close(ends[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == DIED || WEXITSTATUS(status) == DONE);
    told.died = WEXITSTATUS(status) == DIED;
    assert_true(read(ends[0], told.text, sizeof told.text - 1) >= 0);
    close(ends[0]);
    return told;
}

// --- Decisions ---

static void sign_2000(struct device_rig *rig, struct rig_host *host, int out)
{
    rig_alice(host, STEP);
    const struct rig_outcome got = rig_sign(host, rig_payment(rig, 2000), 0);
    tell(out, got.result == RIG_SIGNED ? "signed" : "not signed");
}

// With a code that no death has burnt.
static void sign_2000_anew(struct device_rig *rig, struct rig_host *host, int out)
{
    const uint64_t last = rig_progress(rig, "alice");
    rig_alice(host, last == 0 ? STEP : (uint32_t)last + 1);
    const struct rig_outcome got = rig_sign(host, rig_payment(rig, 2000), 0);
    tell(out, got.result == RIG_SIGNED ? "signed" : "not signed");
}

static void refuse_4000(struct device_rig *rig, struct rig_host *host, int out)
{
    rig_alice(host, STEP);
    const struct rig_outcome got = rig_sign(host, rig_payment(rig, 4000), 0);
    tell(out, got.result == RIG_REFUSED ? "refused" : "not refused");
}

// What limits later spends, as the next device finds it: "spent, alice, refusals".
static const char *found(const char *path)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(path);
    const struct store_counters counters = store_get_counters(rig->store);
    struct writer w = writer_growing(test_arena(), 256);
    if (rig->device.state == DEVICE_OFFER)
        rig_keys(rig, "y");
    assert_int_equal(rig->device.state, DEVICE_HSM);
    const struct velocity *v = &rig->device.hsm->velocity;
    writer_printf(&w, "%d %d %d", v->running ? (int)v->spent[0].n : -1,
                  (int)rig_progress(rig, "alice"), (int)counters.refusals);
    return arena_text(test_arena(), writer_bytes(&w));
}

static void make_template(const char *path, const char *policy)
{
    make_dir(path);
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(path);
    struct rig_host *host = rig_host_linked(rig);
    rig_add_users(host);
    rig_activate(host, policy);
}

static void die_everywhere(act_fn *act, const char *answer, const char *before, const char *after)
{
    const char *template = dir("template"), *work = dir("work");
    unsigned at = 0, n_after = 0;
    make_template(template, POLICY);
    for (;; at++) {
        copy_signer(template, work);
        const struct told told = dies_at(act, work, at, true);
        const char *now = found(work);
        const bool is_after = strcmp(now, after) == 0;
        if (!is_after)
            assert_string_equal(now, before); // all of it or nothing
        // A signature never without its charge, a refusal never uncounted.
        if (told.text[0] != 0) {
            assert_string_equal(told.text, answer);
            assert_true(is_after);
        }
        n_after += is_after;
        if (!told.died) {
            assert_string_equal(told.text, answer);
            break;
        }
    }
    // It died before the commit, and between commit and answer.
    assert_true(at > 3);
    assert_in_range(n_after, 2, at - 1);
}

TEST(policy_24_66_no_signature_without_its_charge)
{
    die_everywhere(sign_2000, "signed", "-1 0 0", "2000 57000000 0");
}

TEST(policy_24_66_no_refusal_uncounted)
{
    die_everywhere(refuse_4000, "refused", "-1 0 0", "-1 57000000 1");
}

// However often it dies and where, no more leaves it than one period allows.
TEST(policy_24_66_crash_after_crash_never_more_than_the_limit)
{
    const char *work = dir("work");
    unsigned n_signed = 0;
    make_template(work, "{\"period\":10,\"rules\":[{\"per_period\":10000,\"users\":[\"alice\"]},"
                        "{\"per_period\":10000,\"max_amount\":2000}]}");
    for (unsigned i = 0; i < 60; i++) {
        const struct told told = dies_at(sign_2000_anew, work, i * 7 % 23, true);
        n_signed += strcmp(told.text, "signed") == 0;
    }
    assert_in_range(n_signed, 1, 10);
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(work);
    rig_keys(rig, "y");
    const struct velocity *v = &rig->device.hsm->velocity;
    assert_in_range(v->spent[0].n + v->spent[1].n, 2000 * n_signed, 20000);
}

// --- Codes that are tried outside HSM mode ---

static void try_code(struct device_rig *rig, struct rig_host *host, int out)
{
    (void)rig;
    rig_alice(host, STEP); // stops the child unless the answer is "good"
    tell(out, "good");
}

TEST(policy_24_74_a_code_is_burnt_before_it_is_called_good)
{
    const char *template = dir("template"), *work = dir("work");
    make_template(template, POLICY);
    struct told told = { .died = true };
    for (unsigned at = 0; told.died; at++) {
        copy_signer(template, work);
        told = dies_at(try_code, work, at, false);
        AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(work);
        const uint64_t progress = rig_progress(rig, "alice");
        assert_true(progress == 0 || progress == STEP);
        if (told.text[0] != 0)
            assert_int_equal(progress, STEP);
    }
    assert_string_equal(told.text, "good");
}

// --- Activations: wholly active and saved, or not at all ---

#define OLD "{\"set_sl\":\"the old value ...\",\"allow_sl\":1,\"notes\":\"old\"}"
#define NEW "{\"set_sl\":\"the new value ...\",\"allow_sl\":1,\"notes\":\"new\"}"

static void activate_new(struct device_rig *rig, struct rig_host *host, int out)
{
    rig_activate(host, NEW);
    tell(out, rig->device.state == DEVICE_HSM ? "active" : "not active");
}

TEST(policy_24_36_an_activation_is_whole_or_absent)
{
    const char *template = dir("template"), *work = dir("work");
    struct told told = { .died = true };
    unsigned at = 0, n_new = 0;
    make_template(template, OLD);
    for (; told.died; at++) {
        copy_signer(template, work);
        told = dies_at(activate_new, work, at, false);
        AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(work);
        const struct bytes shown = bytes_slice(rig_screen(rig).text, 4, 3);
        const bool is_new = bytes_equal_text(shown, "new");
        rig_keys(rig, "y");
        const struct reply value = rig_ask(rig_host_linked(rig), REQUEST_GSLR);
        assert_bytes_text(shown, is_new ? "new" : "old");
        assert_bytes_text(value.data, is_new ? "the new value ..." : "the old value ...");
        if (told.text[0] != 0)
            assert_true(is_new);
        n_new += is_new;
    }
    assert_string_equal(told.text, "active");
    assert_true(at > 4);
    assert_in_range(n_new, 2, at - 2);
}

// --- The locker: the read is counted before the value leaves ---

static void read_locker(struct device_rig *rig, struct rig_host *host, int out)
{
    (void)rig;
    if (rig_ask(host, REQUEST_GSLR).id == REPLY_BINY)
        tell(out, "value");
}

TEST(policy_16_the_locker_is_read_no_more_often_than_allowed)
{
    const char *work = dir("work");
    unsigned n_read = 0;
    make_template(work,
                  "{\"boot_to_hsm\":\"123456\",\"set_sl\":\"0123456789abcdef\",\"allow_sl\":5}");
    for (unsigned i = 0; i < 40; i++)
        n_read += strcmp(dies_at(read_locker, work, i % 7, true).text, "value") == 0;
    assert_in_range(n_read, 1, 5);
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(work);
    assert_error(rig_ask(rig_host_linked(rig), REQUEST_GSLR), "consumed");
}
