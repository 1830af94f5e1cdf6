#include "base/json.h"
#include "base/reader.h"

// Nothing here rounds: a number is the digits as written and a power of ten.
struct number {
    bool negative;
    bool plain; // neither point nor exponent
    struct bytes whole, fraction;
    size_t first, end; // of whole and fraction put together, the digits between the outer zeros
    int64_t shift;     // those digits as an integer, times 10^shift, is the value; 0 for zero
};

#define EXPONENT_MAX (INT64_C(1) << 60) // past the length of any text; larger counts as this

static int64_t take_exponent(struct reader *r)
{
    const bool negative = reader_accept(r, '-');
    int64_t value = 0;
    uint8_t c;
    (void)reader_accept(r, '+');
    while (reader_u8(r, &c))
        value = value < EXPONENT_MAX / 10 ? value * 10 + (c - '0') : EXPONENT_MAX;
    return negative ? -value : value;
}

static int digit(const struct number *n, size_t i)
{
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): i is below `end`, so there is a fraction
    return (i < n->whole.len ? n->whole.ptr[i] : n->fraction.ptr[i - n->whole.len]) - '0';
}

static struct number number_of(const struct json *json)
{
    struct reader r = reader_of(json->text);
    struct number n = { .negative = reader_accept(&r, '-') };
    n.whole = reader_digits(&r);
    n.plain = reader_done(&r);
    if (reader_accept(&r, '.'))
        n.fraction = reader_digits(&r);
    n.end = n.whole.len + n.fraction.len;
    while (n.first < n.end && digit(&n, n.first) == 0)
        n.first++;
    while (n.end > n.first && digit(&n, n.end - 1) == 0)
        n.end--;
    const bool has_exponent = reader_accept(&r, 'e') || reader_accept(&r, 'E');
    if (n.end > n.first)
        n.shift = (int64_t)n.whole.len - (int64_t)n.end + (has_exponent ? take_exponent(&r) : 0);
    return n;
}

// The digits, times 10^zeros; false if that leaves int64_t. Built below zero for a negative number,
// as -2^63 has no positive twin.
static bool digits_value(const struct number *n, int64_t zeros, int64_t *out)
{
    int64_t value = 0;
    for (size_t i = n->first; i < n->end; i++) {
        const int d = n->negative ? -digit(n, i) : digit(n, i);
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, d, &value))
            return false;
    }
    for (; zeros > 0; zeros--) {
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
    }
    *out = value;
    return true;
}

// policy.md 2.2: "`1e999` | infinity, then ... `<field>: must be integer`". A double ends below
// 10^309; integers without point or exponent have no such end.
static bool is_infinite(const struct number *n)
{
    return !n->plain && (int64_t)(n->end - n->first) + n->shift > 309;
}

bool json_integer(const struct json *number, int64_t *out, bool *out_of_range)
{
    bool ignored;
    bool *too_large = out_of_range != NULL ? out_of_range : &ignored;
    *too_large = false;
    if (number->type != JSON_NUMBER)
        return false;
    const struct number n = number_of(number);
    if (n.shift < 0 || is_infinite(&n)) // the last of the digits is not zero, so it is a fraction
        return false;
    *too_large = !digits_value(&n, n.shift, out);
    return !*too_large;
}

#define SCALE_MAX 18

bool json_decimal(const struct json *number, int64_t *digits, unsigned *scale)
{
    if (number->type != JSON_NUMBER)
        return false;
    const struct number n = number_of(number);
    if (n.shift < -SCALE_MAX || !digits_value(&n, n.shift, digits))
        return false;
    *scale = n.shift < 0 ? (unsigned)-n.shift : 0;
    return true;
}
