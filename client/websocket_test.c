#include "client/websocket.h"
#include "tests/support/test.h"

#define LIMIT 1000

// --- The upgrade ---

#define KEY    "dGhlIHNhbXBsZSBub25jZQ==" // RFC 6455 1.3
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

TEST(what_is_asked_for)
{
    struct writer w = writer_growing(test_arena(), 1000);
    websocket_write_upgrade(&w, "bunker:9824", "/device", "casemate-link-1", KEY);
    assert_bytes_text(writer_bytes(&w),
                      "GET /device HTTP/1.1\r\nHost: bunker:9824\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY
                      "\r\nSec-WebSocket-Protocol: casemate-link-1\r\n\r\n");
    char a[WEBSOCKET_KEY_SIZE], b[WEBSOCKET_KEY_SIZE];
    websocket_key(a);
    websocket_key(b);
    assert_int_equal(strlen(a), 24);
    assert_string_not_equal(a, b);
}

#define STATUS    "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE   "Upgrade: WebSocket\r\n"
#define CONNECT   "connection:upgrade\r\n"
#define ACCEPTED  "Sec-WebSocket-Accept: " ACCEPT "\r\n"
#define PROTOCOL  "Sec-WebSocket-Protocol: p\r\n"
#define NOT_ASKED "not the WebSocket that was asked for: "

static const struct {
    const char *head;
    enum err_code code; // ERR_NONE: accepted
    const char *why;
} answers[] = {
    { STATUS UPGRADE CONNECT ACCEPTED PROTOCOL "\r\n", ERR_NONE, NULL },
    { STATUS PROTOCOL ACCEPTED CONNECT UPGRADE "X: y\r\n\r\n", ERR_NONE, NULL },
    { "HTTP/1.1 403 Forbidden\r\n\r\n", ERR_AUTH, "HTTP 403" },
    { "HTTP/1.0 404 Not Found\r\n\r\n", ERR_NOT_FOUND, "HTTP 404" },
    { "HTTP/1.1 421 Misdirected\r\n\r\n", ERR_FRAMING, "HTTP 421" },
    { "HTTP/1.1 200 OK\r\n\r\n", ERR_FRAMING, "HTTP 200" },
    { "SSH-2.0-x\r\n\r\n", ERR_FRAMING, "not an answer of HTTP/1.1" },
    { STATUS CONNECT ACCEPTED PROTOCOL "\r\n", ERR_FRAMING, NOT_ASKED "Upgrade" },
    { STATUS UPGRADE ACCEPTED PROTOCOL "\r\n", ERR_FRAMING, NOT_ASKED "Connection" },
    { STATUS UPGRADE CONNECT PROTOCOL "\r\n", ERR_FRAMING, NOT_ASKED "Sec-WebSocket-Accept" },
    { STATUS UPGRADE CONNECT PROTOCOL "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n",
      ERR_FRAMING, NOT_ASKED "Sec-WebSocket-Accept" },
    { STATUS UPGRADE CONNECT ACCEPTED ACCEPTED PROTOCOL "\r\n", ERR_FRAMING,
      NOT_ASKED "Sec-WebSocket-Accept" },
    { STATUS UPGRADE CONNECT ACCEPTED "\r\n", ERR_FRAMING, NOT_ASKED "Sec-WebSocket-Protocol" },
    { STATUS UPGRADE CONNECT ACCEPTED "Sec-WebSocket-Protocol: q\r\n\r\n", ERR_FRAMING,
      NOT_ASKED "Sec-WebSocket-Protocol" },
    { STATUS UPGRADE CONNECT ACCEPTED PROTOCOL
      "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
      ERR_FRAMING, NOT_ASKED "Sec-WebSocket-Extensions" },
};

TEST(answers_to_the_upgrade)
{
    for (size_t i = 0; i < COUNT(answers); i++) {
        const struct bytes head = bytes_of_text(answers[i].head);
        struct err err = { 0 };
        assert_int_equal(websocket_head_len(head), head.len);
        assert_int_equal(websocket_head_len(bytes_slice(head, 0, head.len - 1)), 0);
        const bool ok = websocket_check_answer(head, "p", KEY, &err);
        if (ok != (answers[i].code == ERR_NONE))
            fail_msg("answer %zu: %s", i, err.text);
        if (!ok)
            assert_err(&err, answers[i].code, answers[i].why);
    }
    assert_int_equal(websocket_head_len((struct bytes){ 0 }), 0);
}

// --- Frames of ours ---

TEST(our_frames_are_masked)
{
    static const size_t sizes[] = { 0, 1, 125, 126, 2060, 65535, 65536 };
    static const size_t heads[] = { 6, 6, 6, 8, 8, 8, 14 };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint8_t *content = arena_alloc(test_arena(), sizes[i] + 1);
        memset(content, 'x', sizes[i] + 1);
        struct writer w = writer_growing(test_arena(), 100000);
        websocket_write(&w, WEBSOCKET_BINARY, bytes_of(content, sizes[i]));
        const struct bytes frame = writer_bytes(&w);
        assert_int_equal(frame.len, sizes[i] + heads[i]);
        assert_true(heads[i] <= WEBSOCKET_FRAME_ROOM);
        assert_int_equal(frame.ptr[0], 0x82);
        assert_true((frame.ptr[1] & 0x80) != 0);
        const uint8_t *mask = frame.ptr + heads[i] - 4;
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(frame.ptr[heads[i] + k] ^ mask[k % 4], 'x');
    }
}

// --- Messages of the server ---

struct expected {
    enum websocket_event event;
    const char *text; // content, or the error's text
};

static const struct {
    const char *hex;
    struct expected events[4]; // then WEBSOCKET_MORE
} streams[] = {
    { "8205 68656c6c6f", { { WEBSOCKET_BINARY, "hello" } } },
    { "8105 68656c6c6f 8200", { { WEBSOCKET_TEXT, "hello" }, { WEBSOCKET_BINARY, "" } } },
    { "8103 e282ac", { { WEBSOCKET_TEXT, "\xe2\x82\xac" } } },
    // cut into pieces, a ping between them
    { "0202 6865 8901 70 0001 6c 8002 6c6f",
      { { WEBSOCKET_PING, "p" }, { WEBSOCKET_BINARY, "hello" } } },
    { "8a00 8802 03e8", { { WEBSOCKET_PONG, "" }, { WEBSOCKET_CLOSE, "\x03\xe8" } } },
    { "8205 6865", { { WEBSOCKET_MORE, "" } } }, // not whole
    { "827e", { { WEBSOCKET_MORE, "" } } },
    { "c205 68656c6c6f", { { WEBSOCKET_BAD, "WebSocket: a reserved bit is set" } } }, // compressed
    { "8305 68656c6c6f", { { WEBSOCKET_BAD, "WebSocket: unknown opcode" } } },
    { "8b00", { { WEBSOCKET_BAD, "WebSocket: unknown opcode" } } },
    { "8285 00000000 68656c6c6f",
      { { WEBSOCKET_BAD, "WebSocket: a frame of the server is masked" } } },
    { "827e 0005 68656c6c6f",
      { { WEBSOCKET_BAD, "WebSocket: a length is not in its shortest form" } } },
    { "827f 000000000000ffff",
      { { WEBSOCKET_BAD, "WebSocket: a length is not in its shortest form" } } },
    { "827e 03e9", { { WEBSOCKET_BAD, "message longer than 1000 bytes" } } }, // before it is there
    { "827f ffffffffffffffff", { { WEBSOCKET_BAD, "message longer than 1000 bytes" } } },
    { "0901 70", { { WEBSOCKET_BAD, "WebSocket: a control frame is cut or too long" } } },
    { "897e 007e", { { WEBSOCKET_BAD, "WebSocket: a control frame is cut or too long" } } },
    { "8001 70", { { WEBSOCKET_BAD, "WebSocket: a continuation of nothing" } } },
    { "0201 70 8201 70", { { WEBSOCKET_BAD, "WebSocket: a message begins within another" } } },
    { "8102 c328", { { WEBSOCKET_BAD, "WebSocket: a text is not UTF-8" } } },
};

static void check_stream(size_t i, size_t step)
{
    AUTO(websocket_wipe) struct websocket ws = { .limit = LIMIT };
    const struct bytes all = test_hex(streams[i].hex);
    size_t n = 0;
    for (size_t at = 0; at < all.len; at += step) {
        struct bytes content;
        struct err err;
        enum websocket_event event;
        websocket_feed(&ws, bytes_slice(all, at, step));
        while ((event = websocket_next(&ws, &content, &err)) != WEBSOCKET_MORE) {
            if (n == COUNT(streams[i].events) || event != streams[i].events[n].event)
                fail_msg("stream %zu, event %zu: %d", i, n, (int)event);
            if (event != WEBSOCKET_BAD)
                assert_bytes_text(content, streams[i].events[n].text);
            else
                assert_string_equal(err.text, streams[i].events[n].text);
            n++;
            if (event == WEBSOCKET_BAD)
                return;
        }
    }
    if (n < COUNT(streams[i].events) && streams[i].events[n].event != WEBSOCKET_MORE)
        fail_msg("stream %zu: only %zu events", i, n);
}

TEST(listed_streams_whole_and_byte_by_byte)
{
    for (size_t i = 0; i < COUNT(streams); i++)
        for (size_t step = 1; step < 8; step += 3)
            check_stream(i, step);
}

TEST(a_message_in_pieces_is_limited_too)
{
    AUTO(websocket_wipe) struct websocket ws = { .limit = 4 };
    struct bytes content;
    struct err err;
    websocket_feed(&ws, test_hex("0203 616263 8002 6465"));
    assert_int_equal(websocket_next(&ws, &content, &err), WEBSOCKET_BAD);
    assert_err(&err, ERR_LIMIT, "message longer than 4 bytes");
}
