// Disks that are full or read-only: what cannot be stored is not signed, the text says why, and when
// there is room again it goes on as if nothing had been asked.
//
// A small tmpfs in a mount namespace of the test's own, which needs root or user namespaces; without
// either these are skipped.
#include "base/require.h"
#include "tests/faults/rig.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLICY      "{\"never_log\":true,\"period\":600,\"rules\":[{\"per_period\":2000000000}]}"
#define LOGS_POLICY "{\"must_log\":true,\"period\":600,\"rules\":[{\"per_period\":2000000000}]}"

static bool write_text(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

// A namespace where this process may mount. False if the system lets nobody have one.
static bool own_mounts(void)
{
    char map[64];
    const uid_t uid = geteuid();
    if (unshare(CLONE_NEWNS) == 0)
        return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
    (void)snprintf(map, sizeof map, "%u %u 1", (unsigned)uid, (unsigned)uid);
    return write_text("/proc/self/uid_map", map) &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

// The store lies on a disk of its own, of 1 MiB. False: skip.
static bool small_disk(const struct rig *rig)
{
    return own_mounts() && mount("tmpfs", rig->store, "tmpfs", 0, "size=1m,mode=0700") == 0;
}

// What is mounted would keep the test's directory busy. The signer must be gone.
static void no_disk(struct rig *rig, const char *path)
{
    rig_drop(rig);
    assert_int_equal(umount2(path, MNT_DETACH), 0);
}

static void fill(const struct rig *rig)
{
    static const uint8_t page[4096] = { 1 };
    char path[RIG_PATH + 16];
    (void)snprintf(path, sizeof path, "%s/ballast", rig->store);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, page, sizeof page) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    (void)close(fd);
}

static void make_room(const struct rig *rig)
{
    char path[RIG_PATH + 16];
    (void)snprintf(path, sizeof path, "%s/ballast", rig->store);
    assert_int_equal(unlink(path), 0);
}

static bool says(const struct rig *rig, const char *text)
{
    const struct bytes said = rig_said(rig);
    return memmem(said.ptr, said.len, text, strlen(text)) != NULL;
}

// Asks until the disk has no room left inside the store's own files either.
static unsigned sign_until_it_fails(struct connection *c, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1u << 20);
    unsigned n = 0;
    while (rig_sign(c, rig_payment(1000, n), arena, err) == RIG_SIGNED)
        REQUIRE(++n < 2000);
    return n;
}

TEST(on_a_full_disk_nothing_is_signed)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    struct err err;
    if (!small_disk(&rig))
        skip();
    rig_start(&rig);
    rig_arm(&rig, POLICY);
    fill(&rig);
    struct connection *c = rig_connect(&rig);
    const unsigned n_signed = sign_until_it_fails(c, &err);
    assert_non_null(strstr(err.text, "Signing failed late"));
    struct hsm_status status = rig_status(c); // it answers
    assert_int_equal(rig_spent(&status), (uint64_t)n_signed * 1000);
    assert_int_equal(status.approvals, n_signed);
    make_room(&rig);
    AUTO(arena_freep) struct arena *arena = arena_new(1u << 20);
    assert_int_equal(rig_sign(c, rig_payment(1000, 3000), arena, &err), RIG_SIGNED);
    // It dies on a full disk, and does not come up on it, or comes up with all that was spent.
    fill(&rig);
    connection_close(c);
    (void)rig_signal(&rig, SIGKILL);
    (void)unlink(rig.socket);
    (void)unlink(rig.panel);
    rig_spawn(&rig, false);
    for (int ms = 0; rig_runs(&rig) && access(rig.panel, F_OK) != 0 && ms < 20000; ms += 10)
        rig_pause_ms(10);
    rig_pause_ms(300);
    if (!rig_runs(&rig)) {
        assert_int_equal(rig.last_status, 1 << 8);
        assert_true(says(&rig, "signer.db: database or disk is full\n") ||
                    says(&rig, "signer.db: No space left on device\n"));
    } else {
        rig_stop(&rig);
    }
    make_room(&rig);
    rig_start_offering(&rig);
    for (int ms = 0; rig_state(&rig) != PANEL_HSM && ms < 20000; ms += 50) {
        rig_pause_ms(50);
        (void)rig_keys(&rig, "y");
    }
    c = rig_connect(&rig);
    status = rig_status(c);
    assert_int_equal(rig_spent(&status), ((uint64_t)n_signed + 1) * 1000);
    connection_close(c);
    rig_stop(&rig);
    no_disk(&rig, rig.store);
}

// policy.md 17.5: "with `must_log` a failed flush is a refusal".
TEST(on_a_full_card_must_log_refuses)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    char card[RIG_PATH + 16];
    struct err err;
    (void)snprintf(card, sizeof card, "%s/card", rig.store);
    if (!own_mounts())
        skip();
    rig_start(&rig); // makes the card's folder
    rig_stop(&rig);
    if (mount("tmpfs", card, "tmpfs", 0, "size=32k,mode=0700") != 0)
        skip();
    rig_start(&rig);
    rig_arm(&rig, LOGS_POLICY);
    AUTO(connection_closep) struct connection *c = rig_connect(&rig);
    const unsigned n_signed = sign_until_it_fails(c, &err);
    assert_int_equal(err.code, ERR_REFUSED);
    assert_in_range(n_signed, 1, 20);
    const struct hsm_status status = rig_status(c);
    assert_bytes_text(status.last_refusal, "Could not log details, and must_log is set");
    assert_int_equal(rig_spent(&status), (uint64_t)n_signed * 1000);
    rig_stop(&rig);
    no_disk(&rig, card);
}

TEST(on_a_read_only_disk_it_does_not_start)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    if (!small_disk(&rig))
        skip();
    rig_start(&rig);
    rig_stop(&rig);
    assert_int_equal(mount("tmpfs", rig.store, NULL, MS_REMOUNT | MS_RDONLY, "size=1m"), 0);
    rig_spawn(&rig, false);
    assert_int_equal(rig_wait(&rig), 1 << 8);
    if (!says(&rig, "signer.db: Read-only file system\n"))
        fail_msg("%.*s", BYTES_ARG(rig_said(&rig)));
    assert_int_equal(access(rig.socket, F_OK), -1);
    assert_int_equal(mount("tmpfs", rig.store, NULL, MS_REMOUNT, "size=1m"), 0);
    rig_start(&rig);
    rig_stop(&rig);
    no_disk(&rig, rig.store);
}
