// PSBTs of two megabytes, each with very many of one thing. Work that grows with the square of
// their number would not end before the test's time is over.
#include "bitcoin/psbt_err.h"
#include "tests/support/psbt_rig.h"

// What the signer gives a request; psbt-signing.md 8.6.
#define ARENA (64u << 20)

enum { FILLED = PSBT_SIZE_MAX - 1000 };

struct hostile {
    struct writer w;
    struct rig *rig;
};

static struct hostile begin(void)
{
    return (struct hostile){ writer_growing(test_arena(), PSBT_SIZE_MAX), rig_new() };
}

static void field(struct writer *w, struct bytes key, struct bytes value)
{
    writer_counted(w, key);
    writer_counted(w, value);
}

static void put_tx(struct hostile *h, size_t n_in, size_t n_out, struct bytes script)
{
    struct writer tx = writer_growing(test_arena(), TX_SIZE_MAX);
    writer_u32le(&tx, 2);
    writer_compact_size(&tx, n_in);
    for (size_t i = 0; i < n_in; i++) {
        struct tx_in in = { .prevout.index = (uint32_t)i, .sequence = 1 };
        tx_write_input(&tx, &in);
    }
    writer_compact_size(&tx, n_out);
    for (size_t i = 0; i < n_out; i++) {
        const struct tx_out out = { 1, script };
        tx_write_output(&tx, &out);
    }
    writer_u32le(&tx, 0);
    assert_false(tx.failed);
    writer_put(&h->w, BYTES(PSBT_MAGIC));
    field(&h->w, BYTES("\x00"), writer_bytes(&tx));
}

// A key path of a key that is nobody's.
static void put_path(struct writer *w, uint8_t type, uint32_t n, struct xfp xfp)
{
    uint8_t key[34] = { type, 2 };
    uint8_t value[8];
    memcpy(key + 2, &n, sizeof n);
    memcpy(value, xfp.b, sizeof xfp.b);
    memcpy(value + 4, &n, sizeof n);
    field(w, BYTES_OF(key), BYTES_OF(value));
}

static void put_utxo(struct writer *w, struct bytes script)
{
    field(w, BYTES("\x01"), test_concat(test_hex("00e1f50500000000 16"), script));
}

static void expect(struct hostile *h, const char *reply)
{
    struct arena *arena = arena_new(ARENA);
    struct psbt p;
    struct psbt_facts facts;
    assert_false(h->w.failed);
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&h->rig->master);
    const bool good = psbt_parse(&p, writer_bytes(&h->w), arena, &h->rig->err) &&
                      psbt_analyse(&facts, &p, &h->rig->view, arena, &h->rig->err) &&
                      psbt_prove(&facts, keys, &h->rig->err);
    assert_false(good);
    if (strncmp(h->rig->err.text, reply, strlen(reply)) != 0)
        fail_msg("'%s', not '%s'", h->rig->err.text, reply);
    arena_free(arena);
}

TEST(psbt_signing_27_128_keys_of_one_map)
{
    for (unsigned descending = 0; descending < 2; descending++) {
        struct hostile h = begin();
        put_tx(&h, 1, 1, draft_foreign_script(0));
        for (uint32_t n = 0; h.w.len < FILLED; n++) {
            const uint32_t i = descending ? UINT32_MAX - n : n;
            const uint8_t key[] = { 0x40, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
            field(&h.w, BYTES_OF(key), BYTES(""));
        }
        writer_put(&h.w, BYTES("\x00\x00\x00"));
        expect(&h, "PSBT does not contain any key path information.");
    }
}

TEST(psbt_signing_27_128_key_paths_of_one_input)
{
    struct hostile h = begin();
    put_tx(&h, 1, 1, draft_foreign_script(0));
    writer_u8(&h.w, 0);
    put_utxo(&h.w, draft_foreign_script(1));
    for (uint32_t n = 0; h.w.len < FILLED; n++)
        put_path(&h.w, PSBT_IN_KEY_PATH, n, h.rig->view.xfp);
    writer_put(&h.w, BYTES("\x00\x00"));
    expect(&h, "Input #0: pubkey vs. address wrong");
}

TEST(psbt_signing_27_128_foreign_fingerprints)
{
    struct hostile h = begin();
    put_tx(&h, 1, 1, draft_foreign_script(0));
    writer_u8(&h.w, 0);
    put_utxo(&h.w, draft_foreign_script(1));
    for (uint32_t n = 0; h.w.len < FILLED; n++)
        put_path(&h.w, PSBT_IN_KEY_PATH, n,
                 (struct xfp){ { 1, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n } });
    writer_put(&h.w, BYTES("\x00\x00"));
    expect(&h, "None of the keys involved in this transaction belong to this Coldcard (need "
               "0F056943, found 01000000, 01000001, ");
}

TEST(psbt_signing_27_128_inputs)
{
    struct hostile h = begin();
    enum { N = 20000 };
    put_tx(&h, N, 1, draft_foreign_script(0));
    writer_u8(&h.w, 0);
    for (uint32_t n = 0; n < N; n++) {
        put_utxo(&h.w, draft_foreign_script(1));
        if (n == N - 1)
            put_path(&h.w, PSBT_IN_KEY_PATH, n, h.rig->view.xfp);
        writer_u8(&h.w, 0);
    }
    writer_u8(&h.w, 0);
    expect(&h, "Input #19999: pubkey vs. address wrong");
}

// Each of them looks like change at its own path; the first one is a lie.
TEST(psbt_signing_27_128_outputs)
{
    struct hostile h = begin();
    enum { N = 16000 };
    uint8_t key[33] = { 2, 7 };
    struct writer script = writer_growing(test_arena(), 64);
    const struct bytes ours = psbt_rig_script(h.rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0");
    script_write_p2wpkh(&script, hash160(BYTES_OF(key)));
    put_tx(&h, 1, N, writer_bytes(&script));
    writer_u8(&h.w, 0);
    put_utxo(&h.w, ours);
    struct psbt_map input = { 0 };
    draft_put_path(&input, PSBT_IN_KEY_PATH, h.rig, h.rig->view.xfp, "m/84h/1h/0h/0/0");
    field(&h.w, input.fields[0].key, input.fields[0].value);
    writer_u8(&h.w, 0);
    for (uint32_t n = 0; n < N; n++) {
        put_path(&h.w, PSBT_OUT_KEY_PATH, 7, h.rig->view.xfp);
        writer_u8(&h.w, 0);
    }
    h.rig->view.fee_limit_pct = -1;
    expect(&h, "Output#0: Deception regarding change output.");
}
