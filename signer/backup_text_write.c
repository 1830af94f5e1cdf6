// The text of a backup, written.
#include "policy/canonical.h"
#include "signer/backup_text.h"
#include "signer/master.h"
#include <inttypes.h>

struct secret_text {
    char b[MNEMONIC_TEXT_MAX]; // words, passphrase or an extended key
    size_t len;
};
static void secret_text_wipe(struct secret_text *text)
{
    wipe(text, sizeof *text);
}

static void put_string(struct writer *w, const char *key, struct bytes text)
{
    struct json_writer j = json_writer_of(w);
    writer_printf(w, "%s = ", key);
    j.ascii = true;
    json_string(&j, text);
    writer_text(w, "\n");
}

static void put_hex(struct writer *w, const char *key, struct bytes content)
{
    writer_printf(w, "%s = \"", key);
    writer_hex(w, content);
    writer_text(w, "\"\n");
}

// --- The secret ---

static bool put_key(struct writer *w, const struct backup *b, struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    AUTO(secret_text_wipe) struct secret_text text;
    if (!master_node(&node, b->master, err))
        return false;
    hdkey_to_text(text.b, &node, b->chain);
    put_string(w, "xprv", bytes_of_text(text.b));
    hdpub_to_text(text.b, &node.pub, b->chain);
    put_string(w, "xpub", bytes_of_text(text.b));
    return true;
}

static bool put_words(struct writer *w, const struct backup *b, struct err *err)
{
    AUTO(secret_text_wipe) struct secret_text words;
    AUTO(secret_text_wipe) struct secret_text passphrase;
    struct writer to_words = writer_of(words.b, sizeof words.b);
    struct writer to_pass = writer_of(passphrase.b, sizeof passphrase.b);
    if (master_kind(b->master) != MASTER_WORDS)
        return true;
    if (!master_words(&to_words, b->master, err) || !master_passphrase(&to_pass, b->master, err))
        return false;
    put_string(w, "mnemonic", writer_bytes(&to_words));
    if (to_pass.len > 0)
        put_string(w, "casemate.passphrase", writer_bytes(&to_pass));
    return true;
}

// --- Users and wallets ---

static void put_users(struct writer *w, const struct user_list *users)
{
    struct json_writer j = json_writer_of(w);
    j.ascii = true;
    writer_text(w, "setting.usr = ");
    json_begin_object(&j);
    for (size_t i = 0; i < users->n; i++) {
        uint8_t mem[USER_RECORD_MAX];
        struct writer record = writer_of(mem, sizeof mem);
        user_record_write(&record, &users->items[i]);
        json_key_bytes(&j, user_name(&users->items[i]));
        json_raw(&j, writer_bytes(&record));
        wipe(mem, sizeof mem);
    }
    json_end_object(&j);
    j = json_writer_of(w);
    j.ascii = true;
    writer_text(w, "\ncasemate.serials = ");
    json_begin_object(&j);
    for (size_t i = 0; i < users->n; i++) {
        if (users->items[i].mode != USER_PASSWORD)
            continue;
        json_key_bytes(&j, user_name(&users->items[i]));
        json_text(&j, users->items[i].salt_serial);
    }
    json_end_object(&j);
    writer_text(w, "\n");
}

static void put_wallets(struct writer *w, const struct backup *b)
{
    struct json_writer j = json_writer_of(w);
    writer_text(w, "setting.multisig = ");
    json_begin_array(&j);
    for (size_t i = 0; i < b->n_wallets; i++)
        json_raw(&j, b->wallets[i].form);
    json_end_array(&j);
    writer_text(w, "\n");
}

// --- Policy and what counts against it ---

static void put_policy(struct writer *w, const struct backup *b)
{
    if (b->hsm_policy.len > 0)
        put_string(w, "hsm_policy", b->hsm_policy);
    if (b->policy.form.len == 0)
        return;
    put_string(w, "casemate.policy", b->policy.form);
    put_hex(w, "casemate.policy_hash_full", BYTES_OF(b->policy.full_hash.b));
    if (b->policy.has_sl_hash)
        put_hex(w, "casemate.sl_hash", BYTES_OF(b->policy.sl_hash.b));
}

static void put_past(struct writer *w, const struct store_past *past)
{
    writer_text(w, "casemate.spent = {");
    for (size_t i = 0; i < past->n; i++) {
        writer_text(w, i > 0 ? ", \"" : "\"");
        writer_hex(w, BYTES_OF(past->items[i].policy_hash.b));
        writer_text(w, "\": \"");
        writer_hex(w, past->items[i].state);
        writer_text(w, "\"");
    }
    writer_text(w, "}\n");
}

static void put_counts(struct writer *w, const struct backup *b)
{
    writer_printf(w,
                  "casemate.counters = {\"approvals\": %" PRIu64 ", \"refusals\": %" PRIu64
                  ", \"locker_reads\": %" PRIu64 "}\n",
                  b->counters.approvals, b->counters.refusals, b->counters.locker_reads);
    writer_printf(w, "casemate.journal = {\"seq\": %" PRIu64 ", \"hash\": \"", b->head.seq);
    writer_hex(w, BYTES_OF(b->head.hash.b));
    writer_text(w, "\"}\n");
}

bool backup_text_write(struct writer *w, const struct backup *b, struct err *err)
{
    writer_text(w, "# Casemate backup file. Whoever reads this has the keys.\n\n");
    if (!put_words(w, b, err))
        return false;
    put_string(w, "chain", bytes_of_text(b->chain->code));
    if (!put_key(w, b, err))
        return false;
    writer_printf(w, "casemate.version = %d\n", BACKUP_VERSION);
    put_string(w, "casemate.name", b->name);
    writer_printf(w, "casemate.created = %" PRId64 "\n\n# Settings\n\n", b->created_s);
    put_users(w, &b->users);
    put_wallets(w, b);
    if (b->settings.has_hsm_commands)
        writer_printf(w, "setting.hsmcmd = %s\n", b->settings.hsm_commands ? "true" : "false");
    put_policy(w, b);
    put_past(w, &b->past);
    put_counts(w, b);
    if (b->locker.len > 0)
        put_hex(w, "casemate.locker", b->locker);
    writer_text(w, "\n# EOF\n");
    return !w->failed || err_set(err, ERR_NO_MEMORY, "the backup is too large");
}
