// bitcoin/multisig_register.c -- which form a registration text has, and its text format.
#include "bitcoin/multisig_register.h"
#include "base/reader.h"
#include "base/require.h"
#include "base/utf8.h"
#include "bitcoin/descriptor.h"
#include "bitcoin/multisig_draft.h"
#include <string.h>

static bool contains(struct bytes text, const char *word)
{
    return text.len > 0 && memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

static bool malformed(struct err *err, const char *text)
{
    return err_set(err, ERR_MALFORMED, "%s", text);
}

// --- Recognition ---

// 7.2: "joining the trimmed non-empty lines that do not start with `#`"
static bool join_lines(struct bytes *out, struct bytes text, struct arena *arena, struct err *err)
{
    struct reader lines = reader_of(text);
    struct writer w = writer_growing(arena, text.len);
    struct bytes line;
    while (reader_until(&lines, '\n', &line)) {
        line = bytes_trim(line);
        if (line.len > 0 && line.ptr[0] != '#')
            writer_put(&w, line);
    }
    return writer_finish(&w, out) || err_set(err, ERR_NO_MEMORY, "no memory for the text");
}

static bool looks_like_descriptor(struct bytes joined)
{
    // Each name of 7.2 with its parenthesis, less those that another one is the end of.
    static const char *const functions[] = { "pk(",    "pkh(", "tr(",    "addr(",   "raw(",
                                             "combo(", "sh(",  "multi(", "multi_a(" };
    for (size_t i = 0; i < COUNT(functions); i++)
        if (contains(joined, functions[i]))
            return true;
    return false;
}

// Forms 2 and 3.
static bool read_plain(struct ms_draft *draft, struct bytes text, struct err *err)
{
    struct bytes joined;
    if (!join_lines(&joined, text, draft->arena, err))
        return false;
    return looks_like_descriptor(joined) ? draft_read_descriptor(draft, joined, err)
                                         : draft_read_lines(draft, text, err);
}

static bool read_json(struct ms_draft *draft, const struct json *json, struct err *err)
{
    const struct json *desc = json_get(json, "desc");
    const struct json *name = json_get(json, "name");
    if (desc == NULL || desc->type != JSON_STRING)
        return malformed(err, "'desc' key required");
    if (desc->text.len == 0)
        return malformed(err, "'desc' empty");
    if (name != NULL) {
        const size_t length = name->type == JSON_STRING ? utf8_length(name->text) : 0;
        if (length < 2 || length > 40)
            return malformed(err, "'name' length");
        draft->name = name->text;
    }
    return read_plain(draft, desc->text, err);
}

bool draft_read(struct ms_draft *draft, struct bytes text, struct err *err)
{
    const struct json *json;
    if (draft_is_bsms(text))
        return draft_read_bsms(draft, text, err);
    if (json_parse(&json, text, draft->arena, err))
        return read_json(draft, json, err);
    return err->code != ERR_NO_MEMORY && read_plain(draft, text, err);
}

// --- Text format ---

struct text_state {
    struct ms_draft *draft;
    bool has_path; // a derivation line was read:
    struct keypath path;
};

// 7.2: "Elsewhere the first `#` cuts the line unless the next character is a digit"
static struct bytes without_comment(struct bytes line)
{
    if (line.len > 0 && line.ptr[0] == '#')
        return (struct bytes){ 0 };
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] != '#')
            continue;
        const bool digit = i + 1 < line.len && line.ptr[i + 1] >= '0' && line.ptr[i + 1] <= '9';
        return bytes_trim(digit ? line : bytes_slice(line, 0, i));
    }
    return bytes_trim(line);
}

// Room for a label or the name of a format.
struct word {
    uint8_t mem[16];
};

// In lower case; empty if it is longer than any word that is known.
static struct bytes lowered(struct word *word, struct bytes text)
{
    struct writer w = writer_of(word->mem, sizeof word->mem);
    struct bytes lower;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        writer_u8(&w, c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c);
    }
    return writer_finish(&w, &lower) ? lower : (struct bytes){ 0 };
}

// The next number of a text, capped: it is compared with small ones.
static bool next_number(struct reader *r, size_t *out)
{
    uint8_t c;
    struct bytes digits;
    while ((digits = reader_digits(r)).len == 0)
        if (!reader_u8(r, &c))
            return false;
    *out = 0;
    for (size_t i = 0; i < digits.len; i++)
        if (*out <= MS_KEYS_MAX)
            *out = *out * 10 + (size_t)(digits.ptr[i] - '0');
    return true;
}

static bool read_policy(struct text_state *s, struct bytes value, struct err *err)
{
    struct reader r = reader_of(value);
    size_t m, n;
    if (!next_number(&r, &m) || !next_number(&r, &n) || m < 1 || m > n || n > MS_KEYS_MAX)
        return malformed(err, "bad policy line");
    s->draft->has_policy = true;
    s->draft->m = m;
    s->draft->n = n;
    return true;
}

static bool read_derivation(struct text_state *s, struct bytes value, struct err *err)
{
    if (value.len == 0)
        return malformed(err, "bad derivation line: blank");
    if (!keypath_parse(&s->path, value, err))
        return err_within(err, "bad derivation line");
    s->has_path = true;
    return true;
}

static bool read_format(struct text_state *s, struct bytes value, struct err *err)
{
    struct word word;
    enum addr_format format;
    if (!addr_format_from_name(&format, lowered(&word, value)) ||
        (format != ADDR_P2SH && format != ADDR_P2WSH && format != ADDR_P2SH_P2WSH))
        return malformed(err, "bad format line");
    s->draft->format = format;
    return true;
}

static bool read_name(struct text_state *s, struct bytes value, struct err *err)
{
    (void)err;
    s->draft->name = value;
    return true;
}

static bool read_key(struct text_state *s, struct xfp xfp, struct bytes xpub, struct err *err)
{
    const struct draft_key key = { xfp, s->has_path ? &s->path : NULL, xpub };
    return draft_add_key(s->draft, &key, err);
}

static const struct {
    const char *label;
    bool (*read)(struct text_state *s, struct bytes value, struct err *err);
} labels[] = {
    { "name", read_name },
    { "policy", read_policy },
    { "derivation", read_derivation },
    { "format", read_format },
};

static bool read_line(struct text_state *s, struct bytes line, struct err *err)
{
    struct reader r = reader_of(line);
    struct bytes label;
    struct word word;
    struct xfp xfp = { { 0 } };
    if (!reader_until(&r, ':', &label))
        return true;           // empty
    if (label.len == line.len) // 7.2: "a bare xpub, as if labelled `00000000`"
        return !contains(line, "pub") || read_key(s, xfp, line, err);
    const struct bytes value = bytes_trim(reader_rest(&r));
    for (size_t i = 0; i < COUNT(labels); i++)
        if (bytes_equal_text(lowered(&word, label), labels[i].label))
            return labels[i].read(s, value, err);
    return !xfp_from_text(&xfp, label) || read_key(s, xfp, value, err); // others are ignored
}

bool draft_read_lines(struct ms_draft *draft, struct bytes text, struct err *err)
{
    struct text_state state = { .draft = draft };
    struct reader lines = reader_of(text);
    struct bytes line;
    while (reader_until(&lines, '\n', &line))
        if (!read_line(&state, without_comment(line), err))
            return false;
    return true;
}

// --- The whole ---

static bool register_text(struct ms_wallet *out, struct bytes text,
                          const struct ms_register *against, bool foreign, struct arena *arena,
                          struct err *err)
{
    struct ms_draft *draft = arena_alloc(arena, sizeof *draft);
    if (text.len > MS_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "badlen");
    if (draft == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the wallet");
    draft->against = against;
    draft->foreign = foreign;
    draft->arena = arena;
    draft->format = ADDR_P2SH;
    draft->sorted = true;
    return draft_read(draft, text, err) && draft_finish(out, draft, err) &&
           draft_check_first_address(draft, out, err);
}

bool ms_register(struct ms_wallet *out, struct bytes text, const struct ms_register *against,
                 struct arena *arena, struct err *err)
{
    REQUIRE(against->ours.derive != NULL);
    return register_text(out, text, against, false, arena, err);
}

bool ms_read_foreign(struct ms_wallet *out, struct bytes text, const struct chain *chain,
                     struct arena *arena, struct err *err)
{
    const struct ms_register against = { .chain = chain, .unsort_ms = true };
    return register_text(out, text, &against, true, arena, err);
}
