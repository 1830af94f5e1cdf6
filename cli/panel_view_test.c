#include "cli/panel_view.h"
#include "tests/support/test.h"

#define SHOWN_MS 1000000
#define LATER_MS (SHOWN_MS + PANEL_VIEW_LOOK_MS)

static const struct panel_screen question = { .title = BYTES_INIT("Start HSM?"),
                                              .text = BYTES_INIT("1\n2\n3\n4\n5\n6\n"),
                                              .ask = PANEL_ASK_KEY,
                                              .state = PANEL_NORMAL };
static const struct panel_screen home = { .title = BYTES_INIT("Ready To Sign"),
                                          .ask = PANEL_ASK_NONE,
                                          .state = PANEL_NORMAL };
static const struct panel_screen hsm = { .title = BYTES_INIT("HSM MODE"),
                                         .ask = PANEL_ASK_DIGITS,
                                         .state = PANEL_HSM };
static const struct panel_screen pin = { .title = BYTES_INIT("Unlock"),
                                         .text = BYTES_INIT("Enter the PIN."),
                                         .ask = PANEL_ASK_TEXT,
                                         .state = PANEL_LOCKED };

static void show(struct panel_view *view, const struct panel_screen *screen, int64_t now_ms)
{
    struct err err;
    assert_true(panel_view_show(view, screen, now_ms, &err));
}

static void begin(struct panel_view *view, const struct panel_screen *screen)
{
    static const struct panel_hello hello = { .name = BYTES_INIT("hot_1") };
    struct err err;
    panel_view_init(view);
    assert_true(panel_view_connect(view, &hello, &err));
    show(view, screen, SHOWN_MS);
}

static struct panel_event typed(const char *text)
{
    struct panel_event event = { .key = PANEL_KEY_TEXT, .len = strlen(text) };
    memcpy(event.utf8, text, event.len);
    return event;
}

static struct panel_action press_event(struct panel_view *view, struct panel_event event)
{
    return panel_view_key(view, &event, LATER_MS);
}

static struct panel_action press(struct panel_view *view, enum panel_key key)
{
    return press_event(view, (struct panel_event){ .key = key });
}

static void assert_typed(const struct panel_view *view, const char *text)
{
    assert_bytes_text(bytes_slice(secret_open(view->typed), 0, view->typed_len), text);
    secret_close(view->typed);
}

static void assert_wiped(const struct panel_view *view)
{
    const struct bytes all = secret_open(view->typed);
    for (size_t i = 0; i < all.len; i++)
        assert_int_equal(all.ptr[i], 0);
    secret_close(view->typed);
    assert_int_equal(view->typed_len, 0);
}

static const struct {
    const struct panel_screen *screen;
    enum panel_key key;
    const char *text; // for PANEL_KEY_TEXT
    bool pasted;
    int64_t after_ms;
    enum panel_act act;
    char sent;
} cases[] = {
    { &question, PANEL_KEY_TEXT, "y", false, PANEL_VIEW_LOOK_MS, PANEL_ACT_KEY, 'y' },
    { &question, PANEL_KEY_TEXT, "Y", false, PANEL_VIEW_LOOK_MS, PANEL_ACT_KEY, 'y' },
    { &question, PANEL_KEY_ENTER, "", false, PANEL_VIEW_LOOK_MS, PANEL_ACT_KEY, 'y' },
    { &question, PANEL_KEY_ESC, "", false, PANEL_VIEW_LOOK_MS, PANEL_ACT_KEY, 'x' },
    { &question, PANEL_KEY_TEXT, "x", false, PANEL_VIEW_LOOK_MS, PANEL_ACT_KEY, 'x' },
    { &question, PANEL_KEY_TEXT, "4", false, PANEL_VIEW_LOOK_MS, PANEL_ACT_KEY, '4' },
    { &question, PANEL_KEY_TEXT, "q", false, PANEL_VIEW_LOOK_MS, PANEL_ACT_NONE, 0 },
    { &question, PANEL_KEY_TEXT, "\xc3\xbf", false, PANEL_VIEW_LOOK_MS, PANEL_ACT_NONE, 0 },
    { &question, PANEL_KEY_LEAVE, "", false, 0, PANEL_ACT_LEAVE, 0 },
    // (1) too early: nothing is approved, but refusing is safe
    { &question, PANEL_KEY_TEXT, "y", false, PANEL_VIEW_LOOK_MS - 1, PANEL_ACT_NONE, 0 },
    { &question, PANEL_KEY_ENTER, "", false, 0, PANEL_ACT_NONE, 0 },
    { &question, PANEL_KEY_TEXT, "4", false, 0, PANEL_ACT_NONE, 0 },
    { &question, PANEL_KEY_TEXT, "x", false, 0, PANEL_ACT_KEY, 'x' },
    // (1) a paste is no key press
    { &question, PANEL_KEY_TEXT, "y", true, PANEL_VIEW_LOOK_MS, PANEL_ACT_NONE, 0 },
    { &question, PANEL_KEY_ENTER, "", true, PANEL_VIEW_LOOK_MS, PANEL_ACT_NONE, 0 },
    { &question, PANEL_KEY_TEXT, "x", true, PANEL_VIEW_LOOK_MS, PANEL_ACT_NONE, 0 },
    { &home, PANEL_KEY_TEXT, "y", false, PANEL_VIEW_LOOK_MS, PANEL_ACT_NONE, 0 },
    { &home, PANEL_KEY_TEXT, "q", false, PANEL_VIEW_LOOK_MS, PANEL_ACT_LEAVE, 0 },
    { &home, PANEL_KEY_TEXT, "q", true, PANEL_VIEW_LOOK_MS, PANEL_ACT_NONE, 0 },
    { &home, PANEL_KEY_REDRAW, "", false, 0, PANEL_ACT_REDRAW, 0 },
    // a code may be pasted, and its digits come fast
    { &hsm, PANEL_KEY_TEXT, "7", true, 0, PANEL_ACT_KEY, '7' },
    { &hsm, PANEL_KEY_TEXT, "7", false, 0, PANEL_ACT_KEY, '7' },
    { &hsm, PANEL_KEY_ENTER, "", false, 0, PANEL_ACT_KEY, 'y' },
    { &hsm, PANEL_KEY_ENTER, "", true, 0, PANEL_ACT_NONE, 0 },
    { &hsm, PANEL_KEY_TEXT, "x", true, 0, PANEL_ACT_NONE, 0 },
    { &hsm, PANEL_KEY_BACKSPACE, "", false, 0, PANEL_ACT_KEY, 'x' },
    { &hsm, PANEL_KEY_TEXT, "w", false, 0, PANEL_ACT_KEY, 'w' }, // withdraws a code
    { &hsm, PANEL_KEY_TEXT, "w", true, 0, PANEL_ACT_NONE, 0 },
    { &hsm, PANEL_KEY_TEXT, "q", false, 0, PANEL_ACT_LEAVE, 0 },
    { &hsm, PANEL_KEY_TEXT, "m", false, 0, PANEL_ACT_NONE, 0 },
    // letters are part of an answer
    { &pin, PANEL_KEY_TEXT, "q", false, 0, PANEL_ACT_NONE, 0 },
    { &pin, PANEL_KEY_TEXT, "x", false, 0, PANEL_ACT_NONE, 0 },
    { &pin, PANEL_KEY_ENTER, "", false, 0, PANEL_ACT_TEXT, 0 },
    { &pin, PANEL_KEY_ENTER, "", true, 0, PANEL_ACT_NONE, 0 },
    { &pin, PANEL_KEY_ESC, "", false, 0, PANEL_ACT_KEY, 'x' },
};

TEST(panel_view_keys_as_listed)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct panel_view view;
        begin(&view, cases[i].screen);
        struct panel_event event = typed(cases[i].text != NULL ? cases[i].text : "");
        event.key = cases[i].key;
        event.pasted = cases[i].pasted;
        const struct panel_action got = panel_view_key(&view, &event, SHOWN_MS + cases[i].after_ms);
        if (got.act != cases[i].act || got.key != cases[i].sent)
            fail_msg("case %zu: act %d, key '%c'", i, got.act, got.key);
        panel_view_free(&view);
    }
}

TEST(panel_view_says_why_it_did_not_approve)
{
    struct panel_view view;
    begin(&view, &question);
    struct panel_event event = typed("y");
    (void)panel_view_key(&view, &event, SHOWN_MS);
    assert_string_equal(view.note, "This has only just come up. Read it, then press again.");
    event.pasted = true;
    (void)panel_view_key(&view, &event, LATER_MS);
    assert_string_equal(view.note, "A question is answered by a key, not by a paste.");
    (void)press(&view, PANEL_KEY_DOWN);
    assert_string_equal(view.note, "");
    panel_view_free(&view);
}

// Only a change of the question asks for another look: the period runs on every screen.
TEST(panel_view_looks_again_at_another_question_only)
{
    struct panel_view view;
    struct panel_screen next = question;
    begin(&view, &question);
    next.period_left = BYTES("3h 59m");
    show(&view, &next, LATER_MS);
    assert_int_equal(press_event(&view, typed("y")).act, PANEL_ACT_KEY);
    next.text = BYTES("Another question");
    show(&view, &next, LATER_MS);
    assert_int_equal(press_event(&view, typed("y")).act, PANEL_ACT_NONE);
    panel_view_free(&view);
}

TEST(panel_view_approves_nothing_that_does_not_fit)
{
    struct panel_view view;
    struct err err;
    begin(&view, &question);
    assert_true(panel_view_fit(&view, 30, 2, true, &err));
    assert_int_equal(press_event(&view, typed("y")).act, PANEL_ACT_NONE);
    assert_int_equal(press_event(&view, typed("q")).act, PANEL_ACT_LEAVE);
    panel_view_free(&view);
}

TEST(panel_view_scrolls_and_starts_anew_with_another_text)
{
    struct panel_view view;
    struct err err;
    begin(&view, &question);
    assert_true(panel_view_fit(&view, 40, 3, false, &err));
    assert_int_equal(panel_window_below(&view.window), 3);
    assert_int_equal(press(&view, PANEL_KEY_PAGE_DOWN).act, PANEL_ACT_NONE);
    assert_int_equal(view.window.first, 2); // a page but one line
    (void)press(&view, PANEL_KEY_END);
    assert_int_equal(view.window.first, 3);
    (void)press(&view, PANEL_KEY_UP);
    assert_int_equal(view.window.first, 2);
    show(&view, &question, LATER_MS); // the same again
    assert_int_equal(view.window.first, 2);
    struct panel_screen other = question;
    other.text = BYTES("a\nb\nc\nd\n");
    show(&view, &other, LATER_MS);
    assert_int_equal(view.window.first, 0);
    assert_int_equal(panel_window_below(&view.window), 1);
    panel_view_free(&view);
}

TEST(panel_view_takes_an_answer)
{
    struct panel_view view;
    begin(&view, &pin);
    (void)press_event(&view, typed("a"));
    (void)press_event(&view, typed("\xc3\xa9"));
    (void)press_event(&view, typed("1"));
    assert_typed(&view, "a\xc3\xa9"
                        "1");
    (void)press(&view, PANEL_KEY_BACKSPACE);
    (void)press(&view, PANEL_KEY_BACKSPACE); // a character, not a byte
    assert_typed(&view, "a");
    assert_int_equal(panel_view_typed_characters(&view), 1);
    (void)press(&view, PANEL_KEY_BACKSPACE);
    (void)press(&view, PANEL_KEY_BACKSPACE); // there is nothing
    assert_wiped(&view);
    panel_view_free(&view);
}

// Words are pasted in lines; the line feed behind them neither sends them nor counts.
TEST(panel_view_takes_pasted_words)
{
    static const char pasted[] = "ab\ncd\n";
    struct panel_view view;
    begin(&view, &pin);
    for (const char *c = pasted; *c != '\0'; c++) {
        struct panel_event event = { .key = PANEL_KEY_ENTER, .pasted = true };
        if (*c != '\n')
            event = (struct panel_event){
                .key = PANEL_KEY_TEXT, .pasted = true, .utf8 = { (uint8_t)*c }, .len = 1
            };
        assert_int_equal(press_event(&view, event).act, PANEL_ACT_NONE);
    }
    assert_typed(&view, "ab cd");
    assert_int_equal(press(&view, PANEL_KEY_ENTER).act, PANEL_ACT_TEXT);
    panel_view_free(&view);
}

TEST(panel_view_answer_has_an_end)
{
    struct panel_view view;
    begin(&view, &pin);
    for (size_t i = 0; i < PANEL_VIEW_TYPE_MAX; i++)
        (void)press_event(&view, typed("a"));
    assert_string_equal(view.note, "");
    (void)press_event(&view, typed("b"));
    assert_int_equal(view.typed_len, PANEL_VIEW_TYPE_MAX);
    assert_string_equal(view.note, "That is longer than any answer can be.");
    panel_view_free(&view);
}

// (2): what was typed is gone once it was sent, taken back, or meant for another question.
TEST(panel_view_wipes_what_was_typed)
{
    static const struct panel_screen again = { .title = BYTES_INIT("Unlock"),
                                               .text = BYTES_INIT("Wrong PIN. Enter the PIN."),
                                               .ask = PANEL_ASK_TEXT,
                                               .state = PANEL_LOCKED };
    struct panel_view view;
    begin(&view, &pin);
    (void)press_event(&view, typed("1"));
    panel_view_sent(&view);
    assert_wiped(&view);
    (void)press_event(&view, typed("1"));
    (void)press(&view, PANEL_KEY_CLEAR);
    assert_wiped(&view);
    (void)press_event(&view, typed("1"));
    show(&view, &again, LATER_MS);
    assert_wiped(&view);
    (void)press_event(&view, typed("1"));
    panel_view_lose(&view, "gone");
    assert_wiped(&view);
    panel_view_free(&view);
}

TEST(panel_view_menu_chooses_an_item)
{
    struct panel_view view;
    begin(&view, &home);
    (void)press_event(&view, typed("m"));
    assert_int_equal(view.page, PANEL_PAGE_MENU);
    struct panel_action got = press_event(&view, typed("1"));
    assert_int_equal(got.act, PANEL_ACT_ITEM);
    assert_int_equal(got.item, PANEL_START_HSM);
    assert_int_equal(view.page, PANEL_PAGE_SCREEN);
    (void)press_event(&view, typed("m"));
    assert_int_equal(press_event(&view, typed("9")).act, PANEL_ACT_NONE);
    assert_int_equal(view.page, PANEL_PAGE_SCREEN);
    panel_view_free(&view);
}

TEST(panel_view_menu_asks_for_a_name)
{
    struct panel_view view;
    begin(&view, &home);
    (void)press_event(&view, typed("m"));
    (void)press_event(&view, typed("4"));
    assert_int_equal(view.page, PANEL_PAGE_NAME);
    assert_int_equal(press(&view, PANEL_KEY_ENTER).act, PANEL_ACT_NONE); // no name yet
    (void)press_event(&view, typed("q"));
    const struct panel_action got = press(&view, PANEL_KEY_ENTER);
    assert_int_equal(got.act, PANEL_ACT_ITEM);
    assert_int_equal(got.item, PANEL_DELETE_USER);
    assert_typed(&view, "q");
    panel_view_sent(&view);
    (void)press_event(&view, typed("m"));
    (void)press_event(&view, typed("4"));
    (void)press_event(&view, typed("z"));
    (void)press(&view, PANEL_KEY_ESC);
    assert_int_equal(view.page, PANEL_PAGE_MENU);
    assert_wiped(&view);
    panel_view_free(&view);
}

// A question that comes while the menu is open takes its place.
TEST(panel_view_question_closes_the_menu)
{
    struct panel_view view;
    begin(&view, &home);
    (void)press_event(&view, typed("m"));
    show(&view, &question, LATER_MS);
    assert_int_equal(view.page, PANEL_PAGE_SCREEN);
    struct panel_event event = typed("1");
    assert_int_equal(panel_view_key(&view, &event, LATER_MS).act, PANEL_ACT_NONE);
    panel_view_free(&view);
}

TEST(panel_view_without_a_signer_only_leaves)
{
    struct panel_view view;
    begin(&view, &question);
    panel_view_lose(&view, "the signer closed the panel");
    assert_int_equal(press_event(&view, typed("y")).act, PANEL_ACT_NONE);
    assert_string_equal(view.note, "the signer closed the panel");
    assert_int_equal(press_event(&view, typed("q")).act, PANEL_ACT_LEAVE);
    panel_view_free(&view);
}

TEST(panel_view_screen_that_is_no_text_is_not_shown)
{
    struct panel_view view;
    struct panel_screen bad = question;
    struct err err;
    begin(&view, &question);
    bad.text = BYTES("\xff");
    assert_false(panel_view_show(&view, &bad, LATER_MS, &err));
    assert_err(&err, ERR_MALFORMED, "text is not UTF-8");
    panel_view_free(&view);
}
