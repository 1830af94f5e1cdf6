#include "signer/screen.h"
#include "tests/support/test.h"

// A dialog that writes down what happens to it.
struct note {
    char text[64];
    size_t len;
};

static void put(void *context, char c)
{
    struct note *note = context;
    assert_true(note->len + 1 < sizeof note->text);
    note->text[note->len++] = c;
}
static void on_text(void *context, struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        put(context, (char)text.ptr[i]);
}
static void on_dismissed(void *context)
{
    put(context, '-');
}
static void count(void *listener)
{
    ++*(int *)listener;
}
static const struct dialog_ops ops = { put, on_text, on_dismissed };
static const struct dialog_ops deaf = { NULL, NULL, NULL };

TEST(keys_and_text_go_to_the_dialog)
{
    struct screen screen;
    struct note note = { 0 };
    screen_init(&screen);
    assert_false(screen_key(&screen, 'y'));
    assert_false(screen_text(&screen, BYTES("text")));
    screen_ask(&screen, "Title", BYTES("a\0b"), ASK_KEY, &ops, &note);
    assert_true(screen_has_dialog(&screen));
    assert_string_equal(screen.title, "Title");
    assert_int_equal(screen.text_len, 3);
    assert_true(screen_key(&screen, 'y'));
    assert_false(screen_text(&screen, BYTES("text"))); // it asks for a key
    screen_ask(&screen, "Title", BYTES(""), ASK_TEXT, &ops, &note);
    assert_true(screen_text(&screen, BYTES("pin")));
    screen_done(&screen);
    assert_string_equal(note.text, "y-pin");
    assert_false(screen_has_dialog(&screen));
    screen_ask(&screen, "Title", BYTES(""), ASK_TEXT, &deaf, NULL);
    assert_false(screen_key(&screen, 'y'));
    assert_false(screen_text(&screen, BYTES("pin")));
    screen_free(&screen);
}

TEST(a_dialog_is_told_that_it_was_dismissed)
{
    struct screen screen;
    struct note first = { 0 }, second = { 0 };
    screen_init(&screen);
    screen_ask(&screen, "1", BYTES("1"), ASK_KEY, &ops, &first);
    screen_ask(&screen, "2", BYTES("2"), ASK_KEY, &ops, &second);
    assert_string_equal(first.text, "-");
    screen_dismiss(&screen);
    screen_dismiss(&screen); // nobody is there any more
    assert_string_equal(second.text, "-");
    assert_int_equal(screen.text_len, 0);
    screen_ask(&screen, "3", BYTES("3"), ASK_KEY, &ops, &second);
    screen_done(&screen); // its owner ended it
    screen_ask(&screen, "4", BYTES("4"), ASK_KEY, &ops, &second);
    screen_free(&screen);
    assert_string_equal(second.text, "-");
}

TEST(changes_are_counted_and_told)
{
    struct screen screen;
    struct note note = { 0 };
    int told = 0;
    screen_init(&screen);
    screen.changed = count;
    screen.listener = &told;
    screen_ask(&screen, "1", BYTES("1"), ASK_KEY, &ops, &note);
    screen_touch(&screen);
    screen_done(&screen);
    assert_int_equal(told, 3);
    assert_int_equal(screen.version, 3);
    screen_dismiss(&screen); // nothing to change
    assert_int_equal(told, 3);
    screen_free(&screen);
}

TEST(a_text_without_end_is_cut)
{
    struct screen screen;
    uint8_t *mem = arena_alloc(test_arena(), SCREEN_TEXT_MAX + 1);
    memset(mem, 'a', SCREEN_TEXT_MAX + 1);
    screen_init(&screen);
    screen_ask(&screen, "1", bytes_of(mem, SCREEN_TEXT_MAX), ASK_KEY, &ops, NULL);
    assert_int_equal(screen.text_len, SCREEN_TEXT_MAX);
    screen_done(&screen);
    screen_ask(&screen, "1", bytes_of(mem, SCREEN_TEXT_MAX + 1), ASK_KEY, &deaf, NULL);
    assert_non_null(strstr(screen.text, "\n(this text is too long to be shown whole)"));
    screen_free(&screen);
}
