// Addresses, which the device derives and shows: the only ones to be sure of. Source: bunker.md 19.5.
#include "base/require.h"
#include "bitcoin/address.h"
#include "bunker/actions.h"

struct address_of {
    struct address_job job; // first
    struct bunker *b;
    uint64_t client;
};

static void send_address(struct client *c, const struct address_job *job)
{
    struct frame f;
    frame_begin(&f);
    json_key(&f.j, "address_shown");
    json_begin_object(&f.j);
    json_key(&f.j, "path");
    json_text(&f.j, job->path);
    json_key(&f.j, "address");
    json_text(&f.j, job->address);
    json_end_object(&f.j);
    frame_send(&f, c, 0);
}

static void address_drop(struct device_job *base)
{
    free((struct address_of *)base);
}

static void address_done(struct device_job *base)
{
    struct address_of *a = (struct address_of *)base;
    struct client *c = job_client(a->b, a->client);
    if (c != NULL && base->ok)
        send_address(c, &a->job);
    else if (c != NULL)
        frame_device_error(c, &base->err);
    clients_push_slot(a->b, NULL, c);
    address_drop(base);
}

static bool format_of(struct bytes word, uint32_t *out)
{
    static const struct {
        const char *word;
        enum addr_format format;
    } rows[] = { { "segwit", ADDR_P2WPKH },
                 { "taproot", ADDR_P2TR },
                 { "p2sh", ADDR_P2SH_P2WPKH },
                 { "classic", ADDR_P2PKH } };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (bytes_equal_text(word, rows[i].word)) {
            *out = (uint32_t)rows[i].format;
            return true;
        }
    return false;
}

// [path, "segwit" | "taproot" | "p2sh" | "classic"]
static void run_show_address(struct action_call *call)
{
    struct bytes path, word;
    uint32_t format;
    if (!call_text(call, 0, &path) || !call_text(call, 1, &word))
        return;
    struct address_of *a = calloc(1, sizeof *a);
    REQUIRE(a != NULL);
    if (!format_of(word, &format) || path.len >= sizeof a->job.path ||
        !bytes_is_printable_ascii(path)) {
        free(a);
        (void)call_bad(call);
        return;
    }
    if (!call_has_device(call) || !call_begin_job(call)) {
        free(a);
        return;
    }
    a->b = call->b;
    a->client = call->c->id;
    a->job.format = format;
    a->job.base.work = address_work;
    a->job.base.done = address_done;
    a->job.base.drop = address_drop;
    (void)snprintf(a->job.path, sizeof a->job.path, "%.*s", BYTES_ARG(path));
    call_audit(call, "address_shown", "asked", path);
    device_submit(call->b->device, &a->job.base);
}

const struct action address_actions[] = {
    { "show_address", 2, 2, ROLE_OPERATOR, run_show_address },
};
const size_t n_address_actions = COUNT(address_actions);
