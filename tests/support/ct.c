#include "tests/support/ct.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/declassify.h"
#include "crypto/ec.h"
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

void declassify(const void *ptr, size_t len)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(ptr, len);
}

void make_secret(const void *ptr, size_t len)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(ptr, len);
}

bool same(const void *secret, const void *plain, size_t len)
{
    declassify(secret, len);
    return memcmp(secret, plain, len) == 0;
}

static bool run(const char *covers, size_t number, const struct ct_row *row)
{
    const unsigned before = (unsigned)VALGRIND_COUNT_ERRORS;
    const bool right = row->run();
    const unsigned reports = (unsigned)VALGRIND_COUNT_ERRORS - before;
    const bool ok = right && reports == row->reports;
    printf("%s %zu - %s: %s\n", ok ? "ok" : "not ok", number, covers, row->name);
    if (!ok)
        printf("# %s result, %u reports instead of %u\n", right ? "right" : "WRONG", reports,
               row->reports);
    return ok;
}

int ct_main(const char *covers, const struct ct_row *rows, size_t n)
{
    bool ok = true;
    if (!RUNNING_ON_VALGRIND) {
        printf("1..0 # SKIP valgrind does not run this\n");
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    REQUIRE(secret_init());
    crypto_init();
    printf("1..%zu\n", n);
    for (size_t i = 0; i < n; i++)
        ok = run(covers, i + 1, &rows[i]) && ok;
    return ok ? 0 : 1;
}
