#include "crypto/stream.h"
#include "base/reader.h"
#include "base/require.h"
#include "base/secret.h"
#include <sodium.h>

#define HEADER_LEN   crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define ADDED        crypto_secretstream_xchacha20poly1305_ABYTES
#define TAG_MESSAGE  crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
#define TAG_FINAL    crypto_secretstream_xchacha20poly1305_TAG_FINAL
#define SEALED_PIECE (STREAM_PIECE + ADDED)

_Static_assert(STREAM_KEY_LEN == crypto_secretstream_xchacha20poly1305_KEYBYTES, "key length");
_Static_assert(STREAM_OVERHEAD == HEADER_LEN + ADDED, "header and empty piece");

struct state {
    crypto_secretstream_xchacha20poly1305_state s;
};
static void state_wipe(struct state *state)
{
    wipe(state, sizeof *state);
}

// --- Sealing ---

static void put_piece(struct writer *w, struct state *state, struct bytes piece,
                      struct bytes prefix, uint8_t tag)
{
    uint8_t sealed[SEALED_PIECE];
    REQUIRE(crypto_secretstream_xchacha20poly1305_push(
                &state->s, sealed, NULL, piece.ptr, piece.len, prefix.ptr, prefix.len, tag) == 0);
    writer_put(w, bytes_of(sealed, piece.len + ADDED));
}

void stream_seal(struct writer *w, struct bytes plain, struct bytes prefix,
                 const uint8_t key[static STREAM_KEY_LEN])
{
    AUTO(state_wipe) struct state state;
    uint8_t header[HEADER_LEN];
    struct reader r = reader_of(plain);
    struct bytes piece;
    REQUIRE(crypto_secretstream_xchacha20poly1305_init_push(&state.s, header, key) == 0);
    writer_put(w, BYTES_OF(header));
    put_piece(w, &state, (struct bytes){ 0 }, prefix, TAG_MESSAGE);
    while (reader_take(&r, STREAM_PIECE, &piece))
        put_piece(w, &state, piece, (struct bytes){ 0 }, TAG_MESSAGE);
    put_piece(w, &state, reader_rest(&r), (struct bytes){ 0 }, TAG_FINAL);
}

// --- Opening ---

// Opens the next piece into `out`, which has room for it.
static bool take_piece(struct state *state, struct bytes sealed, struct bytes prefix, uint8_t *out,
                       uint8_t *tag)
{
    return sealed.len >= ADDED &&
           crypto_secretstream_xchacha20poly1305_pull(&state->s, out, NULL, tag, sealed.ptr,
                                                      sealed.len, prefix.ptr, prefix.len) == 0;
}

static enum stream_result open_pieces(struct reader *r, struct state *state, uint8_t *plain,
                                      size_t *len)
{
    while (!reader_done(r)) {
        struct bytes piece;
        uint8_t tag;
        if (!reader_take(r, SEALED_PIECE, &piece))
            piece = reader_rest(r);
        if (!take_piece(state, piece, (struct bytes){ 0 }, plain + *len, &tag))
            // A shorter one that does not verify: half a piece, or a damaged end. Nobody can tell.
            return piece.len == SEALED_PIECE ? STREAM_DAMAGED : STREAM_CUT;
        *len += piece.len - ADDED;
        if (tag == TAG_FINAL)
            return reader_done(r) ? STREAM_GOOD : STREAM_DAMAGED; // something was added
    }
    return STREAM_CUT;
}

enum stream_result stream_unseal(struct bytes *out, struct bytes sealed, struct bytes prefix,
                                 const uint8_t key[static STREAM_KEY_LEN], struct arena *arena)
{
    AUTO(state_wipe) struct state state;
    struct reader r = reader_of(sealed);
    struct bytes header, first;
    uint8_t none, tag;
    size_t len = 0;
    if (!reader_take(&r, HEADER_LEN, &header) || !reader_take(&r, ADDED, &first))
        return STREAM_CUT;
    if (crypto_secretstream_xchacha20poly1305_init_pull(&state.s, header.ptr, key) != 0 ||
        !take_piece(&state, first, prefix, &none, &tag) || tag != TAG_MESSAGE)
        return STREAM_WRONG_KEY;
    uint8_t *plain = arena_alloc(arena, r.rest.len);
    if (plain == NULL)
        return STREAM_NO_MEMORY;
    const enum stream_result result = open_pieces(&r, &state, plain, &len);
    if (result == STREAM_GOOD)
        *out = bytes_of(plain, len);
    return result;
}
