// bunker/qr.h -- QR codes for pages: as modules for a script, as a picture for an <img>.
//
// Source: bunker.md 19.5; ISO/IEC 18004 by libqrencode.
#ifndef CASEMATE_BUNKER_QR_H
#define CASEMATE_BUNKER_QR_H
#include "base/json.h"

#define QR_TEXT_MAX 2953 // bytes: version 40, lowest correction

// An array of rows from the top, each a text of 0 and 1 (1 is dark), without the margin of 4 that readers
// want; null if the text is too long.
void qr_write(struct json_writer *j, const char *text);

// An SVG with its margin, dark on white whatever the page looks like. False if the text is too long.
MUST_CHECK bool qr_svg(struct writer *w, const char *text);

#endif
