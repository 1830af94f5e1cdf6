// cli/wallet_query.h -- which multisig wallet a registration text makes, as `msck` asks for it.
// Source: wire-protocol.md 8.1 `msck`, 8.8.
#ifndef CASEMATE_CLI_WALLET_QUERY_H
#define CASEMATE_CLI_WALLET_QUERY_H
#include "cli/cli.h"

struct wallet_query {
    bool is_known;  // false: the text could not be read here; the device may still take it
    bool was_there; // before it was sent
    uint32_t m, n, xor_xfp;
    bool seen_free; // the question was gone once, and the wallet not there
};

// Reads the text and asks the device whether it has such a wallet already: connected.
MUST_CHECK bool wallet_query_make(struct cli *cli, struct wallet_query *out, struct bytes text,
                                  struct err *err);

// "multisig:2:3:1a2b3c4d" and back; "multisig" alone is a wallet that nobody could read.
const char *wallet_query_token(struct cli *cli, const struct wallet_query *q);
MUST_CHECK bool wallet_query_from_token(struct wallet_query *out, const char *token);

// Waits for the operator's answer, and reports it as the run's result.
MUST_CHECK bool wallet_query_watch(struct cli *cli, struct wallet_query *q, struct err *err);

#endif
