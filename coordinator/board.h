// coordinator/board.h -- what this process last saw of nodes and wallets, for whoever asks without waiting.
//
// Nothing here decides anything: admission reads the ledger. It is what /status, /metrics and the pages show.
// Any thread.
// Source: coordinator.md A4, C27, D13.
#ifndef CASEMATE_COORDINATOR_BOARD_H
#define CASEMATE_COORDINATOR_BOARD_H
#include "bitcoin/sats.h"
#include "coordinator/ledger.h"

#define BOARD_NODES   8
#define BOARD_WALLETS 64

struct board_node {
    char name[65];
    bool up, behind;
    uint32_t height;
    uint64_t fee_rate; // sat per 1000 vB, estimated; 0: not known
    int64_t at_ms;     // monotonic
};
struct board_wallet {
    char id[ID_SIZE];
    bool known; // false: the node did not answer
    struct sats confirmed, unconfirmed;
    uint64_t n_coins;
    int64_t at_ms;
};

struct board;
struct board *board_new(void);
void board_free(struct board *board); // NULL is fine

void board_set_node(struct board *board, const struct board_node *node);
void board_set_wallet(struct board *board, const struct board_wallet *wallet);

size_t board_nodes(struct board *board, struct board_node out[static BOARD_NODES]);
// *out zeroed and false: nothing was seen of it.
bool board_wallet(struct board *board, const char *id, struct board_wallet *out);

// Counters that threads share. Source: D13.
enum board_counter {
    BOARD_REORGS,
    BOARD_BUMPS,
    BOARD_FOREIGN,
    BOARD_TAKEOVERS,
};
#define BOARD_COUNTERS (BOARD_TAKEOVERS + 1)
void board_count(struct board *board, enum board_counter counter);
uint64_t board_counted(struct board *board, enum board_counter counter);

#endif
