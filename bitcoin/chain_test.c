#include "bitcoin/chain.h"
#include "tests/support/test.h"

// The tables of psbt-signing.md 4.1, typed in again.
TEST(psbt_signing_4_1_chain_table)
{
    static const struct {
        enum chain_id id;
        const char *code, *name, *hrp;
        int p2pkh, p2sh, wif;
        unsigned coin_type;
        uint32_t xpub[SLIP132_KINDS], xprv[SLIP132_KINDS];
    } rows[] = {
        { CHAIN_BTC,
          "BTC",
          "Bitcoin Mainnet",
          "bc",
          0x00,
          0x05,
          0x80,
          0,
          { 0x0488b21e, 0x049d7cb2, 0x04b24746, 0x0295b43f, 0x02aa7ed3 },
          { 0x0488ade4, 0x049d7878, 0x04b2430c, 0x0295b005, 0x02aa7a99 } },
        { CHAIN_XTN,
          "XTN",
          "Bitcoin Testnet 4",
          "tb",
          0x6f,
          0xc4,
          0xef,
          1,
          { 0x043587cf, 0x044a5262, 0x045f1cf6, 0x024289ef, 0x02575483 },
          { 0x04358394, 0x044a4e28, 0x045f18bc, 0x024285b5, 0x02575048 } },
        { CHAIN_XRT,
          "XRT",
          "Bitcoin Regtest",
          "bcrt",
          0x6f,
          0xc4,
          0xef,
          1,
          { 0x043587cf, 0x044a5262, 0x045f1cf6, 0x024289ef, 0x02575483 },
          { 0x04358394, 0x044a4e28, 0x045f18bc, 0x024285b5, 0x02575048 } },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct chain *chain = chain_by_id(rows[i].id);
        assert_ptr_equal(chain, chain_by_code(bytes_of_text(rows[i].code)));
        assert_int_equal(chain->id, rows[i].id);
        assert_string_equal(chain->code, rows[i].code);
        assert_string_equal(chain->name, rows[i].name);
        assert_string_equal(chain->hrp, rows[i].hrp);
        assert_int_equal(chain->p2pkh_version, rows[i].p2pkh);
        assert_int_equal(chain->p2sh_version, rows[i].p2sh);
        assert_int_equal(chain->wif_version, rows[i].wif);
        assert_int_equal(chain->coin_type, rows[i].coin_type);
        assert_memory_equal(chain->xpub_version, rows[i].xpub, sizeof rows[i].xpub);
        assert_memory_equal(chain->xprv_version, rows[i].xprv, sizeof rows[i].xprv);
    }
}

TEST(codes_are_exact)
{
    static const char *const unknown[] = { "", "btc", "BTC ", "XT", "XTNN", "TST" };
    for (size_t i = 0; i < COUNT(unknown); i++)
        assert_null(chain_by_code(bytes_of_text(unknown[i])));
}
