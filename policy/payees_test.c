#include "policy/payees.h"
#include "bitcoin/descriptor.h"
#include "policy/audit_text.h"
#include "policy/canonical.h"
#include "policy/summary.h"
#include "tests/support/policy_fixture.h"

#define PAYEE                                                                                      \
    "tpubDF2rnouQaaYrXF4noGTv6rQYmx87cQ4GrUdhpvXkhtChwQPbdGTi8GA88NUaSrwZBwNsTkC9bFkkC8vDyGBVVAQT" \
    "Z2"                                                                                           \
    "AS6gs68RQXtXcCvkP"
#define OTHER                                                                                      \
    "tpubDFcrvj5n7gyaxWQkoX69k2Zij4vthiAwvN2uhYjDrE6wktKoQaE7gKVZRiTbYdrAYH1UFPGdzdtWJc6WfR2gFMq6" \
    "Xp"                                                                                           \
    "xA12gCdQmoQNU9mgm"

// A descriptor with its checksum.
static const char *checked(const char *body)
{
    struct writer w = text_writer();
    const size_t start = w.len;
    writer_text(&w, body);
    descriptor_write_checksum(&w, start);
    return arena_text(test_arena(), written(&w));
}

static struct bytes script_of(const char *body, uint32_t child)
{
    struct descriptor d;
    struct writer w = text_writer();
    struct err err;
    assert_true(descriptor_parse(&d, bytes_of_text(body), &err));
    assert_true(descriptor_script(&w, &d, false, child, &err));
    return written(&w);
}

#define POINT                                                                                      \
    "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc"   \
    "0e1108a8fd17b448a68554199c47d08ffb10d4b8"

#define RECEIVING "wpkh([deadbeef/84h/1h/0h]" PAYEE "/0/*)"
#define SHARED    "wsh(sortedmulti(2," PAYEE "/1/*," OTHER "/7/*))"
#define FIXED     "tr(" OTHER "/3/9)"

static const char *policy_of(const char *before)
{
    struct writer w = text_writer();
    writer_printf(&w,
                  "{\"rules\":[{\"max_amount\":1},{%s\"casemate\":{\"destinations\":[{\"desc\":"
                  "\"%s\",\"range\":[5,1004]},{\"desc\":\"%s\",\"range\":[0,9]},{\"desc\":\"%s\","
                  "\"range\":[0,0]}]}}]}",
                  before, checked(RECEIVING), checked(SHARED), checked(FIXED));
    return arena_text(test_arena(), written(&w));
}

static struct policy derived(const char *text)
{
    struct policy p = parsed(text);
    struct err err;
    if (!policy_derive_payees(&p, test_arena(), &err))
        fail_msg("%s", err.text);
    return p;
}

static bool allows(const struct policy *p, struct fixture *f, struct bytes script)
{
    f->out[0].script = script;
    return fixture_decide(f, p).verdict == VERDICT_SIGN;
}

TEST(policy_24_85_destinations)
{
    const struct policy p = derived(policy_of(""));
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(policy_count_payees(&p), 1011);
    assert_true(allows(&p, &f, script_of(RECEIVING, 5)));
    assert_true(allows(&p, &f, script_of(RECEIVING, 500)));
    assert_true(allows(&p, &f, script_of(RECEIVING, 1004)));
    assert_false(allows(&p, &f, script_of(RECEIVING, 4)));
    assert_false(allows(&p, &f, script_of(RECEIVING, 1005)));
    assert_true(allows(&p, &f, script_of(SHARED, 9)));
    assert_false(allows(&p, &f, script_of(SHARED, 10)));
    assert_true(allows(&p, &f, script_of(FIXED, 0)));
    // Of another form, or key, it is nobody's.
    assert_false(allows(&p, &f, script_of("pkh(" PAYEE "/0/*)", 5)));
    assert_false(allows(&p, &f, script_of("wpkh(" OTHER "/0/*)", 5)));
    // Every output that is not change must be one of theirs.
    f.out[2] = f.out[0];
    f.tx.n_out = 3;
    assert_false(allows(&p, &f, script_of(RECEIVING, 6)));
    f.out[2].script = script_of(SHARED, 0);
    assert_true(allows(&p, &f, script_of(RECEIVING, 6)));
}

TEST(policy_24_85_destinations_beside_a_whitelist)
{
    const struct policy p = derived(policy_of("\"whitelist\":[\"" STRANGER "\"],"));
    const struct policy empty = derived(policy_of("\"whitelist\":[],"));
    struct fixture f;
    fixture_init(&f);
    assert_true(fixture_decide(&f, &p).verdict == VERDICT_SIGN);
    assert_true(allows(&p, &f, script_of(RECEIVING, 6)));
    fixture_init(&f);
    const struct decision d = fixture_decide(&f, &empty);
    assert_bytes_text(
        decision_text(&d, &empty, &f),
        "Rejected: rule #1: amount exceeded, rule #2: non-whitelisted address: " STRANGER);
    assert_true(allows(&empty, &f, script_of(RECEIVING, 6)));
}

// A rule's destinations are its own.
TEST(policy_24_85_destinations_of_each_rule)
{
    struct writer w = text_writer();
    writer_printf(&w,
                  "{\"rules\":[{\"max_amount\":2000000,\"casemate\":{\"destinations\":[{\"desc\":"
                  "\"%s\",\"range\":[0,3]}]}},{\"casemate\":{\"destinations\":[{\"desc\":\"%s\","
                  "\"range\":[2,5]},{\"desc\":\"%s\",\"range\":[0,9]}]}}]}",
                  checked(RECEIVING), checked(RECEIVING), checked(RECEIVING));
    const struct policy p = derived(arena_text(test_arena(), written(&w)));
    struct payee_hit hit;
    const struct hash256 one = sha256(script_of(RECEIVING, 1)),
                         four = sha256(script_of(RECEIVING, 4));
    assert_true(payee_find(p.payee_table, 0, &one, &hit) && hit.payee == 0 && hit.child == 1);
    assert_true(payee_find(p.payee_table, 1, &one, &hit) && hit.payee == 1 && hit.child == 1);
    assert_false(payee_find(p.payee_table, 0, &four, &hit));
    assert_true(payee_find(p.payee_table, 1, &four, &hit) && hit.payee == 0 && hit.child == 4);
    struct fixture f;
    fixture_init(&f);
    f.out[0].script = script_of(RECEIVING, 1);
    const struct decision d = fixture_decide(&f, &p);
    assert_true(d.verdict == VERDICT_SIGN && d.rule == 0); // one is enough to be a list
}

// (2) What was not derived allows nothing.
TEST(policy_24_85_destinations_that_were_not_derived)
{
    const struct policy p = parsed(policy_of(""));
    struct fixture f;
    fixture_init(&f);
    assert_null(p.payee_table);
    assert_false(allows(&p, &f, script_of(RECEIVING, 6)));
    struct policy none = parsed("{\"rules\":[{}]}");
    struct err err;
    assert_true(policy_derive_payees(&none, test_arena(), &err));
    assert_null(none.payee_table);
}

TEST(policy_24_85_destinations_are_named_in_the_log)
{
    const struct policy p = derived(policy_of(""));
    struct fixture f;
    fixture_init(&f);
    f.tx.n_out = 3;
    f.out[0].script = script_of(RECEIVING, 7);
    f.out[2].script = script_of(SHARED, 0);
    f.out[1].script = script_of(RECEIVING, 8); // change is not a destination
    const struct decision d = fixture_decide(&f, &p);
    struct writer w = text_writer();
    audit_transaction_write(&w, &d, &p, &f.tx, &f.auth, BYTES("story\n"));
    assert_non_null(strstr(arena_text(test_arena(), written(&w)),
                           "-^^^-\n"
                           "Output 0 goes to destination #1, index 7.\n"
                           "Output 2 goes to destination #2, index 0.\n"
                           "\nAPPROVED: Acceptable by rule #2\n"));
}

TEST(policy_24_84_destinations_in_form_and_summary)
{
    const struct policy p = parsed(policy_of(""));
    const char *form = arena_text(test_arena(), canonical_of(&p));
    const char *summary = arena_text(test_arena(), summary_of(&p, "XTN", UNIT_COIN));
    struct policy again;
    struct err err;
    assert_non_null(strstr(form, "\"range\": [5, 1004]}, {\"desc\": \"wsh("));
    assert_non_null(strstr(summary, "- Casemate: Rule #2: provided it goes to: destination #1: "
                                    "wpkh([deadbeef/84h/1h/0h]tpub"));
    assert_non_null(strstr(summary, ", index 5 to 1004, destination #2: wsh("));
    assert_true(policy_store_read(&again, stored_of(&p), &policy_world_of_24, test_arena(), &err));
    assert_bytes_equal(stored_of(&again), stored_of(&p));
}

static const char *one_payee(const char *descriptor, const char *range)
{
    struct writer w = text_writer();
    writer_printf(&w, "{\"rules\":[{\"casemate\":{\"destinations\":[{\"desc\":\"%s\"%s}]}}]}",
                  descriptor, range);
    return arena_text(test_arena(), written(&w));
}

#define BAD_RANGE "rule #1: range: must be [first, last], of 0 to 2147483647"

TEST(policy_24_84_destinations_that_are_refused)
{
    const char *const good = checked(RECEIVING);
    static const char *const ranges[] = { "",
                                          ",\"range\":[]",
                                          ",\"range\":[1]",
                                          ",\"range\":[1,2,3]",
                                          ",\"range\":[2,1]",
                                          ",\"range\":[-1,1]",
                                          ",\"range\":[-2,-1]",
                                          ",\"range\":{\"a\":0,\"b\":1}",
                                          ",\"range\":[0,2147483648]",
                                          ",\"range\":[\"0\",1]",
                                          ",\"range\":5" };
    for (size_t i = 0; i < COUNT(ranges); i++)
        assert_policy_error(one_payee(good, ranges[i]), BAD_RANGE);
    assert_policy_error(one_payee(RECEIVING, ",\"range\":[0,1]"),
                        "rule #1: bad destination: no checksum");
    assert_policy_error(one_payee(checked("wpkh(" PAYEE "/0"), ",\"range\":[0,0]"),
                        "rule #1: bad destination: does not end in its parentheses");
    assert_policy_error(one_payee("wpkh(" PAYEE "/0)#aaaaaaaa", ",\"range\":[0,0]"),
                        "rule #1: bad destination: Wrong checksum aaaaaaaa, expected 99tt49mz");
    assert_policy_error("{\"rules\":[{\"casemate\":{\"destinations\":5}}]}",
                        "rule #1: need a list for: destinations");
    (void)parsed("{\"rules\":[{\"casemate\":{\"destinations\":null}}]}");
    assert_policy_error(one_payee(checked("wpkh(" PAYEE "/<0;1>/*)"), ",\"range\":[0,1]"),
                        "rule #1: bad destination: one branch only, not <a;b>");
    assert_policy_error(one_payee(checked(FIXED), ",\"range\":[0,1]"),
                        "rule #1: bad destination: without * its range is [0, 0]");
    assert_policy_error(one_payee(checked("wpkh(" PAYEE "/0/*h)"), ",\"range\":[0,1]"),
                        "rule #1: bad destination: Cannot use hardened sub derivation path");
    assert_policy_error(one_payee(good, ",\"range\":[0,1],\"x\":1"), "rule #1: Unknown item: x");
    assert_policy_error(one_payee(good, ",\"range\":[1,100001]"), "rule #1: too many destinations");
    (void)parsed(one_payee(good, ",\"range\":[1,100000]"));
    assert_policy_error("{\"rules\":[{\"casemate\":{\"destinations\":[\"x\"]}}]}",
                        "rule #1: destinations: must be dict");
    assert_policy_error("{\"rules\":[{\"casemate\":{\"destinations\":[{\"range\":[0,1]}]}}]}",
                        "rule #1: desc: must be string");
    // In all rules together.
    struct writer w = text_writer();
    writer_printf(&w,
                  "{\"rules\":[{\"casemate\":{\"destinations\":[{\"desc\":\"%s\",\"range\":[0,"
                  "59999]}]}},{\"casemate\":{\"destinations\":[{\"desc\":\"%s\",\"range\":[0,"
                  "59999]}]}}]}",
                  good, good);
    assert_policy_error(arena_text(test_arena(), written(&w)), "policy: too many destinations");
}

// Up to and including the longest text, the last index, the most destinations of one rule.
TEST(policy_24_84_destinations_at_their_bounds)
{
    char *text = arena_alloc(test_arena(), 4098);
    assert_non_null(text);
    memset(text, 'a', 4097);
    text[4096] = 0;
    assert_policy_error(one_payee(text, ",\"range\":[0,0]"),
                        "rule #1: bad destination: no checksum");
    text[4096] = 'a';
    assert_policy_error(one_payee(text, ",\"range\":[0,0]"),
                        "rule #1: desc: length must be 1..4096");
    assert_policy_error(one_payee("", ",\"range\":[0,0]"), "rule #1: desc: length must be 1..4096");
    const struct policy p =
        derived(one_payee(checked(RECEIVING), ",\"range\":[2147483647,2147483647]"));
    const struct hash256 last = sha256(script_of(RECEIVING, 2147483647));
    struct payee_hit hit;
    assert_true(payee_find(p.payee_table, 0, &last, &hit));
    assert_int_equal(hit.child, 2147483647);
}

// A bare multisig of three keys as they were before they were compressed: the longest script.
TEST(policy_24_85_the_longest_script)
{
    const char *const body = "multi(3," POINT "," POINT "," POINT ")";
    const struct policy p = derived(one_payee(checked(body), ",\"range\":[0,0]"));
    const struct bytes script = script_of(body, 0);
    const struct hash256 hash = sha256(script);
    struct payee_hit hit;
    assert_int_equal(script.len, 201);
    assert_true(payee_find(p.payee_table, 0, &hash, &hit));
}

// Whatever its size, the table finds each of its own and nothing else, and ends.
TEST(policy_24_85_tables_of_all_sizes)
{
    static const unsigned sizes[] = { 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33 };
    struct hash256 hash[64];
    for (unsigned i = 0; i < COUNT(hash); i++)
        hash[i] = sha256(script_of(RECEIVING, i));
    for (size_t k = 0; k < COUNT(sizes); k++) {
        char range[32];
        struct payee_hit hit;
        (void)snprintf(range, sizeof range, ",\"range\":[0,%u]", sizes[k] - 1);
        const struct policy p = derived(one_payee(checked(RECEIVING), range));
        for (unsigned i = 0; i < COUNT(hash); i++) {
            assert_int_equal(payee_find(p.payee_table, 0, &hash[i], &hit), i < sizes[k]);
            for (size_t other = 1; other < 40; other++) // wherever its search begins
                assert_false(payee_find(p.payee_table, other, &hash[i], &(struct payee_hit){ 0 }));
            if (i < sizes[k])
                assert_true(hit.payee == 0 && hit.child == i);
        }
    }
}

// Eight of sixteen slots, whose searches all begin at even ones, or all at odd ones: a search that left
// out slots would find no end.
TEST(policy_24_85_tables_of_neighbours)
{
    for (unsigned parity = 0; parity < 2; parity++) {
        struct writer w = text_writer();
        struct hash256 stranger = { { 0 } };
        writer_text(&w, "{\"rules\":[{\"casemate\":{\"destinations\":[");
        for (unsigned child = 0, n = 0; n <= 8; child++) {
            const struct hash256 hash = sha256(script_of(RECEIVING, child));
            if ((hash.b[0] & 1) != parity)
                continue;
            if (n == 8)
                stranger = hash;
            else
                writer_printf(&w, "%s{\"desc\":\"%s\",\"range\":[%u,%u]}", n == 0 ? "" : ",",
                              checked(RECEIVING), child, child);
            n++;
        }
        writer_text(&w, "]}}]}");
        const struct policy p = derived(arena_text(test_arena(), written(&w)));
        struct payee_hit hit;
        assert_false(payee_find(p.payee_table, 0, &stranger, &hit));
        for (unsigned i = 0; i < 8; i++) {
            const uint32_t child = p.rules[0].own.payees[i].first;
            const struct hash256 own = sha256(script_of(RECEIVING, child));
            assert_true(payee_find(p.payee_table, 0, &own, &hit));
            assert_true(hit.payee == i && hit.child == child);
        }
    }
}

// --- What cannot be read, though policy_parse lets none of it through ---

#define WRONG    "wpkh(" PAYEE "/0)#aaaaaaaa"
#define HARDENED "Cannot use hardened sub derivation path"

static struct payee payee_of(const char *descriptor, uint32_t first, uint32_t last)
{
    return (struct payee){ bytes_of_text(descriptor), first, last };
}

TEST(policy_24_85_script_of_a_destination)
{
    const struct payee good = payee_of(checked(RECEIVING), 0, 9), wrong = payee_of(WRONG, 0, 9);
    const struct payee pair = payee_of(checked("wpkh(" PAYEE "/<0;1>/*)"), 0, 9);
    struct err err;
    struct writer w = text_writer(), first = text_writer(), none = text_writer();
    assert_true(payee_script(&w, &good, 8, &err));
    assert_bytes_equal(written(&w), script_of(RECEIVING, 8));
    assert_true(payee_script(&first, &pair, 8, &err));
    assert_bytes_equal(written(&first), script_of(RECEIVING, 8));
    assert_false(payee_script(&none, &wrong, 8, &err));
    assert_string_equal(err.text, "Wrong checksum aaaaaaaa, expected 99tt49mz");
    assert_false(payee_script(&none, &good, 2147483648, &err));
    assert_string_equal(err.text, HARDENED);
    assert_int_equal(none.len, 0);
}

// It is said which; and there is no table then, the one of before neither.
TEST(policy_24_85_destinations_that_cannot_be_derived)
{
    const struct payee good = payee_of(checked(RECEIVING), 0, 9);
    const struct {
        struct payee bad;
        const char *text;
    } cases[] = {
        { payee_of(WRONG, 0, 0), "rule #2: Wrong checksum aaaaaaaa, expected 99tt49mz" },
        { payee_of(checked(RECEIVING), 2147483647, 2147483648),
          "rule #2: destination #3, index 2147483648: " HARDENED },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct payee payees[] = { good, good, cases[i].bad };
        const struct rule rules[] = { [1] = { .own = { .n_payees = 3, .payees = payees } } };
        struct policy p = derived(policy_of(""));
        struct err err;
        p.rules = rules;
        assert_false(policy_derive_payees(&p, test_arena(), &err));
        assert_string_equal(err.text, cases[i].text);
        assert_null(p.payee_table);
    }
    struct policy none = derived(policy_of(""));
    struct err err;
    none.n_rules = 1; // the one without
    assert_true(policy_derive_payees(&none, test_arena(), &err));
    assert_null(none.payee_table);
}

// --- Memory ---

// As many slots as twice the scripts, rounded up to a power of two, and 16 at least.
TEST(policy_24_85_an_arena_of_the_size_that_is_said_is_enough)
{
    static const unsigned sizes[] = { 1, 8, 9, 16, 2000 };
    size_t room[COUNT(sizes)];
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char range[32];
        (void)snprintf(range, sizeof range, ",\"range\":[0,%u]", sizes[i] - 1);
        struct policy p = parsed(one_payee(checked(RECEIVING), range));
        struct err err;
        room[i] = policy_payees_arena(&p);
        AUTO(arena_freep) struct arena *arena = arena_new(room[i]);
        assert_true(policy_derive_payees(&p, arena, &err));
    }
    assert_true(room[0] == room[1] && room[1] < room[2] && room[2] == room[3]);
    assert_int_equal(room[4] - room[0], (4096 - 16) * (room[2] - room[0]) / 16);
}

TEST(policy_24_85_without_memory_there_are_no_destinations)
{
    struct policy p = derived(policy_of(""));
    const struct payee_table *const before = p.payee_table;
    bool ok = false;
    size_t limit = 0;
    for (; !ok; limit += 16) {
        AUTO(arena_freep) struct arena *arena = arena_new(limit);
        struct err err;
        p.payee_table = before;
        ok = policy_derive_payees(&p, arena, &err);
        if (!ok) {
            assert_int_equal(err.code, ERR_NO_MEMORY);
            assert_string_equal(err.text, "no memory left for the destinations");
            assert_null(p.payee_table);
        }
    }
    assert_true(limit > 2 * 1011 * sizeof(struct hash256));
}

TEST(policy_24_84_without_memory_no_destination_is_read)
{
    const char *const desc =
        checked("pk(02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5)");
    struct writer w = text_writer();
    struct policy p;
    struct err err;
    bool ok = false;
    writer_text(&w, "{\"rules\":[{\"casemate\":{\"destinations\":[");
    for (unsigned i = 0; i < 100; i++)
        writer_printf(&w, "%s{\"desc\":\"%s\",\"range\":[0,0]}", i == 0 ? "" : ",", desc);
    writer_text(&w, "]}}]}");
    for (size_t limit = 0; !ok; limit += 256) {
        AUTO(arena_freep) struct arena *arena = arena_new(limit);
        ok = policy_parse(&p, written(&w), &policy_world_of_24, arena, &err);
        if (ok)
            assert_int_equal(policy_count_payees(&p), 100);
        else
            assert_int_equal(err.code, ERR_NO_MEMORY);
    }
}

// --- In the log ---

static const char *logged(const struct policy *p, size_t rule, const struct fixture *f)
{
    struct writer w = text_writer();
    payees_log_write(&w, p, rule, &f->tx);
    return arena_text(test_arena(), written(&w));
}

// A line for each output that is there, of the rule that was asked for, if it has only one.
TEST(policy_24_85_lines_of_the_log)
{
    struct writer w = text_writer();
    writer_printf(&w,
                  "{\"rules\":[{},{\"casemate\":{\"destinations\":[{\"desc\":\"%s\",\"range\":[0,"
                  "3]}]}},{\"casemate\":{\"destinations\":[{\"desc\":\"%s\",\"range\":[0,9]}]}}]}",
                  checked(RECEIVING), checked(SHARED));
    const struct policy p = derived(arena_text(test_arena(), written(&w)));
    struct fixture f;
    fixture_init(&f);
    f.out[0].script = script_of(RECEIVING, 2);
    f.out[1].script = script_of(SHARED, 5);
    f.out[1].change = false;
    f.out[2].script = script_of(RECEIVING, 3); // behind the last
    assert_string_equal(logged(&p, 0, &f), "");
    assert_string_equal(logged(&p, 1, &f), "Output 0 goes to destination #1, index 2.\n");
    assert_string_equal(logged(&p, 2, &f), "Output 1 goes to destination #1, index 5.\n");
}
