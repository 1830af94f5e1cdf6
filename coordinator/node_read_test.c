#include "coordinator/node_read.h"
#include "base/hex.h"
#include "tests/support/ms_rig.h"

#define A "1111111111111111111111111111111111111111111111111111111111111101"
#define B "2222222222222222222222222222222222222222222222222222222222222202"
#define C "3333333333333333333333333333333333333333333333333333333333333303"

static const struct json *json_of(const char *text)
{
    const struct json *value;
    struct err err;
    if (!json_parse(&value, bytes_of_text(text), test_arena(), &err))
        fail_msg("%s: %s", err.detail, text);
    return value;
}

// Shown reversed.
static struct hash256 txid(const char *text)
{
    struct hash256 shown, out;
    assert_true(hex_decode(shown.b, 32, bytes_of_text(text)));
    for (size_t i = 0; i < 32; i++)
        out.b[i] = shown.b[31 - i];
    return out;
}

static struct wallet *wallet(void)
{
    const struct wallet_text text = { .name = BYTES("treasury"),
                                      .network = BYTES("regtest"),
                                      .desc_receive =
                                          ms_rig_descriptor("sortedmulti", 2, 3, "/<0;1>/*") };
    struct wallet *wallet;
    struct err err;
    assert_true(wallet_new(&wallet, &text, &err));
    return wallet;
}

// --- The node ---

#define CHAIN(chain, blocks, headers, time, ibd)                                                   \
    "{\"chain\": \"" chain "\", \"blocks\": " blocks ", \"headers\": " headers                     \
    ", \"bestblockhash\": \"" A "\", \"time\": " time ", \"initialblockdownload\": " ibd "}"

TEST(coordinator_D5_a_node_that_is_behind)
{
    static const struct {
        const char *network, *reply;
        bool behind;
    } cases[] = {
        { "main", CHAIN("main", "100", "100", "1000000", "false"), false },
        { "main", CHAIN("main", "100", "100", "1000000", "true"), true },
        { "main", CHAIN("main", "99", "100", "1000000", "false"), false }, // a block on its way
        { "main", CHAIN("main", "98", "100", "1000000", "false"), true },
        { "main", CHAIN("main", "100", "100", "900000", "false"), true },     // three hours
        { "regtest", CHAIN("regtest", "100", "100", "1", "false"), false },   // no such clock
        { "testnet4", CHAIN("testnet4", "100", "100", "1", "false"), false }, //
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct node_state state;
        struct err err;
        assert_true(
            node_read_chain(&state, json_of(cases[i].reply), cases[i].network, 1010000, &err));
        if (state.behind != cases[i].behind)
            fail_msg("case %zu", i);
        const struct hash256 tip = txid(A);
        assert_memory_equal(&state.tip, &tip, 32);
    }
    struct node_state state = { 0 };
    struct err err;
    assert_false(
        node_read_chain(&state, json_of(CHAIN("main", "1", "1", "1", "false")), "signet", 0, &err));
    assert_string_equal(err.text, "on chain main, not signet");
    // A mempool that is still read from disk knows nothing yet.
    state.behind = false;
    assert_true(node_read_mempool(&state,
                                  json_of("{\"loaded\": false, \"minrelaytxfee\": 0.00001000, "
                                          "\"mempoolminfee\": 0.00004321}"),
                                  &err));
    assert_true(state.behind);
    assert_int_equal(state.relay_rate, 1000);
    assert_int_equal(state.mempool_rate, 4321);
}

TEST(coordinator_D6_an_estimate_or_none)
{
    uint64_t rate = 7;
    bool known;
    struct err err;
    assert_true(node_read_estimate(&rate, &known, json_of("{\"feerate\": 0.00012345}"), &err));
    assert_true(known);
    assert_int_equal(rate, 12345);
    assert_true(node_read_estimate(&rate, &known, json_of("{\"errors\": [\"x\"]}"), &err));
    assert_false(known);
    assert_false(node_read_estimate(&rate, &known, json_of("{\"feerate\": -1}"), &err));
    assert_false(node_read_estimate(&rate, &known, json_of("[]"), &err));
}

// --- Coins ---

static const struct json *unspent(struct bytes script, const char *rest)
{
    char *text = arena_alloc(test_arena(), 1024), hex[80];
    hex_encode(hex, script);
    (void)snprintf(text, 1024,
                   "[{\"txid\": \"" A "\", \"vout\": 3, \"scriptPubKey\": \"%s\", "
                   "\"amount\": 0.00010000, %s}]",
                   hex, rest);
    return json_of(text);
}

TEST(coordinator_C16_safe_own_and_foreign_coins)
{
    AUTO(wallet_freep) struct wallet *w = wallet();
    struct writer own = writer_growing(test_arena(), 64);
    struct coins coins;
    struct err err;
    assert_true(wallet_output_script(&own, w, (struct wallet_place){ MS_CHANGE, 17 }, &err));
    static const struct {
        const char *rest;
        bool is_own_change;
    } cases[] = {
        { "\"confirmations\": 2, \"safe\": true", false }, // it is confirmed: that is enough
        { "\"confirmations\": 0, \"safe\": true, \"ancestorcount\": 4", true },
        { "\"confirmations\": 0, \"safe\": false, \"ancestorcount\": 1", false },
        { "\"confirmations\": 0, \"safe\": true", false }, // its chain is not known
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(node_read_coins(&coins, unspent(writer_bytes(&own), cases[i].rest), w,
                                    test_arena(), &err));
        assert_int_equal(coins.n, 1);
        assert_int_equal(coins.items[0].amount.n, 10000);
        assert_int_equal(coins.items[0].place.branch, MS_CHANGE);
        assert_int_equal(coins.items[0].place.index, 17);
        if (coins.items[0].is_own_change != cases[i].is_own_change)
            fail_msg("case %zu", i);
    }
    assert_int_equal(wallet_known(w, MS_CHANGE), WALLET_GAP + 18); // it was used
    // What the node calls its own and the descriptors do not.
    const struct bytes stranger = BYTES("\x00\x14"
                                        "01234567890123456789");
    assert_true(node_read_coins(&coins, unspent(stranger, cases[0].rest), w, test_arena(), &err));
    assert_int_equal(coins.n, 0);
    static const char *const bad[] = { "\"confirmations\": -1, \"safe\": true",
                                       "\"confirmations\": 1.5, \"safe\": true",
                                       "\"confirmations\": 1", "\"safe\": true",
                                       "\"confirmations\": 1, \"safe\": \"true\"" };
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(node_read_coins(&coins, unspent(stranger, bad[i]), w, test_arena(), &err));
        assert_int_equal(code_of(&err), CODE_NODE_UNAVAILABLE);
    }
}

// --- History ---

// Annex: "two external outputs: two send entries"; a removed transaction is listed unconfirmed as well.
TEST(coordinator_D5_each_transaction_once)
{
    const struct json *reply = json_of(
        "{\"transactions\": [{\"txid\": \"" B "\", \"category\": \"receive\"}, "
        "{\"txid\": \"" A "\", \"category\": \"send\"}, {\"txid\": \"" A
        "\", \"category\": \"send\"}, {\"txid\": \"" A "\", \"category\": \"receive\"}], "
        "\"removed\": [{\"txid\": \"" B "\", \"category\": \"send\"}], \"lastblock\": \"" C "\"}");
    struct node_events events;
    struct err err;
    assert_true(node_read_events(&events, reply, test_arena(), &err));
    assert_int_equal(events.n, 2);
    const struct hash256 a = txid(A), b = txid(B), c = txid(C);
    assert_memory_equal(&events.items[0].txid, &a, 32); // by bytes as they are hashed
    assert_memory_equal(&events.items[1].txid, &b, 32);
    assert_true(events.items[0].is_outgoing && !events.items[0].is_removed);
    assert_true(events.items[1].is_outgoing && events.items[1].is_removed);
    assert_memory_equal(&events.block, &c, 32);
}

TEST(coordinator_annex_where_a_transaction_is)
{
    struct node_tx tx;
    struct err err;
    const struct hash256 id = txid(A);
    assert_true(node_read_transaction(&tx, NULL,
                                      json_of("{\"confirmations\": 3, \"blockhash\": \"" B
                                              "\", \"blockheight\": 9, \"blocktime\": 77, "
                                              "\"fee\": -0.00000189}"),
                                      &id, test_arena(), &err));
    assert_true(tx.in_block);
    assert_int_equal(tx.depth, 3);
    assert_int_equal(tx.height, 9);
    assert_int_equal(tx.block_s, 77);
    assert_int_equal(tx.fee.n, 189);
    // "replaced, the new one confirmed: -1": nowhere.
    assert_true(node_read_transaction(&tx, NULL, json_of("{\"confirmations\": -1}"), &id,
                                      test_arena(), &err));
    assert_false(tx.in_block || tx.in_mempool);
    // A raw transaction of another id.
    assert_false(
        node_read_transaction(&tx, &(struct bytes){ 0 },
                              json_of("{\"confirmations\": 0, \"hex\": \"02000000000000000000\"}"),
                              &id, test_arena(), &err));
    assert_string_equal(err.text, "gettransaction: a reply of no known form");
}

TEST(coordinator_annex_verdicts)
{
    const struct hash256 id = txid(A);
    struct bytes reason;
    bool allowed;
    struct err err;
    assert_true(node_read_accept(&allowed, &reason,
                                 json_of("[{\"txid\": \"" A "\", \"allowed\": true}]"), &id, &err));
    assert_true(allowed);
    assert_true(node_read_accept(
        &allowed, &reason,
        json_of("[{\"txid\": \"" A "\", \"allowed\": false, \"reject-reason\": \"dust\"}]"), &id,
        &err));
    assert_false(allowed);
    assert_bytes_text(reason, "dust");
    // About another transaction, or two.
    assert_false(node_read_accept(
        &allowed, &reason, json_of("[{\"txid\": \"" B "\", \"allowed\": true}]"), &id, &err));
    assert_false(node_read_accept(
        &allowed, &reason, json_of("[{\"txid\": \"" A "\", \"allowed\": true}, {}]"), &id, &err));
    assert_true(node_read_package(
        &allowed, &reason,
        json_of("{\"package_msg\": \"transaction failed\", \"tx-results\": {\"x\": {\"txid\": \"" A
                "\"}, \"y\": {\"error\": \"bad-txns-inputs-missingorspent\"}}}"),
        &err));
    assert_false(allowed);
    assert_bytes_text(reason, "bad-txns-inputs-missingorspent");
    assert_true(node_read_package(
        &allowed, &reason, json_of("{\"package_msg\": \"success\", \"tx-results\": {}}"), &err));
    assert_true(allowed);
}

// --- Descriptors ---

static const struct json *imported(const struct wallet *w, bool active, const char *spelling)
{
    struct writer text = writer_growing(test_arena(), 65536);
    writer_text(&text, "{\"descriptors\": [");
    for (enum ms_branch branch = 0; branch < MS_BRANCHES; branch++) {
        const struct bytes d = wallet_descriptor(w, branch);
        writer_text(&text, branch == 0 ? "{\"desc\": \"" : ", {\"desc\": \"");
        for (size_t i = 0; i < d.len; i++)
            if (d.ptr[i] == 'h' && i + 1 < d.len && (d.ptr[i + 1] == '/' || d.ptr[i + 1] == ']'))
                writer_text(&text, spelling);
            else
                writer_u8(&text, d.ptr[i]);
        writer_printf(&text, "\", \"active\": %s, \"next_index\": %d}", active ? "true" : "false",
                      40 + (int)branch);
    }
    writer_text(&text, "]}");
    writer_u8(&text, 0);
    return json_of((const char *)writer_bytes(&text).ptr);
}

TEST(coordinator_A2_both_branches_are_there_or_not)
{
    AUTO(wallet_freep) struct wallet *w = wallet();
    uint32_t next[MS_BRANCHES];
    bool complete;
    struct err err;
    assert_true(node_read_descriptors(&complete, next, imported(w, true, "h"), w, &err));
    assert_true(complete);
    assert_int_equal(next[MS_RECEIVE], 40);
    assert_int_equal(next[MS_CHANGE], 41);
    assert_true(node_read_descriptors(&complete, next, imported(w, true, "'"), w, &err));
    assert_true(complete); // an older node's spelling
    assert_true(node_read_descriptors(&complete, next, imported(w, false, "h"), w, &err));
    assert_false(complete);
    assert_true(node_read_descriptors(&complete, next, json_of("{\"descriptors\": []}"), w, &err));
    assert_false(complete);
}
