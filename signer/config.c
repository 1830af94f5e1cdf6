#include "signer/config.h"
#include "base/conf.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/reader.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { IDLE_MIN_MAX = 525600, PIN_TRIES_MAX = 1000, FILE_MEMORY = 1 << 20 };

// --- The keys ---

struct choice {
    const char *text;
    int value;
};

static const struct choice chains[] = {
    { "BTC", CHAIN_BTC }, { "XTN", CHAIN_XTN }, { "XRT", CHAIN_XRT }, { NULL, 0 }
};
static const struct choice units[] = {
    { "8", UNIT_COIN }, { "5", UNIT_MILLI }, { "2", UNIT_BITS }, { "0", UNIT_SATS }, { NULL, 0 }
};
static const struct choice fee_limits[] = {
    { "10", 10 }, { "25", 25 }, { "50", 50 }, { "-1", -1 }, { NULL, 0 }
};
static const struct choice pms_values[] = { { "0", 0 }, { "1", 1 }, { "2", 2 }, { NULL, 0 } };
// The reference's settings are numbers; people write on and off. The first is the one we write.
static const struct choice switches[] = {
    { "on", 1 }, { "off", 0 }, { "1", 1 }, { "0", 0 }, { NULL, 0 }
};

enum kind { KIND_SWITCH, KIND_CHOICE, KIND_COUNT, KIND_HASHES, KIND_PATH };

struct key {
    const char *name;
    size_t at; // offset in struct config: bool, int or an enum, uint32_t, char[]
    const struct choice *choices;
    const char *what; // it must be
    uint32_t max;
    enum kind kind;
};

#define SWITCH(name, member)                                                                       \
    {                                                                                              \
        name, offsetof(struct config, member), switches, "on or off", 0, KIND_SWITCH               \
    }
#define CHOICE(name, member, choices, what)                                                        \
    {                                                                                              \
        name, offsetof(struct config, member), choices, what, 0, KIND_CHOICE                       \
    }
#define NUMBER(name, member, max, what)                                                            \
    {                                                                                              \
        name, offsetof(struct config, member), NULL, what, max, KIND_COUNT                         \
    }

static const struct key keys[] = {
    CHOICE("chain", chain, chains, "BTC, XTN or XRT"),
    SWITCH("hsm_commands", hsm_commands),
    CHOICE("rz", unit, units, "8, 5, 2 or 0"),
    CHOICE("fee_limit", fee_limit_pct, fee_limits, "10, 25, 50 or -1"),
    SWITCH("sighshchk", sighash_allow),
    CHOICE("pms", pms, pms_values, "0, 1 or 2"),
    SWITCH("unsort_ms", unsort_ms),
    SWITCH("multisig_checks", multisig_checks),
    NUMBER("idle_min", idle_min, IDLE_MIN_MAX, "a whole number from 0 to 525600"),
    NUMBER("pin_tries", pin_tries, PIN_TRIES_MAX, "a whole number from 0 to 1000"),
    { "accept_policy", 0, NULL, "64 hex digits", 0, KIND_HASHES },
    SWITCH("only_accepted", only_accepted),
    { "usb_gadget", offsetof(struct config, usb_gadget), NULL,
      "an absolute path of at most 127 bytes", CONFIG_PATH_SIZE - 1, KIND_PATH },
    SWITCH("signed_viz_free", signed_viz_free),
    SWITCH("require_prev_tx", require_prev_tx),
    SWITCH("sighash_all_only", sighash_all_only),
    SWITCH("p2sh_strict", p2sh_strict),
    SWITCH("taproot", taproot),
};

_Static_assert(sizeof(enum chain_id) == sizeof(int) && sizeof(enum unit) == sizeof(int),
               "a choice is stored as an int");

struct config config_default(void)
{
    return (struct config){ .chain = CHAIN_BTC,
                            .unit = UNIT_COIN,
                            .fee_limit_pct = 10,
                            .pms = CONFIG_PMS_UNSET,
                            .multisig_checks = true,
                            .idle_min = 240 };
}

static const struct key *find_key(struct bytes name)
{
    for (size_t i = 0; i < COUNT(keys); i++)
        if (bytes_equal_text(name, keys[i].name))
            return &keys[i];
    return NULL;
}

// --- One value ---

static bool choose(const struct choice *choices, struct bytes value, int *out)
{
    for (; choices->text; choices++) {
        if (bytes_equal_text(value, choices->text)) {
            *out = choices->value;
            return true;
        }
    }
    return false;
}

static bool add_hash(struct config *config, struct bytes value)
{
    struct hash256 hash;
    if (config->n_accepted == CONFIG_ACCEPTED_MAX || !hex_decode(hash.b, sizeof hash.b, value))
        return false;
    config->accepted[config->n_accepted++] = hash;
    return true;
}

static bool set_value(struct config *config, const struct key *key, struct bytes value)
{
    uint8_t *member = (uint8_t *)config + key->at;
    struct reader r = reader_of(value);
    uint32_t count;
    int chosen;
    switch (key->kind) {
    case KIND_SWITCH:
        if (!choose(key->choices, value, &chosen))
            return false;
        memcpy(member, &(bool){ chosen == 1 }, sizeof(bool));
        return true;
    case KIND_CHOICE:
        if (!choose(key->choices, value, &chosen))
            return false;
        memcpy(member, &chosen, sizeof chosen);
        return true;
    case KIND_COUNT:
        if (!reader_decimal(&r, key->max, &count) || !reader_done(&r))
            return false;
        memcpy(member, &count, sizeof count);
        return true;
    case KIND_HASHES:
        return add_hash(config, value);
    case KIND_PATH:
        if (value.len == 0 || value.len > key->max || value.ptr[0] != '/' ||
            !bytes_is_printable_ascii(value))
            return false;
        memset(member, 0, key->max + 1);
        memcpy(member, value.ptr, value.len);
        return true;
    }
    return false;
}

bool config_set(struct config *config, struct bytes key, struct bytes value, struct err *err)
{
    const struct key *known = find_key(key);
    if (!known)
        return err_set(err, ERR_USAGE, "unknown key '%.*s'", BYTES_ARG(key));
    if (known->kind == KIND_HASHES && config->n_accepted == CONFIG_ACCEPTED_MAX)
        return err_set(err, ERR_USAGE, "%s: more than %d", known->name, CONFIG_ACCEPTED_MAX);
    return set_value(config, known, value) ||
           err_set(err, ERR_USAGE, "%s: must be %s", known->name, known->what);
}

// --- A file ---

// The line of the same key further up, or 0.
static unsigned line_before(const struct conf *conf, const struct conf_entry *entry)
{
    for (const struct conf_entry *e = conf->entries; e != entry; e++)
        if (bytes_equal(e->key, entry->key))
            return e->line;
    return 0;
}

static bool take(struct config *config, const struct conf *conf, struct conf_entry *entry,
                 struct err *err)
{
    const struct key *key = find_key(entry->key);
    const unsigned before = line_before(conf, entry);
    if (entry->kind.len > 0 || entry->key.len == 0)
        return err_set(err, ERR_USAGE, "%s:%u: a signer's configuration has no sections",
                       conf->file, entry->line);
    if (key && key->kind != KIND_HASHES && before > 0)
        return err_set(err, ERR_USAGE, "%s:%u: %s: stands on line %u already", conf->file,
                       entry->line, key->name, before);
    entry->taken = true;
    return config_set(config, entry->key, entry->value, err) ||
           err_within(err, "%s:%u", conf->file, entry->line);
}

bool config_parse(struct config *out, const char *file, struct bytes text, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FILE_MEMORY);
    struct config config = config_default();
    struct conf conf;
    if (!conf_parse(&conf, file, text, arena, err))
        return false;
    for (size_t i = 0; i < conf.n_entries; i++)
        if (!take(&config, &conf, &conf.entries[i], err))
            return false;
    if (!conf_finish(&conf, err))
        return false;
    *out = config;
    return true;
}

// What is written here decides what this signer signs without being asked.
static bool check_owner(int fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_set_errno(err, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_AUTH, "%s: is not a plain file", path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return err_set(err, ERR_AUTH, "%s: belongs neither to root nor to this user", path);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return err_set(err, ERR_AUTH, "%s: others may write to it", path);
    return true;
}

static void close_file(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

bool config_read(struct config *out, const char *path, bool may_be_absent, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FILE_MEMORY);
    AUTO(close_file) const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct bytes text;
    if (fd < 0 && errno == ENOENT && may_be_absent) {
        *out = config_default();
        return true;
    }
    if (fd < 0)
        return err_set_errno(err, errno, "%s", path);
    return check_owner(fd, path, err) && file_read_fd(&text, fd, path, CONF_FILE_MAX, arena, err) &&
           config_parse(out, path, text, err);
}

// --- Writing ---

static const char *choice_text(const struct choice *choices, int value)
{
    for (; choices->text; choices++)
        if (choices->value == value)
            return choices->text;
    return NULL;
}

static void write_key(struct writer *w, const struct config *config, const struct key *key)
{
    const uint8_t *member = (const uint8_t *)config + key->at;
    uint32_t count;
    bool on;
    int value;
    switch (key->kind) {
    case KIND_SWITCH:
        memcpy(&on, member, sizeof on);
        writer_printf(w, "%s = %s\n", key->name, choice_text(key->choices, on));
        break;
    case KIND_CHOICE:
        memcpy(&value, member, sizeof value);
        if (choice_text(key->choices, value))
            writer_printf(w, "%s = %s\n", key->name, choice_text(key->choices, value));
        else
            writer_printf(w, "# %s is not set\n", key->name);
        break;
    case KIND_COUNT:
        memcpy(&count, member, sizeof count);
        writer_printf(w, "%s = %u\n", key->name, count);
        break;
    case KIND_HASHES:
        for (size_t i = 0; i < config->n_accepted; i++) {
            writer_printf(w, "%s = ", key->name);
            writer_hex(w, BYTES_OF(config->accepted[i].b));
            writer_u8(w, '\n');
        }
        break;
    case KIND_PATH:
        if (*member != 0)
            writer_printf(w, "%s = %s\n", key->name, (const char *)member);
        else
            writer_printf(w, "# %s is not set\n", key->name);
        break;
    }
}

void config_write(struct writer *w, const struct config *config)
{
    for (size_t i = 0; i < COUNT(keys); i++)
        write_key(w, config, &keys[i]);
}
