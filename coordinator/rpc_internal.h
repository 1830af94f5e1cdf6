// coordinator/rpc_internal.h -- shared by rpc.c and rpc_reply.c only.
#ifndef CASEMATE_COORDINATOR_RPC_INTERNAL_H
#define CASEMATE_COORDINATOR_RPC_INTERNAL_H
#include "coordinator/rpc.h"

// Sets fault and error alike; returns false.
bool rpc_fail(struct rpc_fault *fault, enum rpc_fault_kind kind, int64_t number,
              struct bytes message, struct err *err);

#endif
