#include "base/conf.h"
#include "base/reader.h"
#include "base/utf8.h"
#include <inttypes.h>

struct parser {
    struct conf *conf;
    struct bytes kind, name; // of the current section
    unsigned line;
    struct err *err;
};

static bool malformed(const struct parser *p, const char *what)
{
    return err_set(p->err, ERR_MALFORMED, "%s:%u: %s", p->conf->file, p->line, what);
}

static bool is_word(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.'))
            return false;
    }
    return text.len > 0;
}

static void add(struct parser *p, struct bytes key, struct bytes value)
{
    p->conf->entries[p->conf->n_entries++] = (struct conf_entry){
        .kind = p->kind, .name = p->name, .key = key, .value = value, .line = p->line
    };
}

// Between the brackets: a word, and a name after blanks.
static bool parse_section(struct parser *p, struct bytes inside)
{
    size_t n = 0;
    while (n < inside.len && inside.ptr[n] != ' ' && inside.ptr[n] != '\t')
        n++;
    p->kind = bytes_slice(inside, 0, n);
    p->name = bytes_trim(bytes_slice(inside, n, SIZE_MAX));
    const bool has_bracket = p->name.len > 0 && (memchr(p->name.ptr, ']', p->name.len) != NULL ||
                                                 memchr(p->name.ptr, '[', p->name.len) != NULL);
    if (!is_word(p->kind) || has_bracket)
        return malformed(p, "no section: [kind] or [kind name]");
    add(p, BYTES(""), BYTES(""));
    return true;
}

static bool parse_entry(struct parser *p, struct bytes line)
{
    struct reader r = reader_of(line);
    struct bytes key;
    if (memchr(line.ptr, '=', line.len) == NULL)
        return malformed(p, "neither `key = value` nor `[section]` nor `# comment`");
    if (!reader_until(&r, '=', &key) || !is_word(bytes_trim(key)))
        return malformed(p, "no key: letters, digits, `_`, `-`, `.`");
    add(p, bytes_trim(key), bytes_trim(reader_rest(&r)));
    return true;
}

static bool has_control(struct bytes line)
{
    for (size_t i = 0; i < line.len; i++) {
        if ((line.ptr[i] < 0x20 && line.ptr[i] != '\t') || line.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

static bool is_empty(struct bytes line)
{
    return line.len == 0 || line.ptr[0] == '#';
}

static bool parse_line(struct parser *p, struct bytes line)
{
    if (!utf8_is_valid(line))
        return malformed(p, "invalid UTF-8");
    if (has_control(line))
        return malformed(p, "control character");
    if (is_empty(line))
        return true;
    if (line.ptr[0] != '[')
        return parse_entry(p, line);
    if (line.ptr[line.len - 1] != ']')
        return malformed(p, "no ] at the end of the section's line");
    return parse_section(p, bytes_trim(bytes_slice(line, 1, line.len - 2)));
}

static size_t count_entries(struct bytes text)
{
    struct reader r = reader_of(text);
    struct bytes line;
    size_t n = 0;
    while (reader_until(&r, '\n', &line))
        n += !is_empty(bytes_trim(line));
    return n;
}

bool conf_parse(struct conf *out, const char *file, struct bytes text, struct arena *arena,
                struct err *err)
{
    if (text.len > CONF_FILE_MAX)
        return err_set(err, ERR_LIMIT, "%s: larger than %d bytes", file, CONF_FILE_MAX);
    struct conf conf = { .file = file };
    conf.entries = arena_array(arena, count_entries(text), sizeof *conf.entries);
    if (conf.entries == NULL)
        return err_set(err, ERR_NO_MEMORY, "%s: no memory left", file);
    struct parser p = { .conf = &conf, .err = err };
    struct reader r = reader_of(text);
    struct bytes line;
    while (reader_until(&r, '\n', &line)) {
        p.line++;
        if (!parse_line(&p, bytes_trim(line)))
            return false;
    }
    *out = conf;
    return true;
}

static bool in_section(const struct conf_entry *e, const char *kind, const char *name)
{
    return bytes_equal_text(e->kind, kind) && bytes_equal_text(e->name, name);
}

struct conf_entry *conf_next(struct conf *c, const char *kind, const char *name, const char *key,
                             struct conf_entry *after)
{
    for (size_t i = after == NULL ? 0 : (size_t)(after - c->entries) + 1; i < c->n_entries; i++) {
        struct conf_entry *e = &c->entries[i];
        if (!in_section(e, kind, name))
            continue;
        if (e->key.len == 0)
            e->taken = true; // who asks for a key knows its section
        if (!bytes_equal_text(e->key, key))
            continue;
        e->taken = true;
        return e;
    }
    return NULL;
}

struct conf_entry *conf_next_section(struct conf *c, const char *kind, struct conf_entry *after)
{
    for (size_t i = after == NULL ? 0 : (size_t)(after - c->entries) + 1; i < c->n_entries; i++) {
        struct conf_entry *e = &c->entries[i];
        if (e->key.len > 0 || !bytes_equal_text(e->kind, kind))
            continue;
        e->taken = true;
        return e;
    }
    return NULL;
}

static bool wrong(const struct conf *c, const struct conf_entry *e, struct err *err,
                  const char *what)
{
    return err_set(err, ERR_USAGE, "%s:%u: %.*s: %s", c->file, e->line, BYTES_ARG(e->key), what);
}

// The only entry of that key, *out = NULL without one.
static bool find_one(struct conf *c, const char *kind, const char *name, const char *key,
                     struct conf_entry **out, struct err *err)
{
    *out = conf_next(c, kind, name, key, NULL);
    const struct conf_entry *second = *out == NULL ? NULL : conf_next(c, kind, name, key, *out);
    if (second == NULL)
        return true;
    return err_set(err, ERR_USAGE, "%s:%u: %s: stands on line %u already", c->file, second->line,
                   key, (*out)->line);
}

bool conf_text(struct conf *c, const char *kind, const char *name, const char *key,
               struct bytes *out, struct err *err)
{
    struct conf_entry *e;
    if (!find_one(c, kind, name, key, &e, err))
        return false;
    if (e != NULL)
        *out = e->value;
    return true;
}

bool conf_u64(struct conf *c, const char *kind, const char *name, const char *key, uint64_t min,
              uint64_t max, uint64_t *out, struct err *err)
{
    struct conf_entry *e;
    if (!find_one(c, kind, name, key, &e, err))
        return false;
    if (e == NULL)
        return true;
    struct reader r = reader_of(e->value);
    uint64_t value;
    if (!reader_decimal64(&r, max, &value) || !reader_done(&r) || value < min)
        return err_set(err, ERR_USAGE,
                       "%s:%u: %s: must be a whole number from %" PRIu64 " to %" PRIu64, c->file,
                       e->line, key, min, max);
    *out = value;
    return true;
}

bool conf_bool(struct conf *c, const char *kind, const char *name, const char *key, bool *out,
               struct err *err)
{
    struct conf_entry *e;
    if (!find_one(c, kind, name, key, &e, err))
        return false;
    if (e == NULL)
        return true;
    const bool on = bytes_equal_text(e->value, "on");
    if (!on && !bytes_equal_text(e->value, "off"))
        return wrong(c, e, err, "must be on or off");
    *out = on;
    return true;
}

static bool unknown(const struct conf *c, const struct conf_entry *e, struct err *err)
{
    if (e->key.len > 0)
        return err_set(err, ERR_USAGE, "%s:%u: unknown key '%.*s'", c->file, e->line,
                       BYTES_ARG(e->key));
    return err_set(err, ERR_USAGE, "%s:%u: unknown section '%.*s%s%.*s'", c->file, e->line,
                   BYTES_ARG(e->kind), e->name.len > 0 ? " " : "", BYTES_ARG(e->name));
}

bool conf_finish(const struct conf *c, struct err *err)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        if (!c->entries[i].taken)
            return unknown(c, &c->entries[i], err);
    }
    return true;
}
