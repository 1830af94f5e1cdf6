// Preflight and Casemate's own signer are asked about the same PSBT, case by case: what the signer refuses,
// preflight has said before, for the same reason (F27).
#include "coordinator/build.h"
#include "tests/support/coffer.h"

#define BIG SATS_MAX

struct flight {
    struct coffer *t;
    struct signer_limits limits; // of cosigner 1
    struct bytes whitelist[4];
    struct bytes address; // that is paid
    struct psbt psbt;     // parsed, for edits
    struct bytes edited;
};

// As new, with the coffer that it has.
static void flight_reset(struct flight *f)
{
    struct coffer *t = f->t;
    *f = (struct flight){ .t = t };
    t->coins.n = t->outputs.n = 0;
    (void)coffer_coin(f->t, MS_RECEIVE, 0, 1000000);
    (void)coffer_coin(f->t, MS_RECEIVE, 60, 100000);
    f->address = coffer_pay(f->t, 1, 999900);
    f->t->request.change_index = 205;
    coffer_builds(f->t); // both coins: the first alone would not pay the fee
    assert_int_equal(f->t->build.n_inputs, 2);
    f->whitelist[0] = f->address;
    f->limits = (struct signer_limits){ .name = "B",
                                        .xfp = ms_rig_xfp(1),
                                        .max_psbt = 384 << 10,
                                        .max_inputs = 20,
                                        .max_amount = { BIG },
                                        .budget = { BIG },
                                        .whitelist = f->whitelist,
                                        .n_whitelist = 1 };
    f->edited = f->t->build.psbt;
}

static struct flight *flight_new(void)
{
    struct flight *f = arena_alloc(test_arena(), sizeof *f);
    f->t = coffer_new("wsh", 2, 3);
    flight_reset(f);
    return f;
}

static void flight_end(struct flight **f)
{
    coffer_end(&(*f)->t);
}

// The policy that the limits stand for.
static const char *policy_of(const struct flight *f)
{
    struct writer w = writer_growing(test_arena(), 4096);
    writer_text(&w, "{\"must_log\": false, \"period\": 60, \"rules\": [{\"wallet\": \"treasury\"");
    if (f->limits.max_amount.n != BIG)
        writer_printf(&w, ", \"max_amount\": %llu", (unsigned long long)f->limits.max_amount.n);
    if (f->limits.budget.n != BIG)
        writer_printf(&w, ", \"per_period\": %llu", (unsigned long long)f->limits.budget.n);
    if (f->limits.whitelist != NULL) {
        writer_text(&w, ", \"whitelist\": [");
        for (size_t i = 0; i < f->limits.n_whitelist; i++)
            writer_printf(&w, "%s\"%.*s\"", i == 0 ? "" : ", ", BYTES_ARG(f->whitelist[i]));
        writer_text(&w, "]");
    }
    writer_text(&w, "}]}");
    writer_u8(&w, 0);
    return (const char *)writer_bytes(&w).ptr;
}

// --- Edits of the PSBT ---

static void open_psbt(struct flight *f)
{
    struct err err;
    assert_true(psbt_parse(&f->psbt, f->edited, test_arena(), &err));
}

static void close_psbt(struct flight *f)
{
    struct writer tx = writer_growing(test_arena(), 65536);
    struct writer w = writer_growing(test_arena(), PSBT_SIZE_MAX);
    tx_write(&tx, &f->psbt.tx);
    f->psbt.global.fields[0].value = writer_bytes(&tx);
    psbt_write(&w, &f->psbt);
    f->edited = writer_bytes(&w);
}

static void drop(struct psbt_map *map, uint8_t type)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->n_fields; i++)
        if (map->fields[i].key.ptr[0] != type)
            map->fields[kept++] = map->fields[i];
    map->n_fields = kept;
}

static void put(struct psbt_map *map, struct bytes key, struct bytes value)
{
    struct psbt_field *fields = arena_array(test_arena(), map->n_fields + 1, sizeof *fields);
    memcpy(fields, map->fields, map->n_fields * sizeof *fields);
    fields[map->n_fields++] = (struct psbt_field){ key, value };
    map->fields = fields;
}

static void no_edit(struct flight *f)
{
    (void)f;
}
static void drop_previous(struct flight *f)
{
    drop(&f->psbt.in[0], PSBT_IN_NON_WITNESS_UTXO);
}
static void other_previous(struct flight *f)
{
    f->psbt.in[0].fields[0].value = f->psbt.in[1].fields[0].value;
}
static void sighash_none(struct flight *f)
{
    put(&f->psbt.in[0], BYTES("\x03"), BYTES("\x02\x00\x00\x00"));
}
static void sighash_all(struct flight *f)
{
    put(&f->psbt.in[0], BYTES("\x03"), BYTES("\x01\x00\x00\x00"));
}
static void zero_output(struct flight *f)
{
    f->psbt.tx.out[1].value += f->psbt.tx.out[0].value;
    f->psbt.tx.out[0].value = 0;
}
static void more_paid(struct flight *f)
{
    f->psbt.tx.out[0].value += 100;
    f->psbt.tx.out[1].value -= 100;
}
static void data_output(struct flight *f)
{
    f->psbt.tx.out[0].script = BYTES("\x6a\x04"
                                     "data");
}
static void final_sequences(struct flight *f)
{
    f->psbt.tx.locktime = 800000;
    f->psbt.tx.in[0].sequence = f->psbt.tx.in[1].sequence = 0xffffffff;
}
static void big_fee(struct flight *f)
{
    f->psbt.tx.out[0].value -= 60000; // and the spend's, where it is run
}
static void far_change(struct flight *f) // without the input that reaches there
{
    f->psbt.n_in = f->psbt.tx.n_in = 1;
    f->psbt.tx.out[1].value = 50;
}
static void lying_change(struct flight *f) // a path of another address
{
    struct psbt_field *last = &f->psbt.out[1].fields[f->psbt.out[1].n_fields - 1];
    uint8_t *path = arena_alloc(test_arena(), last->value.len);
    memcpy(path, last->value.ptr, last->value.len);
    path[last->value.len - 4] ^= 1;
    last->value.ptr = path;
}
static void bare_change(struct flight *f) // nothing that says it is change
{
    f->psbt.out[1].n_fields = 0;
}
static void no_paths(struct flight *f)
{
    drop(&f->psbt.in[1], PSBT_IN_KEY_PATH);
}
static void other_script(struct flight *f)
{
    drop(&f->psbt.in[0], PSBT_IN_WITNESS_SCRIPT);
}

// --- Limits ---

static void less_amount(struct flight *f)
{
    f->limits.max_amount.n = 999899;
}
static void same_amount(struct flight *f)
{
    f->limits.max_amount.n = 999900;
}
static void less_budget(struct flight *f)
{
    f->limits.budget.n = 999899;
}
static void same_budget(struct flight *f)
{
    f->limits.budget.n = 999900;
}
static void other_list(struct flight *f)
{
    f->whitelist[0] = BYTES("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7");
}
static void shouting_list(struct flight *f) // as QR codes have it
{
    uint8_t *upper = arena_alloc(test_arena(), f->address.len);
    for (size_t i = 0; i < f->address.len; i++)
        upper[i] = f->address.ptr[i] >= 'a' ? (uint8_t)(f->address.ptr[i] - 32) : f->address.ptr[i];
    f->whitelist[0] = bytes_of(upper, f->address.len);
}
static void no_list(struct flight *f)
{
    f->limits.whitelist = NULL;
    f->limits.n_whitelist = 0;
}
static void small_device(struct flight *f)
{
    f->limits.max_psbt = 1000;
}
static void few_inputs(struct flight *f)
{
    f->limits.max_inputs = 1;
}
static void unlimited(struct flight *f)
{
    f->limits.max_psbt = f->limits.max_inputs = 0; // not known
}
static void stranger(struct flight *f)
{
    f->limits.xfp = ms_rig_xfp(9);
}

// preflight: what it says behind "signer B would refuse: ", or "!" and a text for all; NULL: nothing.
// signer: what is in its own reply; NULL: it signs. Where only preflight says no, the row tells why.
static const struct {
    const char *name;
    void (*edit)(struct flight *);
    void (*limit)(struct flight *);
    const char *preflight, *signer;
} cases[] = {
    { "as built", no_edit, NULL, NULL, NULL },
    { "ALL said aloud", sighash_all, NULL, NULL, NULL },
    // Rules.
    { "amount", no_edit, less_amount, "amount exceeded", "rule #1: amount exceeded" },
    { "amount, exactly", no_edit, same_amount, NULL, NULL },
    { "budget", no_edit, less_budget, "would exceed period spending",
      "would exceed period spending" },
    { "budget, exactly", no_edit, same_budget, NULL, NULL },
    { "list", no_edit, other_list, "non-whitelisted address: tb1q",
      "non-whitelisted address: tb1q" },
    { "list in upper case", no_edit, shouting_list, NULL, NULL },
    { "no list", no_edit, no_list, NULL, NULL },
    // The transaction.
    { "hash type NONE", sighash_none, NULL, "!an input asks for another hash type than ALL",
      "Sighash NONE is not allowed" },
    { "zero value", zero_output, NULL, "!an output of no amount that can be", "warning(s)" },
    { "data", data_output, NULL, "!an output of an unknown kind, or with data", "" },
    { "final sequences", final_sequences, NULL, "!an input's sequence is final", "warning(s)" },
    { "other outputs", more_paid, NULL, "!an output is not the spend's", NULL }, // D17 8: ours
    { "fee of 5 %", big_fee, NULL, "!the fee is 5 % of the outputs or more", "warning(s)" },
    { "change beyond the gap", far_change, NULL, "!the change index is too far above the inputs'",
      "warning(s)" },
    // Change and keys.
    { "change with a lie", lying_change, NULL, "Output#1: ", "Output#1: " },
    { "change unmarked", bare_change, NULL, "it does not know the change for what it is",
      "non-whitelisted address" },
    { "no previous transaction", drop_previous, NULL, "!an input has no previous transaction",
      NULL }, // the amount is in the digest; other devices warn
    { "another's previous transaction", other_previous, NULL,
      "!an input's previous transaction is another one", "" },
    { "no key paths", no_paths, NULL, "an input's key or amount cannot be verified", "" },
    { "no witness script", other_script, NULL, "", "" },
    // The device.
    { "too large", no_edit, small_device, "the PSBT is larger than it takes", NULL },
    { "too many inputs", no_edit, few_inputs, "more inputs than it takes", NULL },
    { "limits not known", no_edit, unlimited, NULL, NULL },
    { "a stranger", no_edit, stranger, "it is no cosigner of the wallet", NULL },
};

static bool says(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static bool is_expected(const char *expected, const struct err *err)
{
    char text[256];
    if (expected[0] == '!')
        return strcmp(err->text, expected + 1) == 0;
    (void)snprintf(text, sizeof text, "signer B would refuse: %s", expected);
    return says(err->text, text);
}

TEST(coordinator_F27_preflight_predicts_what_the_signer_says)
{
    AUTO(flight_end) struct flight *f = flight_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = { 0 };
        flight_reset(f);
        open_psbt(f);
        cases[i].edit(f);
        close_psbt(f);
        if (cases[i].edit == big_fee)
            f->t->output[0].amount.n -= 60000;
        if (cases[i].limit != NULL)
            cases[i].limit(f);
        const bool good =
            preflight(f->t->wallet, f->edited, &f->t->outputs, &f->limits, 1, test_arena(), &err);
        if (good != (cases[i].preflight == NULL) ||
            (!good && !is_expected(cases[i].preflight, &err)))
            fail_msg("%s: preflight says '%s'", cases[i].name, err.text);
        if (!good)
            assert_int_equal(code_of(&err), CODE_PREFLIGHT_FAILED);
        const struct signer_says signer =
            coffer_sign(1, f->edited, wallet_keys(f->t->wallet), policy_of(f));
        if (signer.signed_it != (cases[i].signer == NULL) ||
            (!signer.signed_it && !says(signer.reply, cases[i].signer)))
            fail_msg("%s: the signer says '%s'", cases[i].name, signer.reply);
        // Never the other way round.
        assert_false(good && !signer.signed_it);
    }
}

TEST(coordinator_D6_every_chosen_signer_is_looked_at)
{
    AUTO(flight_end) struct flight *f = flight_new();
    struct signer_limits limits[3] = { f->limits, f->limits, f->limits };
    struct err err;
    limits[0].xfp = ms_rig_xfp(0);
    limits[0].name = "A";
    limits[2].xfp = ms_rig_xfp(2);
    limits[2].name = "C";
    assert_true(preflight(f->t->wallet, f->edited, &f->t->outputs, limits, 3, test_arena(), &err));
    limits[2].budget.n = 1;
    assert_false(preflight(f->t->wallet, f->edited, &f->t->outputs, limits, 3, test_arena(), &err));
    assert_string_equal(err.text, "signer C would refuse: would exceed period spending");
}

// A child and a void pay nobody: no amount, no list, no budget.
TEST(coordinator_D7_a_transfer_to_change_costs_no_budget)
{
    AUTO(flight_end) struct flight *f = flight_new();
    struct coffer *t = f->t;
    struct err err;
    t->request.anchor = &t->coin[0].outpoint;
    t->request.everything_to_change = true;
    t->request.change_index = 100;
    coffer_builds(t);
    f->limits.max_amount.n = f->limits.budget.n = 0;
    f->whitelist[0] = BYTES("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7");
    assert_true(preflight(t->wallet, t->build.psbt, NULL, &f->limits, 1, test_arena(), &err));
    assert_true(coffer_sign(1, t->build.psbt, wallet_keys(t->wallet),
                            "{\"must_log\": false, \"rules\": [{\"max_amount\": 0}]}")
                    .signed_it);
    // With the spend's outputs expected it is not what it should be.
    assert_false(
        preflight(t->wallet, t->build.psbt, &t->outputs, &f->limits, 1, test_arena(), &err));
}

// "One change address per spend", and change in two while coins are few: both go there.
TEST(coordinator_D6_split_change_of_one_address_is_signed)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("wsh", 2, 3);
    const struct signer_limits limits = {
        .name = "A", .xfp = ms_rig_xfp(0), .max_amount = { 100000 }, .budget = { 100000 }
    };
    struct err err;
    (void)coffer_coin(t, MS_RECEIVE, 0, 10000000);
    (void)coffer_pay(t, 1, 100000);
    t->request.change_index = t->request.second_change_index = 5;
    coffer_builds(t);
    assert_int_equal(t->build.n_change, 2);
    assert_true(preflight(t->wallet, t->build.psbt, &t->outputs, &limits, 1, test_arena(), &err));
    assert_true(coffer_sign(0, t->build.psbt, wallet_keys(t->wallet),
                            "{\"must_log\": false, \"rules\": [{\"max_amount\": 100000, "
                            "\"wallet\": \"treasury\"}]}")
                    .signed_it);
}

TEST(coordinator_D6_what_is_no_psbt_fails)
{
    AUTO(flight_end) struct flight *f = flight_new();
    struct err err;
    for (size_t len = 0; len < f->edited.len; len += 97)
        assert_false(preflight(f->t->wallet, bytes_slice(f->edited, 0, len), &f->t->outputs,
                               &f->limits, 1, test_arena(), &err));
}

// Property: whatever is built passes preflight, and the signer takes it.
TEST(coordinator_F27_property_what_is_built_is_signed)
{
    AUTO(coffer_end) struct coffer *t = coffer_new("sh(wsh", 2, 3);
    uint64_t state = 7;
    const struct signer_limits limits[] = {
        { .name = "A", .xfp = ms_rig_xfp(0), .max_amount = { BIG }, .budget = { BIG } },
        { .name = "C", .xfp = ms_rig_xfp(2), .max_amount = { BIG }, .budget = { BIG } },
    };
    size_t n = 0;
    for (int round = 0; round < 25; round++) {
        t->coins.n = t->outputs.n = 0;
        for (uint32_t k = 0; k < 1 + coffer_random(&state, 4); k++)
            (void)coffer_coin(t, coffer_random(&state, 2) == 0 ? MS_RECEIVE : MS_CHANGE,
                              (uint32_t)coffer_random(&state, 400),
                              50000 + coffer_random(&state, 5000000));
        for (unsigned i = 0; i < 1 + coffer_random(&state, 3); i++)
            (void)coffer_pay(t, i, 1000 + coffer_random(&state, 400000));
        t->request.change_index = (uint32_t)coffer_random(&state, 300);
        t->request.locktime = (uint32_t)coffer_random(&state, 900000);
        t->request.fee_rate = 1000 + coffer_random(&state, 20000);
        if (!coffer_build(t))
            continue;
        n++;
        if (!preflight(t->wallet, t->build.psbt, &t->outputs, limits, 2, test_arena(), &t->err))
            fail_msg("round %d: %s", round, t->err.text);
        const struct signer_says says =
            coffer_sign(2, t->build.psbt, wallet_keys(t->wallet),
                        "{\"must_log\": false, \"rules\": [{\"wallet\": \"treasury\"}]}");
        if (!says.signed_it)
            fail_msg("round %d: %s", round, says.reply);
    }
    assert_true(n > 5);
}
