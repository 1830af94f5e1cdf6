// tests/support/fuzz_signer.c
#include "tests/support/fuzz_signer.h"
#include "base/require.h"
#include "tests/support/psbt_maker.h"

enum { N_WALLETS = 4, RECORD_ROOM = 1 << 16 };

// The wallets of the reference's cases, which the corpora spend from, in their stored form.
static const char *const records[N_WALLETS] = {
    "[\"msA\",[2,3],["
    "[1130956047,\"tpubDF2rnouQaaYrXF4noGTv6rQYmx87cQ4GrUdhpvXkhtChwQPbdGTi8GA8"
    "8NUaSrwZBwNsTkC9bFkkC8vDyGBVVAQTZ2AS6gs68RQXtXcCvkP\"],"
    "[718357575,\"tpubDFmFx2U5gV4ss5MxvwyWb31oUVofx3XNbNgE1gyFx3byNisFD6QLJyrQ"
    "v5wknTwVW9i63RiVRNnaT4uLft2Uq9BQovFx6g7m2LMgR3827Gc\"],"
    "[2416437002,\"tpubDEbQr21WVsxyWuUd6J1EH6FMmrSQPmqbxP2q6hMqsZVv9CF5dW9dBFBT"
    "nJQB8AXbBk5c4FLyURaEAuFjWVHwpM666Dn8EXmz32fQQsvJZ75\"]],"
    "{\"ft\":14,\"ch\":\"XTN\",\"pp\":\"m/48h/1h/0h/2h\"}]",
    "[\"msB\",[2,3],["
    "[1130956047,\"tpubD8NXmKsmWp3a3DXhbihAYbYLGaRNVdTnr6JoSxxfXYQcmwVtW2hv8QoD"
    "wng6JtEonmJoL3cNEwfd2cLXMpGezwZ2vL2dQ7259bueNKj9C8n\"],"
    "[718357575,\"tpubD8nWYbvidwzkhrohKEvLBPAShZGTiGqykuCv3Nc8ChkBgtV35U3KJtTh"
    "8MsP7LvprMGMrPe8EqKS9wesCiE6ofjqJFnktsSqcXrP5Ra97Cd\"],"
    "[2416437002,\"tpubD8LmvhEs8guhg7mNKQL6T6cwrmx2gRLhFwh2M9GQghgeQmEYhrnARsvm"
    "fJEDmVcBQFY2n6JvpgTv4iArqgx57ha3v7up8c9rVimsFQiVsix\"]],"
    "{\"ch\":\"XTN\",\"pp\":\"m/45h\"}]",
    "[\"msC\",[2,3],["
    "[1130956047,\"tpubDF2rnouQaaYrUEy2JM1YD3RFzew4onawGM4X2Re67gguTf5CbHonBRiF"
    "Ge3Xjz7DK88dxBFGf2i7K1hef3PM4cFKyUjcbJXddaY9F5tJBoP\"],"
    "[718357575,\"tpubDFmFx2U5gV4sqDXGP4bTsNuT3QD9PGqvASz4Do1pqRM5xus6iGWKkm2v"
    "isqvc3zJEWpgrMU4qXGSNyAtuwR9ts7fUwFqbdKMwcZv4iYUnEw\"],"
    "[2416437002,\"tpubDEbQr21WVsxyUVtCyM4YX5HRXTRhUGBJ523k6Mnb4w73cZ585XNjQhKe"
    "FQhzJ37FrzWEapRduVReAjqT94txTkDzsZNEH5hAJkEXjnKPjTX\"]],"
    "{\"ft\":26,\"ch\":\"XTN\",\"pp\":\"m/48h/1h/0h/1h\"}]",
    "[\"unsorted\",[2,3],["
    "[826291695,\"tpubDFXaoJVLFctZ8KF6n1AymV4PoBJiJzAy2UGRrd7z91zK7F7GpR6Qo3k7"
    "9RJsuMuiSMRyDyYUhvMMeZkzLcztBMFKTugfB8UEMrWUFXwkwTx\"],"
    "[1130956047,\"tpubDF2rnouQaaYrXF4noGTv6rQYmx87cQ4GrUdhpvXkhtChwQPbdGTi8GA8"
    "8NUaSrwZBwNsTkC9bFkkC8vDyGBVVAQTZ2AS6gs68RQXtXcCvkP\"],"
    "[3468452991,\"tpubDFCeDgH2eyWEpsbGYFJm1Z3Khap3hzh5LFVznuYuGFm4DTZSLhFbxhm7"
    "3rrkA43h7uPAM5eZo6Ct8r5hsCQEBbjWpYA7yBPNvfqR3Y3ts2J\"]],"
    "{\"ft\":14,\"ch\":\"XTN\",\"pp\":\"m/48h/1h/0h/2h\"},0]",
};

static struct keycache *new_keys(void)
{
    struct hdkey master;
    struct err err;
    bool is_main;
    REQUIRE(hdkey_from_text(&master, &is_main, BYTES(TEST_SEED_XPRV), &err));
    struct keycache *keys = keycache_new(&master);
    hdkey_wipe(&master);
    return keys;
}

const struct fuzz_signer *fuzz_signer(void)
{
    static struct ms_wallet wallet[N_WALLETS];
    static const struct ms_wallet *list[N_WALLETS];
    static struct fuzz_signer signer;
    if (signer.keys != NULL)
        return &signer;
    for (size_t i = 0; i < N_WALLETS; i++) {
        struct arena *arena = arena_new(RECORD_ROOM);
        struct err err;
        REQUIRE(ms_wallet_load(&wallet[i], bytes_of_text(records[i]), arena, &err));
        list[i] = &wallet[i];
        arena_free(arena);
    }
    signer.wallets = (struct ms_wallets){ list, N_WALLETS };
    signer.keys = new_keys();
    return &signer;
}

struct signer_view fuzz_view(const struct fuzz_signer *signer, unsigned flags)
{
    return (struct signer_view){
        .xfp = { { 0x0f, 0x05, 0x69, 0x43 } }, // of TEST_SEED_XPRV
        .chain = chain_by_id(CHAIN_XTN),
        .unit = UNIT_COIN,
        .fee_limit_pct = (flags & FUZZ_LENIENT) != 0 ? -1 : 10,
        .sighash_allow = (flags & FUZZ_LENIENT) != 0,
        .skip_multisig_checks = (flags & FUZZ_LENIENT) != 0,
        .hsm_mode = (flags & FUZZ_HSM_MODE) != 0,
        .taproot = (flags & FUZZ_EXTENDED) != 0,
        .wallets = (flags & FUZZ_EXTENDED) != 0 ? signer->wallets : (struct ms_wallets){ NULL, 0 },
        .pms = -1,
    };
}
