#include "client/hid_transport.h"
#include "base/require.h"
#include "base/secret.h"
#include "base/writer.h"
#include "wire/frame.h"
#include <errno.h>
#include <fcntl.h>
#include <hidapi/hidapi.h>
#include <sys/file.h>

#define REPORT_LEN (1 + PACKET_LEN) // "a report-number byte 00 followed by the 64 packet bytes"
#define SLICE_MS   50               // hidapi's read knows no cancel_fd: it is looked at that often
#define LOCK_MS    100              // between two tries
#define LIST_ARENA ((size_t)64 << 10)
#define TEXT_SIZE  128

struct hid_transport {
    struct transport base;
    hid_device *device;
    int lock_fd;
    char path[256];
    uint8_t packet[REPORT_LEN]; // one more than a packet, to see that a report is too long
};

static struct hid_transport *of(struct transport *t)
{
    return (struct hid_transport *)t;
}

// --- What is attached ---

static void narrow(char out[static TEXT_SIZE], const wchar_t *text)
{
    size_t n = 0;
    for (; text != NULL && text[n] != 0 && n + 1 < TEXT_SIZE; n++)
        out[n] = text[n] >= 0x20 && text[n] < 0x7f ? (char)text[n] : '?';
    out[n] = 0;
}

static const char *keep_text(struct arena *arena, const wchar_t *text)
{
    char narrowed[TEXT_SIZE];
    narrow(narrowed, text);
    return arena_text(arena, bytes_of_text(narrowed));
}

static bool keep(struct hid_found *out, const struct hid_device_info *info, struct arena *arena)
{
    *out = (struct hid_found){
        .path = arena_text(arena, bytes_of_text(info->path)),
        .serial = keep_text(arena, info->serial_number),
        .manufacturer = keep_text(arena, info->manufacturer_string),
        .product = keep_text(arena, info->product_string),
        .interface_number = info->interface_number,
        .release = info->release_number,
        .usage_page = info->usage_page,
        .usage = info->usage,
    };
    return out->path != NULL && out->serial != NULL && out->manufacturer != NULL &&
           out->product != NULL;
}

static int by_serial(const void *a, const void *b)
{
    const struct hid_found *x = a, *y = b;
    const int order = strcmp(x->serial, y->serial);
    return order != 0 ? order : strcmp(x->path, y->path);
}

// hidapi lists a node once for each usage of its reports.
static bool is_listed(const struct hid_list *list, const char *path)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->items[i].path, path) == 0)
            return true;
    return false;
}

bool hid_list_read(struct hid_list *out, struct arena *arena, struct err *err)
{
    struct hid_device_info *all = hid_enumerate(HID_VENDOR, HID_PRODUCT);
    bool ok = true;
    out->n = 0;
    for (const struct hid_device_info *info = all; ok && info != NULL; info = info->next) {
        if (out->n == HID_MAX || info->path == NULL || is_listed(out, info->path))
            continue;
        ok = keep(&out->items[out->n], info, arena);
        out->n += ok;
    }
    hid_free_enumeration(all);
    qsort(out->items, out->n, sizeof out->items[0], by_serial);
    return ok || err_set(err, ERR_NO_MEMORY, "no memory for the list");
}

static bool is_attached(const char *path)
{
    AUTO(arena_freep) struct arena *arena = arena_new(LIST_ARENA);
    struct hid_list list;
    struct err ignored;
    return hid_list_read(&list, arena, &ignored) && is_listed(&list, path);
}

// --- Packets ---

static bool failed(const struct hid_transport *h, const char *doing, struct err *err)
{
    char why[TEXT_SIZE];
    if (!is_attached(h->path))
        return err_set(err, ERR_NOT_FOUND, "Coldcard %s: unplugged", h->base.serial);
    narrow(why, hid_error(h->device));
    return err_set(err, ERR_IO, "Coldcard %s: %s: %s", h->base.serial, doing, why);
}

static bool hid_send(struct transport *t, struct bytes packet, struct err *err)
{
    struct hid_transport *h = of(t);
    uint8_t report[REPORT_LEN] = { 0 };
    REQUIRE(packet.len == PACKET_LEN);
    memcpy(report + 1, packet.ptr, packet.len);
    const int n = hid_write(h->device, report, sizeof report);
    wipe(report, sizeof report);
    if (n < 0)
        return failed(h, "write", err);
    // "The Python client asserts that the write returned 65."
    return n == REPORT_LEN || err_set(err, ERR_IO, "Coldcard %s: %d bytes of a report of %d taken",
                                      h->base.serial, n, REPORT_LEN);
}

static int slice_of(int timeout_ms, int64_t start_ms)
{
    if (timeout_ms < 0)
        return SLICE_MS;
    const int64_t left_ms = timeout_ms - (wait_now_ms() - start_ms);
    return left_ms <= 0 ? 0 : left_ms < SLICE_MS ? (int)left_ms : SLICE_MS;
}

static bool hid_receive(struct transport *t, struct bytes *out, int timeout_ms, struct err *err)
{
    struct hid_transport *h = of(t);
    const int64_t start_ms = wait_now_ms();
    for (;;) {
        const int slice_ms = slice_of(timeout_ms, start_ms);
        const int n = hid_read_timeout(h->device, h->packet, sizeof h->packet, slice_ms);
        if (n < 0)
            return failed(h, "read", err);
        *out = bytes_of(h->packet, (size_t)n);
        if (n > 0)
            return true;
        if (!wait_pause(0, t->cancel_fd, err))
            return false;
        if (slice_ms == 0)
            return err_set(err, ERR_TIMEOUT, "no answer within %d ms", timeout_ms);
    }
}

static void hid_free(struct transport *t)
{
    struct hid_transport *h = of(t);
    if (h->device != NULL)
        hid_close(h->device);
    if (h->lock_fd >= 0)
        close(h->lock_fd); // and unlocks
    free(h);
}

static const struct transport_ops hid_ops = {
    .name = "usb",
    .send = hid_send,
    .receive = hid_receive,
    .free = hid_free,
};

// --- Opening ---

static bool denied(const char *path, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND,
                   "%s: permission denied (the udev rule gives it to the group casemate and to "
                   "who sits at the machine)",
                   path);
}

// "Take an advisory lock per USB device (serial) for the time of the connection"
static bool lock(struct hid_transport *h, int lock_ms, struct err *err)
{
    const int64_t start_ms = wait_now_ms();
    h->lock_fd = open(h->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (h->lock_fd < 0)
        return errno == EACCES ? denied(h->path, err) : err_set_errno(err, errno, "%s", h->path);
    while (flock(h->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_set_errno(err, errno, "%s", h->path);
        if (lock_ms >= 0 && wait_now_ms() - start_ms >= lock_ms)
            return err_set(err, ERR_BUSY, "Coldcard %s: another program is using it",
                           h->base.serial);
        if (!wait_pause(LOCK_MS, h->base.cancel_fd, err))
            return false;
    }
    return true;
}

static bool choose(struct hid_transport *h, const char *serial, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(LIST_ARENA);
    struct hid_list list;
    size_t i = 0;
    if (!hid_list_read(&list, arena, err))
        return false;
    while (serial != NULL && i < list.n && strcmp(list.items[i].serial, serial) != 0)
        i++;
    if (i == list.n)
        return serial == NULL
                   ? err_set(err, ERR_NOT_FOUND, "no Coldcard is attached")
                   : err_set(err, ERR_NOT_FOUND, "no Coldcard with the serial number %s", serial);
    snprintf(h->base.serial, sizeof h->base.serial, "%s", list.items[i].serial);
    if (strlen(list.items[i].path) >= sizeof h->path)
        return err_set(err, ERR_LIMIT, "%s: the path is too long", list.items[i].path);
    memcpy(h->path, list.items[i].path, strlen(list.items[i].path) + 1);
    return true;
}

bool hid_transport_open(struct transport **out, const struct hid_choice *choice, int cancel_fd,
                        struct err *err)
{
    struct hid_transport *h = calloc(1, sizeof *h);
    REQUIRE(h != NULL);
    h->base = (struct transport){ .ops = &hid_ops, .cancel_fd = cancel_fd };
    h->lock_fd = -1;
    AUTO(transport_freep) struct transport *t = &h->base;
    if (!choose(h, choice->serial, err) || !lock(h, choice->lock_ms, err))
        return false; // NOLINT(clang-analyzer-unix.Malloc): transport_freep frees it
    h->device = hid_open_path(h->path);
    if (h->device == NULL)
        return failed(h, "open", err);
    *out = t;
    t = NULL; // the caller's now
    return true;
}
