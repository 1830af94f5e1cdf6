#include "cli/panel_text.h"
#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include <locale.h>

#define WIDTH 20

static size_t letters(struct bytes text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] != ' ' && text.ptr[i] != '\n';
    return n;
}

// No line is wider than asked for, none holds a control byte, and none but blanks are left out.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64u << 20);
    struct panel_text wrapped, whole;
    struct err err;
    REQUIRE(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
    if (!panel_text_wrap(&wrapped, data, WIDTH, arena, &err))
        return;
    REQUIRE(utf8_is_valid(data));
    REQUIRE(panel_text_wrap(&whole, data, PANEL_TEXT_NO_WRAP, arena, &err));
    size_t expected = 0, got = 0;
    for (size_t i = 0; i < whole.n; i++)
        expected += letters(whole.lines[i].text);
    for (size_t i = 0; i < wrapped.n; i++) {
        const struct panel_text_line *line = &wrapped.lines[i];
        REQUIRE(line->indent + panel_text_columns(line->text) <= WIDTH);
        REQUIRE(utf8_is_valid(line->text));
        for (size_t b = 0; b < line->text.len; b++)
            REQUIRE(line->text.ptr[b] >= 0x20 && line->text.ptr[b] != 0x7f);
        got += letters(line->text);
    }
    REQUIRE(got == expected);
}
