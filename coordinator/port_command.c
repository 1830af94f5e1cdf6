// A signer that is a program: `enumerate` and `signtx`, in the style of Bitcoin Core's external signers.
//
// It tells nothing of itself: no policy, no budget, no users. Source: coordinator.md D8, transport 4.
#include "base/base64.h"
#include "base/require.h"
#include "coordinator/child.h"
#include "coordinator/command_reply.h"
#include "coordinator/port_device.h"

#define WORDS_MAX (CONFIG_ARGS + 8)

struct command_port {
    struct port base;
    struct port_options o;
    struct deadline deadline;
    struct arena *arena;
    bool begun; // the last call has started the program
};

static struct command_port *of(struct port *port)
{
    return (struct command_port *)port;
}

// Runs the program with its configured words and these, NULL at their end.
static bool call(struct command_port *c, struct bytes *out, const char *const *words,
                 struct bytes input, int64_t ms, struct err *err)
{
    const struct signer_config *s = c->o.section;
    const char *argv[WORDS_MAX];
    size_t n = 0;
    argv[n++] = s->path;
    for (size_t i = 0; s->args[i] != NULL; i++)
        argv[n++] = s->args[i];
    for (size_t i = 0; words[i] != NULL; i++)
        argv[n++] = words[i];
    argv[n] = NULL;
    REQUIRE(n < WORDS_MAX);
    const struct child child = {
        .argv = argv, .input = input, .output_max = COMMAND_OUTPUT_MAX, .stop_fd = c->deadline.fd
    };
    deadline_set(&c->deadline, ms, ms);
    c->begun = wait_pause(0, c->deadline.fd, err); // told to stop: nothing more is
    const bool ok =
        (c->begun && child_run(out, &child, c->arena, err)) || deadline_explain(&c->deadline, err);
    deadline_clear(&c->deadline);
    return ok;
}

static bool find(struct command_port *c, char model[static COMMAND_MODEL_SIZE], struct err *err)
{
    static const char *const words[] = { "enumerate", NULL };
    struct bytes said;
    arena_reset(c->arena);
    return call(c, &said, words, (struct bytes){ 0 }, PORT_CONNECT_MS, err) &&
           command_find(model, said, c->o.xfp, c->arena, err);
}

static bool hello(struct port *port, struct port_hello *out, struct err *err)
{
    struct command_port *c = of(port);
    char model[COMMAND_MODEL_SIZE];
    if (!find(c, model, err))
        return false;
    (void)snprintf(out->kind, sizeof out->kind, "command");
    (void)snprintf(out->model, sizeof out->model, "%s", model);
    out->xfp = c->o.xfp;
    out->max_psbt = PORT_PSBT_MAX;
    out->max_inputs = PORT_INPUTS_MAX;
    out->abilities = c->o.section->restart_command[0] != NULL ? PORT_REBOOTS : 0;
    return true;
}

static bool status(struct port *port, struct port_status *out, struct err *err)
{
    char model[COMMAND_MODEL_SIZE];
    (void)out; // as it is: nothing is told
    return find(of(port), model, err);
}

static void sign(struct port *port, struct port_answer *out, struct bytes psbt, struct arena *arena)
{
    struct command_port *c = of(port);
    char xfp[XFP_TEXT_SIZE];
    const char *const words[] = { "--stdin", "--fingerprint", xfp, "--chain", c->o.network, NULL };
    struct bytes said, signed_psbt;
    struct err err;
    arena_reset(c->arena);
    struct writer input = writer_growing(c->arena, COMMAND_OUTPUT_MAX);
    xfp_to_text(xfp, c->o.xfp);
    for (char *x = xfp; *x != 0; x++)
        *x = (char)(*x >= 'A' ? *x - 'A' + 'a' : *x);
    writer_text(&input, "signtx ");
    base64_write(&input, psbt);
    writer_text(&input, "\n");
    if (input.failed) {
        out->outcome = PORT_UNSENT;
        out->tag = REFUSAL_PROTOCOL;
        refusal_escape(out->text, BYTES("the PSBT is too large"));
        return;
    }
    const bool ran = call(c, &said, words, writer_bytes(&input), PORT_SIGN_MS, &err);
    if (ran && command_signed(&signed_psbt, said, c->arena, &err)) {
        out->outcome = arena_copy(arena, signed_psbt, &out->psbt) ? PORT_SIGNED : PORT_GONE;
        return;
    }
    out->tag = refusal_tag_of_err(&err);
    refusal_escape(out->text, bytes_of_text(err.text));
    // Only its own word says that it did not sign.
    if (ran && err.code == ERR_INVALID)
        out->outcome = PORT_REFUSED;
    else if (!c->begun || err.code == ERR_NOT_FOUND)
        out->outcome = PORT_UNSENT;
    else
        out->outcome = err.code == ERR_TIMEOUT ? PORT_TIMEOUT : PORT_GONE;
}

// --- What such a program cannot ---

static bool cannot(struct err *err)
{
    return err_set(err, ERR_UNSUPPORTED, "a command signer cannot do that");
}

static bool knows_wallet(struct port *port, enum port_wallet *out, const struct ms_wallet *wallet,
                         struct err *err)
{
    (void)port;
    (void)out;
    (void)wallet;
    return cannot(err);
}

static bool register_wallet(struct port *port, const struct ms_wallet *wallet, struct err *err)
{
    (void)port;
    (void)wallet;
    return cannot(err);
}

static bool enrol(struct port *port, const struct port_user *user, struct err *err)
{
    (void)port;
    (void)user;
    return cannot(err);
}

static bool load_policy(struct port *port, struct bytes policy, struct err *err)
{
    (void)port;
    (void)policy;
    return cannot(err);
}

static bool activate(struct port *port, struct err *err)
{
    (void)port;
    return cannot(err);
}

static bool auth(struct port *port, const struct port_auth *given, struct err *err)
{
    (void)port;
    (void)given;
    return cannot(err);
}

static bool sign_message(struct port *port, struct port_message *out, const char *path,
                         struct bytes text, struct err *err)
{
    (void)port;
    (void)out;
    (void)path;
    (void)text;
    return cannot(err);
}

static bool reboot(struct port *port, struct err *err)
{
    struct command_port *c = of(port);
    const bool ok = restart_signer(&c->o, &c->deadline, err);
    deadline_clear(&c->deadline);
    return ok;
}

static void hang_up(struct port *port)
{
    (void)port; // each call is one run
}

static void command_free(struct port *port)
{
    struct command_port *c = of(port);
    deadline_close(&c->deadline);
    arena_free(c->arena);
    free(c);
}

static const struct port_ops ops = {
    .hello = hello,
    .status = status,
    .knows_wallet = knows_wallet,
    .register_wallet = register_wallet,
    .enrol = enrol,
    .load_policy = load_policy,
    .activate = activate,
    .auth = auth,
    .sign = sign,
    .sign_message = sign_message,
    .reboot = reboot,
    .hang_up = hang_up,
    .free = command_free,
};

bool command_port_new(struct port **out, const struct port_options *options, struct err *err)
{
    struct command_port *c = calloc(1, sizeof *c);
    REQUIRE(c != NULL);
    c->base.ops = &ops;
    c->o = *options;
    if (!deadline_open(&c->deadline, options->cancel_fd, err)) {
        free(c);
        return false;
    }
    c->arena = arena_new(PORT_ARENA);
    *out = &c->base;
    return true;
}
