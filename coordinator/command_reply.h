// coordinator/command_reply.h -- what a command signer prints, in the style of Bitcoin Core's external signers.
//
//   enumerate   [{"fingerprint": "0f056943", "type": ..., "model": ...}, ...]
//   signtx      {"psbt": "<base64>"} or {"error": "<why>"}
// Another program's word: bounded, strict, and of its members only these are looked at.
// Source: coordinator.md D8, transport 4.
#ifndef CASEMATE_COORDINATOR_COMMAND_REPLY_H
#define CASEMATE_COORDINATOR_COMMAND_REPLY_H
#include "base/arena.h"
#include "bitcoin/hdkey.h"
#include "coordinator/refusal.h"

#define COMMAND_OUTPUT_MAX ((size_t)4 << 20) // bytes: a PSBT of 2 MiB in base64, and more
#define COMMAND_MODEL_SIZE 32

// Finds the device of that fingerprint. model: its name, "" where it has none.
// Fails: ERR_FRAMING "enumerate: <what>", ERR_NOT_FOUND "no device has the fingerprint <xfp>".
MUST_CHECK bool command_find(char model[static COMMAND_MODEL_SIZE], struct bytes text,
                             struct xfp xfp, struct arena *arena, struct err *err);

// *psbt lies in the arena. Fails: ERR_INVALID "<why>" where the program said one; ERR_FRAMING "signtx: <what>".
MUST_CHECK bool command_signed(struct bytes *psbt, struct bytes text, struct arena *arena,
                               struct err *err);

#endif
