#include "base/hex.h"
#include "coordinator/build.h"
#include "fuzz/fuzz.h"

// What a signer returns. Whatever is taken has good signatures of that signer and nothing else, and with
// another's part it becomes a final transaction whose witnesses hold.

// A 2-of-3 wallet, the second cosigner of which answers.
#define DESCRIPTOR                                                                                 \
    "wsh(sortedmulti(2,[0f056943/48h/1h/0h/2h]tpubDF2rnouQaaYrXF4noGTv6rQYmx87cQ4GrUdhpvXkhtC"     \
    "hwQPbdGTi8GA88NUaSrwZBwNsTkC9bFkkC8vDyGBVVAQTZ2AS6gs68RQXtXcCvkP/<0;1>/*,[090c209f/48h/1"     \
    "h/0h/2h]tpubDF4r1SjGoDzEEpR7i9mrYBpR1gmSWrfNmM39qHdPNtwCzNiyLUwN7HFTvrAxFgvJDKDJihxPFePQ"     \
    "UXYcTx3fZp4Pyq7vB1edX23149PgSwu/<0;1>/*,[36f586d0/48h/1h/0h/2h]tpubDF1urEXTT438zed1A84FN"     \
    "7AqZ7tfbuHVtpfQavMPB9cNjvLsxQwq8C4HstR7quMXokvgYTRyzSAqyDVCzyVjVn6Cy8moiDM1yg5SAHqsmZS/<"     \
    "0;1>/*))"
#define SIGNER "090C209F"

// Two inputs, a payment and change: what was sent.
#define SENT                                                                                       \
    "70736274ff0100a6020000000218f0d1698b2e0732fff79871cc8ccc8e647d95d864ff4da763d6b4c65fd5b1"     \
    "6c0100000000fdffffff72f0ad876fe56c9264c3e5472bb8bd837d5a3d9c80809df0bd457d345f7e67540100"     \
    "000000fdffffff0240420f000000000016001401000700000000000000000000000000000000001a0c030000"     \
    "000000220020f57363ae3bfb2414f9e0ae5b1287524bca367ee80e93fa8532c165b42e346e1a000000000001"     \
    "0068020000000100000000000000000000000000000000000000000000000000000000000000000000000000"     \
    "ffffffff023930000000000000016ac027090000000000220020fb733c404922b7f51c61946214a5330a66a8"     \
    "a506a263724219799dc02f8f21d50000000001012bc027090000000000220020fb733c404922b7f51c619462"     \
    "14a5330a66a8a506a263724219799dc02f8f21d5010569522102290789a3339660bb6902d25cbfe2cc89f6af"     \
    "47230a9c803fb8bf4f4d6d072a2021035af7b5d7df2ca5a4a758290e14729083bb5e3c83d019ee59b6947213"     \
    "89505e162103f8ccd02bc00ec1be3f4c4f714b8c5569848fda28968c303cc021e42304cfd39b53ae2206035a"     \
    "f7b5d7df2ca5a4a758290e14729083bb5e3c83d019ee59b694721389505e161c0f0569433000008001000080"     \
    "00000080020000800000000003000000220603f8ccd02bc00ec1be3f4c4f714b8c5569848fda28968c303cc0"     \
    "21e42304cfd39b1c090c209f300000800100008000000080020000800000000003000000220602290789a333"     \
    "9660bb6902d25cbfe2cc89f6af47230a9c803fb8bf4f4d6d072a201c36f586d0300000800100008000000080"     \
    "0200008000000000030000000001006802000000010000000000000000000000000000000000000000000000"     \
    "0000000000000000000100000000ffffffff023930000000000000016ac02709000000000022002039c86c11"     \
    "a2d650fec62eeb57aee2ad912cf2a7584ead490052e1001d0791d74b0000000001012bc02709000000000022"     \
    "002039c86c11a2d650fec62eeb57aee2ad912cf2a7584ead490052e1001d0791d74b010569522102b97c68a4"     \
    "ada8688d3640d7a61a923a2ce7969374d60cb2564a1a9a656456a2b52103c0f88d3f811fe3338bf7967bf238"     \
    "9ff1569ad1041acd6d61068938e95507eb982103e0fedaa74f742b832d7b77aab718d89f3edb5c689efdafde"     \
    "daa106faa46accd153ae220603c0f88d3f811fe3338bf7967bf2389ff1569ad1041acd6d61068938e95507eb"     \
    "981c0f056943300000800100008000000080020000800100000004000000220603e0fedaa74f742b832d7b77"     \
    "aab718d89f3edb5c689efdafdedaa106faa46accd11c090c209f300000800100008000000080020000800100"     \
    "000004000000220602b97c68a4ada8688d3640d7a61a923a2ce7969374d60cb2564a1a9a656456a2b51c36f5"     \
    "86d030000080010000800000008002000080010000000400000000000101695221024a586b68c1fd1a63f109"     \
    "31f9f7466a6089095a58757cbb3479b88f273dac633021024f3f346e1354067de3c28ca8a8351dbc930145ee"     \
    "084b791a6bab032b6347010d2102da7bf77a90ea875127e47a13260cf0c911d68df4a617ed3bb358b0418a12"     \
    "81ee53ae2202024a586b68c1fd1a63f10931f9f7466a6089095a58757cbb3479b88f273dac63301c0f056943"     \
    "300000800100008000000080020000800100000000000000220202da7bf77a90ea875127e47a13260cf0c911"     \
    "d68df4a617ed3bb358b0418a1281ee1c090c209f300000800100008000000080020000800100000000000000"     \
    "2202024f3f346e1354067de3c28ca8a8351dbc930145ee084b791a6bab032b6347010d1c36f586d030000080"     \
    "010000800000008002000080010000000000000000"

// The first cosigner's answer, as combine_check cut it down.
#define OTHER_PART                                                                                 \
    "70736274ff0100a6020000000218f0d1698b2e0732fff79871cc8ccc8e647d95d864ff4da763d6b4c65fd5b1"     \
    "6c0100000000fdffffff72f0ad876fe56c9264c3e5472bb8bd837d5a3d9c80809df0bd457d345f7e67540100"     \
    "000000fdffffff0240420f000000000016001401000700000000000000000000000000000000001a0c030000"     \
    "000000220020f57363ae3bfb2414f9e0ae5b1287524bca367ee80e93fa8532c165b42e346e1a000000000022"     \
    "02035af7b5d7df2ca5a4a758290e14729083bb5e3c83d019ee59b694721389505e16473044022023136fcaaf"     \
    "8a9b6ad0a0dbf6eb5fee404737dc6cda43f4c4534e11e299a9289c0220279b1710352e213e542f2893afffb9"     \
    "b978070f5d7451f0995e0935b348b1c9650100220203c0f88d3f811fe3338bf7967bf2389ff1569ad1041acd"     \
    "6d61068938e95507eb98473044022026f481c8d07f139f125116923a93a00658e1a373437d6c2ed954821685"     \
    "f8699002206a3bb71c35a35e0b87726822d4b784d7648b2bbd41f322b8814720f0e6fd31e401000000"

struct fixture {
    struct wallet *wallet;
    struct xfp signer;
    uint8_t sent[sizeof SENT / 2], other[sizeof OTHER_PART / 2];
};

// Made once: the wallet derives some thousand scripts.
static const struct fixture *fixture(void)
{
    static struct fixture f;
    const struct wallet_text text = { .name = BYTES("treasury"),
                                      .network = BYTES("test"),
                                      .desc_receive = BYTES(DESCRIPTOR) };
    struct err err;
    if (f.wallet != NULL)
        return &f;
    REQUIRE(wallet_new(&f.wallet, &text, &err) && xfp_from_text(&f.signer, BYTES(SIGNER)));
    REQUIRE(hex_decode(f.sent, sizeof f.sent, BYTES(SENT)));
    REQUIRE(hex_decode(f.other, sizeof f.other, BYTES(OTHER_PART)));
    return &f;
}

FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64 << 20);
    const struct fixture *f = fixture();
    const struct bytes sent = BYTES_OF(f->sent);
    struct bytes kept, again, raw;
    struct psbt psbt;
    struct err err;
    if (!combine_check(&kept, f->wallet, sent, data, f->signer, arena, &err))
        return;
    REQUIRE(psbt_parse(&psbt, kept, arena, &err) && psbt.global.n_fields == 1);
    for (size_t i = 0; i < psbt.n_in; i++)
        REQUIRE(psbt.in[i].n_fields == 1);
    REQUIRE(combine_check(&again, f->wallet, sent, kept, f->signer, arena, &err) &&
            bytes_equal(again, kept));
    const struct bytes parts[] = { kept, BYTES_OF(f->other) };
    REQUIRE(combine_finalize(&raw, f->wallet, sent, parts, 2, arena, &err));
}
