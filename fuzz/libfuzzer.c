// fuzz/libfuzzer.c -- what libFuzzer calls.
#include "base/secret.h"
#include "fuzz/fuzz.h"

__attribute__((weak)) void crypto_init(void);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    REQUIRE(secret_init());
    if (crypto_init)
        crypto_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_target(bytes_of(data, size));
    return 0;
}
