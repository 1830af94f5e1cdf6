// cli/address_put.h -- an address as the result, as `addr` and `p2sh` print it.
#ifndef CASEMATE_CLI_ADDRESS_PUT_H
#define CASEMATE_CLI_ADDRESS_PUT_H
#include "bitcoin/address.h"
#include "cli/cli.h"

// As text, as a QR code where --qr wants it, and as members `address` and `format`.
// Fails: as qr_put.
MUST_CHECK bool address_put(struct cli *cli, struct bytes address, enum addr_format format,
                            struct err *err);

#endif
