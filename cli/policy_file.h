// cli/policy_file.h -- a policy file on the command line, and the names it takes for granted.
#ifndef CASEMATE_CLI_POLICY_FILE_H
#define CASEMATE_CLI_POLICY_FILE_H
#include "bitcoin/chain.h"
#include "cli/cli.h"
#include "policy/rules.h"
#include "policy/users.h"

#define POLICY_NAMES_MAX 1000

struct policy_names {
    struct bytes items[POLICY_NAMES_MAX];
    enum user_mode modes[POLICY_NAMES_MAX]; // of users, where they are given: "alice:totp"
    size_t n;
};

struct policy_file {
    const char *path;
    struct bytes text;
    const struct chain *chain;
    struct policy_names users, wallets; // that there are, or are taken to exist
    bool users_are_given, wallets_are_given;
    struct policy policy;
};

// Reads the file, --chain, --users and --wallets. Users and wallets that the policy names are taken to
// exist unless those that do are given. *out lives in the run's arena.
// Fails: ERR_USAGE, ERR_NOT_FOUND, ERR_IO, ERR_LIMIT.
MUST_CHECK bool policy_file_open(struct policy_file **out, struct cli *cli, const char *path,
                                 struct err *err);
// Sets out->policy. Fails: as policy_parse.
MUST_CHECK bool policy_file_parse(struct policy_file *file, struct cli *cli, struct err *err);
// Both.
MUST_CHECK bool policy_file_read(struct policy_file **out, struct cli *cli, const char *path,
                                 struct err *err);

// Derives the scripts of its `destinations`: before it decides about transactions.
// Fails: as policy_derive_payees.
MUST_CHECK bool policy_file_derive(struct policy_file *file, struct cli *cli, struct err *err);

// --users, --wallets and --chain of the verbs about policies.
#define POLICY_FILE_OPTIONS                                                                        \
    TEXT(0, "users", "NAMES", users, "the users there are, separated by commas"),                  \
        TEXT(0, "wallets", "NAMES", wallets, "the multisig wallets there are, likewise"),          \
        TEXT(0, "chain", "CODE", chain, "BTC, which is the default, XTN or XRT")

#endif
