#include "coordinator/hooks.h"
#include "base/hex.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/hmac.h"
#include <curl/curl.h>
#include <inttypes.h>
#include <netinet/in.h>

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

// --- Addresses ---

struct net {
    uint8_t prefix[16];
    unsigned bits;
};

// IANA's special-purpose registries: what is not globally reachable.
static const struct net v4[] = {
    { { 0 }, 8 },             // this network
    { { 10 }, 8 },            // private
    { { 100, 64 }, 10 },      // carrier-grade NAT
    { { 127 }, 8 },           // loopback
    { { 169, 254 }, 16 },     // link-local, and clouds' metadata
    { { 172, 16 }, 12 },      // private
    { { 192, 0, 0 }, 24 },    // protocol assignments
    { { 192, 0, 2 }, 24 },    // documentation
    { { 192, 88, 99 }, 24 },  // 6to4 relays
    { { 192, 168 }, 16 },     // private
    { { 198, 18 }, 15 },      // benchmarks
    { { 198, 51, 100 }, 24 }, // documentation
    { { 203, 0, 113 }, 24 },  // documentation
    { { 224 }, 3 },           // multicast, reserved, broadcast
};
static const struct net v6[] = {
    { { 0 }, 96 },                         // unspecified, loopback, IPv4 written as IPv6
    { { 0, 0x64, 0xff, 0x9b, 0, 1 }, 48 }, // local NAT64
    { { 1 }, 64 },                         // discard
    { { 0x20, 0x01, 0, 0 }, 23 },          // protocol assignments, Teredo
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 },    // documentation
    { { 0x20, 0x02 }, 16 },                // 6to4: an IPv4 address inside
    { { 0x3f, 0xff }, 20 },                // documentation
    { { 0x5f }, 16 },                      // segment routing
    { { 0xfc }, 7 },                       // unique local
    { { 0xfe, 0x80 }, 9 },                 // link-local, site-local
    { { 0xff }, 8 },                       // multicast
};

static bool is_in(const uint8_t *address, const struct net *net)
{
    for (unsigned bit = 0; bit < net->bits; bit++) {
        const uint8_t mask = (uint8_t)(0x80 >> (bit % 8));
        if ((address[bit / 8] & mask) != (net->prefix[bit / 8] & mask))
            return false;
    }
    return true;
}

static bool is_in_any(const uint8_t *address, const struct net *nets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_in(address, &nets[i]))
            return true;
    return false;
}

bool hook_address_is_private(const struct sockaddr *address)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };          // ::ffff:a.b.c.d
    static const uint8_t nat64[12] = { [1] = 0x64, [2] = 0xff, [3] = 0x9b }; // 64:ff9b::a.b.c.d
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return is_in_any((const uint8_t *)&in.sin_addr, v4, COUNT(v4));
    }
    if (address->sa_family != AF_INET6)
        return true;
    struct sockaddr_in6 in;
    memcpy(&in, address, sizeof in);
    const uint8_t *b = in.sin6_addr.s6_addr;
    if (memcmp(b, mapped, sizeof mapped) == 0 || memcmp(b, nat64, sizeof nat64) == 0)
        return is_in_any(b + 12, v4, COUNT(v4));
    return is_in_any(b, v6, COUNT(v6));
}

// --- Sending ---

struct transfer {
    bool allow_private, refused;
    size_t received;
};

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = context;
    (void)purpose;
    if (!t->allow_private && hook_address_is_private(&address->addr)) {
        t->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

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
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)HOOK_TIMEOUT_S);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)d->body.len);
    (void)curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS,
                           d->body.len > 0 ? d->body.ptr : (const uint8_t *)"");
    (void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, t);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
}

static bool judge(CURLcode code, long status, const struct transfer *t, struct err *err)
{
    if (t->refused)
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
    struct transfer t = { .allow_private = d->allow_private };
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
