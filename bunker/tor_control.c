#include "bunker/tor_control.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/reader.h"
#include "crypto/hmac.h"

void tor_control_begin(struct tor_control *t, struct writer *w)
{
    *t = (struct tor_control){ .step = TOR_GREETS };
    writer_text(w, "PROTOCOLINFO 1\r\n");
}

void tor_control_wipe(struct tor_control *t)
{
    wipe(t, sizeof *t);
}

bool tor_control_waits(const struct tor_control *t)
{
    return t->step != TOR_CLOSED && t->step != TOR_READY && t->step != TOR_WANTS_PROOF;
}

// --- Words of a line ---

// "NAME=" and what follows up to a blank.
static bool take_field(struct reader *r, const char *name, struct bytes *out)
{
    struct reader at = *r;
    if (!reader_accept_bytes(&at, bytes_of_text(name)) || !reader_accept(&at, '='))
        return false;
    *r = at;
    return reader_until(r, ' ', out);
}

// A QuotedString; `\` makes the next character itself.
static bool take_quoted(struct reader *r, char *out, size_t size)
{
    struct writer w = writer_of(out, size);
    uint8_t c;
    if (!reader_accept(r, '"'))
        return false;
    while (reader_u8(r, &c) && c != '"') {
        if (c == '\\' && (!reader_u8(r, &c) || (c != '"' && c != '\\')))
            return false; // octal and \n: in no path that we would open
        writer_u8(&w, c);
    }
    writer_u8(&w, 0);
    return !w.failed && c == '"';
}

static void take_methods(struct tor_control *t, struct bytes methods)
{
    struct reader r = reader_of(methods);
    struct bytes word;
    while (reader_until(&r, ',', &word)) {
        t->may_null = t->may_null || bytes_equal_text(word, "NULL");
        t->may_password = t->may_password || bytes_equal_text(word, "HASHEDPASSWORD");
        t->may_cookie = t->may_cookie || bytes_equal_text(word, "SAFECOOKIE");
    }
}

// AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE="/run/tor/control.authcookie"
static bool take_info(struct tor_control *t, struct bytes text, struct err *err)
{
    struct reader r = reader_of(text);
    struct bytes methods;
    if (!reader_accept_bytes(&r, BYTES("AUTH ")))
        return true; // PROTOCOLINFO, VERSION, and what is new
    if (!take_field(&r, "METHODS", &methods))
        return err_set(err, ERR_MALFORMED, "Tor: AUTH without methods");
    take_methods(t, methods);
    if (reader_accept_bytes(&r, BYTES("COOKIEFILE=")) &&
        (!take_quoted(&r, t->cookie_path, sizeof t->cookie_path) || strlen(t->cookie_path) == 0))
        return err_set(err, ERR_MALFORMED, "Tor: the path of its cookie");
    return true;
}

// --- Authentication ---

static void cookie_proof(uint8_t out[static 32], const struct tor_control *t,
                         const uint8_t server_nonce[static 32], const char *key)
{
    uint8_t text[TOR_COOKIE_LEN + 32 + 32];
    memcpy(text, t->cookie, TOR_COOKIE_LEN);
    memcpy(text + TOR_COOKIE_LEN, t->nonce, 32);
    memcpy(text + TOR_COOKIE_LEN + 32, server_nonce, 32);
    hmac_sha256(out, bytes_of_text(key), BYTES_OF(text));
    wipe(text, sizeof text);
}

void tor_control_with_cookie(struct tor_control *t, const uint8_t cookie[static TOR_COOKIE_LEN],
                             const uint8_t nonce[static 32], struct writer *w)
{
    memcpy(t->cookie, cookie, TOR_COOKIE_LEN);
    memcpy(t->nonce, nonce, sizeof t->nonce);
    writer_text(w, "AUTHCHALLENGE SAFECOOKIE ");
    writer_hex(w, BYTES_OF(t->nonce));
    writer_text(w, "\r\n");
    t->step = TOR_CHALLENGES;
}

// AUTHCHALLENGE SERVERHASH=<64 hex> SERVERNONCE=<64 hex>
static bool answer_challenge(struct tor_control *t, struct bytes text, struct writer *w,
                             struct err *err)
{
    struct reader r = reader_of(text);
    struct bytes hash_text, nonce_text;
    uint8_t hash[32], nonce[32], proof[32];
    if (!reader_accept_bytes(&r, BYTES("AUTHCHALLENGE ")) ||
        !take_field(&r, "SERVERHASH", &hash_text) || !take_field(&r, "SERVERNONCE", &nonce_text) ||
        !hex_decode(hash, sizeof hash, hash_text) || !hex_decode(nonce, sizeof nonce, nonce_text))
        return err_set(err, ERR_MALFORMED, "Tor: its challenge");
    cookie_proof(proof, t, nonce, "Tor safe cookie authentication server-to-controller hash");
    if (!ct_equal(BYTES_OF(proof), BYTES_OF(hash)))
        return err_set(err, ERR_AUTH, "Tor: it does not know what is in its cookie file");
    cookie_proof(proof, t, nonce, "Tor safe cookie authentication controller-to-server hash");
    writer_text(w, "AUTHENTICATE ");
    writer_hex(w, BYTES_OF(proof));
    writer_text(w, "\r\n");
    wipe(proof, sizeof proof);
    wipe(t->cookie, sizeof t->cookie);
    t->step = TOR_AUTHENTICATES;
    return true;
}

void tor_control_with_password(struct tor_control *t, struct bytes password, struct writer *w)
{
    writer_text(w, "AUTHENTICATE \"");
    for (size_t i = 0; i < password.len; i++) {
        if (password.ptr[i] == '"' || password.ptr[i] == '\\')
            writer_u8(w, '\\');
        writer_u8(w, password.ptr[i]);
    }
    writer_text(w, "\"\r\n");
    t->step = TOR_AUTHENTICATES;
}

void tor_control_with_nothing(struct tor_control *t, struct writer *w)
{
    writer_text(w, "AUTHENTICATE\r\n");
    t->step = TOR_AUTHENTICATES;
}

// --- The service ---

void tor_control_add(struct tor_control *t, const struct tor_service *s, struct writer *w)
{
    (void)snprintf(t->adding, sizeof t->adding, "%s", s->address);
    t->uploads = t->uploaded = t->failed = 0;
    writer_text(w, "ADD_ONION ED25519-V3:");
    base64_write(w, secret_open(s->key));
    secret_close(s->key);
    if (s->n_clients > 0)
        writer_text(w, " Flags=V3Auth");
    writer_printf(w, " Port=80,%s", s->target);
    for (size_t i = 0; i < s->n_clients; i++)
        writer_printf(w, " ClientAuthV3=%s", s->clients[i]);
    writer_text(w, "\r\n");
    t->step = TOR_ADDS;
}

void tor_control_remove(struct tor_control *t, struct writer *w)
{
    writer_printf(w, "DEL_ONION %.*s\r\n", ONION_ID_LEN, t->served);
    t->step = TOR_REMOVES;
}

void tor_control_probe(struct tor_control *t, struct writer *w)
{
    writer_text(w, "GETINFO version\r\n");
    t->step = TOR_PROBES;
}

// What another key would be given is somebody else's service.
static bool check_service(const struct tor_control *t, struct bytes text, struct err *err)
{
    struct reader r = reader_of(text);
    if (!reader_accept_bytes(&r, BYTES("ServiceID=")))
        return true;
    return bytes_equal(reader_rest(&r), bytes_of(t->adding, ONION_ID_LEN)) ||
           err_set(err, ERR_INVALID, "Tor: the service has another address than its key");
}

static void take_version(struct tor_control *t, struct bytes text)
{
    struct reader r = reader_of(text);
    if (!reader_accept_bytes(&r, BYTES("version=")))
        return;
    const struct bytes version = bytes_slice(reader_rest(&r), 0, sizeof t->version - 1);
    if (bytes_is_printable_ascii(version))
        (void)snprintf(t->version, sizeof t->version, "%.*s", BYTES_ARG(version));
}

// HS_DESC UPLOADED <address> ...: how far the network knows of the service.
static void take_event(struct tor_control *t, struct bytes text)
{
    struct reader r = reader_of(text);
    struct bytes action, address;
    if (!reader_accept_bytes(&r, BYTES("HS_DESC ")) || !reader_until(&r, ' ', &action) ||
        !reader_until(&r, ' ', &address) || t->served[0] == '\0' ||
        !bytes_equal(address, bytes_of(t->served, ONION_ID_LEN)))
        return;
    if (bytes_equal_text(action, "UPLOAD"))
        t->uploads++;
    else if (bytes_equal_text(action, "UPLOADED"))
        t->uploaded++;
    else if (bytes_equal_text(action, "FAILED"))
        t->failed++;
}

// --- Replies ---

static bool in_reply(struct tor_control *t, struct bytes text, struct err *err)
{
    switch (t->step) {
    case TOR_GREETS:
        return take_info(t, text, err);
    case TOR_ASKS_VERSION:
    case TOR_PROBES:
        take_version(t, text);
        return true;
    case TOR_ADDS:
        return check_service(t, text, err);
    default:
        return true;
    }
}

// The line with a blank behind its number: the reply is whole.
static bool end_reply(struct tor_control *t, struct bytes text, struct writer *w, struct err *err)
{
    t->n_lines = 0;
    switch (t->step) {
    case TOR_GREETS:
        t->step = TOR_WANTS_PROOF;
        return true;
    case TOR_CHALLENGES:
        return answer_challenge(t, text, w, err);
    case TOR_AUTHENTICATES:
        writer_text(w, "GETINFO version\r\n");
        t->step = TOR_ASKS_VERSION;
        return true;
    case TOR_ASKS_VERSION:
        writer_text(w, "SETEVENTS HS_DESC\r\n");
        t->step = TOR_SUBSCRIBES;
        return true;
    case TOR_ADDS:
        memcpy(t->served, t->adding, sizeof t->served);
        break;
    case TOR_REMOVES:
        t->served[0] = '\0';
        break;
    case TOR_SUBSCRIBES:
    case TOR_PROBES:
        break;
    default:
        return err_set(err, ERR_MALFORMED, "Tor: an answer that nobody asked for");
    }
    t->step = TOR_READY;
    return true;
}

static bool refused(struct bytes line, struct err *err)
{
    line = bytes_slice(line, 0, 200);
    return bytes_is_printable_ascii(line)
               ? err_set(err, ERR_REFUSED, "Tor says: %.*s", BYTES_ARG(line))
               : err_set(err, ERR_REFUSED, "Tor says no");
}

static bool take_line(struct tor_control *t, struct bytes line, struct writer *w, struct err *err)
{
    const bool is_number = line.len >= 4 && line.ptr[0] >= '0' && line.ptr[0] <= '9' &&
                           line.ptr[1] >= '0' && line.ptr[1] <= '9' && line.ptr[2] >= '0' &&
                           line.ptr[2] <= '9';
    const struct bytes text = bytes_slice(line, 4, SIZE_MAX);
    if (t->in_data) { // nothing that we ask for; it is passed over
        t->in_data = !bytes_equal_text(line, ".");
    } else if (!is_number || (line.ptr[3] != ' ' && line.ptr[3] != '-' && line.ptr[3] != '+')) {
        return err_set(err, ERR_MALFORMED, "Tor: a line that is no answer");
    } else if (line.ptr[0] == '6') { // asynchronous
        t->in_data = line.ptr[3] == '+';
        take_event(t, text);
        return true;
    } else if (line.ptr[0] != '2') {
        return refused(line, err);
    } else if (line.ptr[3] == ' ') {
        return end_reply(t, text, w, err);
    } else {
        t->in_data = line.ptr[3] == '+';
        if (!in_reply(t, text, err))
            return false;
    }
    return ++t->n_lines < TOR_REPLY_LINES ||
           err_set(err, ERR_LIMIT, "Tor: an answer of more than %d lines", TOR_REPLY_LINES);
}

bool tor_control_feed(struct tor_control *t, struct bytes piece, struct writer *w, struct err *err)
{
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.ptr[i] != '\n') {
            if (t->line_len == sizeof t->line)
                return err_set(err, ERR_LIMIT, "Tor: a line of more than %d bytes", TOR_LINE_MAX);
            t->line[t->line_len++] = piece.ptr[i];
            continue;
        }
        size_t len = t->line_len;
        t->line_len = 0;
        if (len > 0 && t->line[len - 1] == '\r')
            len--;
        if (!take_line(t, bytes_of(t->line, len), w, err))
            return false;
    }
    return true;
}
