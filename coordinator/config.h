// coordinator/config.h -- how one casemate-coordinator process is configured.
//
// The file holds what belongs to this process: where its ledger is, where it listens, its nodes, and how it
// reaches the signers. What all replicas share (wallets, caps, people) is in the ledger, and changes there.
// Source: coordinator.md D14, D15; design.md "How the programs are configured and wired".
#ifndef CASEMATE_COORDINATOR_CONFIG_H
#define CASEMATE_COORDINATOR_CONFIG_H
#include "base/log.h"
#include "base/writer.h"
#include "http/listener.h"

#define COORDINATOR_CONF "/etc/casemate/coordinator.conf"
#define COORDINATOR_PORT 8099
#define CONFIG_ARENA     ((size_t)1 << 20)
#define CONFIG_NODES     8
#define CONFIG_SIGNERS   64
#define CONFIG_ARGS      16 // words of a command
#define CONFIG_WORKERS   16 // as WORKERS_MAX
#define CONFIG_HOSTS     16

enum signer_transport { TRANSPORT_UNIX, TRANSPORT_USB, TRANSPORT_LINK, TRANSPORT_COMMAND };
const char *signer_transport_name(enum signer_transport transport);

// [node NAME]
struct node_config {
    const char *name;
    const char *host;            // without brackets
    uint64_t port;               // RPC
    const char *url;             // made of both: "http://127.0.0.1:8332"
    const char *credential_file; // one line "user:password"; `cookie` in the file is the same thing
    uint64_t timeout_s;
};

// [signer NAME]; NAME is the signer's in the ledger. How this replica reaches it.
struct signer_config {
    const char *name;
    enum signer_transport transport;
    const char *path;       // unix: its socket; command: the program
    const char *path_owner; // unix: user who may own the socket beside us and root
    const char *serial;     // usb
    const char *url;        // link: "wss://host:port"
    const char *client_cert, *client_key, *server_ca, *server_pin; // link
    const char *args[CONFIG_ARGS + 1]; // command: words after the program; NULL ends
    const char
        *restart_command[CONFIG_ARGS + 1]; // a program and its words, no shell; [0] NULL: none
    bool boots_to_hsm;                     // a restart counts every rule's budget as spent
};

struct coordinator_config {
    const char *sqlite;        // [store] path of the SQLite file; NULL: PostgreSQL
    const char *postgres;      // its URI, without a password
    const char *password_file; // the password, else libpq's own means

    struct listeners listeners;
    size_t n_nodes;
    struct node_config nodes[CONFIG_NODES];
    size_t n_signers;
    struct signer_config signers[CONFIG_SIGNERS];

    bool compat_get, compat_demo, compat_public_status; // [compat]
    const char *compat_wallet;                          // NULL: the only one
    const char *compat_totp_secret_file;                // base32; compat.demo only
    const char *compat_sink_wallet; // of the node, compat.demo only; NULL: no sink

    enum log_level log_level; // [log]
    bool log_json;

    const char *replica; // name of this process among the replicas
    uint64_t api_threads, workers;
    uint64_t reconcile_every_s; // between looks at the chain; well below D2's 30 s of staleness
    uint64_t refill_every_s; // between looks at the hot wallets; 0: this replica makes no refills
    bool explain_refusals;   // spenders see what a signer said
    bool hooks_private;      // webhooks may go to private addresses
    bool refill_private;     // HTTPS sources of refills may be at private addresses
    const char *explorer;    // address that the pages put a txid behind; NULL: none
};

// A file's text -> *out, which lives in the arena and borrows from it.
// Fails: ERR_USAGE naming file, line and key.
MUST_CHECK bool config_parse(struct coordinator_config *out, const char *file, struct bytes text,
                             struct arena *arena, struct err *err);

// path NULL: COORDINATOR_CONF. Files of secrets may be named "credential:NAME" (systemd's LoadCredential).
// Fails: ERR_USAGE, ERR_NOT_FOUND for a file that was asked for.
MUST_CHECK bool config_load(struct coordinator_config *out, const char *path, struct arena *arena,
                            struct err *err);

// The result in the file's own format. Nothing in it is secret.
void config_write(struct writer *w, const struct coordinator_config *config);

// The signer's section, or NULL: this replica does not use it.
const struct signer_config *config_signer(const struct coordinator_config *config,
                                          struct bytes name);

#endif
