#include "coordinator/node_read.h"
#include "fuzz/fuzz.h"

// A node's replies, read by everything that reads one: what is taken is within its bounds.

#define DESCRIPTOR                                                                                 \
    "wsh(sortedmulti(2,[0f056943/48h/1h/0h/2h]tpubDF2rnouQaaYrXF4noGTv6rQYmx87cQ4GrUdhpvXkhtC"     \
    "hwQPbdGTi8GA88NUaSrwZBwNsTkC9bFkkC8vDyGBVVAQTZ2AS6gs68RQXtXcCvkP/<0;1>/*,[090c209f/48h/1"     \
    "h/0h/2h]tpubDF4r1SjGoDzEEpR7i9mrYBpR1gmSWrfNmM39qHdPNtwCzNiyLUwN7HFTvrAxFgvJDKDJihxPFePQ"     \
    "UXYcTx3fZp4Pyq7vB1edX23149PgSwu/<0;1>/*,[36f586d0/48h/1h/0h/2h]tpubDF1urEXTT438zed1A84FN"     \
    "7AqZ7tfbuHVtpfQavMPB9cNjvLsxQwq8C4HstR7quMXokvgYTRyzSAqyDVCzyVjVn6Cy8moiDM1yg5SAHqsmZS/<"     \
    "0;1>/*))"

static const struct wallet *wallet(void)
{
    static struct wallet *wallet; // made once: it derives some thousand scripts
    const struct wallet_text text = { .name = BYTES("treasury"),
                                      .network = BYTES("test"),
                                      .desc_receive = BYTES(DESCRIPTOR) };
    struct err err;
    REQUIRE(wallet != NULL || wallet_new(&wallet, &text, &err));
    return wallet;
}

static void read_node(const struct json *reply, struct err *err)
{
    struct node_state state = { 0 };
    uint64_t rate = 0;
    bool known;
    if (node_read_chain(&state, reply, "test", 0, err))
        REQUIRE(json_is_text(json_get(reply, "chain"), "test"));
    if (node_read_mempool(&state, reply, err))
        REQUIRE(state.relay_rate <= SATS_MAX && state.mempool_rate <= SATS_MAX);
    if (node_read_estimate(&rate, &known, reply, err))
        REQUIRE(rate <= SATS_MAX && (known || rate == 0));
}

static void read_wallet(const struct json *reply, struct arena *arena, struct err *err)
{
    struct coins coins;
    struct node_events events;
    uint32_t next[MS_BRANCHES] = { 0 };
    bool complete;
    if (node_read_coins(&coins, reply, wallet(), arena, err))
        for (size_t i = 0; i < coins.n; i++)
            REQUIRE(coins.items[i].amount.n <= SATS_MAX &&
                    coins.items[i].place.branch < MS_BRANCHES);
    if (node_read_events(&events, reply, arena, err))
        for (size_t i = 1; i < events.n; i++)
            REQUIRE(memcmp(&events.items[i - 1].txid, &events.items[i].txid, 32) < 0);
    (void)!node_read_descriptors(&complete, next, reply, wallet(), err);
}

static void read_transaction(const struct json *reply, struct arena *arena, struct err *err)
{
    const struct hash256 txid = { { 1 } };
    struct node_tx tx = { 0 };
    struct hash256 by;
    struct bytes raw, reason;
    bool yes = false;
    if (node_read_transaction(&tx, &raw, reply, &txid, arena, err))
        REQUIRE(false); // nobody finds a transaction of that id
    if (node_read_transaction(&tx, NULL, reply, &txid, arena, err))
        REQUIRE(tx.in_block == (tx.depth > 0) && tx.fee.n <= SATS_MAX);
    (void)!node_read_entry(&tx, reply, err);
    (void)!node_read_spender(&by, &yes, reply, err);
    if (node_read_accept(&yes, &reason, reply, &txid, err))
        REQUIRE(yes || reason.ptr != NULL);
    if (node_read_package(&yes, &reason, reply, err))
        REQUIRE(!yes || reason.len == 0);
}

FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4 << 20);
    const struct json *reply;
    struct err err;
    if (!json_parse(&reply, data, arena, &err))
        return;
    read_node(reply, &err);
    read_wallet(reply, arena, &err);
    read_transaction(reply, arena, &err);
}
