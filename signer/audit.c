#include "signer/audit.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { FOLDER_MODE = 0750, FILE_MODE = 0640 };
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

// Always ERR_IO: only the absent card itself is ERR_NOT_FOUND.
static bool unusable(struct err *err, int errnum)
{
    err_set_errno(err, errnum, "card");
    err->code = ERR_IO;
    return false;
}

static bool open_card(int *out, int state_dir_fd, struct err *err)
{
    *out = openat(state_dir_fd, AUDIT_CARD_DIR, FOLDER_FLAGS);
    if (*out >= 0)
        return true;
    return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "no card") : unusable(err, errno);
}

bool audit_has_card(int state_dir_fd)
{
    struct err err;
    int card;
    if (!open_card(&card, state_dir_fd, &err))
        return false;
    (void)close(card);
    return true;
}

// policy.md 17.1: "directory `psbt` for transactions (BIP-322 included) and `messages` for text
// messages, made if missing"
static bool open_folder(int *out, int card, const char *name, struct err *err)
{
    const bool made = mkdirat(card, name, FOLDER_MODE) == 0;
    if (!made && errno != EEXIST)
        return unusable(err, errno);
    if (made && fsync(card) != 0)
        return unusable(err, errno);
    *out = openat(card, name, FOLDER_FLAGS);
    return *out >= 0 || unusable(err, errno);
}

static bool open_file(struct audit *audit, struct err *err)
{
    const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    audit->file = openat(audit->folder, audit->name, flags | O_CREAT | O_EXCL, FILE_MODE);
    audit->made = audit->file >= 0;
    if (!audit->made && errno == EEXIST)
        audit->file = openat(audit->folder, audit->name, flags);
    return audit->file >= 0 || unusable(err, errno);
}

// A second name could be any file of this user's that lies on the same disk.
static bool check_file(struct audit *audit, struct err *err)
{
    struct stat st;
    if (fstat(audit->file, &st) != 0)
        return unusable(err, errno);
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(err, ERR_IO, "card: %s is not a plain file of one name", audit->name);
    audit->start = st.st_size;
    return true;
}

static void close_both(struct audit *audit)
{
    if (audit->file >= 0)
        (void)close(audit->file);
    if (audit->folder >= 0)
        (void)close(audit->folder);
    *audit = (struct audit){ 0 };
}

bool audit_open(struct audit *out, int state_dir_fd, enum audit_kind kind,
                const struct hash256 *digest, struct err *err)
{
    struct audit audit = { .folder = -1, .file = -1, .open = true };
    int card;
    audit_file_name(audit.name, digest);
    if (!open_card(&card, state_dir_fd, err))
        return false;
    const char *folder = kind == AUDIT_PSBT ? AUDIT_DIR_TRANSACTIONS : AUDIT_DIR_MESSAGES;
    const bool opened = open_folder(&audit.folder, card, folder, err) && open_file(&audit, err) &&
                        check_file(&audit, err);
    (void)close(card);
    if (opened)
        *out = audit;
    else
        close_both(&audit);
    return opened;
}

// A new file's name is on the disk only when its folder is.
static bool flush(const struct audit *audit, struct err *err)
{
    if (fsync(audit->file) != 0 || (audit->made && fsync(audit->folder) != 0))
        return unusable(err, errno);
    return true;
}

bool audit_save(struct audit *audit, struct bytes record, struct err *err)
{
    const bool saved = file_write_fd(audit->file, "card", record, err) && flush(audit, err);
    // Half a record would read as a whole one cut by somebody else. If the card is gone, so be it.
    if (!saved && ftruncate(audit->file, audit->start) == 0)
        (void)fsync(audit->file);
    if (saved)
        close_both(audit);
    else
        audit_cancel(audit);
    return saved;
}

void audit_cancel(struct audit *audit)
{
    struct stat st;
    if (!audit->open)
        return;
    if (audit->made && fstat(audit->file, &st) == 0 && st.st_size == 0)
        (void)unlinkat(audit->folder, audit->name, 0);
    close_both(audit);
}
