#include "cli/completion.h"
#include "base/reader.h"

static const struct completion_shell shells[] = {
    { "bash", completion_bash },
    { "zsh", completion_zsh },
    { "fish", completion_fish },
};

const struct completion_shell *completion_find(const char *name)
{
    for (size_t i = 0; i < COUNT(shells); i++)
        if (strcmp(shells[i].name, name) == 0)
            return &shells[i];
    return NULL;
}

// --- What a name in the tables stands for ---

struct meaning {
    const char *name;
    struct completion_value value;
};

static const struct meaning words[] = {
    { "FILE", { COMPLETE_FILE, NULL } },
    { "PSBT", { COMPLETE_FILE, NULL } },
    { "PSBT_IN", { COMPLETE_FILE, NULL } },
    { "PSBT_OUT", { COMPLETE_FILE, NULL } },
    { "PSBT_FILE", { COMPLETE_FILE, NULL } },
    { "POLICY", { COMPLETE_FILE, NULL } },
    { "OLD", { COMPLETE_FILE, NULL } },
    { "NEW", { COMPLETE_FILE, NULL } },
    { "JOURNAL", { COMPLETE_FILE, NULL } },
    { "FIRMWARE", { COMPLETE_FILE, NULL } },
    { "DIR", { COMPLETE_FOLDER, NULL } },
    { "USERNAME", { COMPLETE_COMMAND, "users" } },
    { "NAME", { COMPLETE_COMMAND, "wallets" } },
    { "TOKEN", { COMPLETE_LIST, "sign msg backup pass hsm-start multisig miniscript restore" } },
    { "WHAT", { COMPLETE_LIST, "bash zsh fish sockets serials users wallets" } },
    { "ITEM",
      { COMPLETE_LIST, "start-hsm wipe-policy delete-user delete-wallet change-pin lock" } },
    { "CODE", { COMPLETE_LIST, "BTC XTN XRT" } },
    { "FORMAT", { COMPLETE_LIST, "p2wsh p2sh p2sh-p2wsh" } },
    { "1|2", { COMPLETE_LIST, "1 2" } },
};
static const struct meaning options[] = {
    { "socket", { COMPLETE_COMMAND, "sockets" } },
    { "panel", { COMPLETE_FILE, NULL } },
    { "serial", { COMPLETE_COMMAND, "serials" } },
    { "pushtx", { COMPLETE_LIST, "coldcard mempool" } },
    { "next", { COMPLETE_NOTHING, NULL } }, // a CODE of another kind
    { "name", { COMPLETE_NOTHING, NULL } }, // a new one
};

struct completion_value completion_of_word(struct bytes name)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (bytes_equal_text(name, words[i].name))
            return words[i].value;
    return (struct completion_value){ COMPLETE_NOTHING, NULL };
}

struct completion_value completion_of_option(const struct option *option)
{
    for (size_t i = 0; i < COUNT(options); i++)
        if (option->name != NULL && strcmp(option->name, options[i].name) == 0)
            return options[i].value;
    return completion_of_word(bytes_of_text(option->argument));
}

// --- Words of a verb ---

bool completion_word(const struct verb *verb, size_t n, struct bytes *name, bool *is_repeated)
{
    struct reader r = reader_of(bytes_of_text(verb->words));
    struct bytes word;
    for (size_t i = 0; reader_until(&r, ' ', &word); i++) {
        if (i != n)
            continue;
        *is_repeated = word.len > 3 && bytes_equal_text(bytes_slice(word, word.len - 3, 3), "...");
        if (*is_repeated)
            word.len -= 3;
        if (word.len > 1 && word.ptr[0] == '[')
            word = bytes_slice(word, 1, word.len - 2);
        *name = word;
        return true;
    }
    return false;
}

struct bytes completion_group(const struct verb *verb)
{
    const char *blank = strchr(verb->name, ' ');
    return blank != NULL ? bytes_of(verb->name, (size_t)(blank - verb->name)) : (struct bytes){ 0 };
}
