#include "bunker/trial.h"
#include "bitcoin/psbt.h"
#include "fuzz/fuzz.h"

// What is taken becomes a PSBT that our parser reads, with exactly those outputs.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)64 << 20);
    // of the public test seed
    static const char xpub[] =
        "tpubD6NzVbkrYhZ4XzL5Dhayo67Gorv1YMS7j8pRUvVMd5odC2LBPLAygka9p7748JtSq82FNG"
        "PppFEz5xxZUdasBRCqJqXvUHq6xpnsMcYJzeh";
    const struct json *asked;
    struct trial trial;
    struct hdpub master;
    struct psbt psbt;
    bool is_main;
    struct err err;
    REQUIRE(hdpub_from_text(&master, &is_main, bytes_of_text(xpub), &err));
    if (!json_parse(&asked, data, arena, &err) ||
        !trial_read(&trial, asked, chain_by_id(CHAIN_XTN), arena, &err))
        return;
    struct writer w = writer_growing(arena, PSBT_SIZE_MAX);
    if (!trial_write(&w, &trial, &master, arena, &err)) {
        REQUIRE(err.code == ERR_NO_MEMORY);
        return;
    }
    REQUIRE(psbt_parse(&psbt, writer_bytes(&w), arena, &err));
    REQUIRE(psbt.n_in == trial.n_inputs && psbt.n_out == trial.n_pays + (trial.change_sats > 0));
    for (size_t i = 0; i < trial.n_pays; i++)
        REQUIRE(psbt.tx.out[i].value == (int64_t)trial.pays[i].sats &&
                bytes_equal(psbt.tx.out[i].script, trial.pays[i].script));
}
