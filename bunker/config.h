// bunker/config.h -- how casemate-bunker is configured: our file format, CKBunker's, and the modes.
//
// Source: bunker.md 2, 9.6, 13; design.md "How the programs are configured and wired".
#ifndef CASEMATE_BUNKER_CONFIG_H
#define CASEMATE_BUNKER_CONFIG_H
#include "base/writer.h"
#include "bunker/role.h"
#include "http/listener.h"

#define BUNKER_CONF       "/etc/casemate/bunker.conf"
#define BUNKER_PORT       9823
#define ESPLORA_DEFAULT   "http://explorerzydxu5ecjrkwceayqybizmpjjznk5izmitf2modhcusuqlid.onion"
#define TOR_SOCKS_DEFAULT "socks5h://127.0.0.1:9150"
#define CONFIG_ARENA      ((size_t)1 << 20)

enum broadcast_backend { BROADCAST_NONE, BROADCAST_ESPLORA, BROADCAST_BITCOIND };
enum message_frame { MESSAGE_COMBINED, MESSAGE_SEPARATE, MESSAGE_OFF };

struct bunker_config {
    struct listeners listeners;
    enum role roles[LISTENERS_MAX]; // highest role granted at each listener

    // [device]
    bool usb;                 // backend = usb: a Coldcard
    const char *device_path;  // of a unix socket, else
    const char *path_owner;   // user who may own it beside us and root; NULL: nobody
    const char *serial;       // the device that is wanted; NULL: any
    uint32_t ncry;            // version of the link's encryption
    uint64_t reconnect_delay; // seconds
    uint64_t ping_rate;       // seconds between polls when nobody watches

    uint64_t max_idle_time, max_login_wait_time, max_session_time; // seconds
    uint64_t factor_time;   // seconds after which admins are asked for their second factor again
    const char *data_files; // folder
    const char *settings_key_file; // 32 bytes as hex; NULL: none
    bool easy_captcha;
    bool shared_slot; // slot_mode = shared
    bool compat_message_download;
    enum message_frame compat_message_signed;
    bool allow_shutdown_remote;
    bool local_mode, setup_mode; // what STATUS says of them
    const char *preload;         // -f: a PSBT to begin with

    // [broadcast]
    enum broadcast_backend broadcast;
    const char *esplora_url, *socks;         // socks NULL: none
    const char *esplora_main, *esplora_test; // path before /tx, by chain
    const char *node_url, *node_cookie;

    // [tor]
    const char *tor_control; // NULL: none; else as in struct tor_options
    const char *tor_user, *tor_password_file;
    const char *tor_socket, *tor_group; // of the onion service's listener
    const char *tor_auth, *tor_role;    // of the same
    bool onion_requires_device;
    const struct listener *onion; // that listener, among `listeners`; NULL: none

    size_t n_ignored;          // keys of CKBunker's format that were not known
    const char *ignored;       // the last of them
    bool had_default_password; // MASTER_PW was in the file: it is not used
};

// What the command line says; NULL and false where it says nothing.
struct config_request {
    const char *file;   // -c; NULL: BUNKER_CONF if it is there, else nothing
    const char *listen; // --listen: replaces the listeners
    const char *serial, *preload, *settings_key_file;
    bool local, setup;
};

// *out lives in the arena. The format is found out by the first key of the file.
// Fails: ERR_USAGE naming file, line and key; ERR_NOT_FOUND for a file that was asked for.
MUST_CHECK bool config_load(struct bunker_config *out, const struct config_request *request,
                            struct arena *arena, struct err *err);

// The same from a text. Source: bunker.md 13.
MUST_CHECK bool config_parse(struct bunker_config *out, const char *file, struct bytes text,
                             const struct config_request *request, struct arena *arena,
                             struct err *err);

// The result, in our format. Nothing in it is secret.
void config_write(struct writer *w, const struct bunker_config *config);

#endif
