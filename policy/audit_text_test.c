#include "policy/audit_text.h"
#include "policy/canonical.h"
#include "tests/support/policy_fixture.h"

// The worked example of 17.4, whole.
static const char policy_of_17_4[] =
    "{\"must_log\":true,\"period\":60,\"rules\":[{\"max_amount\":1000000,\"per_period\":3000000},"
    "{\"max_amount\":5000000,\"users\":[\"alice\"],\"local_conf\":true}]}";
static const char story_of_17_4[] = "Sending 0.02000000 XTN\n"
                                    "Network fee 0.00001000 XTN\n"
                                    "\n"
                                    " 1 input\n"
                                    " 2 outputs\n"
                                    "\n"
                                    "0.02000000 XTN\n"
                                    " - to address -\n"
                                    "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g\n"
                                    "\n"
                                    "Change back:\n"
                                    "0.07999000 XTN\n"
                                    " - to address -\n"
                                    "tb1qqcrqvpsxqcrqvpsxqcrqvpsxqcrqvpsxwlrr47\n"
                                    "\n";
#define BEFORE                                                                                     \
    "Transaction signing requested:\n"                                                             \
    "SHA256(PSBT) = 5524fa7e4f9b58fd18b99119d1c9502601128c69d9627dc1d55ad33cb11949c4\n"            \
    "-vvv-\n"                                                                                      \
    "Sending 0.02000000 XTN\n"                                                                     \
    "Network fee 0.00001000 XTN\n"                                                                 \
    "\n"                                                                                           \
    " 1 input\n"                                                                                   \
    " 2 outputs\n"                                                                                 \
    "\n"                                                                                           \
    "0.02000000 XTN\n"                                                                             \
    " - to address -\n"                                                                            \
    "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g\n"                                                 \
    "\n"                                                                                           \
    "Change back:\n"                                                                               \
    "0.07999000 XTN\n"                                                                             \
    " - to address -\n"                                                                            \
    "tb1qqcrqvpsxqcrqvpsxqcrqvpsxqcrqvpsxwlrr47\n"                                                 \
    "\n"                                                                                           \
    "\n"                                                                                           \
    "-^^^-\n"

static struct bytes record_of(const struct fixture *f, const struct policy *p,
                              const struct decision *d)
{
    struct writer w = text_writer();
    audit_transaction_write(&w, d, p, &f->tx, &f->auth, bytes_of_text(story_of_17_4));
    return written(&w);
}

TEST(policy_24_81_worked_example)
{
    const struct policy p = parsed(policy_of_17_4);
    const struct hash256 hash = policy_hash(&p);
    struct fixture f;
    fixture_init(&f);
    assert_bytes_text(hex_of(&hash),
                      "d231cc875234118e9e8577c036449957c96d9765301237a0183229b9a2cae409");
    // First try with nobody's approval.
    struct decision d = fixture_decide(&f, &p);
    fixture_commit(&f, &d);
    assert_bytes_text(record_of(&f, &p, &d), BEFORE
                      "\nREFUSED: Rejected: rule #1: amount exceeded, rule #2: local operator "
                      "didn't confirm\n\n===\n\n");
    // Second with code 160472 and alice's code 131921 for step 58000000.
    f.auth.local_secret = test_base64(BYTES("BrstN9qZ28pEaBdrUs3K"));
    memcpy(f.auth.local_code, "160472", 6);
    f.auth.has_local_code = true;
    fixture_send(&f, "alice", "131921", 58000000);
    d = fixture_decide(&f, &p);
    assert_bytes_text(record_of(&f, &p, &d), BEFORE "Local operator gave correct code.\n"
                                                    "These users gave correct auth codes: alice\n"
                                                    "\nAPPROVED: Acceptable by rule #2\n\n===\n\n");
    fixture_commit(&f, &d);
    assert_false(f.velocity.running); // rule #2 has no per_period
    // "Four more transactions that send 900,000 sat each"
    f.out[0].amount.n = 900000;
    fixture_sum(&f);
    for (uint64_t n = 1; n <= 3; n++) {
        d = assert_decision(&f, policy_of_17_4, "Acceptable by rule #1");
        fixture_commit(&f, &d);
        assert_int_equal(f.velocity.spent[0].n, n * 900000);
    }
    d = assert_decision(&f, policy_of_17_4,
                        "Rejected: rule #1: would exceed period spending, rule #2: local operator "
                        "didn't confirm");
    assert_int_equal(d.velocity.spent[0].n, 2700000);
    assert_int_equal(d.velocity.spent[1].n, 0);
}

TEST(policy_24_81_file_names)
{
    const struct hash256 hash = sha256(BYTES("casemate worked example"));
    char name[AUDIT_FILE_NAME_SIZE];
    audit_file_name(name, &hash);
    assert_string_equal(name, "d55ad33cb11949c4.log");
    assert_string_equal(AUDIT_DIR_TRANSACTIONS, "psbt");
    assert_string_equal(AUDIT_DIR_MESSAGES, "messages");
}

static bool has(struct bytes record, const char *part)
{
    return strstr(arena_text(test_arena(), record), part) != NULL;
}

TEST(policy_17_3_lines_stand_where_the_step_was_reached)
{
    const struct policy accepts = parsed("{\"warnings_ok\":1,\"rules\":[{\"max_amount\":1}]}");
    const struct policy refuses = parsed("{\"rules\":[{}]}");
    struct fixture f;
    fixture_init(&f);
    f.tx.n_warnings = 1;
    fixture_confirm(&f);
    fixture_authorise(&f, "bob", 3);
    fixture_authorise(&f, "alice", 58000000);
    struct decision d = fixture_decide(&f, &accepts);
    assert_true(has(record_of(&f, &accepts, &d),
                    "-^^^-\nTxn has warnings, but policy is to accept anyway.\n"
                    "Local operator gave correct code.\n"
                    "These users gave correct auth codes: bob, alice\n"
                    "\nREFUSED: Rejected: rule #1: amount exceeded\n"));
    d = fixture_decide(&f, &refuses); // E6 comes before E10
    assert_true(has(record_of(&f, &refuses, &d), "-^^^-\n\nREFUSED: Rejected: has 1 warning(s)\n"));
    fixture_send(&f, "dave", "000000", 58000000);
    d = fixture_decide(&f, &accepts); // E9 too
    assert_true(has(record_of(&f, &accepts, &d),
                    "-^^^-\nTxn has warnings, but policy is to accept anyway.\n"
                    "\nREFUSED: User 'dave' gave wrong auth value: mismatch\n"));
}

TEST(policy_24_77_message_records)
{
    const struct policy p = parsed("{\"msg_paths\":[\"m/84h/1h/0h/0/*\"]}");
    struct message_facts facts = { .hash = sha256(BYTES("hello")) };
    struct fixture f;
    struct err err;
    fixture_init(&f);
    assert_true(keypath_parse(&facts.path, BYTES("m/84h/1h/0h/0/7"), &err));
    const struct audit_message message = { facts.hash, 5, &facts.path, BYTES(STRANGER), &f.auth };
    struct decision d = policy_evaluate_message(&p, &facts, &f.auth, &f.velocity, f.now_s);
    struct writer w = text_writer();
    audit_message_write(&w, &d, &message);
    assert_bytes_text(
        written(&w),
        "Message signing requested:\n"
        "SHA256(msg) = 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n"
        "\n"
        "5 bytes to be signed by m/84h/1h/0h/0/7 => " STRANGER "\n"
        "\n"
        "APPROVED: Message signing allowed\n"
        "\n===\n\n");
    facts.path.depth = 0;
    d = policy_evaluate_message(&p, &facts, &f.auth, &f.velocity, f.now_s);
    w = text_writer();
    audit_message_write(&w, &d, &message);
    assert_true(has(written(&w),
                    "signed by m => " STRANGER
                    "\n\nREFUSED: Message signing not enabled for that path\n\n===\n\n"));
}
