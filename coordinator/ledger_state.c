#include "coordinator/ledger.h"

#define TO(state) (1u << (state))

// D3. Arrows in brackets there, of reorgs, included.
static const struct {
    const char *name;
    uint32_t next;
} STATES[SPEND_STATES] = {
    [SPEND_RECEIVED] = { "received", TO(SPEND_AWAITING_APPROVAL) | TO(SPEND_RESERVED) |
                                         TO(SPEND_REJECTED) | TO(SPEND_EXPIRED) |
                                         TO(SPEND_CANCELLED) },
    [SPEND_AWAITING_APPROVAL] = { "awaiting_approval", TO(SPEND_RESERVED) | TO(SPEND_REJECTED) |
                                                           TO(SPEND_EXPIRED) |
                                                           TO(SPEND_CANCELLED) },
    [SPEND_RESERVED] = { "reserved", TO(SPEND_BUILT) | TO(SPEND_FAILED) | TO(SPEND_CANCELLED) },
    [SPEND_BUILT] = { "built", TO(SPEND_SIGNING) | TO(SPEND_FAILED) | TO(SPEND_CANCELLED) },
    [SPEND_SIGNING] = { "signing", TO(SPEND_SIGNED) | TO(SPEND_REFUSED) | TO(SPEND_PARKED) },
    [SPEND_SIGNED] = { "signed", TO(SPEND_SENT) | TO(SPEND_PARKED) },
    [SPEND_PARKED] = { "parked",
                       TO(SPEND_SIGNING) | TO(SPEND_SIGNED) | TO(SPEND_SENT) | TO(SPEND_VOIDING) },
    [SPEND_SENT] = { "sent",
                     TO(SPEND_CONFIRMED) | TO(SPEND_PARKED) | TO(SPEND_VOIDING) | TO(SPEND_VOID) },
    [SPEND_VOIDING] = { "voiding", TO(SPEND_VOID) | TO(SPEND_CONFIRMED) },
    [SPEND_CONFIRMED] = { "confirmed", TO(SPEND_SETTLED) | TO(SPEND_SENT) },
    [SPEND_SETTLED] = { "settled", TO(SPEND_SENT) },
    [SPEND_REJECTED] = { "rejected", 0 },
    [SPEND_EXPIRED] = { "expired", 0 },
    [SPEND_FAILED] = { "failed", 0 },
    [SPEND_CANCELLED] = { "cancelled", 0 },
    [SPEND_REFUSED] = { "refused", 0 },
    [SPEND_VOID] = { "void", TO(SPEND_PARKED) },
};

const char *spend_state_name(enum spend_state state)
{
    return STATES[state].name;
}

bool spend_state_of(enum spend_state *out, struct bytes name)
{
    for (enum spend_state s = 0; s < SPEND_STATES; s++) {
        if (bytes_equal_text(name, STATES[s].name)) {
            *out = s;
            return true;
        }
    }
    return false;
}

bool spend_state_may(enum spend_state from, enum spend_state to)
{
    return (STATES[from].next & TO(to)) != 0;
}

bool spend_state_is_final(enum spend_state state)
{
    return state >= SPEND_SETTLED;
}

const char *tier_name(enum tier tier)
{
    return tier == TIER_SURGE ? "surge" : "auto";
}
