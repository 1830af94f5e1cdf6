// cli/interrupt.h -- Ctrl-C, `kill` and a closed terminal as something to be read, not as a handler.
//
// So every release function runs, also those that remove a socket or turn echo on again.
#ifndef CASEMATE_CLI_INTERRUPT_H
#define CASEMATE_CLI_INTERRUPT_H
#include "base/err.h"

// Blocks SIGINT, SIGTERM and SIGHUP and gives a descriptor that becomes readable when one of them
// comes (cancel_fd of client/wait.h). Before it, they end the process as usual: nothing needs
// releasing then.
MUST_CHECK bool interrupt_open(int *fd, struct err *err);

// Forgets what has come, and lets the next one end the process. *fd becomes -1; again does nothing.
void interrupt_close(int *fd);

#endif
