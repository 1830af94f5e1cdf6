#include "policy/journal.h"
#include "base/hex.h"
#include "policy/journal_verify.h"
#include "tests/support/policy_fixture.h"
#include "tests/support/policy_random.h"

#define RECORDS 9
#define TIME_S  1790000000

// The journal key of the master key 01 01 ... 01.
static struct seckey log_key(void)
{
    struct seckey master, key;
    struct err err;
    memset(master.b, 1, sizeof master.b);
    assert_true(journal_key(&key, &master, &err));
    return key;
}

static void log_public(uint8_t out[static 32])
{
    const struct seckey key = log_key();
    journal_public_key(out, &key);
}

struct lines {
    size_t n;
    struct bytes items[2 * RECORDS];
    struct journal_head head;
};

static struct bytes line_of(const struct journal_event *event, const struct journal_head *head)
{
    const struct seckey secret = log_key();
    struct writer w = text_writer();
    struct schnorr_key key;
    struct err err;
    schnorr_key_of(&key, &secret);
    assert_true(journal_write(&w, event, head, TIME_S, &key, &err));
    return written(&w);
}

static void add(struct lines *lines, const struct journal_event *event)
{
    const struct bytes line = line_of(event, &lines->head);
    lines->items[lines->n++] = line;
    lines->head = (struct journal_head){ lines->head.seq + 1, sha256(line) };
}

static struct lines nine(void)
{
    struct lines lines = { 0 };
    add(&lines, &(struct journal_event){ .kind = JOURNAL_START, .version = "1", .chain = "XTN" });
    for (int i = 1; i < RECORDS - 1; i++)
        add(&lines, &(struct journal_event){
                        .kind = JOURNAL_DENIED, .what = "xpub", .path = BYTES("m/84h") });
    add(&lines, &(struct journal_event){ .kind = JOURNAL_STOP, .what = "lock" });
    return lines;
}

static struct bytes file_of(const struct lines *lines)
{
    struct writer w = text_writer();
    for (size_t i = 0; i < lines->n; i++) {
        writer_put(&w, lines->items[i]);
        writer_u8(&w, '\n');
    }
    return written(&w);
}

// What the verifier says, one fault a line.
static const char *verdict(struct bytes file, const struct hash256 *head)
{
    uint8_t key[32];
    struct journal_verifier v;
    struct writer w = text_writer();
    log_public(key);
    const bool good = journal_verify(&v, file, key, head);
    assert_int_equal(good, v.n_faults == 0);
    for (size_t i = 0; i < v.n_faults && i < JOURNAL_FAULTS_MAX; i++) {
        writer_text(&w, i == 0 ? "" : "; ");
        journal_fault_write(&w, &v.faults[i]);
    }
    return arena_text(test_arena(), written(&w));
}

static void assert_verdict(const struct lines *lines, const char *expected)
{
    assert_string_equal(verdict(file_of(lines), NULL), expected);
}

static void take_out(struct lines *lines, size_t at)
{
    lines->n--;
    memmove(lines->items + at, lines->items + at + 1, (lines->n - at) * sizeof lines->items[0]);
}

static void put_in(struct lines *lines, size_t at, struct bytes line)
{
    memmove(lines->items + at + 1, lines->items + at, (lines->n - at) * sizeof lines->items[0]);
    lines->items[at] = line;
    lines->n++;
}

// The line with one byte changed.
static struct bytes changed(struct bytes line, size_t at)
{
    struct bytes copy;
    assert_true(arena_copy(test_arena(), line, &copy));
    ((uint8_t *)(uintptr_t)copy.ptr)[at] ^= 1;
    return copy;
}

// --- Lines ---

TEST(policy_21_d11_key_and_bytes_of_a_line)
{
    const struct journal_head none = { 0 };
    const struct bytes line =
        line_of(&(struct journal_event){ .kind = JOURNAL_STOP, .what = "lock" }, &none);
    static const char start[] =
        "{\"seq\": 1, \"time\": 1790000000, \"kind\": \"stop\", \"what\": \"lock\", \"prev\": "
        "\"0000000000000000000000000000000000000000000000000000000000000000\", \"sig\": \"";
    assert_bytes_text(bytes_slice(line, 0, sizeof start - 1), start);
    assert_int_equal(line.len, sizeof start - 1 + 128 + 2);
    assert_bytes_text(bytes_slice(line, line.len - 2, 2), "\"}");

    const struct seckey key = log_key();
    uint8_t sig[64], xonly[32];
    journal_public_key(xonly, &key);
    assert_true(hex_decode(sig, 64, bytes_slice(line, sizeof start - 1, 128)));
    const struct hash256 digest =
        sha256(bytes_slice(line, 0, sizeof start - 1 - (sizeof ", \"sig\": \"" - 1)));
    assert_true(schnorr_verify(sig, xonly, BYTES_OF(digest.b)));
    assert_bytes_equal(
        BYTES_OF(key.b),
        test_hex("cb5fefcef9e18a908cf47fe92724365b50aedb014fa668b5e40b46018bd5599d"));
}

TEST(policy_21_d11_a_decision_says_what_it_was_made_of)
{
    static const char policy_text[] =
        "{\"period\":60,\"rules\":[{\"max_amount\":1000000},"
        "{\"per_period\":3000000,\"users\":[\"alice\"],\"local_conf\":true}]}";
    const struct policy policy = parsed(policy_text);
    struct fixture f;
    fixture_init(&f);
    fixture_authorise(&f, "alice", 58000000);
    fixture_confirm(&f);
    const struct decision d = fixture_decide(&f, &policy);
    const struct journal_ruling ruling = { &d, &policy, &f.tx, &f.auth,
                                           decision_text(&d, &policy, &f) };
    const struct journal_head head = { 6, sha256(BYTES("before")) };
    const struct journal_event event = { .kind = JOURNAL_DECISION,
                                         .has_hash = true,
                                         .hash = f.tx.psbt_hash,
                                         .has_policy_hash = true,
                                         .policy_hash = sha256(BYTES("policy")),
                                         .ruling = &ruling,
                                         .has_counts = true,
                                         .approvals = 3,
                                         .refusals = 1,
                                         .velocity = &d.velocity,
                                         .n_rules = policy.n_rules };
    const struct bytes line = line_of(&event, &head);
    const struct json *json;
    struct err err;
    assert_true(json_parse(&json, line, test_arena(), &err));
    static const struct {
        const char *key, *value;
    } members[] = {
        { "seq", "7" },
        { "kind", "decision" },
        { "sha256", "5524fa7e4f9b58fd18b99119d1c9502601128c69d9627dc1d55ad33cb11949c4" },
        { "request", "transaction" },
        { "verdict", "approved" },
        { "rule", "2" },
        { "text", "Acceptable by rule #2" },
        { "total_out", "2000000" },
        { "fee", "1000" },
        { "warnings", "0" },
        { "charged", "true" },
        { "users", "[\"alice\"]" },
        { "local_code", "true" },
        { "approvals", "3" },
        { "refusals", "1" },
    };
    for (size_t i = 0; i < COUNT(members); i++) {
        const struct json *value = json_get(json, members[i].key);
        if (value == NULL)
            fail_msg("no member %s", members[i].key);
        assert_bytes_text(value->text, members[i].value);
    }
    struct writer w = text_writer();
    writer_printf(&w, "{\"start\": %lld, \"spent\": [0, 2000000]}", (long long)f.now_s);
    assert_bytes_equal(json_get(json, "velocity")->text, written(&w));
}

// Whatever a host sends, a line is one line of printable ASCII and not too long.
TEST(policy_21_d11_no_text_breaks_a_line)
{
    uint8_t text[3 * JOURNAL_TEXT_MAX];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)i;
    const struct journal_head none = { 0 };
    const struct journal_event event = { .kind = JOURNAL_FAILURE,
                                         .text = bytes_of(text, 256),
                                         .detail = BYTES_OF(text) };
    const struct bytes line = line_of(&event, &none);
    assert_true(bytes_is_printable_ascii(line));
    assert_true(line.len < 4 * JOURNAL_TEXT_MAX);
    const struct json *json;
    struct err err;
    assert_true(json_parse(&json, line, test_arena(), &err));
    const struct bytes detail = json_get(json, "detail")->text;
    assert_int_equal(detail.len, JOURNAL_TEXT_MAX + 3);
    assert_bytes_text(bytes_slice(detail, detail.len - 3, 3), "...");
}

// The largest policy and a transaction of thousands of outputs: the facts are left out, the rest
// stays.
TEST(policy_21_d11_the_longest_decision_fits)
{
    struct fixture f;
    fixture_init(&f);
    struct output_facts *many = arena_array(test_arena(), 5000, sizeof *many);
    for (size_t i = 0; i < 5000; i++)
        many[i] = f.out[0];
    f.tx.out = many;
    f.tx.n_out = 5000;
    struct policy policy = parsed("{\"rules\":[{}]}");
    struct decision d = fixture_decide(&f, &policy);
    for (size_t i = 0; i < POLICY_RULES_MAX; i++)
        d.velocity.spent[i].n = SATS_MAX;
    uint8_t text[100000];
    memset(text, '"', sizeof text);
    const struct journal_ruling ruling = { &d, &policy, &f.tx, &f.auth, BYTES_OF(text) };
    const struct journal_event event = { .kind = JOURNAL_DECISION,
                                         .ruling = &ruling,
                                         .velocity = &d.velocity,
                                         .n_rules = POLICY_RULES_MAX };
    const struct journal_head none = { 0 };
    const struct bytes line = line_of(&event, &none);
    const struct json *json;
    struct err err;
    assert_true(line.len <= JOURNAL_LINE_MAX);
    assert_true(json_parse(&json, line, test_arena(), &err));
    assert_null(json_get(json, "facts"));
    assert_bytes_text(json_get(json, "verdict")->text, "approved");
}

// --- Facts ---

// What is read back decides as what was written did.
TEST(policy_21_d11_facts_of_a_line_give_the_decision_again)
{
    for (unsigned n = 0; n < 2000; n++) {
        uint8_t bytes[512];
        for (unsigned block = 0; block < sizeof bytes / 32; block++) {
            const unsigned seed[] = { n, block };
            const struct hash256 hash = sha256(BYTES_OF(seed));
            memcpy(bytes + (size_t)block * 32, hash.b, 32);
        }
        struct draw d = { reader_of(BYTES_OF(bytes)) };
        struct drawn_policy p;
        struct drawn_request r;
        draw_policy(&p, &d);
        draw_request(&r, &d, &p.policy);

        AUTO(arena_freep) struct arena *arena = arena_new(1u << 20);
        struct writer w = writer_growing(arena, JOURNAL_FACTS_MAX);
        struct json_writer j = json_writer_of(&w);
        struct tx_facts again;
        const struct json *json;
        struct err err;
        journal_facts_write(&j, &r.tx);
        assert_true(json_parse(&json, writer_bytes(&w), arena, &err));
        assert_true(journal_facts_read(&again, json, arena, &err));
        again.psbt_hash = r.tx.psbt_hash;

        const struct decision a = policy_evaluate(&p.policy, &r.tx, &r.auth, &r.velocity, r.now_s);
        const struct decision b = policy_evaluate(&p.policy, &again, &r.auth, &r.velocity, r.now_s);
        struct writer ta = writer_growing(arena, 65536), tb = writer_growing(arena, 65536);
        decision_write(&ta, &a, &p.policy, &r.tx);
        decision_write(&tb, &b, &p.policy, &again);
        assert_bytes_equal(writer_bytes(&ta), writer_bytes(&tb));
        assert_int_equal(a.spent.n, b.spent.n);
    }
}

TEST(policy_21_d11_facts_are_read_strictly)
{
    static const char *const bad[] = {
        "5",
        "{}",
        "{\"chain\": \"XXX\", \"warnings\": 0, \"message\": false, \"wallet\": \"\", \"signs\": "
        "\"\", "
        "\"in\": [], \"out\": []}",
        "{\"chain\": \"XTN\", \"warnings\": -1, \"message\": false, \"wallet\": \"\", \"signs\": "
        "\"\", "
        "\"in\": [], \"out\": []}",
        "{\"chain\": \"XTN\", \"warnings\": 0, \"message\": false, \"wallet\": \"\", \"signs\": "
        "\"x\", "
        "\"in\": [], \"out\": []}",
        "{\"chain\": \"XTN\", \"warnings\": 0, \"message\": false, \"wallet\": \"\", \"signs\": "
        "\"\", "
        "\"in\": [5], \"out\": []}",
        "{\"chain\": \"XTN\", \"warnings\": 0, \"message\": false, \"wallet\": \"\", \"signs\": "
        "\"\", "
        "\"in\": [[5, \"oo\"]], \"out\": []}",
        "{\"chain\": \"XTN\", \"warnings\": 0, \"message\": false, \"wallet\": \"\", \"signs\": "
        "\"\", "
        "\"in\": [], \"out\": [[5, \"0\", \"\"]]}",
        "{\"chain\": \"XTN\", \"warnings\": 0, \"message\": false, \"wallet\": \"\", \"signs\": "
        "\"\", "
        "\"in\": [], \"out\": [[2100000000000001, \"00\", \"\"]]}",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        const struct json *json;
        struct tx_facts tx;
        struct err err;
        assert_true(json_parse(&json, bytes_of_text(bad[i]), test_arena(), &err));
        assert_false(journal_facts_read(&tx, json, test_arena(), &err));
        assert_int_equal(err.code, ERR_MALFORMED);
    }
}

// --- Verifying ---

TEST(policy_24_83_a_whole_journal_is_good)
{
    const struct lines lines = nine();
    assert_verdict(&lines, "");
    assert_string_equal(verdict(file_of(&lines), &lines.head.hash), "");
    // Without its last LF too: nothing of a record is missing.
    const struct bytes file = file_of(&lines);
    assert_string_equal(verdict(bytes_slice(file, 0, file.len - 1), &lines.head.hash), "");
}

TEST(policy_24_83_removed)
{
    for (size_t at = 0; at + 1 < RECORDS; at++) {
        struct lines lines = nine();
        char expected[80];
        take_out(&lines, at);
        snprintf(expected, sizeof expected, "line %zu: record %zu was removed", at + 1, at + 1);
        assert_verdict(&lines, expected);
    }
    struct lines lines = nine();
    for (int i = 0; i < 3; i++)
        take_out(&lines, 2);
    take_out(&lines, 4);
    assert_verdict(&lines, "line 3: records 3 to 5 were removed; line 5: record 8 was removed");
}

TEST(policy_24_83_removed_at_the_end_shows_by_the_head)
{
    struct lines lines = nine();
    const struct hash256 head = lines.head.hash;
    take_out(&lines, RECORDS - 1);
    assert_verdict(&lines, "");
    assert_string_equal(verdict(file_of(&lines), &head),
                        "line 9: what came after record 8 was cut off: the head that is expected "
                        "is not there");
    assert_string_equal(verdict(BYTES(""), NULL), "line 1: there is no record");
    // A head from before: records were added since, which is as it should be.
    const struct hash256 old = sha256(lines.items[3]);
    assert_string_equal(verdict(file_of(&lines), &old), "");
}

TEST(policy_24_83_swapped)
{
    for (size_t at = 0; at + 1 < RECORDS; at++) {
        struct lines lines = nine();
        const struct bytes first = lines.items[at];
        char expected[80];
        take_out(&lines, at);
        put_in(&lines, at + 1, first);
        snprintf(expected, sizeof expected,
                 "line %zu: record %zu was moved: it stands behind record %zu", at + 2, at + 1,
                 at + 2);
        assert_verdict(&lines, expected);
    }
    struct lines lines = nine();
    const struct bytes second = lines.items[1];
    take_out(&lines, 1);
    put_in(&lines, 6, second);
    assert_verdict(&lines, "line 7: record 2 was moved: it stands behind record 7");
}

TEST(policy_24_83_repeated)
{
    struct lines lines = nine();
    put_in(&lines, 4, lines.items[1]);
    assert_verdict(&lines, "line 5: record 2 stands there once more");
}

// Every byte of a record counts, its number, the hash before it and the signature too.
TEST(policy_24_83_edited)
{
    for (size_t at = 0; at < RECORDS; at++) {
        struct lines lines = nine();
        const struct bytes line = lines.items[at];
        char expected[96];
        snprintf(expected, sizeof expected,
                 "line %zu: record %zu was edited: its signature does not fit", at + 1, at + 1);
        for (size_t byte = 0; byte < line.len; byte += at == 4 ? 1 : 29) {
            lines.items[at] = changed(line, byte);
            assert_verdict(&lines, expected);
        }
    }
}

// The signature in capitals would verify, and the line be another one.
TEST(policy_24_83_capitals_in_hex)
{
    struct lines lines = nine();
    struct bytes copy;
    assert_true(arena_copy(test_arena(), lines.items[8], &copy));
    uint8_t *sig = (uint8_t *)(uintptr_t)copy.ptr + copy.len - 130;
    for (size_t i = 0; i < 128; i++)
        sig[i] = (uint8_t)(sig[i] >= 'a' ? sig[i] - 'a' + 'A' : sig[i]);
    lines.items[8] = copy;
    assert_verdict(&lines, "line 9: record 9 was edited: its signature does not fit");
}

TEST(policy_24_83_truncated)
{
    const struct lines lines = nine();
    const struct bytes file = file_of(&lines);
    const size_t last = lines.items[RECORDS - 1].len;
    for (size_t cut = 2; cut <= last; cut += 13)
        assert_string_equal(verdict(bytes_slice(file, 0, file.len - cut), NULL),
                            "line 9: record 9 is cut off in the middle");
    // One byte less than a line: the LF of the line before is the end.
    assert_string_equal(verdict(bytes_slice(file, 0, file.len - last - 1), NULL), "");
}

TEST(policy_24_83_put_in)
{
    struct lines lines = nine();
    put_in(&lines, 3, BYTES("{\"seq\": 4}"));
    put_in(&lines, 7, BYTES(""));
    assert_verdict(&lines, "line 4: is no record of this journal; line 8: is no record of this "
                           "journal");
}

// Good records of another run of the same key: the file was put together from two.
TEST(policy_24_83_two_histories)
{
    struct lines lines = nine(), other = { 0 };
    for (size_t i = 0; i < RECORDS; i++)
        add(&other, &(struct journal_event){ .kind = JOURNAL_ESCAPE });
    lines.items[4] = other.items[4];
    assert_verdict(&lines, "line 5: record 5 does not follow the record 4 that stands before it: "
                           "one of them is of another history; line 6: record 6 does not follow "
                           "the record 5 that stands before it: one of them is of another history");
}

TEST(policy_24_83_several_at_once)
{
    struct lines lines = nine();
    lines.items[1] = changed(lines.items[1], 40); // record 2
    take_out(&lines, 3);                          // record 4
    const struct bytes six = lines.items[4];
    take_out(&lines, 4);
    put_in(&lines, 5, six);
    assert_verdict(&lines,
                   "line 2: record 2 was edited: its signature does not fit; line 6: record "
                   "6 was moved: it stands behind record 7; line 4: record 4 was removed");
}

// Another signer's key verifies nothing.
TEST(policy_24_83_another_key)
{
    const struct lines lines = nine();
    uint8_t key[32];
    struct journal_verifier v;
    log_public(key);
    key[31] ^= 1;
    assert_false(journal_verify(&v, file_of(&lines), key, NULL));
    assert_int_equal(v.n_good, 0);
    assert_int_equal(v.n_faults, RECORDS);
}

// More holes than are remembered: each is told all the same.
TEST(policy_24_83_many_holes)
{
    struct lines all = { 0 };
    struct writer w = text_writer();
    for (unsigned i = 0; i < 2 * JOURNAL_GAPS_MAX + 50; i++) {
        const struct bytes line =
            line_of(&(struct journal_event){ .kind = JOURNAL_ESCAPE }, &all.head);
        all.head = (struct journal_head){ all.head.seq + 1, sha256(line) };
        if (i % 2 == 0) {
            writer_put(&w, line);
            writer_u8(&w, '\n');
        }
    }
    uint8_t key[32];
    struct journal_verifier v;
    log_public(key);
    assert_false(journal_verify(&v, written(&w), key, NULL));
    assert_int_equal(v.n_faults, JOURNAL_GAPS_MAX + 24);
    for (size_t i = 0; i < JOURNAL_FAULTS_MAX; i++)
        assert_int_equal(v.faults[i].kind, FAULT_REMOVED);
}
