#include "base/json.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/utf8.h"

struct parser {
    struct reader r;
    struct bytes source;
    struct arena *arena;
    struct err *err;
    unsigned depth;
};

// policy.md 2.2: "the reference's own error text". The place is for panel and log only.
static bool fail_at(const struct parser *p, size_t offset, const char *what)
{
    (void)err_set(p->err, ERR_MALFORMED, "JSON parse fail");
    return err_detail(p->err, "%s at byte %zu", what, offset);
}

static bool fail(const struct parser *p, const char *what)
{
    return fail_at(p, p->r.offset, what);
}

static bool no_memory(const struct parser *p)
{
    return err_set(p->err, ERR_NO_MEMORY, "no memory left for JSON of %zu bytes", p->source.len);
}

static void skip_blanks(struct reader *r)
{
    while (reader_accept(r, ' ') || reader_accept(r, '\t') || reader_accept(r, '\n') ||
           reader_accept(r, '\r')) {
    }
}

// --- Strings ---

// Moves past the closing quote. *raw is what stands between the quotes, escapes as written.
static bool take_raw_string(struct parser *p, struct reader *raw, bool *has_escape)
{
    const struct reader start = p->r;
    uint8_t c;
    *has_escape = false;
    for (;;) {
        if (!reader_u8(&p->r, &c))
            return fail(p, "unfinished string");
        if (c == '"')
            break;
        // RFC 8259 7: "All Unicode characters may be placed within the quotation marks, except for
        // ... the control characters (U+0000 through U+001F)."
        if (c < 0x20)
            return fail_at(p, p->r.offset - 1, "control character in a string");
        if (c == '\\') {
            *has_escape = true;
            if (!reader_u8(&p->r, &c)) // else an escaped quote would end the string
                return fail(p, "unfinished string");
        }
    }
    raw->rest = bytes_slice(start.rest, 0, p->r.offset - start.offset - 1);
    raw->offset = start.offset;
    return utf8_is_valid(raw->rest) || fail_at(p, start.offset, "invalid UTF-8 in the string");
}

static bool read_hex4(struct reader *r, uint32_t *out)
{
    struct bytes digits;
    uint8_t b[2];
    if (!reader_take(r, 4, &digits) || !hex_decode(b, sizeof b, digits))
        return false;
    *out = (uint32_t)b[0] << 8 | b[1];
    return true;
}

static void write_utf8(struct writer *w, uint32_t c)
{
    static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    const unsigned len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (len == 1) {
        writer_u8(w, (uint8_t)c);
        return;
    }
    writer_u8(w, (uint8_t)(lead[len] | c >> (6 * (len - 1))));
    for (unsigned i = len - 1; i > 0; i--)
        writer_u8(w, (uint8_t)(0x80 | (c >> (6 * (i - 1)) & 0x3f)));
}

// What follows "\u". RFC 8259 7: a character outside the Basic Multilingual Plane is "a 12-character
// sequence, encoding the UTF-16 surrogate pair".
static bool decode_unicode(struct reader *raw, struct writer *w)
{
    uint32_t c, low;
    if (!read_hex4(raw, &c) || c == 0 || (c >= 0xdc00 && c <= 0xdfff))
        return false;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (!reader_accept_bytes(raw, BYTES("\\u")) || !read_hex4(raw, &low) || low < 0xdc00 ||
            low > 0xdfff)
            return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    write_utf8(w, c);
    return true;
}

static bool decode_escape(struct reader *raw, struct writer *w)
{
    static const char written[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    uint8_t c;
    if (reader_accept(raw, 'u'))
        return decode_unicode(raw, w);
    if (!reader_u8(raw, &c) || c == 0 || strchr(written, c) == NULL)
        return false;
    writer_u8(w, (uint8_t)meant[strchr(written, c) - written]);
    return true;
}

static bool decode_string(struct parser *p, struct reader raw, struct bytes *out)
{
    uint8_t *mem = arena_alloc(p->arena, raw.rest.len); // decoding never makes a text longer
    if (mem == NULL)
        return no_memory(p);
    struct writer w = writer_of(mem, raw.rest.len);
    uint8_t c;
    for (size_t offset = raw.offset; reader_u8(&raw, &c); offset = raw.offset) {
        if (c != '\\')
            writer_u8(&w, c);
        else if (!decode_escape(&raw, &w))
            return fail_at(p, offset, "bad escape");
    }
    return writer_finish(&w, out);
}

// After the opening quote.
static bool parse_string(struct parser *p, struct bytes *out)
{
    struct reader raw;
    bool has_escape;
    if (!take_raw_string(p, &raw, &has_escape))
        return false;
    if (has_escape)
        return decode_string(p, raw, out);
    *out = raw.rest;
    return true;
}

// --- Numbers ---

static bool accept_digits(struct reader *r)
{
    return reader_digits(r).len > 0;
}

static bool parse_number(struct parser *p, struct json *out)
{
    struct reader *r = &p->r;
    out->type = JSON_NUMBER;
    (void)reader_accept(r, '-');
    if (!reader_accept(r, '0') && !accept_digits(r)) // RFC 8259 6: "Leading zeros are not allowed."
        return fail(p, "no value");
    if (reader_accept(r, '.') && !accept_digits(r))
        return fail(p, "no digit after the point");
    if (reader_accept(r, 'e') || reader_accept(r, 'E')) {
        if (!reader_accept(r, '+'))
            (void)reader_accept(r, '-');
        if (!accept_digits(r))
            return fail(p, "no digit in the exponent");
    }
    return true;
}

// --- Arrays and objects ---

static bool parse_value(struct parser *p, struct json *out);

// A new last item of `list`; `*last` is the one before, or NULL.
static struct json *append(struct parser *p, struct json *list, struct json **last)
{
    struct json *item = arena_alloc(p->arena, sizeof *item);
    if (item == NULL) {
        (void)no_memory(p);
        return NULL;
    }
    if (*last == NULL)
        list->items = item;
    else
        (*last)->next = item;
    *last = item;
    list->n_items++;
    return item;
}

// After an item: *more tells a comma from the closing bracket.
static bool parse_separator(struct parser *p, char closing, bool *more)
{
    skip_blanks(&p->r);
    *more = reader_accept(&p->r, ',');
    if (!*more && !reader_accept(&p->r, closing))
        return fail(p, closing == ']' ? "no comma or ]" : "no comma or }");
    skip_blanks(&p->r);
    return true;
}

static bool parse_array(struct parser *p, struct json *out)
{
    struct json *last = NULL;
    out->type = JSON_ARRAY;
    skip_blanks(&p->r);
    bool more = !reader_accept(&p->r, ']');
    while (more) {
        struct json *item = append(p, out, &last);
        if (item == NULL || !parse_value(p, item) || !parse_separator(p, ']', &more))
            return false;
    }
    return true;
}

static int by_key_then_place(const void *a, const void *b)
{
    const struct json *x = *(const struct json *const *)a, *y = *(const struct json *const *)b;
    const int order = bytes_compare(x->key, y->key);
    return order != 0 ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

// Sorts, because comparing each key with each would let a small file take minutes.
static bool refuse_duplicates(struct parser *p, const struct json *object)
{
    const struct json **sorted = arena_array(p->arena, object->n_items, sizeof(struct json *));
    const struct json *first = NULL; // of the repeated members, by place
    size_t n = 0;
    if (sorted == NULL)
        return no_memory(p);
    for (const struct json *m = object->items; m != NULL; m = m->next)
        sorted[n++] = m;
    qsort(sorted, n, sizeof(struct json *), by_key_then_place);
    for (size_t i = 1; i < n; i++) {
        if (bytes_equal(sorted[i - 1]->key, sorted[i]->key) &&
            (first == NULL || sorted[i]->offset < first->offset))
            first = sorted[i];
    }
    if (first == NULL)
        return true;
    (void)err_set(p->err, ERR_MALFORMED, "duplicate item: %.*s", BYTES_ARG(first->key));
    return err_detail(p->err, "repeated with the value at byte %zu", first->offset);
}

static bool parse_member(struct parser *p, struct json *member)
{
    if (!reader_accept(&p->r, '"'))
        return fail(p, "no key");
    if (!parse_string(p, &member->key))
        return false;
    skip_blanks(&p->r);
    if (!reader_accept(&p->r, ':'))
        return fail(p, "no colon");
    skip_blanks(&p->r);
    return parse_value(p, member);
}

static bool parse_object(struct parser *p, struct json *out)
{
    struct json *last = NULL;
    out->type = JSON_OBJECT;
    skip_blanks(&p->r);
    bool more = !reader_accept(&p->r, '}');
    while (more) {
        struct json *member = append(p, out, &last);
        if (member == NULL || !parse_member(p, member) || !parse_separator(p, '}', &more))
            return false;
    }
    return out->n_items < 2 || refuse_duplicates(p, out);
}

// --- Values ---

static bool accept_literal(struct parser *p, struct json *out)
{
    out->type = JSON_NULL;
    if (reader_accept_bytes(&p->r, BYTES("null")))
        return true;
    out->type = JSON_TRUE;
    if (reader_accept_bytes(&p->r, BYTES("true")))
        return true;
    out->type = JSON_FALSE;
    return reader_accept_bytes(&p->r, BYTES("false"));
}

static bool parse_container(struct parser *p, struct json *out, bool is_object)
{
    if (p->depth == JSON_DEPTH_MAX)
        return fail(p, "nested too deep");
    p->depth++;
    const bool ok = is_object ? parse_object(p, out) : parse_array(p, out);
    p->depth--;
    return ok;
}

static bool parse_value(struct parser *p, struct json *out)
{
    bool ok;
    out->offset = p->r.offset;
    if (reader_accept(&p->r, '"')) {
        out->type = JSON_STRING;
        return parse_string(p, &out->text);
    }
    if (reader_accept(&p->r, '{'))
        ok = parse_container(p, out, true);
    else if (reader_accept(&p->r, '['))
        ok = parse_container(p, out, false);
    else
        ok = accept_literal(p, out) || parse_number(p, out);
    out->text = bytes_slice(p->source, out->offset, p->r.offset - out->offset);
    return ok;
}

bool json_parse(const struct json **out, struct bytes text, struct arena *arena, struct err *err)
{
    struct parser p = { .r = reader_of(text), .source = text, .arena = arena, .err = err };
    struct json *value = arena_alloc(arena, sizeof *value);
    if (value == NULL)
        return no_memory(&p);
    skip_blanks(&p.r);
    if (!parse_value(&p, value))
        return false;
    skip_blanks(&p.r);
    if (!reader_done(&p.r))
        return fail(&p, "something after the value");
    *out = value;
    return true;
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (object == NULL || object->type != JSON_OBJECT)
        return NULL;
    const struct json *m = object->items;
    while (m != NULL && !bytes_equal_text(m->key, key))
        m = m->next;
    return m;
}

bool json_is_text(const struct json *value, const char *text)
{
    return value != NULL && value->type == JSON_STRING && bytes_equal_text(value->text, text);
}
