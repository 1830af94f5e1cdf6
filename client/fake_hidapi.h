// client/fake_hidapi.h -- Coldcards for tests: hidapi's own functions, linked in libhidapi's place.
//
// Behind each device stands a signer's socket: a report that is written becomes a datagram, without
// its report number, and the answers come back as reports. What goes wrong on USB is made to order.
// Not for threads; hidapi is not either.
#ifndef CASEMATE_CLIENT_FAKE_HIDAPI_H
#define CASEMATE_CLIENT_FAKE_HIDAPI_H
#include "base/bytes.h"

#define FAKE_HID_MAX 8

enum fake_hid_fault {
    FAKE_HID_NONE,
    FAKE_HID_UNPLUG,      // the call fails, and the device is gone from the list
    FAKE_HID_FAIL,        // the call fails, the device stays
    FAKE_HID_SHORT_WRITE, // a write that takes only 64 of 65 bytes
    FAKE_HID_SHORT_READ,  // a report of 63 bytes
    FAKE_HID_LONG_READ,   // of 65
};

struct fake_hid {
    const char *path;   // an existing file, since it is locked
    const char *serial; // ASCII; NULL: the device has none
    const char *socket; // of the signer behind it
    bool is_foreign;    // another vendor's
    bool is_closed;     // may be listed, not opened
    enum fake_hid_fault on_write, on_read;
    unsigned nth; // write or read, from 1, on which it happens; 0: never
};

// Attaches a copy; texts are borrowed. Returns the device, whose members tests may change.
struct fake_hid *fake_hid_attach(const struct fake_hid *device);
void fake_hid_detach_all(void);

// Every write so far was 65 bytes with report number 0 in front.
bool fake_hid_writes_were_right(void);
unsigned fake_hid_opened(void); // devices that are open now

#endif
