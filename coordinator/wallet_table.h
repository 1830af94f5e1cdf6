// coordinator/wallet_table.h -- which script belongs to which place of a branch: a hash table.
//
// For wallet.c only. Not for two threads at once.
#ifndef CASEMATE_COORDINATOR_WALLET_TABLE_H
#define CASEMATE_COORDINATOR_WALLET_TABLE_H
#include "bitcoin/descriptor.h"
#include "coordinator/wallet.h"

// Zeroed memory is an empty table.
struct wallet_table {
    struct wallet_entry {
        uint8_t script[34]; // P2WSH; or P2SH, the rest zero
        bool used;
        struct wallet_place place;
    } * entries;
    size_t size, n; // size: 0 or a power of two
};
void wallet_table_put(struct wallet_table *table, struct bytes script, struct wallet_place place);
bool wallet_table_get(const struct wallet_table *table, struct bytes script,
                      struct wallet_place *out);
void wallet_table_wipe(struct wallet_table *table);

#endif
