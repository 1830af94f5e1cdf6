// cli/panel_draw.h -- draws the panel with ncurses, on 80x24 and up; down to 40x10 with less air.
//
// Nothing depends on colour: what matters is said in words, and stands out by reverse or bold.
#ifndef CASEMATE_CLI_PANEL_DRAW_H
#define CASEMATE_CLI_PANEL_DRAW_H
#include "cli/panel_view.h"

struct panel_look {
    bool colour; // the terminal has it, and the operator wants it
    bool utf8;   // else lines are drawn with - and |
};

// Where things are; rows from 0.
struct panel_layout {
    int rows, cols;
    bool too_small, roomy;
    int left, width;                  // of all between the two bars
    int title, body, height;          // `height` rows from `body`
    int typed, rule, keys, note, bar; // typed: -1 when nothing is typed
};
struct panel_layout panel_layout_of(int rows, int cols, const struct panel_view *view);

// After ncurses has begun: how it may draw here.
struct panel_look panel_look_begin(bool wants_color);

// The whole screen anew; ncurses sends the difference.
void panel_draw(const struct panel_view *view, const struct panel_layout *layout,
                const struct panel_look *look);

#endif
