#include "coordinator/people.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"

static const struct actor host = { "host", "test" };

TEST(coordinator_F41_limits_are_read_strictly)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        { "", true },
        { "{}", true },
        { "{\"per_spend_sat\": 1, \"per_window_sat\": 2100000000000000}", true },
        { "{\"tier\": \"auto\"}", true },
        { "{\"tier\": \"surge\"}", true },
        { "{\"destinations\": [\"hot\"]}", true },
        { "{\"destinations\": []}", true }, // none at all
        { "{\"per_spend\": 1}", false },    // a limit that nobody keeps
        { "{\"per_spend_sat\": -1}", false },
        { "{\"per_spend_sat\": 1.5}", false },
        { "{\"per_spend_sat\": \"1\"}", false },
        { "{\"per_window_sat\": 2100000000000001}", false },
        { "{\"tier\": \"all\"}", false },
        { "{\"destinations\": \"hot\"}", false },
        { "{\"destinations\": [1]}", false },
        { "[]", false },
        { "{", false },
    };
    struct spend_limits limits;
    struct err err;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (spend_limits_parse(&limits, bytes_of_text(rows[i].text), test_arena(), &err) !=
            rows[i].good)
            fail_msg("case %zu: %s", i, rows[i].text);
    assert_true(spend_limits_parse(&limits, BYTES("{\"per_spend_sat\": 0, \"tier\": \"auto\"}"),
                                   test_arena(), &err));
    assert_true(limits.has_per_spend && limits.per_spend.n == 0 && limits.auto_only);
    assert_false(limits.has_per_window);
}

TEST(coordinator_D11_subjects)
{
    char subject[PEOPLE_SUBJECT_MAX];
    struct err err;
    assert_true(people_subject(
        subject, "nostr", BYTES("F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9"),
        &err));
    assert_string_equal(subject,
                        "nostr:f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9");
    assert_true(people_subject(subject, "cert", BYTES("anna.example"), &err));
    assert_string_equal(subject, "cert:anna.example");
    assert_false(people_subject(subject, "nostr", BYTES("f9"), &err));
    assert_false(people_subject(subject, "cert", BYTES("two words"), &err));
    assert_false(people_subject(subject, "cert", BYTES(""), &err));
    assert_false(people_subject(subject, "host", BYTES("x"), &err)); // nobody is the host
}

TEST_BOTH(coordinator_F41_roles_are_per_wallet)
{
    char id[ID_SIZE];
    struct person p;
    struct err err;
    assert_true(people_add(rig->db, id, &host, "service", "service:a", BYTES("A"), &err));
    assert_true(people_grant(rig->db, &host, id, rig->wallet, ROLE_SPENDER,
                             BYTES("{\"per_spend_sat\": 7}"), &err));
    assert_true(people_find(rig->db, &p, "service:a", test_arena(), &err));
    assert_string_equal(p.id, id);
    assert_true(person_may(&p, rig->wallet, ROLE_SPENDER));
    assert_true(person_may(&p, rig->wallet, ROLE_VIEWER)); // whoever has any role may look
    assert_false(person_may(&p, rig->wallet, ROLE_OPERATOR));
    assert_false(person_may(&p, "another", ROLE_VIEWER));
    assert_int_equal(person_grant(&p, rig->wallet)->limits.per_spend.n, 7);
    // The same again changes the limits.
    assert_true(
        people_grant(rig->db, &host, id, rig->wallet, ROLE_SPENDER, (struct bytes){ 0 }, &err));
    assert_true(people_find(rig->db, &p, "service:a", test_arena(), &err));
    assert_false(person_grant(&p, rig->wallet)->limits.has_per_spend);
    assert_true(people_ungrant(rig->db, &host, id, rig->wallet, ROLE_SPENDER, &err));
    assert_true(people_find(rig->db, &p, "service:a", test_arena(), &err));
    assert_int_equal(person_roles(&p, ""), 0);
}

TEST_BOTH(coordinator_D11_a_principal_is_added_once)
{
    char id[ID_SIZE];
    struct err err;
    assert_true(people_add(rig->db, id, &host, "service", "service:a", BYTES("A"), &err));
    assert_false(people_add(rig->db, id, &host, "service", "service:a", BYTES("B"), &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
    assert_false(people_add(rig->db, id, &host, "service", "service:b", BYTES("\xff"), &err));
    assert_int_equal(code_of(&err), CODE_BAD_REQUEST);
    assert_false(people_grant(rig->db, &host, "nobody", rig->wallet, ROLE_VIEWER,
                              (struct bytes){ 0 }, &err));
    assert_int_equal(code_of(&err), CODE_NOT_FOUND);
    // Each is told in the audit chain.
    assert_int_equal(rig_number(rig, "SELECT CAST(count(*) AS bigint) FROM event WHERE kind = "
                                     "'principal.added' AND actor = 'host'"),
                     1);
}
