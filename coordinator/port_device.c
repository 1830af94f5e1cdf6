#include "coordinator/port_device.h"
#include "base/reader.h"
#include "base/require.h"
#include "bitcoin/hdkey.h"
#include "client/signer_link.h"
#include "client/socket_transport.h"

#define USB_LOCK_MS 1000 // patience with another program that has the device
#define DISABLED    "HSM commands disabled"

struct device_port *device_of(struct port *port)
{
    return (struct device_port *)port;
}

// --- The conversation ---

static void hang_up(struct port *port)
{
    struct device_port *d = device_of(port);
    connection_close(d->connection);
    d->connection = NULL;
    d->proved = false;
}

static bool open_connection(struct device_port *d, struct err *err)
{
    const struct signer_config *s = d->o.section;
    const struct link_choice link = { .url = s->url,
                                      .cert_file = s->client_cert,
                                      .key_file = s->client_key,
                                      .ca_file = s->server_ca,
                                      .pin = s->server_pin,
                                      .connect_ms = PORT_CONNECT_MS };
    struct connection_options options = { .cancel_fd = d->deadline.fd };
    switch (s->transport) {
    case TRANSPORT_UNIX:
        options.socket_path = s->path;
        return socket_check_owner(s->path, s->path_owner, err) &&
               connection_open(&d->connection, &options, err);
    case TRANSPORT_LINK:
        options.link = &link;
        return connection_open(&d->connection, &options, err);
    default:
        options.usb = (struct hid_choice){ .serial = s->serial, .lock_ms = USB_LOCK_MS };
        break;
    }
    if (d->o.usb != NULL)
        (void)pthread_mutex_lock(d->o.usb);
    const bool ok = connection_open(&d->connection, &options, err);
    if (d->o.usb != NULL)
        (void)pthread_mutex_unlock(d->o.usb);
    return ok;
}

static bool is_pinned(const struct device_port *d)
{
    return d->o.pin_xpub != NULL && d->o.pin_xpub[0] != '\0';
}

// "the device's key pinned after first enrolment"
static bool check_identity(const struct device_port *d, struct err *err)
{
    const struct connection_identity *id = connection_identity(d->connection);
    char expected[XFP_TEXT_SIZE], found[XFP_TEXT_SIZE];
    struct xfp xfp;
    if (!id->has_seed)
        return err_set(err, ERR_NOT_FOUND, "the device holds no seed, or is locked");
    memcpy(xfp.b, id->xfp, sizeof xfp.b);
    if (memcmp(xfp.b, d->o.xfp.b, sizeof xfp.b) != 0) {
        xfp_to_text(expected, d->o.xfp);
        xfp_to_text(found, xfp);
        return err_set(err, ERR_AUTH, "another device: fingerprint %s, not %s", found, expected);
    }
    if (is_pinned(d) && id->xpub[0] != '\0' && strcmp(id->xpub, d->o.pin_xpub) != 0)
        return err_set(err, ERR_AUTH, "another device: its master key is not the pinned one");
    return true;
}

// That it holds the pinned key, not only shows it. Over a link the bunker is who we know by its certificate.
static bool prove(struct device_port *d, struct err *err)
{
    struct hdpub master;
    bool is_main;
    if (d->proved || !is_pinned(d) || d->o.section->transport == TRANSPORT_LINK)
        return true;
    if (!hdpub_from_text(&master, &is_main, bytes_of_text(d->o.pin_xpub), err) ||
        !connection_prove(d->connection, &master.key, err))
        return err_within(err, "pinned key");
    d->proved = true;
    return true;
}

static bool connect_device(struct device_port *d, struct err *err)
{
    if (d->connection != NULL)
        return true;
    deadline_set(&d->deadline, PORT_CONNECT_MS, PORT_CONNECT_MS);
    return open_connection(d, err) && check_identity(d, err) && prove(d, err);
}

bool device_begin(struct device_port *d, int64_t ms, int64_t most_ms, struct err *err)
{
    arena_reset(d->arena);
    if (!connect_device(d, err)) {
        (void)device_failed(d, err);
        hang_up(&d->base);
        return false;
    }
    deadline_set(&d->deadline, ms, most_ms);
    return true;
}

// The link's errors after which a session goes on: the device understood, and said no.
static bool is_usable_after(enum err_code code)
{
    return code == ERR_INVALID || code == ERR_REFUSED || code == ERR_BUSY ||
           code == ERR_UNSUPPORTED;
}

bool device_failed(struct device_port *d, struct err *err)
{
    (void)deadline_explain(&d->deadline, err);
    deadline_clear(&d->deadline);
    if (!is_usable_after(err->code))
        hang_up(&d->base);
    return false;
}

static void extend(void *context, enum transfer_phase phase, uint64_t done, uint64_t total)
{
    struct device_port *d = context;
    (void)done;
    (void)total;
    if (phase != TRANSFER_WAIT) // that somebody waits is no progress
        deadline_extend(&d->deadline, PORT_SIGN_MS);
}

struct progress device_progress(struct device_port *d)
{
    return (struct progress){ .report = extend, .context = d };
}

// --- A simulator's keys ---

bool device_has_keys(const struct device_port *d)
{
    return d->o.demo && d->o.section->transport != TRANSPORT_LINK;
}

bool device_press(struct device_port *d, const char *keys, struct err *err)
{
    const struct request request = { .id = REQUEST_XKEY, .data = bytes_of_text(keys) };
    struct reply reply;
    return connection_call(d->connection, &reply, REPLY_OKAY, &request, d->arena, err);
}

bool device_exec(struct device_port *d, const char *text, struct bytes *out, struct err *err)
{
    const struct request request = { .id = REQUEST_EXEC, .data = bytes_of_text(text) };
    struct reply reply;
    if (!connection_call(d->connection, &reply, REPLY_BINY, &request, d->arena, err))
        return false;
    if (out != NULL)
        *out = reply.data;
    return true;
}

// --- Status ---

bool device_status(struct device_port *d, struct hsm_status *out, struct err *err)
{
    if (hsm_status_fetch(out, d->connection, d->arena, err))
        return true;
    // A6 step 2: "Turn the HSM command on."
    if (!device_has_keys(d) || err->code != ERR_INVALID || strstr(err->text, DISABLED) == NULL)
        return false;
    return device_exec(d, EXEC_HSM_ON, NULL, err) &&
           hsm_status_fetch(out, d->connection, d->arena, err);
}

static void copy_text(char *out, size_t size, struct bytes text)
{
    (void)snprintf(out, size, "%.*s", BYTES_ARG(text));
}

// Names too long or too many are nobody's of ours.
static void copy_names(char out[static PORT_NAMES_MAX][PORT_NAME_SIZE], size_t *n,
                       const struct json *names)
{
    for (const struct json *item = names->items; item != NULL && *n < PORT_NAMES_MAX;
         item = item->next)
        if (item->text.len < PORT_NAME_SIZE)
            copy_text(out[(*n)++], PORT_NAME_SIZE, item->text);
}

static int64_t whole(const struct json *number, int64_t otherwise)
{
    int64_t n;
    return number != NULL && number->type == JSON_NUMBER && json_integer(number, &n, NULL)
               ? n
               : otherwise;
}

static int64_t milliseconds(const struct json *seconds)
{
    int64_t digits;
    unsigned scale;
    if (seconds == NULL || seconds->type != JSON_NUMBER ||
        !json_decimal(seconds, &digits, &scale) || digits < 0 || digits > INT64_MAX / 1000)
        return -1;
    digits *= 1000;
    for (; scale > 0; scale--)
        digits /= 10;
    return digits;
}

// What is hidden counts as not told. A number that is none makes all of it so.
static void read_velocity(struct port_status *out, const struct json *object)
{
    const struct json *spent = json_get(object, "has_spent");
    out->tells_velocity = json_get(object, "period") != NULL;
    out->period_left_s = whole(json_get(object, "period_ends"), 0);
    out->uptime_ms = milliseconds(json_get(object, "uptime"));
    if (spent == NULL || spent->type != JSON_ARRAY)
        return;
    out->period_runs = true;
    for (const struct json *item = spent->items; item != NULL && out->n_spent < PORT_RULES_MAX;
         item = item->next) {
        const int64_t n = whole(item, -1);
        out->tells_velocity &= n >= 0;
        out->spent[out->n_spent++].n = n > 0 ? (uint64_t)n : 0;
    }
}

void device_read_status(struct port_status *out, const struct hsm_status *s)
{
    *out = (struct port_status){ .tells = true,
                                 .active = s->active,
                                 .approval_wait = s->approval_wait,
                                 .policy_available = s->policy_available,
                                 .has_counters = json_get(s->object, "refusals") != NULL,
                                 .approvals = s->approvals,
                                 .refusals = s->refusals,
                                 .pending_auth = s->pending_auth,
                                 .uptime_ms = -1,
                                 .tells_users = s->users != NULL,
                                 .tells_wallets = s->wallets != NULL };
    if (s->active)
        copy_text(out->policy_hash, sizeof out->policy_hash, s->policy_hash);
    refusal_escape(out->last_refusal, s->last_refusal);
    out->tag = refusal_tag_of(s->last_refusal);
    if (s->users != NULL)
        copy_names(out->users, &out->n_users, s->users);
    if (s->wallets != NULL)
        copy_names(out->wallets, &out->n_wallets, s->wallets);
    if (s->active)
        read_velocity(out, s->object);
}

static void note_kind(struct device_port *d, const struct hsm_status *s)
{
    const struct json *ours = json_get(s->object, "casemate");
    const struct json *simulator = ours != NULL ? json_get(ours, "simulator") : NULL;
    d->is_simulator = simulator != NULL && simulator->type == JSON_TRUE;
}

static bool status(struct port *port, struct port_status *out, struct err *err)
{
    struct device_port *d = device_of(port);
    struct hsm_status s;
    if (!device_begin(d, PORT_STATUS_MS, PORT_STATUS_MS, err))
        return false;
    if (!device_status(d, &s, err))
        return device_failed(d, err);
    note_kind(d, &s);
    device_read_status(out, &s);
    deadline_clear(&d->deadline);
    return true;
}

// --- Hello ---

// "five lines": date, version, bootloader, build, hardware label
static bool read_version(struct device_port *d, struct port_hello *out, struct err *err)
{
    const struct request request = { .id = REQUEST_VERS };
    struct reply reply;
    struct bytes line;
    if (!connection_call(d->connection, &reply, REPLY_ASCI, &request, d->arena, err))
        return false;
    struct reader r = reader_of(reply.data);
    for (unsigned i = 1; reader_until(&r, '\n', &line); i++) {
        if (!bytes_is_printable_ascii(line))
            return err_set(err, ERR_FRAMING, "vers: not printable");
        if (i == 2)
            copy_text(out->firmware, sizeof out->firmware, line);
        if (i == 5)
            copy_text(out->model, sizeof out->model, line);
    }
    return true;
}

static void describe(struct device_port *d, struct port_hello *out, const struct hsm_status *s)
{
    const struct connection_identity *id = connection_identity(d->connection);
    const struct signer_config *section = d->o.section;
    const bool ours = json_get(s->object, "casemate") != NULL;
    const struct link_state *link = connection_link_state(d->connection);
    note_kind(d, s);
    (void)snprintf(out->kind, sizeof out->kind, "%s",
                   d->is_simulator ? "simulator"
                   : ours          ? "casemate"
                                   : "coldcard");
    (void)snprintf(out->serial, sizeof out->serial, "%s", id->serial);
    (void)snprintf(out->xpub, sizeof out->xpub, "%s", id->xpub);
    memcpy(out->xfp.b, id->xfp, sizeof out->xfp.b);
    out->max_psbt = PORT_PSBT_MAX;
    out->max_inputs = PORT_INPUTS_MAX;
    out->abilities = PORT_TELLS_VELOCITY | PORT_SIGNS_MESSAGES;
    if (ours)
        out->abilities |= PORT_CHARGES_ONCE;
    if (link == NULL || link->provision)
        out->abilities |= PORT_PROVISIONS;
    if (d->is_simulator && device_has_keys(d))
        out->abilities |= PORT_ACTIVATES_ALONE;
    if (section->restart_command[0] != NULL)
        out->abilities |= PORT_REBOOTS;
}

static bool hello(struct port *port, struct port_hello *out, struct err *err)
{
    struct device_port *d = device_of(port);
    struct hsm_status s;
    if (!device_begin(d, PORT_STATUS_MS, PORT_STATUS_MS, err))
        return false;
    if (!read_version(d, out, err) || !device_status(d, &s, err))
        return device_failed(d, err);
    describe(d, out, &s);
    deadline_clear(&d->deadline);
    return true;
}

// --- The port ---

static bool reboot(struct port *port, struct err *err)
{
    struct device_port *d = device_of(port);
    hang_up(port);
    const bool ok = restart_signer(&d->o, &d->deadline, err);
    deadline_clear(&d->deadline);
    return ok;
}

static void device_free(struct port *port)
{
    struct device_port *d = device_of(port);
    hang_up(port);
    deadline_close(&d->deadline);
    arena_free(d->arena);
    free(d);
}

static const struct port_ops ops = {
    .hello = hello,
    .status = status,
    .knows_wallet = device_knows_wallet,
    .register_wallet = device_register,
    .enrol = device_enrol,
    .load_policy = device_load_policy,
    .activate = device_activate,
    .auth = device_auth,
    .sign = device_sign,
    .sign_message = device_sign_message,
    .reboot = reboot,
    .hang_up = hang_up,
    .free = device_free,
};

bool device_port_new(struct port **out, const struct port_options *options, struct err *err)
{
    struct device_port *d = calloc(1, sizeof *d);
    REQUIRE(d != NULL);
    d->base.ops = &ops;
    d->o = *options;
    if (!deadline_open(&d->deadline, options->cancel_fd, err)) {
        free(d);
        return false;
    }
    d->arena = arena_new(PORT_ARENA);
    *out = &d->base;
    return true;
}
