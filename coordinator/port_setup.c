// What a signer has to be given before it signs: wallet, users, policy. Source: coordinator.md A6, B3, D8.
#include "base/reader.h"
#include "coordinator/port_device.h"

#define PRESSES_MAX   30  // of one question: long ones come in pages
#define PRESS_MS      50  // between two
#define ROUNDS_MAX    18  // "up to 18 rounds"
#define ROUND_MS      100 // between two
#define PERSON_NEEDED "a person must approve it at the signer's panel or keypad"

// --- The wallet ---

static bool is_registered(struct device_port *d, bool *out, const struct ms_wallet *wallet,
                          struct err *err)
{
    const struct request request = { .id = REQUEST_MSCK,
                                     .msck = { (uint32_t)wallet->m, (uint32_t)wallet->n,
                                               ms_wallet_xor(wallet) } };
    struct reply reply;
    if (!connection_call(d->connection, &reply, REPLY_INT1, &request, d->arena, err))
        return false;
    *out = reply.number[0] != 0;
    return true;
}

// The cosigner whose key stands at that place of the script of m/0/0.
static bool cosigner_of(const struct ms_wallet *wallet, struct bytes key, size_t *out,
                        struct err *err)
{
    for (*out = 0; *out < wallet->n; ++*out) {
        struct hdpub child;
        if (!hdpub_child(&child, &wallet->cosigner[*out].branch[MS_RECEIVE], 0, err))
            return false;
        if (bytes_equal(BYTES_OF(child.key.b), key))
            return true;
    }
    return err_set(err, ERR_INTERNAL, "a key of nobody in the wallet's own script");
}

static bool write_origins(struct writer *keys, const struct ms_wallet *wallet, struct bytes script,
                          struct err *err)
{
    struct ms_script parsed;
    if (!ms_script_parse(&parsed, script, err))
        return false;
    for (size_t i = 0; i < parsed.n; i++) {
        size_t c;
        if (!cosigner_of(wallet, parsed.key[i], &c, err))
            return false;
        const struct key_origin *origin = &wallet->cosigner[c].origin;
        struct p2sh_key key = { .depth = origin->path.depth + 2 }; // "/0/0" behind it
        if (key.depth > P2SH_DEPTH_MAX)
            return err_set(err, ERR_LIMIT, "a key path is too deep");
        memcpy(key.xfp, origin->xfp.b, sizeof key.xfp);
        for (size_t s = 0; s < origin->path.depth; s++)
            key.step[s] = origin->path.step[s];
        p2sh_key_write(keys, &key);
    }
    return true;
}

// "the descriptor is confirmed by `p2sh` of the first receive address where `share_addrs` has `p2sh`"
static bool shows_first_address(struct device_port *d, bool *out, const struct ms_wallet *wallet,
                                struct err *err)
{
    struct writer script = writer_growing(d->arena, MS_SCRIPT_MAX);
    struct writer keys = writer_growing(d->arena, REQUEST_MAX);
    struct writer address = writer_growing(d->arena, 100);
    if (!ms_wallet_script(&script, wallet, MS_RECEIVE, 0, err) ||
        !ms_wallet_address(&address, wallet, MS_RECEIVE, 0, err) ||
        !write_origins(&keys, wallet, writer_bytes(&script), err))
        return false;
    const struct request request = { .id = REQUEST_P2SH,
                                     .p2sh = { .addr_format = (uint32_t)wallet->format,
                                               .m = (uint8_t)wallet->m,
                                               .n = (uint8_t)wallet->n,
                                               .script = writer_bytes(&script),
                                               .keys = writer_bytes(&keys) } };
    struct reply reply;
    *out = false;
    if (!connection_call(d->connection, &reply, REPLY_ASCI, &request, d->arena, err))
        return err->code == ERR_INVALID; // it does not share addresses
    *out = bytes_equal(reply.data, writer_bytes(&address));
    return *out || err_set(err, ERR_AUTH, "its wallet is another: first address %.*s",
                           BYTES_ARG(bytes_slice(reply.data, 0, 90)));
}

bool device_knows_wallet(struct port *port, enum port_wallet *out, const struct ms_wallet *wallet,
                         struct err *err)
{
    struct device_port *d = device_of(port);
    struct hsm_status s;
    bool found, proved = false;
    if (!device_begin(d, PORT_STATUS_MS, PORT_STATUS_MS, err))
        return false;
    // Outside HSM mode the address would go on the screen, for somebody to look at.
    if (!is_registered(d, &found, wallet, err) || !device_status(d, &s, err) ||
        (found && s.active && !shows_first_address(d, &proved, wallet, err)))
        return device_failed(d, err);
    *out = proved ? PORT_WALLET_PROVED : found ? PORT_WALLET_HINTED : PORT_WALLET_ABSENT;
    deadline_clear(&d->deadline);
    return true;
}

// "confirm on the device (up to 10 presses, 0.8 s apart) until one is there"
static bool confirm_wallet(struct device_port *d, const struct ms_wallet *wallet, struct err *err)
{
    bool found = false;
    for (unsigned i = 0; i < PRESSES_MAX && !found; i++)
        if (!device_press(d, "y", err) || !connection_pause(d->connection, PRESS_MS, err) ||
            !is_registered(d, &found, wallet, err))
            return false;
    return found || err_set(err, ERR_REFUSED, "the simulator did not take the wallet");
}

static bool send_wallet(struct device_port *d, const struct ms_wallet *wallet, struct err *err)
{
    struct writer w = writer_growing(d->arena, MS_EXPORT_MAX);
    struct request start = { .id = REQUEST_ENRL };
    const struct progress progress = device_progress(d);
    struct bytes text;
    if (!ms_wallet_export(&w, wallet, d->o.xfp, err))
        return false;
    if (!writer_finish(&w, &text))
        return err_set(err, ERR_LIMIT, "the wallet's text is too long");
    return transfer_start(d->connection, text, &start, &progress, err);
}

bool device_register(struct port *port, const struct ms_wallet *wallet, struct err *err)
{
    struct device_port *d = device_of(port);
    struct hsm_status s; // finds out what it is, and switches its commands on
    bool found;
    if (!device_begin(d, PORT_CHANGE_MS, PORT_CHANGE_MS, err))
        return false;
    if (!device_status(d, &s, err) || !is_registered(d, &found, wallet, err) ||
        (!found && !send_wallet(d, wallet, err)) ||
        (!found && device_has_keys(d) && !confirm_wallet(d, wallet, err)))
        return device_failed(d, err);
    deadline_clear(&d->deadline);
    return true;
}

// --- Users ---

bool device_enrol(struct port *port, const struct port_user *user, struct err *err)
{
    struct device_port *d = device_of(port);
    const struct request request = {
        .id = REQUEST_NWUR,
        .nwur = { .mode = user->mode, .name = bytes_of_text(user->name), .secret = user->secret }
    };
    struct reply reply;
    if (!device_begin(d, PORT_CHANGE_MS, PORT_CHANGE_MS, err))
        return false;
    if (!connection_call(d->connection, &reply, REPLY_ASCI, &request, d->arena, err) &&
        (err->code != ERR_INVALID || strcmp(err->text, "Coldcard Error: exists") != 0))
        return device_failed(d, err);
    deadline_clear(&d->deadline);
    return true;
}

// --- The policy ---

// A simulator that shows the offer of its saved policy: the order names a version, so it is declined.
static bool clear_offer(struct device_port *d, const struct hsm_status *s, struct err *err)
{
    if (!s->approval_wait)
        return true;
    if (!device_has_keys(d))
        return err_set(err, ERR_BUSY, "a question is open on its screen: " PERSON_NEEDED);
    return device_press(d, "x", err);
}

bool device_load_policy(struct port *port, struct bytes policy, struct err *err)
{
    struct device_port *d = device_of(port);
    struct request start = { .id = REQUEST_HSMS };
    const struct progress progress = device_progress(d);
    struct hsm_status s;
    if (!device_begin(d, PORT_CHANGE_MS, PORT_CHANGE_MS, err))
        return false;
    if (!device_status(d, &s, err) || !clear_offer(d, &s, err) ||
        !transfer_start(d->connection, policy, &start, &progress, err))
        return device_failed(d, err);
    deadline_clear(&d->deadline);
    return true;
}

// The digit of "Press (<d>) to save"; 0 without one.
static char save_digit(struct bytes story)
{
    for (size_t i = 0; i < story.len; i++) {
        struct reader r = reader_of(bytes_slice(story, i, SIZE_MAX));
        uint8_t digit;
        if (reader_accept_bytes(&r, BYTES("Press (")) && reader_u8(&r, &digit) &&
            reader_accept_bytes(&r, BYTES(") to save")))
            return (char)digit;
    }
    return 0;
}

static bool answer(struct device_port *d, struct err *err)
{
    struct bytes story;
    if (!device_exec(d, EXEC_STORY, &story, err))
        return false;
    char digit[2] = { save_digit(story), 0 };
    if (digit[0] != 0)
        return device_press(d, digit, err);
    // "a "Start HSM?" or "Press OK to enable" screen takes OK"
    if (memmem(story.ptr, story.len, "Start HSM?", 10) != NULL ||
        memmem(story.ptr, story.len, "Press OK to enable", 18) != NULL)
        return device_press(d, "y", err);
    return true;
}

static bool press_through(struct device_port *d, struct hsm_status *s, struct err *err)
{
    for (unsigned i = 0; i < ROUNDS_MAX && !s->active; i++) {
        if (!answer(d, err) || !device_status(d, s, err))
            return false;
        if (!s->active && !connection_pause(d->connection, ROUND_MS, err))
            return false;
    }
    return s->active || err_set(err, ERR_PENDING, "the simulator did not become active");
}

bool device_activate(struct port *port, struct err *err)
{
    struct device_port *d = device_of(port);
    struct hsm_status s;
    if (!device_begin(d, PORT_CHANGE_MS, PORT_CHANGE_MS, err))
        return false;
    if (!device_status(d, &s, err))
        return device_failed(d, err);
    if (!s.active && !device_has_keys(d)) {
        (void)err_set(err, ERR_UNSUPPORTED, PERSON_NEEDED);
        return device_failed(d, err);
    }
    if (!s.active && !press_through(d, &s, err))
        return device_failed(d, err);
    deadline_clear(&d->deadline);
    return true;
}
