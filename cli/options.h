// cli/options.h -- the values of all options. Which verb takes which is in the tables of verbs.
#ifndef CASEMATE_CLI_OPTIONS_H
#define CASEMATE_CLI_OPTIONS_H
#include "base/bytes.h"

struct option_number {
    bool is_set;
    uint32_t value;
};

// An option that may be repeated.
#define OPTION_LIST_MAX 32
struct option_list {
    size_t n;
    const char *items[OPTION_LIST_MAX];
};

struct options {
    // Global: cli.md 1.1 and 7.1.
    const char *socket, *serial;
    bool simulator, plaintext;
    bool json, quiet, compat, check, no_wait, no_color, progress_lines;
    bool help, version;
    const char *trace, *config;
    struct option_number timeout; // seconds
    struct option_number ncry;
    const char *pin_xpub, *pin_xfp;
    const char *bunker, *tls_cert, *tls_key, *tls_ca, *tls_pin;
    const char *panel;

    // Of verbs.
    bool swab, verbose;
    bool segwit, taproot, wrap, address_only;
    bool finalize, visualize, signed_text, hex, base64;
    const char *pushtx, *miniscript;
    const char *path, *file;
    bool just_signature;
    bool dry_run;
    bool totp, pick_password, ask_password, hotp, show_url, delete_user;
    const char *text_secret, *totp_secret;
    const char *psbt_file;
    bool password, debug, version3;
    struct option_number password_fd;
    const char *password_file;
    const char *next;
    const char *bag_number;
    bool qr;
    const char *outdir, *outfile;
    bool force;
    bool restore_plain, restore_password, temporary;
    const char *expect_xfp;
    struct option_number min_signers, signers;
    const char *name, *format;
    bool key_line, descriptor;
    bool as_multisig, as_miniscript, as_backup;
    bool change, stop_early;
    const char *message, *address, *signature;
    struct option_number single, block_len;
    const char *chain, *words, *passphrase;
    bool keep, plain;
    const char *users, *wallets;
    const char *key, *head;
    const char *made_for, *used_on;
    struct option_list user, spent;
    bool local, no_card;
    const char *at, *since, *xfp, *xpub;
};

#endif
