// What can be wrong with a store: in use, damaged anywhere, cut off, set back. It is found out, said
// clearly, and nothing is signed; or it makes no difference.
//
// FAULT_COUNT damages a test.
#include "base/file.h"
#include "base/require.h"
#include "crypto/random.h"
#include "tests/faults/rig.h"
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAMPLE = 40, SATS = 1000 };

#define POLICY "{\"never_log\":true,\"period\":600,\"rules\":[{\"per_period\":2000000000}]}"

// --- Copies of a store ---

enum { DB, WAL, JOURNAL, FILES };
static const char *const names[FILES] = { "signer.db", "signer.db-wal", "journal.jsonl" };

struct copy {
    struct bytes files[FILES];
    bool there[FILES];
};

static const char *path_of(const struct rig *rig, const char *name)
{
    struct writer w = writer_growing(test_arena(), 512);
    writer_printf(&w, "%s/%s", rig->store, name);
    return arena_text(test_arena(), writer_bytes(&w));
}

static struct copy take_copy(const struct rig *rig)
{
    struct copy copy = { 0 };
    struct err ignored;
    for (size_t i = 0; i < FILES; i++)
        copy.there[i] =
            file_read(&copy.files[i], path_of(rig, names[i]), 64u << 20, test_arena(), &ignored);
    return copy;
}

static void put_file(const struct rig *rig, size_t which, struct bytes content)
{
    struct err err;
    if (!file_replace(path_of(rig, names[which]), content, 0600, &err))
        fail_msg("%s", err.text);
}

static void put_copy(const struct rig *rig, const struct copy *copy)
{
    for (size_t i = 0; i < FILES; i++) {
        if (copy->there[i])
            put_file(rig, i, copy->files[i]);
        else
            (void)unlink(path_of(rig, names[i]));
    }
}

// --- A signer with a past ---

static uint64_t sign(const struct rig *rig, unsigned n)
{
    AUTO(connection_closep) struct connection *c = rig_connect(rig);
    AUTO(arena_freep) struct arena *arena = arena_new(1u << 20);
    struct err err;
    for (unsigned i = 0; i < n; i++) {
        if (rig_sign(c, rig_payment(SATS, i), arena, &err) != RIG_SIGNED)
            fail_msg("%s", err.text);
    }
    const struct hsm_status status = rig_status(c);
    return rig_spent(&status);
}

static bool says(const struct rig *rig, const char *text)
{
    const struct bytes said = rig_said(rig);
    return memmem(said.ptr, said.len, text, strlen(text)) != NULL;
}

// How a start went.
enum start { REFUSES, COMES_UP };

// Starts it. If it comes up it has spent as much as it has; if not, it says why, naming what is wrong.
static enum start try_to_start(struct rig *rig, uint64_t spent)
{
    AUTO(connection_closep) struct connection *c = NULL;
    struct err err;
    (void)unlink(rig->log);
    rig_spawn(rig, false);
    for (int ms = 0; rig_runs(rig) && !rig_try_connect(rig, &c, &err); ms += 5) {
        if (ms > 30000)
            fail_msg("neither up nor ended: %.*s", BYTES_ARG(rig_said(rig)));
        rig_pause_ms(5);
        (void)rig_keys(rig, "y");
    }
    if (c != NULL) {
        const struct hsm_status status = rig_status(c);
        if (!status.active || rig_spent(&status) != spent)
            fail_msg("it came up with %llu sat spent, not %llu",
                     (unsigned long long)rig_spent(&status), (unsigned long long)spent);
        rig_stop(rig);
        return COMES_UP;
    }
    const struct bytes said = rig_said(rig);
    const struct bytes last = BYTES("\ncasemate-signer: ");
    // Damage of the PIN's own record cannot be told from a wrong PIN, which has a status of its own.
    assert_int_equal(rig->last_status, (says(rig, "wrong PIN\n") ? 3 : 1) << 8);
    const uint8_t *at = memmem(said.ptr, said.len, last.ptr, last.len);
    if (at == NULL && !bytes_starts_with(said, BYTES("casemate-signer: ")))
        fail_msg("no word why: %.*s", BYTES_ARG(said));
    assert_int_equal(access(rig->socket, F_OK), -1);
    return REFUSES;
}

// With all in signer.db, or, if it was killed, much in the write-ahead log.
static uint64_t make_past(struct rig *rig, struct copy *copy, bool killed)
{
    rig_start(rig);
    rig_arm(rig, POLICY);
    const uint64_t spent = sign(rig, 5);
    rig_pause_ms(200); // the journal's file is up to date
    if (killed) {
        (void)rig_signal(rig, SIGKILL);
        (void)unlink(rig->socket);
        (void)unlink(rig->panel);
    } else {
        rig_stop(rig);
    }
    *copy = take_copy(rig);
    assert_true(copy->there[DB] && copy->there[JOURNAL]);
    return spent;
}

// --- In use ---

TEST(a_second_signer_on_a_store_refuses)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    AUTO(rig_drop) struct rig second = rig_prepare();
    rig_start(&rig);
    (void)snprintf(second.socket, sizeof second.socket, "%.100s/cm-1.sock", second.dir);
    (void)snprintf(second.panel, sizeof second.panel, "%.100s/panel-1.sock", second.dir);
    (void)snprintf(second.log, sizeof second.log, "%.100s/log-1", second.dir);
    rig_spawn(&second, false);
    assert_int_equal(rig_wait(&second), 1 << 8);
    assert_true(says(&second, "store: another casemate-signer has it open\n"));
    assert_int_equal(access(second.socket, F_OK), -1);
    rig_arm(&rig, POLICY);
    assert_int_equal(sign(&rig, 1), SATS);
    rig_stop(&rig);
}

// --- Damaged ---

static uint8_t *writable(struct bytes *content)
{
    struct bytes copy;
    assert_true(arena_copy(test_arena(), *content, &copy));
    *content = copy;
    return (uint8_t *)(uintptr_t)copy.ptr;
}

static void damage(struct bytes *content)
{
    uint8_t *mem = writable(content);
    const uint32_t len = (uint32_t)content->len;
    const uint32_t page = random_below(len / 4096) * 4096, other = random_below(len / 4096) * 4096;
    switch (random_below(6)) {
    case 0: // a bit
    case 1:
    case 2:
        mem[random_below(len)] ^= (uint8_t)(1u << random_below(8));
        break;
    case 3: // a page of zeros
        memset(mem + page, 0, 4096);
        break;
    case 4: // a page in another's place
        memmove(mem + page, mem + other, 4096);
        break;
    default: // cut off
        content->len = random_below(len);
    }
}

static void damage_again_and_again(size_t which, bool killed)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    struct copy copy;
    const uint64_t spent = make_past(&rig, &copy, killed);
    const unsigned n = (unsigned)rig_count(SAMPLE);
    unsigned n_refused = 0;
    assert_true(copy.there[which] && copy.files[which].len >= 4096);
    for (unsigned i = 0; i < n; i++) {
        struct copy damaged = copy;
        damage(&damaged.files[which]);
        put_copy(&rig, &damaged);
        n_refused += try_to_start(&rig, spent) == REFUSES;
    }
    put_copy(&rig, &copy);
    assert_int_equal(try_to_start(&rig, spent), COMES_UP);
    print_message("# counted: %u damages of %s: found in %u, no difference in %u\n", n,
                  names[which], n_refused, n - n_refused);
    assert_true(n_refused > n / 4);
}

TEST(a_damaged_store_is_found_out)
{
    damage_again_and_again(DB, false);
}

// SQLite leaves out what does not check in its log, as after a power cut; the journal's file knows
// what should be there.
TEST(a_damaged_write_ahead_log_is_found_out)
{
    damage_again_and_again(WAL, true);
}

// --- Set back ---

TEST(a_store_that_was_set_back_is_found_out)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    struct copy old, now;
    (void)make_past(&rig, &old, true);
    assert_int_equal(try_to_start(&rig, 5 * SATS), COMES_UP);
    rig_start_offering(&rig);
    assert_true(rig_keys(&rig, "y"));
    const uint64_t spent = sign(&rig, 3);
    rig_pause_ms(200);
    (void)rig_signal(&rig, SIGKILL);
    (void)unlink(rig.socket);
    (void)unlink(rig.panel);
    now = take_copy(&rig);
    // All of the store, then its parts.
    struct copy mixed = now;
    mixed.files[DB] = old.files[DB];
    mixed.files[WAL] = old.files[WAL];
    mixed.there[WAL] = old.there[WAL];
    put_copy(&rig, &mixed);
    assert_int_equal(try_to_start(&rig, spent), REFUSES);
    assert_true(says(&rig, "journal.jsonl: line "));
    assert_true(says(&rig, "is not in the store: it was set back to an older copy"));
    mixed = now; // the old log beside the new file, and no log
    mixed.files[WAL] = old.files[WAL];
    put_copy(&rig, &mixed);
    (void)try_to_start(&rig, spent);
    mixed.there[WAL] = false;
    put_copy(&rig, &mixed);
    (void)try_to_start(&rig, spent);
    mixed = now; // the old file under the new log
    mixed.files[DB] = old.files[DB];
    put_copy(&rig, &mixed);
    (void)try_to_start(&rig, spent);
    put_copy(&rig, &now);
    assert_int_equal(try_to_start(&rig, spent), COMES_UP);
}

// --- Files that are not what they should be ---

TEST(a_store_that_others_may_read_or_write_is_refused)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    struct copy copy;
    const uint64_t spent = make_past(&rig, &copy, false);
    assert_int_equal(chmod(path_of(&rig, names[DB]), 0644), 0);
    assert_int_equal(try_to_start(&rig, spent), REFUSES);
    assert_true(says(&rig, "signer.db: others may read or write it (mode must be 0600)\n"));
    assert_int_equal(chmod(path_of(&rig, names[DB]), 0600), 0);
    assert_int_equal(chmod(rig.store, 0777), 0);
    assert_int_equal(try_to_start(&rig, spent), REFUSES);
    assert_true(says(&rig, "store: others may write to it\n"));
    assert_int_equal(chmod(rig.store, 0700), 0);
    assert_int_equal(unlink(path_of(&rig, names[DB])), 0);
    assert_int_equal(symlink("elsewhere.db", path_of(&rig, names[DB])), 0);
    assert_int_equal(try_to_start(&rig, spent), REFUSES);
    assert_true(says(&rig, "signer.db: is not a plain file\n"));
}
