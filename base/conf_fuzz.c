// What was parsed, written in plain form, is parsed as the same again; whoever takes each entry by its
// name finds nothing left.
#include "base/conf.h"
#include "base/utf8.h"
#include "base/writer.h"
#include "fuzz/fuzz.h"

static bool is_inside(struct bytes part, struct bytes all)
{
    return part.len == 0 || (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len);
}

static void check_entry(const struct conf_entry *e, struct bytes text)
{
    REQUIRE(is_inside(e->kind, text) && is_inside(e->name, text));
    REQUIRE(is_inside(e->key, text) && is_inside(e->value, text));
    REQUIRE(bytes_is_printable_ascii(e->key) && utf8_is_valid(e->value));
    REQUIRE(bytes_equal(bytes_trim(e->value), e->value));
    REQUIRE(bytes_equal(bytes_trim(e->name), e->name));
    REQUIRE(e->value.len == 0 || memchr(e->value.ptr, '\n', e->value.len) == NULL);
    REQUIRE(e->key.len > 0 || e->value.len == 0);
    REQUIRE(!e->taken);
}

static struct bytes written(const struct conf *c, struct arena *arena)
{
    struct writer w = writer_growing(arena, CONF_FILE_MAX);
    struct bytes out;
    for (size_t i = 0; i < c->n_entries; i++) {
        const struct conf_entry *e = &c->entries[i];
        if (e->key.len > 0)
            writer_printf(&w, "%.*s=%.*s\n", BYTES_ARG(e->key), BYTES_ARG(e->value));
        else if (e->name.len > 0)
            writer_printf(&w, "[%.*s %.*s]\n", BYTES_ARG(e->kind), BYTES_ARG(e->name));
        else
            writer_printf(&w, "[%.*s]\n", BYTES_ARG(e->kind));
    }
    return writer_finish(&w, &out) ? out : BYTES(""); // the last line may have had no end
}

static void check_same(const struct conf *a, const struct conf *b)
{
    REQUIRE(a->n_entries == b->n_entries);
    for (size_t i = 0; i < a->n_entries; i++) {
        const struct conf_entry *x = &a->entries[i], *y = &b->entries[i];
        REQUIRE(bytes_equal(x->kind, y->kind) && bytes_equal(x->name, y->name));
        REQUIRE(bytes_equal(x->key, y->key) && bytes_equal(x->value, y->value));
    }
}

static void take_all(struct conf *c, struct arena *arena)
{
    struct err err;
    for (size_t i = 0; i < c->n_entries; i++) {
        struct conf_entry *e = &c->entries[i];
        if (e->taken)
            continue;
        REQUIRE(!conf_finish(c, &err) && err.code == ERR_USAGE);
        const char *kind = arena_text(arena, e->kind), *name = arena_text(arena, e->name);
        const char *key = arena_text(arena, e->key);
        REQUIRE(kind != NULL && name != NULL && key != NULL);
        for (struct conf_entry *at = NULL; (at = conf_next(c, kind, name, key, at)) != NULL;)
            REQUIRE(at->taken);
        REQUIRE(e->taken);
    }
    REQUIRE(conf_finish(c, &err));
}

FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)64 << 20);
    struct conf c, again;
    struct err err = { 0 };
    if (!conf_parse(&c, "f", data, arena, &err)) {
        REQUIRE(err.code == ERR_MALFORMED || (err.code == ERR_LIMIT && data.len > CONF_FILE_MAX));
        REQUIRE(strncmp(err.text, "f:", 2) == 0);
        return;
    }
    for (size_t i = 0; i < c.n_entries; i++) {
        check_entry(&c.entries[i], data);
        REQUIRE(c.entries[i].line > (i == 0 ? 0 : c.entries[i - 1].line));
    }
    const struct bytes plain = written(&c, arena);
    if (plain.len > 0) {
        REQUIRE(conf_parse(&again, "f", plain, arena, &err));
        check_same(&c, &again);
    }
    if (c.n_entries < 1000) // asking for each entry looks through all
        take_all(&c, arena);
}
