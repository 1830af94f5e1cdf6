// Against a second reading of RFC 8259: tokens by table and a stack of brackets, where json.c descends
// recursively. What was parsed is written and parsed again; numbers are compared with strtod's.
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz/fuzz.h"

enum { ARENA_MAX = 64 << 20 };

static void check_items(const struct json *value, unsigned depth);

static void check_value(const struct json *value, unsigned depth)
{
    const bool is_container = value->type == JSON_ARRAY || value->type == JSON_OBJECT;
    REQUIRE(is_container || (value->items == NULL && value->n_items == 0));
    REQUIRE(value->type != JSON_STRING || utf8_is_valid(value->text));
    REQUIRE(value->type != JSON_STRING || memchr(value->text.ptr, 0, value->text.len) == NULL);
    if (is_container)
        check_items(value, depth + 1);
}

static bool is_repeated(const struct json *object, const struct json *member)
{
    const struct json *m = object->items;
    while (m != member && !bytes_equal(m->key, member->key))
        m = m->next;
    return m != member;
}

static void check_items(const struct json *value, unsigned depth)
{
    size_t n = 0;
    REQUIRE(depth <= JSON_DEPTH_MAX);
    for (const struct json *item = value->items; item != NULL; item = item->next) {
        REQUIRE(item->offset > value->offset);
        REQUIRE(item->next == NULL || item->next->offset > item->offset);
        REQUIRE(value->type == JSON_OBJECT || item->key.len == 0);
        REQUIRE(utf8_is_valid(item->key));
        REQUIRE(n > 200 || value->type == JSON_ARRAY || !is_repeated(value, item));
        check_value(item, depth);
        n++;
    }
    REQUIRE(n == value->n_items);
}

static struct bytes written(const struct json *value, bool indent, struct arena *arena)
{
    struct writer w = writer_growing(arena, ARENA_MAX);
    struct json_writer j = json_writer_of(&w);
    struct bytes out;
    j.indent = indent;
    json_value(&j, value);
    REQUIRE(writer_finish(&w, &out));
    return out;
}

static struct bytes write_again(struct bytes text, bool indent, struct arena *arena)
{
    const struct json *value;
    struct err err;
    REQUIRE(json_parse(&value, text, arena, &err));
    return written(value, indent, arena);
}

static bool is_near(double a, double b)
{
    const double apart = a > b ? a - b : b - a, size = b > 0 ? b : -b;
    return apart <= size * 1e-14;
}

static void check_number(const struct json *number)
{
    const double real = strtod((const char *)number->text.ptr, NULL); // see FUZZ_TARGET: ends there
    int64_t integer, digits;
    unsigned scale;
    bool too_large;
    const bool is_integer = json_integer(number, &integer, &too_large);
    REQUIRE(!is_integer || (!too_large && is_near((double)integer, real)));
    REQUIRE(!too_large || real > 9.2e18 || real < -9.2e18);
    if (!json_decimal(number, &digits, &scale))
        return;
    REQUIRE(scale <= 18 && (scale == 0 || digits % 10 != 0));
    REQUIRE(is_integer == (scale == 0));
    double value = (double)digits;
    for (unsigned i = 0; i < scale; i++)
        value /= 10;
    REQUIRE(is_near(value, real));
}

// --- The second reading ---

// RFC 8259 6 as a table: from each state, where a class of characters leads; 0 is nowhere.
static size_t number_len(struct bytes text)
{
    enum { NOWHERE, START, MINUS, ZERO, WHOLE, POINT, FRACTION, E, SIGN, EXPONENT };
    static const uint8_t table[][6] = {
        // classes: 0, 1-9, -, +, ., e
        [START] = { ZERO, WHOLE, MINUS, 0, 0, 0 },
        [MINUS] = { ZERO, WHOLE, 0, 0, 0, 0 },
        [ZERO] = { 0, 0, 0, 0, POINT, E },
        [WHOLE] = { WHOLE, WHOLE, 0, 0, POINT, E },
        [POINT] = { FRACTION, FRACTION, 0, 0, 0, 0 },
        [FRACTION] = { FRACTION, FRACTION, 0, 0, 0, E },
        [E] = { EXPONENT, EXPONENT, SIGN, SIGN, 0, 0 },
        [SIGN] = { EXPONENT, EXPONENT, 0, 0, 0, 0 },
        [EXPONENT] = { EXPONENT, EXPONENT, 0, 0, 0, 0 },
    };
    static const char classes[] = "0123456789-+.eE";
    static const uint8_t class_of[] = { 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 5 };
    unsigned state = START;
    size_t n = 0;
    for (; n < text.len && text.ptr[n] != 0; n++) {
        const char *c = strchr(classes, text.ptr[n]);
        const unsigned next = c == NULL ? NOWHERE : table[state][class_of[c - classes]];
        if (next == NOWHERE)
            break;
        state = next;
    }
    return state == ZERO || state == WHOLE || state == FRACTION || state == EXPONENT ? n : 0;
}

static int unit_of(struct bytes text, size_t at)
{
    unsigned unit = 0;
    if (at + 6 > text.len || text.ptr[at] != '\\' || text.ptr[at + 1] != 'u')
        return -1;
    for (size_t i = at + 2; i < at + 6; i++) {
        const char *digits = "0123456789abcdefABCDEF";
        const char *c = text.ptr[i] == 0 ? NULL : strchr(digits, text.ptr[i]);
        if (c == NULL)
            return -1;
        unit = unit << 4 | (unsigned)(c - digits - (c - digits > 15 ? 6 : 0));
    }
    return (int)unit;
}

static size_t escape_len(struct bytes text, size_t at)
{
    if (at + 1 < text.len && text.ptr[at + 1] != 0 &&
        strchr("\"\\/bfnrt", text.ptr[at + 1]) != NULL)
        return 2;
    const int unit = unit_of(text, at), next = unit_of(text, at + 6);
    if (unit >= 0xd800 && unit <= 0xdbff)
        return next >= 0xdc00 && next <= 0xdfff ? 12 : 0;
    return unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff) ? 0 : 6;
}

static size_t string_len(struct bytes text)
{
    size_t n = 1, len;
    if (text.len == 0 || text.ptr[0] != '"')
        return 0;
    while (n < text.len && text.ptr[n] != '"') {
        len = text.ptr[n] == '\\' ? escape_len(text, n) : text.ptr[n] >= 0x20;
        if (len == 0)
            return 0;
        n += len;
    }
    return n < text.len && utf8_is_valid(bytes_slice(text, 0, n)) ? n + 1 : 0;
}

static size_t scalar_len(struct bytes text)
{
    if (bytes_starts_with(text, BYTES("true")) || bytes_starts_with(text, BYTES("null")))
        return 4;
    if (bytes_starts_with(text, BYTES("false")))
        return 5;
    return string_len(text) + number_len(text); // not both
}

// What may come next: a value, a value or `]`, a key, a key or `}`, a colon, or a comma or the end.
enum expected { VALUE, FIRST_ITEM, KEY, FIRST_KEY, COLON, AFTER };

struct checker {
    enum expected next;
    char open[JSON_DEPTH_MAX];
    unsigned depth;
};

// Takes one token of `text`, which is not empty; its length, or 0 where it must not stand.
static size_t take_token(struct checker *c, struct bytes text)
{
    const char first = (char)text.ptr[0];
    const bool value_may_come = c->next == VALUE || c->next == FIRST_ITEM;
    size_t len;
    if (strchr(" \t\n\r", first) != NULL && first != 0)
        return 1;
    if ((first == '{' || first == '[') && value_may_come && c->depth < JSON_DEPTH_MAX) {
        c->open[c->depth++] = first;
        c->next = first == '{' ? FIRST_KEY : FIRST_ITEM;
        return 1;
    }
    if (c->depth > 0 && first == (c->open[c->depth - 1] == '{' ? '}' : ']') &&
        (c->next == AFTER || c->next == FIRST_KEY || c->next == FIRST_ITEM)) {
        c->depth--;
        c->next = AFTER;
        return 1;
    }
    if (first == ',' && c->next == AFTER && c->depth > 0) {
        c->next = c->open[c->depth - 1] == '{' ? KEY : VALUE;
        return 1;
    }
    if (first == ':' && c->next == COLON) {
        c->next = VALUE;
        return 1;
    }
    if (c->next == KEY || c->next == FIRST_KEY) {
        len = string_len(text);
        c->next = COLON;
        return len;
    }
    c->next = AFTER;
    return value_may_come ? scalar_len(text) : 0;
}

static bool is_json(struct bytes text)
{
    struct checker c = { .next = VALUE };
    while (text.len > 0) {
        const size_t len = take_token(&c, text);
        if (len == 0)
            return false;
        text = bytes_slice(text, len, SIZE_MAX);
    }
    return c.next == AFTER && c.depth == 0;
}

FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    const struct json *value;
    struct err err = { 0 };
    const char *text = arena_text(arena, data); // with a zero behind it, for strtod
    const struct bytes in = text == NULL ? data : bytes_of(text, data.len);
    const bool ours = json_parse(&value, in, arena, &err);
    const bool repeats = strncmp(err.text, "duplicate item: ", 16) == 0;
    if (!ours) {
        REQUIRE(err.code == ERR_MALFORMED);
        REQUIRE(repeats || (!is_json(data) && strcmp(err.text, "JSON parse fail") == 0));
        return;
    }
    REQUIRE(is_json(data));
    check_value(value, 0);
    if (value->type == JSON_NUMBER)
        check_number(value);
    const struct bytes line = written(value, false, arena), page = written(value, true, arena);
    REQUIRE(bytes_equal(write_again(line, false, arena), line));
    REQUIRE(bytes_equal(write_again(page, false, arena), line));
    REQUIRE(bytes_equal(write_again(line, true, arena), page));
}
