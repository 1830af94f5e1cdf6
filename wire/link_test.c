#include "wire/link.h"
#include "tests/support/wire_session.h"

static struct link open_link(void)
{
    struct link link = { 0 };
    struct err err;
    const struct seckey own = session_seckey("client_seckey");
    const struct pubkey64 peer = session_public("device_public");
    assert_true(link_open(&link, &own, &peer, LINK_V1, &err));
    return link;
}

TEST(wire_15_20_session_key_from_both_sides)
{
    static const struct {
        const char *own, *peer;
    } sides[] = { { "client_seckey", "device_public" }, { "device_seckey", "client_public" } };
    for (size_t i = 0; i < COUNT(sides); i++) {
        AUTO(link_wipe) struct link link = { 0 };
        struct err err;
        const struct seckey own = session_seckey(sides[i].own);
        const struct pubkey64 peer = session_public(sides[i].peer);
        assert_false(link_is_open(&link));
        assert_true(link_open(&link, &own, &peer, LINK_V2, &err));
        assert_true(link_is_open(&link));
        assert_int_equal(link.version, LINK_V2);
        assert_bytes_equal(BYTES_OF(link.session_key.b), json_need_hex(session(), "session_key"));
        const struct pubkey64 shown = link_public(&own);
        assert_bytes_equal(BYTES_OF(shown.b),
                           json_need_hex(session(), i == 0 ? "client_public" : "device_public"));
    }
}

TEST(wire_13_1_both_directions_start_with_the_same_keystream)
{
    AUTO(link_wipe) struct link link = open_link();
    const struct bytes keystream = json_need_hex(session(), "keystream");
    uint8_t a[64] = { 0 }, b[64] = { 0 };
    link_apply(&link, LINK_TO_DEVICE, a, sizeof a);
    assert_bytes_equal(BYTES_OF(a), keystream);
    link_apply(&link, LINK_TO_HOST, b, 7); // no block alignment between messages
    link_apply(&link, LINK_TO_HOST, b + 7, sizeof b - 7);
    assert_bytes_equal(BYTES_OF(b), keystream);
}

TEST(wire_15_29_mitm_proof_of_the_worked_session)
{
    AUTO(link_wipe) struct link link = open_link();
    const struct seckey master = session_seckey("master_seckey");
    const struct pubkey pub = seckey_pubkey(&master);
    const struct bytes expected = json_need_hex(session(), "mitm");
    uint8_t proof[LINK_PROOF_LEN], again[LINK_PROOF_LEN];
    struct err err;
    assert_true(link_prove(proof, &link, &master, &err));
    assert_bytes_equal(BYTES_OF(proof), expected);
    assert_true(link_prove(again, &link, &master, &err)); // "same bytes when repeated"
    assert_bytes_equal(BYTES_OF(again), expected);
    assert_bytes_equal(BYTES_OF(pub.b), json_need_hex(session(), "master_public"));
    assert_true(link_verify(&link, expected, &pub, &err));
}

// Every bit but those of the header byte, which the verifier ignores.
TEST(wire_4_6_a_flipped_bit_never_verifies)
{
    AUTO(link_wipe) struct link link = open_link();
    const struct seckey master = session_seckey("master_seckey");
    const struct pubkey pub = seckey_pubkey(&master);
    uint8_t proof[LINK_PROOF_LEN];
    struct err err;
    memcpy(proof, json_need_hex(session(), "mitm").ptr, sizeof proof);
    for (size_t bit = 0; bit < 8 * sizeof proof; bit++) {
        proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(link_verify(&link, BYTES_OF(proof), &pub, &err), bit < 8);
        proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_false(link_verify(&link, bytes_of(proof, 64), &pub, &err));
    assert_err(&err, ERR_FRAMING, "mitm: 64 bytes, not 65");
    link.session_key.b[31] ^= 1; // somebody in between has two session keys
    assert_false(link_verify(&link, BYTES_OF(proof), &pub, &err));
    assert_err(&err, ERR_AUTH, "Possible active MiTM attack in progress! Incorrect signature.");
}

TEST(wire_15_27_28_ncry_checks_in_their_order)
{
    static const struct {
        uint32_t version;
        bool bound, good_point;
        enum err_code code;
        const char *text;
    } cases[] = {
        { 0, false, true, ERR_FRAMING, "bad ncry version" },
        { 3, false, true, ERR_FRAMING, "bad ncry version" },
        { 0, true, false, ERR_FRAMING, "bad ncry version" }, // before the others
        { 1, true, false, ERR_FRAMING, "crypto already set up" },
        { 2, true, true, ERR_FRAMING, "crypto already set up" },
        { 1, false, false, ERR_INVALID, "secp256k1_ec_pubkey_parse" },
        { 2, false, false, ERR_INVALID, "secp256k1_ec_pubkey_parse" },
    };
    AUTO(link_wipe) struct link link = open_link();
    const struct seckey own = session_seckey("device_seckey");
    struct err err;
    uint8_t stream[4] = { 0 };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pubkey64 client = session_public("client_public");
        if (!cases[i].good_point)
            client.b[63] ^= 1;
        assert_false(link_accept(&link, cases[i].version, &client, cases[i].bound, &own, &err));
        assert_err(&err, cases[i].code, cases[i].text);
    }
    // "old session intact": same key, same place in the stream
    assert_bytes_equal(BYTES_OF(link.session_key.b), json_need_hex(session(), "session_key"));
    link_apply(&link, LINK_TO_HOST, stream, sizeof stream);
    assert_bytes_equal(BYTES_OF(stream), bytes_slice(json_need_hex(session(), "keystream"), 0, 4));
}

TEST(wire_15_24_ncry_replaces_the_session_any_number_of_times)
{
    AUTO(link_wipe) struct link link = open_link();
    const struct pubkey64 client = session_public("client_public");
    const struct bytes keystream = json_need_hex(session(), "keystream");
    struct seckey own = session_seckey("device_seckey");
    struct err err;
    for (uint8_t i = 0; i < 5; i++) {
        uint8_t stream[16] = { 0 };
        own.b[31] = (uint8_t)(0x22 + i % 4);
        assert_true(link_accept(&link, LINK_V1, &client, false, &own, &err));
        link_apply(&link, LINK_TO_DEVICE, stream, sizeof stream);
        assert_int_equal(bytes_equal(BYTES_OF(stream), bytes_slice(keystream, 0, sizeof stream)),
                         i % 4 == 0);
    }
}

TEST(wire_4_2_plaintext_and_a_full_writer_move_no_stream)
{
    AUTO(link_wipe) struct link link = open_link();
    uint8_t mem[2 * PACKET_LEN];
    struct writer w = writer_of(mem, sizeof mem);
    assert_true(link_cut(&link, LINK_TO_HOST, &w, BYTES("okay"), false));
    assert_bytes_text(bytes_of(mem + 1, 4), "okay");
    uint8_t long_message[64] = { 0 };
    assert_false(link_cut(&link, LINK_TO_HOST, &w, BYTES_OF(long_message), true));
    w = writer_of(mem, sizeof mem);
    assert_true(link_cut(&link, LINK_TO_HOST, &w, BYTES_OF(long_message), true));
    const struct bytes keystream = json_need_hex(session(), "keystream");
    assert_bytes_equal(bytes_of(mem + 1, 63), bytes_slice(keystream, 0, 63));
    assert_int_equal(mem[PACKET_LEN], 0xc1);
    assert_int_equal(mem[PACKET_LEN + 1], keystream.ptr[63]);
    for (size_t i = PACKET_LEN + 2; i < sizeof mem; i++)
        assert_int_equal(mem[i], 0); // padding is not encrypted
}

TEST(wire_link_wipe_leaves_nothing)
{
    struct link link = open_link();
    static const struct link zero;
    link_wipe(&link);
    assert_memory_equal(&link, &zero, sizeof link);
    link_wipe(&link); // as often as one likes
}
