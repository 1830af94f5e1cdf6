#include "bunker/link_rules.h"
#include "tests/support/test.h"

// --- Gates ---

static const struct {
    const char *code;
    bool idle, hsm, provisioning; // passes outside HSM mode, in it, outside it with link_provision
} gates[] = {
    { "vers", true, true, true },   { "blkc", true, true, true },   { "ping", true, true, true },
    { "xpub", true, true, true },   { "msck", true, true, true },   { "hsts", true, true, true },
    { "upld", true, true, true },   { "sha2", true, true, true },   { "stok", true, true, true },
    { "smok", true, true, true },   { "dwld", true, true, true },   { "stxn", false, true, false },
    { "smsg", false, true, false }, { "user", false, true, false }, { "show", false, true, false },
    { "p2sh", false, true, false }, { "enrl", false, false, true }, { "hsms", false, false, true },
    { "nwur", false, false, true }, { "rmur", false, false, true },
};

static bool passes(const char *code, bool hsm, bool provision)
{
    enum request_id id;
    return link_may_pass(link_gate(bytes_of_text(code), &id), hsm, provision);
}

TEST(bunker_51_what_passes_in_which_state)
{
    for (size_t i = 0; i < COUNT(gates); i++) {
        assert_int_equal(passes(gates[i].code, false, false), gates[i].idle);
        assert_int_equal(passes(gates[i].code, true, false), gates[i].hsm);
        assert_int_equal(passes(gates[i].code, true, true), gates[i].hsm); // never in HSM mode
        assert_int_equal(passes(gates[i].code, false, true), gates[i].provisioning);
    }
}

TEST(bunker_51_nothing_else_passes)
{
    for (enum request_id id = REQUEST_NONE + 1; id < REQUEST_COUNT; id++) {
        const char *code = request_info(id)->code;
        bool listed = false;
        for (size_t i = 0; i < COUNT(gates); i++)
            listed = listed || strcmp(code, gates[i].code) == 0;
        for (int state = 0; state < 4 && !listed; state++)
            if (passes(code, (state & 1) != 0, (state & 2) != 0))
                fail_msg("%s", code);
    }
    static const char *const others[] = { "",     "gs",   "gslr", "ncry", "mitm",
                                          "xxxx", "GSLR", "EXEC", "XKEY" };
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(passes(others[i], true, true) || passes(others[i], false, true));
}

TEST(bunker_51_what_opens_a_job)
{
    static const char openers[] = "upld user stxn smsg";
    for (size_t i = 0; i < COUNT(gates); i++) {
        enum request_id id;
        (void)link_gate(bytes_of_text(gates[i].code), &id);
        assert_int_equal(link_opens_job(id), strstr(openers, gates[i].code) != NULL);
    }
    assert_false(link_opens_job(REQUEST_NONE));
}

// --- Jobs ---

#define SHA       "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define UPLD      "75706c64 00000000 04000000 70736274"
#define STXN      "7374786e 04000000 00000000" SHA
#define USER      "75736572 00000000 05 01 616c696365 78"
#define INT1      "696e7431 00000000"
#define OKAY      "6f6b6179"
#define STRX      "73747278 00080100" SHA // 67584 = 33 * 2048
#define BLOCK(at) "64776c64" at "00080000 01000000"
#define BINY      "62696e79 00"
#define ERR_X     "6572725f 6e6f1b6f" // "no<ESC>o"

struct step {
    const char *message, *reply; // hex
};

static const struct {
    struct step steps[6];
    enum link_outcome outcome;
    bool over;
    enum request_id awaited;
    const char *reason;
} jobs[] = {
    { { { UPLD, INT1 } }, LINK_UNFINISHED, false, REQUEST_NONE, "" },
    { { { USER, "61736369" } }, LINK_UNFINISHED, false, REQUEST_NONE, "" },
    { { { UPLD, INT1 }, { STXN, OKAY } }, LINK_UNFINISHED, false, REQUEST_STOK, "" },
    { { { STXN, OKAY }, { "73746f6b", OKAY } }, LINK_UNFINISHED, false, REQUEST_STOK, "" },
    { { { STXN, OKAY }, { "73746f6b", "72656675" } }, LINK_REFUSED, true, REQUEST_NONE, "" },
    { { { STXN, OKAY }, { "73746f6b", ERR_X } }, LINK_FAILED, true, REQUEST_NONE, "no?o" },
    { { { STXN, OKAY }, { "73746f6b", STRX } }, LINK_SIGNED, false, REQUEST_NONE, "" },
    // any block but the last
    { { { STXN, OKAY }, { "73746f6b", STRX }, { BLOCK("00000100"), BINY } },
      LINK_SIGNED,
      true,
      REQUEST_NONE,
      "" },
    { { { STXN, OKAY }, { "73746f6b", STRX }, { BLOCK("00f80000"), BINY } },
      LINK_SIGNED,
      false,
      REQUEST_NONE,
      "" },
    { { { STXN, OKAY }, { "73746f6b", STRX }, { BLOCK("ffffffff"), BINY } },
      LINK_SIGNED,
      true,
      REQUEST_NONE,
      "" },
    { { { "64776c64 00000100 00080000 01000000", BINY } },
      LINK_UNFINISHED,
      false,
      REQUEST_NONE,
      "" },
    { { { "736d7367 01000000 01000000 01000000 6d 78", OKAY } },
      LINK_UNFINISHED,
      false,
      REQUEST_SMOK,
      "" },
    { { { "736d6f6b", "736d7278 01000000 61" SHA SHA "00" } },
      LINK_MESSAGE_SIGNED,
      true,
      REQUEST_NONE,
      "" },
    { { { "68736d73", OKAY } }, LINK_PROVISIONED, true, REQUEST_NONE, "hsms" },
    { { { "656e726c 04000000" SHA, OKAY } }, LINK_PROVISIONED, true, REQUEST_NONE, "enrl" },
    { { { "726d7572 05 616c696365", OKAY } }, LINK_PROVISIONED, true, REQUEST_NONE, "rmur" },
    // a device that is busy has not answered
    { { { STXN, "62757379" } }, LINK_UNFINISHED, false, REQUEST_NONE, "" },
    { { { UPLD, "6672616d 6e6f206b6579" } }, LINK_FAILED, true, REQUEST_NONE, "no key" },
    { { { UPLD, "78787878" } },
      LINK_FAILED,
      true,
      REQUEST_NONE,
      "the device's reply cannot be read" },
    { { { UPLD, "" } }, LINK_FAILED, true, REQUEST_NONE, "the device's reply cannot be read" },
};

TEST(bunker_51_when_a_job_is_over)
{
    for (size_t i = 0; i < COUNT(jobs); i++) {
        struct link_progress p = { 0 };
        for (size_t k = 0; k < COUNT(jobs[i].steps) && jobs[i].steps[k].message != NULL; k++)
            link_progress_step(&p, test_hex(jobs[i].steps[k].message),
                               test_hex(jobs[i].steps[k].reply));
        if (p.outcome != jobs[i].outcome || p.over != jobs[i].over ||
            p.awaited != jobs[i].awaited || strcmp(p.reason, jobs[i].reason) != 0)
            fail_msg("job %zu: %s, over %d, '%s'", i, link_outcome_name(p.outcome), p.over,
                     p.reason);
    }
}

TEST(bunker_51_whose_codes_and_which_transaction)
{
    struct link_progress p = { 0 };
    for (int i = 0; i < 2; i++) // twice is one user
        link_progress_step(&p, test_hex(USER), test_hex("61736369"));
    link_progress_step(&p, test_hex("75736572 00000000 03 01 626f62 78"), test_hex("61736369"));
    link_progress_step(&p, test_hex(STXN), test_hex(OKAY));
    assert_int_equal(p.users.n, 2);
    assert_string_equal(p.users.items[0], "alice");
    assert_string_equal(p.users.items[1], "bob");
    assert_string_equal(p.psbt_hash, SHA);
}
