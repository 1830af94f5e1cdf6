// Public keys and addresses: wire-protocol.md 8.4, 8.5.
#include "bitcoin/address.h"
#include "signer/requests.h"

static bool deny(struct device *device, const char *what, struct bytes path, struct err *err)
{
    journal_denied(device, what, path);
    return err_set(err, ERR_STATE, "Not allowed in HSM mode");
}

bool serve_xpub(struct exchange *ex, struct err *err)
{
    struct device *device = ex->device;
    struct keypath path;
    struct hdpub node;
    if (!keypath_parse(&path, ex->request.data, err))
        return false;
    if (device->state == DEVICE_HSM && !policy_shares_xpub(&device->hsm->policy, &path))
        return deny(device, "xpub", ex->request.data, err);
    if (!device_public_node(device, &node, &path, err))
        return false;
    char text[XPUB_TEXT_SIZE];
    hdpub_to_text(text, &node, device_chain(device));
    struct bytes copy;
    if (!arena_copy(ex->arena, bytes_of_text(text), &copy))
        return err_set(err, ERR_NO_MEMORY, "Out of RAM");
    reply_text(ex, copy);
    return true;
}

// Formats of single keys; old clients send 0x17 for P2TR.
static bool single_key_format(enum addr_format *out, uint32_t code, struct err *err)
{
    *out = (enum addr_format)(code == 0x17 ? ADDR_P2TR : code);
    return *out == ADDR_P2PKH || *out == ADDR_P2WPKH || *out == ADDR_P2SH_P2WPKH ||
           *out == ADDR_P2TR || err_set(err, ERR_UNSUPPORTED, "Unknown/unsupported addr format");
}

static bool write_address(struct exchange *ex, const struct keypath *path, enum addr_format format,
                          struct bytes *out, struct err *err)
{
    struct hdpub node;
    uint8_t mem[64];
    struct writer script = writer_of(mem, sizeof mem);
    struct writer address = writer_growing(ex->arena, ADDRESS_TEXT_MAX);
    if (!device_public_node(ex->device, &node, path, err) ||
        !address_script_of_key(&script, &node.key, format, err))
        return false;
    if (!address_from_script(&address, writer_bytes(&script), device_chain(ex->device)) ||
        !writer_finish(&address, out))
        return err_set(err, ERR_UNSUPPORTED, "Unknown/unsupported addr format");
    return true;
}

// --- The address on the screen, until a key dismisses it ---

static void address_key(void *context, char key)
{
    struct device *device = context;
    if (key != 'x' && key != 'y')
        return;
    screen_done(&device->screen);
    job_drop(&device->job);
}

static void address_dismissed(void *context)
{
    struct device *device = context;
    if (device->job.kind == JOB_ADDRESS)
        job_drop(&device->job);
}

static const struct dialog_ops address_dialog = { .key = address_key,
                                                  .dismissed = address_dismissed };

void show_address(struct device *device, struct bytes text)
{
    device_discard_job(device);
    device->job.kind = JOB_ADDRESS;
    device->job.state = JOB_WAITING;
    device->job.begun = true;
    screen_ask(&device->screen, "Address:", text, ASK_KEY, &address_dialog, device);
}

static void show(struct device *device, const struct keypath *path, struct bytes address)
{
    char mem[KEYPATH_TEXT_MAX + ADDRESS_TEXT_MAX + 64];
    struct writer w = writer_of(mem, sizeof mem);
    writer_printf(&w, "\x02%.*s\n\n= ", BYTES_ARG(address));
    keypath_write(&w, path);
    show_address(device, writer_bytes(&w));
}

bool serve_show(struct exchange *ex, struct err *err)
{
    struct device *device = ex->device;
    struct keypath path;
    enum addr_format format;
    struct bytes address;
    if (!single_key_format(&format, ex->request.show.addr_format, err) ||
        !keypath_parse(&path, ex->request.show.path, err))
        return false;
    const bool hsm = device->state == DEVICE_HSM;
    if (hsm && !policy_shares_address(&device->hsm->policy, &path))
        return deny(device, "address", ex->request.show.path, err);
    if (!write_address(ex, &path, format, &address, err))
        return false;
    if (!hsm)
        show(device, &path, address);
    reply_text(ex, address);
    return true;
}
