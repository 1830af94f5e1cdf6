// policy/authorisation.c -- what users send to approve: the queue, and the codes in it.
#include "base/secret.h"
#include "base/utf8.h"
#include "crypto/otp.h"
#include "policy/users.h"

#define TOTP_STEP_MIN 52622505u // policy 13.5
#define TOTP_BACK     2         // "candidates t, t-1, t-2"
#define HOTP_AHEAD    9         // "candidates L+1 ... L+9"

struct bytes authorisation_name(const struct authorisation *auth)
{
    return bytes_of(auth->name, auth->name_len);
}

// --- The queue ---

void auth_queue_clear(struct auth_queue *queue)
{
    wipe(queue, sizeof *queue);
}

static size_t find(const struct auth_queue *queue, struct bytes name)
{
    size_t i = 0;
    while (i < queue->n && !bytes_equal(authorisation_name(&queue->items[i]), name))
        i++;
    return i;
}

// The place that becomes free is the next entry's.
static void remove_at(struct auth_queue *queue, size_t i)
{
    queue->n--;
    memmove(&queue->items[i], &queue->items[i + 1], (queue->n - i) * sizeof queue->items[0]);
}

bool auth_queue_put(struct auth_queue *queue, struct bytes name, struct bytes token,
                    uint32_t time_step, struct err *err)
{
    struct authorisation auth = { .time_step = time_step };
    if (name.len > sizeof auth.name || token.len > sizeof auth.token || !utf8_is_valid(name) ||
        utf8_length(name) < USER_NAME_MIN || utf8_length(name) > USER_NAME_MAX)
        return err_set(err, ERR_INVALID, "badlen");
    const size_t same = find(queue, name);
    // Policy 13.4: "the reference applies that also when the entry replaces one; Casemate only when
    // it adds".
    if (same == queue->n && queue->n == USERS_MAX)
        return err_set(err, ERR_LIMIT, "toomany");
    if (same < queue->n)
        remove_at(queue, same);
    memcpy(auth.name, name.ptr, name.len);
    auth.name_len = name.len;
    if (token.len > 0)
        memcpy(auth.token, token.ptr, token.len);
    auth.token_len = token.len;
    queue->items[queue->n++] = auth;
    wipe(&auth, sizeof auth);
    return true;
}

// --- Verifying ---

const char *auth_problem_text(enum auth_problem problem)
{
    static const char *const texts[] = {
        [AUTH_UNKNOWN_USER] = "unknown user",
        [AUTH_MISMATCH] = "mismatch",
        [AUTH_EXPECT_OTP] = "expect otp",
        [AUTH_RANGE] = "range",
        [AUTH_REPLAY] = "replay",
        [AUTH_GOOD] = "",
    };
    return texts[problem];
}

static struct bytes token_of(const struct authorisation *auth)
{
    return bytes_of(auth->token, auth->token_len);
}

static enum auth_problem verify_password(struct user_progress *after, const struct user *user,
                                         const struct authorisation *auth,
                                         const struct hash256 *psbt_hash)
{
    uint8_t expected[32];
    user_password_token(expected, user->secret, psbt_hash);
    const bool good = ct_equal(token_of(auth), BYTES_OF(expected));
    wipe(expected, sizeof expected);
    if (!good)
        return AUTH_MISMATCH;
    *after = (struct user_progress){ .last = 1 };
    return AUTH_GOOD;
}

// One candidate. All of them are always computed and compared, so that the time taken does not tell
// which one was right, nor how far a wrong code was.
static void try_code(bool *found, uint64_t *match, const struct user *user,
                     const struct authorisation *auth, uint64_t candidate)
{
    char code[OTP_TEXT_SIZE];
    otp_code(code, bytes_of(user->secret, user->secret_len), candidate);
    const bool equal = ct_equal(token_of(auth), bytes_of(code, OTP_TEXT_SIZE - 1));
    const uint64_t take = (uint64_t)0 - (uint64_t)(equal & !*found);
    *match = (*match & ~take) | (candidate & take);
    *found = *found | equal;
    wipe(code, sizeof code);
}

const struct totp_window totp_any_time = { 0, UINT64_MAX };

static enum auth_problem verify_totp(struct user_progress *after, const struct user *user,
                                     const struct authorisation *auth,
                                     const struct totp_window *window)
{
    const uint64_t t = auth->time_step, last = user->progress.last;
    bool found = false;
    uint64_t match = 0;
    if (t < TOTP_STEP_MIN || t < window->first || t > window->last)
        return AUTH_RANGE;
    if (t <= last)
        return AUTH_REPLAY;
    for (uint64_t back = 0; back <= TOTP_BACK && t - back > last; back++)
        try_code(&found, &match, user, auth, t - back);
    if (!found)
        return AUTH_MISMATCH;
    *after = (struct user_progress){ .last = match };
    return AUTH_GOOD;
}

// Policy 13.5: "candidates L+1 ... L+9, and also 0 when L = 0"; "[FIX] HOTP code 0 is accepted once."
static enum auth_problem verify_hotp(struct user_progress *after, const struct user *user,
                                     const struct authorisation *auth)
{
    const struct user_progress before = user->progress;
    bool found = false;
    uint64_t match = 0;
    for (uint64_t ahead = 1; ahead <= HOTP_AHEAD; ahead++)
        try_code(&found, &match, user, auth, before.last + ahead);
    if (before.last == 0 && !before.zero_used)
        try_code(&found, &match, user, auth, 0);
    if (!found)
        return AUTH_MISMATCH;
    *after = (struct user_progress){ .last = match, .zero_used = match == 0 };
    return AUTH_GOOD;
}

enum auth_problem user_verify(struct user_progress *after, const struct user *user,
                              const struct authorisation *auth, const struct hash256 *psbt_hash,
                              const struct totp_window *window)
{
    if (user == NULL || user->mode == USER_NONE)
        return AUTH_UNKNOWN_USER;
    if (user->mode == USER_PASSWORD)
        return verify_password(after, user, auth, psbt_hash);
    if (auth->token_len != OTP_TEXT_SIZE - 1)
        return AUTH_EXPECT_OTP;
    return user->mode == USER_TOTP ? verify_totp(after, user, auth, window)
                                   : verify_hotp(after, user, auth);
}
