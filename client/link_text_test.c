#include "client/link_text.h"
#include "tests/support/test.h"

static const struct {
    const char *url;
    const char *host, *port, *where, *path; // host NULL: none
} urls[] = {
    { "wss://bunker.example:9824/device", "bunker.example", "9824", "bunker.example:9824",
      "/device" },
    { "wss://127.0.0.1:9824", "127.0.0.1", "9824", "127.0.0.1:9824", "/device" },
    { "wss://b/", "b", "443", "b:443", "/device" },
    { "wss://[::1]:9824/device", "::1", "9824", "[::1]:9824", "/device" },
    { "wss://[fe80::1]", "fe80::1", "443", "[fe80::1]:443", "/device" },
    { "wss://b/proxied/device", "b", "443", "b:443", "/proxied/device" },
    { "ws://b:1/device", 0, 0, 0, 0 }, // never in the clear
    { "https://b:1/device", 0, 0, 0, 0 },
    { "wss://", 0, 0, 0, 0 },
    { "wss:///device", 0, 0, 0, 0 },
    { "wss://b:/device", 0, 0, 0, 0 },
    { "wss://b:0/device", 0, 0, 0, 0 },
    { "wss://b:65536/device", 0, 0, 0, 0 },
    { "wss://b:1x/device", 0, 0, 0, 0 },
    { "wss://[::1/device", 0, 0, 0, 0 },
    { "wss://[::1]x:1/device", 0, 0, 0, 0 },
    { "wss://user@b:1/device", 0, 0, 0, 0 },
    { "wss://b:1/device?x=y", 0, 0, 0, 0 },
    { "wss://b:1/de vice", 0, 0, 0, 0 },
    { "wss://b:1/device\r\nX: y", 0, 0, 0, 0 }, // goes into the head of a request
    { "wss://b\r\n:1/device", 0, 0, 0, 0 },
};

TEST(bunker_51_addresses_of_links)
{
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct link_address a;
        struct err err;
        const bool ok = link_address_read(&a, urls[i].url, &err);
        if (ok != (urls[i].host != NULL))
            fail_msg("'%s'", urls[i].url);
        if (!ok) {
            assert_int_equal(err.code, ERR_USAGE);
            continue;
        }
        assert_string_equal(a.host, urls[i].host);
        assert_string_equal(a.port, urls[i].port);
        assert_string_equal(a.where, urls[i].where);
        assert_string_equal(a.path, urls[i].path);
    }
}

#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

TEST(bunker_51_pins)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        { HEX32, true },
        { "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:"
          "1D:1E:1F",
          true },
        { "", false },
        { HEX32 "00", false },
        { "0:001", false },
        { "::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::"
          "::::::::::::",
          false },
        { "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct hash256 out;
        struct err err;
        const bool ok = link_pin_read(&out, rows[i].text, &err);
        if (ok != rows[i].good)
            fail_msg("'%s'", rows[i].text);
        if (ok)
            assert_bytes_equal(BYTES_OF(out.b), test_hex(HEX32));
    }
}

TEST(bunker_51_states_that_are_written_are_read)
{
    static const struct {
        struct link_state state;
        const char *text;
    } rows[] = {
        { { "casemate", "F1F1F1F1F1F1", "0F056943", "hsm", true },
          "{\"v\": 1, \"kind\": \"casemate\", \"serial\": \"F1F1F1F1F1F1\", \"xfp\": \"0F056943\", "
          "\"state\": \"hsm\", \"provision\": true}" },
        { { "coldcard", "", "", "absent", false },
          "{\"v\": 1, \"kind\": \"coldcard\", \"serial\": null, \"xfp\": null, \"state\": "
          "\"absent\", \"provision\": false}" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct writer w = writer_growing(test_arena(), LINK_STATE_MAX);
        struct link_state got;
        struct err err;
        link_state_write(&w, &rows[i].state);
        assert_bytes_text(writer_bytes(&w), rows[i].text);
        assert_true(link_state_read(&got, writer_bytes(&w), &err));
        assert_string_equal(got.kind, rows[i].state.kind);
        assert_string_equal(got.serial, rows[i].state.serial);
        assert_string_equal(got.xfp, rows[i].state.xfp);
        assert_string_equal(got.state, rows[i].state.state);
        assert_int_equal(got.provision, rows[i].state.provision);
    }
}

#define STATE(serial, xfp, more)                                                                   \
    "{\"v\":1,\"kind\":\"casemate\",\"serial\":" serial ",\"xfp\":" xfp                            \
    ",\"state\":\"idle\",\"provision\":false" more "}"

static const struct {
    const char *text, *why; // why NULL: good
} states[] = {
    { STATE("\"x\"", "\"0f056943\"", ""), NULL },
    { STATE("\"\"", "null", ",\"later\":[1]"), NULL }, // what a later version adds
    { STATE("1", "null", ""), "state of the link: serial" },
    { STATE("\"\\u001b[2J\"", "null", ""), "state of the link: serial" }, // goes to terminals
    { STATE("\"012345678901234567890123456789012345\"", "null", ""), "state of the link: serial" },
    { STATE("null", "\"0f05694\"", ""), "state of the link: xfp" },
    { STATE("null", "\"0f05694x\"", ""), "state of the link: xfp" },
    { STATE("null", "null", ",\"serial\":null"), "state of the link: no JSON" }, // twice
    { "{\"v\":2,\"kind\":\"x\",\"serial\":null,\"xfp\":null,\"state\":\"idle\",\"provision\":"
      "false}",
      "state of the link: not of version 1" },
    { "{\"v\":1,\"kind\":null,\"serial\":null,\"xfp\":null,\"state\":\"idle\",\"provision\":false}",
      "state of the link: kind" },
    { "{\"v\":1,\"kind\":\"x\",\"serial\":null,\"xfp\":null,\"provision\":false}",
      "state of the link: state" },
    { "{\"v\":1,\"kind\":\"x\",\"serial\":null,\"xfp\":null,\"state\":\"idle\",\"provision\":1}",
      "state of the link: provision" },
    { "[]", "state of the link: not of version 1" },
    { "", "state of the link: no JSON" },
};

TEST(bunker_51_states_of_others)
{
    for (size_t i = 0; i < COUNT(states); i++) {
        struct link_state got;
        struct err err = { 0 };
        const bool ok = link_state_read(&got, bytes_of_text(states[i].text), &err);
        if (ok != (states[i].why == NULL))
            fail_msg("%zu: %s", i, err.text);
        if (!ok)
            assert_err(&err, ERR_FRAMING, states[i].why);
    }
}
