// signer/panel_backend.h -- what a panel sees of the device and does to it.
#ifndef CASEMATE_SIGNER_PANEL_BACKEND_H
#define CASEMATE_SIGNER_PANEL_BACKEND_H
#include "signer/device.h"
#include "signer/panel_server.h"

// screen, keys, text and menu for a device. The simulator adds advance, set and reset.
struct panel_backend panel_backend_of(struct device *device);

// Keys as the panel or `XKEY` sends them: `y`, `x`, digits, in order.
// Fails: ERR_INVALID naming a key that there is not; none is taken then.
MUST_CHECK bool panel_press(struct device *device, struct bytes keys, struct err *err);

#endif
