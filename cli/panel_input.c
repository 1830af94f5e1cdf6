#include "cli/panel_input.h"
#include "base/secret.h"
#include "base/utf8.h"

#define ESC 0x1b

// What stands between ESC [ or ESC O and the end of the sequence, and what key that is.
static const struct {
    const char *sequence;
    enum panel_key key;
} sequences[] = {
    { "A", PANEL_KEY_UP },         { "B", PANEL_KEY_DOWN },  { "H", PANEL_KEY_HOME },
    { "F", PANEL_KEY_END },        { "1~", PANEL_KEY_HOME }, { "7~", PANEL_KEY_HOME },
    { "4~", PANEL_KEY_END },       { "8~", PANEL_KEY_END },  { "5~", PANEL_KEY_PAGE_UP },
    { "6~", PANEL_KEY_PAGE_DOWN }, { "M", PANEL_KEY_ENTER }, // of the numeric keypad
};

static const enum panel_key controls[0x20] = {
    [0x03] = PANEL_KEY_LEAVE,  [0x08] = PANEL_KEY_BACKSPACE, ['\n'] = PANEL_KEY_ENTER,
    [0x0c] = PANEL_KEY_REDRAW, ['\r'] = PANEL_KEY_ENTER,     [0x15] = PANEL_KEY_CLEAR,
};

static void forget(struct panel_input *input)
{
    wipe(input->b, sizeof input->b);
    input->len = 0;
    input->too_long = false;
}

// --- Sequences ---

static bool is_sequence(const struct panel_input *input)
{
    return input->len > 0 && input->b[0] == ESC;
}

// ESC and one byte; or ESC [ ... up to a byte from @ to ~; or ESC O and one byte. The Linux
// console's function keys are ESC [ [ and one byte.
static bool sequence_is_complete(const struct panel_input *input)
{
    const uint8_t last = input->b[input->len - 1];
    if (input->len == 1)
        return false;
    if (input->len == 2)
        return last != '[' && last != 'O';
    if (input->b[1] == 'O')
        return true;
    return last >= 0x40 && last <= 0x7e && !(input->len == 3 && last == '[');
}

// "1;5A" is A with a modifier: scrolling is harmless with any.
static struct bytes without_modifier(struct panel_input *input)
{
    if (input->len == 6 && input->b[2] == '1' && input->b[3] == ';')
        return bytes_of(input->b + 5, 1);
    return bytes_of(input->b + 2, input->len - 2);
}

static struct panel_event take_sequence(struct panel_input *input)
{
    struct panel_event event = { .key = PANEL_KEY_NONE };
    if (input->len > 2 && !input->too_long) {
        const struct bytes rest = without_modifier(input);
        for (size_t i = 0; i < COUNT(sequences); i++)
            if (bytes_equal_text(rest, sequences[i].sequence))
                event.key = sequences[i].key;
        if (bytes_equal_text(rest, "200~") || bytes_equal_text(rest, "201~"))
            input->pasting = bytes_equal_text(rest, "200~");
    }
    if (input->pasting)
        event.key = PANEL_KEY_NONE; // a clipboard moves nothing
    forget(input);
    return event;
}

// --- Characters ---

static size_t length_by_lead(uint8_t lead)
{
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static struct panel_event take_control(struct panel_input *input, uint8_t byte)
{
    struct panel_event event = { .pasted = input->pasting };
    event.key = byte == 0x7f ? PANEL_KEY_BACKSPACE : controls[byte];
    if (input->pasting && event.key != PANEL_KEY_ENTER)
        event.key = PANEL_KEY_NONE;
    forget(input);
    return event;
}

static struct panel_event take_character(struct panel_input *input)
{
    struct panel_event event = { .key = PANEL_KEY_NONE };
    if (utf8_is_valid(bytes_of(input->b, input->len))) {
        event = (struct panel_event){ .key = PANEL_KEY_TEXT,
                                      .pasted = input->pasting,
                                      .len = input->len };
        memcpy(event.utf8, input->b, input->len);
    }
    forget(input);
    return event;
}

struct panel_event panel_input_byte(struct panel_input *input, uint8_t byte)
{
    const bool in_character = input->len > 0 && !is_sequence(input);
    if (in_character && (byte & 0xc0) != 0x80)
        forget(input); // the rest of that character never came
    if (input->len == sizeof input->b) {
        input->too_long = true;
        input->len--;
    }
    input->b[input->len++] = byte;
    if (is_sequence(input))
        return sequence_is_complete(input) ? take_sequence(input) : (struct panel_event){ 0 };
    if (byte < 0x20 || byte == 0x7f)
        return take_control(input, byte);
    return input->len == length_by_lead(input->b[0]) ? take_character(input)
                                                     : (struct panel_event){ 0 };
}

struct panel_event panel_input_pause(struct panel_input *input)
{
    const bool is_esc = is_sequence(input) && input->len == 1 && !input->pasting;
    forget(input);
    return (struct panel_event){ .key = is_esc ? PANEL_KEY_ESC : PANEL_KEY_NONE };
}

bool panel_input_is_waiting(const struct panel_input *input)
{
    return input->len > 0;
}
