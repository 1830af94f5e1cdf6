// bitcoin/psbt_message.c -- PSBTs that sign a text (BIP-322) and proofs of reserves.
//
// Source: psbt-signing.md 19, BIP-322.
#include "bitcoin/message.h"
#include "bitcoin/psbt_work.h"

enum { TO_SPEND_MAX = 128 }; // bytes, without the challenge

bool message_recognise(struct work *w, struct err *err)
{
    struct tx_facts *tx = &w->facts->tx;
    const struct tx *t = &w->psbt->tx;
    const struct psbt_field *message = psbt_get(&w->psbt->global, PSBT_GLOBAL_MESSAGE);
    struct err why;
    if (t->n_out != 1 || t->out[0].value != 0 || !bytes_equal(t->out[0].script, BYTES("\x6a")))
        return true;
    if (message == NULL)
        return psbt_invalid(err, "msg");
    if (!message_check(message->value, MESSAGE_BIP322_MAX, true, &why))
        return psbt_invalid(err, "%s", why.text);
    tx->is_message = true;
    tx->message = message->value;
    return true;
}

// BIP-322: the transaction that cannot exist, whose only output the first input spends.
static bool write_to_spend(struct writer *w, struct bytes message, struct bytes challenge)
{
    static const uint8_t no_txid[32];
    struct sha256 h;
    sha256_init_tagged(&h, "BIP0322-signed-message");
    sha256_update(&h, message);
    const struct hash256 hash = sha256_final(&h);
    writer_u32le(w, 0); // version
    writer_compact_size(w, 1);
    writer_put(w, BYTES_OF(no_txid));
    writer_u32le(w, UINT32_MAX);
    writer_compact_size(w, 2 + sizeof hash.b);
    writer_put(w, BYTES("\x00\x20"));
    writer_put(w, BYTES_OF(hash.b));
    writer_u32le(w, 0); // sequence
    writer_compact_size(w, 1);
    writer_i64le(w, 0);
    writer_counted(w, challenge);
    writer_u32le(w, 0); // locktime
    return !w->failed;
}

static bool bad_to_spend(struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "i0: invalid BIP-322 'to_spend': %s", what);
}

bool message_check_input0(struct work *w, struct err *err)
{
    struct tx_facts *tx = &w->facts->tx;
    const struct bytes challenge = w->facts->plans[0].spend.script;
    const struct psbt_field *prev_tx = psbt_get(&w->psbt->in[0], PSBT_IN_NON_WITNESS_UTXO);
    struct writer to_spend = writer_growing(w->arena, TO_SPEND_MAX + challenge.len);
    if (!tx->is_message)
        return true;
    if (!tx->in[0].will_sign)
        return bad_to_spend(err, "not our key");
    if (!write_to_spend(&to_spend, tx->message, challenge))
        return psbt_too_complex(err);
    const struct hash256 txid = sha256d(writer_bytes(&to_spend));
    if (!bytes_equal(BYTES_OF(txid.b), BYTES_OF(tx->in[0].prevout.txid.b)))
        return bad_to_spend(err, "to_spend hash");
    if (tx->in[0].prevout.index != 0)
        return bad_to_spend(err, "prevout n");
    if (tx->in[0].amount.n != 0)
        return bad_to_spend(err, "input0 value");
    if (prev_tx != NULL && !bytes_equal(prev_tx->value, writer_bytes(&to_spend)))
        return bad_to_spend(err, "utxo");
    if (challenge.len == 0)
        return bad_to_spend(err, "empty message_challenge");
    tx->message_challenge = challenge;
    return true;
}
