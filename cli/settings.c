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
    struct file_key {
        const char *name;
        const char **out;
    } keys[] = {
        { "socket", &out->socket },     { "serial", &out->serial },
        { "bunker", &out->bunker },     { "pin_xpub", &out->pin_xpub },
        { "tls_cert", &out->tls_cert }, { "tls_key", &out->tls_key },
        { "tls_ca", &out->tls_ca },     { "tls_pin", &out->tls_pin },
    };
    struct bytes text;
    struct conf conf;
    const char *path;
    if (!find_file(&text, &path, given, arena, err))
        return false;
    if (text.len == 0)
        return true;
    if (!conf_parse(&conf, path, text, arena, err))
        return false;
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct bytes value = { 0 };
        if (!conf_text(&conf, "", "", keys[i].name, &value, err) ||
            !keep(keys[i].out, value, arena, err))
            return false;
    }
    if (!conf_finish(&conf, err))
        return false;
    if (out->socket != NULL && out->serial != NULL)
        return err_set(err, ERR_USAGE, "%s: both socket and serial: which is it?", path);
    return out->bunker == NULL || (out->socket == NULL && out->serial == NULL) ||
           err_set(err, ERR_USAGE, "%s: bunker, and socket or serial: which is it?", path);
}

// --- All of it ---

// "Precedence: -c over -x over -s", and CASEMATE_BUNKER over CASEMATE_SOCKET over CASEMATE_SERIAL.
static void choose(struct settings *out, const struct options *o)
{
    const char *bunker = from_environment("CASEMATE_BUNKER");
    const char *socket = from_environment("CASEMATE_SOCKET");
    const char *serial = from_environment("CASEMATE_SERIAL");
    struct settings device = *out;
    device.socket = device.serial = device.bunker = NULL;
    if (o->bunker != NULL)
        device.bunker = o->bunker;
    else if (o->socket != NULL)
        device.socket = o->socket;
    else if (o->simulator)
        device.simulator = true;
    else if (o->serial != NULL)
        device.serial = o->serial;
    else if (bunker != NULL)
        device.bunker = bunker;
    else if (socket != NULL)
        device.socket = socket;
    else if (serial != NULL)
        device.serial = serial;
    else
        return; // as the file says
    *out = device;
}

static void choose_files(struct settings *out, const struct options *o)
{
    out->tls_cert = o->tls_cert != NULL ? o->tls_cert : out->tls_cert;
    out->tls_key = o->tls_key != NULL ? o->tls_key : out->tls_key;
    // Who is trusted is said in one place: an authority of the file does not join a pin of the command line.
    if (o->tls_ca != NULL || o->tls_pin != NULL) {
        out->tls_ca = o->tls_ca;
        out->tls_pin = o->tls_pin;
    }
}

bool settings_read(struct settings *out, const struct options *o, struct arena *arena,
                   struct err *err)
{
    const char *pin = o->pin_xpub != NULL ? o->pin_xpub : from_environment("CASEMATE_PIN_XPUB");
    *out = (struct settings){ 0 };
    if (o->bunker != NULL && (o->socket != NULL || o->serial != NULL || o->simulator))
        return err_set(err, ERR_USAGE, "--bunker and another device: which is it?");
    if (!read_file(out, o->config, arena, err))
        return false;
    choose(out, o);
    choose_files(out, o);
    if (pin != NULL)
        out->pin_xpub = pin;
    return true;
}
