#include "bunker/slot.h"
#include "tests/support/test.h"

static const struct json *users(const char *text)
{
    const struct json *out;
    struct err err;
    assert_true(json_parse(&out, bytes_of_text(text), test_arena(), &err));
    return out;
}

static void offer(struct slot *s, size_t index, const char *code)
{
    bool adjusted;
    struct err err;
    assert_true(slot_offer(s, index, 0, bytes_of_text(code), 3000, 0, &adjusted, &err));
}

TEST(bunker_21_24_codes_vanish)
{
    struct slot *s = slot_new();
    slot_set_users(s, users("[\"alice\", \"bob\"]"));
    slot_load(s, BYTES("psbt\xff 1"));
    offer(s, 0, "123456");
    assert_int_equal(s->auth[0].code_len, 6);
    slot_load(s, BYTES("psbt\xff 1")); // also the same PSBT again
    assert_null(s->auth[0].code);
    offer(s, 0, "123456");
    offer(s, 1, "a password");
    assert_false(slot_expire_codes(s, SLOT_CODE_MS - 1));
    assert_true(slot_expire_codes(s, SLOT_CODE_MS));
    assert_null(s->auth[0].code);
    assert_non_null(s->auth[1].code); // passwords do not age
    offer(s, 1, "");
    assert_null(s->auth[1].code);
    offer(s, 1, "x");
    slot_clear(s);
    assert_null(s->auth[1].code);
    assert_int_equal(s->state, SLOT_EMPTY);
    slot_free(s);
}

// A device's text that is none once ended the process: the status that shows it is JSON.
TEST(bunker_9_2_a_preview_is_text)
{
    struct slot *s = slot_new();
    slot_set_preview(s, BYTES("a\xe2\x82\xbf\n\x01\x7f\xff\xe2"));
    assert_bytes_text(bytes_of(s->preview, s->preview_len), "a\xe2\x82\xbf\n????");
    slot_set_preview(s, (struct bytes){ 0 });
    assert_null(s->preview);
    slot_free(s);
}

TEST(bunker_9_3_rows)
{
    struct slot *s = slot_new();
    assert_int_equal(s->n_auth, SLOT_BLANKS);
    assert_false(s->auth[0].has_name);
    slot_set_users(s, users("[\"alice\", \"bob\"]"));
    assert_int_equal(s->n_auth, 2);
    offer(s, 1, "123456");
    slot_set_users(s, users("[\"aaron\", \"bob\"]")); // codes of names that stay are kept
    assert_string_equal(s->auth[0].name, "aaron");
    assert_null(s->auth[0].code);
    assert_non_null(s->auth[1].code);
    slot_set_users(s, users("[]"));
    assert_int_equal(s->n_auth, SLOT_BLANKS);
    (void)snprintf(s->auth[2].name, sizeof s->auth[2].name, "typed");
    offer(s, 2, "123456");
    slot_set_users(s, NULL); // blanks that a person filled in stay
    assert_string_equal(s->auth[2].name, "typed");
    assert_non_null(s->auth[2].code);
    slot_free(s);
}

static const struct {
    int64_t window;
    uint32_t sent;
    bool adjusted;
} windows[] = {
    { 0, 57098745, false },          // absent
    { 57098745, 57098745, false },   // floor
    { 57098746, 57098746, false },   // round, in the second half
    { 1712962374, 57098745, false }, // Unix seconds
    { 57098735, 57098735, false },   // the client's clock is what counts
    { 57098734, 57098745, true },    // too far
    { 57098756, 57098745, true },    //
    { INT64_MAX, 57098745, true },   //
    { -1, 57098745, true },          //
};

TEST(bunker_21_28_windows)
{
    for (size_t i = 0; i < COUNT(windows); i++) {
        bool adjusted;
        assert_int_equal(slot_window(windows[i].window, 1712962374, &adjusted), windows[i].sent);
        assert_int_equal(adjusted, windows[i].adjusted);
    }
}

TEST(bunker_9_4_bad_rows)
{
    struct slot *s = slot_new();
    bool adjusted;
    struct err err;
    char long_code[SLOT_CODE_MAX + 1];
    memset(long_code, 'a', sizeof long_code);
    assert_false(slot_offer(s, SLOT_BLANKS, 0, BYTES("1"), 0, 0, &adjusted, &err));
    assert_false(slot_offer(s, 0, 0, BYTES_OF(long_code), 0, 0, &adjusted, &err));
    slot_free(s);
}

TEST(bunker_a_hash_of_the_stand_in)
{
    uint8_t psbt[305] = "psbt\xff";
    memset(psbt + 5, 1, 300);
    struct slot *s = slot_new();
    slot_load(s, BYTES_OF(psbt));
    assert_string_equal(s->hash_text,
                        "7095efd0c79f58746167305cb09dbef58741957587f360030928a7c1c8b95dbb");
    slot_set_result(s, BYTES("abc"), true, 7);
    assert_int_equal(s->state, SLOT_SIGNED);
    slot_load(s, BYTES("x"));
    assert_null(s->result);
    slot_free(s);
}
