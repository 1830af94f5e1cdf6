#include "cli/interrupt.h"
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

bool interrupt_open(int *fd, struct err *err)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < COUNT(signals); i++)
        (void)sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set_errno(err, errno, "sigprocmask");
    *fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *fd >= 0 || err_set_errno(err, errno, "signalfd");
}
