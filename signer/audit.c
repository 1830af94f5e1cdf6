#include "signer/audit.h"
#include "base/file.h"
#include "base/require.h"
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

// Half a record would read as a whole one cut by somebody else. If the card is gone, so be it.
static void cut_back(struct audit *audit)
{
    if (ftruncate(audit->file, audit->start) == 0)
        (void)fsync(audit->file);
    audit_cancel(audit);
}

bool audit_append(struct audit_list *list, struct audit *audit, struct bytes record,
                  struct err *err)
{
    REQUIRE(list->n < AUDIT_TOGETHER_MAX);
    if (!file_write_fd(audit->file, "card", record, err)) {
        cut_back(audit);
        return false;
    }
    list->items[list->n++] = *audit;
    *audit = (struct audit){ 0 };
    return true;
}

// A new file's name is on the disk only when its folder is.
static bool flush_folder(const struct audit_list *list, size_t i)
{
    struct stat st, before;
    if (!list->items[i].made || fstat(list->items[i].folder, &st) != 0)
        return !list->items[i].made;
    for (size_t k = 0; k < i; k++) // that one is new, too: its folder is flushed already
        if (list->items[k].made && fstat(list->items[k].folder, &before) == 0 &&
            before.st_dev == st.st_dev && before.st_ino == st.st_ino)
            return true;
    return fsync(list->items[i].folder) == 0;
}

static bool flush_all(const struct audit_list *list)
{
    // On their way all at once, so that the first wait is for all of them.
    for (size_t i = 0; i < list->n && list->n > 1; i++)
        (void)sync_file_range(list->items[i].file, 0, 0, SYNC_FILE_RANGE_WRITE);
    for (size_t i = 0; i < list->n; i++)
        if (fsync(list->items[i].file) != 0)
            return false;
    for (size_t i = 0; i < list->n; i++)
        if (!flush_folder(list, i))
            return false;
    return true;
}

bool audit_flush(struct audit_list *list, struct err *err)
{
    const bool ok = flush_all(list) || unusable(err, errno);
    while (list->n > 0) { // the last first: several may be in one file
        struct audit *audit = &list->items[--list->n];
        if (ok)
            close_both(audit);
        else
            cut_back(audit);
    }
    return ok;
}

bool audit_save(struct audit *audit, struct bytes record, struct err *err)
{
    struct audit_list one = { .n = 0 };
    return audit_append(&one, audit, record, err) && audit_flush(&one, err);
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
