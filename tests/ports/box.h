// tests/ports/box.h -- simulators as processes of their own, for tests of what talks to them.
//
// CASEMATE_SIGNER in the environment is the program. Everything lies in the test's directory. What a test does
// not expect fails it.
#ifndef CASEMATE_TESTS_PORTS_BOX_H
#define CASEMATE_TESTS_PORTS_BOX_H
#include "tests/support/test.h"
#include <sys/types.h>

struct box {
    char dir[128], socket[128], panel[128], log[128];
    pid_t pid; // 0: none runs
};

// Makes its folder. name: a letter.
void box_prepare(struct box *box, const char *name);
// Starts it, also again, and waits for its socket.
void box_start(struct box *box);
// Of a signer with a saved policy, which asks before it listens: yes.
void box_start_saved(struct box *box);
void box_forget(struct box *box); // all that it has stored; not while it runs
void box_kill(struct box *box);   // SIGKILL
void box_drop(struct box *box);   // for AUTO: nothing is left running
void box_freeze(struct box *box); // it hangs, until:
void box_thaw(struct box *box);

void box_keys(struct box *box,
              const char *keys); // at its panel; what it says to them does not matter
void box_arm(struct box *box);   // answers "Start HSM?"
// An empty store with that seed.
void box_reset(struct box *box, const char *words);
// Moves its clocks.
void box_advance(struct box *box, int64_t seconds);

void box_pause_ms(long ms);

// A program of the environment, started with these words, its output in `log`. Ends with the test program.
pid_t box_spawn(const char *const *argv, const char *log);
void box_wait_for(const char *path, pid_t pid, const char *log);

// The 2-of-3 wallet of three test seeds, of which the first is a simulator's own, and PSBTs that spend invented
// coins of it. Each salt is another transaction.
struct ms_wallet;
const struct ms_wallet *box_wallet(void);
#define BOX_TO "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g"
struct bytes box_payment(uint64_t sats, uint32_t salt);
// Whether the returned PSBT is that one, with a signature of the first seed's in each input.
bool box_is_signed(struct bytes sent, struct bytes returned);

#endif
