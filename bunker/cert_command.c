#include "bunker/cert_command.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/reader.h"
#include <errno.h>
#include <sys/stat.h>

#define CA_DAYS   3650
#define LEAF_DAYS 825
#define CA_NAME   "Casemate signer link"
#define FILE_MODE 0600
#define PATH_SIZE 4096

// --- Words ---

static const struct {
    const char *what;
    size_t min_names, max_names;
    enum certificate_kind kind;
} kinds[] = {
    { "ca", 0, 1, CERTIFICATE_AUTHORITY },
    { "server", 1, CERTIFICATE_NAMES_MAX, CERTIFICATE_SERVER },
    { "client", 1, 1, CERTIFICATE_CLIENT },
};

static bool take_days(struct cert_command *out, const char *days, struct err *err)
{
    struct reader r = reader_of(bytes_of_text(days));
    uint32_t n;
    if (days == NULL)
        return true;
    if (!reader_decimal(&r, CERTIFICATE_DAYS_MAX, &n) || !reader_done(&r) || n == 0)
        return err_set(err, ERR_USAGE, "--days: '%s' is not 1 to %d", days, CERTIFICATE_DAYS_MAX);
    out->days = n;
    return true;
}

static bool count_fits(const struct cert_command *c)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strcmp(c->what, kinds[i].what) == 0)
            return c->n_names >= kinds[i].min_names && c->n_names <= kinds[i].max_names;
    return strcmp(c->what, "show") == 0 && c->n_names == 0;
}

bool cert_command_parse(struct cert_command *out, const char *const *words, size_t n,
                        const char *days, struct err *err)
{
    static const char wanted[] = "cert: wants ca FOLDER [NAME], server FOLDER NAME ..., client "
                                 "FOLDER NAME, or show FILE";
    *out = (struct cert_command){ 0 };
    if (n < 2 || n - 2 > CERTIFICATE_NAMES_MAX)
        return err_set(err, ERR_USAGE, "%s", wanted);
    out->what = words[0];
    out->path = words[1];
    for (; out->n_names < n - 2; out->n_names++)
        out->names[out->n_names] = words[2 + out->n_names];
    return count_fits(out) ? take_days(out, days, err) : err_set(err, ERR_USAGE, "%s", wanted);
}

// --- Files ---

struct files {
    char certificate[PATH_SIZE], key[PATH_SIZE];
};

static bool name_files(struct files *out, const char *folder, const char *name, struct err *err)
{
    const int a = snprintf(out->certificate, sizeof out->certificate, "%s/%s.crt", folder, name);
    const int b = snprintf(out->key, sizeof out->key, "%s/%s.key", folder, name);
    return (a > 0 && (size_t)a < sizeof out->certificate && b > 0 && (size_t)b < sizeof out->key &&
            strchr(name, '/') == NULL) ||
           err_set(err, ERR_USAGE, "cert: '%s' is no name of a file", name);
}

static bool is_free(const char *path, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) == 0)
        return err_set(err, ERR_EXISTS, "%s: is there already", path);
    return errno == ENOENT || err_set_errno(err, errno, "%s", path);
}

static bool write_files(const struct files *f, const struct certificate_pem *pem, struct err *err)
{
    return file_create(f->key, pem->key, FILE_MODE, err) &&
           file_create(f->certificate, pem->certificate, FILE_MODE, err);
}

static bool read_authority(struct certificate_pem *out, const char *folder, struct arena *arena,
                           struct err *err)
{
    struct files f;
    return name_files(&f, folder, "ca", err) &&
           file_read(&out->certificate, f.certificate, CERTIFICATE_PEM_MAX, arena, err) &&
           file_read(&out->key, f.key, CERTIFICATE_PEM_MAX, arena, err);
}

// --- The commands ---

static bool write_pin(struct writer *w, struct bytes pem, struct err *err)
{
    struct hash256 hash;
    if (!certificate_fingerprint(&hash, pem, err))
        return false;
    writer_text(w, "sha256: ");
    writer_hex(w, BYTES_OF(hash.b));
    writer_text(w, "\n");
    return true;
}

static bool make(const struct cert_command *c, enum certificate_kind kind, int64_t now_s,
                 struct writer *w, struct arena *arena, struct err *err)
{
    const bool is_authority = kind == CERTIFICATE_AUTHORITY;
    struct certificate_wish wish = { .kind = kind, .n_names = c->n_names, .now_s = now_s };
    struct certificate_pem issuer, made;
    struct files f;
    memcpy(wish.names, c->names, sizeof wish.names);
    wish.days = c->days > 0 ? c->days : is_authority ? CA_DAYS : LEAF_DAYS;
    if (c->n_names == 0) {
        wish.names[0] = CA_NAME;
        wish.n_names = 1;
    }
    if (is_authority && mkdir(c->path, 0700) != 0 && errno != EEXIST)
        return err_set_errno(err, errno, "%s", c->path);
    if (!name_files(&f, c->path, is_authority ? "ca" : c->names[0], err) ||
        !is_free(f.certificate, err) || !is_free(f.key, err) ||
        (!is_authority && !read_authority(&issuer, c->path, arena, err)) ||
        !certificate_make(&made, &wish, is_authority ? NULL : &issuer, arena, err) ||
        !write_files(&f, &made, err))
        return false;
    writer_printf(w, "certificate: %s\nkey: %s\n", f.certificate, f.key);
    return write_pin(w, made.certificate, err);
}

static bool show(const struct cert_command *c, struct writer *w, struct arena *arena,
                 struct err *err)
{
    struct bytes pem;
    return file_read(&pem, c->path, CERTIFICATE_PEM_MAX, arena, err) &&
           (write_pin(w, pem, err) || err_within(err, "%s", c->path));
}

bool cert_command_run(const struct cert_command *c, int64_t now_s, struct writer *w,
                      struct arena *arena, struct err *err)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strcmp(c->what, kinds[i].what) == 0)
            return make(c, kinds[i].kind, now_s, w, arena, err);
    return show(c, w, arena, err);
}
