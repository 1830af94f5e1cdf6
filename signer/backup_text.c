#include "signer/backup_text.h"
#include "base/hex.h"
#include "base/reader.h"
#include "signer/backup_secret.h"

#define KEY_MAX      64
#define RECORD_ARENA (1u << 20)

void backup_wipe(struct backup *backup)
{
    secret_free(backup->master);
    wipe(backup, sizeof *backup);
}

// --- Lines ---

enum key {
    KEY_MNEMONIC,
    KEY_XPRV,
    KEY_RAW_SECRET,
    KEY_CHAIN,
    KEY_SERIAL,
    KEY_USERS,
    KEY_WALLETS,
    KEY_HSM_COMMANDS,
    KEY_HSM_POLICY,
    KEY_VERSION,
    KEY_NAME,
    KEY_CREATED,
    KEY_PASSPHRASE,
    KEY_POLICY,
    KEY_SL_HASH,
    KEY_FULL_HASH,
    KEY_PAST,
    KEY_COUNTERS,
    KEY_LOCKER,
    KEY_SERIALS,
    KEY_JOURNAL,
    KEY_COUNT
};

static const struct {
    const char *name;
    enum json_type type;
} keys[KEY_COUNT] = {
    [KEY_MNEMONIC] = { "mnemonic", JSON_STRING },
    [KEY_XPRV] = { "xprv", JSON_STRING },
    [KEY_RAW_SECRET] = { "raw_secret", JSON_STRING },
    [KEY_CHAIN] = { "chain", JSON_STRING },
    [KEY_SERIAL] = { "serial", JSON_STRING },
    [KEY_USERS] = { "setting.usr", JSON_OBJECT },
    [KEY_WALLETS] = { "setting.multisig", JSON_ARRAY },
    [KEY_HSM_COMMANDS] = { "setting.hsmcmd", JSON_NULL }, // true, or 1
    [KEY_HSM_POLICY] = { "hsm_policy", JSON_NULL },       // a text of JSON, or JSON
    [KEY_VERSION] = { "casemate.version", JSON_NUMBER },
    [KEY_NAME] = { "casemate.name", JSON_STRING },
    [KEY_CREATED] = { "casemate.created", JSON_NUMBER },
    [KEY_PASSPHRASE] = { "casemate.passphrase", JSON_STRING },
    [KEY_POLICY] = { "casemate.policy", JSON_STRING },
    [KEY_SL_HASH] = { "casemate.sl_hash", JSON_STRING },
    [KEY_FULL_HASH] = { "casemate.policy_hash_full", JSON_STRING },
    [KEY_PAST] = { "casemate.spent", JSON_OBJECT },
    [KEY_COUNTERS] = { "casemate.counters", JSON_OBJECT },
    [KEY_LOCKER] = { "casemate.locker", JSON_STRING },
    [KEY_SERIALS] = { "casemate.serials", JSON_OBJECT },
    [KEY_JOURNAL] = { "casemate.journal", JSON_OBJECT },
};

struct reading {
    const struct json *values[KEY_COUNT]; // NULL: not there
    unsigned lines[KEY_COUNT];
    struct arena *arena;
};

static bool bad(enum key key, const char *what, struct err *err)
{
    return err_set(err, ERR_MALFORMED, "%s: %s", keys[key].name, what);
}

static enum key find_key(struct bytes name)
{
    enum key key = KEY_MNEMONIC;
    while (key < KEY_COUNT && !bytes_equal_text(name, keys[key].name))
        key++;
    return key;
}

static bool take_value(struct reading *in, enum key key, struct bytes text, unsigned line,
                       struct err *err)
{
    struct err ignored; // may quote a secret
    if (in->lines[key] != 0)
        return err_set(err, ERR_MALFORMED, "line %u: %s stands on line %u already", line,
                       keys[key].name, in->lines[key]);
    in->lines[key] = line;
    if (!json_parse(&in->values[key], text, in->arena, &ignored))
        return ignored.code == ERR_NO_MEMORY
                   ? err_set(err, ERR_NO_MEMORY, "the backup is too large")
                   : err_set(err, ERR_MALFORMED, "line %u: %s: not a value of JSON", line,
                             keys[key].name);
    if (keys[key].type != JSON_NULL && in->values[key]->type != keys[key].type)
        return err_set(err, ERR_MALFORMED, "line %u: %s: a value of another kind", line,
                       keys[key].name);
    return true;
}

static bool take_line(struct reading *in, struct bytes line, unsigned number, struct err *err)
{
    struct reader r = reader_of(line);
    struct bytes name;
    if (line.len == 0 || line.ptr[0] == '#')
        return true;
    if (!reader_until(&r, '=', &name) || name.len == line.len)
        return err_set(err, ERR_MALFORMED, "line %u: not `key = value`", number);
    name = bytes_trim(name);
    const enum key key = find_key(name);
    if (key < KEY_COUNT)
        return take_value(in, key, bytes_trim(reader_rest(&r)), number, err);
    if (bytes_starts_with(name, BYTES("casemate.")))
        return err_set(err, ERR_UNSUPPORTED, "line %u: %.*s: made by a newer program?", number,
                       name.len < KEY_MAX ? (int)name.len : KEY_MAX, (const char *)name.ptr);
    return true;
}

static bool take_lines(struct reading *in, struct bytes text, struct err *err)
{
    struct reader r = reader_of(text);
    struct bytes line;
    for (unsigned number = 1; reader_until(&r, '\n', &line); number++)
        if (!take_line(in, bytes_trim(line), number, err))
            return false;
    return true;
}

// --- Values ---

static struct bytes text_of(const struct reading *in, enum key key)
{
    return in->values[key] != NULL ? in->values[key]->text : (struct bytes){ 0 };
}

static bool hash_of(const struct reading *in, enum key key, struct hash256 *out, bool *found,
                    struct err *err)
{
    *found = in->values[key] != NULL;
    return !*found || hex_decode(out->b, sizeof out->b, text_of(in, key)) ||
           bad(key, "not 64 hex digits", err);
}

static bool hex_in_arena(struct bytes *out, struct bytes text, struct arena *arena)
{
    uint8_t *mem = arena_alloc(arena, text.len / 2);
    *out = bytes_of(mem, text.len / 2);
    return mem != NULL && hex_decode(mem, text.len / 2, text);
}

static bool count_of(const struct json *object, const char *name, uint64_t *out)
{
    const struct json *value = json_get(object, name);
    int64_t number;
    if (value == NULL || !json_integer(value, &number, NULL) || number < 0)
        return false;
    *out = (uint64_t)number;
    return true;
}

// --- The secret ---

static bool read_master(const struct reading *in, struct backup *out, struct err *err)
{
    const struct backup_secret texts = { .mnemonic = text_of(in, KEY_MNEMONIC),
                                         .passphrase = text_of(in, KEY_PASSPHRASE),
                                         .raw_secret = text_of(in, KEY_RAW_SECRET),
                                         .xprv = text_of(in, KEY_XPRV) };
    return backup_secret_read(&out->master, &texts, err);
}

// --- Users and wallets ---

static bool set_serial(struct user *user, struct bytes serial, enum key key, struct err *err)
{
    if (serial.len >= sizeof user->salt_serial || !bytes_is_printable_ascii(serial))
        return bad(key, "not a serial number", err);
    memset(user->salt_serial, 0, sizeof user->salt_serial);
    if (serial.len > 0)
        memcpy(user->salt_serial, serial.ptr, serial.len);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return bytes_compare(user_name(a), user_name(b));
}

static bool read_users(const struct reading *in, struct backup *out, struct err *err)
{
    const struct json *map = in->values[KEY_USERS], *serials = in->values[KEY_SERIALS];
    const struct json *item = map != NULL ? map->items : NULL;
    for (; item != NULL; item = item->next) {
        struct user *user = &out->users.items[out->users.n];
        if (out->users.n == USERS_MAX)
            return bad(KEY_USERS, "too many", err);
        if (!user_record_read(user, item->key, item->text, err))
            return err_within(err, "%s", keys[KEY_USERS].name);
        out->users.n++;
        if (user->mode != USER_PASSWORD)
            continue;
        // A Coldcard salts with its own number, which only its clients know: policy.md D33.
        if (!set_serial(user, text_of(in, KEY_SERIAL), KEY_SERIAL, err))
            return false;
        for (const struct json *s = serials != NULL ? serials->items : NULL; s != NULL; s = s->next)
            if (bytes_equal(s->key, item->key) && s->type == JSON_STRING &&
                !set_serial(user, s->text, KEY_SERIALS, err))
                return false;
    }
    qsort(out->users.items, out->users.n, sizeof out->users.items[0], by_name);
    return true;
}

static bool read_wallet(struct store_wallet *out, const struct json *record, struct arena *arena,
                        struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(RECORD_ARENA);
    struct ms_wallet *wallet = arena_alloc(scratch, sizeof *wallet);
    struct writer form = writer_growing(arena, STORE_WALLET_MAX);
    if (wallet == NULL)
        return err_set(err, ERR_NO_MEMORY, "the backup is too large");
    if (!ms_wallet_load(wallet, record->text, scratch, err))
        return err_within(err, "%s", keys[KEY_WALLETS].name);
    ms_wallet_store(&form, wallet); // as we write it
    return (writer_finish(&form, &out->form) &&
            arena_copy(arena, bytes_of_text(wallet->name), &out->name)) ||
           err_set(err, ERR_NO_MEMORY, "the backup is too large");
}

static bool is_repeated(const struct store_wallet *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes_equal(list[i].name, list[n].name))
            return true;
    return false;
}

static bool read_wallets(const struct reading *in, struct backup *out, struct err *err)
{
    const struct json *array = in->values[KEY_WALLETS];
    if (array == NULL)
        return true;
    if (array->n_items > STORE_WALLETS_MAX)
        return bad(KEY_WALLETS, "too many", err);
    struct store_wallet *list = arena_array(in->arena, array->n_items, sizeof *list);
    if (list == NULL)
        return err_set(err, ERR_NO_MEMORY, "the backup is too large");
    for (const struct json *item = array->items; item != NULL; item = item->next) {
        if (!read_wallet(&list[out->n_wallets], item, in->arena, err))
            return false;
        if (is_repeated(list, out->n_wallets))
            return bad(KEY_WALLETS, "two wallets of one name", err);
        out->n_wallets++;
    }
    out->wallets = list;
    return true;
}

// --- Policy, and what counts against it ---

static bool read_policy(const struct reading *in, struct backup *out, struct err *err)
{
    const struct json *theirs = in->values[KEY_HSM_POLICY];
    bool has_full;
    out->policy.form = text_of(in, KEY_POLICY);
    if (out->policy.form.len > STORE_POLICY_MAX)
        return bad(KEY_POLICY, "too long", err);
    // A text that holds JSON, or the JSON itself: both are its `text`.
    if (theirs != NULL && theirs->type != JSON_STRING && theirs->type != JSON_OBJECT &&
        theirs->type != JSON_NULL)
        return bad(KEY_HSM_POLICY, "not a policy", err);
    if (theirs != NULL && theirs->type != JSON_NULL)
        out->hsm_policy = theirs->text;
    return hash_of(in, KEY_SL_HASH, &out->policy.sl_hash, &out->policy.has_sl_hash, err) &&
           hash_of(in, KEY_FULL_HASH, &out->policy.full_hash, &has_full, err);
}

static bool read_past(const struct reading *in, struct backup *out, struct err *err)
{
    const struct json *map = in->values[KEY_PAST];
    if (map == NULL)
        return true;
    struct store_past_item *items = arena_array(in->arena, map->n_items, sizeof *items);
    if (items == NULL || map->n_items > STORE_PAST_MAX)
        return bad(KEY_PAST, "too many", err);
    for (const struct json *item = map->items; item != NULL; item = item->next) {
        struct store_past_item *past = &items[out->past.n++];
        if (item->type != JSON_STRING || !hex_decode(past->policy_hash.b, 32, item->key) ||
            !hex_in_arena(&past->state, item->text, in->arena))
            return bad(KEY_PAST, "not hashes and hex digits", err);
    }
    out->past.items = items;
    return true;
}

static bool read_counters(const struct reading *in, struct backup *out, struct err *err)
{
    const struct json *map = in->values[KEY_COUNTERS];
    return map == NULL ||
           (count_of(map, "approvals", &out->counters.approvals) &&
            count_of(map, "refusals", &out->counters.refusals) &&
            count_of(map, "locker_reads", &out->counters.locker_reads)) ||
           bad(KEY_COUNTERS, "not three numbers", err);
}

static bool read_journal(const struct reading *in, struct backup *out, struct err *err)
{
    const struct json *map = in->values[KEY_JOURNAL];
    const struct json *hash = map != NULL ? json_get(map, "hash") : NULL;
    return map == NULL ||
           (count_of(map, "seq", &out->head.seq) && hash != NULL && hash->type == JSON_STRING &&
            hex_decode(out->head.hash.b, sizeof out->head.hash.b, hash->text)) ||
           bad(KEY_JOURNAL, "not the head of a journal", err);
}

static bool read_settings(const struct reading *in, struct backup *out, struct err *err)
{
    const struct json *on = in->values[KEY_HSM_COMMANDS];
    int64_t number = 0;
    if (on == NULL)
        return true;
    out->settings.has_hsm_commands = true;
    out->settings.hsm_commands =
        on->type == JSON_TRUE || (json_integer(on, &number, NULL) && number == 1);
    return on->type == JSON_TRUE || on->type == JSON_FALSE || on->type == JSON_NUMBER ||
           bad(KEY_HSM_COMMANDS, "neither true nor false", err);
}

static bool read_plain(const struct reading *in, struct backup *out, struct err *err)
{
    const struct json *version = in->values[KEY_VERSION], *created = in->values[KEY_CREATED];
    const struct bytes chain = text_of(in, KEY_CHAIN);
    int64_t number = 0;
    out->is_ours = version != NULL;
    if (version != NULL && (!json_integer(version, &number, NULL) || number != BACKUP_VERSION))
        return err_set(err, ERR_UNSUPPORTED, "casemate.version: this program reads version %d",
                       BACKUP_VERSION);
    if (created != NULL && !json_integer(created, &out->created_s, NULL))
        return bad(KEY_CREATED, "not a time", err);
    out->chain = chain_by_code(chain.len > 0 ? chain : BYTES("BTC"));
    if (out->chain == NULL)
        return bad(KEY_CHAIN, "neither BTC nor XTN nor XRT", err);
    out->name = text_of(in, KEY_NAME);
    if (text_of(in, KEY_LOCKER).len > 2 * STORE_LOCKER_MAX ||
        !hex_in_arena(&out->locker, text_of(in, KEY_LOCKER), in->arena))
        return bad(KEY_LOCKER, "not at most 414 bytes as hex digits", err);
    return true;
}

bool backup_text_read(struct backup *out, struct bytes text, struct arena *arena, struct err *err)
{
    AUTO(backup_wipe) struct backup backup = { 0 };
    struct reading in = { .arena = arena };
    if (text.len > BACKUP_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "a backup has at most %u bytes", BACKUP_TEXT_MAX);
    if (!take_lines(&in, text, err) || !read_plain(&in, &backup, err) ||
        !read_users(&in, &backup, err) || !read_wallets(&in, &backup, err) ||
        !read_policy(&in, &backup, err) || !read_past(&in, &backup, err) ||
        !read_counters(&in, &backup, err) || !read_journal(&in, &backup, err) ||
        !read_settings(&in, &backup, err) || !read_master(&in, &backup, err))
        return false;
    *out = backup;
    backup = (struct backup){ 0 }; // the caller's now
    return true;
}
