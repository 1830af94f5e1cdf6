// tests/ports/carrier.h -- the ways to a signer, each set up around a real simulator, for one suite of tests.
#ifndef CASEMATE_TESTS_PORTS_CARRIER_H
#define CASEMATE_TESTS_PORTS_CARRIER_H
#include "coordinator/port.h"
#include "tests/ports/box.h"

#define CARRIER_POLICY_HEAD                                                                        \
    "{\"must_log\": true, \"period\": 60, \"msg_paths\": [\"any\"], \"share_addrs\": [\"p2sh\"], " \
    "\"rules\": [{\"per_period\": 3000000, \"max_amount\": 1000000, \"wallet\": \"treasury\", "    \
    "\"whitelist\": [\"" BOX_TO "\"]}, {\"per_period\": 9000000, \"max_amount\": 5000000, "        \
    "\"users\": [\"owner\"], \"min_users\": 1, \"wallet\": \"treasury\", \"whitelist\": "          \
    "[\"" BOX_TO "\"]}]}"
#define CARRIER_TOTP "12345678901234567890" // the secret of RFC 6238's vectors

struct carrier {
    const char *name;
    bool provisions; // takes wallet, users and policy
    bool takes_xkey; // a simulator's keys can be pressed through it
    struct box box;  // the signer behind it
    pid_t other;     // what stands between, 0: nothing
    struct signer_config section;
    struct port_options options;
    struct port *port;
    char text[5][300]; // what the section borrows
};

// Each makes the signer, what stands between, and a port that expects it. Stops the test if it cannot.
typedef void carrier_make(struct carrier *c);
carrier_make carrier_unix, carrier_usb, carrier_link, carrier_command;

void carrier_drop(struct carrier *c); // for AUTO
// As A6 arms it: wallet, user, policy, keys.
void carrier_arm(struct carrier *c);
struct port_status carrier_status(struct carrier *c);
struct port_answer carrier_sign(struct carrier *c, struct bytes psbt);

#endif
