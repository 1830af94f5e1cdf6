#include "bitcoin/psbt.h"
#include "base/base64.h"
#include "base/hex.h"
#include "bitcoin/psbt_err.h"
#include "tests/support/psbt_rig.h"

static bool parse(struct psbt *out, struct bytes raw, struct err *err)
{
    return psbt_parse(out, raw, test_arena(), err);
}

// Either of these two replies is right for a structural defect, and no other (psbt-signing 0).
static void assert_refused(struct bytes raw, const char *what)
{
    struct psbt p;
    struct err err = { 0 };
    if (parse(&p, raw, &err))
        fail_msg("accepted: %s", what);
    if (strcmp(err.text, PSBT_PARSE_FAILED) != 0 && strcmp(err.text, PSBT_INVALID) != 0)
        fail_msg("%s: '%s'", what, err.text);
}

static void assert_round_trip(struct bytes raw, const char *what)
{
    struct psbt p;
    struct err err;
    if (!parse(&p, raw, &err))
        fail_msg("%s: %s: %s", what, err.text, err.detail);
    struct writer w = writer_growing(test_arena(), PSBT_SIZE_MAX);
    psbt_write(&w, &p);
    assert_bytes_equal(writer_bytes(&w), raw);
}

static const char *text_of(const struct json *value)
{
    const char *text = arena_text(test_arena(), value->text);
    assert_non_null(text);
    return text;
}

static void check_vectors(const char *file)
{
    const struct json *all = test_vectors(file);
    const struct json *invalid = json_need(all, "invalid"), *valid = json_need(all, "valid");
    assert_true(invalid->n_items > 0 && valid->n_items > 0);
    for (const struct json *row = invalid->items; row != NULL; row = row->next) {
        // One of the official ones is no PSBT at all but hex of a network transaction.
        struct writer w = writer_growing(test_arena(), PSBT_SIZE_MAX);
        if (base64_read(&w, json_item(row, 1)->text))
            assert_refused(writer_bytes(&w), text_of(json_item(row, 0)));
    }
    for (const struct json *row = valid->items; row != NULL; row = row->next)
        assert_round_trip(test_base64(json_item(row, 1)->text), text_of(json_item(row, 0)));
}

TEST(psbt_signing_27_35_bip174_vectors)
{
    check_vectors("bip174.json");
}

TEST(psbt_signing_27_35_bip370_vectors)
{
    check_vectors("bip370.json");
}

TEST(psbt_signing_27_35_bip371_vectors)
{
    check_vectors("bip371.json");
}

TEST(psbt_signing_27_35_extra_vectors)
{
    check_vectors("psbt_extra.json");
}

TEST(psbt_signing_27_48_bip370_locktimes)
{
    const struct json *rows = json_need(test_vectors("bip370.json"), "locktime");
    assert_int_equal(rows->n_items, 10);
    for (const struct json *row = rows->items; row != NULL; row = row->next) {
        struct psbt p;
        struct err err;
        int64_t expected;
        const bool parsed = parse(&p, test_base64(json_item(row, 1)->text), &err);
        if (!json_integer(json_item(row, 0), &expected, NULL)) {
            assert_false(parsed);
            assert_err(&err, ERR_INVALID, PSBT_INVALID);
            assert_string_equal(err.detail, "locktime");
            continue;
        }
        assert_true(parsed);
        assert_int_equal(p.tx.locktime, expected);
    }
}

// --- Bytes ---

static struct bytes case_psbt(const char *id)
{
    const struct json *cases = json_need(test_vectors("reference_psbt_cases.json"), "cases");
    for (const struct json *c = cases->items; c != NULL; c = c->next)
        if (bytes_equal_text(json_need_text(c, "id"), id))
            return test_base64(json_need_text(c, "psbt"));
    fail_msg("no case %s", id);
}

TEST(psbt_signing_27_36_every_truncation_is_refused)
{
    static const char *const ids[] = { "ss-mixed-v0", "ss-mixed-v2", "ms-p2wsh-second-v0-0" };
    for (size_t k = 0; k < COUNT(ids); k++) {
        const struct bytes raw = case_psbt(ids[k]);
        for (size_t len = 0; len < raw.len; len++) {
            struct bytes cut;
            assert_true(arena_copy(test_arena(), bytes_slice(raw, 0, len), &cut));
            assert_refused(cut, ids[k]);
        }
    }
}

// Each length of a PSBT, written longer than it need be: of a key, of a value, and of a script inside.
TEST(psbt_signing_27_3_lengths_longer_than_needed)
{
    static const struct {
        const char *good, *longer; // of a witness UTXO and what stands before it
    } lengths[] = {
        { "0101 1f", "fd0100 01 1f" },
        { "0101 1f", "fe01000000 01 1f" },
        { "0101 1f", "ff0100000000000000 01 1f" },
        { "0101 1f", "01 01 fd1f00" },
        { "0101 1f", "01 01 fe1f000000" },
        { "0101 1f", "01 01 ff1f00000000000000" },
        { "16 0014", "fd1600 0014" },
    };
    const struct bytes raw = case_psbt("ss-p2wpkh-v0");
    struct psbt p;
    struct err err;
    assert_true(parse(&p, raw, &err));
    for (size_t i = 0; i < COUNT(lengths); i++) {
        const struct bytes good = test_hex(lengths[i].good);
        // From the input's map on: the length of its only witness UTXO.
        const uint8_t *map = p.in[0].fields[0].key.ptr - 1;
        const uint8_t *at = memmem(map, (size_t)(raw.ptr + raw.len - map), good.ptr, good.len);
        assert_non_null(at);
        const size_t offset = (size_t)(at - raw.ptr);
        const struct bytes tail = bytes_slice(raw, offset + good.len, raw.len);
        assert_refused(test_concat(bytes_slice(raw, 0, offset),
                                   test_concat(test_hex(lengths[i].longer), tail)),
                       lengths[i].longer);
    }
}

TEST(psbt_signing_27_39_one_byte_more_is_refused)
{
    const struct bytes raw = case_psbt("ss-mixed-v0");
    struct psbt p;
    struct err err;
    assert_true(parse(&p, raw, &err));
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t last = (uint8_t)byte;
        assert_false(parse(&p, test_concat(raw, bytes_of(&last, 1)), &err));
        assert_err(&err, ERR_MALFORMED, PSBT_PARSE_FAILED);
    }
}

// What a signer makes of it, in bytes that differ when a fact or a signature does.
static struct bytes outcome(struct rig *rig, struct bytes raw)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    if (!rig_analyse(rig, raw) || !psbt_rig_sign(rig))
        return (struct bytes){ 0 };
    writer_put(&w, rig_story(rig, STORY_SCREEN));
    for (size_t i = 0; i < rig->sigs.n_sigs; i++)
        writer_put(&w, rig->sigs.sigs[i].value);
    return writer_bytes(&w);
}

static void flip_all_bits(uint32_t version)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    draft_put(&d->in[0], 0x77, BYTES("kept"), BYTES("unknown"));
    const struct bytes raw = draft_write(d, version), before = outcome(rig, raw);
    const struct bytes kept = BYTES("\x05\x77kept\x07unknown");
    const uint8_t *at = memmem(raw.ptr, raw.len, kept.ptr, kept.len);
    assert_true(before.len > 0 && at != NULL);
    const size_t kept_from = (size_t)(at - raw.ptr);
    size_t n_same = 0;
    for (size_t bit = 0; bit < 8 * raw.len; bit++) {
        uint8_t *flipped = arena_alloc(test_arena(), raw.len);
        memcpy(flipped, raw.ptr, raw.len);
        flipped[bit / 8] ^= (uint8_t)(1 << bit % 8);
        const struct bytes after = outcome(rig, bytes_of(flipped, raw.len));
        // Without its version field, which then is an unknown one, this PSBT is of version 2, too.
        const bool is_version = raw.ptr[bit / 8] == PSBT_GLOBAL_VERSION && bit / 8 < 32;
        const bool ignored = is_version || (bit / 8 >= kept_from && bit / 8 < kept_from + kept.len);
        n_same += bytes_equal(after, before);
        if (bytes_equal(after, before) && !ignored)
            fail_msg("v%u: bit %zu of byte %zu means nothing", version, bit % 8, bit / 8);
    }
    assert_true(n_same > 8); // the unknown field may say what it likes
}

TEST(psbt_signing_27_37_every_bit_flip_is_refused_or_seen)
{
    flip_all_bits(0);
    flip_all_bits(2);
}

// --- Keys ---

static void append(struct psbt_map *map, struct bytes key, struct bytes value)
{
    struct psbt_field *fields = arena_array(test_arena(), map->n_fields + 1, sizeof map->fields[0]);
    assert_non_null(fields);
    if (map->n_fields > 0)
        memcpy(fields, map->fields, map->n_fields * sizeof fields[0]);
    fields[map->n_fields++] = (struct psbt_field){ key, value };
    map->fields = fields;
}

static struct bytes write_parsed(const struct psbt *p)
{
    struct writer w = writer_growing(test_arena(), 2 * PSBT_SIZE_MAX);
    psbt_write(&w, p);
    return writer_bytes(&w);
}

// A field twice at the end of the map, next to each other or with others between.
static void assert_duplicate_refused(const struct psbt *good, struct psbt_map *map,
                                     struct bytes key, struct bytes value, size_t n_between)
{
    const struct psbt_map before = *map;
    struct psbt p;
    struct err err;
    append(map, key, value);
    for (size_t i = 0; i < n_between; i++)
        append(map, test_concat(BYTES("\x99"), test_u32le((uint32_t)i)), value);
    append(map, key, value);
    assert_false(parse(&p, write_parsed(good), &err));
    assert_err(&err, ERR_MALFORMED, PSBT_PARSE_FAILED);
    assert_non_null(strstr(err.detail, "twice"));
    *map = before;
}

TEST(psbt_signing_27_38_every_duplicate_key_is_refused)
{
    struct psbt p;
    struct err err;
    assert_true(parse(&p, case_psbt("ss-mixed-v2"), &err));
    struct psbt_map *const maps[] = { &p.global, &p.in[1], &p.out[2] };
    for (size_t m = 0; m < COUNT(maps); m++)
        for (unsigned type = 0; type < 256; type++) {
            const uint8_t key[34] = { (uint8_t)type, 2 };
            for (size_t between = 0; between <= 20; between += 20) { // few fields, and many
                assert_duplicate_refused(&p, maps[m], bytes_of(key, 1), BYTES("1234"), between);
                assert_duplicate_refused(&p, maps[m], BYTES_OF(key), BYTES("1234"), between);
            }
        }
    // A known field that was there already.
    for (size_t m = 0; m < COUNT(maps); m++)
        for (size_t i = 0; i < maps[m]->n_fields; i++) {
            const struct psbt_map before = *maps[m];
            struct psbt again;
            append(maps[m], before.fields[i].key, before.fields[i].value);
            assert_false(parse(&again, write_parsed(&p), &err));
            assert_err(&err, ERR_MALFORMED, PSBT_PARSE_FAILED);
            *maps[m] = before;
        }
}

static const struct psbt_field strange[] = {
    { { (const uint8_t *)"\x7f", 1 }, { (const uint8_t *)"", 0 } },
    { { (const uint8_t *)"\xfc\x05OTHER\x01z", 9 }, { (const uint8_t *)"v", 1 } },
    { { (const uint8_t *)"\xfd\x01\x02key", 6 }, { (const uint8_t *)"w", 1 } },
    { { (const uint8_t *)"\x30\x00\x00", 3 }, { (const uint8_t *)"last", 4 } },
    { { (const uint8_t *)"\xff", 1 }, { (const uint8_t *)"\xff", 1 } },
};

static void assert_strange_kept(const struct psbt_map *map)
{
    size_t found = 0;
    for (size_t i = 0; i < map->n_fields; i++) {
        if (found == COUNT(strange) || !bytes_equal(map->fields[i].key, strange[found].key))
            continue;
        assert_bytes_equal(map->fields[i].value, strange[found].value);
        found++;
    }
    assert_int_equal(found, COUNT(strange));
}

TEST(psbt_signing_27_40_unknown_and_proprietary_keys_survive_in_order)
{
    for (uint32_t version = 0; version <= 2; version += 2) {
        struct rig *rig = rig_new();
        struct draft *d = draft_usual(rig);
        struct psbt_map *const maps[] = { &d->global, &d->in[0], &d->out[0], &d->out[1] };
        for (size_t m = 0; m < COUNT(maps); m++)
            for (size_t i = 0; i < COUNT(strange); i++)
                append(maps[m], strange[i].key, strange[i].value);
        rig_accepts(rig, draft_write(d, version));
        struct psbt p;
        assert_true(parse(&p, rig->result, &rig->err));
        assert_strange_kept(&p.global);
        assert_strange_kept(&p.in[0]);
        assert_strange_kept(&p.out[0]);
        assert_strange_kept(&p.out[1]);
    }
}

// --- Limits ---

TEST(psbt_signing_27_41_sizes)
{
    assert_int_equal(PSBT_SIZE_MIN, 51);
    assert_int_equal(PSBT_SIZE_MAX, 2097152);
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    uint8_t *filler = arena_alloc(test_arena(), PSBT_SIZE_MAX);
    draft_put(&d->global, 0x50, BYTES(""), bytes_of(filler, 70000));
    const size_t rest = draft_v0(d).len - 70000;
    draft_put(&d->global, 0x50, BYTES(""), bytes_of(filler, PSBT_SIZE_MAX - rest));
    assert_int_equal(draft_v0(d).len, PSBT_SIZE_MAX);
    rig_accepts(rig, draft_v0(d));
    draft_put(&d->global, 0x50, BYTES(""), bytes_of(filler, PSBT_SIZE_MAX - rest + 1));
    rig_refuses(rig, draft_v0(d), PSBT_PARSE_FAILED, NULL);
    // A PSBT of 51 bytes is read, and found to be no transaction.
    rig_refuses(rig,
                test_hex("70736274ff 0100 0a 02000000000000000000 05 7f01020304 1a"
                         "0000000000000000000000000000000000000000000000000000 00"),
                PSBT_PARSE_FAILED, NULL);
}

TEST(psbt_signing_27_42_counts_cost_nothing)
{
    static const struct {
        const char *count;
        bool of_inputs;
    } cases[] = {
        { "feffffffff", true },
        { "feffffffff", false },
        { "ffffffffffffffffff", true },
        { "ffffffffffffffffff", false },
        { "fe47000000", true }, // longer than needed: 0x47
        { "fd475f", true },     // 24391 inputs: above what a transaction can hold
        { "02", true },         // one more than there is
        { "03", false },
    };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct draft *d = draft_usual(rig);
        struct arena *arena = arena_new(1 << 20);
        struct psbt p;
        draft_put(&d->global,
                  cases[i].of_inputs ? PSBT_GLOBAL_INPUT_COUNT : PSBT_GLOBAL_OUTPUT_COUNT,
                  BYTES(""), test_hex(cases[i].count));
        assert_false(psbt_parse(&p, draft_write(d, 2), arena, &rig->err));
        assert_err(&rig->err, ERR_MALFORMED, PSBT_PARSE_FAILED);
        assert_true(arena_used(arena) < 4096);
        arena_free(arena);
    }
    // Counts that a transaction could have, and these bytes cannot.
    struct draft *d = draft_usual(rig);
    draft_put(&d->global, PSBT_GLOBAL_INPUT_COUNT, BYTES(""), test_hex("fd0040"));
    rig_refuses(rig, draft_write(d, 2), PSBT_PARSE_FAILED, "16386 maps in 278 bytes");
}

TEST(psbt_signing_27_43_exhausted_arena_is_too_complex)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    for (unsigned i = 0; i < 40; i++)
        (void)draft_change(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/1/9999", 1); // a warning for each
    const struct bytes raw = draft_v0(d);
    size_t n_refused = 0;
    bool done = false;
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&rig->master);
    for (size_t limit = 0; !done; limit += 96) {
        struct arena *arena = arena_new(limit);
        struct psbt p;
        struct psbt_facts facts;
        struct psbt_signed sigs;
        struct writer w = writer_growing(test_arena(), 1 << 20), tx = w;
        done = psbt_parse(&p, raw, arena, &rig->err) &&
               psbt_analyse(&facts, &p, &rig->view, arena, &rig->err) &&
               psbt_prove(&facts, keys, &rig->err) &&
               psbt_sign(&sigs, &facts, keys, NULL, arena, &rig->err) &&
               psbt_write_signed(&w, &facts, &sigs, &rig->err) &&
               psbt_finalize(&tx, NULL, &facts, &sigs, arena, &rig->err);
        if (!done)
            assert_err(&rig->err, ERR_NO_MEMORY, PSBT_TOO_COMPLEX);
        n_refused += !done;
        arena_free(arena);
    }
    assert_true(n_refused > 50);
}

// --- Versions ---

TEST(psbt_signing_27_44_versions)
{
    static const struct {
        uint32_t written_as;
        enum { GLOBAL, IN, OUT } map;
        int type;          // put, or dropped if there
        const char *value; // NULL: dropped
        const char *detail;
    } cases[] = {
        { 2, GLOBAL, 0x04, NULL, "v2 requires global input count" },
        { 2, GLOBAL, 0x05, NULL, "v2 requires global output count" },
        { 2, GLOBAL, 0x02, NULL, "v2 requires global txn version" },
        { 2, GLOBAL, 0x00, "02000000000000000000", "v2 requires exclusion of global unsigned tx" },
        { 2, IN, 0x0e, NULL, "v2 requires input previous txid in input 0" },
        { 2, IN, 0x0f, NULL, "v2 requires input output index in input 0" },
        { 2, OUT, 0x03, NULL, "v2 requires output amount in output 0" },
        { 2, OUT, 0x04, NULL, "v2 requires output script in output 0" },
        { 0, GLOBAL, 0x04, "01", "v0 requires exclusion of global input count" },
        { 0, GLOBAL, 0x05, "02", "v0 requires exclusion of global output count" },
        { 0, GLOBAL, 0x02, "02000000", "v0 requires exclusion of global txn version" },
        { 0, GLOBAL, 0x03, "00000000", "v0 requires exclusion of global fallback locktime" },
        { 0, GLOBAL, 0x06, "00", "v0 requires exclusion of global txn modifiable" },
        { 0, IN, 0x0f, "00000000", "v0 requires exclusion of input output index in input 0" },
        { 0, IN, 0x10, "00000000", "v0 requires exclusion of input sequence in input 0" },
        { 0, IN, 0x11, "0065cd1d", "v0 requires exclusion of input time locktime in input 0" },
        { 0, IN, 0x12, "01000000", "v0 requires exclusion of input height locktime in input 0" },
        { 0, OUT, 0x03, "0000000000000000", "v0 requires exclusion of output amount in output 0" },
        { 0, OUT, 0x04, "6a", "v0 requires exclusion of output script in output 0" },
        { 0, GLOBAL, 0xfb, "01000000", "PSBT version 1" },
        { 2, GLOBAL, 0xfb, "03000000", "PSBT version 3" },
    };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct psbt p;
        assert_true(parse(&p, draft_write(draft_usual(rig), cases[i].written_as), &rig->err));
        struct psbt_map *map = cases[i].map == GLOBAL ? &p.global
                               : cases[i].map == IN   ? p.in
                                                      : p.out;
        if (cases[i].value == NULL)
            draft_drop(map, (uint8_t)cases[i].type);
        else
            draft_put(map, (uint8_t)cases[i].type, BYTES(""), test_hex(cases[i].value));
        rig_refuses(rig, write_parsed(&p), PSBT_INVALID, cases[i].detail);
    }
}

// Magic and zero bytes: empty maps behind a global one that announces none.
TEST(psbt_signing_27_39_maps_that_nothing_announces)
{
    struct rig *rig = rig_new();
    const uint8_t zeros[60] = { 'p', 's', 'b', 't', 0xff };
    assert_false(rig_analyse(rig, BYTES_OF(zeros)));
    assert_err(&rig->err, ERR_MALFORMED, PSBT_PARSE_FAILED);
    // The global map alone is short of its fields.
    assert_false(rig_analyse(rig, bytes_of(zeros, 6)));
    assert_err(&rig->err, ERR_INVALID, PSBT_INVALID);
    assert_string_equal(rig->err.detail, "v2 requires global txn version");
    // A stated version has its rules.
    struct psbt p;
    assert_true(parse(&p, draft_v0(draft_usual(rig)), &rig->err));
    draft_put_u32(&p.global, PSBT_GLOBAL_VERSION, 0);
    draft_drop(&p.global, PSBT_GLOBAL_UNSIGNED_TX);
    rig_refuses(rig, write_parsed(&p), PSBT_INVALID, "v0 requires inclusion of global unsigned tx");
}

TEST(psbt_signing_27_44_version_0_field_is_dropped)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    struct psbt p;
    draft_put_u32(&d->global, PSBT_GLOBAL_VERSION, 0);
    rig_accepts(rig, draft_v0(d));
    assert_true(parse(&p, rig->result, &rig->err));
    assert_null(psbt_get(&p.global, PSBT_GLOBAL_VERSION));
    // A version 2 that nobody writes down is kept so.
    assert_true(parse(&p, draft_write(draft_usual(rig), 2), &rig->err));
    draft_drop(&p.global, PSBT_GLOBAL_VERSION);
    rig_accepts(rig, write_parsed(&p));
    assert_int_equal(rig->psbt.version, 2);
}

TEST(psbt_signing_27_45_transaction_versions)
{
    static const struct {
        int32_t tx_version;
        const char *in_v0, *in_v2; // NULL: signed
    } cases[] = {
        { 0, PSBT_INVALID, PSBT_INVALID },
        { 1, NULL, NULL },
        { 2, NULL, NULL },
        { 3, NULL, NULL },
        { 4, PSBT_PARSE_FAILED, PSBT_INVALID },
        { -1, PSBT_PARSE_FAILED, PSBT_INVALID },
        { INT32_MIN, PSBT_PARSE_FAILED, PSBT_INVALID },
    };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(cases); i++)
        for (uint32_t version = 0; version <= 2; version += 2) {
            struct draft *d = draft_usual(rig);
            const char *reply = version == 0 ? cases[i].in_v0 : cases[i].in_v2;
            d->tx.version = cases[i].tx_version;
            if (reply == NULL) {
                rig_accepts(rig, draft_write(d, version));
            } else {
                rig_refuses(rig, draft_write(d, version), reply, "bad txn version");
                assert_string_equal(rig->err.text, reply);
            }
        }
}

TEST(psbt_signing_27_46_transactions_that_are_none)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    d->tx.n_in = 0;
    rig_refuses(rig, draft_v0(d), PSBT_PARSE_FAILED, "no ins?");
    assert_string_equal(rig->err.text, PSBT_PARSE_FAILED);

    d = draft_usual(rig);
    d->tx.n_out = 0; // 51 bytes
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "txn too short");
    assert_string_equal(rig->err.text, PSBT_INVALID);
    rig_refuses(rig, draft_write(d, 2), PSBT_INVALID, "need outputs");

    d = draft_usual(rig);
    d->tx.n_out = 0;
    (void)draft_pay(d, BYTES(""), 95000000); // 60 bytes
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "txn too short");
    d->tx.out[0].script = BYTES("\x51"); // 61
    rig_accepts(rig, draft_v0(d));
}

static void refuse_tx(struct rig *rig, const char *tx, const char *detail)
{
    struct draft *d = draft_usual(rig);
    draft_put(&d->global, PSBT_GLOBAL_UNSIGNED_TX, BYTES(""), test_hex(tx));
    rig_refuses(rig, draft_v0(d), PSBT_PARSE_FAILED, detail);
    assert_string_equal(rig->err.text, PSBT_PARSE_FAILED);
}

#define TXID32 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

TEST(psbt_signing_27_46_47_unsigned_transactions)
{
    struct rig *rig = rig_new();
    // The witness form: read as legacy, it has no inputs, and bytes are left over.
    refuse_tx(rig,
              "02000000 0001 01" TXID32 "00000000 00 ffffffff 01 e803000000000000 0151 00 00000000",
              "txn read end wrong");
    refuse_tx(rig, "02000000 01" TXID32 "00000000 00 ffffffff 01 e803000000000000 0151 00000000 00",
              "txn read end wrong");
    refuse_tx(rig, "02000000 01" TXID32 "00000000 00 ffffffff 01 e803000000000000 0151 000000",
              "txn read end wrong");
    refuse_tx(rig, "02000000 01" TXID32 "00000000 0151 ffffffff 01 e803000000000000 0151 00000000",
              "input 0: scriptSig in the unsigned transaction");
}

// --- Field values of D-VALUE ---

TEST(psbt_signing_27_35_field_table)
{
    static const struct {
        enum { GLOBAL, IN, OUT } map;
        const char *key, *value; // hex
        const char *reply;       // NULL: accepted
    } cases[] = {
        { IN, "02 02" TXID32, "30 00 00 00 00 00 00 00 00", NULL },
        { IN, "02 05" TXID32, "30 00 00 00 00 00 00 00 00", PSBT_PARSE_FAILED },
        { IN, "02 04" TXID32, "30 00 00 00 00 00 00 00 00", PSBT_PARSE_FAILED },
        { IN, "02 02" TXID32, "30 00 00 00 00 00 00 00", PSBT_PARSE_FAILED },
        { IN, "04", "00", PSBT_INVALID },
        { IN, "05", TXID32, NULL },
        { IN, "05", "00", PSBT_INVALID },
        { IN, "08", "01 02 aabb", NULL },
        { IN, "08", "01 02 aabb 00", PSBT_PARSE_FAILED },
        { IN, "08", "02 02 aabb", PSBT_PARSE_FAILED },
        { IN, "0800", "00", PSBT_PARSE_FAILED },
        { IN, "13", TXID32 TXID32, NULL },
        { IN, "13", TXID32 TXID32 "01", NULL },
        { IN, "13", TXID32 TXID32 "0101", PSBT_PARSE_FAILED },
        { IN, "13", TXID32, PSBT_PARSE_FAILED },
        { IN, "1300", TXID32 TXID32, PSBT_PARSE_FAILED },
        { IN, "14" TXID32 TXID32, TXID32 TXID32, NULL },
        { IN, "14" TXID32, TXID32 TXID32, PSBT_PARSE_FAILED },
        { IN, "15 c0" TXID32, "51", NULL },
        { IN, "15 c0" TXID32 TXID32, "51", NULL },
        { IN, "15 c0" TXID32 "00", "51", PSBT_PARSE_FAILED },
        { IN, "15 c0" TXID32, "", PSBT_PARSE_FAILED },
        { IN, "16" TXID32, "00 00000000", NULL },
        { IN, "16" TXID32, "01" TXID32 "00000000 01000000", NULL },
        { IN, "16" TXID32, "02" TXID32 "00000000", PSBT_PARSE_FAILED },
        { IN, "16" TXID32, "00 000000", PSBT_PARSE_FAILED },
        { IN, "16" TXID32, "ffffffffffffffff08 00000000", PSBT_PARSE_FAILED }, // times 32 overflows
        { IN, "16 02" TXID32, "00 00000000", PSBT_PARSE_FAILED },
        { IN, "17", TXID32, NULL },
        { IN, "17", TXID32 "00", PSBT_PARSE_FAILED },
        { IN, "18", TXID32, NULL },
        { IN, "18", "00", PSBT_PARSE_FAILED },
        { IN, "03", "010000", PSBT_PARSE_FAILED },
        { OUT, "05", TXID32, NULL },
        { OUT, "05", "00", PSBT_PARSE_FAILED },
        { OUT, "06", "00 c0 01 51", NULL },
        { OUT, "06", "00 c0 02 51", PSBT_PARSE_FAILED },
        { OUT, "06", "", PSBT_PARSE_FAILED },
        { OUT, "07" TXID32, "00 00000000", NULL },
        { OUT, "07", "00 00000000", PSBT_PARSE_FAILED },
        { OUT, "00", "", NULL },
        { GLOBAL, "01 00", "00000000", PSBT_PARSE_FAILED },
        { GLOBAL, "09", "", NULL },
        { GLOBAL, "0900", "", PSBT_PARSE_FAILED },
    };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct draft *d = draft_usual(rig);
        struct psbt p;
        const struct bytes key = test_hex(cases[i].key), value = test_hex(cases[i].value);
        append(cases[i].map == GLOBAL ? &d->global
               : cases[i].map == IN   ? d->in
                                      : d->out,
               key, value);
        const bool good = parse(&p, draft_v0(d), &rig->err);
        if (good != (cases[i].reply == NULL))
            fail_msg("row %zu: %s", i, good ? "accepted" : rig->err.detail);
        if (!good)
            assert_string_equal(rig->err.text, cases[i].reply);
    }
}

TEST(psbt_signing_27_35_global_xpub_path_has_the_depth_of_the_key)
{
    struct rig *rig = rig_new();
    for (size_t depth = 0; depth < 256; depth += 51)
        for (size_t words = 1; words < 300; words += 7) {
            uint8_t key[79] = { 0x01, [5] = (uint8_t)depth };
            uint8_t *value = arena_alloc(test_arena(), 4 * words);
            struct draft *d = draft_usual(rig);
            struct psbt p;
            append(&d->global, BYTES_OF(key), bytes_of(value, 4 * words));
            assert_int_equal(parse(&p, draft_v0(d), &rig->err), words == depth + 1);
        }
}

// --- Files ---

static void assert_decodes(const char *text, enum psbt_encoding expected, const char *hex)
{
    struct bytes out;
    enum psbt_encoding encoding;
    struct err err;
    assert_true(psbt_decode_file(&out, &encoding, bytes_of_text(text), test_arena(), &err));
    assert_int_equal(encoding, expected);
    assert_bytes_equal(out, test_hex(hex));
}

TEST(psbt_signing_27_49_files_by_first_bytes)
{
    static const char *const bad[] = {
        "",
        "psbt",
        "70736274f",        // too short for the magic
        "70736274ff0",      // half a byte
        "cHNidP8",          // base64 without its padding
        "cHNidP8BA*==",     //
        "cHNi dP8=",        // a blank inside
        "PK\x03\x04",       //
        "0070736274ff",     //
        "{\"psbt\": \"\"}", //
    };
    assert_decodes("psbt\xff\x01", PSBT_BINARY, "70736274ff01");
    assert_decodes("psbt\xff\n", PSBT_BINARY, "70736274ff0a"); // binary stays as it is
    assert_decodes("70736274ff01", PSBT_HEX, "70736274ff01");
    assert_decodes("70736274FFab", PSBT_HEX, "70736274ffab");
    assert_decodes("70736274ff\n01 02-03:xyz04\r\n", PSBT_HEX, "70736274ff01020304");
    assert_decodes(" \t70736274ff01\n", PSBT_HEX, "70736274ff01");
    assert_decodes("cHNidP8B", PSBT_BASE64, "70736274ff01");
    assert_decodes("\n cHNidP8BAg==\n", PSBT_BASE64, "70736274ff0102");
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bytes out;
        enum psbt_encoding encoding;
        struct err err;
        if (psbt_decode_file(&out, &encoding, bytes_of_text(bad[i]), test_arena(), &err))
            fail_msg("decoded '%s'", bad[i]);
        assert_err(&err, ERR_MALFORMED, "not psbt");
    }
}
