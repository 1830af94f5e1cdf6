#include "signer/backup.h"
#include "base/file.h"
#include "base/reader.h"
#include "base/require.h"
#include "crypto/random.h"
#include "policy/canonical.h"
#include "signer/init_internal.h"
#include "signer/master.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define POLICY_SCRATCH (3 * POLICY_ARENA)

// --- What there is ---

struct names {
    struct bytes users[USERS_MAX], wallets[STORE_WALLETS_MAX];
};

struct policy_world backup_world(const struct backup *b, struct arena *arena)
{
    struct names *names = arena_alloc(arena, sizeof *names);
    REQUIRE(names != NULL);
    for (size_t i = 0; i < b->users.n; i++)
        names->users[i] = user_name(&b->users.items[i]);
    for (size_t i = 0; i < b->n_wallets; i++)
        names->wallets[i] = b->wallets[i].name;
    return (struct policy_world){ .n_users = b->users.n,
                                  .users = names->users,
                                  .n_wallets = b->n_wallets,
                                  .wallets = names->wallets };
}

// The policy as a Coldcard would have saved it, for who reads the text. None if ours cannot be read.
static void add_reference_form(struct backup *b, struct arena *arena)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(POLICY_SCRATCH);
    const struct policy_world world = backup_world(b, scratch);
    struct policy *policy = arena_alloc(scratch, sizeof *policy);
    struct writer form = writer_growing(arena, STORE_POLICY_MAX);
    struct err ignored;
    REQUIRE(policy != NULL);
    if (b->policy.form.len == 0 ||
        !policy_store_read(policy, b->policy.form, &world, scratch, &ignored))
        return;
    policy_canonical_write(&form, policy);
    if (!writer_finish(&form, &b->hsm_policy))
        b->hsm_policy = (struct bytes){ 0 };
}

static bool gather(struct backup *out, const struct backup_source *s, struct arena *arena,
                   struct err *err)
{
    if (master_kind(s->master) == MASTER_NONE)
        return err_set(err, ERR_STATE, "no seed");
    out->master = secret_new(secret_open(s->master));
    secret_close(s->master);
    out->is_ours = true;
    out->chain = s->chain;
    out->name = bytes_of_text(s->name);
    out->created_s = s->now_s;
    out->counters = store_get_counters(s->store);
    out->settings = store_get_settings(s->store);
    out->head = store_get_head(s->store);
    if (!store_get_users(s->store, out->users.items, &out->users.n, err) ||
        !store_get_wallets(s->store, &out->wallets, &out->n_wallets, arena, err) ||
        !store_get_policy(s->store, &out->policy, arena, err) ||
        !store_get_past(s->store, &out->past, arena, err) ||
        !store_get_locker(s->store, &out->locker, arena, err))
        return false;
    add_reference_form(out, arena);
    return true;
}

bool backup_gather(struct bytes *text, const struct backup_source *source, struct arena *arena,
                   struct err *err)
{
    AUTO(backup_wipe) struct backup backup = { 0 };
    struct writer w = writer_growing(arena, BACKUP_TEXT_MAX);
    if (!gather(&backup, source, arena, err) || !backup_text_write(&w, &backup, err))
        return false;
    *text = writer_bytes(&w);
    return true;
}

bool backup_make(struct writer *w, const struct backup_source *source,
                 const struct backup_words *words, struct vault_cost cost, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(BACKUP_ARENA);
    struct bytes text;
    return backup_gather(&text, source, arena, err) && backup_file_seal(w, text, words, cost, err);
}

// --- The quiz ---

struct backup_quiz backup_quiz_make(void)
{
    struct backup_quiz quiz;
    size_t n = 0;
    // Each number is taken with the chance that is left for it.
    for (unsigned i = 1; i <= BACKUP_WORDS && n < BACKUP_QUIZ_WORDS; i++)
        if (random_below(BACKUP_WORDS - i + 1) < BACKUP_QUIZ_WORDS - n)
            quiz.number[n++] = i;
    return quiz;
}

void backup_quiz_write(struct writer *w, const struct backup_quiz *quiz)
{
    writer_printf(w, "Words %u, %u and %u", quiz->number[0], quiz->number[1], quiz->number[2]);
}

// "words by their first four letters (or whole)", either case.
static bool is_word(struct bytes typed, struct bytes word)
{
    const size_t letters = typed.len < 4 ? word.len : typed.len;
    if (typed.len > word.len || (typed.len < 4 && typed.len != word.len))
        return false;
    uint8_t differs = 0;
    for (size_t i = 0; i < letters; i++)
        differs |= (uint8_t)((typed.ptr[i] | 0x20) ^ word.ptr[i]);
    return differs == 0;
}

bool backup_quiz_is_right(const struct backup_quiz *quiz, const struct backup_words *words,
                          struct bytes answer)
{
    struct reader r = reader_of(bytes_trim(answer));
    for (size_t i = 0; i < BACKUP_QUIZ_WORDS; i++) {
        struct bytes typed = { 0 };
        while (typed.len == 0) {
            if (!reader_until(&r, ' ', &typed))
                return false;
            typed = bytes_trim(typed);
        }
        if (!is_word(typed, backup_words_nth(words, quiz->number[i])))
            return false;
    }
    return reader_done(&r);
}

// --- The verb ---

static void say(const struct backup_options *o, const char *text)
{
    o->io.show(o->io.context, bytes_of_text(text));
}

static bool ask(const struct backup_options *o, const char *question, bool echo, struct line *out,
                struct err *err)
{
    struct writer w = writer_of(out->b, sizeof out->b);
    say(o, question);
    if (!o->io.ask(o->io.context, &w, echo, err))
        return false;
    out->len = w.len;
    return true;
}

static void clear(const struct backup_options *o)
{
    if (o->io.clear != NULL)
        o->io.clear(o->io.context);
}

static bool show_words(const struct backup_options *o, const struct backup_words *words,
                       struct err *err)
{
    AUTO(line_wipe) struct line line;
    say(o, "These words open the backup. They are shown only now. Write them down, in this "
           "order:\n\n");
    for (unsigned i = 1; i <= BACKUP_WORDS; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%4u. ", i);
        say(o, number);
        o->io.show(o->io.context, backup_words_nth(words, i));
        say(o, "\n");
    }
    const bool seen = ask(o, "\nPress Enter when you have them. ", true, &line, err);
    clear(o);
    return seen;
}

static bool quiz(const struct backup_options *o, const struct backup_words *words, struct err *err)
{
    for (;;) {
        AUTO(line_wipe) struct line line;
        char question[64];
        const struct backup_quiz quiz = backup_quiz_make();
        struct writer w = writer_of(question, sizeof question - 1);
        backup_quiz_write(&w, &quiz);
        writer_text(&w, ", from your paper: ");
        question[w.len] = '\0';
        if (!show_words(o, words, err) || !ask(o, question, true, &line, err))
            return false;
        clear(o);
        if (backup_quiz_is_right(&quiz, words, line_bytes(&line)))
            return true;
        say(o, "These are other words.\n");
    }
}

static bool unlock(const struct backup_options *o, struct store *store, struct secret **master,
                   struct err *err)
{
    AUTO(line_wipe) struct line pin = { 0 };
    struct vault vault;
    if (!vault_init(&vault, store, o->clock, o->pin_tries, o->accept_weak, err))
        return false;
    if (o->pin.len > 0)
        return vault_unlock(&vault, master, o->pin, err);
    return ask(o, "PIN: ", false, &pin, err) &&
           vault_unlock(&vault, master, bytes_of(pin.b, pin.len), err);
}

static bool write_file(const struct backup_options *o, struct bytes content, struct err *err)
{
    char text[256];
    struct writer w = writer_of(text, sizeof text - 1);
    const struct hash256 sha = sha256(content);
    if (!file_replace(o->file, content, 0600, err))
        return false;
    writer_printf(&w, "Wrote %zu bytes into: %.100s\nSHA256: ", content.len, o->file);
    writer_hex(&w, BYTES_OF(sha.b));
    writer_text(&w, "\n");
    o->io.show(o->io.context, writer_bytes(&w));
    return true;
}

bool backup_run(const struct backup_options *o, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(2u * BACKUP_FILE_MAX);
    AUTO(store_closep) struct store *store = NULL;
    AUTO(secret_freep) struct secret *master = NULL;
    AUTO(backup_words_wipe) struct backup_words words;
    struct writer file = writer_growing(arena, BACKUP_FILE_MAX);
    struct stat st;
    if (lstat(o->file, &st) == 0 || errno != ENOENT)
        return err_set(err, ERR_EXISTS, "%s: exists already", o->file);
    if (!store_open(&store, o->dir, err) || !unlock(o, store, &master, err))
        return false;
    const struct backup_source source = { .store = store,
                                          .master = master,
                                          .chain = o->chain,
                                          .name = o->name,
                                          .now_s = o->clock->wall_s(o->clock) };
    backup_words_make(&words);
    return quiz(o, &words, err) && backup_make(&file, &source, &words, o->cost, err) &&
           write_file(o, writer_bytes(&file), err);
}
