// policy/field_percent.c -- a percentage as an exact decimal: nothing here rounds.
#include "base/reader.h"
#include "policy/device_float.h"
#include "policy/fields.h"

#define WHOLE_DIGITS_MAX 3       // of 100
#define SCALE_MAX        18      // policy 10.6: "k at most 18"
#define EXPONENT_MAX     1000000 // more digits than any file has; larger counts as this

// 0.d1 d2 d3 ... * 10^point, without zeros at either end of the digits.
struct decimal {
    bool negative;
    struct bytes whole, fraction; // as written
    size_t first, end;            // of both put together, what stands between the outer zeros
    int64_t point;
};

static int64_t take_exponent(struct reader *r)
{
    const bool negative = reader_accept(r, '-');
    int64_t value = 0;
    uint8_t c;
    (void)reader_accept(r, '+');
    while (reader_u8(r, &c))
        value = value < EXPONENT_MAX ? value * 10 + (c - '0') : EXPONENT_MAX;
    return negative ? -value : value;
}

static unsigned digit(const struct decimal *d, size_t i)
{
    const bool in_whole = i < d->whole.len;
    const struct bytes part = in_whole ? d->whole : d->fraction;
    const size_t at = in_whole ? i : i - d->whole.len;
    return at < part.len ? (unsigned)(part.ptr[at] - '0') : 0;
}

// `text` is a number by RFC 8259, as json_parse leaves it.
static struct decimal decimal_of(struct bytes text)
{
    struct reader r = reader_of(text);
    struct decimal d = { .negative = reader_accept(&r, '-') };
    d.whole = reader_digits(&r);
    if (reader_accept(&r, '.'))
        d.fraction = reader_digits(&r);
    d.point = (int64_t)d.whole.len;
    if (reader_accept(&r, 'e') || reader_accept(&r, 'E'))
        d.point += take_exponent(&r);
    d.end = d.whole.len + d.fraction.len;
    for (; d.first < d.end && digit(&d, d.first) == 0; d.first++)
        d.point--;
    while (d.end > d.first && digit(&d, d.end - 1) == 0)
        d.end--;
    return d;
}

// For a decimal with at most WHOLE_DIGITS_MAX digits before the point and SCALE_MAX behind it.
static struct percent percent_of(const struct decimal *d)
{
    struct percent p = { .is_set = true };
    const int64_t n = (int64_t)(d->end - d->first);
    for (int64_t i = 0; i < d->point; i++)
        p.whole = p.whole * 10 + (i < n ? digit(d, d->first + (size_t)i) : 0);
    for (int64_t i = d->point; i < n; i++, p.scale++)
        p.fraction = p.fraction * 10 + (i < 0 ? 0 : digit(d, d->first + (size_t)i));
    return p;
}

static bool read_number(const struct fields *f, const char *key, struct bytes text,
                        struct percent *out)
{
    const struct decimal d = decimal_of(text);
    const int64_t n = (int64_t)(d.end - d.first);
    *out = (struct percent){ .is_set = true };
    if (n == 0)
        return true;
    if (n - d.point > SCALE_MAX)
        return fields_fail(f, "%s: must be float", key);
    if (!d.negative && d.point <= WHOLE_DIGITS_MAX)
        *out = percent_of(&d);
    if (d.negative || d.point > WHOLE_DIGITS_MAX || out->whole > 100 ||
        (out->whole == 100 && out->fraction > 0))
        return fields_fail(f, "%s: must be in range: [0..100]", key);
    // Policy 5: "JSON values below 0.0001 are printed with an exponent; reject or ignore."
    return device_float_is_plain(*out) || fields_fail(f, "%s: must be 0 or at least 0.0001", key);
}

bool field_percent(const struct fields *f, const char *key, struct percent *out)
{
    const struct json *value = json_get(f->object, key);
    if (value == NULL || value->type == JSON_NULL)
        return true;
    if (value->type == JSON_TRUE || value->type == JSON_FALSE) {
        *out = (struct percent){ .is_set = true, .whole = value->type == JSON_TRUE };
        return true;
    }
    if (value->type != JSON_NUMBER)
        return fields_fail(f, "%s: must be float", key);
    return read_number(f, key, value->text, out);
}
