#include "wire/socket_name.h"

#define PID_LONGEST 4194304 // Linux: the largest pid_max

// The offset of the first (last) `c`; `none` without one.
static size_t first(struct bytes text, char c, size_t none)
{
    const uint8_t *at = text.len > 0 ? memchr(text.ptr, c, text.len) : NULL;
    return at != NULL ? (size_t)(at - text.ptr) : none;
}

static size_t last(struct bytes text, char c, size_t none)
{
    for (size_t i = text.len; i > 0; i--)
        if (text.ptr[i - 1] == (uint8_t)c)
            return i - 1;
    return none;
}

struct bytes socket_name_tag(struct bytes server_path)
{
    const struct bytes stem = bytes_slice(server_path, 0, first(server_path, '.', SIZE_MAX));
    const size_t dash = last(stem, '-', SIZE_MAX);
    return dash == SIZE_MAX ? stem : bytes_slice(stem, dash + 1, SIZE_MAX);
}

static bool has_slash(struct bytes text)
{
    return first(text, '/', SIZE_MAX) != SIZE_MAX;
}

void socket_name_client(struct writer *w, struct bytes server_path, uint32_t pid, unsigned n)
{
    const size_t start = w->len;
    const struct bytes tag = socket_name_tag(server_path);
    writer_text(w, "/tmp/ckcc-client-");
    // With a slash in it there would be no such directory: then ours is without a tag.
    if (!bytes_equal_text(server_path, SOCKET_NAME_DEFAULT) && !has_slash(tag)) {
        writer_put(w, tag);
        writer_u8(w, '-');
    }
    writer_printf(w, "%u-%u.sock", (unsigned)pid, n);
    if (w->len - start > SOCKET_PATH_MAX)
        w->failed = true;
}

bool socket_name_suits_clients(struct bytes server_path)
{
    uint8_t mem[2 * SOCKET_PATH_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    struct bytes path;
    if (bytes_equal_text(server_path, SOCKET_NAME_DEFAULT))
        return true;
    if (server_path.len == 0 || server_path.len > SOCKET_PATH_MAX ||
        has_slash(socket_name_tag(server_path)))
        return false;
    socket_name_client(&w, server_path, PID_LONGEST, 4);
    return writer_finish(&w, &path);
}

void socket_name_beside(struct writer *w, struct bytes server_path, uint32_t pid, unsigned n,
                        uint32_t random)
{
    const size_t start = w->len;
    const size_t slash = last(server_path, '/', SIZE_MAX);
    if (slash != SIZE_MAX)
        writer_put(w, bytes_slice(server_path, 0, slash + 1));
    writer_printf(w, "casemate-client-%u-%u-%08x.sock", (unsigned)pid, n, (unsigned)random);
    if (w->len - start > SOCKET_PATH_MAX)
        w->failed = true;
}
