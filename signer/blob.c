#include "signer/blob.h"
#include "base/require.h"
#include "base/secret.h"

void blob_drop(struct blob *blob)
{
    if (blob->ptr != NULL)
        wipe(blob->ptr, blob->len);
    free(blob->ptr);
    *blob = (struct blob){ 0 };
}

void blob_set(struct blob *blob, struct bytes content)
{
    uint8_t *copy = malloc(content.len + 1);
    REQUIRE(copy != NULL);
    if (content.len > 0)
        memcpy(copy, content.ptr, content.len);
    copy[content.len] = 0;
    blob_drop(blob);
    *blob = (struct blob){ copy, content.len };
}

struct bytes blob_bytes(const struct blob *blob)
{
    return bytes_of(blob->ptr, blob->len);
}

void blob_move(struct blob *to, struct blob *from)
{
    if (to == from)
        return;
    blob_drop(to);
    *to = *from;
    *from = (struct blob){ 0 };
}
