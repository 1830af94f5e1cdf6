#include "cli/panel_input.h"
#include "base/utf8.h"
#include "fuzz/fuzz.h"

// Every character is whole and valid, nothing pasted is more than text, and after a pause nothing
// of what was typed is left.
FUZZ_TARGET(data)
{
    static const struct panel_input empty;
    struct panel_input input = { 0 };
    for (size_t i = 0; i < data.len; i++) {
        const struct panel_event event = panel_input_byte(&input, data.ptr[i]);
        REQUIRE((event.key == PANEL_KEY_TEXT) == (event.len > 0));
        REQUIRE(event.len <= sizeof event.utf8);
        REQUIRE(utf8_is_valid(bytes_of(event.utf8, event.len)));
        REQUIRE(utf8_length(bytes_of(event.utf8, event.len)) <= 1);
        REQUIRE(!input.pasting || event.key == PANEL_KEY_NONE || event.pasted);
    }
    (void)panel_input_pause(&input);
    REQUIRE(!panel_input_is_waiting(&input));
    REQUIRE(memcmp(input.b, empty.b, sizeof input.b) == 0);
}
