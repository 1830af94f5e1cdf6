// Multisig wallets: wire-protocol.md 8.1 (msck), 8.5 (p2sh), 8.8 (enrl).
#include "signer/device_wallets.h"
#include "signer/requests.h"

bool serve_msck(struct exchange *ex, struct err *err)
{
    (void)err;
    const struct request_msck *msck = &ex->request.msck;
    reply_number(ex, ms_is_known(ex->device->wallets, msck->m, msck->n, msck->xor_xfp));
    return true;
}

bool serve_enrl(struct exchange *ex, struct err *err)
{
    const struct request_file *file = &ex->request.enrl;
    if (!upload_is(ex->peer, file->length, &file->sha, MS_TEXT_MIN, MS_TEXT_MAX, err) ||
        !device_ask_enroll(ex->device, staging_bytes(&ex->peer->staging), err))
        return false;
    reply_okay(ex);
    return true;
}

// --- p2sh ---

// Where the request says its keys come from, in the order of the script.
struct stated {
    struct key_origin list[MS_KEYS_MAX];
    size_t n;
};

static bool origin_of(const void *context, size_t place, struct bytes key, struct key_origin *out)
{
    const struct stated *stated = context;
    (void)key;
    if (place >= stated->n)
        return false;
    *out = stated->list[place];
    return true;
}

static bool not_found(struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "Multisig wallet with those fingerprints not found");
}

// A path that is longer than any of ours belongs to no wallet: no PSBT could spend from it.
static bool read_keys(struct stated *out, const struct request_p2sh *p2sh, struct err *err)
{
    struct reader keys = reader_of(p2sh->keys);
    if (p2sh->n > MS_KEYS_MAX)
        return not_found(err);
    for (out->n = 0; out->n < p2sh->n; out->n++) {
        struct key_origin *origin = &out->list[out->n];
        struct p2sh_key key;
        if (!p2sh_key_read(&key, &keys, err))
            return false;
        if (key.depth > KEYPATH_DEPTH_MAX)
            return not_found(err);
        memcpy(origin->xfp.b, key.xfp, sizeof origin->xfp.b);
        memcpy(origin->path.step, key.step, key.depth * sizeof key.step[0]);
        origin->path.depth = key.depth;
    }
    return true;
}

static bool find_wallet(const struct ms_wallet **out, const struct exchange *ex,
                        const struct stated *stated, struct err *err)
{
    const struct request_p2sh *p2sh = &ex->request.p2sh;
    const struct ms_query query = { .m = p2sh->m, .origins = stated->list, .n = stated->n };
    *out = ms_find(ex->device->wallets, &query);
    return *out != NULL || not_found(err);
}

// "`busy` unless free or showing an address"
static bool is_busy(struct exchange *ex)
{
    const struct job *job = device_job(ex->device, ex->peer);
    return !job_is_over(job) && job->kind != JOB_ADDRESS;
}

// Trap of 7.7: "the requested format is not compared with the wallet's", unless the option asks for it.
static bool write_address(struct exchange *ex, const struct ms_wallet *wallet, struct bytes *out,
                          struct err *err)
{
    const struct request_p2sh *p2sh = &ex->request.p2sh;
    const enum addr_format format = (enum addr_format)p2sh->addr_format;
    uint8_t mem[34];
    struct writer script = writer_of(mem, sizeof mem);
    struct writer address = writer_growing(ex->arena, ADDRESS_TEXT_MAX);
    if (ex->device->config.p2sh_strict && format != wallet->format)
        return not_found(err);
    return address_script_of_script(&script, p2sh->script, format, err) &&
           ((address_from_script(&address, writer_bytes(&script), device_chain(ex->device)) &&
             writer_finish(&address, out)) ||
            err_set(err, ERR_NO_MEMORY, "Out of RAM"));
}

static void show(struct device *device, const struct ms_wallet *wallet, struct bytes address)
{
    char mem[ADDRESS_TEXT_MAX + MS_NAME_MAX + 64];
    struct writer w = writer_of(mem, sizeof mem);
    writer_printf(&w, "\x02%.*s\n\nWallet:\n  %s\n  %zu of %zu", BYTES_ARG(address), wallet->name,
                  wallet->m, wallet->n);
    show_address(device, writer_bytes(&w));
}

// That the policy shares multisig addresses was asked before the arguments were looked at.
bool serve_p2sh(struct exchange *ex, struct err *err)
{
    struct device *device = ex->device;
    const struct ms_wallet *wallet;
    struct stated stated;
    struct bytes address;
    const struct ms_claims claims = { .origin = origin_of, .context = &stated };
    if (!read_keys(&stated, &ex->request.p2sh, err) || !find_wallet(&wallet, ex, &stated, err))
        return false;
    if (is_busy(ex))
        return err_set(err, ERR_BUSY, "busy");
    const bool form_only = !device->config.multisig_checks && device->state != DEVICE_HSM;
    if (!ms_script_check(wallet, ex->request.p2sh.script, &claims, form_only, err) ||
        !write_address(ex, wallet, &address, err))
        return false;
    if (device->state != DEVICE_HSM)
        show(device, wallet, address);
    reply_text(ex, address);
    return true;
}
