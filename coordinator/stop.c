#include "coordinator/stop.h"
#include "base/bytes.h" // outside the condition: C knows no file without a declaration
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef CASEMATE_SIMULATOR
void stop_here(const char *place)
{
    static atomic_uint seen; // test builds only: how often the named place was reached
    const char *wanted = getenv("CASEMATE_STOP");
    const size_t len = strlen(place);
    if (wanted == NULL || strncmp(wanted, place, len) != 0 ||
        (wanted[len] != '\0' && wanted[len] != ':'))
        return;
    const unsigned long nth = wanted[len] == ':' ? strtoul(wanted + len + 1, NULL, 10) : 1;
    if (atomic_fetch_add(&seen, 1) + 1 == nth)
        (void)raise(SIGKILL);
}
#endif
