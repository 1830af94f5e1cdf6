#include "cli/sorted_json.h"

static int by_key(const void *a, const void *b)
{
    const struct json *const *x = a, *const *y = b;
    return bytes_compare((*x)->key, (*y)->key);
}

const struct json **sorted_json_items(const struct json *value, struct arena *arena)
{
    const struct json **order = arena_array(arena, value->n_items, sizeof(struct json *));
    size_t n = 0;
    if (order == NULL)
        return NULL;
    for (const struct json *item = value->items; item != NULL; item = item->next)
        order[n++] = item;
    if (value->type == JSON_OBJECT && n > 1)
        qsort(order, n, sizeof(struct json *), by_key);
    return order;
}

static bool write_value(struct json_writer *j, const struct json *value, struct arena *arena);

static bool write_items(struct json_writer *j, const struct json *value, struct arena *arena)
{
    const struct json **order = sorted_json_items(value, arena);
    if (order == NULL)
        return false;
    for (size_t i = 0; i < value->n_items; i++) {
        if (value->type == JSON_OBJECT)
            json_key_bytes(j, order[i]->key);
        if (!write_value(j, order[i], arena))
            return false;
    }
    return true;
}

// Recursion ends at JSON_DEPTH_MAX, which the parser keeps.
static bool write_value(struct json_writer *j, const struct json *value, struct arena *arena)
{
    bool ok;
    switch (value->type) {
    case JSON_OBJECT:
        json_begin_object(j);
        ok = write_items(j, value, arena);
        json_end_object(j);
        return ok;
    case JSON_ARRAY:
        json_begin_array(j);
        ok = write_items(j, value, arena);
        json_end_array(j);
        return ok;
    default:
        json_value(j, value);
        return true;
    }
}

bool sorted_json_write(struct writer *w, const struct json *value, struct arena *arena)
{
    struct json_writer j = json_writer_of(w);
    j.indent = true;
    if (!write_value(&j, value, arena))
        return false;
    writer_u8(w, '\n');
    return !w->failed;
}
