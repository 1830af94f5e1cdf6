#include "cli/qr.h"
#include "base/secret.h"
#include <qrencode.h>
#include <sys/ioctl.h>

#define PICTURE_MAX ((size_t)1 << 20)
#define QR_TEXT_MAX 7089 // digits in the largest code

// --- The picture ---

static void free_code(QRcode **code)
{
    QRcode_free(*code);
}

// Outside of the code is the quiet zone: light.
static bool is_dark(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width)
        return false;
    return (code->data[y * code->width + x] & 1) != 0;
}

// One character for two modules, one above the other. `drawn` is what a block stands for.
static void write_pair(struct writer *w, bool upper, bool lower, bool drawn)
{
    static const char *const blocks[2][2] = { { " ", "▄" }, { "▀", "█" } };
    writer_text(w, blocks[upper == drawn][lower == drawn]);
}

static void write_blocks(struct writer *w, const QRcode *code, enum qr_look look)
{
    const bool drawn = look != QR_ON_DARK; // dark modules
    for (int y = -QR_QUIET; y < code->width + QR_QUIET; y += 2) {
        if (look == QR_COLORS)
            writer_text(w, "\033[30;107m"); // black on white
        for (int x = -QR_QUIET; x < code->width + QR_QUIET; x++)
            write_pair(w, is_dark(code, x, y), is_dark(code, x, y + 1), drawn);
        writer_text(w, look == QR_COLORS ? "\033[0m\n" : "\n");
    }
}

static void write_ascii(struct writer *w, const QRcode *code, bool drawn)
{
    for (int y = -QR_QUIET; y < code->width + QR_QUIET; y++) {
        for (int x = -QR_QUIET; x < code->width + QR_QUIET; x++)
            writer_text(w, is_dark(code, x, y) == drawn ? "##" : "  ");
        writer_u8(w, '\n');
    }
}

bool qr_write(struct writer *w, size_t *columns, struct bytes text, enum qr_look look,
              struct err *err)
{
    char content[QR_TEXT_MAX + 1] = { 0 };
    if (text.len > 0 && text.len <= QR_TEXT_MAX)
        memcpy(content, text.ptr, text.len);
    AUTO(free_code)
    QRcode *code = QRcode_encodeString(content, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
    wipe(content, sizeof content);
    if (code == NULL)
        return err_set(err, ERR_LIMIT, "too long for a QR code: %zu bytes", text.len);
    const bool ascii = look == QR_ASCII_DARK || look == QR_ASCII_LIGHT;
    *columns = (size_t)(code->width + 2 * QR_QUIET) * (ascii ? 2 : 1);
    if (ascii)
        write_ascii(w, code, look == QR_ASCII_LIGHT);
    else
        write_blocks(w, code, look);
    return true;
}

// --- The terminal ---

static bool has_blocks(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != 0) // the first that is set decides
            return strcasestr(value, "UTF-8") != NULL || strcasestr(value, "utf8") != NULL;
    }
    return false;
}

// rxvt, konsole and others say "15;0": foreground; background.
static bool background_is_light(void)
{
    const char *colors = getenv("COLORFGBG");
    const char *last = colors != NULL ? strrchr(colors, ';') : NULL;
    return last != NULL && (strcmp(last, ";7") == 0 || strcmp(last, ";15") == 0);
}

static enum qr_look look_of(const struct cli *cli)
{
    if (!has_blocks())
        return background_is_light() ? QR_ASCII_LIGHT : QR_ASCII_DARK;
    if (cli->stdout_is_terminal && cli_has_color(cli))
        return QR_COLORS;
    return background_is_light() ? QR_ON_LIGHT : QR_ON_DARK;
}

static bool fits(const struct cli *cli, size_t columns)
{
    struct winsize size = { 0 };
    return !cli->stdout_is_terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
           size.ws_col == 0 || columns <= size.ws_col;
}

bool qr_put(struct cli *cli, struct bytes text, struct err *err)
{
    struct writer w = writer_growing(cli->arena, PICTURE_MAX);
    size_t columns = 0;
    if (cli->o->json)
        return err_set(err, ERR_USAGE, "--qr is for people, --json for programs");
    if (!qr_write(&w, &columns, text, look_of(cli), err)) {
        cli_note(cli, "No QR code: %zu bytes do not fit into one.", text.len);
        return true;
    }
    if (!fits(cli, columns)) {
        cli_note(cli, "No QR code: it needs a terminal of %zu columns.", columns);
        return true;
    }
    writer_put(&cli->picture, writer_bytes(&w));
    return true;
}

bool qr_may_show_secret(const struct cli *cli, struct err *err)
{
    return (cli->stdout_is_terminal && cli->stderr_is_terminal) ||
           err_set(err, ERR_USAGE, "--qr would show a secret: not where the output is stored");
}
