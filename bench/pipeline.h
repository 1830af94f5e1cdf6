// bench/pipeline.h -- one request as a signer works on it, and what it must come out with.
#ifndef CASEMATE_BENCH_PIPELINE_H
#define CASEMATE_BENCH_PIPELINE_H
#include "bitcoin/psbt_sign.h"
#include "policy/evaluate.h"
#include "signer/worker.h"

// A signer with the seed, the wallet and the settings of tests/vectors/perf/manifest.json.
struct bench_signer {
    struct arena *arena; // of all that lives as long as it
    struct hdkey master;
    struct keycache *keys;
    struct ms_wallet wallet;
    const struct ms_wallet *wallets[1];
    struct signer_view view;
    struct policy policy;
    struct auth_facts auth;
    struct auth_queue queue;
    struct velocity velocity;
    bool keep_inputs; // who makes a floor of the result looks at them

    struct worker *worker; // signs in its threads as a signer's does; NULL: one thread does all
    double slice_us[WORKER_THREADS], last_us; // processor's time that its threads took
};
// `folder`: tests/vectors/perf. Stops the process if anything is missing there.
struct bench_signer *bench_signer_new(const char *folder);
void bench_signer_free(struct bench_signer *signer);

// What a run leaves for whoever looks at it; lives in the arena of the run.
struct bench_result {
    struct psbt psbt;
    struct psbt_facts facts;
    struct psbt_signed sigs;
    struct bytes psbt_out;
};

// Everything between the bytes of a PSBT and those of the signed one: parse, all checks, the story,
// the proof, the decision, signatures with their verification, the result.
// Stops the process if the PSBT is refused.
void bench_run(struct bench_result *out, struct bench_signer *signer, struct bytes psbt,
               struct arena *arena);

// The steps of bench_run before the first signature, without the proof's derivations if these are
// known: parsing, analysis, story and policy.
void bench_decide(struct bench_result *out, struct bench_signer *signer, struct bytes psbt,
                  struct arena *arena);

// A file of the folder, in the arena; NULL: none such.
struct bytes bench_file(const char *folder, const char *name, struct arena *arena);

// "<input> <key> <signature>" a line, as the recorded files have them.
struct bytes bench_signatures(const struct bench_result *result, struct arena *arena);

#endif
