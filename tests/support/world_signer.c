#include "tests/support/world_signer.h"
#include "bitcoin/psbt_sign.h"
#include "tests/support/ms_rig.h"

static void no_random(void *context, uint8_t out[32])
{
    (void)context;
    memset(out, 0, 32);
}

bool world_sign(struct bytes *out, size_t who, const struct ms_wallet *wallet, struct bytes psbt,
                struct arena *arena, struct err *err)
{
    const struct hdkey master = ms_rig_node(who, "m");
    const struct ms_wallet *list[1] = { wallet };
    const struct signer_view view = { .xfp = ms_rig_xfp(who),
                                      .chain = wallet->chain,
                                      .unit = UNIT_COIN,
                                      .fee_limit_pct = 10,
                                      .pms = -1,
                                      .wallets = { list, 1 } };
    const struct entropy aux = { no_random, NULL };
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&master);
    struct writer w = writer_growing(arena, (size_t)1 << 22);
    struct psbt parsed;
    struct psbt_signed sigs;
    struct psbt_facts *facts = arena_alloc(arena, sizeof *facts);
    assert_non_null(facts);
    return psbt_parse(&parsed, psbt, arena, err) &&
           psbt_analyse(facts, &parsed, &view, arena, err) && psbt_prove(facts, keys, err) &&
           psbt_sign(&sigs, facts, keys, &aux, arena, err) &&
           psbt_write_signed(&w, facts, &sigs, err) && writer_finish(&w, out);
}
