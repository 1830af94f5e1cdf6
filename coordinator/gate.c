#include "coordinator/gate.h"
#include "base/bytes.h"
#include <netinet/in.h>
#include <string.h>

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

bool gate_address_is_private(const struct sockaddr *address)
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

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct gate *gate = context;
    (void)purpose;
    if (!gate->allow_private && gate_address_is_private(&address->addr)) {
        gate->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void gate_guard(struct gate *gate, CURL *curl)
{
    (void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, gate);
    // What a proxy of the environment connects to, nobody here sees.
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
}
