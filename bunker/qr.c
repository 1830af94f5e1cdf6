#include "bunker/qr.h"
#include <qrencode.h>

#define MARGIN 4

static void free_code(QRcode **code)
{
    QRcode_free(*code);
}

static QRcode *encode(const char *text)
{
    if (text[0] == '\0' || strlen(text) > QR_TEXT_MAX)
        return NULL;
    return QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
}

static bool is_dark(const QRcode *code, int x, int y)
{
    return (code->data[y * code->width + x] & 1) != 0;
}

void qr_write(struct json_writer *j, const char *text)
{
    AUTO(free_code) QRcode *code = encode(text);
    char row[178]; // version 40 is 177 modules wide
    if (code == NULL) {
        json_null(j);
        return;
    }
    json_begin_array(j);
    for (int y = 0; y < code->width; y++) {
        for (int x = 0; x < code->width; x++)
            row[x] = is_dark(code, x, y) ? '1' : '0';
        json_string(j, bytes_of(row, (size_t)code->width));
    }
    json_end_array(j);
}

bool qr_svg(struct writer *w, const char *text)
{
    AUTO(free_code) QRcode *code = encode(text);
    if (code == NULL)
        return false;
    const int size = code->width + 2 * MARGIN;
    writer_printf(w,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                  "shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/>"
                  "<path d=\"",
                  size, size, size, size);
    for (int y = 0; y < code->width; y++)
        for (int x = 0; x < code->width; x++)
            if (is_dark(code, x, y))
                writer_printf(w, "M%d %dh1v1h-1z", x + MARGIN, y + MARGIN);
    writer_text(w, "\"/></svg>\n");
    return true;
}
