#include "signer/screen.h"
#include "base/writer.h"
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

// Nothing is approved unseen: OK turns pages until the last one is up.
TEST(a_long_text_comes_in_pages_and_ok_means_ok_on_the_last)
{
    struct screen screen;
    struct note note = { 0 };
    struct writer w = writer_growing(test_arena(), 1u << 20);
    for (int i = 0; w.len < 3 * SCREEN_PAGE_MAX; i++)
        writer_printf(&w, "line %d of a policy \xe2\x82\xbf\n", i);
    screen_init(&screen);
    screen_ask(&screen, "Start HSM?", writer_bytes(&w), ASK_KEY, &ops, &note);
    struct writer seen = writer_growing(test_arena(), 1u << 20);
    size_t pages = 1;
    for (; screen_has_more(&screen); pages++) {
        const uint64_t question = screen.question;
        const struct bytes page = screen_page(&screen);
        assert_true(page.len > 0 && page.len <= SCREEN_PAGE_MAX);
        assert_int_equal(page.ptr[page.len - 1], '\n');
        writer_put(&seen, page);
        assert_true(screen_key(&screen, '3')); // the digit that accepts, guessed too early
        assert_true(screen_key(&screen, 'y'));
        assert_int_equal(note.len, 0);
        assert_true(screen.question > question);
    }
    writer_put(&seen, screen_page(&screen));
    assert_bytes_equal(writer_bytes(&seen), writer_bytes(&w));
    assert_true(pages >= 3);
    assert_true(screen_key(&screen, 'y'));
    assert_string_equal(note.text, "y");
    screen_free(&screen);
}

TEST(a_long_text_can_be_cancelled_on_its_first_page)
{
    struct screen screen;
    struct note note = { 0 };
    char *text = arena_alloc(test_arena(), 2 * SCREEN_PAGE_MAX);
    memset(text, 'x', 2 * SCREEN_PAGE_MAX); // no line to end a page at
    screen_init(&screen);
    screen_ask(&screen, "Title", bytes_of(text, 2 * SCREEN_PAGE_MAX), ASK_KEY, &ops, &note);
    assert_true(screen_has_more(&screen));
    assert_true(screen_key(&screen, 'x'));
    assert_string_equal(note.text, "x");
    screen_free(&screen);
}
