#include "http/session.h"
#include "tests/support/test.h"

static const struct listener here = { .name = "here" }, there = { .name = "there" };

static void count_end(void *context, struct session *session)
{
    (void)session;
    ++*(unsigned *)context;
}

TEST(bunker_21_9_sessions_end)
{
    struct sessions s;
    char id[SESSION_ID_SIZE];
    unsigned ended = 0;
    sessions_init(&s, session_store_memory());
    s.ended = count_end;
    s.context = &ended;
    struct session *a = session_start(&s, &here, 1000, id);
    assert_non_null(a);
    assert_int_equal(strlen(id), 43);
    assert_ptr_equal(session_find(&s, bytes_of_text(id), &here, 1599), a);
    assert_null(session_find(&s, bytes_of_text(id), &there, 1001)); // another listener's
    assert_null(session_find(&s, BYTES("x"), &here, 1001));
    a->active_s = 1599; // a page was loaded
    assert_ptr_equal(session_find(&s, bytes_of_text(id), &here, 2198), a);
    assert_null(session_find(&s, bytes_of_text(id), &here, 2199)); // idle for 600 s
    assert_int_equal(ended, 1);
    sessions_free(&s);
}

TEST(bunker_21_9_sessions_have_an_absolute_limit)
{
    struct sessions s;
    char id[SESSION_ID_SIZE];
    sessions_init(&s, session_store_memory());
    struct session *a = session_start(&s, &here, 0, id);
    a->active_s = SESSION_LIFE_S - 1;
    assert_non_null(session_find(&s, bytes_of_text(id), &here, SESSION_LIFE_S - 1));
    sessions_expire(&s, SESSION_LIFE_S);
    assert_null(s.store->next(s.store, NULL));
    sessions_free(&s);
}

// A token's session, and its sockets, do not outlive the token.
TEST(bunker_4_3_a_session_ends_with_what_it_began_with)
{
    struct sessions s;
    char id[SESSION_ID_SIZE];
    unsigned ended = 0;
    sessions_init(&s, session_store_memory());
    s.ended = count_end;
    s.context = &ended;
    struct session *a = session_start(&s, &here, 1000, id);
    a->ends_s = 1100;
    assert_int_equal(session_left_s(&s, a, 1000), 100);
    a = session_renew(&s, a, 1000, id);
    assert_ptr_equal(session_find(&s, bytes_of_text(id), &here, 1099), a);
    a->active_s = 1099;
    sessions_expire(&s, 1100);
    assert_int_equal(ended, 2);
    assert_null(session_find(&s, bytes_of_text(id), &here, 1100));
    sessions_free(&s);
}

TEST(bunker_4_3_new_id_at_every_change_of_rights)
{
    struct sessions s;
    char before[SESSION_ID_SIZE], after[SESSION_ID_SIZE];
    sessions_init(&s, session_store_memory());
    struct session *a = session_start(&s, &here, 0, before);
    char token[SESSION_TOKEN_SIZE];
    memcpy(token, a->ws_token, sizeof token);
    a->logged_in = true;
    a->role = 2;
    a = session_renew(&s, a, 5, after);
    assert_string_not_equal(before, after);
    assert_string_not_equal(a->ws_token, token);
    assert_true(a->logged_in);
    assert_int_equal(a->role, 2);
    assert_null(session_find(&s, bytes_of_text(before), &here, 6));
    assert_ptr_equal(session_find(&s, bytes_of_text(after), &here, 6), a);
    sessions_free(&s);
}

static void fill(struct sessions *s)
{
    char id[SESSION_ID_SIZE];
    for (int64_t i = 0; i < SESSIONS_MAX; i++)
        assert_non_null(session_start(s, &here, 1000 + i % 7, id));
}

// Who logged in by hand, or has a socket open, makes room for nobody.
TEST(http_sessions_are_bounded)
{
    struct sessions s;
    char id[SESSION_ID_SIZE];
    sessions_init(&s, session_store_memory());
    fill(&s);
    bool typed = false;
    for (struct session *at = NULL; (at = s.store->next(s.store, at)) != NULL; typed = !typed) {
        at->logged_in = at->typed = typed;
        at->has_socket = !typed;
    }
    assert_null(session_start(&s, &here, 1500, id));
    assert_null(session_find(&s, bytes_of_text(id), &here, 1500));
    sessions_free(&s);
}

// However many strangers come, they drive out strangers: the least lately active first.
TEST(bunker_18_5_a_crowd_drives_out_itself)
{
    struct sessions s;
    char mine[SESSION_ID_SIZE], quiet[SESSION_ID_SIZE], id[SESSION_ID_SIZE];
    unsigned ended = 0;
    sessions_init(&s, session_store_memory());
    session_start(&s, &here, 900, mine)->typed = true;
    (void)session_start(&s, &here, 901, quiet);
    s.ended = count_end;
    s.context = &ended;
    fill(&s);
    assert_int_equal(ended, 2); // `quiet`, and one of the crowd
    assert_null(session_find(&s, bytes_of_text(quiet), &here, 1010));
    for (int64_t i = 0; i < 1100; i++)
        assert_non_null(session_start(&s, &here, 1010, id));
    assert_non_null(session_find(&s, bytes_of_text(mine), &here, 1010));
    assert_non_null(session_find(&s, bytes_of_text(id), &here, 1010));
    assert_int_equal(ended, 1102);
    sessions_free(&s);
}

TEST(bunker_5_1_socket_tokens)
{
    char a[SESSION_TOKEN_SIZE], b[SESSION_TOKEN_SIZE];
    session_make_token(a);
    session_make_token(b);
    assert_int_equal(strlen(a), 24);
    assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 24);
    assert_string_not_equal(a, b);
}
