// bitcoin/psbt.c -- maps of fields, and the order in which a PSBT has them.
#include "bitcoin/psbt.h"
#include "base/reader.h"
#include "base/require.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/psbt_fields.h"
#include "bitcoin/psbt_tx.h"

// --- One map ---

// The field at the reader, or *end if the map's zero byte is there. False if neither is whole.
static bool read_field(struct reader *r, struct psbt_field *out, bool *end)
{
    *end = false;
    if (!reader_counted(r, &out->key))
        return false;
    *end = out->key.len == 0;
    return *end || reader_counted(r, &out->value);
}

static bool count_fields(struct reader r, size_t *n, struct err *err)
{
    struct psbt_field field;
    bool end;
    for (*n = 0; read_field(&r, &field, &end); ++*n)
        if (end)
            return true;
    return psbt_unreadable(err, "map ends at byte %zu", r.offset);
}

static bool duplicate_key(const struct psbt_field *f, struct err *err)
{
    return psbt_unreadable(err, "key of type %02x twice", f->key.ptr[0]);
}

static int compare_keys(const void *a, const void *b)
{
    const struct psbt_field *const *x = a, *const *y = b;
    return bytes_compare((*x)->key, (*y)->key);
}

// D-DUP: "any key, known or unknown, that occurs twice in one map". By sorting: a map of half a
// million keys is possible, comparing all pairs of them is not.
static bool check_unique_sorted(const struct psbt_map *map, struct arena *arena, struct err *err)
{
    const struct psbt_field **sorted = arena_array(arena, map->n_fields, sizeof *sorted);
    if (sorted == NULL)
        return psbt_too_complex(err);
    for (size_t i = 0; i < map->n_fields; i++)
        sorted[i] = &map->fields[i];
    qsort(sorted, map->n_fields, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < map->n_fields; i++)
        if (bytes_equal(sorted[i]->key, sorted[i - 1]->key))
            return duplicate_key(sorted[i], err);
    return true;
}

static bool check_unique(const struct psbt_map *map, struct arena *arena, struct err *err)
{
    enum { FEW = 12 }; // fields: pairs are faster than sorting
    if (map->n_fields > FEW)
        return check_unique_sorted(map, arena, err);
    for (size_t i = 1; i < map->n_fields; i++)
        for (size_t k = 0; k < i; k++)
            if (bytes_equal(map->fields[i].key, map->fields[k].key))
                return duplicate_key(&map->fields[i], err);
    return true;
}

static bool parse_map(struct psbt_map *out, struct reader *r, struct arena *arena, struct err *err)
{
    bool end;
    struct psbt_field last;
    if (!count_fields(*r, &out->n_fields, err))
        return false;
    out->fields = arena_array(arena, out->n_fields, sizeof *out->fields);
    if (out->fields == NULL)
        return psbt_too_complex(err);
    for (size_t i = 0; i < out->n_fields; i++)
        REQUIRE(read_field(r, &out->fields[i], &end) && !end);
    REQUIRE(read_field(r, &last, &end) && end);
    return check_unique(out, arena, err);
}

static bool parse_maps(struct psbt_map **out, size_t n, enum psbt_map_kind kind, uint32_t version,
                       struct reader *r, struct arena *arena, struct err *err)
{
    struct psbt_map *maps = arena_array(arena, n, sizeof *maps);
    if (maps == NULL)
        return psbt_too_complex(err);
    for (size_t i = 0; i < n; i++)
        if (!parse_map(&maps[i], r, arena, err) || !psbt_fields_check(&maps[i], kind, i, err) ||
            !psbt_fields_check_version(&maps[i], kind, version, i, err))
            return false;
    *out = maps;
    return true;
}

// --- All of it ---

// Psbt-signing 8.5: "Version field absent: 0 if field 00 is present, else 2."
static uint32_t version_of(const struct psbt_map *global)
{
    const struct psbt_field *version = psbt_get(global, PSBT_GLOBAL_VERSION);
    if (version != NULL)
        return psbt_u32(version);
    return psbt_get(global, PSBT_GLOBAL_UNSIGNED_TX) != NULL ? 0 : 2;
}

static bool trailing(struct err *err, const struct reader *r)
{
    return psbt_unreadable(err, "bytes after the last map, at %zu", r->offset); // D-TRAIL
}

static bool tells_of_maps(const struct psbt_map *global)
{
    return psbt_get(global, PSBT_GLOBAL_VERSION) != NULL ||
           psbt_get(global, PSBT_GLOBAL_UNSIGNED_TX) != NULL ||
           psbt_get(global, PSBT_GLOBAL_INPUT_COUNT) != NULL ||
           psbt_get(global, PSBT_GLOBAL_OUTPUT_COUNT) != NULL;
}

static bool parse_global(struct psbt *p, struct reader *r, struct arena *arena, struct err *err)
{
    if (!parse_map(&p->global, r, arena, err) ||
        !psbt_fields_check(&p->global, PSBT_MAP_GLOBAL, 0, err))
        return false;
    p->version = version_of(&p->global);
    // A global map that says nothing of others is the last. What follows makes the file unreadable,
    // rather than a PSBT that breaks the rules of its version.
    if (!tells_of_maps(&p->global) && !reader_done(r))
        return trailing(err, r);
    return psbt_fields_check_version(&p->global, PSBT_MAP_GLOBAL, p->version, 0, err);
}

bool psbt_parse(struct psbt *out, struct bytes raw, struct arena *arena, struct err *err)
{
    struct psbt p = { .raw = raw };
    struct reader r = reader_of(raw);
    if (raw.len > PSBT_SIZE_MAX)
        return psbt_unreadable(err, "longer than %d bytes", PSBT_SIZE_MAX);
    if (!reader_accept_bytes(&r, BYTES(PSBT_MAGIC)))
        return psbt_unreadable(err, "no PSBT magic");
    if (!parse_global(&p, &r, arena, err) || !psbt_tx_counts(&p, r.rest.len, arena, err) ||
        !parse_maps(&p.in, p.n_in, PSBT_MAP_INPUT, p.version, &r, arena, err) ||
        !parse_maps(&p.out, p.n_out, PSBT_MAP_OUTPUT, p.version, &r, arena, err))
        return false;
    if (!reader_done(&r))
        return trailing(err, &r);
    if (p.version == 2 && !psbt_tx_build(&p, arena, err))
        return false;
    *out = p;
    return true;
}

void psbt_write_map(struct writer *w, const struct psbt_map *map)
{
    for (size_t i = 0; i < map->n_fields; i++) {
        writer_counted(w, map->fields[i].key);
        writer_counted(w, map->fields[i].value);
    }
    writer_u8(w, 0);
}

void psbt_write(struct writer *w, const struct psbt *psbt)
{
    writer_put(w, BYTES(PSBT_MAGIC));
    psbt_write_map(w, &psbt->global);
    for (size_t i = 0; i < psbt->n_in; i++)
        psbt_write_map(w, &psbt->in[i]);
    for (size_t i = 0; i < psbt->n_out; i++)
        psbt_write_map(w, &psbt->out[i]);
}

// --- Looking up ---

const struct psbt_field *psbt_find(const struct psbt_map *map, struct bytes key)
{
    for (size_t i = 0; i < map->n_fields; i++)
        if (bytes_equal(map->fields[i].key, key))
            return &map->fields[i];
    return NULL;
}

const struct psbt_field *psbt_get(const struct psbt_map *map, uint8_t type)
{
    for (size_t i = 0; i < map->n_fields; i++)
        if (map->fields[i].key.len == 1 && map->fields[i].key.ptr[0] == type)
            return &map->fields[i];
    return NULL;
}

const struct psbt_field *psbt_find_keyed(const struct psbt_map *map, uint8_t type,
                                         struct bytes key_data)
{
    for (const struct psbt_field *f = NULL; (f = psbt_next(map, type, f)) != NULL;)
        if (bytes_equal(psbt_key_data(f), key_data))
            return f;
    return NULL;
}

const struct psbt_field *psbt_next(const struct psbt_map *map, uint8_t type,
                                   const struct psbt_field *after)
{
    for (size_t i = after == NULL ? 0 : (size_t)(after - map->fields) + 1; i < map->n_fields; i++)
        if (map->fields[i].key.ptr[0] == type)
            return &map->fields[i];
    return NULL;
}

struct bytes psbt_key_data(const struct psbt_field *field)
{
    return bytes_slice(field->key, 1, field->key.len);
}

uint32_t psbt_u32(const struct psbt_field *field)
{
    struct reader r = reader_of(field->value);
    uint32_t value;
    REQUIRE(reader_u32le(&r, &value) && reader_done(&r)); // the table checked the length
    return value;
}
