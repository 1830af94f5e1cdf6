#include "bitcoin/field_order.h"
#include "base/reader.h"
#include "bitcoin/psbt.h"
#include "tests/support/test.h"

// A map's keys of that type, without it, in the order of the file.
static size_t keys_of(struct bytes *out, const struct psbt_map *map, uint8_t type)
{
    size_t n = 0;
    for (const struct psbt_field *f = NULL; (f = psbt_next(map, type, f)) != NULL && n < 32;)
        out[n++] = bytes_slice(f->key, 1, f->key.len);
    return n;
}

static unsigned compare(const struct psbt_map *in, const struct psbt_map *out, uint8_t type,
                        struct bytes id)
{
    struct bytes before[32], after[32];
    size_t order[32];
    const size_t n = keys_of(before, in, type);
    assert_int_equal(keys_of(after, out, type), n);
    field_order(order, before, n);
    for (size_t i = 0; i < n; i++)
        if (!bytes_equal(before[order[i]], after[i]))
            fail_msg("%.*s: key %zu", BYTES_ARG(id), i);
    return n > 1;
}

static unsigned compare_step(const struct json *step, struct bytes id)
{
    const struct json *result = json_get(step, "result_b64");
    const struct json *kind = json_get(step, "result_kind");
    struct psbt *in = arena_alloc(test_arena(), sizeof *in);
    struct psbt *out = arena_alloc(test_arena(), sizeof *out);
    struct err err;
    unsigned n = 0;
    assert_true(in != NULL && out != NULL);
    if (result == NULL || kind == NULL || !json_is_text(kind, "psbt") ||
        !psbt_parse(in, test_base64(json_need_text(step, "psbt_b64")), test_arena(), &err) ||
        !psbt_parse(out, test_base64(result->text), test_arena(), &err))
        return 0;
    for (size_t i = 0; i < in->n_in; i++)
        n += compare(&in->in[i], &out->in[i], PSBT_IN_KEY_PATH, id);
    for (size_t i = 0; i < in->n_out; i++)
        n += compare(&in->out[i], &out->out[i], PSBT_OUT_KEY_PATH, id);
    return n;
}

// Everything that the reference wrote and we have.
TEST(order_of_key_paths_as_recorded)
{
    struct reader file = reader_of(test_vector_bytes("golden/decisions.jsonl"));
    struct bytes text;
    unsigned n = 0;
    while (reader_until(&file, '\n', &text) && text.len > 0) {
        const struct json *line;
        struct err err;
        assert_true(json_parse(&line, text, test_arena(), &err));
        const struct json *steps = json_get(line, "sequence");
        for (const struct json *s = steps != NULL ? steps->items : NULL; s != NULL; s = s->next)
            n += compare_step(s, json_need_text(line, "id"));
    }
    assert_int_equal(n, 50);
}

// Whatever the keys are, each comes once.
TEST(order_of_key_paths_is_a_permutation)
{
    uint8_t mem[80][2];
    struct bytes keys[80] = { { NULL, 0 } };
    size_t order[80];
    for (size_t n = 0; n <= 80; n++) {
        bool seen[80] = { false };
        for (size_t i = 0; i < n; i++) {
            mem[i][0] = (uint8_t)(i * 37);
            mem[i][1] = (uint8_t)(i / 3);
            keys[i] = BYTES_OF(mem[i]);
        }
        field_order(order, keys, n);
        for (size_t i = 0; i < n; i++) {
            assert_true(order[i] < n && !seen[order[i]]);
            seen[order[i]] = true;
            if (n > FIELD_ORDER_MAX)
                assert_int_equal(order[i], i);
        }
    }
}
