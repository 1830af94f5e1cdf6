#include "tests/support/coffer.h"

static void *need(size_t size)
{
    void *mem = arena_alloc(test_arena(), size);
    assert_non_null(mem);
    return mem;
}

// The cosigners from `first` on.
static struct bytes descriptor(const char *form, size_t m, size_t first, size_t n,
                               const char *branch)
{
    struct writer w = writer_growing(test_arena(), 8192);
    writer_printf(&w, "%s(sortedmulti(%zu", form, m);
    for (size_t who = first; who < first + n; who++) {
        const struct xfp xfp = ms_rig_xfp(who);
        writer_text(&w, ",[");
        writer_hex(&w, BYTES_OF(xfp.b));
        writer_printf(&w, "/48h/1h/0h/2h]%s%s", ms_rig_xpub(who, MS_RIG_PATH), branch);
    }
    writer_text(&w, strcmp(form, "wsh") == 0 ? "))" : ")))");
    return writer_bytes(&w);
}

static struct coffer *coffer_make(const char *network, const char *form, size_t m, size_t first,
                                  size_t n)
{
    struct coffer *t = need(sizeof *t);
    const struct wallet_text text = {
        .name = BYTES("treasury"),
        .network = bytes_of_text(network),
        .desc_receive = descriptor(form, m, first, n, "/0/*"),
        .desc_change = descriptor(form, m, first, n, "/1/*"),
    };
    if (!wallet_new(&t->wallet, &text, &t->err))
        fail_msg("%s", t->err.text);
    t->first = first;
    t->coins.items = t->coin;
    t->outputs.items = t->output;
    t->locked.items = t->lock;
    t->limits = build_limits_default();
    t->request = (struct build_request){ .wallet = t->wallet,
                                         .coins = &t->coins,
                                         .locked = &t->locked,
                                         .outputs = &t->outputs,
                                         .fee_rate = 1000,
                                         .second_change_index = UINT32_MAX,
                                         .limits = &t->limits };
    return t;
}

struct coffer *coffer_new(const char *form, size_t m, size_t n)
{
    return coffer_make("test", form, m, 0, n);
}

struct coffer *coffer_new_on(const char *network, const char *form, size_t m, size_t n)
{
    return coffer_make(network, form, m, 0, n);
}

struct coffer *coffer_new_of(const char *network, const char *form, size_t which)
{
    return coffer_make(network, form, 2, 3 * which, 3);
}

void coffer_end(struct coffer **t)
{
    wallet_free((*t)->wallet);
}

struct coin *coffer_coin(struct coffer *t, enum ms_branch branch, uint32_t index, uint64_t sats)
{
    struct coin *coin = &t->coin[t->coins.n];
    struct writer script = writer_growing(test_arena(), 64);
    struct writer raw = writer_growing(test_arena(), 1024);
    const struct wallet_place place = { branch, index };
    assert_true(t->coins.n < COFFER_MAX);
    assert_true(wallet_output_script(&script, t->wallet, place, &t->err));
    struct tx_in in = { .prevout.index = (uint32_t)t->coins.n, .sequence = 0xffffffff };
    struct tx_out outs[2] = { { 12345, BYTES("\x6a") }, { (int64_t)sats, writer_bytes(&script) } };
    const struct tx tx = { .version = 2, .n_in = 1, .in = &in, .n_out = 2, .out = outs };
    tx_write(&raw, &tx);
    *coin = (struct coin){ .outpoint = { tx_txid(&tx), 1 },
                           .amount = { sats },
                           .place = place,
                           .confirmations = 6,
                           .previous = writer_bytes(&raw) };
    t->coins.n++;
    return coin;
}

struct bytes coffer_pay(struct coffer *t, unsigned who, uint64_t sats)
{
    struct writer script = writer_growing(test_arena(), 64);
    struct writer address = writer_growing(test_arena(), 128);
    struct hash160 hash = { { (uint8_t)who, (uint8_t)(who >> 8), 7 } };
    assert_true(t->outputs.n < COFFER_MAX);
    script_write_p2wpkh(&script, hash);
    assert_true(address_from_script(&address, writer_bytes(&script), wallet_chain(t->wallet)));
    t->output[t->outputs.n++] = (struct spend_output){ .script = writer_bytes(&script),
                                                       .address = writer_bytes(&address),
                                                       .amount = { sats } };
    return writer_bytes(&address);
}

void coffer_lock(struct coffer *t, const struct coin *coin)
{
    t->lock[t->locked.n++] = coin->outpoint;
}

bool coffer_build(struct coffer *t)
{
    return build_spend(&t->build, &t->request, test_arena(), &t->err);
}

enum code coffer_result(struct coffer *t)
{
    return coffer_build(t) ? CODE_NONE : code_of(&t->err);
}

struct bytes coffer_part(struct coffer *t, size_t who)
{
    const struct signer_says says =
        coffer_sign(t->first + who, t->build.psbt, wallet_keys(t->wallet), NULL);
    struct bytes part;
    if (!says.signed_it)
        fail_msg("cosigner %zu: %s", who, says.reply);
    if (!combine_check(&part, t->wallet, t->build.psbt, says.psbt, ms_rig_xfp(t->first + who),
                       test_arena(), &t->err))
        fail_msg("cosigner %zu: %s", who, t->err.text);
    return part;
}

uint64_t coffer_random(uint64_t *state, uint64_t n)
{
    // SplitMix64: the same in every run.
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return n == 0 ? 0 : (z ^ (z >> 31)) % n;
}
