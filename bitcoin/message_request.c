#include "bitcoin/message_request.h"
#include "base/json.h"
#include "base/reader.h"
#include "bitcoin/message.h"

enum { LINES_MAX = 3 };

// The members of a request as they stand in the file; no bytes: left out.
struct parts {
    struct bytes text, path, format;
    bool may_have_lines; // the text
};

// Purpose, and the type that it stands for (BIP-44, BIP-49, BIP-84).
static const struct {
    uint32_t purpose;
    enum addr_format format;
} purposes[] = { { 44, ADDR_P2PKH }, { 49, ADDR_P2SH_P2WPKH }, { 84, ADDR_P2WPKH } };

// --- Forms ---

static bool read_json(struct parts *out, const struct json *json, struct err *err)
{
    const struct json *text = json_get(json, "msg"), *path = json_get(json, "subpath"),
                      *format = json_get(json, "addr_fmt");
    if (text == NULL || text->type != JSON_STRING)
        return err_set(err, ERR_MALFORMED, "MSG required");
    out->text = text->text;
    out->may_have_lines = true;
    if (path != NULL)
        out->path = path->text;
    if (format != NULL)
        out->format = format->text;
    return true;
}

static bool read_lines(struct parts *out, struct bytes file, struct err *err)
{
    struct bytes *const lines[LINES_MAX] = { &out->text, &out->path, &out->format };
    struct reader r = reader_of(file);
    struct bytes line;
    for (size_t n = 0; reader_until(&r, '\n', &line); n++) {
        if (n == LINES_MAX)
            return err_set(err, ERR_MALFORMED, "max 3 lines");
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        *lines[n] = line;
    }
    return true;
}

// False if it is none of this form.
static bool read_command(struct parts *out, struct bytes file)
{
    struct reader r = reader_of(file);
    struct bytes path;
    if (!reader_accept_bytes(&r, BYTES("signmessage ")) || !reader_until(&r, ' ', &path) ||
        !reader_accept_bytes(&r, BYTES("ascii:")))
        return false;
    out->path = path;
    out->text = reader_rest(&r);
    return true;
}

static bool read_parts(struct parts *out, struct bytes file, struct arena *arena, struct err *err)
{
    const struct json *json;
    if (json_parse(&json, file, arena, err) && json->type == JSON_OBJECT)
        return read_json(out, json, err);
    if (err->code == ERR_NO_MEMORY)
        return false;
    return read_command(out, file) || read_lines(out, file, err);
}

// --- What is left out ---

static bool read_format(enum addr_format *out, struct bytes name, struct err *err)
{
    if (addr_format_from_name(out, name))
        for (size_t i = 0; i < COUNT(purposes); i++)
            if (*out == purposes[i].format)
                return true;
    return err_set(err, ERR_MALFORMED,
                   "Invalid address format: '%.*s'\n\nChoose from p2pkh, p2wpkh, p2sh-p2wpkh.",
                   BYTES_ARG(name));
}

static enum addr_format format_of(const struct keypath *path)
{
    for (size_t i = 0; i < COUNT(purposes); i++)
        if (path->depth > 0 && (path->step[0] & ~KEYPATH_HARD) == purposes[i].purpose)
            return purposes[i].format;
    return ADDR_P2PKH;
}

struct keypath message_default_path(enum addr_format format, const struct chain *chain)
{
    struct keypath path = { .depth = 5 };
    for (size_t i = 0; i < COUNT(purposes); i++)
        if (purposes[i].format == format)
            path.step[0] = purposes[i].purpose | KEYPATH_HARD;
    path.step[1] = chain->coin_type | KEYPATH_HARD;
    path.step[2] = KEYPATH_HARD;
    return path;
}

static struct bytes without_line_end(struct bytes file)
{
    if (file.len > 0 && file.ptr[file.len - 1] == '\n')
        file.len--;
    if (file.len > 0 && file.ptr[file.len - 1] == '\r')
        file.len--;
    return file;
}

bool message_request_read(struct message_request *out, struct bytes file, const struct chain *chain,
                          struct arena *arena, struct err *err)
{
    struct parts parts = { .may_have_lines = false };
    if (!read_parts(&parts, without_line_end(file), arena, err) ||
        !message_check(parts.text, MESSAGE_MAX, parts.may_have_lines, err) ||
        (parts.format.len > 0 && !read_format(&out->format, parts.format, err)))
        return false;
    out->text = parts.text;
    if (parts.path.len == 0) {
        if (parts.format.len == 0)
            out->format = ADDR_P2PKH;
        out->path = message_default_path(out->format, chain);
        return true;
    }
    if (!keypath_parse(&out->path, parts.path, err))
        return false;
    if (parts.format.len == 0)
        out->format = format_of(&out->path);
    return true;
}
