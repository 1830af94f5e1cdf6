#include "cli/interrupt.h"
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

static sigset_t signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < COUNT(numbers); i++)
        (void)sigaddset(&set, numbers[i]);
    return set;
}

bool interrupt_open(int *fd, struct err *err)
{
    const sigset_t set = signals();
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set_errno(err, errno, "sigprocmask");
    *fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *fd >= 0 || err_set_errno(err, errno, "signalfd");
}

void interrupt_close(int *fd)
{
    const sigset_t set = signals();
    struct signalfd_siginfo come;
    if (*fd < 0)
        return;
    while (read(*fd, &come, sizeof come) == (ssize_t)sizeof come)
        ;
    close(*fd);
    *fd = -1;
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}
