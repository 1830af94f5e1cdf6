// cli/verbs.h -- all verbs, and the global options. Each row stands beside the code that it runs.
#ifndef CASEMATE_CLI_VERBS_H
#define CASEMATE_CLI_VERBS_H
#include "cli/cli.h"

extern const struct verb verb_list, verb_status, verb_version, verb_chain, verb_bag, verb_xfp,
    verb_xpub, verb_pubkey, verb_addr, verb_p2sh, verb_sign, verb_msg, verb_msg_file, verb_verify,
    verb_bip322_make, verb_bip322_verify, verb_wait, verb_cancel, verb_backup, verb_restore,
    verb_pass, verb_multisig, verb_miniscript_ls, verb_miniscript_get, verb_miniscript_policy,
    verb_miniscript_addr, verb_miniscript_enroll, verb_miniscript_del, verb_upload, verb_upgrade,
    verb_hsm, verb_hsm_start, verb_user, verb_users, verb_wallets, verb_auth, verb_local_conf,
    verb_get_locker, verb_logout, verb_reboot, verb_test, verb_policy_check, verb_policy_hash,
    verb_policy_lint, verb_policy_try, verb_policy_replay, verb_policy_diff, verb_audit_verify,
    verb_panel, verb_panel_show, verb_panel_keys, verb_panel_text, verb_panel_menu,
    verb_panel_advance, verb_panel_set, verb_panel_reset, verb_completion, verb_eval, verb_exec;

struct verb_table verbs_all(void);
struct option_table verbs_globals(void);

// One row of an option table. The parameters are not named as the members are.
#define FLAG(short_, long_, member_, help_)                                                        \
    {                                                                                              \
        .letter = (short_), .name = (long_), .help = (help_), .kind = OPTION_FLAG,                 \
        .member = offsetof(struct options, member_)                                                \
    }
#define TEXT(short_, long_, argument_, member_, help_)                                             \
    {                                                                                              \
        .letter = (short_), .name = (long_), .argument = (argument_), .help = (help_),             \
        .kind = OPTION_TEXT, .member = offsetof(struct options, member_)                           \
    }
#define LIST(short_, long_, argument_, member_, help_)                                             \
    {                                                                                              \
        .letter = (short_), .name = (long_), .argument = (argument_), .help = (help_),             \
        .kind = OPTION_REPEATED, .member = offsetof(struct options, member_)                       \
    }
#define NUMBER(short_, long_, argument_, member_, min_, max_, help_)                               \
    {                                                                                              \
        .letter = (short_), .name = (long_), .argument = (argument_), .help = (help_),             \
        .kind = OPTION_NUMBER, .member = offsetof(struct options, member_), .min = (min_),         \
        .max = (max_)                                                                              \
    }
#define OPTIONS(rows)                                                                              \
    {                                                                                              \
        COUNT(rows), rows                                                                          \
    }
#define NO_OPTIONS                                                                                 \
    {                                                                                              \
        0, NULL                                                                                    \
    }

// bip322 verify, also for `verify`.
MUST_CHECK bool bip322_check_run(struct cli *cli, struct bytes address, struct bytes message,
                                 struct bytes signature, struct err *err);

// The answer to the start question, also for `wait hsm-start`: connected.
MUST_CHECK bool hsm_start_watch(struct cli *cli, struct err *err);

// The answer to a restore, likewise.
MUST_CHECK bool restore_watch(struct cli *cli, struct err *err);

// policy check, also as `hsm-start -n`.
MUST_CHECK bool policy_check_run(struct cli *cli, struct err *err);

#endif
