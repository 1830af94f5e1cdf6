#include "cli/target.h"
#include "bitcoin/hdkey.h"
#include <sys/stat.h>

#define STATE_FOLDER "/var/lib/casemate"
#define RUN_PREFIX   "/run/casemate/signer-"

// --- Which ---

// "the path must exist and not be a directory, else usage error"
static bool check_as_reference(const struct cli *cli, const char *path, struct err *err)
{
    struct stat st;
    if (!cli->o->compat)
        return true;
    if (stat(path, &st) != 0)
        return err_set(err, ERR_USAGE,
                       "Invalid value for '-c' / '--socket': Path '%s' does not exist.", path);
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_USAGE,
                       "Invalid value for '-c' / '--socket': File '%s' is a directory.", path);
    return true;
}

// What no bunker's signer link can give.
static bool find_link(const struct cli *cli, struct target *out, struct err *err)
{
    const struct settings *s = &cli->settings;
    if (cli->o->compat || cli->o->plaintext || cli->o->ncry.is_set)
        return err_set(err, ERR_USAGE, "--bunker does not go with --compat, --plaintext or --ncry");
    if (cli->o->check)
        return err_set(err, ERR_USAGE,
                       "a device proves nothing over a signer link; pin its key with --pin-xpub");
    if ((cli->line.verb->flags & VERB_NOT_OVER_LINK) != 0)
        return err_set(err, ERR_USAGE, "no signer link allows '%s'", cli->line.verb->name);
    if (s->tls_cert == NULL || s->tls_key == NULL)
        return err_set(err, ERR_USAGE, "--bunker needs --tls-cert and --tls-key");
    if (s->tls_ca == NULL && s->tls_pin == NULL)
        return err_set(err, ERR_USAGE, "--bunker needs --tls-ca or --tls-pin");
    out->is_link = true;
    out->link = (struct link_choice){ .url = s->bunker,
                                      .cert_file = s->tls_cert,
                                      .key_file = s->tls_key,
                                      .ca_file = s->tls_ca,
                                      .pin = s->tls_pin };
    return true;
}

bool target_find(struct cli *cli, struct target *out, struct err *err)
{
    const struct settings *s = &cli->settings;
    *out = (struct target){ .socket = NULL };
    if (!settings_read(&cli->settings, cli->o, cli->arena, err))
        return false;
    if (s->bunker != NULL)
        return find_link(cli, out, err);
    if (s->simulator)
        out->socket = CONNECTION_SIMULATOR;
    else if (s->serial != NULL && strchr(s->serial, '/') != NULL)
        out->socket = s->serial;
    else if (s->serial != NULL)
        out->serial = s->serial;
    else
        out->socket = s->socket;
    return cli->o->socket == NULL || check_as_reference(cli, cli->o->socket, err);
}

// --- Whether it is the right one ---

struct pin {
    bool has_xpub, has_xfp;
    struct hdpub xpub;
    struct xfp xfp;
};

static bool read_pin(const struct cli *cli, struct pin *pin, struct err *err)
{
    const char *xpub = cli->settings.pin_xpub;
    bool is_main;
    pin->has_xpub = xpub != NULL;
    pin->has_xfp = cli->o->pin_xfp != NULL;
    if (pin->has_xpub && !hdpub_from_text(&pin->xpub, &is_main, bytes_of_text(xpub), err))
        return err_set(err, ERR_USAGE, "the pinned key is no extended public key");
    if (pin->has_xfp && !xfp_from_text(&pin->xfp, bytes_of_text(cli->o->pin_xfp)))
        return err_set(err, ERR_USAGE, "--pin-xfp: '%s' is no fingerprint of 8 hex digits",
                       cli->o->pin_xfp);
    return true;
}

static bool differs(const struct hdpub *device, struct xfp pinned, struct err *err)
{
    char is[XFP_TEXT_SIZE], wanted[XFP_TEXT_SIZE];
    xfp_to_text(is, hdpub_xfp(device));
    xfp_to_text(wanted, pinned);
    return err_set(err, ERR_AUTH, "the device's key is not the pinned one: %s, not %s", is, wanted);
}

static bool compare(const struct pin *pin, const struct hdpub *device, struct err *err)
{
    if (pin->has_xpub &&
        (!pubkey_equal(&pin->xpub.key, &device->key) ||
         memcmp(pin->xpub.chain_code, device->chain_code, sizeof device->chain_code) != 0))
        return differs(device, hdpub_xfp(&pin->xpub), err);
    if (pin->has_xfp && !xfp_equal(pin->xfp, hdpub_xfp(device)))
        return differs(device, pin->xfp, err);
    return true;
}

static bool wants_proof(const struct cli *cli, const struct pin *pin)
{
    const unsigned wanted = cli->o->compat ? VERB_PROVES | VERB_PROVES_COMPAT : VERB_PROVES;
    return pin->has_xpub || pin->has_xfp || cli->o->check || (cli->line.verb->flags & wanted) != 0;
}

bool target_check(struct cli *cli, struct err *err)
{
    const struct connection_identity *id = connection_identity(cli->connection);
    struct pin pin = { 0 };
    struct hdpub device;
    bool is_main;
    if (!read_pin(cli, &pin, err))
        return false;
    if (!wants_proof(cli, &pin))
        return true;
    if (!id->has_seed && (pin.has_xpub || pin.has_xfp))
        return err_set(err, ERR_AUTH, "the device has no seed, and so not the pinned key");
    if (!id->has_seed)
        return err_set(err, ERR_STATE,
                       cli->o->plaintext ? "a link in the clear proves nothing; do not use -P"
                                         : "the device has no seed yet");
    if (!hdpub_from_text(&device, &is_main, bytes_of_text(id->xpub), err))
        return err_set(err, ERR_FRAMING, "mypb: not an extended public key");
    // The fingerprint is said beside the key, and is what people read.
    if (memcmp(hdpub_xfp(&device).b, id->xfp, sizeof id->xfp) != 0)
        return err_set(err, ERR_AUTH, "the device's fingerprint is not that of its key");
    return compare(&pin, &device, err) && (connection_link_state(cli->connection) != NULL ||
                                           connection_prove(cli->connection, &device.key, err));
}

// --- Its panel ---

static bool keep_path(struct cli *cli, const char **out, struct writer *w, struct err *err)
{
    *out = w->failed ? NULL : arena_text(cli->arena, writer_bytes(w));
    return *out != NULL || err_set(err, ERR_LIMIT, "the panel's path is too long");
}

// /run/casemate/signer-NAME.sock -> NAME; no bytes for other paths.
static struct bytes name_of_socket(const char *path)
{
    const struct bytes all = bytes_of_text(path);
    const size_t prefix = sizeof RUN_PREFIX - 1, tail = sizeof ".sock" - 1;
    if (!bytes_starts_with(all, BYTES(RUN_PREFIX)) || all.len <= prefix + tail ||
        !bytes_equal_text(bytes_slice(all, all.len - tail, tail), ".sock"))
        return (struct bytes){ 0 };
    return bytes_slice(all, prefix, all.len - prefix - tail);
}

bool target_panel_path(struct cli *cli, const char **out, struct err *err)
{
    uint8_t mem[4096];
    struct writer w = writer_of(mem, sizeof mem);
    struct target target;
    if (cli->o->panel != NULL && strchr(cli->o->panel, '/') != NULL) {
        *out = cli->o->panel;
        return true;
    }
    if (cli->o->panel != NULL) {
        writer_printf(&w, STATE_FOLDER "/%s/panel.sock", cli->o->panel);
        return keep_path(cli, out, &w, err);
    }
    if (!target_find(cli, &target, err))
        return false;
    if (target.socket == NULL)
        return err_set(err, ERR_USAGE, "whose panel? name the signer with --panel or --socket");
    const struct bytes name = name_of_socket(target.socket);
    if (name.len > 0)
        writer_printf(&w, STATE_FOLDER "/%.*s/panel.sock", BYTES_ARG(name));
    else
        writer_printf(&w, "%s.panel", target.socket);
    return keep_path(cli, out, &w, err);
}
