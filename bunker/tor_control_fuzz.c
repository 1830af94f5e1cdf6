#include "bunker/tor_control.h"
#include "fuzz/fuzz.h"

static struct secret *key;

// What a daemon says is fed in pieces whose length the first byte gives, and every choice is answered.
// Bounds hold after each, our commands are whole lines, and a key goes to nobody who has not let us in.
FUZZ_TARGET(data)
{
    uint8_t mem[8 * TOR_SEND_MAX];
    const uint8_t nonce[32] = { 7 }, cookie[TOR_COOKIE_LEN] = { 9 };
    struct tor_control t;
    struct err err;
    struct writer w = writer_of(mem, sizeof mem);
    if (key == NULL)
        key = secret_new_zeroed(ONION_KEY_LEN);
    const struct tor_service service = {
        .key = key,
        .address = "ou734ickitggezugvs7lnhncwhfwhzhj33uymsyfcmz2r2cqa7wbosyd.onion",
        .target = "unix:/x"
    };
    const size_t step = data.len > 0 ? 1 + data.ptr[0] % 64u : 1;
    tor_control_begin(&t, &w);
    for (size_t at = 1; at < data.len; at += step) {
        w.len = 0;
        if (!tor_control_feed(&t, bytes_slice(data, at, step), &w, &err))
            return;
        if (t.step == TOR_WANTS_PROOF && t.may_cookie)
            tor_control_with_cookie(&t, cookie, nonce, &w);
        else if (t.step == TOR_WANTS_PROOF && t.may_password)
            tor_control_with_password(&t, BYTES("a\"b\\"), &w);
        else if (t.step == TOR_WANTS_PROOF)
            tor_control_with_nothing(&t, &w);
        else if (t.step == TOR_READY && t.served[0] == '\0')
            tor_control_add(&t, &service, &w);
        else if (t.step == TOR_READY)
            tor_control_remove(&t, &w);
        REQUIRE(!w.failed && (w.len == 0 || mem[w.len - 1] == '\n'));
        REQUIRE(t.line_len <= TOR_LINE_MAX && t.n_lines <= TOR_REPLY_LINES);
        REQUIRE(memchr(t.cookie_path, 0, sizeof t.cookie_path) != NULL);
        REQUIRE(bytes_is_printable_ascii(bytes_of_text(t.version)));
        REQUIRE(t.served[0] == '\0' || strcmp(t.served, service.address) == 0);
    }
}
