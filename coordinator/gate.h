// coordinator/gate.h -- which addresses a connection to somebody else's server may go to.
//
// What people write into the ledger (a webhook's address, a source of balances) must not make this host ask its own
// network. The address that is connected to is looked at, after its name was resolved, not the name.
#ifndef CASEMATE_COORDINATOR_GATE_H
#define CASEMATE_COORDINATOR_GATE_H
#include <curl/curl.h>
#include <stdbool.h>
#include <sys/socket.h>

// Loopback, private, link-local, multicast, documentation and the like: whatever is not out there. Also what is no
// IP address.
bool gate_address_is_private(const struct sockaddr *address);

struct gate {
    bool allow_private; // by the configuration of this process
    bool refused;       // a connection was, afterwards
};
// For all connections of that handle, none through a proxy. The gate is borrowed until the handle is gone.
void gate_guard(struct gate *gate, CURL *curl);

#endif
