#include "signer/screen.h"
#include "base/require.h"
#include "base/secret.h"
#include "base/utf8.h"

#define CUT_NOTE "\n(this text is too long to be shown whole)"

void screen_init(struct screen *screen)
{
    *screen = (struct screen){ .ask = ASK_NONE };
}

static void drop_text(struct screen *screen)
{
    if (screen->text != NULL)
        wipe(screen->text, screen->text_len);
    free(screen->text);
    screen->text = NULL;
    screen->text_len = screen->page_start = screen->page_len = 0;
}

void screen_free(struct screen *screen)
{
    drop_text(screen);
    screen->ops = NULL;
}

void screen_touch(struct screen *screen)
{
    screen->version++;
    if (screen->changed != NULL)
        screen->changed(screen->listener);
}

// What a byte takes in a panel's line of JSON; the display command 0x02 is not sent at all.
static size_t size_in_line(uint8_t c)
{
    if (c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t')
        return 2;
    return c < 0x20 ? 6 : 1;
}

// The page that starts at page_start: as much as fits, ending behind a line if there is one.
static void set_page(struct screen *screen)
{
    const struct bytes left =
        bytes_slice(bytes_of(screen->text, screen->text_len), screen->page_start, SIZE_MAX);
    size_t size = 0, len = 0, line_end = 0;
    while (len < left.len && size <= SCREEN_PAGE_MAX) {
        size += size_in_line(left.ptr[len++]);
        if (left.ptr[len - 1] == '\n')
            line_end = len;
    }
    if (len < left.len)
        len = line_end > 0 ? line_end : utf8_cut(left, len).len;
    screen->page_len = len;
}

struct bytes screen_page(const struct screen *screen)
{
    return bytes_slice(bytes_of(screen->text, screen->text_len), screen->page_start,
                       screen->page_len);
}

bool screen_has_more(const struct screen *screen)
{
    return screen->page_start + screen->page_len < screen->text_len;
}

static void set_text(struct screen *screen, struct bytes text)
{
    const bool cut = text.len > SCREEN_TEXT_MAX;
    const struct bytes shown = bytes_slice(text, 0, SCREEN_TEXT_MAX);
    const struct bytes note = cut ? BYTES(CUT_NOTE) : (struct bytes){ 0 };
    drop_text(screen);
    screen->text = malloc(shown.len + note.len + 1);
    REQUIRE(screen->text != NULL);
    if (shown.len > 0)
        memcpy(screen->text, shown.ptr, shown.len);
    if (note.len > 0)
        memcpy(screen->text + shown.len, note.ptr, note.len);
    screen->text_len = shown.len + note.len;
    screen->text[screen->text_len] = 0;
    screen->page_start = 0;
    set_page(screen);
}

static void next_page(struct screen *screen)
{
    screen->page_start += screen->page_len;
    screen->question++;
    set_page(screen);
    screen_touch(screen);
}

static void end_dialog(struct screen *screen, bool tell)
{
    const struct dialog_ops *ops = screen->ops;
    void *context = screen->context;
    screen->ops = NULL;
    screen->context = NULL;
    screen->ask = ASK_NONE;
    screen->title[0] = 0;
    drop_text(screen);
    if (tell && ops != NULL && ops->dismissed != NULL)
        ops->dismissed(context);
}

void screen_ask(struct screen *screen, const char *title, struct bytes text, enum screen_ask ask,
                const struct dialog_ops *ops, void *context)
{
    end_dialog(screen, true);
    snprintf(screen->title, sizeof screen->title, "%s", title);
    set_text(screen, text);
    screen->ask = ask;
    screen->ops = ops;
    screen->context = context;
    screen->question++;
    screen_touch(screen);
}

void screen_done(struct screen *screen)
{
    end_dialog(screen, false);
    screen_touch(screen);
}

void screen_dismiss(struct screen *screen)
{
    if (screen->ops == NULL)
        return;
    end_dialog(screen, true);
    screen_touch(screen);
}

bool screen_has_dialog(const struct screen *screen)
{
    return screen->ops != NULL;
}

bool screen_key(struct screen *screen, char key)
{
    if (screen->ops == NULL || screen->ops->key == NULL)
        return false;
    // Until all was shown, keys turn pages or cancel.
    if (key == 'x' || !screen_has_more(screen))
        screen->ops->key(screen->context, key);
    else if (key == 'y')
        next_page(screen);
    return true;
}

bool screen_text(struct screen *screen, struct bytes text)
{
    if (screen->ops == NULL || screen->ops->text == NULL || screen->ask != ASK_TEXT)
        return false;
    screen->ops->text(screen->context, text);
    return true;
}
