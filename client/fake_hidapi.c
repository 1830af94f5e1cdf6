#include "client/fake_hidapi.h"
#include "base/require.h"
#include <hidapi/hidapi.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TEXT_MAX 64

struct hid_device_ {
    struct fake_hid *fake;
    int fd;
    unsigned reads, writes;
};

// hidapi's interface names no context, so that what stands in for the bus is at file scope.
static struct {
    size_t n;
    struct fake_hid items[FAKE_HID_MAX];
    bool is_gone[FAKE_HID_MAX];
    bool wrote_wrong;
    unsigned opened;
} bus;

struct fake_hid *fake_hid_attach(const struct fake_hid *device)
{
    REQUIRE(bus.n < FAKE_HID_MAX);
    bus.is_gone[bus.n] = false;
    bus.items[bus.n] = *device;
    return &bus.items[bus.n++];
}

void fake_hid_detach_all(void)
{
    REQUIRE(bus.opened == 0);
    bus.n = 0;
    bus.wrote_wrong = false;
}

bool fake_hid_writes_were_right(void)
{
    return !bus.wrote_wrong;
}

unsigned fake_hid_opened(void)
{
    return bus.opened;
}

static bool *gone_of(const struct fake_hid *fake)
{
    return &bus.is_gone[fake - bus.items];
}

// For the programs of end-to-end tests: CASEMATE_FAKE_HID="PATH SERIAL SOCKET\n...".
static void attach_from_environment(void)
{
    static char text[4096];
    const char *value = getenv("CASEMATE_FAKE_HID");
    char *rest = text, *line;
    if (bus.n > 0 || value == NULL)
        return;
    REQUIRE(snprintf(text, sizeof text, "%s", value) < (int)sizeof text);
    while ((line = strsep(&rest, "\n")) != NULL) {
        struct fake_hid fake = { .path = strsep(&line, " "), .serial = strsep(&line, " ") };
        fake.socket = strsep(&line, " ");
        if (fake.socket != NULL)
            fake_hid_attach(&fake);
    }
}

// --- Enumeration ---

static wchar_t *widen(const char *text)
{
    wchar_t *wide = calloc(TEXT_MAX, sizeof *wide);
    REQUIRE(wide != NULL && strlen(text) < TEXT_MAX);
    for (size_t i = 0; text[i] != 0; i++)
        wide[i] = (unsigned char)text[i];
    return wide;
}

static struct hid_device_info *describe(const struct fake_hid *fake, struct hid_device_info *next)
{
    struct hid_device_info *info = calloc(1, sizeof *info);
    REQUIRE(info != NULL);
    *info = (struct hid_device_info){ .path = strdup(fake->path),
                                      .vendor_id = fake->is_foreign ? 0x1234 : 0xd13e,
                                      .product_id = 0xcc10,
                                      .serial_number = fake->serial ? widen(fake->serial) : NULL,
                                      .release_number = 0x0202,
                                      .manufacturer_string = widen("Coinkite"),
                                      .product_string = widen("Coldcard Wallet"),
                                      .usage_page = 0x10cc,
                                      .usage = 1,
                                      .interface_number = 3,
                                      .next = next };
    return info;
}

struct hid_device_info *hid_enumerate(unsigned short vendor_id, unsigned short product_id)
{
    struct hid_device_info *first = NULL;
    attach_from_environment();
    for (size_t i = 0; i < bus.n; i++) {
        if (bus.is_gone[i] || (bus.items[i].is_foreign && vendor_id == 0xd13e) ||
            product_id != 0xcc10)
            continue;
        first = describe(&bus.items[i], first);
        first = describe(&bus.items[i], first); // once for each usage, as the real one does
    }
    return first;
}

void hid_free_enumeration(struct hid_device_info *devs)
{
    while (devs != NULL) {
        struct hid_device_info *next = devs->next;
        free(devs->path);
        free(devs->serial_number);
        free(devs->manufacturer_string);
        free(devs->product_string);
        free(devs);
        devs = next;
    }
}

// --- One device ---

static int connect_to(const char *path)
{
    struct sockaddr_un own = { .sun_family = AF_UNIX }, server = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0 && strlen(path) < sizeof server.sun_path);
    memcpy(server.sun_path, path, strlen(path));
    // A name of the kernel's choice: a signer answers nobody who has none.
    REQUIRE(bind(fd, (const struct sockaddr *)&own, sizeof own.sun_family) == 0);
    if (connect(fd, (const struct sockaddr *)&server, sizeof server) == 0)
        return fd;
    close(fd);
    return -1;
}

hid_device *hid_open_path(const char *path)
{
    for (size_t i = 0; i < bus.n; i++) {
        struct fake_hid *fake = &bus.items[i];
        if (bus.is_gone[i] || fake->is_closed || strcmp(fake->path, path) != 0)
            continue;
        const int fd = connect_to(fake->socket);
        hid_device *device = fd >= 0 ? calloc(1, sizeof *device) : NULL;
        if (device == NULL)
            return NULL;
        *device = (hid_device){ .fake = fake, .fd = fd };
        bus.opened++;
        return device;
    }
    return NULL;
}

void hid_close(hid_device *dev)
{
    close(dev->fd);
    free(dev);
    bus.opened--;
}

// The fault of this call; 0 where there is none.
static enum fake_hid_fault fault_of(const hid_device *dev, unsigned call, enum fake_hid_fault fault)
{
    if (*gone_of(dev->fake))
        return FAKE_HID_UNPLUG;
    if (dev->fake->nth == 0 || dev->fake->nth != call)
        return FAKE_HID_NONE;
    if (fault == FAKE_HID_UNPLUG)
        *gone_of(dev->fake) = true;
    return fault;
}

int hid_write(hid_device *dev, const unsigned char *data, size_t length)
{
    const enum fake_hid_fault fault = fault_of(dev, ++dev->writes, dev->fake->on_write);
    if (fault == FAKE_HID_UNPLUG || fault == FAKE_HID_FAIL)
        return -1;
    if (fault == FAKE_HID_SHORT_WRITE)
        return (int)length - 1;
    bus.wrote_wrong = bus.wrote_wrong || length != 65 || data[0] != 0;
    return send(dev->fd, data + 1, length - 1, 0) < 0 ? -1 : (int)length;
}

int hid_read_timeout(hid_device *dev, unsigned char *data, size_t length, int milliseconds)
{
    struct pollfd pfd = { .fd = dev->fd, .events = POLLIN };
    if (*gone_of(dev->fake))
        return -1;
    if (poll(&pfd, 1, milliseconds) == 0)
        return 0;
    const enum fake_hid_fault fault = fault_of(dev, ++dev->reads, dev->fake->on_read);
    if (fault == FAKE_HID_UNPLUG || fault == FAKE_HID_FAIL)
        return -1;
    const int n = (int)recv(dev->fd, data, length, 0);
    return fault == FAKE_HID_SHORT_READ ? n - 1 : fault == FAKE_HID_LONG_READ ? n + 1 : n;
}

const wchar_t *hid_error(hid_device *dev)
{
    return dev != NULL ? L"Input/output error" : L"cannot be opened";
}
