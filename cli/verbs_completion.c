// completion: cli.md 7.4.
#include "cli/completion.h"
#include "cli/verbs.h"
#include "client/discover.h"

static bool print_script(struct cli *cli, const struct completion_shell *shell, struct err *err)
{
    struct writer w = writer_growing(cli->arena, COMPLETION_MAX);
    struct bytes script;
    shell->write(&w, verbs_globals(), verbs_all());
    if (!writer_finish(&w, &script))
        return err_set(err, ERR_NO_MEMORY, "the script is too long");
    cli_print_bytes(cli, script);
    cli_text(cli, "script", script);
    return true;
}

// --- Lists for the scripts ---

static bool list_devices(struct cli *cli, bool sockets, struct err *err)
{
    struct discovery *found = arena_alloc(cli->arena, sizeof *found);
    if (found == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the list");
    if (sockets ? !discover_sockets(found, cli->arena, err) : !discover_usb(found, cli->arena, err))
        return false;
    for (size_t i = 0; i < found->n; i++)
        cli_print(cli, "%s\n", sockets ? found->items[i].path : found->items[i].serial);
    return true;
}

static bool list_sockets(struct cli *cli, struct err *err)
{
    return list_devices(cli, true, err);
}
static bool list_serials(struct cli *cli, struct err *err)
{
    return list_devices(cli, false, err);
}

// "without talking to the device unless asked"
static bool may_ask_device(void)
{
    const char *value = getenv("CASEMATE_COMPLETE_DEVICE");
    return value != NULL && value[0] != 0;
}

static bool list_users(struct cli *cli, struct err *err)
{
    return !may_ask_device() || verb_users.run(cli, err);
}
static bool list_wallets(struct cli *cli, struct err *err)
{
    return !may_ask_device() || verb_wallets.run(cli, err);
}

static const struct {
    const char *name;
    bool (*run)(struct cli *cli, struct err *err);
} lists[] = {
    { "sockets", list_sockets },
    { "serials", list_serials },
    { "users", list_users },
    { "wallets", list_wallets },
};

static bool run_completion(struct cli *cli, struct err *err)
{
    const char *what = cli->line.words[0];
    const struct completion_shell *shell = completion_find(what);
    if (shell != NULL)
        return print_script(cli, shell, err);
    for (size_t i = 0; i < COUNT(lists); i++)
        if (strcmp(lists[i].name, what) == 0)
            return lists[i].run(cli, err);
    return err_set(err, ERR_USAGE, "no completion for '%s': bash, zsh, fish", what);
}
const struct verb verb_completion = {
    "completion",
    "WHAT",
    1,
    1,
    "Print a script that completes command lines",
    "WHAT is bash, zsh or fish. The scripts themselves ask for sockets, serials, users and "
    "wallets;\n"
    "the last two of the device, and only where CASEMATE_COMPLETE_DEVICE is set.\n",
    NO_OPTIONS,
    0,
    run_completion
};
