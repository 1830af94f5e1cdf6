// policy/device_float.c
//
// Each step below is one operation in IEEE single precision, in the order of policy.md 5: the
// errors that the device's arithmetic makes are what this file is for.
#include "policy/device_float.h"
#include "base/require.h"
#include <inttypes.h>

// Wider intermediate results would give other digits.
_Static_assert(__FLT_EVAL_METHOD__ == 0, "float arithmetic must be done in float");
_Static_assert(__FLT_MANT_DIG__ == 24, "float must be IEEE single precision");

#define JSON_DIGITS  7
#define HOURS_DIGITS 3
#define SIM_DIGITS   16 // of the vendor's simulator
#define DIGITS_MAX   20

// 0.d0 d1 d2 ... * 10^point
struct digits {
    unsigned d[DIGITS_MAX];
    size_t n;
    int point;
};

// The nearest float. strtof rounds correctly, and without a point in its text no locale matters.
static float nearest(struct percent pct)
{
    char text[64];
    if (pct.scale == 0)
        return (float)pct.whole;
    const int len = snprintf(text, sizeof text, "%u%0*" PRIu64 "e-%u", pct.whole, (int)pct.scale,
                             pct.fraction, pct.scale);
    REQUIRE(len > 0 && (size_t)len < sizeof text);
    return strtof(text, NULL);
}

// "Scale: f in [10,100): multiply by 0.1; f = 100: multiply by 0.01; f in [1,10): leave. [...] For f
// below 1: if f < 0.01 multiply by 100 (two leading zeros); then, if f < 0.1, multiply by 10 (one
// leading zero more); then multiply by 10."
static float scale(float f, int *point)
{
    *point = 1;
    if (f >= 100.0f) {
        *point = 3;
        return f * 0.01f;
    }
    if (f >= 10.0f) {
        *point = 2;
        return f * 0.1f;
    }
    if (f >= 1.0f)
        return f;
    *point = 0;
    if (f < 0.01f) {
        *point -= 2;
        f = f * 100.0f;
    }
    if (f < 0.1f) {
        *point -= 1;
        f = f * 10.0f;
    }
    return f * 10.0f;
}

// "add one in the last place, with carry"
static void round_up(struct digits *out)
{
    size_t i = out->n;
    while (i > 0 && out->d[i - 1] == 9)
        out->d[--i] = 0;
    if (i > 0) {
        out->d[i - 1]++;
        return;
    }
    out->d[0] = 1; // 9.99... became 10
    out->point++;
}

static struct digits generate(float f, size_t n)
{
    struct digits out = { .n = n };
    f = scale(f, &out.point);
    for (size_t i = 0; i < n; i++) {
        out.d[i] = (unsigned)f;
        f = f - (float)out.d[i];
        f = f * 10.0f;
    }
    if (f >= 5.0f)
        round_up(&out);
    while (out.n > 0 && out.d[out.n - 1] == 0)
        out.n--;
    return out;
}

// Digits before the point (at least "0"), then the point and the others if there are any.
static void write_digits(struct writer *w, const struct digits *in)
{
    const int n = (int)in->n;
    if (in->point <= 0)
        writer_u8(w, '0');
    for (int i = 0; i < in->point; i++)
        writer_u8(w, (uint8_t)('0' + (i < n ? in->d[i] : 0)));
    if (n <= in->point)
        return;
    writer_u8(w, '.');
    for (int i = in->point; i < n; i++)
        writer_u8(w, (uint8_t)('0' + (i < 0 ? 0 : in->d[i])));
}

bool device_float_is_plain(struct percent pct)
{
    const float f = nearest(pct);
    return f == 0.0f || f >= 0.0001f;
}

void device_float_percent(struct writer *w, struct percent pct)
{
    const float f = nearest(pct);
    if (f == 0.0f) {
        writer_text(w, "0.0");
        return;
    }
    const struct digits digits = generate(f, JSON_DIGITS);
    write_digits(w, &digits);
    if ((int)digits.n <= digits.point)
        writer_text(w, ".0");
}

// --- The same number elsewhere, for lint ---

// The simulator's arithmetic is the same with doubles, which only percentages from 1 up need: below, it
// scales as the device does.
static struct digits generate_double(struct percent pct)
{
    char text[64];
    struct digits out = { .n = SIM_DIGITS,
                          .point = pct.whole >= 100  ? 3
                                   : pct.whole >= 10 ? 2
                                                     : 1 };
    const int len = snprintf(text, sizeof text, "%u%0*" PRIu64 "e-%u", pct.whole, (int)pct.scale,
                             pct.fraction, pct.scale);
    REQUIRE(len > 0 && (size_t)len < sizeof text);
    double f = pct.scale == 0 ? (double)pct.whole : strtod(text, NULL);
    f = f >= 100.0 ? f * 0.01 : f >= 10.0 ? f * 0.1 : f;
    for (size_t i = 0; i < out.n; i++) {
        out.d[i] = (unsigned)f;
        f = f - (double)out.d[i];
        f = f * 10.0;
    }
    if (f >= 5.0)
        round_up(&out);
    while (out.n > 0 && out.d[out.n - 1] == 0)
        out.n--;
    return out;
}

// The digits as they are.
static struct digits exact_digits(struct percent pct)
{
    char text[64];
    struct digits out = { .point = pct.whole >= 100 ? 3 : pct.whole >= 10 ? 2 : 1 };
    const int len = pct.scale == 0 ? snprintf(text, sizeof text, "%u", pct.whole)
                                   : snprintf(text, sizeof text, "%u%0*" PRIu64, pct.whole,
                                              (int)pct.scale, pct.fraction);
    for (int i = 0; i < len && out.n < DIGITS_MAX; i++)
        out.d[out.n++] = (unsigned)(text[i] - '0');
    while (out.n > 0 && out.d[out.n - 1] == 0)
        out.n--;
    return out;
}

static bool same_digits(const struct digits *a, const struct digits *b)
{
    return a->n == b->n && a->point == b->point && memcmp(a->d, b->d, a->n * sizeof a->d[0]) == 0;
}

bool device_float_agrees(struct percent pct)
{
    if (pct.whole == 0)
        return pct.fraction == 0; // below 1 they scale in steps, of which none is exact
    const struct digits exact = exact_digits(pct);
    const struct digits device = generate(nearest(pct), JSON_DIGITS);
    const struct digits simulator = generate_double(pct);
    return same_digits(&exact, &device) && same_digits(&exact, &simulator);
}

void device_float_hours(struct writer *w, unsigned minutes)
{
    const struct digits digits = generate((float)minutes / 60.0f, HOURS_DIGITS);
    write_digits(w, &digits);
}
