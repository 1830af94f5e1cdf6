#include "bitcoin/seed_container.h"
#include "base/secret.h"
#include "bitcoin/mnemonic.h"

enum {
    MARK_NODE = 0x01,
    MARK_RAW_MIN = 0x10, // the marker is the length
    MARK_RAW_MAX = 0x40,
    MARK_ENTROPY = 0x80, // "Marker = 0x80 | (length / 8 - 2)"
    KEY_LEN = 32,
    NODE_LEN = 2 * KEY_LEN
};

void seed_content_wipe(struct seed_content *content)
{
    wipe(content, sizeof *content);
}

// --- The bytes ---

static bool is_entropy(size_t len)
{
    return len == 16 || len == 24 || len == 32;
}

// The marker of a content, or -1.
static int marker_of(const struct seed_content *content)
{
    switch (content->kind) {
    case SEED_NONE:
        return content->len == 0 ? 0 : -1;
    case SEED_NODE:
        return content->len == NODE_LEN ? MARK_NODE : -1;
    case SEED_ENTROPY:
        return is_entropy(content->len) ? MARK_ENTROPY | (int)(content->len / 8 - 2) : -1;
    case SEED_RAW:
        return content->len >= MARK_RAW_MIN && content->len <= MARK_RAW_MAX ? (int)content->len
                                                                            : -1;
    }
    return -1;
}

// Kind and length by the marker.
static bool read_marker(struct seed_content *out, uint8_t marker)
{
    *out = (struct seed_content){ .kind = SEED_NONE };
    if (marker >= MARK_RAW_MIN && marker <= MARK_RAW_MAX) {
        out->kind = SEED_RAW;
        out->len = marker;
    } else if (marker >= MARK_ENTROPY && marker <= (MARK_ENTROPY | 2)) {
        out->kind = SEED_ENTROPY;
        out->len = (size_t)(marker - MARK_ENTROPY + 2) * 8;
    } else if (marker == MARK_NODE) {
        out->kind = SEED_NODE;
        out->len = NODE_LEN;
    } else {
        return marker == 0;
    }
    return true;
}

bool seed_container_write(uint8_t out[static SEED_CONTAINER_LEN],
                          const struct seed_content *content, struct err *err)
{
    const int marker = marker_of(content);
    if (marker < 0)
        return err_set(err, ERR_INVALID, "secret container: no form for %zu bytes", content->len);
    memset(out, 0, SEED_CONTAINER_LEN);
    out[0] = (uint8_t)marker;
    memcpy(out + 1, content->b, content->len);
    return true;
}

bool seed_container_read(struct seed_content *out, struct bytes container, struct err *err)
{
    uint8_t rest = 0;
    if (container.len != SEED_CONTAINER_LEN)
        return err_set(err, ERR_MALFORMED, "secret container: %zu bytes, not %d", container.len,
                       SEED_CONTAINER_LEN);
    if (!read_marker(out, container.ptr[0]))
        return err_set(err, ERR_MALFORMED, "secret container: unknown marker");
    memcpy(out->b, container.ptr + 1, out->len);
    for (size_t i = 1 + out->len; i < container.len; i++)
        rest |= container.ptr[i];
    if (rest == 0)
        return true;
    seed_content_wipe(out);
    return err_set(err, ERR_MALFORMED, "secret container: padding is not zero");
}

// --- The key ---

static bool node_of_key(struct hdkey *out, const struct seed_content *content, struct err *err)
{
    *out = (struct hdkey){ .key = { { 0 } } };
    if (!seckey_from_bytes(&out->key, bytes_of(content->b + KEY_LEN, KEY_LEN), err))
        return false;
    memcpy(out->pub.chain_code, content->b, KEY_LEN);
    out->pub.key = seckey_pubkey(&out->key);
    return true;
}

static bool node_of_entropy(struct hdkey *out, const struct seed_content *content,
                            struct bytes passphrase, struct err *err)
{
    AUTO(mnemonic_text_wipe) struct mnemonic_text words;
    AUTO(mnemonic_seed_wipe) struct mnemonic_seed seed;
    struct writer w = writer_of(words.b, sizeof words.b);
    return mnemonic_from_entropy(&w, bytes_of(content->b, content->len), err) &&
           mnemonic_to_seed(seed.b, writer_bytes(&w), passphrase, err) &&
           hdkey_from_seed(out, BYTES_OF(seed.b), err);
}

bool seed_content_node(struct hdkey *out, const struct seed_content *content,
                       struct bytes passphrase, struct err *err)
{
    if (content->kind == SEED_NONE)
        return err_set(err, ERR_STATE, "no seed");
    if (content->kind == SEED_ENTROPY)
        return node_of_entropy(out, content, passphrase, err);
    if (passphrase.len > 0)
        return err_set(err, ERR_INVALID, "a passphrase needs words");
    return content->kind == SEED_NODE
               ? node_of_key(out, content, err)
               : hdkey_from_seed(out, bytes_of(content->b, content->len), err);
}
