#include "cli/sorted_json.h"
#include "base/utf8.h"
#include "cli/python_dump.h"
#include "fuzz/fuzz.h"

// The same value: scalars by their text, arrays in order, objects whatever the order.
static bool same(const struct json *a, const struct json *b)
{
    if (a->type != b->type || a->n_items != b->n_items)
        return false;
    if (a->type != JSON_OBJECT && a->type != JSON_ARRAY)
        return bytes_equal(a->text, b->text);
    const struct json *y = b->items;
    for (const struct json *x = a->items; x != NULL; x = x->next, y = y != NULL ? y->next : NULL) {
        const struct json *other = y;
        if (a->type == JSON_OBJECT)
            for (other = b->items; other != NULL && !bytes_equal(other->key, x->key);)
                other = other->next;
        if (other == NULL || !same(x, other))
            return false;
    }
    return true;
}

static bool is_sorted(const struct json *value)
{
    for (const struct json *item = value->items; item != NULL; item = item->next) {
        if (value->type == JSON_OBJECT && item->next != NULL &&
            bytes_compare(item->key, item->next->key) >= 0)
            return false;
        if (!is_sorted(item))
            return false;
    }
    return true;
}

// What a device says is printed whole, as the same value, sorted; and the Python form is text.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)256 << 20);
    struct writer w = writer_growing(arena, (size_t)16 << 20);
    struct writer python = writer_growing(arena, (size_t)16 << 20);
    const struct json *value, *again;
    struct err err;
    if (data.len > 8192 || !json_parse(&value, data, arena, &err))
        return;
    REQUIRE(sorted_json_write(&w, value, arena));
    REQUIRE(json_parse(&again, writer_bytes(&w), arena, &err));
    REQUIRE(same(value, again) && is_sorted(again));
    REQUIRE(python_dump_write(&python, value, arena));
    REQUIRE(utf8_is_valid(writer_bytes(&python)));
}
