// tools/make_psbt.c -- makes a PSBT that spends invented coins of the public test seed.
//
// For the demo and for trying policies by hand against a simulator.
#include "base/file.h"
#include "base/reader.h"
#include "bitcoin/mnemonic.h"
#include "tests/support/psbt_maker.h"

static const char help[] =
    "usage: make-psbt OUT [ITEM ...]\n"
    "\n"
    "Makes a PSBT that spends invented coins of the public test seed (chain XTN).\n"
    "\n"
    "  input PATH SATS      a coin of ours at m/44h..., m/49h... or m/84h...\n"
    "  pay ADDRESS SATS     a payment\n"
    "  change PATH SATS     an output back to us\n"
    "  locktime N           not valid before that height or time\n"
    "  salt N               makes other invented coins\n"
    "\n"
    "What the outputs leave over is the fee. OUT is a file, or - for standard output.\n"
    "example: make-psbt a.psbt input m/84h/1h/0h/0/0 100000000 \\\n"
    "             pay tb1q5uxpx630djalehx2c0hwc8cj6vejl4j93hk4ad 30000000 \\\n"
    "             change m/84h/1h/0h/1/0 69990000\n";

static bool parse_amount(struct sats *out, const char *text, struct err *err)
{
    struct reader r = reader_of(bytes_of_text(text));
    if (!reader_decimal64(&r, SATS_MAX, &out->n) || !reader_done(&r))
        return err_set(err, ERR_USAGE, "'%s' is no number of satoshis", text);
    return true;
}

static bool add_input(struct psbt_maker *m, const char *path, const char *sats, struct err *err)
{
    if (m->n_in == PSBT_MAKER_MAX)
        return err_set(err, ERR_LIMIT, "more than %d inputs", PSBT_MAKER_MAX);
    struct maker_input *in = &m->in[m->n_in++];
    return keypath_parse(&in->path, bytes_of_text(path), err) &&
           parse_amount(&in->amount, sats, err);
}

static bool add_output(struct psbt_maker *m, bool is_ours, const char *where, const char *sats,
                       struct arena *arena, struct err *err)
{
    if (m->n_out == PSBT_MAKER_MAX)
        return err_set(err, ERR_LIMIT, "more than %d outputs", PSBT_MAKER_MAX);
    struct maker_output *out = &m->out[m->n_out++];
    out->is_ours = is_ours;
    if (is_ours)
        return keypath_parse(&out->path, bytes_of_text(where), err) &&
               parse_amount(&out->amount, sats, err);
    struct writer w = writer_growing(arena, SCRIPT_MAX);
    if (!address_to_script(&w, bytes_of_text(where), chain_by_id(CHAIN_XTN), err))
        return false;
    out->script = writer_bytes(&w);
    return parse_amount(&out->amount, sats, err);
}

static bool parse_number(uint32_t *out, const char *word, const char *text, struct err *err)
{
    struct reader r = reader_of(bytes_of_text(text));
    if (!reader_decimal(&r, UINT32_MAX, out) || !reader_done(&r))
        return err_set(err, ERR_USAGE, "%s '%s' is not a number below 2^32", word, text);
    return true;
}

// One item; *args moves past it.
static bool parse_item(struct psbt_maker *m, char ***args, struct arena *arena, struct err *err)
{
    const char *word = (*args)[0], *a = (*args)[1];
    const char *b = a != NULL ? (*args)[2] : NULL;
    bool is_salt = strcmp(word, "salt") == 0;
    if (a != NULL && (is_salt || strcmp(word, "locktime") == 0)) {
        *args += 2;
        return parse_number(is_salt ? &m->salt : &m->locktime, word, a, err);
    }
    if (b == NULL)
        return err_set(err, ERR_USAGE, "'%s' needs two values", word);
    *args += 3;
    if (strcmp(word, "input") == 0)
        return add_input(m, a, b, err) || err_within(err, "input %s", a);
    if (strcmp(word, "pay") == 0)
        return add_output(m, false, a, b, arena, err) || err_within(err, "pay %s", a);
    if (strcmp(word, "change") == 0)
        return add_output(m, true, a, b, arena, err) || err_within(err, "change %s", a);
    return err_set(err, ERR_USAGE, "'%s' is not input, pay, change, locktime or salt", word);
}

static bool run(char **args, struct arena *arena, struct err *err)
{
    struct psbt_maker *maker = arena_alloc(arena, sizeof *maker);
    if (maker == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    const char *out_file = *args++;
    while (*args != NULL) {
        if (!parse_item(maker, &args, arena, err))
            return false;
    }
    uint8_t seed[MNEMONIC_SEED_LEN];
    AUTO(hdkey_wipe) struct hdkey master = { 0 };
    if (!mnemonic_to_seed(seed, BYTES(TEST_SEED_WORDS), BYTES(""), err) ||
        !hdkey_from_seed(&master, BYTES_OF(seed), err))
        return false;
    struct writer w = writer_growing(arena, 4u << 20);
    return psbt_make(&w, maker, &master, arena, err) &&
           file_replace(out_file, writer_bytes(&w), 0644, err);
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        fputs(help, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (!secret_init())
        return 1;
    crypto_init();
    struct err err;
    AUTO(arena_freep) struct arena *arena = arena_new(64u << 20);
    if (run(argv + 1, arena, &err))
        return 0;
    fprintf(stderr, "make-psbt: %s\n", err.text);
    return err.code == ERR_USAGE ? 2 : 1;
}
