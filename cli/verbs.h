// cli/verbs.h -- all verbs, and the global options. Each row stands beside the code that it runs.
#ifndef CASEMATE_CLI_VERBS_H
#define CASEMATE_CLI_VERBS_H
#include "cli/cli.h"

extern const struct verb verb_list, verb_version, verb_chain, verb_xfp, verb_xpub, verb_pubkey,
    verb_addr, verb_sign, verb_msg, verb_hsm, verb_hsm_start, verb_user, verb_users, verb_auth,
    verb_local_conf, verb_get_locker, verb_upload, verb_bag, verb_test, verb_logout, verb_reboot,
    verb_panel, verb_panel_show, verb_panel_keys, verb_panel_text, verb_panel_menu,
    verb_panel_advance, verb_panel_set, verb_panel_reset, verb_policy_check, verb_policy_hash,
    verb_audit_verify;

struct verb_table verbs_all(void);
struct option_table verbs_globals(void);

// One row of an option table.
#define FLAG(letter, name, member, help)                                                           \
    {                                                                                              \
        letter, name, NULL, help, OPTION_FLAG, offsetof(struct options, member), 0, 0              \
    }
#define TEXT(letter, name, argument, member, help)                                                 \
    {                                                                                              \
        letter, name, argument, help, OPTION_TEXT, offsetof(struct options, member), 0, 0          \
    }
#define NUMBER(letter, name, argument, member, min, max, help)                                     \
    {                                                                                              \
        letter, name, argument, help, OPTION_NUMBER, offsetof(struct options, member), min, max    \
    }
#define OPTIONS(rows)                                                                              \
    {                                                                                              \
        COUNT(rows), rows                                                                          \
    }
#define NO_OPTIONS                                                                                 \
    {                                                                                              \
        0, NULL                                                                                    \
    }

// policy check, also as `hsm-start -n`.
MUST_CHECK bool policy_check_run(struct cli *cli, struct err *err);

#endif
