// BIP-129: psbt-signing.md 7.10.
#include "base/base64.h"
#include "bitcoin/base58.h"
#include "bitcoin/message.h"
#include "crypto/hmac.h"
#include "crypto/kdf.h"
#include "tests/support/ms_rig.h"

static struct bytes record(struct bytes descriptor, const char *restrictions, struct bytes address)
{
    struct writer w = writer_growing(test_arena(), MS_TEXT_MAX);
    writer_text(&w, "BSMS 1.0\n");
    writer_put(&w, descriptor);
    writer_printf(&w, "\n%s\n", restrictions);
    writer_put(&w, address);
    return writer_bytes(&w);
}

static bool read_foreign(struct ms_wallet *out, struct bytes text, struct err *err)
{
    return ms_read_foreign(out, text, chain_by_id(CHAIN_BTC), test_arena(), err);
}

static void refuse(struct bytes text, const char *why)
{
    struct ms_wallet wallet;
    struct err err;
    assert_false(read_foreign(&wallet, text, &err));
    if (strcmp(err.text, why) != 0)
        fail_msg("%s, not %s", err.text, why);
}

// --- Descriptor records ---

TEST(psbt_signing_7_10_published_descriptor_records)
{
    const struct json *rows = json_need(test_vectors("bip129.json"), "descriptor_records");
    size_t n = 0, n_read = 0;
    for (const struct json *row = rows->items; row != NULL; row = row->next, n++) {
        const struct bytes descriptor = json_need_text(row, "descriptor");
        const struct bytes address = json_need_text(row, "first_address");
        const char *restrictions =
            arena_text(test_arena(), json_need_text(row, "path_restrictions"));
        struct ms_wallet wallet;
        struct err err;
        if (!read_foreign(&wallet, record(descriptor, restrictions, address), &err)) {
            // The record of bare public keys, which are no wallet's.
            assert_string_equal(err.text, "Only extended public keys are supported");
            continue;
        }
        struct writer first = writer_growing(test_arena(), 128);
        assert_true(ms_wallet_address(&first, &wallet, MS_RECEIVE, 0, &err));
        assert_bytes_equal(writer_bytes(&first), address);
        n_read++;
        // Any other address is refused, and any other restriction.
        refuse(record(descriptor, restrictions, json_need_text(rows->items, "first_address")),
               "BSMS: the first address is not the wallet's");
        refuse(record(descriptor, "/0/*", address), "BSMS: path restrictions other than /0/*,/1/*");
    }
    assert_int_equal(n, 4);
    assert_int_equal(n_read, 3);
}

static struct bytes other_version(struct bytes text)
{
    uint8_t *copy = arena_alloc(test_arena(), text.len);
    memcpy(copy, text.ptr, text.len);
    copy[5] = '2'; // BSMS 2.0
    return bytes_of(copy, text.len);
}

TEST(psbt_signing_7_10_forms_of_a_record)
{
    const struct json *rows = json_need(test_vectors("bip129.json"), "descriptor_records");
    const struct json *row = json_item(rows, 1);
    const struct bytes descriptor = json_need_text(row, "descriptor");
    const struct bytes address = json_need_text(row, "first_address");
    const struct bytes good = record(descriptor, "/0/*,/1/*", address);
    struct writer w = writer_growing(test_arena(), MS_TEXT_MAX);
    struct ms_wallet wallet;
    struct err err;
    // Lines may end in CR LF, and the last one in LF.
    for (size_t i = 0; i < good.len; i++)
        writer_printf(&w, "%s%c", good.ptr[i] == '\n' ? "\r" : "", good.ptr[i]);
    writer_text(&w, "\r\n");
    assert_true(read_foreign(&wallet, writer_bytes(&w), &err));
    // A line more, a line less, none for the address.
    writer_text(&w, "more");
    refuse(writer_bytes(&w), "BSMS: a descriptor record has four lines");
    refuse(bytes_slice(good, 0, good.len - address.len - 1),
           "BSMS: a descriptor record has four lines");
    refuse(bytes_slice(good, 0, good.len - address.len),
           "BSMS: a descriptor record has four lines");
    refuse(record(descriptor, "/0/*,/1/*", BYTES(" \n")), "BSMS: no first address");
    refuse(record(descriptor, "No restrictions", address),
           "BSMS: path restrictions other than /0/*,/1/*");
    // Of another version it is nothing that we know.
    refuse(other_version(good), "Unsupported descriptor. Supported: sh(), sh(wsh()), wsh().");
}

// Ours: all checks of 7.3 hold for it as for any text.
TEST(psbt_signing_7_10_a_record_with_our_key)
{
    const struct ms_register rig = ms_rig();
    const struct ms_wallet *plain =
        ms_rig_wallet(&rig, ms_rig_descriptor("sortedmulti", 2, 3, "/<0;1>/*"));
    struct writer first = writer_growing(test_arena(), 128);
    struct err err;
    assert_true(ms_wallet_address(&first, plain, MS_RECEIVE, 0, &err));
    const struct bytes template = ms_rig_descriptor("sortedmulti", 2, 3, "/**");
    const struct ms_wallet *wallet =
        ms_rig_wallet(&rig, record(template, "/0/*,/1/*", writer_bytes(&first)));
    assert_wallets_equal(wallet, plain);
    ms_rig_refuses(
        &rig, record(ms_rig_descriptor("multi", 2, 3, "/**"), "/0/*,/1/*", writer_bytes(&first)),
        "Unsorted multisig \"multi(...)\" not allowed");
}

// --- The other published records: nothing of ours speaks them, the primitives do ---

TEST(psbt_signing_7_10_published_key_records)
{
    const struct json *rows = json_need(test_vectors("bip129.json"), "key_records");
    assert_int_equal(rows->n_items, 9);
    for (const struct json *row = rows->items; row != NULL; row = row->next) {
        const struct bytes text = json_need_text(row, "record");
        struct writer wif = writer_growing(test_arena(), 64),
                      out = writer_growing(test_arena(), 128);
        uint8_t signature[MESSAGE_SIGNATURE_LEN];
        struct seckey key;
        struct err err;
        size_t end = text.len;
        while (text.ptr[end - 1] != '\n')
            end--;
        assert_true(base58check_read(&wif, json_need_text(row, "wif")));
        assert_true(seckey_from_bytes(&key, bytes_slice(writer_bytes(&wif), 1, 32), &err));
        assert_true(message_sign(signature, &key, ADDR_P2PKH, bytes_slice(text, 0, end - 1), &err));
        base64_write(&out, BYTES_OF(signature));
        assert_bytes_equal(writer_bytes(&out), bytes_slice(text, end, text.len));
    }
}

TEST(psbt_signing_7_10_published_keys_and_macs)
{
    const struct json *all = test_vectors("bip129.json"), *keys = json_need(all, "encryption_keys");
    size_t n = 0;
    for (const struct json *row = keys->items; row != NULL; row = row->next) {
        uint8_t key[32];
        pbkdf2_sha512(key, sizeof key, BYTES("No SPOF"), json_need_hex(row, "token"), 2048);
        assert_bytes_equal(BYTES_OF(key), json_need_hex(row, "encryption_key"));
        const struct hash256 hmac_key = sha256(BYTES_OF(key));
        assert_bytes_equal(BYTES_OF(hmac_key.b), json_need_hex(row, "hmac_key"));
        const struct json *sent = json_need(all, "encrypted")->items;
        for (; sent != NULL; sent = sent->next) {
            struct writer w = writer_growing(test_arena(), MS_TEXT_MAX);
            uint8_t mac[32];
            if (!bytes_equal(json_need_text(sent, "token"), json_need_text(row, "token")))
                continue;
            writer_put(&w, json_need_text(sent, "token"));
            writer_put(&w, json_need_text(sent, "plaintext"));
            hmac_sha256(mac, BYTES_OF(hmac_key.b), writer_bytes(&w));
            assert_bytes_equal(BYTES_OF(mac), json_need_hex(sent, "mac"));
            n++;
        }
    }
    assert_int_equal(keys->n_items, 4);
    assert_int_equal(n, 9);
}
