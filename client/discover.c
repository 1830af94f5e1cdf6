#include "client/discover.h"
#include "base/writer.h"
#include "client/socket_transport.h"
#include "wire/socket_name.h"
#include <dirent.h>

static const char *const folders[] = { "/run/casemate", "/tmp" };

static bool ends_with(const char *text, const char *end)
{
    const size_t len = strlen(text), tail = strlen(end);
    return len >= tail && strcmp(text + len - tail, end) == 0;
}

static bool may_be_signer(const struct dirent *entry)
{
    const char *name = entry->d_name;
    return ends_with(name, ".sock") && strncmp(name, "ckcc-client-", 12) != 0 &&
           strncmp(name, "casemate-client-", 16) != 0 &&
           (entry->d_type == DT_SOCK || entry->d_type == DT_UNKNOWN);
}

static bool add(struct discovery *out, const char *folder, const char *name, struct arena *arena,
                struct err *err)
{
    char path[SOCKET_PATH_MAX + 1];
    const int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (out->n == DISCOVER_MAX || len < 0 || (size_t)len >= sizeof path ||
        !socket_is_listening(path))
        return true;
    const char *kept = arena_text(arena, bytes_of_text(path));
    if (kept == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the list");
    out->items[out->n++] =
        (struct discovered){ kept, "socket", SOCKET_SERIAL, "signer on a socket", NULL };
    return true;
}

static int only_signers(const struct dirent *entry)
{
    return may_be_signer(entry);
}

bool discover_folder(struct discovery *out, const char *folder, struct arena *arena,
                     struct err *err)
{
    struct dirent **entry;
    bool ok = true;
    const int n = scandir(folder, &entry, only_signers, alphasort);
    if (n < 0)
        return true;
    for (int i = 0; i < n; i++) {
        ok = ok && add(out, folder, entry[i]->d_name, arena, err);
        free(entry[i]);
    }
    free(entry);
    return ok;
}

bool discover_sockets(struct discovery *out, struct arena *arena, struct err *err)
{
    out->n = 0;
    for (size_t i = 0; i < COUNT(folders); i++)
        if (!discover_folder(out, folders[i], arena, err))
            return false;
    return true;
}

bool discover_usb(struct discovery *out, struct arena *arena, struct err *err)
{
    struct hid_list *list = arena_alloc(arena, sizeof *list);
    if (list == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the list");
    if (!hid_list_read(list, arena, err))
        return false;
    for (size_t i = 0; i < list->n && out->n < DISCOVER_MAX; i++) {
        const struct hid_found *found = &list->items[i];
        out->items[out->n++] =
            (struct discovered){ found->path, "usb", found->serial, found->product, found };
    }
    return true;
}
