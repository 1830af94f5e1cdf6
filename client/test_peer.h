// client/test_peer.h -- what the tests of client/ share: a fake signer in the test's own folder.
#ifndef CASEMATE_CLIENT_TEST_PEER_H
#define CASEMATE_CLIENT_TEST_PEER_H
#include "client/connection.h"
#include "client/fake_signer.h"
#include "tests/support/test.h"

// Patience with a signer that will not answer: more than one that does needs on a busy machine.
#define SHORT_MS 2000

// A fake that is stopped on every way out, and often not spoken of again.
#define FAKE_SIGNER(name) __attribute__((unused)) AUTO(fake_signer_stopp) struct fake_signer *name

static inline const char *test_path(const char *name)
{
    struct writer w = writer_growing(test_arena(), 200);
    writer_printf(&w, "%s/%s", test_dir(), name);
    return arena_text(test_arena(), writer_bytes(&w));
}

static inline struct fake_signer *start_fake(const struct fake_rule *rules, size_t n_rules,
                                             struct bytes result)
{
    const struct fake_options options = {
        .path = test_path("fake-1.sock"), .rules = rules, .n_rules = n_rules, .result = result
    };
    return fake_signer_start(&options);
}

static inline bool try_open(struct connection **out, struct err *err)
{
    const struct connection_options options = { .socket_path = test_path("fake-1.sock"),
                                                .reply_ms = SHORT_MS };
    return connection_open(out, &options, err);
}

static inline struct connection *open_to_fake(void)
{
    struct connection *c;
    struct err err;
    if (!try_open(&c, &err))
        fail_msg("%s", err.text);
    return c;
}

#endif
