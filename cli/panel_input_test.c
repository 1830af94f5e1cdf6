#include "cli/panel_input.h"
#include "base/writer.h"
#include "tests/support/test.h"

static void write_event(struct writer *w, const struct panel_event *event)
{
    static const char *const names[] = {
        [PANEL_KEY_ENTER] = "enter",    [PANEL_KEY_ESC] = "esc",
        [PANEL_KEY_BACKSPACE] = "back", [PANEL_KEY_CLEAR] = "clear",
        [PANEL_KEY_REDRAW] = "redraw",  [PANEL_KEY_LEAVE] = "leave",
        [PANEL_KEY_UP] = "up",          [PANEL_KEY_DOWN] = "down",
        [PANEL_KEY_PAGE_UP] = "pgup",   [PANEL_KEY_PAGE_DOWN] = "pgdn",
        [PANEL_KEY_HOME] = "home",      [PANEL_KEY_END] = "end",
    };
    if (event->key == PANEL_KEY_NONE)
        return;
    writer_text(w, w->len > 0 ? " " : "");
    writer_text(w, event->pasted ? "+" : "");
    if (event->key == PANEL_KEY_TEXT)
        writer_put(w, bytes_of(event->utf8, event->len));
    else
        writer_text(w, names[event->key]);
}

// The keys that the bytes and a pause after them are.
static struct bytes keys_of(struct bytes sent)
{
    struct panel_input input = { 0 };
    struct writer w = writer_growing(test_arena(), 4096);
    struct panel_event event;
    for (size_t i = 0; i < sent.len; i++) {
        event = panel_input_byte(&input, sent.ptr[i]);
        write_event(&w, &event);
    }
    event = panel_input_pause(&input);
    write_event(&w, &event);
    assert_false(panel_input_is_waiting(&input));
    for (size_t i = 0; i < sizeof input.b; i++)
        assert_int_equal(input.b[i], 0); // what was typed is nowhere any more
    return writer_bytes(&w);
}

static const struct {
    struct bytes sent;
    const char *keys;
} cases[] = {
    { BYTES_INIT("y1x"), "y 1 x" },
    { BYTES_INIT("\r\n"), "enter enter" },
    { BYTES_INIT("\x1b"), "esc" },
    { BYTES_INIT("\x7f\x08\x15\x0c\x03"), "back back clear redraw leave" },
    { BYTES_INIT("\x1b[A\x1bOA\x1b[B\x1bOB"), "up up down down" },
    { BYTES_INIT("\x1b[5~\x1b[6~\x1b[H\x1b[F\x1bOH\x1b[1~\x1b[4~\x1b[7~\x1b[8~"),
      "pgup pgdn home end home home end home end" },
    { BYTES_INIT("\x1bOM"), "enter" },
    { BYTES_INIT("\x1b[1;5A"), "up" }, // with Ctrl held
    { BYTES_INIT("\x1b[15~y"), "y" },  // F5 is unknown, and no letters
    { BYTES_INIT("\x1b[[Ay"), "y" },   // F1 of the Linux console
    { BYTES_INIT("\x1by1"), "1" },     // Alt-y is not y
    { BYTES_INIT("\x1b\x1by"), "y" },  // nor is what follows two Escs at once part of one
    { BYTES_INIT("\x1b[123456789012345678901234567890~y"), "y" }, // longer than we keep
    { BYTES_INIT("\x1b["), "" },                                  // half a sequence is no Esc
    { BYTES_INIT("\x01\x1ay"), "y" },                             // controls without a meaning
    { BYTES_INIT("\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80"),
      "\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80" },
    { BYTES_INIT("\xc3y\xe4\xb8\ry"), "y enter y" }, // characters that stop short
    { BYTES_INIT("\xed\xa0\x80y\x80\x80y"), "y y" }, // a surrogate, stray bytes
    { BYTES_INIT("\x1b[200~y\x1b[A\x03\r1\x1b[201~y"), "+y +enter +1 y" }, // pasted keys say so
    { BYTES_INIT("\x1b[200~\x1b"), "" }, // an Esc in a clipboard is no key
};

TEST(panel_input_keys_as_listed)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes got = keys_of(cases[i].sent);
        if (!bytes_equal_text(got, cases[i].keys))
            fail_msg("case %zu: '%.*s', not '%s'", i, BYTES_ARG(got), cases[i].keys);
    }
}

TEST(panel_input_waits_for_what_follows_an_esc)
{
    struct panel_input input = { 0 };
    assert_int_equal(panel_input_byte(&input, 0x1b).key, PANEL_KEY_NONE);
    assert_true(panel_input_is_waiting(&input));
    assert_int_equal(panel_input_pause(&input).key, PANEL_KEY_ESC);
    assert_int_equal(panel_input_byte(&input, 'y').key, PANEL_KEY_TEXT);
}
