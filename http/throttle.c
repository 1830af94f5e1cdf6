#include "http/throttle.h"

static struct throttle_account *find(struct throttle *t, struct bytes account)
{
    const struct bytes name = bytes_slice(account, 0, THROTTLE_NAME_MAX - 1);
    for (size_t i = 0; i < THROTTLE_ACCOUNTS; i++)
        if (t->accounts[i].failures > 0 && bytes_equal_text(name, t->accounts[i].name))
            return &t->accounts[i];
    return NULL;
}

static struct throttle_account *make(struct throttle *t, struct bytes account)
{
    struct throttle_account *oldest = &t->accounts[0];
    for (size_t i = 1; i < THROTTLE_ACCOUNTS; i++)
        if (t->accounts[i].last_ms < oldest->last_ms)
            oldest = &t->accounts[i];
    *oldest = (struct throttle_account){ 0 };
    const struct bytes name = bytes_slice(account, 0, THROTTLE_NAME_MAX - 1);
    if (name.len > 0)
        memcpy(oldest->name, name.ptr, name.len);
    return oldest;
}

// 1, 2, 4 ... 60 s after the first, second, third failure in a row.
static int64_t pause_ms(unsigned failures)
{
    const int64_t s = failures > 6 ? THROTTLE_MAX_S : (int64_t)1 << (failures - 1);
    return 1000 * (s < THROTTLE_MAX_S ? s : THROTTLE_MAX_S);
}

static int64_t wait_for_all_ms(struct throttle *t, int64_t now_ms)
{
    if (now_ms - t->tokens_ms >= 1000) {
        t->tokens = THROTTLE_ALL_PER_S;
        t->tokens_ms = now_ms;
    }
    return t->tokens > 0 ? 0 : 1000 - (now_ms - t->tokens_ms);
}

int64_t throttle_wait_ms(struct throttle *t, struct bytes account, int64_t now_ms)
{
    const struct throttle_account *a = find(t, account);
    const int64_t own = a != NULL ? a->last_ms + pause_ms(a->failures) - now_ms : 0;
    const int64_t all = wait_for_all_ms(t, now_ms);
    const int64_t wait = own > all ? own : all;
    if (wait > 0)
        return wait;
    t->tokens--;
    return 0;
}

bool throttle_wants_captcha(const struct throttle *t, int64_t now_ms)
{
    return t->recent >= THROTTLE_CAPTCHA && now_ms - t->window_ms <= 1000 * THROTTLE_WINDOW_S;
}

void throttle_failed(struct throttle *t, struct bytes account, int64_t now_ms)
{
    struct throttle_account *a = find(t, account);
    if (a == NULL)
        a = make(t, account);
    if (a->failures > 0 && now_ms - a->last_ms > 1000 * THROTTLE_WINDOW_S)
        a->failures = 0;
    a->failures++;
    a->last_ms = now_ms;
    if (now_ms - t->window_ms > 1000 * THROTTLE_WINDOW_S) {
        t->window_ms = now_ms;
        t->recent = 0;
    }
    t->recent++;
}

void throttle_succeeded(struct throttle *t, struct bytes account)
{
    struct throttle_account *a = find(t, account);
    if (a != NULL)
        *a = (struct throttle_account){ 0 };
}
