#include "bunker/actions.h"
#include "base/reader.h"
#include "fuzz/fuzz.h"
#include "tests/support/fuzz_bunker.h"

enum { SOCKETS = 4, LINES = 12 };

// Whether it is a message that must be answered: an action of ours or of nobody, in sound JSON.
static bool wants_answer(struct bytes text)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)64 << 20);
    const struct json *frame;
    struct err err;
    return json_parse(&frame, text, arena, &err) && json_get(frame, "action") != NULL;
}

static unsigned files_of_others(struct http_socket *const *sockets, size_t sender)
{
    unsigned n = 0;
    for (size_t i = 0; i < SOCKETS; i++)
        n += i != sender && sockets[i] != NULL ? fuzz_socket_seen(sockets[i])->n_files : 0;
    return n;
}

// Lines; the first character of each says which of four sockets sends the rest: two of an admin, one of an
// operator, one of a viewer. "Any one action yields at least one frame to the sender", every frame is an
// object of plain ASCII, and a file goes to nobody but who asked for one.
FUZZ_TARGET(data)
{
    static const size_t of[SOCKETS] = { FUZZ_ADMIN, FUZZ_OPERATOR, FUZZ_VIEWER, FUZZ_ADMIN };
    struct fuzz_bunker *f = fuzz_bunker_new();
    struct http_socket *sockets[SOCKETS] = { NULL };
    struct reader r = reader_of(bytes_slice(data, 0, 16384));
    struct bytes line;
    for (size_t n = 0; n < LINES && reader_until(&r, '\n', &line); n++) {
        const size_t sender = line.len > 0 ? line.ptr[0] % SOCKETS : 0;
        const struct bytes text = bytes_slice(line, 1, SIZE_MAX);
        if (sockets[sender] == NULL) // opening one is most of what a short input costs
            sockets[sender] = fuzz_socket_open(f, of[sender]);
        const struct fuzz_socket *seen = fuzz_socket_seen(sockets[sender]);
        const unsigned frames = seen->n_frames, others = files_of_others(sockets, sender);
        if (seen->closed != 0)
            continue;
        clients_message(&f->b, sockets[sender], text);
        fuzz_bunker_settle(f);
        if (f->b.logs_out_all || f->b.stops)
            break; // at the next tick nobody is left to be answered
        REQUIRE(seen->closed != 0 || seen->n_frames > frames || !wants_answer(text));
        REQUIRE(files_of_others(sockets, sender) == others);
        f->b.clock.offset_s++;
    }
    fuzz_bunker_free(f);
}
