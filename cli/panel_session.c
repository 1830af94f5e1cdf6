#include "cli/panel_session.h"
#include "client/wait.h"

#define TICK_MS 1000

// --- Connecting ---

static void lose(struct panel_session *session, const struct err *why)
{
    panel_client_closep(&session->client);
    panel_view_lose(&session->view, why->text);
    session->interrupted = session->interrupted || why->code == ERR_INTERRUPTED;
    session->due_ms = wait_now_ms() + TICK_MS;
}

static bool connect_to_signer(struct panel_session *session, struct err *err)
{
    static const struct panel_request watch = { .verb = PANEL_WATCH };
    struct panel_hello hello;
    if (!panel_client_open(&session->client, session->path, session->cancel_fd, &hello, err) ||
        !panel_view_connect(&session->view, &hello, err) ||
        !panel_client_send(session->client, &watch, err))
        return false;
    session->due_ms = wait_now_ms() + TICK_MS;
    return true;
}

bool panel_session_begin(struct panel_session *session, const char *path, int cancel_fd,
                         struct err *err)
{
    *session = (struct panel_session){ .path = path, .cancel_fd = cancel_fd };
    panel_view_init(&session->view);
    return connect_to_signer(session, err);
}

void panel_session_end(struct panel_session *session)
{
    panel_client_closep(&session->client);
    panel_view_free(&session->view);
}

int panel_session_fd(const struct panel_session *session)
{
    return session->client != NULL ? panel_client_fd(session->client) : -1;
}

// --- What comes ---

static bool take_reply(struct panel_session *session, const struct panel_reply *reply,
                       struct err *err)
{
    if (reply->ok && reply->has_screen)
        return panel_view_show(&session->view, &reply->screen, wait_now_ms(), err);
    panel_view_say(&session->view, reply->ok ? BYTES("") : reply->error);
    return true;
}

void panel_session_take(struct panel_session *session)
{
    struct panel_reply reply;
    struct err err;
    while (panel_client_receive(session->client, &reply, 0, &err))
        if (!take_reply(session, &reply, &err)) {
            lose(session, &err);
            return;
        }
    if (err.code != ERR_TIMEOUT)
        lose(session, &err);
}

// --- What goes ---

static void send_request(struct panel_session *session, const struct panel_request *request)
{
    struct err err;
    if (session->client != NULL && !panel_client_send(session->client, request, &err))
        lose(session, &err);
}

void panel_session_tick(struct panel_session *session)
{
    static const struct panel_request screen = { .verb = PANEL_SCREEN };
    const int64_t now_ms = wait_now_ms();
    struct err err;
    if (now_ms < session->due_ms)
        return;
    session->due_ms = now_ms + TICK_MS;
    if (session->client == NULL) {
        if (!connect_to_signer(session, &err))
            lose(session, &err);
    } else if (session->view.has_screen && session->view.screen.state == PANEL_HSM) {
        send_request(session, &screen);
    }
}

// What a person does is for the question that he sees, not for one that a host puts up meanwhile.
static void send_answer(struct panel_session *session, struct panel_request request)
{
    request.has_question = session->view.has_screen && !session->is_script;
    request.question = session->view.screen.question;
    send_request(session, &request);
}

void panel_session_keys(struct panel_session *session, struct bytes keys)
{
    send_answer(session, (struct panel_request){ .verb = PANEL_KEYS, .keys = keys });
}

void panel_session_text(struct panel_session *session, struct bytes text)
{
    send_answer(session, (struct panel_request){ .verb = PANEL_TEXT, .text = text });
}

void panel_session_item(struct panel_session *session, enum panel_item item, struct bytes name)
{
    const struct panel_request request = { .verb = PANEL_MENU, .item = item, .name = name };
    send_request(session, &request);
}
