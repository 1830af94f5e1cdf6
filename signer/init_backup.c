#include "signer/init_backup.h"
#include "base/file.h"
#include "policy/canonical.h"
#include "signer/backup_file.h"
#include "signer/init_internal.h"
#include "signer/master.h"
#include <inttypes.h>
#include <sys/stat.h>

#define SEVEN_ZIP_MAGIC BYTES("7z\xbc\xaf\x27\x1c")

// --- The file ---

static bool is_about_words(const struct err *err)
{
    return err->code == ERR_AUTH || strstr(err->text, "word") != NULL;
}

static bool open_sealed(const struct init_options *o, struct bytes *text, struct bytes file,
                        struct arena *arena, struct err *err)
{
    for (;;) {
        AUTO(line_wipe) struct line line;
        struct err wrong;
        if (!init_ask(o, "The 12 words of the backup, in one line:\n", false, &line, err))
            return false;
        if (backup_file_open(text, file, line_bytes(&line), arena, &wrong))
            return true;
        if (!is_about_words(&wrong)) {
            *err = wrong;
            return false;
        }
        init_complain(o, &wrong);
    }
}

static bool read_text(const struct init_options *o, struct bytes *text, struct arena *arena,
                      struct err *err)
{
    struct bytes file;
    if (!file_read(&file, o->backup, BACKUP_FILE_MAX, arena, err))
        return false;
    if (bytes_starts_with(file, SEVEN_ZIP_MAGIC))
        return err_set(err, ERR_UNSUPPORTED,
                       "%s: an archive; unpack it with its words, and restore the text inside",
                       o->backup);
    *text = file;
    return (!backup_file_is_sealed(file) || open_sealed(o, text, file, arena, err)) ||
           err_within(err, "%s", o->backup);
}

// --- The policy ---

// Reads it against the users and wallets beside it, and writes it as we store it.
static bool renew_policy(struct backup *b, struct arena *arena, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(3 * POLICY_ARENA);
    const struct policy_world world = backup_world(b, scratch);
    struct policy *policy = arena_alloc(scratch, sizeof *policy);
    struct writer form = writer_growing(arena, STORE_POLICY_MAX);
    if (policy == NULL)
        return err_set(err, ERR_NO_MEMORY, "the policy is too large");
    if (b->policy.form.len > 0 ? !policy_store_read(policy, b->policy.form, &world, scratch, err)
                               : !policy_parse(policy, b->hsm_policy, &world, scratch, err))
        return false;
    policy_store_write(&form, policy);
    return writer_finish(&form, &b->policy.form) ||
           err_set(err, ERR_NO_MEMORY, "the policy is too large");
}

// A policy that cannot be read is left behind: without one nothing is signed without keys.
static void take_policy(const struct init_options *o, struct backup *b, struct arena *arena)
{
    struct err err;
    if (b->policy.form.len == 0 && b->hsm_policy.len == 0)
        return;
    if (!renew_policy(b, arena, &err)) {
        init_say(o, "The policy was not taken over: ");
        init_complain(o, &err);
        b->policy = (struct store_policy){ 0 };
    }
}

// --- What is in it ---

// Nobody knows how many of their codes were used after the backup: the operator is told.
static void say_counted_users(struct writer *w, const struct backup *b)
{
    const char *before =
        "HOTP codes that were used after it would be good again. Make these users anew: ";
    for (size_t i = 0; i < b->users.n; i++) {
        if (b->users.items[i].mode != USER_HOTP)
            continue;
        writer_printf(w, "%s%.*s", before, BYTES_ARG(user_name(&b->users.items[i])));
        before = ", ";
    }
    if (before[0] == ',')
        writer_text(w, ".\n");
}

static bool say_content(const struct init_options *o, const struct backup *b, struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    char text[1024 + USERS_MAX * USER_NAME_SIZE], when[CLOCK_TEXT_SIZE], xfp[XFP_TEXT_SIZE];
    struct writer w = writer_of(text, sizeof text);
    if (!master_node(&node, b->master, err))
        return false;
    xfp_to_text(xfp, hdpub_xfp(&node.pub));
    clock_to_text(when, b->created_s);
    writer_printf(&w, "The backup of signer %.*s, fingerprint %s, %s.\n",
                  b->is_ours ? (int)b->name.len : 8,
                  b->is_ours ? (const char *)b->name.ptr : "Coldcard", xfp, b->chain->name);
    if (b->created_s > 0)
        writer_printf(&w, "Made %s.\n", when);
    writer_printf(&w, "%zu users, %zu multisig wallets, %s.\n", b->users.n, b->n_wallets,
                  b->policy.form.len > 0 ? "a policy" : "no policy");
    say_counted_users(&w, b);
    o->io.show(o->io.context, writer_bytes(&w));
    return true;
}

static bool check_wallets(const struct backup *b, struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    if (!master_node(&node, b->master, err))
        return false;
    for (size_t i = 0; i < b->n_wallets; i++) {
        AUTO(arena_freep) struct arena *arena = arena_new(1u << 20);
        struct ms_wallet *wallet = arena_alloc(arena, sizeof *wallet);
        if (wallet == NULL || !ms_wallet_load(wallet, b->wallets[i].form, arena, err))
            return false;
        if (ms_wallet_position(wallet, hdpub_xfp(&node.pub)) == wallet->n)
            return err_set(err, ERR_INVALID, "wallet '%s': the key of this backup is not in it",
                           wallet->name);
    }
    return true;
}

// What was used after the backup nobody knows: no TOTP code of a time past is good any more. Those of
// HOTP have no time (docs/backup-format.md).
static void use_up_codes(struct backup *b, int64_t now_s)
{
    const uint64_t step = now_s < 0 ? 0 : (uint64_t)now_s / 30;
    for (size_t i = 0; i < b->users.n; i++) {
        struct user *user = &b->users.items[i];
        if (user->mode == USER_TOTP && user->progress.last < step)
            user->progress.last = step;
    }
}

bool init_read_backup(const struct init_options *o, struct backup *out, struct arena *arena,
                      struct err *err)
{
    struct bytes text;
    if (!read_text(o, &text, arena, err))
        return false;
    if (!backup_text_read(out, text, arena, err) || !check_wallets(out, err))
        return err_within(err, "%s", o->backup);
    use_up_codes(out, o->clock->wall_s(o->clock));
    take_policy(o, out, arena);
    return say_content(o, out, err);
}

struct store_restored init_restored(const struct backup *b)
{
    struct store_restored restored = {
        .users = b->users.items,
        .n_users = b->users.n,
        .wallets = b->wallets,
        .n_wallets = b->n_wallets,
        .policy = b->policy.form.len > 0 ? &b->policy : NULL,
        .past = b->past,
        .counters = b->counters,
        .settings = b->settings,
        .locker = b->locker,
    };
    // "A signer that the limit has stopped does not arm by itself again": nor does one that does not
    // know what was spent.
    restored.counters.stopped = true;
    return restored;
}
