#include "wire/request.h"
#include "fuzz/fuzz.h"

static bool takes_arguments(enum request_id id)
{
    static const char *const none[] = { "logo", "rebo", "vers", "mitm", "blkc",
                                        "sha2", "stok", "smok", "hsts", "gslr",
                                        "back", "bkok", "pwok", "dfu_", "msls" };
    for (size_t i = 0; i < COUNT(none); i++)
        if (strcmp(none[i], request_info(id)->code) == 0)
            return false;
    return true;
}

// What the device accepts is what a client packs: the same bytes. Arguments of requests that have
// none are dropped.
FUZZ_TARGET(data)
{
    uint8_t mem[REQUEST_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    const struct request_info *info = request_find(data);
    struct request request;
    struct bytes packed;
    struct err err;
    if (info == NULL || data.len > REQUEST_MAX)
        return;
    if (!request_unpack(&request, info, data, &err)) {
        REQUIRE(err.code != ERR_NONE && err.text[0] != 0);
        return;
    }
    request_pack(&w, &request);
    REQUIRE(writer_finish(&w, &packed));
    REQUIRE(bytes_equal(packed, takes_arguments(info->id) ? data : bytes_slice(data, 0, CODE_LEN)));
}
