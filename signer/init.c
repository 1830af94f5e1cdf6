// The seed is there before the store is made, and the store is made in one go; what was made is
// removed if any of it fails.
#include "signer/init.h"
#include "signer/init_backup.h"
#include "signer/init_internal.h"
#include "signer/master.h"
#include <errno.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096, WORDS_UNLESS_SAID = 24 };

// --- Talking ---

void line_wipe(struct line *line)
{
    wipe(line, sizeof *line);
}

struct bytes line_bytes(const struct line *line)
{
    return bytes_trim(bytes_of(line->b, line->len));
}

void words_wipe(struct words *words)
{
    wipe(words, sizeof *words);
}

void init_say(const struct init_options *o, const char *text)
{
    o->io.show(o->io.context, bytes_of_text(text));
}

bool init_ask(const struct init_options *o, const char *question, bool echo, struct line *out,
              struct err *err)
{
    struct writer w = writer_of(out->b, sizeof out->b);
    init_say(o, question);
    if (!o->io.ask(o->io.context, &w, echo, err))
        return false;
    out->len = w.len;
    return true;
}

void init_clear(const struct init_options *o)
{
    if (o->io.clear)
        o->io.clear(o->io.context);
}

// Says what was wrong with an answer; the question comes again.
void init_complain(const struct init_options *o, const struct err *err)
{
    const size_t len = strlen(err->text);
    init_say(o, err->text);
    init_say(o, len > 0 && err->text[len - 1] == '.' ? "\n" : ".\n");
}

// One of the characters of `choices`.
bool init_choose(const struct init_options *o, const char *question, const char *choices, char *out,
                 struct err *err)
{
    for (;;) {
        AUTO(line_wipe) struct line line;
        if (!init_ask(o, question, true, &line, err))
            return false;
        const struct bytes answer = line_bytes(&line);
        if (answer.len == 1 && answer.ptr[0] != 0 && strchr(choices, answer.ptr[0])) {
            *out = (char)answer.ptr[0];
            return true;
        }
    }
}

// Twice the same, without echo. An empty first one is taken at once if it may be.
static bool ask_twice(const struct init_options *o, const char *question, const char *again,
                      bool may_be_empty, struct line *out, struct err *err)
{
    for (;;) {
        AUTO(line_wipe) struct line second = { 0 };
        if (!init_ask(o, question, false, out, err))
            return false;
        if (out->len == 0 && may_be_empty)
            return true;
        if (!init_ask(o, again, false, &second, err))
            return false;
        if (ct_equal(bytes_of(out->b, out->len), bytes_of(second.b, second.len)))
            return true;
        init_say(o, "These two differ.\n");
    }
}

// --- The master secret ---

static bool type_words(const struct init_options *o, struct words *out, struct err *err)
{
    for (;;) {
        AUTO(line_wipe) struct line line;
        struct err wrong;
        struct writer w = writer_of(out->b, sizeof out->b);
        if (!init_ask(o, "The 12, 18 or 24 words, in one line:\n", false, &line, err))
            return false;
        if (mnemonic_normalize(&w, line_bytes(&line), &wrong)) {
            out->len = w.len;
            return true;
        }
        init_complain(o, &wrong);
    }
}

static bool add_passphrase(const struct init_options *o, struct secret **out,
                           const struct words *words, struct err *err)
{
    for (;;) {
        AUTO(line_wipe) struct line line = { 0 };
        struct err wrong;
        if (!ask_twice(o, "BIP-39 passphrase, if any (it is part of the backup): ",
                       "The passphrase again: ", true, &line, err))
            return false;
        if (master_of_words(out, bytes_of(words->b, words->len), bytes_of(line.b, line.len),
                            &wrong))
            return true;
        init_complain(o, &wrong);
    }
}

static bool type_xprv(const struct init_options *o, struct secret **out, struct err *err)
{
    for (;;) {
        AUTO(line_wipe) struct line line;
        struct err wrong;
        bool is_main;
        if (!init_ask(o, "The extended private key, in one line:\n", false, &line, err))
            return false;
        if (!master_of_xprv(out, &is_main, line_bytes(&line), &wrong)) {
            init_complain(o, &wrong);
            continue;
        }
        if (!is_main)
            init_say(o, "This is a test network's key: set chain = XTN (or XRT) in signer.conf.\n");
        return true;
    }
}

static bool choose_source(const struct init_options *o, enum init_source *out, struct err *err)
{
    static const enum init_source sources[] = { INIT_GENERATE, INIT_WORDS, INIT_XPRV };
    char choice;
    *out = o->source;
    if (o->source != INIT_ASK)
        return true;
    init_say(o, "The seed of this signer:\n"
                "  1  make a new one, from this machine's random bytes and your dice or coins\n"
                "  2  type BIP-39 words\n"
                "  3  type an extended private key\n"
                "  q  give up\n");
    if (!init_choose(o, "Which? ", "123q", &choice, err))
        return false;
    if (choice == 'q')
        return err_set(err, ERR_REFUSED, "given up; nothing was made");
    *out = sources[choice - '1'];
    return true;
}

static bool get_secret(const struct init_options *o, struct secret **out, struct err *err)
{
    AUTO(words_wipe) struct words words = { 0 };
    enum init_source source;
    if (!choose_source(o, &source, err))
        return false;
    if (source == INIT_XPRV)
        return type_xprv(o, out, err);
    if (source == INIT_GENERATE ? !init_new_words(o, &words, err) : !type_words(o, &words, err))
        return false;
    return add_passphrase(o, out, &words, err);
}

// --- The PIN ---

static bool get_pin(const struct init_options *o, struct line *out, struct err *err)
{
    if (o->pin.len > 0) {
        struct writer w = writer_of(out->b, sizeof out->b);
        writer_put(&w, o->pin);
        out->len = w.len;
        return vault_check_pin(o->pin, err);
    }
    for (;;) {
        struct err wrong;
        if (!ask_twice(o, "PIN (6 to 64 characters): ", "The PIN again: ", false, out, err))
            return false;
        if (vault_check_pin(bytes_of(out->b, out->len), &wrong))
            return true;
        init_complain(o, &wrong);
    }
}

// --- Making it ---

// A store without a PIN is what an interrupted init left.
static bool open_empty(struct store **out, const char *dir, struct err *err)
{
    const struct clock clock = clock_system();
    struct vault vault;
    if (!store_open(out, dir, err))
        return false;
    if (vault_init(&vault, *out, &clock, 0, true, err) && vault.state == VAULT_EMPTY)
        return true;
    store_closep(out);
    return err_set(err, ERR_EXISTS, "%s: there is a signer already", dir);
}

// The journal of a signer that is gone: its lines would not be this one's.
static bool has_journal(const char *dir)
{
    char path[PATH_SIZE];
    struct stat st;
    const int len = snprintf(path, sizeof path, "%s/journal.jsonl", dir);
    return len > 0 && (size_t)len < sizeof path && lstat(path, &st) == 0;
}

// Before the first question: what could not be made in the end.
static bool check_free(const char *dir, struct err *err)
{
    struct store *store;
    if (has_journal(dir))
        return err_set(err, ERR_EXISTS, "%s: there is the journal of a signer; move it away", dir);
    if (open_empty(&store, dir, err)) {
        store_close(store);
        return true;
    }
    return err->code == ERR_NOT_FOUND;
}

static bool make_folder(const struct init_options *o, bool *made, struct err *err)
{
    *made = mkdir(o->dir, 0710) == 0;
    if (!*made)
        return errno == EEXIST || err_set_errno(err, errno, "%s", o->dir);
    // The umask may have taken the group's part.
    if ((o->has_group && chown(o->dir, (uid_t)-1, o->group) != 0) || chmod(o->dir, 0710) != 0)
        return err_set_errno(err, errno, "%s", o->dir);
    return true;
}

static void remove_file(const char *dir, const char *name)
{
    char path[PATH_SIZE];
    const int len = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (len > 0 && (size_t)len < sizeof path)
        (void)unlink(path);
}

static bool make_store(const struct init_options *o, struct bytes pin, struct bytes secret,
                       const struct store_restored *restored, struct err *err)
{
    AUTO(store_closep) struct store *store = NULL;
    if (!open_empty(&store, o->dir, err) &&
        (err->code != ERR_NOT_FOUND || !store_create(&store, o->dir, err)))
        return false;
    if (vault_restore(store, pin, secret, o->cost, restored, err))
        return true;
    store_closep(&store);
    remove_file(o->dir, STORE_FILE);
    remove_file(o->dir, STORE_FILE "-wal");
    return false;
}

static bool say_done(const struct init_options *o, const struct secret *secret, struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey master = { 0 };
    char xfp[XFP_TEXT_SIZE];
    if (!master_node(&master, secret, err))
        return false;
    xfp_to_text(xfp, hdpub_xfp(&master.pub));
    init_say(o, "Done. The master fingerprint is ");
    init_say(o, xfp);
    init_say(o, ".\n");
    return true;
}

static bool gather_and_make(const struct init_options *o, struct secret **secret, struct err *err)
{
    AUTO(line_wipe) struct line pin = { 0 };
    if (!get_secret(o, secret, err) || !get_pin(o, &pin, err))
        return false;
    const bool made = make_store(o, bytes_of(pin.b, pin.len), secret_open(*secret), NULL, err);
    secret_close(*secret);
    return made && say_done(o, *secret, err);
}

static bool read_and_make(const struct init_options *o, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(BACKUP_ARENA);
    AUTO(backup_wipe) struct backup backup = { 0 };
    AUTO(line_wipe) struct line pin = { 0 };
    if (!init_read_backup(o, &backup, arena, err) || !get_pin(o, &pin, err))
        return false;
    const struct store_restored restored = init_restored(&backup);
    const bool made =
        make_store(o, bytes_of(pin.b, pin.len), secret_open(backup.master), &restored, err);
    secret_close(backup.master);
    if (!made || !say_done(o, backup.master, err))
        return false;
    if (backup.chain->id != CHAIN_BTC) {
        init_say(o, "It is a test network's: set chain = ");
        init_say(o, backup.chain->code);
        init_say(o, " in signer.conf.\n");
    }
    return true;
}

bool init_run(const struct init_options *options, struct err *err)
{
    AUTO(secret_freep) struct secret *secret = NULL;
    struct init_options o = *options;
    bool made_folder = false;
    if (o.n_words == 0)
        o.n_words = WORDS_UNLESS_SAID;
    if (o.n_words != 12 && o.n_words != 18 && o.n_words != 24)
        return err_set(err, ERR_USAGE, "a seed has 12, 18 or 24 words");
    // What cannot be made in the end is better known before the first question.
    const bool made =
        check_free(o.dir, err) && make_folder(&o, &made_folder, err) &&
        (o.source == INIT_BACKUP ? read_and_make(&o, err) : gather_and_make(&o, &secret, err));
    if (!made && made_folder)
        (void)rmdir(o.dir);
    return made;
}
