// A new seed: two sources, a transcript, and the backup read back.
#include "base/reader.h"
#include "crypto/random.h"
#include "signer/init_internal.h"

struct entropy {
    size_t len;
    uint8_t b[32];
};
static void entropy_wipe(struct entropy *e)
{
    wipe(e, sizeof *e);
}

// --- A new seed ---

static bool ask_source(const struct init_options *o, struct seed_rolls *rolls, struct err *err)
{
    char choice;
    if (!init_choose(o, "Roll a die, or throw a coin? (d or c) ", "dc", &choice, err))
        return false;
    rolls->source = choice == 'd' ? SEED_DICE : SEED_COINS;
    return true;
}

static void say_progress(const struct init_options *o, const struct seed_rolls *rolls,
                         size_t entropy_len)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%zu of %zu.\n", rolls->n,
                   seed_rolls_needed(rolls->source, entropy_len));
    init_say(o, text);
}

static bool collect_rolls(const struct init_options *o, struct seed_rolls *rolls,
                          size_t entropy_len, struct err *err)
{
    while (rolls->n < seed_rolls_needed(rolls->source, entropy_len)) {
        AUTO(line_wipe) struct line line;
        struct err wrong;
        say_progress(o, rolls, entropy_len);
        if (!init_ask(o, rolls->source == SEED_DICE ? "Rolls (1 to 6): " : "Throws (h or t): ",
                      true, &line, err))
            return false;
        if (!seed_rolls_add(rolls, line_bytes(&line), &wrong))
            init_complain(o, &wrong);
    }
    return true;
}

static bool ask_rolls(const struct init_options *o, struct seed_rolls *rolls, size_t entropy_len,
                      struct err *err)
{
    struct err wrong;
    while (collect_rolls(o, rolls, entropy_len, err)) {
        if (seed_rolls_check(rolls, entropy_len, &wrong))
            return true;
        init_complain(o, &wrong);
        init_say(o, "Begin again, and roll each one.\n");
        rolls->n = 0;
    }
    return false;
}

struct kernel {
    uint8_t b[32];
};
static void kernel_wipe(struct kernel *kernel)
{
    wipe(kernel->b, sizeof kernel->b);
}

static void say_commitment(const struct init_options *o, const struct kernel *kernel)
{
    char commitment[SEED_COMMITMENT_SIZE];
    seed_mix_commitment(commitment, kernel->b);
    init_say(o, "The kernel gave 32 random bytes. Their SHA-256 is\n  ");
    init_say(o, commitment);
    init_say(
        o,
        "\nNote it before you roll: it shows later that they were not chosen to fit your rolls.\n");
}

static bool show_transcript(const struct init_options *o, const struct kernel *kernel,
                            const struct seed_rolls *rolls, size_t entropy_len, struct err *err)
{
    struct line text = { 0 };
    struct writer w = writer_of(text.b, sizeof text.b);
    struct bytes transcript;
    bool shown = seed_mix_transcript(&w, entropy_len, kernel->b, rolls, err);
    if (shown && writer_finish(&w, &transcript)) {
        init_say(o, "\nHow the words came about. Who reads this has the seed:\n\n");
        o->io.show(o->io.context, transcript);
    } else if (shown) {
        shown = err_set(err, ERR_LIMIT, "the transcript is too long");
    }
    line_wipe(&text);
    return shown;
}

static bool make_entropy(const struct init_options *o, struct entropy *out, struct err *err)
{
    AUTO(seed_rolls_wipe) struct seed_rolls rolls = { 0 };
    AUTO(kernel_wipe) struct kernel kernel;
    out->len = o->n_words / 3 * 4;
    if (o->random)
        o->random(o->random_context, kernel.b, sizeof kernel.b);
    else
        random_bytes(kernel.b, sizeof kernel.b);
    if (!ask_source(o, &rolls, err))
        return false;
    say_commitment(o, &kernel);
    if (!ask_rolls(o, &rolls, out->len, err))
        return false;
    seed_mix(out->b, out->len, kernel.b, &rolls);
    return show_transcript(o, &kernel, &rolls, out->len, err);
}

// --- The backup ---

static void show_words(const struct init_options *o, const struct words *words)
{
    struct reader r = reader_of(bytes_of(words->b, words->len));
    struct bytes word;
    init_say(o, "\nWrite these words down, in this order:\n\n");
    for (unsigned i = 1; reader_until(&r, ' ', &word); i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%4u. ", i);
        init_say(o, number);
        o->io.show(o->io.context, word);
        init_say(o, "\n");
    }
}

static bool same_words(const struct words *words, struct bytes typed, struct err *err)
{
    AUTO(words_wipe) struct words full;
    struct writer w = writer_of(full.b, sizeof full.b);
    if (!mnemonic_normalize(&w, typed, err))
        return false;
    return ct_equal(writer_bytes(&w), bytes_of(words->b, words->len)) ||
           err_set(err, ERR_INVALID, "these are other words");
}

static bool show_until_written(const struct init_options *o, const struct words *words,
                               struct err *err)
{
    AUTO(line_wipe) struct line line;
    show_words(o, words);
    const bool seen = init_ask(o, "\nPress Enter when you have them. ", true, &line, err);
    init_clear(o);
    return seen;
}

// "The backup is verified by re-entering words."
static bool verify_backup(const struct init_options *o, const struct words *words, struct err *err)
{
    for (bool show = true;;) {
        AUTO(line_wipe) struct line line;
        struct err wrong;
        if ((show && !show_until_written(o, words, err)) ||
            !init_ask(o, "Type the words from your paper (or Enter to see them again):\n", true,
                      &line, err))
            return false;
        init_clear(o);
        if (same_words(words, line_bytes(&line), &wrong))
            return true;
        show = line_bytes(&line).len == 0;
        if (!show)
            init_complain(o, &wrong);
    }
}

bool init_new_words(const struct init_options *o, struct words *out, struct err *err)
{
    AUTO(entropy_wipe) struct entropy entropy = { 0 };
    struct writer w = writer_of(out->b, sizeof out->b);
    if (!make_entropy(o, &entropy, err) ||
        !mnemonic_from_entropy(&w, bytes_of(entropy.b, entropy.len), err))
        return false;
    out->len = w.len;
    return verify_backup(o, out, err);
}
