#include "coordinator/changes.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"

static const struct actor host = { "host", "test" };

struct people {
    char asks[ID_SIZE], one[ID_SIZE], two[ID_SIZE];
};

static struct people add_people(struct ledger_rig *rig)
{
    struct people p;
    struct err err;
    assert_true(people_add(rig->db, p.asks, &host, "service", "service:asks", BYTES(""), &err));
    assert_true(people_add(rig->db, p.one, &host, "service", "service:one", BYTES(""), &err));
    assert_true(people_add(rig->db, p.two, &host, "service", "service:two", BYTES(""), &err));
    return p;
}

static bool draft(struct ledger_rig *rig, const struct people *p, struct change_row *row,
                  const char *kind, const char *body, struct err *err)
{
    const struct json *json;
    assert_true(json_parse(&json, bytes_of_text(body), test_arena(), err));
    return change_draft(rig->db, row, &host, p->asks, rig->wallet, bytes_of_text(kind), json,
                        test_arena(), err);
}

static bool approve(struct ledger_rig *rig, struct change_row *row, const char *who,
                    struct err *err)
{
    char id[ID_SIZE];
    memcpy(id, row->id, sizeof id);
    return change_approve(rig->db, row, &host, who, id, true, test_arena(), err);
}

static bool publish(struct ledger_rig *rig, struct change_row *row, struct err *err)
{
    char id[ID_SIZE];
    memcpy(id, row->id, sizeof id);
    return change_publish(rig->db, row, &host, id, false, test_arena(), err);
}

static int64_t cap(struct ledger_rig *rig)
{
    return rig_number(rig, "SELECT cap_auto FROM velocity_guard");
}

// What loosens: caps of the rig are 500, 1000, fees 100, one hour.
TEST_BOTH(coordinator_F41_what_loosens)
{
    static const struct {
        const char *kind, *body;
        bool loosening;
    } rows[] = {
        { "caps", "{\"cap_auto_sat\": 499}", false },
        { "caps", "{\"cap_auto_sat\": 501}", true },
        { "caps", "{\"cap_surge_sat\": 1001}", true },
        { "caps", "{\"fee_cap_sat\": 101}", true },
        { "caps", "{\"window_s\": 3599}", true }, // the same cap sooner again
        { "caps", "{\"window_s\": 3601}", false },
        { "caps", "{\"cap_auto_sat\": 1, \"fee_cap_sat\": 101}", true }, // one of them is enough
        { "approvals", "{\"approvals\": 3}", false },
        { "approvals", "{\"delay_s\": 86399}", true },
        { "rules", "{}", true },
        { "role.grant", "{\"principal\": \"service:one\", \"role\": \"viewer\"}", true },
    };
    const struct people p = add_people(rig);
    struct change_row row;
    struct err err;
    rig_exec(rig, "UPDATE wallet SET settings = '{\"max_bumps\": 1}'");
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!draft(rig, &p, &row, rows[i].kind, rows[i].body, &err))
            fail_msg("case %zu: %s", i, err.text);
        if (row.loosening != rows[i].loosening)
            fail_msg("case %zu: %s", i, rows[i].body);
        assert_int_equal(row.needed, rows[i].loosening ? 2 : 0);
        assert_int_equal(row.state, CHANGE_DRAFT);
    }
    assert_int_equal(cap(rig), 500); // none of them has happened
}

// F47: what each signer may pay in its period is held against the cap.
TEST_BOTH(coordinator_F47_device_limits_are_compared_with_the_cap)
{
    static const struct {
        const char *body;
        bool good, loosening;
    } rows[] = {
        { "{\"max_sat\": 7999}", true, false },
        { "{\"max_sat\": 8001}", true, true },
        { "{\"period_min\": 59}", true, true },
        { "{\"per_period_sat\": 1200000}", true, true },  // above G: a note
        { "{\"per_period_sat\": 1200001}", false, true }, // above twice G
    };
    const struct people p = add_people(rig);
    struct change_row row;
    struct err err;
    rig_caps(rig, 600000, 1000000, 100);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const bool made = draft(rig, &p, &row, "policy", rows[i].body, &err);
        if (made != rows[i].good || (made && row.loosening != rows[i].loosening))
            fail_msg("case %zu: %s", i, made ? "" : err.text);
    }
    assert_int_equal(code_of(&err), CODE_BAD_REQUEST);
}

TEST_BOTH(inv_32_coordinator_F41_loosening_has_two_approvals_and_its_delay)
{
    const struct people p = add_people(rig);
    struct change_row row;
    struct err err;
    assert_true(draft(rig, &p, &row, "caps", "{\"cap_auto_sat\": 600}", &err));
    assert_false(publish(rig, &row, &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
    assert_string_equal(err.text, "2 more approvals are needed");
    assert_false(approve(rig, &row, p.asks, &err));
    assert_int_equal(code_of(&err), CODE_FORBIDDEN);
    assert_true(approve(rig, &row, p.one, &err));
    assert_false(approve(rig, &row, p.one, &err)); // one person is one person
    assert_int_equal(code_of(&err), CODE_CONFLICT);
    assert_false(publish(rig, &row, &err));
    assert_string_equal(err.text, "1 more approvals are needed");
    assert_true(approve(rig, &row, p.two, &err));
    assert_int_equal(row.state, CHANGE_WAITING);
    assert_false(publish(rig, &row, &err));
    assert_int_equal(strncmp(err.text, "not before ", 11), 0);
    rig->offset_us += (int64_t)(CHANGE_DELAY_S - 5) * 1000000;
    assert_false(publish(rig, &row, &err));
    assert_int_equal(cap(rig), 500);
    rig->offset_us += (int64_t)10 * 1000000;
    assert_true(publish(rig, &row, &err));
    assert_int_equal(row.state, CHANGE_ROLLED_OUT);
    assert_int_equal(cap(rig), 600);
    assert_false(publish(rig, &row, &err));
}

// (2) Whether it loosens is judged again when it is published.
TEST_BOTH(inv_32_what_has_come_to_loosen_was_approved_by_nobody)
{
    const struct people p = add_people(rig);
    struct change_row lower, lowest;
    struct err err;
    assert_true(draft(rig, &p, &lower, "caps", "{\"cap_auto_sat\": 400}", &err));
    assert_true(draft(rig, &p, &lowest, "caps", "{\"cap_auto_sat\": 100}", &err));
    assert_false(lower.loosening);
    assert_true(publish(rig, &lowest, &err));
    assert_int_equal(cap(rig), 100);
    assert_false(publish(rig, &lower, &err)); // from 100 to 400
    assert_string_equal(err.text, "by now it would loosen: ask anew");
    assert_int_equal(cap(rig), 100);
}

TEST_BOTH(coordinator_F41_drafts_expire)
{
    const struct people p = add_people(rig);
    struct change_row row;
    struct err err;
    assert_true(draft(rig, &p, &row, "caps", "{\"cap_auto_sat\": 600}", &err));
    rig->offset_us += CHANGE_LIFE_US + 1000000;
    assert_false(approve(rig, &row, p.one, &err));
    assert_false(publish(rig, &row, &err));
    assert_true(change_upkeep(rig->db, &err));
    assert_true(change_get(rig->db, &row, row.id, test_arena(), &err));
    assert_int_equal(row.state, CHANGE_EXPIRED);
}

TEST_BOTH(coordinator_F41_one_no_is_enough)
{
    const struct people p = add_people(rig);
    struct change_row row;
    char id[ID_SIZE];
    struct err err;
    assert_true(draft(rig, &p, &row, "caps", "{\"cap_auto_sat\": 600}", &err));
    memcpy(id, row.id, sizeof id);
    assert_true(change_approve(rig->db, &row, &host, p.one, id, false, test_arena(), &err));
    assert_int_equal(row.state, CHANGE_REJECTED);
    assert_false(approve(rig, &row, p.two, &err));
    assert_false(publish(rig, &row, &err));
}

// Who gets a role back is as limited as before it was taken.
TEST_BOTH(coordinator_F41_a_role_comes_back_with_its_limits)
{
    const struct people p = add_people(rig);
    struct change_row row, back;
    struct db_rows rows;
    struct err err;
    assert_true(people_grant(rig->db, &host, p.two, rig->wallet, ROLE_SPENDER,
                             BYTES("{\"per_spend_sat\": 1234}"), &err));
    assert_true(draft(rig, &p, &row, "role.take",
                      "{\"principal\": \"service:two\", \"role\": \"spender\"}", &err));
    assert_true(publish(rig, &row, &err));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM role_grant"), 0);
    assert_false(draft(rig, &p, &row, "role.take",
                       "{\"principal\": \"service:two\", \"role\": \"spender\"}", &err));
    assert_string_equal(err.text, "it would change nothing");
    if (!change_rollback(rig->db, &back, &host, p.asks, row.id, false, test_arena(), &err))
        fail_msg("%s", err.text);
    assert_true(back.loosening);
    assert_true(approve(rig, &back, p.one, &err));
    assert_true(approve(rig, &back, p.two, &err));
    rig->offset_us += (int64_t)(CHANGE_DELAY_S + 5) * 1000000;
    if (!publish(rig, &back, &err))
        fail_msg("%s", err.text);
    assert_true(db_query(rig->db, &rows, "SELECT limits FROM role_grant WHERE principal_id = $1",
                         DB_ARGS(db_text(p.two)), test_arena(), &err));
    assert_int_equal(rows.n, 1);
    assert_bytes_text(db_cell_bytes(&rows, 0, 0), "{\"per_spend_sat\": 1234}");
}

static void grant_spender(struct ledger_rig *rig, const char *id, const char *limits)
{
    struct err err;
    assert_true(
        people_grant(rig->db, &host, id, rig->wallet, ROLE_SPENDER, bytes_of_text(limits), &err));
}

static void assert_limits(struct ledger_rig *rig, const char *id, const char *expected)
{
    struct db_rows rows;
    struct err err;
    assert_true(db_query(rig->db, &rows, "SELECT limits FROM role_grant WHERE principal_id = $1",
                         DB_ARGS(db_text(id)), test_arena(), &err));
    assert_int_equal(rows.n, 1);
    assert_bytes_text(db_cell_bytes(&rows, 0, 0), expected);
}

#define TO_TWO(limits)                                                                             \
    "{\"principal\": \"service:two\", \"role\": \"spender\", \"limits\": " limits "}"

// Limits that are taken back leave the role, and the limits that it had before.
TEST_BOTH(coordinator_F41_limits_taken_back_are_those_of_before)
{
    const struct people p = add_people(rig);
    struct change_row row, back;
    struct err err;
    grant_spender(rig, p.two, "{\"per_spend_sat\": 1234}");
    assert_true(draft(rig, &p, &row, "role.grant", TO_TWO("{\"per_spend_sat\": 1235}"), &err));
    assert_true(row.loosening);
    assert_true(approve(rig, &row, p.one, &err));
    assert_true(approve(rig, &row, p.two, &err));
    rig->offset_us += (int64_t)(CHANGE_DELAY_S + 5) * 1000000;
    assert_true(publish(rig, &row, &err));
    assert_limits(rig, p.two, "{\"per_spend_sat\": 1235}");
    if (!change_rollback(rig->db, &back, &host, p.asks, row.id, false, test_arena(), &err))
        fail_msg("%s", err.text);
    assert_false(back.loosening); // it is in force at once
    assert_limits(rig, p.two, "{\"per_spend_sat\": 1234}");
    assert_true(change_get(rig->db, &row, row.id, test_arena(), &err));
    assert_int_equal(row.state, CHANGE_ROLLED_BACK);
}

// A role that was not there before is taken.
TEST_BOTH(coordinator_F41_a_new_role_taken_back_is_gone)
{
    const struct people p = add_people(rig);
    struct change_row row, back;
    struct err err;
    assert_true(draft(rig, &p, &row, "role.grant", TO_TWO("{}"), &err));
    assert_true(change_publish(rig->db, &row, &host, row.id, true, test_arena(), &err));
    assert_limits(rig, p.two, "{}");
    assert_true(change_rollback(rig->db, &back, &host, p.asks, row.id, false, test_arena(), &err));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM role_grant"), 0);
}

// Each kind of limit alone: one that is tighter is in force at once, one that is wider anywhere needs the others.
TEST_BOTH(coordinator_F41_other_limits_tighten_or_loosen)
{
    static const struct {
        const char *from, *to, *what; // "tightens", "loosens", or why it is no change
    } rows[] = {
        { "{}", TO_TWO("{\"per_spend_sat\": 1}"), "tightens" },
        { "{\"per_spend_sat\": 1}", TO_TWO("{}"), "loosens" },
        { "{\"per_spend_sat\": 2}", TO_TWO("{\"per_spend_sat\": 1}"), "tightens" },
        { "{\"per_spend_sat\": 2}", TO_TWO("{\"per_spend_sat\": 2}"), "it would change nothing" },
        { "{}", TO_TWO("{\"per_window_sat\": 1}"), "tightens" },
        { "{\"per_window_sat\": 1}", TO_TWO("{}"), "loosens" },
        { "{\"per_window_sat\": 1}", TO_TWO("{\"per_window_sat\": 2}"), "loosens" },
        { "{\"per_window_sat\": 1}", TO_TWO("{\"per_spend_sat\": 1}"), "loosens" },
        { "{}", TO_TWO("{\"tier\": \"auto\"}"), "tightens" },
        { "{\"tier\": \"auto\"}", TO_TWO("{}"), "loosens" },
        { "{}", TO_TWO("{\"destinations\": [\"a\"]}"), "tightens" },
        { "{\"destinations\": [\"a\"]}", TO_TWO("{}"), "loosens" },
        { "{\"destinations\": [\"a\", \"b\"]}", TO_TWO("{\"destinations\": [\"b\"]}"), "tightens" },
        { "{\"destinations\": [\"a\"]}", TO_TWO("{\"destinations\": [\"b\"]}"), "loosens" },
        { "{\"destinations\": [\"a\", \"b\"]}", TO_TWO("{\"destinations\": [\"b\", \"a\"]}"),
          "it would change nothing" },
        { "{}", "{\"principal\": \"service:two\", \"role\": \"spender\"}",
          "it would change nothing" },
    };
    const struct people p = add_people(rig);
    struct change_row row;
    struct err err;
    for (size_t i = 0; i < COUNT(rows); i++) {
        grant_spender(rig, p.two, rows[i].from);
        const char *what = !draft(rig, &p, &row, "role.grant", rows[i].to, &err) ? err.text
                           : row.loosening                                       ? "loosens"
                                                                                 : "tightens";
        if (strcmp(what, rows[i].what) != 0)
            fail_msg("case %zu: %s", i, what);
    }
}

// What takes back a tightening loosens: it waits, and nothing has changed until it is published.
TEST_BOTH(coordinator_F41_taking_back_needs_what_it_is)
{
    const struct people p = add_people(rig);
    struct change_row row, back;
    struct err err;
    assert_true(draft(rig, &p, &row, "caps", "{\"cap_auto_sat\": 300}", &err));
    assert_true(publish(rig, &row, &err));
    assert_true(change_rollback(rig->db, &back, &host, p.asks, row.id, false, test_arena(), &err));
    assert_true(back.loosening);
    assert_int_equal(back.state, CHANGE_DRAFT);
    assert_int_equal(cap(rig), 300);
    assert_true(change_get(rig->db, &row, row.id, test_arena(), &err));
    assert_int_equal(row.state, CHANGE_ROLLED_OUT);
}

TEST_BOTH(coordinator_F41_freeze_is_immediate_and_unfreeze_needs_two)
{
    const struct people p = add_people(rig);
    struct change_row row;
    struct err err;
    assert_false(draft(rig, &p, &row, "unfreeze", "{}", &err));
    assert_true(change_freeze(rig->db, &host, rig->wallet, &err));
    assert_false(change_freeze(rig->db, &host, rig->wallet, &err));
    assert_true(draft(rig, &p, &row, "unfreeze", "{}", &err));
    assert_true(approve(rig, &row, p.one, &err));
    assert_false(publish(rig, &row, &err));
    assert_true(approve(rig, &row, p.two, &err));
    assert_int_equal(row.state, CHANGE_APPROVED); // no delay
    assert_true(publish(rig, &row, &err));
    assert_int_equal(
        rig_number(rig, "SELECT CAST(count(*) AS bigint) FROM wallet WHERE status = 'active'"), 1);
}

// Two approvals whatever the wallet's rules say, and the demo needs none.
TEST_BOTH(coordinator_F41_the_demo_publishes_at_once)
{
    const struct people p = add_people(rig);
    struct change_row row;
    char id[ID_SIZE];
    struct err err;
    assert_true(draft(rig, &p, &row, "caps", "{\"cap_auto_sat\": 600}", &err));
    memcpy(id, row.id, sizeof id);
    assert_true(change_publish(rig->db, &row, &host, id, true, test_arena(), &err));
    assert_int_equal(cap(rig), 600);
}
