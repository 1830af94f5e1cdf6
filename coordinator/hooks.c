#include "coordinator/hooks.h"
#include "base/hex.h"
#include "base/require.h"
#include "base/secret.h"
#include "coordinator/gate.h"
#include "crypto/hmac.h"
#include <inttypes.h>

#define REPLY_MAX 65536 // bytes of an answer that are read before it is cut off

void hook_sign(char out[static HOOK_SIGNATURE_SIZE], struct bytes secret, int64_t timestamp_s,
               struct bytes body)
{
    uint8_t mac[32];
    char stamp[24];
    const int len = snprintf(stamp, sizeof stamp, "%" PRId64 ".", timestamp_s);
    REQUIRE(len > 0 && (size_t)len < sizeof stamp);
    uint8_t *text = malloc((size_t)len + body.len);
    REQUIRE(text != NULL);
    memcpy(text, stamp, (size_t)len);
    if (body.len > 0)
        memcpy(text + len, body.ptr, body.len);
    hmac_sha256(mac, secret, bytes_of(text, (size_t)len + body.len));
    hex_encode(out, BYTES_OF(mac));
    free(text);
}

int64_t hook_pause_s(uint64_t tries)
{
    int64_t pause = HOOK_PAUSE_MIN_S;
    for (uint64_t i = 1; i < tries && pause < HOOK_PAUSE_MAX_S; i++)
        pause *= 2;
    return pause < HOOK_PAUSE_MAX_S ? pause : HOOK_PAUSE_MAX_S;
}

// --- Sending ---

struct transfer {
    struct gate gate;
    size_t received;
};

static size_t drop_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    (void)data;
    t->received += size * count;
    return t->received <= REPLY_MAX ? size * count : 0;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *text)
{
    struct curl_slist *grown = curl_slist_append(list, text);
    REQUIRE(grown != NULL);
    return grown;
}

static struct curl_slist *headers_of(const struct hook_delivery *d)
{
    char line[160], signature[HOOK_SIGNATURE_SIZE];
    struct curl_slist *list = add_header(NULL, "Content-Type: application/json");
    list = add_header(list, "User-Agent: casemate-coordinator");
    list = add_header(list, "Accept:");
    list = add_header(list, "Expect:");
    (void)snprintf(line, sizeof line, "X-Casemate-Id: %" PRIu64, d->event);
    list = add_header(list, line);
    (void)snprintf(line, sizeof line, "X-Casemate-Timestamp: %" PRId64, d->timestamp_s);
    list = add_header(list, line);
    if (d->secret.len == 0)
        return list;
    hook_sign(signature, d->secret, d->timestamp_s, d->body);
    (void)snprintf(line, sizeof line, "X-Casemate-Signature: sha256=%s", signature);
    return add_header(list, line);
}

static void set_options(CURL *curl, const struct hook_delivery *d, struct transfer *t,
                        struct curl_slist *headers)
{
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_URL, d->url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)HOOK_TIMEOUT_S);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)d->body.len);
    (void)curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS,
                           d->body.len > 0 ? d->body.ptr : (const uint8_t *)"");
    gate_guard(&t->gate, curl);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
}

static bool judge(CURLcode code, long status, const struct transfer *t, struct err *err)
{
    if (t->gate.refused)
        return err_set(err, ERR_REFUSED, "the address is a private one");
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_TIMEOUT, "no answer within %d s", HOOK_TIMEOUT_S);
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT)
        return err_set(err, ERR_USAGE, "it is no http or https address");
    // What came is of no interest once the status has.
    if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && status != 0))
        return err_set(err, ERR_IO, "%s", curl_easy_strerror(code));
    return (status >= 200 && status <= 299) ||
           err_set(err, ERR_REFUSED, "the answer's status is %ld", status);
}

bool hook_send(const struct hook_delivery *d, struct err *err)
{
    struct transfer t = { .gate.allow_private = d->allow_private };
    struct curl_slist *headers = headers_of(d);
    long status = 0;
    CURL *curl = curl_easy_init();
    REQUIRE(curl != NULL);
    set_options(curl, d, &t, headers);
    const CURLcode code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return judge(code, status, &t, err);
}
