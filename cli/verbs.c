#include "cli/verbs.h"

// clang-format off
static const struct verb *const verbs[] = {
    &verb_list, &verb_status, &verb_version, &verb_chain, &verb_bag, &verb_xfp, &verb_xpub,
    &verb_pubkey, &verb_addr, &verb_p2sh,
    &verb_sign, &verb_msg, &verb_msg_file, &verb_verify, &verb_bip322_make, &verb_bip322_verify, &verb_wait, &verb_cancel,
    &verb_backup, &verb_restore, &verb_pass,
    &verb_multisig, &verb_miniscript_ls, &verb_miniscript_get, &verb_miniscript_policy,
    &verb_miniscript_addr, &verb_miniscript_enroll, &verb_miniscript_del,
    &verb_upload, &verb_upgrade,
    &verb_hsm, &verb_hsm_start, &verb_user, &verb_users, &verb_wallets, &verb_auth,
    &verb_local_conf, &verb_get_locker,
    &verb_logout, &verb_reboot, &verb_test,
#ifdef CASEMATE_SIMULATOR
    &verb_eval, &verb_exec,
#endif
    &verb_policy_check, &verb_policy_hash, &verb_policy_lint, &verb_policy_try, &verb_policy_diff, &verb_policy_replay,
    &verb_audit_verify,
    &verb_panel, &verb_panel_show, &verb_panel_keys, &verb_panel_text, &verb_panel_menu,
    &verb_panel_reset, &verb_panel_advance, &verb_panel_set,
    &verb_completion,
};
// clang-format on

static const struct option globals[] = {
    TEXT('c', "socket", "PATH", socket, "talk to the signer that listens at this socket"),
    TEXT('s', "serial", "TEXT", serial,
         "talk to the Coldcard on USB with this serial number; with a / in it, as --socket"),
    FLAG('x', "simulator", simulator, "talk to the simulator at " CONNECTION_SIMULATOR),
    TEXT(0, "bunker", "URL", bunker,
         "talk to the signer behind a bunker, through its signer link: wss://HOST:PORT/device"),
    TEXT(0, "tls-cert", "FILE", tls_cert, "our certificate for that, PEM"),
    TEXT(0, "tls-key", "FILE", tls_key, "its private key, PEM"),
    TEXT(0, "tls-ca", "FILE", tls_ca, "the authority that issued the bunker's certificate, PEM"),
    TEXT(0, "tls-pin", "HEX", tls_pin, "or the SHA-256 of the bunker's certificate"),
    FLAG('P', "plaintext", plaintext, "do not encrypt the link; most verbs then fail"),
    NUMBER(0, "ncry", "1|2", ncry, 1, 2,
           "version of the link encryption; 2 binds the device to us"),
    FLAG(0, "check", check, "have the device prove that it holds its key"),
    TEXT(0, "pin-xpub", "XPUB", pin_xpub, "go on only if the device's master key is this one"),
    TEXT(0, "pin-xfp", "XFP", pin_xfp, "go on only if the device has this fingerprint"),
    NUMBER(0, "timeout", "SECONDS", timeout, 0, 1000000,
           "how long to wait for a person; 0 only starts the request"),
    FLAG(0, "no-wait", no_wait, "start the request, print its token, and do not wait"),
    FLAG(0, "json", json, "print one JSON object, for errors as well"),
    FLAG(0, "verbose", progress_lines, "a line for each tenth of a long transfer"),
    FLAG(0, "no-color", no_color, "no colours"),
    FLAG(0, "quiet", quiet, "no notes and no progress on standard error"),
    FLAG(0, "compat", compat, "print and exit exactly as the reference client does"),
    TEXT(0, "trace", "FILE", trace, "write what goes over the link there, without secrets"),
    TEXT(0, "config", "FILE", config, "read this configuration file"),
    TEXT(0, "panel", "PATH|NAME", panel, "socket of the panel, or name of the signer"),
    FLAG(0, "help", help, "show this help"),
    FLAG(0, "version", version, "show the version"),
};

struct verb_table verbs_all(void)
{
    return (struct verb_table){ COUNT(verbs), verbs };
}

struct option_table verbs_globals(void)
{
    return (struct option_table){ COUNT(globals), globals };
}
