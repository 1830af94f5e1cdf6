// coordinator/sights.h -- where each node saw a transaction last: "the union of sightings counts" (D5).
//
// One node that has lost its mempool, or lags behind by a block, takes nothing back that another one sees. Any
// thread.
#ifndef CASEMATE_COORDINATOR_SIGHTS_H
#define CASEMATE_COORDINATOR_SIGHTS_H
#include "coordinator/ledger.h"

#define SIGHTS_FRESH_MS 60000 // what a node saw longer ago counts no more

struct sights;
struct sights *sights_new(void);
void sights_free(struct sights *sights); // NULL is fine

// Puts down what one node sees now, and gives the best that any node saw within SIGHTS_FRESH_MS: in a block, the
// deepest; else in a mempool; else gone. now_ms: of a monotonic clock.
struct sighting sights_put(struct sights *sights, size_t node, const struct hash256 *txid,
                           const struct sighting *seen, int64_t now_ms);

#endif
