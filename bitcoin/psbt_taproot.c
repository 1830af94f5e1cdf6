// bitcoin/psbt_taproot.c -- taproot inputs.
#include "bitcoin/psbt_work.h"

bool judge_taproot_input(struct work *w, size_t i, struct err *err)
{
    (void)w;
    (void)i;
    return err_set(err, ERR_INVALID, "Install EDGE firmware to spend taproot.");
}
