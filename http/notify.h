// http/notify.h -- tells systemd how a web program is: Type=notify and its watchdog, without its library.
//
// Outside systemd, where NOTIFY_SOCKET is not set, nothing happens. Source: sd_notify(3); bunker.md 13.
#ifndef CASEMATE_HTTP_NOTIFY_H
#define CASEMATE_HTTP_NOTIFY_H
#include "base/bytes.h"

// "READY=1", "STOPPING=1", "WATCHDOG=1". What cannot be sent is lost.
void notify_send(const char *state);

// How often "WATCHDOG=1" is to be sent: half of what WATCHDOG_USEC allows. 0: nobody watches.
int64_t notify_watchdog_ms(void);

#endif
