#include "coordinator/surge_codes.h"
#include "base/require.h"
#include "base/secret.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct kept {
    char spend_id[ID_SIZE]; // empty: free
    int64_t until_ms;
    struct fleet_auth auth;
};
struct surge_codes {
    pthread_mutex_t lock;
    const struct clock *clock;
    struct kept kept[SURGE_CODES_MAX];
};

struct surge_codes *surge_codes_new(const struct clock *clock)
{
    struct surge_codes *codes = calloc(1, sizeof *codes);
    REQUIRE(codes != NULL && pthread_mutex_init(&codes->lock, NULL) == 0);
    codes->clock = clock;
    return codes;
}

void surge_codes_free(struct surge_codes *codes)
{
    if (codes == NULL)
        return;
    (void)pthread_mutex_destroy(&codes->lock);
    wipe(codes, sizeof *codes);
    free(codes);
}

void fleet_auth_wipe(struct fleet_auth *auth)
{
    wipe(auth, sizeof *auth);
}

static void forget_old(struct surge_codes *codes)
{
    const int64_t now_ms = codes->clock->monotonic_ms(codes->clock);
    for (size_t i = 0; i < SURGE_CODES_MAX; i++)
        if (codes->kept[i].spend_id[0] != '\0' && codes->kept[i].until_ms <= now_ms)
            wipe(&codes->kept[i], sizeof codes->kept[i]);
}

// Its place; with "" a free one. NULL: none. The lock is held.
static struct kept *find(struct surge_codes *codes, const char *spend_id)
{
    for (size_t i = 0; i < SURGE_CODES_MAX; i++)
        if (strcmp(codes->kept[i].spend_id, spend_id) == 0)
            return &codes->kept[i];
    return NULL;
}

bool surge_codes_put(struct surge_codes *codes, const char *spend_id, const struct fleet_auth *auth)
{
    REQUIRE(spend_id[0] != '\0' && strlen(spend_id) < ID_SIZE);
    (void)pthread_mutex_lock(&codes->lock);
    forget_old(codes);
    struct kept *k = find(codes, spend_id);
    if (k == NULL)
        k = find(codes, "");
    if (k != NULL) {
        memcpy(k->spend_id, spend_id, strlen(spend_id) + 1);
        k->until_ms = codes->clock->monotonic_ms(codes->clock) + SURGE_CODES_LIFE_MS;
        k->auth = *auth;
    }
    (void)pthread_mutex_unlock(&codes->lock);
    return k != NULL;
}

bool surge_codes_get(struct surge_codes *codes, const char *spend_id, struct fleet_auth *out)
{
    (void)pthread_mutex_lock(&codes->lock);
    forget_old(codes);
    const struct kept *k = spend_id[0] != '\0' ? find(codes, spend_id) : NULL;
    if (k != NULL)
        *out = k->auth;
    (void)pthread_mutex_unlock(&codes->lock);
    return k != NULL;
}

void surge_codes_drop(struct surge_codes *codes, const char *spend_id)
{
    (void)pthread_mutex_lock(&codes->lock);
    struct kept *k = spend_id[0] != '\0' ? find(codes, spend_id) : NULL;
    if (k != NULL)
        wipe(k, sizeof *k);
    (void)pthread_mutex_unlock(&codes->lock);
}
