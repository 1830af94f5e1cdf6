#include "cli/policy_file.h"
#include "base/file.h"
#include "base/reader.h"
#include "policy/named.h"
#include "policy/payees.h"

static bool add_name(struct policy_names *names, struct bytes name, enum user_mode mode)
{
    for (size_t i = 0; i < names->n; i++)
        if (bytes_equal(names->items[i], name))
            return true;
    if (names->n == POLICY_NAMES_MAX)
        return false;
    names->modes[names->n] = mode;
    names->items[names->n++] = name;
    return true;
}

// "alice:totp": the name, and which kind of user it is.
static enum user_mode cut_mode(struct bytes *name)
{
    static const struct {
        const char *suffix;
        enum user_mode mode;
    } kinds[] = { { ":totp", USER_TOTP }, { ":hotp", USER_HOTP }, { ":password", USER_PASSWORD } };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const size_t len = strlen(kinds[i].suffix);
        if (name->len <= len ||
            !bytes_equal_text(bytes_slice(*name, name->len - len, len), kinds[i].suffix))
            continue;
        *name = bytes_slice(*name, 0, name->len - len);
        return kinds[i].mode;
    }
    return USER_NONE;
}

// "alice,bob"
static bool split_names(struct policy_names *out, const char *option, const char *text,
                        bool have_modes, struct err *err)
{
    struct bytes name;
    for (struct reader r = reader_of(bytes_of_text(text)); reader_until(&r, ',', &name);) {
        name = bytes_trim(name);
        const enum user_mode mode = have_modes ? cut_mode(&name) : USER_NONE;
        if (!add_name(out, name, mode))
            return err_set(err, ERR_USAGE, "%s: more than %d names", option, POLICY_NAMES_MAX);
    }
    return true;
}

// --- What the policy takes for granted ---

// The users and wallets that the file names. Too many: the parser names the first that is missing.
static bool collect(struct policy_names *users, struct policy_names *wallets, struct bytes file,
                    struct arena *arena, struct err *err)
{
    struct policy_world named;
    if (!policy_names(&named, file, arena, err))
        return false;
    for (size_t i = 0; i < named.n_users; i++)
        (void)add_name(users, named.users[i], USER_NONE);
    for (size_t i = 0; i < named.n_wallets; i++)
        (void)add_name(wallets, named.wallets[i], USER_NONE);
    return true;
}

// --- Reading one ---

static bool read_chain(struct policy_file *out, const char *code, struct err *err)
{
    out->chain = chain_by_code(bytes_of_text(code != NULL ? code : "BTC"));
    return out->chain != NULL ||
           err_set(err, ERR_USAGE, "--chain: BTC, XTN or XRT, not '%s'", code);
}

static bool read_world(struct policy_file *out, struct cli *cli, struct err *err)
{
    struct policy_names *unused = arena_alloc(cli->arena, sizeof *unused);
    out->users_are_given = cli->o->users != NULL;
    out->wallets_are_given = cli->o->wallets != NULL;
    if (unused == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the names");
    return collect(out->users_are_given ? unused : &out->users,
                   out->wallets_are_given ? unused : &out->wallets, out->text, cli->arena, err) &&
           split_names(&out->users, "--users", cli->o->users, true, err) &&
           split_names(&out->wallets, "--wallets", cli->o->wallets, false, err);
}

bool policy_file_open(struct policy_file **out, struct cli *cli, const char *path, struct err *err)
{
    struct policy_file *file = arena_alloc(cli->arena, sizeof *file);
    cli->stage = STAGE_INPUT;
    if (path == NULL)
        return err_set(err, ERR_USAGE, "Missing argument 'POLICY'.");
    if (file == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the policy");
    file->path = path;
    *out = file;
    return read_chain(file, cli->o->chain, err) &&
           file_read(&file->text, path, POLICY_FILE_MAX, cli->arena, err) &&
           read_world(file, cli, err);
}

bool policy_file_parse(struct policy_file *file, struct cli *cli, struct err *err)
{
    const struct policy_world world = { file->users.n, file->users.items, file->wallets.n,
                                        file->wallets.items };
    return policy_parse(&file->policy, file->text, &world, cli->arena, err);
}

bool policy_file_read(struct policy_file **out, struct cli *cli, const char *path, struct err *err)
{
    return policy_file_open(out, cli, path, err) && policy_file_parse(*out, cli, err);
}

bool policy_file_derive(struct policy_file *file, struct cli *cli, struct err *err)
{
    return policy_derive_payees(&file->policy, cli->arena, err);
}
