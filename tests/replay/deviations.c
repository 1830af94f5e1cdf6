// deviations.json: a list of {"id", "step", "field", "expect", "section", "why"}, one for each answer
// that differs from the recorded one on purpose. "step" counts from 1 and is absent outside of
// sequences. "expect" is the value itself, or {"regex": <extended regular expression>}.
#include "tests/replay/replay.h"
#include <regex.h>

struct bytes json_text_of(struct run *run, const struct json *value)
{
    struct writer w = run_writer(run);
    struct json_writer j = json_writer_of(&w);
    if (value == NULL)
        return BYTES("(absent)");
    if (value->type == JSON_STRING)
        return value->text;
    json_value(&j, value);
    return run_written(run, &w);
}

static bool is_step(const struct run *run, const struct json *deviation)
{
    const struct json *step = json_get(deviation, "step");
    int64_t n = 0;
    if (step != NULL && !json_integer(step, &n, NULL))
        return false;
    return n == run->step;
}

static const struct json *find(struct run *run, const char *field)
{
    size_t i = 0;
    for (const struct json *d = run->deviations->items; d != NULL; d = d->next, i++) {
        if (!bytes_equal(text_or(d, "id", ""), run->id) ||
            !bytes_equal_text(text_or(d, "field", ""), field) || !is_step(run, d))
            continue;
        run->deviation_used[i] = true;
        return json_get(d, "expect");
    }
    return NULL;
}

static bool matches(struct run *run, const struct json *expected, struct bytes got)
{
    const struct json *regex = json_get(expected, "regex");
    if (regex == NULL)
        return bytes_equal(json_text_of(run, expected), got);
    regex_t compiled;
    if (regcomp(&compiled, run_text(run, regex->text), REG_EXTENDED | REG_NOSUB) != 0)
        run_fail(run, "%s: bad regular expression", run_text(run, regex->text));
    const bool ok = regexec(&compiled, run_text(run, got), 0, NULL, 0) == 0;
    regfree(&compiled);
    return ok;
}

// From shortly before the first difference.
static NORETURN void differ(struct run *run, const char *field, struct bytes wanted,
                            struct bytes got)
{
    size_t at = 0;
    while (at < wanted.len && at < got.len && wanted.ptr[at] == got.ptr[at])
        at++;
    const size_t from = wanted.len + got.len > 300 && at > 20 ? at - 20 : 0;
    const struct bytes w = bytes_slice(wanted, from, 200), g = bytes_slice(got, from, 200);
    run_fail(run, "%s: wanted \"%.*s\", got \"%.*s\" (at %zu)", field, BYTES_ARG(w), BYTES_ARG(g),
             at);
}

void expect_text(struct run *run, const char *field, struct bytes recorded, struct bytes got)
{
    const struct json *deviation = find(run, field);
    const bool ok = deviation != NULL ? matches(run, deviation, got) : bytes_equal(recorded, got);
    if (!ok)
        differ(run, field, deviation != NULL ? json_text_of(run, deviation) : recorded, got);
}

void expect_value(struct run *run, const char *field, const struct json *recorded,
                  const struct json *got)
{
    expect_text(run, field, json_text_of(run, recorded), json_text_of(run, got));
}

void expect_bool(struct run *run, const char *field, bool recorded, bool got)
{
    expect_text(run, field, recorded ? BYTES("true") : BYTES("false"),
                got ? BYTES("true") : BYTES("false"));
}

void expect_count(struct run *run, const char *field, uint64_t recorded, uint64_t got)
{
    struct writer a = run_writer(run), b = run_writer(run);
    writer_printf(&a, "%llu", (unsigned long long)recorded);
    writer_printf(&b, "%llu", (unsigned long long)got);
    expect_text(run, field, run_written(run, &a), run_written(run, &b));
}
