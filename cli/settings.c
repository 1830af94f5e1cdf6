#include "cli/settings.h"
#include "base/conf.h"
#include "base/file.h"
#include "base/writer.h"

#define SYSTEM_FILE "/etc/casemate/casemate.conf"
#define PATH_LIMIT  4096

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != 0 ? value : NULL;
}

// --- The file ---

static const char *in_folder(const char *folder, const char *file, struct arena *arena)
{
    struct writer w = writer_growing(arena, PATH_LIMIT);
    if (folder == NULL || folder[0] != '/') // XDG: "all paths must be absolute"
        return NULL;
    writer_printf(&w, "%s/%s", folder, file);
    return w.failed ? NULL : arena_text(arena, writer_bytes(&w));
}

static const char *own_file(struct arena *arena)
{
    const char *config = from_environment("XDG_CONFIG_HOME");
    return config != NULL
               ? in_folder(config, "casemate/casemate.conf", arena)
               : in_folder(from_environment("HOME"), ".config/casemate/casemate.conf", arena);
}

// The text of the file that counts; no bytes where there is none.
static bool find_file(struct bytes *text, const char **path, const char *given, struct arena *arena,
                      struct err *err)
{
    const char *const places[] = { own_file(arena), SYSTEM_FILE };
    *text = (struct bytes){ 0 };
    *path = given;
    if (given != NULL)
        return file_read(text, given, CONF_FILE_MAX, arena, err);
    for (size_t i = 0; i < COUNT(places); i++) {
        *path = places[i];
        if (places[i] == NULL)
            continue;
        if (file_read(text, places[i], CONF_FILE_MAX, arena, err))
            return true;
        if (err->code != ERR_NOT_FOUND)
            return false;
    }
    return true;
}

static bool keep(const char **out, struct bytes value, struct arena *arena, struct err *err)
{
    *out = value.len > 0 ? arena_text(arena, value) : NULL;
    return *out != NULL || value.len == 0 || err_set(err, ERR_NO_MEMORY, "no memory for settings");
}

static bool read_file(struct settings *out, const char *given, struct arena *arena, struct err *err)
{
    struct bytes text, socket = { 0 }, serial = { 0 }, pin = { 0 };
    struct conf conf;
    const char *path;
    if (!find_file(&text, &path, given, arena, err))
        return false;
    if (text.len == 0)
        return true;
    if (!conf_parse(&conf, path, text, arena, err) ||
        !conf_text(&conf, "", "", "socket", &socket, err) ||
        !conf_text(&conf, "", "", "serial", &serial, err) ||
        !conf_text(&conf, "", "", "pin_xpub", &pin, err) || !conf_finish(&conf, err))
        return false;
    if (socket.len > 0 && serial.len > 0)
        return err_set(err, ERR_USAGE, "%s: both socket and serial: which is it?", path);
    return keep(&out->socket, socket, arena, err) && keep(&out->serial, serial, arena, err) &&
           keep(&out->pin_xpub, pin, arena, err);
}

// --- All of it ---

// "Precedence: -c over -x over -s", and CASEMATE_SOCKET over CASEMATE_SERIAL.
static void choose(struct settings *out, const struct options *o)
{
    const char *socket = from_environment("CASEMATE_SOCKET");
    const char *serial = from_environment("CASEMATE_SERIAL");
    struct settings device = { .pin_xpub = out->pin_xpub };
    if (o->socket != NULL)
        device.socket = o->socket;
    else if (o->simulator)
        device.simulator = true;
    else if (o->serial != NULL)
        device.serial = o->serial;
    else if (socket != NULL)
        device.socket = socket;
    else if (serial != NULL)
        device.serial = serial;
    else
        return; // as the file says
    *out = device;
}

bool settings_read(struct settings *out, const struct options *o, struct arena *arena,
                   struct err *err)
{
    const char *pin = o->pin_xpub != NULL ? o->pin_xpub : from_environment("CASEMATE_PIN_XPUB");
    *out = (struct settings){ 0 };
    if (!read_file(out, o->config, arena, err))
        return false;
    choose(out, o);
    if (pin != NULL)
        out->pin_xpub = pin;
    return true;
}
