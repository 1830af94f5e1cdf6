#include "cli/wallet_query.h"
#include "base/hex.h"
#include "base/reader.h"
#include "bitcoin/multisig_register.h"
#include "cli/approval.h"

#define TOKEN_MAX 40

static bool ask(struct cli *cli, const struct wallet_query *q, bool *found, struct err *err)
{
    const struct request request = { .id = REQUEST_MSCK, .msck = { q->m, q->n, q->xor_xfp } };
    struct reply reply;
    if (!cli_call(cli, &reply, REPLY_INT1, &request, err))
        return false;
    *found = reply.number[0] != 0;
    return true;
}

bool wallet_query_make(struct cli *cli, struct wallet_query *out, struct bytes text,
                       struct err *err)
{
    const struct request request = { .id = REQUEST_BLKC };
    struct err unimportant;
    struct ms_wallet *wallet = arena_alloc(cli->arena, sizeof *wallet);
    struct reply reply;
    *out = (struct wallet_query){ .is_known = false };
    if (!cli_call(cli, &reply, REPLY_ASCI, &request, err))
        return false;
    const struct chain *chain = chain_by_code(reply.data);
    if (wallet == NULL || chain == NULL ||
        !ms_read_foreign(wallet, text, chain, cli->arena, &unimportant))
        return true;
    out->is_known = true;
    out->m = (uint32_t)wallet->m;
    out->n = (uint32_t)wallet->n;
    out->xor_xfp = ms_wallet_xor(wallet);
    return ask(cli, out, &out->was_there, err);
}

const char *wallet_query_token(struct cli *cli, const struct wallet_query *q)
{
    struct writer w = writer_growing(cli->arena, TOKEN_MAX);
    writer_text(&w, "multisig");
    if (q->is_known && !q->was_there)
        writer_printf(&w, ":%u:%u:%08x", (unsigned)q->m, (unsigned)q->n, (unsigned)q->xor_xfp);
    const char *token = arena_text(cli->arena, writer_bytes(&w));
    return token != NULL ? token : "multisig";
}

bool wallet_query_from_token(struct wallet_query *out, const char *token)
{
    struct reader r = reader_of(bytes_of_text(token));
    uint8_t b[4];
    *out = (struct wallet_query){ .is_known = false };
    if (!reader_accept_bytes(&r, BYTES("multisig")))
        return false;
    if (reader_done(&r))
        return true;
    out->is_known = reader_accept(&r, ':') && reader_decimal(&r, 99, &out->m) &&
                    reader_accept(&r, ':') && reader_decimal(&r, 99, &out->n) &&
                    reader_accept(&r, ':') && hex_decode(b, sizeof b, reader_rest(&r));
    if (out->is_known)
        out->xor_xfp = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return out->is_known;
}

// The wallet is stored before the question goes away, but on a device that need not be seen at once:
// a refusal is one only when it was looked for twice.
static bool look(struct cli *cli, void *context, int64_t waited_ms, enum approval *out,
                 struct err *err)
{
    struct wallet_query *q = context;
    bool found = false, is_free;
    (void)waited_ms;
    *out = APPROVAL_OPEN;
    if (!approval_screen_is_free(cli, &is_free, err) || (q->is_known && !ask(cli, q, &found, err)))
        return false;
    if (q->is_known && !q->was_there && found)
        *out = APPROVAL_AGREED;
    else if (is_free && (!q->is_known || q->was_there))
        *out = APPROVAL_UNKNOWN;
    else if (is_free && q->seen_free)
        *out = APPROVAL_REFUSED;
    q->seen_free = is_free;
    return true;
}

bool wallet_query_watch(struct cli *cli, struct wallet_query *q, struct err *err)
{
    enum approval state;
    return approval_watch(cli, look, q, &state, err) &&
           approval_report(cli, state, "the wallet", err);
}
