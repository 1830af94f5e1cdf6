#include "client/websocket.h"
#include "base/base64.h"
#include "base/reader.h"
#include "base/require.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_LEN     16
#define MASK_LEN    4
#define FIN         0x80u
#define RESERVED    0x70u
#define OPCODE      0x0fu
#define MASKED      0x80u
#define FEED_STEP   4096

// --- The upgrade ---

void websocket_key(char out[static WEBSOCKET_KEY_SIZE])
{
    uint8_t random[KEY_LEN];
    struct writer w = writer_of(out, WEBSOCKET_KEY_SIZE);
    random_bytes(random, sizeof random);
    base64_write(&w, BYTES_OF(random));
    writer_u8(&w, 0);
    REQUIRE(!w.failed);
}

void websocket_write_upgrade(struct writer *w, const char *host, const char *path,
                             const char *protocol, const char *key)
{
    writer_printf(w,
                  "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
                  "Sec-WebSocket-Protocol: %s\r\n\r\n",
                  path, host, key, protocol);
}

size_t websocket_head_len(struct bytes received)
{
    static const char end[] = "\r\n\r\n";
    const uint8_t *at =
        received.len > 0 ? memmem(received.ptr, received.len, end, sizeof end - 1) : NULL;
    return at != NULL ? (size_t)(at - received.ptr) + sizeof end - 1 : 0;
}

static bool equal_nocase(struct bytes a, const char *b)
{
    return a.len == strlen(b) && (a.len == 0 || strncasecmp((const char *)a.ptr, b, a.len) == 0);
}

// The value of a header that is there exactly once; no bytes else.
static struct bytes header(struct bytes head, const char *name)
{
    struct reader r = reader_of(head);
    struct bytes line, key, value = { 0 };
    size_t n = 0;
    while (reader_until(&r, '\n', &line)) {
        struct reader in_line = reader_of(line);
        if (reader_until(&in_line, ':', &key) && equal_nocase(key, name) && n++ == 0)
            value = bytes_trim(reader_rest(&in_line));
    }
    return n == 1 ? value : (struct bytes){ 0 };
}

static bool check_status(struct bytes head, struct err *err)
{
    struct reader r = reader_of(head);
    uint32_t status;
    if (!reader_accept_bytes(&r, BYTES("HTTP/1.")) ||
        !(reader_accept(&r, '1') || reader_accept(&r, '0')) || !reader_accept(&r, ' ') ||
        !reader_decimal(&r, 999, &status))
        return err_set(err, ERR_FRAMING, "not an answer of HTTP/1.1");
    const enum err_code code = status == 401 || status == 403 ? ERR_AUTH
                               : status == 404                ? ERR_NOT_FOUND
                                                              : ERR_FRAMING;
    return status == 101 || err_set(err, code, "HTTP %u", (unsigned)status);
}

// "the value obtained by concatenating ... the Sec-WebSocket-Key with the string ..., SHA-1, base64"
static bool is_accept_of(struct bytes value, const char *key)
{
    uint8_t joined[WEBSOCKET_KEY_SIZE + sizeof ACCEPT_GUID];
    uint8_t expected[BASE64_LEN(sizeof(struct hash160))];
    struct writer w = writer_of(joined, sizeof joined);
    writer_text(&w, key);
    writer_text(&w, ACCEPT_GUID);
    REQUIRE(!w.failed);
    const struct hash160 hash = sha1(writer_bytes(&w));
    w = writer_of(expected, sizeof expected);
    base64_write(&w, BYTES_OF(hash.b));
    return bytes_equal(value, writer_bytes(&w));
}

bool websocket_check_answer(struct bytes head, const char *protocol, const char *key,
                            struct err *err)
{
    static const char wrong[] = "not the WebSocket that was asked for: %s";
    if (!check_status(head, err))
        return false;
    if (!equal_nocase(header(head, "Upgrade"), "websocket"))
        return err_set(err, ERR_FRAMING, wrong, "Upgrade");
    if (!equal_nocase(header(head, "Connection"), "upgrade"))
        return err_set(err, ERR_FRAMING, wrong, "Connection");
    if (!is_accept_of(header(head, "Sec-WebSocket-Accept"), key))
        return err_set(err, ERR_FRAMING, wrong, "Sec-WebSocket-Accept");
    if (!bytes_equal_text(header(head, "Sec-WebSocket-Protocol"), protocol))
        return err_set(err, ERR_FRAMING, wrong, "Sec-WebSocket-Protocol");
    // "If this header field ... indicates the use of an extension that was not present in the client's
    // handshake ... the client MUST _Fail the WebSocket Connection_"
    return header(head, "Sec-WebSocket-Extensions").len == 0 ||
           err_set(err, ERR_FRAMING, wrong, "Sec-WebSocket-Extensions");
}

// --- Opcodes ---

static const struct {
    uint8_t opcode;
    enum websocket_event kind;
} opcodes[] = {
    { 0x1, WEBSOCKET_TEXT }, { 0x2, WEBSOCKET_BINARY }, { 0x8, WEBSOCKET_CLOSE },
    { 0x9, WEBSOCKET_PING }, { 0xa, WEBSOCKET_PONG },
};

static bool is_control(enum websocket_event kind)
{
    return kind == WEBSOCKET_CLOSE || kind == WEBSOCKET_PING || kind == WEBSOCKET_PONG;
}

static uint8_t opcode_of(enum websocket_event kind)
{
    for (size_t i = 0; i < COUNT(opcodes); i++)
        if (opcodes[i].kind == kind)
            return opcodes[i].opcode;
    REQUIRE(false);
}

// --- Frames of ours ---

static void write_len(struct writer *w, size_t len)
{
    if (len <= WEBSOCKET_CONTROL_MAX) {
        writer_u8(w, (uint8_t)(MASKED | len));
    } else if (len <= UINT16_MAX) {
        writer_u8(w, MASKED | 126);
        writer_u8(w, (uint8_t)(len >> 8));
        writer_u8(w, (uint8_t)len);
    } else {
        writer_u8(w, MASKED | 127);
        writer_u32be(w, (uint32_t)((uint64_t)len >> 32));
        writer_u32be(w, (uint32_t)len);
    }
}

void websocket_write(struct writer *w, enum websocket_event kind, struct bytes content)
{
    uint8_t mask[MASK_LEN];
    random_bytes(mask, sizeof mask);
    writer_u8(w, (uint8_t)(FIN | opcode_of(kind)));
    write_len(w, content.len);
    writer_put(w, BYTES_OF(mask));
    for (size_t i = 0; i < content.len; i++)
        writer_u8(w, content.ptr[i] ^ mask[i % MASK_LEN]);
}

// --- Messages of the server ---

static void forget(uint8_t **mem, size_t *len, size_t *cap)
{
    if (*mem != NULL)
        wipe(*mem, *cap);
    free(*mem);
    *mem = NULL;
    *len = *cap = 0;
}

void websocket_wipe(struct websocket *ws)
{
    forget(&ws->raw, &ws->raw_len, &ws->raw_cap);
    forget(&ws->message, &ws->message_len, &ws->message_cap);
}

static void append(uint8_t **mem, size_t *len, size_t *cap, struct bytes more)
{
    if (more.len > *cap - *len) {
        const size_t wanted = (*len + more.len) * 2 + FEED_STEP;
        uint8_t *grown = malloc(wanted);
        REQUIRE(grown != NULL);
        const size_t kept = *len;
        if (kept > 0)
            memcpy(grown, *mem, kept);
        forget(mem, len, cap);
        *mem = grown;
        *len = kept;
        *cap = wanted;
    }
    if (more.len > 0)
        memcpy(*mem + *len, more.ptr, more.len);
    *len += more.len;
}

// What was handed out is no longer needed.
static void settle(struct websocket *ws)
{
    if (ws->used > 0) {
        ws->raw_len -= ws->used;
        memmove(ws->raw, ws->raw + ws->used, ws->raw_len);
        wipe(ws->raw + ws->raw_len, ws->used);
        ws->used = 0;
    }
    if (ws->handed_out) {
        forget(&ws->message, &ws->message_len, &ws->message_cap);
        ws->handed_out = false;
    }
}

void websocket_feed(struct websocket *ws, struct bytes received)
{
    settle(ws);
    append(&ws->raw, &ws->raw_len, &ws->raw_cap, received);
}

struct frame {
    bool final;
    bool continues; // the message that is begun
    enum websocket_event kind;
    struct bytes content;
};

static bool bad(struct err *err, const char *what)
{
    return err_set(err, ERR_FRAMING, "WebSocket: %s", what);
}

static bool read_opcode(struct frame *out, uint8_t first, struct err *err)
{
    if ((first & RESERVED) != 0)
        return bad(err, "a reserved bit is set");
    out->final = (first & FIN) != 0;
    out->continues = (first & OPCODE) == 0;
    out->kind = WEBSOCKET_MORE;
    for (size_t i = 0; i < COUNT(opcodes); i++)
        if (opcodes[i].opcode == (first & OPCODE))
            out->kind = opcodes[i].kind;
    return out->continues || out->kind != WEBSOCKET_MORE || bad(err, "unknown opcode");
}

static bool read_u16be(struct reader *r, uint64_t *out)
{
    uint8_t high, low;
    if (!reader_u8(r, &high) || !reader_u8(r, &low))
        return false;
    *out = (uint64_t)high << 8 | low;
    return true;
}

static bool read_u64be(struct reader *r, uint64_t *out)
{
    uint32_t high, low;
    if (!reader_u32be(r, &high) || !reader_u32be(r, &low))
        return false;
    *out = (uint64_t)high << 32 | low;
    return true;
}

// False without an error: more bytes are needed.
static bool read_len(struct reader *r, uint8_t second, uint64_t *len, struct err *err)
{
    *len = second;
    if (second == 126 && !read_u16be(r, len))
        return false;
    if (second == 127 && !read_u64be(r, len))
        return false;
    // "the minimal number of bytes MUST be used to encode the length"
    if ((second == 126 && *len < 126) || (second == 127 && *len <= UINT16_MAX))
        return bad(err, "a length is not in its shortest form");
    return true;
}

static bool check_frame(const struct websocket *ws, const struct frame *f, uint64_t len,
                        struct err *err)
{
    if (is_control(f->kind) && (!f->final || len > WEBSOCKET_CONTROL_MAX))
        return bad(err, "a control frame is cut or too long");
    if (f->continues && ws->kind == WEBSOCKET_MORE)
        return bad(err, "a continuation of nothing");
    if (!f->continues && !is_control(f->kind) && ws->kind != WEBSOCKET_MORE)
        return bad(err, "a message begins within another");
    if (!is_control(f->kind) && len > ws->limit - ws->message_len)
        return err_set(err, ERR_LIMIT, "message longer than %zu bytes", ws->limit);
    return true;
}

// False with an error of code ERR_NONE: more bytes are needed.
static bool take_frame(struct websocket *ws, struct frame *out, struct err *err)
{
    struct reader r = reader_of(bytes_of(ws->raw, ws->raw_len));
    uint8_t first, second;
    uint64_t len;
    err->code = ERR_NONE;
    if (!reader_u8(&r, &first))
        return false;
    if (!read_opcode(out, first, err) || !reader_u8(&r, &second))
        return false;
    if ((second & MASKED) != 0)
        return bad(err, "a frame of the server is masked");
    if (!read_len(&r, second, &len, err) || !check_frame(ws, out, len, err) ||
        !reader_take(&r, len, &out->content))
        return false;
    ws->used = r.offset;
    return true;
}

static enum websocket_event finish_message(struct websocket *ws, struct bytes *content,
                                           struct err *err)
{
    const enum websocket_event kind = ws->kind;
    *content = bytes_of(ws->message, ws->message_len);
    ws->kind = WEBSOCKET_MORE;
    ws->handed_out = true;
    if (kind == WEBSOCKET_TEXT && !utf8_is_valid(*content)) {
        bad(err, "a text is not UTF-8");
        return WEBSOCKET_BAD;
    }
    return kind;
}

enum websocket_event websocket_next(struct websocket *ws, struct bytes *content, struct err *err)
{
    struct frame f;
    *content = (struct bytes){ 0 };
    for (;;) {
        settle(ws);
        if (!take_frame(ws, &f, err))
            return err->code == ERR_NONE ? WEBSOCKET_MORE : WEBSOCKET_BAD;
        if (is_control(f.kind)) {
            *content = f.content;
            return f.kind;
        }
        if (!f.continues)
            ws->kind = f.kind;
        append(&ws->message, &ws->message_len, &ws->message_cap, f.content);
        if (f.final)
            return finish_message(ws, content, err);
    }
}
