// bitcoin/story.c
#include "bitcoin/story.h"
#include "base/reader.h"
#include "base/require.h"
#include "bitcoin/address.h"

enum { SHOWN_PAYMENTS = 10, SHOWN_CHANGE = 20, SHOWN_LIMIT = SHOWN_CHANGE, DATA_SHOWN = 80 };

#define OP_RETURN    0x6a
#define OP_PUSHDATA1 0x4c
#define OP_PUSHDATA2 0x4d

struct story {
    struct writer *w;
    const struct tx_facts *facts;
    enum unit unit;
    enum story_form form;
};

static void amount(const struct story *s, struct sats sats)
{
    sats_write_fixed(s->w, sats, s->facts->chain, s->unit);
}

static void address_line(const struct story *s, struct bytes script)
{
    if (s->form != STORY_LOG)
        writer_u8(s->w, s->form == STORY_SCREEN ? 0x02 : ' ');
    address_or_hex(s->w, script, s->facts->chain);
    writer_text(s->w, "\n");
}

// --- Which outputs are shown ---

// The largest outputs of one sort. While there are fewer than `cap`: in transaction order. From then
// on largest first; "equal values keep their order", and a later one equal to the smallest stays
// out.
struct shown {
    size_t list[SHOWN_LIMIT];
    size_t n, cap;
    size_t n_all;
    struct sats total, total_shown;
};

static uint64_t value_of(const struct story *s, size_t output)
{
    return s->facts->out[output].amount.n;
}

// Before the first smaller one; `n` of the list are in order.
static void insert(struct shown *shown, const struct story *s, size_t n, size_t output)
{
    size_t at = n;
    while (at > 0 && value_of(s, shown->list[at - 1]) < value_of(s, output))
        at--;
    memmove(&shown->list[at + 1], &shown->list[at], (n - at) * sizeof shown->list[0]);
    shown->list[at] = output;
}

static void sort(struct shown *shown, const struct story *s)
{
    for (size_t n = 1; n < shown->n; n++)
        insert(shown, s, n, shown->list[n]);
}

static void take(struct shown *shown, const struct story *s, size_t output)
{
    shown->n_all++;
    REQUIRE(sats_add(&shown->total, s->facts->out[output].amount)); // a part of total_out
    if (shown->n < shown->cap) {
        shown->list[shown->n++] = output;
        if (shown->n == shown->cap)
            sort(shown, s);
    } else if (value_of(s, output) > value_of(s, shown->list[shown->cap - 1])) {
        insert(shown, s, shown->cap - 1, output);
    }
}

static struct shown select_outputs(const struct story *s, bool change, size_t cap)
{
    struct shown shown = { .cap = cap };
    for (size_t i = 0; i < s->facts->n_out; i++)
        if (s->facts->out[i].change == change)
            take(&shown, s, i);
    for (size_t i = 0; i < shown.n; i++)
        REQUIRE(sats_add(&shown.total_shown, s->facts->out[shown.list[i]].amount));
    return shown;
}

static void rest_line(const struct story *s, const struct shown *shown, const char *what)
{
    if (shown->n_all == shown->n)
        return;
    writer_printf(s->w, ".. plus %zu smaller %s(s), not shown here, which total: ",
                  shown->n_all - shown->n, what);
    amount(s, (struct sats){ shown->total.n - shown->total_shown.n });
    writer_text(s->w, "\n\n");
}

// --- Outputs ---

// The data of an OP_RETURN script: 6a and nothing, or exactly one push that ends the script.
static bool op_return_data(struct bytes script, struct bytes *out)
{
    struct reader r = reader_of(script);
    uint8_t op, short_len;
    uint16_t len = 0;
    *out = (struct bytes){ 0 };
    if (!reader_u8(&r, &op) || op != OP_RETURN)
        return false;
    if (reader_done(&r))
        return true;
    if (!reader_u8(&r, &op))
        return false;
    if (op < OP_PUSHDATA1) {
        len = op;
    } else if (op == OP_PUSHDATA1 && reader_u8(&r, &short_len)) {
        len = short_len;
    } else if (op != OP_PUSHDATA2 || !reader_u16le(&r, &len)) {
        return false;
    }
    return reader_take(&r, len, out) && reader_done(&r);
}

static void op_return_line(const struct story *s, struct bytes data)
{
    if (data.len == 0) {
        writer_text(s->w, "null-data");
    } else if (data.len > 2 * DATA_SHOWN) {
        writer_hex(s->w, bytes_slice(data, 0, DATA_SHOWN));
        writer_text(s->w, "\n \xe2\x8b\xaf\n"); // U+22EF
        writer_hex(s->w, bytes_slice(data, data.len - DATA_SHOWN, DATA_SHOWN));
    } else {
        writer_hex(s->w, data);
        if (bytes_is_printable_ascii(data))
            writer_printf(s->w, " (ascii: %.*s)", BYTES_ARG(data));
    }
    writer_text(s->w, "\n");
}

static bool has_address(const struct story *s, struct bytes script)
{
    uint8_t mem[ADDRESS_TEXT_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    return address_from_script(&w, script, s->facts->chain);
}

static void payment(const struct story *s, const struct output_facts *out)
{
    struct bytes data;
    amount(s, out->amount);
    if (op_return_data(out->script, &data)) {
        writer_text(s->w, "\n - OP_RETURN -\n");
        op_return_line(s, data);
    } else if (has_address(s, out->script)) {
        writer_text(s->w, "\n - to address -\n");
        address_line(s, out->script);
    } else {
        writer_text(s->w, "\n - to script -\n");
        writer_hex(s->w, out->script);
        writer_text(s->w, "\n");
    }
    writer_text(s->w, "\n");
}

static void payments(const struct story *s)
{
    const struct shown shown = select_outputs(s, false, SHOWN_PAYMENTS);
    for (size_t i = 0; i < shown.n; i++)
        payment(s, &s->facts->out[shown.list[i]]);
    rest_line(s, &shown, "output");
}

static void change_back(const struct story *s)
{
    const struct shown shown = select_outputs(s, true, SHOWN_CHANGE);
    if (shown.n == 0)
        return;
    writer_text(s->w, "Change back:\n");
    amount(s, s->facts->change_total);
    writer_text(s->w, shown.n == 1 ? "\n - to address -\n" : "\n - to addresses -\n");
    for (size_t i = 0; i < shown.n; i++) {
        address_line(s, s->facts->out[shown.list[i]].script);
        writer_text(s->w, "\n");
    }
    rest_line(s, &shown, "change output");
}

// --- Head and tail ---

static bool is_consolidation(const struct tx_facts *facts)
{
    for (size_t i = 0; i < facts->n_out; i++)
        if (!facts->out[i].change)
            return false;
    return facts->fee_known;
}

static void pay_head(const struct story *s)
{
    if (is_consolidation(s->facts)) {
        writer_text(s->w, "Consolidating ");
        amount(s, s->facts->total_out);
        writer_text(s->w, "\nwithin wallet.\n\n");
    } else {
        writer_text(s->w, "Sending ");
        amount(s, facts_spent(s->facts));
        writer_text(s->w, "\n");
    }
    if (!s->facts->fee_known)
        return;
    writer_text(s->w, "Network fee ");
    amount(s, s->facts->fee);
    writer_text(s->w, "\n\n");
}

static void message_head(const struct story *s)
{
    const struct tx_facts *facts = s->facts;
    const bool many = facts->n_in > 1;
    writer_text(s->w, many ? "Proof of Reserves\n\n" : "BIP-322 Message\n\n");
    writer_text(s->w, "Message:\n");
    writer_put(s->w, facts->message);
    writer_text(s->w, "\n\n");
    if (many) {
        writer_text(s->w, "Amount ");
        amount(s, facts->total_in);
        writer_text(s->w, "\n\n");
    }
    if (has_address(s, facts->message_challenge)) {
        writer_text(s->w, "Challenge Address:\n");
        address_line(s, facts->message_challenge);
    } else {
        writer_text(s->w, "Message Challenge:\n");
        writer_hex(s->w, facts->message_challenge);
        writer_text(s->w, "\n");
    }
    writer_text(s->w, "\n");
}

static void counts(const struct story *s)
{
    const struct tx_facts *facts = s->facts;
    if (facts->is_message && facts->n_in == 1)
        return;
    writer_printf(s->w, " %zu %s\n", facts->n_in, facts->n_in == 1 ? "input" : "inputs");
    writer_printf(s->w, " %zu %s\n\n", facts->n_out, facts->n_out == 1 ? "output" : "outputs");
}

static void texts(const struct story *s, const char *title, const struct labelled_text *list,
                  size_t n, const char *end)
{
    if (n > 0)
        writer_text(s->w, title);
    for (size_t i = 0; i < n; i++) {
        writer_printf(s->w, "- %s: ", list[i].label);
        writer_put(s->w, list[i].text);
        writer_text(s->w, end);
    }
}

void story_write(struct writer *w, const struct tx_facts *facts, enum unit unit,
                 enum story_form form)
{
    const struct story s = { w, facts, unit, form };
    if (facts->n_warnings == 1)
        writer_text(w, "(1 warning below)\n\n");
    else if (facts->n_warnings > 1)
        writer_printf(w, "(%zu warnings below)\n\n", facts->n_warnings);
    if (facts->is_message)
        message_head(&s);
    else
        pay_head(&s);
    counts(&s);
    if (!facts->is_message) {
        payments(&s);
        change_back(&s);
    }
    texts(&s, "TX LOCKTIMES\n\n", facts->notes, facts->n_notes, "\n");
    texts(&s, "---WARNING---\n\n", facts->warnings, facts->n_warnings, "\n\n");
}
