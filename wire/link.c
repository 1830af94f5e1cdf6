#include "wire/link.h"
#include "base/secret.h"

#define PROOF_HEADER 31 // + recovery id

bool link_is_open(const struct link *link)
{
    return link->to_device != NULL;
}

void link_wipe(struct link *link)
{
    aes_ctr_free(link->to_device);
    aes_ctr_free(link->to_host);
    wipe(link, sizeof *link);
}

struct pubkey64 link_public(const struct seckey *own)
{
    const struct pubkey key = seckey_pubkey(own);
    return pubkey_to64(&key);
}

bool link_open(struct link *link, const struct seckey *own, const struct pubkey64 *peer,
               uint32_t version, struct err *err)
{
    struct pubkey point;
    if (!pubkey_from64(&point, peer, err))
        return err_set(err, ERR_INVALID, "secp256k1_ec_pubkey_parse");
    link_wipe(link);
    link->session_key = ecdh_xy(own, &point);
    link->to_device = aes_ctr_new(link->session_key.b);
    link->to_host = aes_ctr_new(link->session_key.b);
    link->version = version;
    return true;
}

bool link_accept(struct link *link, uint32_t version, const struct pubkey64 *client, bool bound,
                 const struct seckey *own, struct err *err)
{
    if (version != LINK_V1 && version != LINK_V2)
        return err_set(err, ERR_FRAMING, "bad ncry version");
    if (bound)
        return err_set(err, ERR_FRAMING, "crypto already set up");
    return link_open(link, own, client, version, err);
}

void link_apply(struct link *link, enum link_direction to, uint8_t *message, size_t len)
{
    aes_ctr_apply(to == LINK_TO_DEVICE ? link->to_device : link->to_host, message, len);
}

bool link_cut(struct link *link, enum link_direction to, struct writer *packets,
              struct bytes message, bool encrypted)
{
    const size_t start = packets->len;
    frame_cut(packets, message, encrypted);
    if (packets->failed)
        return false;
    if (!encrypted)
        return true;
    // "Framing bytes and padding are not [encrypted], and do not consume keystream."
    for (size_t at = start; at < packets->len; at += PACKET_LEN)
        link_apply(link, to, packets->ptr + at + 1, packets->ptr[at] & FRAME_COUNT);
    return true;
}

bool link_prove(uint8_t out[static LINK_PROOF_LEN], const struct link *link,
                const struct seckey *master, struct err *err)
{
    struct recoverable proof;
    // "it is used directly as the ECDSA message digest, no hashing, no prefix"
    if (!ecdsa_sign_recoverable(&proof, master, &link->session_key, err))
        return err_within(err, "mitm");
    out[0] = (uint8_t)(PROOF_HEADER + proof.recid);
    memcpy(out + 1, proof.sig.b, sizeof proof.sig.b);
    return true;
}

bool link_verify(const struct link *link, struct bytes proof, const struct pubkey *master,
                 struct err *err)
{
    struct signature sig;
    if (proof.len != LINK_PROOF_LEN)
        return err_set(err, ERR_FRAMING, "mitm: %zu bytes, not %d", proof.len, LINK_PROOF_LEN);
    // "ignores the header byte, verifies (r, s) over the session key"
    memcpy(sig.b, proof.ptr + 1, sizeof sig.b);
    if (!ecdsa_verify(&sig, master, &link->session_key))
        return err_set(err, ERR_AUTH,
                       "Possible active MiTM attack in progress! Incorrect signature.");
    return true;
}
