#include "coordinator/auth.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"

static const struct actor host = { "host", "test" };

static void add_person(struct ledger_rig *rig, char id[static ID_SIZE])
{
    struct err err;
    if (!people_add(rig->db, id, &host, "service", "service:robot", (struct bytes){ 0 }, &err))
        fail_msg("%s", err.text);
}

static bool is_token(struct ledger_rig *rig, const char *text)
{
    char principal_id[ID_SIZE];
    unsigned scopes;
    bool found;
    struct err err;
    assert_true(auth_token_find(rig->db, bytes_of_text(text), principal_id, &scopes, &found, &err));
    return found;
}

static bool is_session(struct ledger_rig *rig, const char *text)
{
    struct auth_session session;
    bool found;
    struct err err;
    assert_true(auth_session_find(rig->db, bytes_of_text(text), &session, &found, &err));
    return found;
}

static bool is_challenge(struct ledger_rig *rig, const char *text, const char *pre, bool loose)
{
    struct err err;
    const bool taken =
        auth_challenge_take(rig->db, bytes_of_text(text), bytes_of_text(pre), loose, &err);
    if (!taken)
        assert_int_equal(code_of(&err), CODE_UNAUTHENTICATED);
    return taken;
}

// D17 (29): "A challenge never passes as session, nor a token of one purpose as another."
TEST_BOTH(inv_29_coordinator_F43_no_text_passes_for_another)
{
    char id[ID_SIZE], token_id[ID_SIZE], token[AUTH_TOKEN_SIZE], session[AUTH_SECRET_SIZE],
        challenge[AUTH_CHALLENGE_SIZE], pre[AUTH_SECRET_SIZE] = "";
    struct auth_session s;
    struct err err;
    add_person(rig, id);
    assert_true(auth_token_add(rig->db, token_id, token, &host, id, ROLES_ALL, 0, &err));
    assert_true(auth_session_start(rig->db, session, &s, &host, id, 1000000, &err));
    assert_true(auth_challenge(rig->db, challenge, pre, &err));
    const char *const texts[] = { token, token + 4, session, challenge, pre, s.csrf };
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (is_token(rig, texts[i]) != (i == 0))
            fail_msg("text %zu as token", i);
        if (is_session(rig, texts[i]) != (i == 2))
            fail_msg("text %zu as session", i);
        if (is_challenge(rig, texts[i], pre, true) != (i == 3))
            fail_msg("text %zu as challenge", i);
        if (auth_csrf_is(&s, bytes_of_text(texts[i])) != (i == 5))
            fail_msg("text %zu as CSRF token", i);
    }
}

TEST_BOTH(inv_30_coordinator_F43_a_challenge_is_taken_once)
{
    char challenge[AUTH_CHALLENGE_SIZE], pre[AUTH_SECRET_SIZE] = "", other[AUTH_SECRET_SIZE] = "";
    char third[AUTH_CHALLENGE_SIZE];
    struct err err;
    assert_true(auth_challenge(rig->db, challenge, pre, &err));
    assert_int_equal(strlen(pre), AUTH_SECRET_SIZE - 1);
    assert_true(auth_challenge(rig->db, third, other, &err));
    assert_string_not_equal(challenge, third);
    assert_false(is_challenge(rig, challenge, other, false)); // another visitor's cookie
    assert_false(is_challenge(rig, challenge, "", false));    // none
    assert_false(
        is_challenge(rig, challenge, other, true)); // a wrong one is wrong in the demo, too
    assert_true(is_challenge(rig, challenge, pre, false));
    assert_false(is_challenge(rig, challenge, pre, false));
    // The demo's seed page knows of no cookie.
    assert_true(is_challenge(rig, third, "", true));
    assert_false(is_challenge(rig, third, "", true));
}

TEST_BOTH(coordinator_A12_a_challenge_lasts_300_seconds)
{
    char challenge[AUTH_CHALLENGE_SIZE], pre[AUTH_SECRET_SIZE] = "";
    struct err err;
    assert_true(auth_challenge(rig->db, challenge, pre, &err));
    rig->offset_us += AUTH_CHALLENGE_US + 1000000;
    assert_false(is_challenge(rig, challenge, pre, false));
}

// Whoever asks for many takes nothing from anybody: neither a place nor a write.
TEST_BOTH(coordinator_C14_challenges_take_no_room)
{
    char challenge[AUTH_CHALLENGE_SIZE], pre[AUTH_SECRET_SIZE] = "";
    struct err err;
    for (unsigned i = 0; i < 500; i++) {
        pre[0] = '\0';
        assert_true(auth_challenge(rig->db, challenge, pre, &err));
    }
    assert_int_equal(rig_number(rig, "SELECT CAST(count(*) AS bigint) FROM login_challenge"), 0);
    assert_true(is_challenge(rig, challenge, pre, false));
    assert_int_equal(rig_number(rig, "SELECT CAST(count(*) AS bigint) FROM login_challenge"), 1);
    // What is over is forgotten, and not a moment before it could be shown again.
    rig->offset_us += 2 * AUTH_CHALLENGE_US - 1000000;
    assert_true(auth_forget_old(rig->db, &err));
    assert_int_equal(rig_number(rig, "SELECT CAST(count(*) AS bigint) FROM login_challenge"), 1);
    rig->offset_us += 2000000;
    assert_true(auth_forget_old(rig->db, &err));
    assert_int_equal(rig_number(rig, "SELECT CAST(count(*) AS bigint) FROM login_challenge"), 0);
}

// C1: what a visitor writes himself is none, whatever of ours it is made from.
TEST_BOTH(coordinator_F43_a_challenge_is_ours)
{
    char challenge[AUTH_CHALLENGE_SIZE], pre[AUTH_SECRET_SIZE] = "";
    struct err err;
    assert_true(auth_challenge(rig->db, challenge, pre, &err));
    for (size_t i = 0; challenge[i] != '\0'; i++) {
        const char was = challenge[i];
        challenge[i] = was == '1' ? '2' : '1';
        if (is_challenge(rig, challenge, pre, false) || is_challenge(rig, challenge, "", true))
            fail_msg("character %zu changed", i);
        challenge[i] = '\0';
        if (is_challenge(rig, challenge, pre, false))
            fail_msg("cut at %zu", i);
        challenge[i] = was;
    }
    assert_true(is_challenge(rig, challenge, pre, false));
}

TEST_BOTH(coordinator_D14_sessions_end)
{
    char id[ID_SIZE], first[AUTH_SECRET_SIZE], second[AUTH_SECRET_SIZE];
    struct auth_session s;
    struct err err;
    add_person(rig, id);
    assert_true(auth_session_start(rig->db, first, &s, &host, id, AUTH_SESSION_US, &err));
    assert_true(auth_session_start(rig->db, second, &s, &host, id, AUTH_SESSION_US, &err));
    assert_true(is_session(rig, first) && is_session(rig, second));
    assert_true(auth_session_end(rig->db, &s, &host, &err)); // the second
    assert_true(is_session(rig, first));
    assert_false(is_session(rig, second));
    rig->offset_us += AUTH_SESSION_US;
    assert_false(is_session(rig, first));
    rig->offset_us += (int64_t)86400000000 + 1000000;
    assert_true(auth_forget_old(rig->db, &err));
    assert_int_equal(rig_number(rig, "SELECT CAST(count(*) AS bigint) FROM session"), 0);
}

TEST_BOTH(coordinator_D11_tokens_have_scopes_and_an_end)
{
    char id[ID_SIZE], token_id[ID_SIZE], token[AUTH_TOKEN_SIZE], principal_id[ID_SIZE];
    unsigned scopes;
    bool found;
    struct err err;
    add_person(rig, id);
    assert_true(auth_token_add(rig->db, token_id, token, &host, id, ROLE_VIEWER | ROLE_AUDITOR,
                               60000000, &err));
    assert_true(
        auth_token_find(rig->db, bytes_of_text(token), principal_id, &scopes, &found, &err));
    assert_true(found);
    assert_string_equal(principal_id, id);
    assert_int_equal(scopes, ROLE_VIEWER | ROLE_AUDITOR);
    rig->offset_us += 60000000;
    assert_false(is_token(rig, token));
    assert_true(auth_token_add(rig->db, token_id, token, &host, id, ROLES_ALL, 0, &err));
    assert_true(is_token(rig, token));
    assert_true(auth_token_revoke(rig->db, &host, token_id, &err));
    assert_false(is_token(rig, token));
    assert_false(auth_token_revoke(rig->db, &host, token_id, &err));
    assert_int_equal(code_of(&err), CODE_NOT_FOUND);
}

// (4) What ends a principal ends what it is signed in with.
TEST_BOTH(coordinator_D11_whoever_is_disabled_is_out_at_once)
{
    char id[ID_SIZE], token_id[ID_SIZE], token[AUTH_TOKEN_SIZE], session[AUTH_SECRET_SIZE];
    struct auth_session s;
    struct person person;
    struct err err;
    add_person(rig, id);
    assert_true(auth_token_add(rig->db, token_id, token, &host, id, ROLES_ALL, 0, &err));
    assert_true(auth_session_start(rig->db, session, &s, &host, id, AUTH_SESSION_US, &err));
    assert_true(
        people_grant(rig->db, &host, id, rig->wallet, ROLE_VIEWER, (struct bytes){ 0 }, &err));
    assert_true(people_disable(rig->db, &host, id, true, &err));
    assert_false(is_token(rig, token));
    assert_false(is_session(rig, session));
    assert_true(people_load(rig->db, &person, id, test_arena(), &err));
    assert_false(person_may(&person, rig->wallet, ROLE_VIEWER));
}
