#include "coordinator/gate.h"
#include "tests/support/test.h"
#include <arpa/inet.h>
#include <string.h>

static const struct {
    const char *address;
    bool is_private;
} addresses[] = {
    { "127.0.0.1", true },
    { "10.1.2.3", true },
    { "172.15.255.255", false },
    { "172.16.0.1", true },
    { "172.31.255.255", true },
    { "172.32.0.0", false },
    { "192.168.1.1", true },
    { "192.169.0.1", false },
    { "169.254.169.254", true }, // a cloud's metadata
    { "100.64.0.1", true },
    { "100.128.0.1", false },
    { "0.0.0.0", true },
    { "255.255.255.255", true },
    { "224.0.0.1", true },
    { "8.8.8.8", false },
    { "198.19.0.1", true },
    { "::1", true },
    { "::", true },
    { "::ffff:127.0.0.1", true }, // IPv4 in disguise
    { "::ffff:8.8.8.8", false },
    { "64:ff9b::10.0.0.1", true },
    { "64:ff9b::8.8.8.8", false },
    { "::127.0.0.1", true },
    { "2002:7f00:1::", true },
    { "2001:0:1::", true },
    { "2001:db8::1", true },
    { "2a00:1450::1", false },
    { "fc00::1", true },
    { "fd12:3456::1", true },
    { "fe80::1", true },
    { "fec0::1", true },
    { "ff02::1", true },
    { "2606:4700::1", false },
};

TEST(coordinator_F49_private_addresses)
{
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct sockaddr_in in = { .sin_family = AF_INET };
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
        const bool v6 = strchr(addresses[i].address, ':') != NULL;
        assert_int_equal(v6 ? inet_pton(AF_INET6, addresses[i].address, &in6.sin6_addr)
                            : inet_pton(AF_INET, addresses[i].address, &in.sin_addr),
                         1);
        const void *address = v6 ? (const void *)&in6 : (const void *)&in;
        if (gate_address_is_private(address) != addresses[i].is_private)
            fail_msg("%s", addresses[i].address);
    }
    const struct sockaddr other = { .sa_family = AF_UNIX };
    assert_true(gate_address_is_private(&other));
}

// The name is not looked at but where it leads.
TEST(coordinator_F49_a_name_of_this_host_is_refused)
{
    static const char *const urls[] = { "http://127.0.0.1:9/", "http://localhost:9/",
                                        "http://[::1]:9/", "http://0x7f000001:9/" };
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct gate gate = { .allow_private = false };
        CURL *curl = curl_easy_init();
        assert_non_null(curl);
        gate_guard(&gate, curl);
        (void)curl_easy_setopt(curl, CURLOPT_URL, urls[i]);
        (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        assert_int_not_equal(curl_easy_perform(curl), CURLE_OK);
        curl_easy_cleanup(curl);
        if (!gate.refused)
            fail_msg("%s", urls[i]);
    }
}
