// bitcoin/psbt_work.h -- what the steps of psbt_analyse share. For bitcoin/psbt_*.c only.
//
// A step reads what earlier steps have found, adds to the facts, and stops the analysis at the
// first problem. A kind of script is judged by one function for inputs and one for outputs.
#ifndef CASEMATE_BITCOIN_PSBT_WORK_H
#define CASEMATE_BITCOIN_PSBT_WORK_H
#include "bitcoin/psbt_analyse.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/psbt_path.h"

// Warnings or notes, in order.
struct texts {
    struct labelled_text *list;
    size_t n, cap;
};

// What one pass over an input's fields found (V4), before it is judged.
struct input_work {
    uint32_t n_paths, n_sigs;            // of ECDSA keys
    bool has_tap_path;                   // and the option is on
    struct bytes redeem, witness_script; // no bytes: none
    const struct psbt_field *utxo;       // the witness UTXO, or NULL
    struct tx_out prev_out;              // of the previous transaction, if has_prev_out
    bool has_prev_tx, has_prev_out;      // the transaction is there; it has that output
    bool nothing_left;                   // a multisig input that we have signed before
    bool duplicate;                      // of an earlier input's outpoint
};

struct work {
    const struct psbt *psbt;
    const struct signer_view *view;
    struct arena *arena;   // of the facts
    struct arena *scratch; // of what is needed until they are there; never used up
    struct psbt_facts *facts;
    struct input_work *in;               // one per input
    const struct ms_wallet *xpub_wallet; // told by the PSBT's xpubs; NULL: none
    const struct ms_wallet *wallet;      // chosen by the inputs; NULL: none (D-CHANGE)
    struct texts warnings, notes;
    bool warned_zero_xfp;
    bool unknown_amounts; // some input has no amount, or an unverified one
};

// --- Steps, in the order of psbt-signing.md 9. Each fails as psbt_analyse. ---
MUST_CHECK bool step_transaction(struct work *w, struct err *err);   // V1 to V3
MUST_CHECK bool step_read_inputs(struct work *w, struct err *err);   // V4
MUST_CHECK bool step_locks(struct work *w, struct err *err);         // V5
MUST_CHECK bool step_xpubs(struct work *w, struct err *err);         // V6
MUST_CHECK bool step_our_keys(struct work *w, struct err *err);      // V7, K1
MUST_CHECK bool step_judge_inputs(struct work *w, struct err *err);  // I1
MUST_CHECK bool step_inputs_total(struct work *w, struct err *err);  // I2
MUST_CHECK bool step_judge_outputs(struct work *w, struct err *err); // O1
MUST_CHECK bool step_outputs_total(struct work *w, struct err *err); // 11.5, O2
MUST_CHECK bool step_change_paths(struct work *w, struct err *err);  // O2, warning 13
MUST_CHECK bool step_hash_types(struct work *w, struct err *err);    // S1

// --- Message PSBTs (19) ---
MUST_CHECK bool message_recognise(struct work *w, struct err *err);    // V2
MUST_CHECK bool message_check_input0(struct work *w, struct err *err); // at the end of input 0

// --- Judges of inputs: 10.2 steps 7 to 10 ---
// Decides whether and with which key we sign input `i`, whose script is of their kind, and sets
// plan->key if so.
MUST_CHECK bool judge_key_input(struct work *w, size_t i, struct err *err);
MUST_CHECK bool judge_script_input(struct work *w, size_t i, struct err *err);
MUST_CHECK bool judge_multisig_input(struct work *w, size_t i, struct bytes script,
                                     struct err *err);
MUST_CHECK bool judge_taproot_input(struct work *w, size_t i, struct err *err);
MUST_CHECK bool judge_unknown_input(struct work *w, size_t i, struct err *err);

// --- Judges of outputs: 11.2, 11.3 ---
// An output that claims to be ours. Set facts->tx.out[i].change if it is re-made from its key
// paths; leaves it a plain output if it is none of ours by the rules; fails if it lies.
MUST_CHECK bool judge_key_output(struct work *w, size_t i, size_t n_paths, struct err *err);
MUST_CHECK bool judge_script_output(struct work *w, size_t i, size_t n_paths, struct err *err);
MUST_CHECK bool judge_multisig_output(struct work *w, size_t i, struct err *err);
MUST_CHECK bool judge_taproot_output(struct work *w, size_t i, size_t n_paths, struct err *err);

// --- Multisig scripts ---
// What the key paths of a map say of a script's keys, for ms_script_check.
struct ms_paths {
    const struct work *work;
    const struct psbt_map *map;
    uint8_t type; // of the key path fields
};
struct ms_claims ms_paths_claims(const struct ms_paths *paths); // borrows
// All key paths of the map, in file order. False if they are more than a wallet's.
bool ms_paths_read(const struct ms_paths *paths, struct key_origin out[static MS_KEYS_MAX],
                   size_t *n);
// The multisig script of an output's map; false if it has none.
MUST_CHECK bool ms_output_script(struct ms_script *out, const struct psbt_map *map);
// Whether `script` is the output script of `inner` in that format.
bool ms_is_script_of(struct bytes script, struct bytes inner, enum addr_format format);

// --- Tools ---
// A writer into the arena for one text.
struct writer work_text(const struct work *w);
MUST_CHECK bool work_add(struct work *w, struct texts *texts, const char *label,
                         const struct writer *text, struct err *err);
MUST_CHECK bool work_warn(struct work *w, const char *label, const char *text, struct err *err);

// Looks at a key path: whether it claims to be ours; a fingerprint of zero gives its warning.
MUST_CHECK bool work_take_path(struct work *w, const struct psbt_field *path, bool *claims,
                               struct err *err);
bool work_is_ours(const struct work *w, const struct psbt_field *path);

// The output that an input spends, as its UTXO tells; false if it has none. Only after V4.
MUST_CHECK bool work_spent(const struct work *w, size_t i, struct tx_out *out);

bool work_fraud(struct err *err, size_t output, const char *what); // returns false

#endif
