#include "signer/config.h"
#include "fuzz/fuzz.h"

enum { WRITTEN_MAX = 16384 };

static struct bytes written(struct writer *w, const struct config *config)
{
    struct bytes text;
    config_write(w, config);
    REQUIRE(writer_finish(w, &text));
    return text;
}

// What is accepted is printed as a configuration of the same meaning; what is not names its line.
FUZZ_TARGET(data)
{
    static const char prefix[] = "signer.conf:";
    char first[WRITTEN_MAX], second[WRITTEN_MAX];
    struct config config, again;
    struct err err;
    if (!config_parse(&config, "signer.conf", data, &err)) {
        REQUIRE(strncmp(err.text, prefix, sizeof prefix - 1) == 0);
        return;
    }
    struct writer w = writer_of(first, sizeof first), v = writer_of(second, sizeof second);
    const struct bytes text = written(&w, &config);
    REQUIRE(config_parse(&again, "signer.conf", text, &err));
    REQUIRE(bytes_equal(text, written(&v, &again)));
}
