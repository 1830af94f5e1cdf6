// Asking a device for signatures. Source: coordinator.md A8 step 7, D8, D4.
#include "coordinator/port_device.h"

#define STARTS_MAX     3 // "on err_Checksum or busy restart from offset 0 at most twice"
#define RESTART_MS     250
#define LOST_IN_DEVICE "Coldcard Error: No active request"

bool device_auth(struct port *port, const struct port_auth *auth, struct err *err)
{
    struct device_port *d = device_of(port);
    const struct request request = { .id = REQUEST_USER,
                                     .user = { .totp_time = auth->counter,
                                               .name = bytes_of_text(auth->user),
                                               .token = auth->token } };
    struct reply reply;
    if (!device_begin(d, PORT_STATUS_MS, PORT_STATUS_MS, err))
        return false;
    if (!connection_exchange(d->connection, &reply, &request, d->arena, err))
        return device_failed(d, err);
    if (reply.id != REPLY_OKAY && reply.id != REPLY_ASCI) {
        (void)err_set(err, ERR_FRAMING, "expected okay, got %s", reply_code(reply.id));
        return device_failed(d, err);
    }
    deadline_clear(&d->deadline);
    return true;
}

// --- A transaction ---

static void tell(struct port_answer *out, enum port_outcome outcome, const struct err *err)
{
    out->outcome = outcome;
    out->tag = refusal_tag_of_err(err);
    refusal_escape(out->text, bytes_of_text(err->text));
}

// The device heard nothing that it could have signed from.
static void not_begun(struct device_port *d, struct port_answer *out, struct err *err)
{
    (void)device_failed(d, err);
    tell(out, err->code == ERR_BUSY ? PORT_BUSY : PORT_UNSENT, err);
}

// It may have signed, whatever we heard of it.
static void in_doubt(struct device_port *d, struct port_answer *out, struct err *err)
{
    (void)device_failed(d, err);
    tell(out, err->code == ERR_TIMEOUT || err->code == ERR_PENDING ? PORT_TIMEOUT : PORT_GONE, err);
    if (out->outcome == PORT_GONE)
        out->tag = REFUSAL_UNREACHABLE;
}

// "The reason is only in hsts", and only until the next decision.
static void refused(struct device_port *d, struct port_answer *out)
{
    struct hsm_status s;
    struct err err;
    out->outcome = PORT_REFUSED;
    deadline_set(&d->deadline, PORT_STATUS_MS, PORT_STATUS_MS);
    if (!device_status(d, &s, &err)) {
        (void)device_failed(d, &err);
        refusal_escape(out->text, BYTES("refused, and the reason could not be read"));
        return;
    }
    out->tag = refusal_tag_of(s.last_refusal);
    refusal_escape(out->text, s.last_refusal);
}

// An answer to the request itself is definite: the device will not sign. Otherwise nobody knows.
static bool is_definite(const struct err *err)
{
    return err->code == ERR_INVALID || err->code == ERR_BUSY || err->code == ERR_REFUSED;
}

static bool may_start_again(const struct err *err)
{
    return err->code == ERR_BUSY || strcmp(err->text, "Coldcard Error: Checksum") == 0;
}

enum begun { BEGUN_NO, BEGUN_REFUSED, BEGUN_IN_DOUBT, BEGUN_YES };

static enum begun begin_signing(struct device_port *d, struct bytes psbt, struct err *err)
{
    const struct progress progress = device_progress(d);
    const struct request stxn = { .id = REQUEST_STXN,
                                  .stxn = { .length = (uint32_t)psbt.len, .sha = sha256(psbt) } };
    struct reply reply;
    for (unsigned i = 1;; i++) {
        if (!transfer_upload(d->connection, psbt, 0, &progress, err))
            return err->code == ERR_INVALID ? BEGUN_REFUSED : BEGUN_NO;
        if (connection_call(d->connection, &reply, REPLY_OKAY, &stxn, d->arena, err))
            return BEGUN_YES;
        if (!is_definite(err))
            return BEGUN_IN_DOUBT;
        if (i == STARTS_MAX || !may_start_again(err))
            return err->code == ERR_BUSY ? BEGUN_NO : BEGUN_REFUSED;
        struct err stop;
        if (!connection_pause(d->connection, RESTART_MS, &stop)) {
            *err = stop;
            return BEGUN_NO;
        }
    }
}

static void fetch_result(struct device_port *d, struct port_answer *out, struct arena *arena)
{
    const struct progress progress = device_progress(d);
    struct reply strx;
    struct err err;
    if (!transfer_wait(d->connection, &strx, REQUEST_STOK, REPLY_STRX, PORT_SIGN_MS, d->arena,
                       &progress, &err)) {
        if (err.code == ERR_REFUSED)
            refused(d, out);
        else if (err.code == ERR_INVALID && strcmp(err.text, LOST_IN_DEVICE) != 0)
            tell(out, PORT_REFUSED, &err);
        else
            in_doubt(d, out, &err);
        return;
    }
    if (!transfer_download(d->connection, &out->psbt, 1, &strx, arena, &progress, &err)) {
        in_doubt(d, out, &err);
        return;
    }
    out->outcome = PORT_SIGNED;
}

void device_sign(struct port *port, struct port_answer *out, struct bytes psbt, struct arena *arena)
{
    struct device_port *d = device_of(port);
    struct err err;
    if (!device_begin(d, PORT_SIGN_MS, PORT_SIGN_CAP_MS, &err)) {
        not_begun(d, out, &err);
        return;
    }
    switch (begin_signing(d, psbt, &err)) {
    case BEGUN_NO:
        not_begun(d, out, &err);
        return;
    case BEGUN_REFUSED:
        tell(out, PORT_REFUSED, &err);
        break;
    case BEGUN_IN_DOUBT:
        in_doubt(d, out, &err);
        return;
    case BEGUN_YES:
        fetch_result(d, out, arena);
        break;
    }
    deadline_clear(&d->deadline);
}

// --- A text ---

bool device_sign_message(struct port *port, struct port_message *out, const char *path,
                         struct bytes text, struct err *err)
{
    struct device_port *d = device_of(port);
    const struct request request = {
        .id = REQUEST_SMSG,
        .smsg = { .addr_format = ADDR_P2WPKH, .path = bytes_of_text(path), .message = text }
    };
    struct reply reply;
    if (!device_begin(d, PORT_SIGN_MS, PORT_SIGN_MS, err))
        return false;
    if (!connection_call(d->connection, &reply, REPLY_OKAY, &request, d->arena, err))
        return device_failed(d, err);
    if (!transfer_wait(d->connection, &reply, REQUEST_SMOK, REPLY_SMRX, PORT_SIGN_MS, d->arena,
                       NULL, err)) {
        struct hsm_status s;
        struct err unimportant;
        if (err->code == ERR_REFUSED && device_status(d, &s, &unimportant) &&
            s.last_refusal.len > 0)
            (void)err_set(err, ERR_REFUSED, "%.*s", BYTES_ARG(bytes_slice(s.last_refusal, 0, 200)));
        return device_failed(d, err);
    }
    if (reply.smrx.address.len >= sizeof out->address ||
        !bytes_is_printable_ascii(reply.smrx.address)) {
        (void)err_set(err, ERR_FRAMING, "smrx: no address");
        return device_failed(d, err);
    }
    (void)snprintf(out->address, sizeof out->address, "%.*s", BYTES_ARG(reply.smrx.address));
    memcpy(out->signature, reply.smrx.signature, sizeof out->signature);
    deadline_clear(&d->deadline);
    return true;
}
