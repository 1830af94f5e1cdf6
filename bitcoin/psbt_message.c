// bitcoin/psbt_message.c -- PSBTs that sign a text (BIP-322) and proofs of reserves.
//
// Source: psbt-signing.md 19, BIP-322.
#include "bitcoin/bip322.h"
#include "bitcoin/message.h"
#include "bitcoin/psbt_work.h"

enum { TO_SPEND_MAX = 128 }; // bytes, without the challenge

bool message_recognise(struct work *w, struct err *err)
{
    struct tx_facts *tx = &w->facts->tx;
    const struct tx *t = &w->psbt->tx;
    const struct psbt_field *message = psbt_get(&w->psbt->global, PSBT_GLOBAL_MESSAGE);
    struct err why;
    if (!bip322_is_to_sign(t))
        return true;
    if (message == NULL)
        return psbt_invalid(err, "msg");
    if (!message_check(message->value, MESSAGE_BIP322_MAX, true, &why))
        return psbt_invalid(err, "%s", why.text);
    tx->is_message = true;
    tx->message = message->value;
    return true;
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
    bip322_write_to_spend(&to_spend, tx->message, challenge);
    if (to_spend.failed)
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
