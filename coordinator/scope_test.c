// Two wallets in one ledger: what belongs to one is nobody's business at the other (D1 "every object below is
// wallet-scoped").
#include "coordinator/audit.h"
#include "coordinator/changes.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <string.h>

#define OTHER "01a1ff2d-0000-7000-8000-00000000000b"

static const struct actor HOST = { "host", NULL };

static void add_other(struct ledger_rig *rig)
{
    rig_exec(rig,
             "INSERT INTO wallet(id, name, network, k, n, kind, desc_receive, desc_change, "
             "desc_hash, status, settle_depth) SELECT '" OTHER "', 'other', network, k, n, kind, "
             "desc_receive, desc_change, desc_hash, status, settle_depth FROM wallet");
    rig_exec(rig, "INSERT INTO velocity_guard(wallet_id, window_s, cap_auto, cap_surge, fee_cap) "
                  "VALUES('" OTHER "', 3600, 500, 1000, 100)");
}

static bool change(struct ledger_rig *rig, const char *wallet_id, const char *kind,
                   const char *body, struct err *err)
{
    const struct json *json;
    struct change_row row;
    assert_true(json_parse(&json, bytes_of_text(body), test_arena(), err));
    return change_draft(rig->db, &row, &HOST, NULL, wallet_id, bytes_of_text(kind), json,
                        test_arena(), err) &&
           change_publish(rig->db, &row, &HOST, row.id, true, test_arena(), err);
}

#define HOOK(url) "{\"url\": \"" url "\", \"secret_ref\": \"x\", \"kinds\": [\"*\"]}"

static int64_t told(struct ledger_rig *rig, const char *url)
{
    char sql[200];
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM outbox o JOIN hook h ON h.id = o.hook_id "
                   "WHERE h.url = '%s'",
                   url);
    return rig_number(rig, sql);
}

TEST_BOTH(coordinator_D1_F49_a_hook_is_told_of_its_wallet_alone)
{
    struct err err;
    add_other(rig);
    assert_true(change(rig, rig->wallet, "hook.add", HOOK("https://one.example/"), &err));
    assert_true(change(rig, OTHER, "hook.add", HOOK("https://two.example/"), &err));
    rig_exec(rig, "DELETE FROM outbox");
    (void)rig_reserved(rig, 10); // of the first
    const int64_t n = told(rig, "https://one.example/");
    assert_true(n >= 2);
    assert_int_equal(told(rig, "https://two.example/"), 0);
    assert_true(ledger_freeze(rig->db, OTHER, true, "host", &err));
    assert_int_equal(told(rig, "https://one.example/"), n);
    assert_int_equal(told(rig, "https://two.example/"), 1);
}

TEST_BOTH(coordinator_D1_a_hook_is_removed_by_its_own_people)
{
    char body[64];
    struct db_rows rows;
    struct err err;
    add_other(rig);
    assert_true(change(rig, rig->wallet, "hook.add", HOOK("https://one.example/"), &err));
    assert_true(db_query(rig->db, &rows, "SELECT id FROM hook", DB_NONE, test_arena(), &err));
    (void)snprintf(body, sizeof body, "{\"id\": \"%.*s\"}", BYTES_ARG(db_cell_bytes(&rows, 0, 0)));
    assert_false(change(rig, OTHER, "hook.remove", body, &err));
    assert_int_equal(code_of(&err), CODE_NOT_FOUND);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM hook WHERE disabled = 0"), 1);
    assert_true(change(rig, rig->wallet, "hook.remove", body, &err));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM hook WHERE disabled = 0"), 0);
}

// The kinds of a wallet's events, each once.
static struct bytes kinds_of(struct ledger_rig *rig, const char *wallet_id)
{
    struct writer w = writer_growing(test_arena(), 4096);
    struct audit_events all;
    struct err err;
    assert_true(audit_read(rig->db, &all, 0, 500, NULL, wallet_id, test_arena(), &err));
    for (size_t i = 0; i < all.n; i++) {
        const struct bytes kind = all.items[i].kind, had = writer_bytes(&w);
        if (had.len == 0 || memmem(had.ptr, had.len, kind.ptr, kind.len) == NULL)
            writer_printf(&w, "%.*s ", BYTES_ARG(kind));
    }
    return writer_bytes(&w);
}

// What an auditor of the one wallet reads of spends, changes, signers, people and roles of both.
TEST_BOTH(coordinator_D1_F44_the_audit_of_a_wallet)
{
    char person[ID_SIZE];
    struct err err;
    add_other(rig);
    assert_bytes_text(kinds_of(rig, rig->wallet), "");
    (void)rig_reserved(rig, 10);
    assert_true(change(rig, rig->wallet, "caps", "{\"cap_auto_sat\": 400}", &err));
    assert_bytes_text(kinds_of(rig, OTHER), "");
    assert_bytes_text(kinds_of(rig, rig->wallet), "spend.state change.drafted policy.changed ");
    assert_true(people_add(rig->db, person, &HOST, "cert", "cert:both", (struct bytes){ 0 }, &err));
    assert_true(
        people_grant(rig->db, &HOST, person, OTHER, ROLE_OFFICER, (struct bytes){ 0 }, &err));
    assert_bytes_text(kinds_of(rig, OTHER), "principal.added role.granted ");
    assert_bytes_text(kinds_of(rig, rig->wallet), "spend.state change.drafted policy.changed ");
    // Of a person of both, each sees the roles that are of his wallet.
    assert_true(
        people_grant(rig->db, &HOST, person, rig->wallet, ROLE_VIEWER, (struct bytes){ 0 }, &err));
    assert_true(people_ungrant(rig->db, &HOST, person, OTHER, ROLE_OFFICER, &err));
    assert_bytes_text(kinds_of(rig, OTHER), "role.granted role.taken ");
    assert_bytes_text(kinds_of(rig, rig->wallet),
                      "spend.state change.drafted policy.changed principal.added role.granted ");
    const struct event event = { .actor = "coordinator",
                                 .kind = "signer.state",
                                 .object = rig->signers[0] };
    assert_true(ledger_event(rig->db, &event, &err));
    assert_bytes_text(kinds_of(rig, OTHER), "role.granted role.taken ");
    assert_non_null(
        memmem(kinds_of(rig, rig->wallet).ptr, kinds_of(rig, rig->wallet).len, "signer.state", 12));
}

TEST_BOTH(coordinator_D1_the_people_of_a_wallet)
{
    struct writer w = writer_growing(test_arena(), 4096);
    struct json_writer j = json_writer_of(&w);
    char person[ID_SIZE];
    struct err err;
    add_other(rig);
    assert_true(people_add(rig->db, person, &HOST, "cert", "cert:a", (struct bytes){ 0 }, &err));
    assert_true(
        people_grant(rig->db, &HOST, person, OTHER, ROLE_OFFICER, (struct bytes){ 0 }, &err));
    assert_true(
        people_grant(rig->db, &HOST, person, rig->wallet, ROLE_VIEWER, (struct bytes){ 0 }, &err));
    assert_true(people_write(rig->db, &j, OTHER, test_arena(), &err));
    const struct bytes text = writer_bytes(&w);
    assert_non_null(memmem(text.ptr, text.len, "cert:a", 6));
    assert_non_null(memmem(text.ptr, text.len, "officer", 7));
    assert_null(memmem(text.ptr, text.len, "viewer", 6));
    assert_null(memmem(text.ptr, text.len, "service", 7)); // who has no role there
}
