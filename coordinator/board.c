#include "coordinator/board.h"
#include "base/require.h"
#include <pthread.h>

struct board {
    pthread_mutex_t lock;
    size_t n_nodes, n_wallets;
    struct board_node nodes[BOARD_NODES];
    struct board_wallet wallets[BOARD_WALLETS];
    uint64_t counters[BOARD_COUNTERS];
};

struct board *board_new(void)
{
    struct board *board = calloc(1, sizeof *board);
    REQUIRE(board != NULL && pthread_mutex_init(&board->lock, NULL) == 0);
    return board;
}

void board_free(struct board *board)
{
    if (board == NULL)
        return;
    (void)pthread_mutex_destroy(&board->lock);
    free(board);
}

static void lock(struct board *board)
{
    REQUIRE(pthread_mutex_lock(&board->lock) == 0);
}

static void unlock(struct board *board)
{
    REQUIRE(pthread_mutex_unlock(&board->lock) == 0);
}

void board_set_node(struct board *board, const struct board_node *node)
{
    size_t i = 0;
    lock(board);
    while (i < board->n_nodes && strcmp(board->nodes[i].name, node->name) != 0)
        i++;
    if (i < BOARD_NODES) {
        board->nodes[i] = *node;
        board->n_nodes = i == board->n_nodes ? i + 1 : board->n_nodes;
    }
    unlock(board);
}

void board_set_wallet(struct board *board, const struct board_wallet *wallet)
{
    size_t i = 0;
    lock(board);
    while (i < board->n_wallets && strcmp(board->wallets[i].id, wallet->id) != 0)
        i++;
    if (i < BOARD_WALLETS) {
        board->wallets[i] = *wallet;
        board->n_wallets = i == board->n_wallets ? i + 1 : board->n_wallets;
    }
    unlock(board);
}

size_t board_nodes(struct board *board, struct board_node out[static BOARD_NODES])
{
    lock(board);
    const size_t n = board->n_nodes;
    memcpy(out, board->nodes, n * sizeof *out);
    unlock(board);
    return n;
}

bool board_wallet(struct board *board, const char *id, struct board_wallet *out)
{
    bool found = false;
    *out = (struct board_wallet){ 0 };
    lock(board);
    for (size_t i = 0; i < board->n_wallets && !found; i++)
        if (strcmp(board->wallets[i].id, id) == 0) {
            *out = board->wallets[i];
            found = true;
        }
    unlock(board);
    return found;
}

void board_count(struct board *board, enum board_counter counter)
{
    lock(board);
    board->counters[counter]++;
    unlock(board);
}

uint64_t board_counted(struct board *board, enum board_counter counter)
{
    lock(board);
    const uint64_t n = board->counters[counter];
    unlock(board);
    return n;
}
