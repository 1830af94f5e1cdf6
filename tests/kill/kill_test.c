// Death by SIGKILL at every step between a request and its reply, while a policy is armed, and while a
// signer starts: a real process, a real store, and hosts that see no more than a host sees.
//
// The signer is a simulator, which `die_at` and a number tell at which step to end. What a host was told
// before must go with what the next process finds: never a signature without its charge, never a charge
// that is lost, an activation whole or not at all. KILL_COUNT is how many deaths there are to be.
// Source: policy.md items 36, 65, 66; 10.1, 16.
#include "base/file.h"
#include "base/require.h"
#include "crypto/otp.h"
#include "tests/faults/rig.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAMPLE = 30, STEPS_MAX = 60, NAMES_MAX = 80, HOST_MS = 300, START_MS = 60000 };

static const uint8_t bobs_secret[10] = { 'k', 'i', 'l', 'l', 'e', 'd', ' ', 'b', 'o', 'b' };

static unsigned kill_count(unsigned percent)
{
    const char *text = getenv("KILL_COUNT");
    const unsigned long n = text != NULL ? strtoul(text, NULL, 10) : SAMPLE;
    return (unsigned)(n * percent / 100);
}

// --- Where it died ---

struct tally {
    size_t n;
    unsigned total;
    struct {
        char name[64];
        unsigned deaths;
    } steps[NAMES_MAX];
};

// "die_at velocity/<hash>" is the last line that it wrote.
static void read_step(char out[static 64], const struct rig *rig)
{
    const struct bytes said = rig_said(rig);
    size_t begin = said.len;
    while (begin > 1 && said.ptr[begin - 2] != '\n')
        begin--;
    const struct bytes line = bytes_slice(said, begin > 0 ? begin - 1 : 0, said.len - begin);
    struct bytes name =
        bytes_starts_with(line, BYTES("die_at ")) ? bytes_slice(line, 7, line.len - 7) : BYTES("?");
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/')
            name.len = i;
    (void)snprintf(out, 64, "%.*s", BYTES_ARG(name));
}

static void count_death(struct tally *tally, const struct rig *rig, const char *during)
{
    char step[64], name[64];
    read_step(step, rig);
    assert_string_not_equal(step, "?");
    (void)snprintf(name, sizeof name, "%.20s: %.40s", during, step);
    size_t i = 0;
    while (i < tally->n && strcmp(tally->steps[i].name, name) != 0)
        i++;
    assert_true(i < NAMES_MAX);
    if (i == tally->n)
        memcpy(tally->steps[tally->n++].name, name, sizeof name);
    tally->steps[i].deaths++;
    tally->total++;
}

static void show(const struct tally *tally)
{
    for (size_t i = 0; i < tally->n; i++)
        print_message("# %5u  %s\n", tally->steps[i].deaths, tally->steps[i].name);
    print_message("# counted: %u deaths\n", tally->total);
}

// --- The signer ---

static bool ask_panel(const struct rig *rig, const struct panel_request *request,
                      struct panel_reply *reply, struct panel_client **panel, struct err *err)
{
    return panel_client_open(panel, rig->panel, -1, NULL, err) &&
           panel_client_ask(*panel, request, reply, err);
}

static bool panel_is(const struct rig *rig, enum panel_state state, bool asks)
{
    AUTO(panel_client_closep) struct panel_client *panel = NULL;
    const struct panel_request look = { .verb = PANEL_SCREEN };
    struct panel_reply reply = { .ok = false };
    struct err ignored;
    return ask_panel(rig, &look, &reply, &panel, &ignored) && reply.screen.state == state &&
           (reply.screen.ask == PANEL_ASK_KEY) == asks;
}

static void wait_for_panel(struct rig *rig, enum panel_state state, bool asks)
{
    for (int ms = 0; !panel_is(rig, state, asks); ms += 5) {
        if (!rig_runs(rig) || ms > START_MS)
            fail_msg("the signer does not get there: %.*s", BYTES_ARG(rig_said(rig)));
        rig_pause_ms(5);
    }
}

// Until a host is served; the sockets of a process that was killed are still there at first.
static void wait_for_wire(struct rig *rig)
{
    for (int ms = 0;; ms += 5) {
        AUTO(connection_closep) struct connection *c = NULL;
        struct err err;
        if (rig_try_connect(rig, &c, &err))
            return;
        if (!rig_runs(rig) || ms > START_MS)
            fail_msg("no host is served: %.*s", BYTES_ARG(rig_said(rig)));
        rig_pause_ms(5);
    }
}

// False if there is no signer any more.
static bool light(const struct rig *rig, unsigned step, struct err *err)
{
    AUTO(panel_client_closep) struct panel_client *panel = NULL;
    char number[16];
    struct panel_reply reply;
    (void)snprintf(number, sizeof number, "%u", step);
    const struct panel_request set = { .verb = PANEL_SET,
                                       .key = BYTES("die_at"),
                                       .value = bytes_of_text(number) };
    return ask_panel(rig, &set, &reply, &panel, err);
}

static void die_at(const struct rig *rig, unsigned step)
{
    struct err err;
    if (!light(rig, step, &err))
        fail_msg("die_at: %s: %.*s", err.text, BYTES_ARG(rig_said(rig)));
}

static void check_killed(struct rig *rig, int status)
{
    rig->pid = 0;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("wait status %x: %.*s", (unsigned)status, BYTES_ARG(rig_said(rig)));
}

// Puts the fuse out. False: it has burnt meanwhile, as what is done behind a reply may do.
static bool put_out(struct rig *rig)
{
    struct err err;
    if (light(rig, 0, &err))
        return true;
    check_killed(rig, rig_wait(rig));
    return false;
}

// --- A host of its own: it may be left waiting for a signer that is dead ---

typedef char act_fn(const struct rig *rig, unsigned number);

static NORETURN void be_host(act_fn *act, const struct rig *rig, unsigned number, int out)
{
    const char told = act(rig, number);
    REQUIRE(write(out, &told, 1) == 1);
    _exit(0);
}

// What the host was told: '-' if nothing. *died: the signer has ended by SIGKILL.
static char with_host(struct rig *rig, act_fn *act, unsigned number, bool *died)
{
    int ends[2], status = 0;
    char told = '-';
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t host = fork();
    assert_true(host >= 0);
    if (host == 0)
        be_host(act, rig, number, ends[1]);
    (void)close(ends[1]);
    struct pollfd wait = { .fd = ends[0], .events = POLLIN };
    *died = false;
    while (!*died && poll(&wait, 1, 5) == 0) {
        const pid_t pid = waitpid(rig->pid, &status, WNOHANG);
        *died = pid == rig->pid;
    }
    // What came before its end may still be read.
    (void)poll(&wait, 1, HOST_MS);
    if (read(ends[0], &told, 1) != 1)
        told = '-';
    (void)close(ends[0]);
    (void)kill(host, SIGKILL);
    (void)waitpid(host, NULL, 0);
    if (*died)
        check_killed(rig, status);
    else
        *died = !put_out(rig);
    return told;
}

// --- The journal, by the program that auditors use ---

static void verify_journal(const struct rig *rig, struct connection *c)
{
    const struct hsm_status status = rig_status(c);
    const struct json *ours = json_get(status.object, "casemate");
    const struct bytes key = json_need_text(json_need(ours, "journal"), "key");
    const char *casemate = getenv("CASEMATE");
    char path[256];
    int result;
    REQUIRE(casemate != NULL);
    rig_pause_ms(50);
    (void)snprintf(path, sizeof path, "%s/journal.jsonl", rig->store);
    const pid_t child = fork();
    if (child == 0) {
        const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        REQUIRE(null >= 0 && dup2(null, 1) == 1);
        execl(casemate, casemate, "audit", "verify", path, "--key", arena_text(test_arena(), key),
              (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    if (result != 0)
        fail_msg("the journal is not whole: wait status %x", (unsigned)result);
}

// The sum of what the journal's approved decisions charged, and how many there are.
static uint64_t approved_in_journal(const struct rig *rig, unsigned *n)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)1 << 30);
    char path[256];
    struct bytes text;
    struct err err;
    uint64_t sum = 0;
    *n = 0;
    (void)snprintf(path, sizeof path, "%s/journal.jsonl", rig->store);
    assert_true(file_read(&text, path, (size_t)256 << 20, arena, &err));
    for (size_t at = 0; at < text.len;) {
        size_t end = at;
        while (end < text.len && text.ptr[end] != '\n')
            end++;
        const struct json *line, *value;
        assert_true(json_parse(&line, bytes_slice(text, at, end - at), arena, &err));
        at = end + 1;
        value = json_get(line, "verdict");
        if (value == NULL || !json_is_text(value, "approved") || json_get(line, "rule") == NULL)
            continue;
        sum += (uint64_t)json_need_integer(line, "total_out");
        (*n)++;
    }
    return sum;
}

// --- Decisions: items 65 and 66 ---

#define LIMIT 1000000000u
#define POLICY                                                                                     \
    "{\"period\":4320,\"msg_paths\":[\"any\"],\"rules\":[{\"per_period\":1000000000,"              \
    "\"max_amount\":5000000,\"users\":[\"bob\"]}]}"

static uint64_t amount_of(unsigned number)
{
    return 1000 + number;
}

static bool queue_bob(struct connection *c, uint64_t counter, struct arena *arena)
{
    char code[OTP_TEXT_SIZE];
    struct reply reply;
    struct err err;
    otp_code(code, BYTES_OF(bobs_secret), counter);
    const struct request user = { .id = REQUEST_USER,
                                  .user = { 0, BYTES("bob"), bytes_of(code, 6) } };
    return connection_exchange(c, &reply, &user, arena, &err) && reply.id == REPLY_ASCI;
}

// The counter stands in the upper half of the number, so that the child knows it.
static uint64_t next_counter;

static char sign(const struct rig *rig, unsigned number)
{
    struct connection *c = NULL;
    struct arena *arena = arena_new(1u << 20);
    struct err err;
    if (!rig_try_connect(rig, &c, &err) || !queue_bob(c, next_counter, arena))
        return '-';
    switch (rig_sign(c, rig_payment(amount_of(number), number), arena, &err)) {
    case RIG_SIGNED:
        return 'S';
    case RIG_REFUSED:
        return 'R';
    default:
        return '-';
    }
}

static char ask_too_much(const struct rig *rig, unsigned number)
{
    struct connection *c = NULL;
    struct arena *arena = arena_new(1u << 20);
    struct err err;
    if (!rig_try_connect(rig, &c, &err))
        return '-';
    return rig_sign(c, rig_payment(6000000, number), arena, &err) == RIG_REFUSED ? 'R' : '-';
}

static char sign_message(const struct rig *rig, unsigned number)
{
    struct connection *c = NULL;
    struct arena *arena = arena_new(1u << 20);
    struct reply reply = { .id = REPLY_OKAY };
    struct err err;
    char text[32];
    (void)snprintf(text, sizeof text, "message %u", number);
    const struct request ask = { .id = REQUEST_SMOK };
    const struct request smsg = {
        .id = REQUEST_SMSG,
        .smsg = { .addr_format = 1, .path = BYTES("m/1"), .message = bytes_of_text(text) }
    };
    if (!rig_try_connect(rig, &c, &err) || !connection_exchange(c, &reply, &smsg, arena, &err))
        return '-';
    while (reply.id == REPLY_OKAY)
        if (!connection_exchange(c, &reply, &ask, arena, &err))
            return '-';
    return reply.id == REPLY_SMRX ? 'M' : '-';
}

static const struct {
    const char *name;
    act_fn *act;
    char told;
    bool charges;
} requests[] = {
    { "sign", sign, 'S', true },
    { "sign", sign, 'S', true }, // most of what there is to lose
    { "refuse", ask_too_much, 'R', false },
    { "message", sign_message, 'M', false },
};

static void add_bob(const struct rig *rig)
{
    AUTO(connection_closep) struct connection *c = rig_connect(rig);
    struct reply reply;
    struct err err;
    const struct request user = { .id = REQUEST_NWUR,
                                  .nwur = { NWUR_HOTP, BYTES("bob"), BYTES_OF(bobs_secret) } };
    assert_true(connection_call(c, &reply, REPLY_ASCI, &user, test_arena(), &err));
}

// Starts what was killed, and says yes to the stored policy.
static void start_again(struct rig *rig)
{
    rig_spawn(rig, false);
    wait_for_panel(rig, PANEL_NORMAL, true);
    assert_true(rig_keys(rig, "y"));
    wait_for_panel(rig, PANEL_HSM, false);
    wait_for_wire(rig);
}

static uint64_t spent_now(const struct rig *rig, bool verify)
{
    AUTO(connection_closep) struct connection *c = rig_connect(rig);
    const struct hsm_status status = rig_status(c);
    if (verify)
        verify_journal(rig, c);
    return rig_spent(&status);
}

// One request that is cut off at a step, or not: false if it was over before.
static bool one_death(struct rig *rig, struct tally *tally, size_t kind, unsigned step,
                      unsigned number, uint64_t *spent, unsigned *n_signed)
{
    bool died;
    die_at(rig, step);
    const char told = with_host(rig, requests[kind].act, number, &died);
    *n_signed += told == 'S';
    if (died) {
        count_death(tally, rig, requests[kind].name);
        start_again(rig);
    } else {
        assert_int_equal(told, requests[kind].told);
    }
    const uint64_t now = spent_now(rig, died && tally->total % 20 == 0);
    const uint64_t charged = *spent + amount_of(number);
    if (now != *spent && !(requests[kind].charges && now == charged))
        fail_msg("%s, step %u: %" PRIu64 " spent, %" PRIu64 " before", requests[kind].name, step,
                 now, *spent);
    if (told == 'S' && now != charged)
        fail_msg("step %u: a signature without its charge", step);
    // What was not charged did not use up its code.
    next_counter += now == charged;
    *spent = now;
    return died;
}

TEST(policy_24_66_killed_between_decision_and_reply)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    const unsigned wanted = kill_count(60);
    struct tally tally = { 0 };
    unsigned number = 0, n_signed = 0, n_approved;
    uint64_t spent = 0;
    next_counter = 1;
    rig.reply_ms = HOST_MS * 10;
    rig_start(&rig);
    add_bob(&rig);
    rig_arm(&rig, POLICY);
    // Round after round through every step; a sample goes through them in larger strides.
    const unsigned stride = wanted < 100 ? 5 : 1;
    for (unsigned round = 0; tally.total < wanted; round++)
        for (size_t kind = 0; kind < COUNT(requests) && tally.total < wanted; kind++)
            for (unsigned step = 1 + round % stride; tally.total < wanted; step += stride)
                if (!one_death(&rig, &tally, kind, step, ++number, &spent, &n_signed))
                    break;
    // Without a death at last: what is charged is what the journal has, and no less than was signed.
    assert_false(one_death(&rig, &tally, 0, 0, ++number, &spent, &n_signed));
    assert_int_equal(spent_now(&rig, true), spent);
    assert_int_equal(approved_in_journal(&rig, &n_approved), spent);
    assert_in_range(n_signed, 1, n_approved);
    assert_in_range(spent, 1, LIMIT);
    show(&tally);
    print_message("# counted: %u signatures that hosts have, %u that are charged\n", n_signed,
                  n_approved);
    rig_stop(&rig);
}

// A code that was good is used up, whatever died: a host cannot use it again.
TEST(policy_24_66_a_code_that_was_charged_is_used_up)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    struct tally tally = { 0 };
    unsigned number = 1000000, n_signed = 0, n_tried = 0;
    uint64_t spent = 0;
    next_counter = 1;
    rig.reply_ms = HOST_MS * 10;
    rig_start(&rig);
    add_bob(&rig);
    rig_arm(&rig, POLICY);
    for (unsigned step = 3; step < 40 && n_tried < 2; step += 4) {
        bool died;
        const uint64_t before = spent;
        const bool fell = one_death(&rig, &tally, 0, step, ++number, &spent, &n_signed);
        if (spent == before)
            continue;
        n_tried++;
        // The counter that was used, for a payment that was not.
        next_counter--;
        assert_int_equal(with_host(&rig, sign, ++number, &died), 'R');
        assert_false(died);
        next_counter++;
        if (!fell)
            break;
    }
    assert_in_range(n_tried, 1, 2);
    rig_stop(&rig);
}

// --- Activations: item 36 ---

static void write_policy(char out[static 256], unsigned number, bool boots)
{
    (void)snprintf(out, 256,
                   "{\"notes\":\"number %06u\",\"set_sl\":\"the value %06u\",\"allow_sl\":100,%s"
                   "\"period\":10,\"rules\":[{\"per_period\":%u}]}",
                   number, number, boots ? "\"boot_to_hsm\":\"123456\"," : "", 1000 + number);
}

// The panel says that it is armed: what the operator sees. Keys are worked on behind their reply.
static char seen_armed(const struct rig *rig)
{
    for (int ms = 0; ms < HOST_MS * 10; ms += 5) {
        if (panel_is(rig, PANEL_HSM, false))
            return 'A';
        rig_pause_ms(5);
    }
    return '-';
}

static char arm(const struct rig *rig, unsigned number)
{
    char policy[256];
    write_policy(policy, number, false);
    return rig_try_arm(rig, policy) ? seen_armed(rig) : '-';
}

static char arm_saved(const struct rig *rig, unsigned number)
{
    (void)number;
    return rig_keys(rig, "y") ? seen_armed(rig) : '-';
}

// The number in a policy's summary, and that in the locker: one and the same.
static unsigned armed_number(const struct rig *rig)
{
    AUTO(connection_closep) struct connection *c = rig_connect(rig);
    const struct hsm_status status = rig_status(c);
    const struct request get = { .id = REQUEST_GSLR };
    struct reply reply;
    struct err err;
    unsigned by_summary = 0, by_locker = 0;
    assert_true(status.active);
    if (!connection_call(c, &reply, REPLY_BINY, &get, test_arena(), &err))
        fail_msg("%s", err.text);
    assert_int_equal(
        sscanf(arena_text(test_arena(), status.summary), "=-=\nnumber %u", &by_summary), 1);
    assert_int_equal(sscanf(arena_text(test_arena(), reply.data), "the value %u", &by_locker), 1);
    assert_int_equal(by_summary, by_locker);
    return by_summary;
}

static void check_armed(const struct rig *rig, unsigned old, unsigned new, char told, unsigned *now)
{
    *now = armed_number(rig);
    if (*now != old && *now != new)
        fail_msg("policy %u is armed, neither %u nor %u", *now, old, new);
    if (told == 'A' && *now != new)
        fail_msg("policy %u was armed, and is not any more", new);
}

TEST(policy_24_36_killed_while_a_policy_is_armed)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    const unsigned wanted = kill_count(20);
    struct tally tally = { 0 };
    unsigned number = 1, now = 1, steps[2] = { 1, 1 }; // of a new policy, of the saved one
    const unsigned stride = wanted < 50 ? 3 : 1;
    bool died;
    rig_start(&rig);
    char policy[256];
    write_policy(policy, number, false);
    rig_arm(&rig, policy);
    while (tally.total < wanted) {
        // Back to normal mode: the stored policy is offered, and declined or, every other time, taken.
        const bool saved = number % 2 == 0;
        const unsigned old = now;
        rig_stop(&rig);
        rig_spawn(&rig, false);
        wait_for_panel(&rig, PANEL_NORMAL, true);
        if (!saved)
            assert_true(rig_keys(&rig, "x"));
        if (!saved)
            wait_for_wire(&rig);
        number++;
        die_at(&rig, steps[saved]);
        const char told = with_host(&rig, saved ? arm_saved : arm, number, &died);
        if (died) {
            count_death(&tally, &rig, saved ? "saved policy" : "new policy");
            start_again(&rig);
        }
        check_armed(&rig, old, saved ? old : number, told, &now);
        steps[saved] = died ? steps[saved] + stride : 1 + number / 2 % stride;
    }
    {
        AUTO(connection_closep) struct connection *c = rig_connect(&rig);
        verify_journal(&rig, c);
    }
    show(&tally);
    rig_stop(&rig);
}

// `boot_to_hsm`: whatever dies while it starts by itself, it is armed again, with nothing left to spend
// in the period.
TEST(policy_24_37_killed_while_it_starts_by_itself)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    const unsigned wanted = kill_count(20);
    struct tally tally = { 0 };
    const unsigned stride = wanted < 50 ? 3 : 1;
    unsigned step = 1, n_reads = 0;
    char policy[256], at[16];
    rig_start(&rig);
    write_policy(policy, 7, true);
    rig_arm(&rig, policy);
    rig_stop(&rig);
    while (tally.total < wanted && step < STEPS_MAX) {
        int status;
        (void)snprintf(at, sizeof at, "%u", step);
        assert_int_equal(setenv("CASEMATE_DIE_AT", at, 1), 0);
        rig_spawn(&rig, false);
        assert_int_equal(unsetenv("CASEMATE_DIE_AT"), 0);
        bool died = false;
        for (int ms = 0; !died && ms < START_MS && !panel_is(&rig, PANEL_HSM, false); ms += 5) {
            died = waitpid(rig.pid, &status, WNOHANG) == rig.pid;
            rig_pause_ms(5);
        }
        if (died)
            check_killed(&rig, status);
        else
            died = !put_out(&rig);
        if (died) {
            count_death(&tally, &rig, "start");
            rig_spawn(&rig, false);
            wait_for_panel(&rig, PANEL_HSM, false);
        }
        wait_for_wire(&rig);
        assert_int_equal(spent_now(&rig, tally.total % 20 == 0), 1007);
        if (n_reads++ < 40)
            assert_int_equal(armed_number(&rig), 7);
        rig_stop(&rig);
        step = died ? step + stride : 1 + n_reads % stride;
    }
    show(&tally);
}
