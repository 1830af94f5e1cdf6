#include "cli/verbs.h"

static const struct verb *const verbs[] = {
    &verb_list,        &verb_version,       &verb_chain,        &verb_bag,
    &verb_xfp,         &verb_xpub,          &verb_pubkey,       &verb_addr,
    &verb_sign,        &verb_msg,           &verb_upload,       &verb_hsm,
    &verb_hsm_start,   &verb_user,          &verb_users,        &verb_auth,
    &verb_local_conf,  &verb_get_locker,    &verb_logout,       &verb_reboot,
    &verb_test,        &verb_policy_check,  &verb_policy_hash,  &verb_policy_lint,
    &verb_policy_try,  &verb_policy_replay, &verb_audit_verify, &verb_panel,
    &verb_panel_show,  &verb_panel_keys,    &verb_panel_text,   &verb_panel_menu,
    &verb_panel_reset, &verb_panel_advance, &verb_panel_set,
};

static const struct option globals[] = {
    TEXT('c', "socket", "PATH", socket, "talk to the signer that listens at this socket"),
    TEXT('s', "serial", "TEXT", serial,
         "talk to the device with this serial number; with a / in it, as --socket"),
    FLAG('x', "simulator", simulator, "talk to the simulator at " CONNECTION_SIMULATOR),
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
    FLAG(0, "quiet", quiet, "no notes and no progress on standard error"),
    FLAG(0, "compat", compat, "print and exit exactly as the reference client does"),
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
