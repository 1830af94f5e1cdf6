#include "http/throttle.h"
#include "tests/support/test.h"

TEST(bunker_21_7_a_thousand_wrong_passwords_lock_nobody_out)
{
    struct throttle t = { 0 };
    int64_t now = 1000000, start = now;
    unsigned looked_at = 0;
    // Somebody guesses ten times a second.
    for (int i = 0; i < 1000; i++, now += 100)
        if (throttle_wait_ms(&t, BYTES("admin"), now) == 0) {
            looked_at++;
            throttle_failed(&t, BYTES("admin"), now);
        }
    assert_true(looked_at >= 5 && looked_at <= 2 * (now - start) / 1000);
    // The right one is looked at within a minute.
    const int64_t wait = throttle_wait_ms(&t, BYTES("admin"), now);
    assert_true(wait <= 1000 * THROTTLE_MAX_S);
    assert_int_equal(throttle_wait_ms(&t, BYTES("admin"), now + wait), 0);
    throttle_succeeded(&t, BYTES("admin"));
    assert_int_equal(throttle_wait_ms(&t, BYTES("admin"), now + wait + 1000), 0);
}

// "After 5 global failures in 10 minutes require a captcha again."
TEST(bunker_21_7_guessing_calls_for_a_captcha)
{
    struct throttle t = { 0 };
    for (int i = 0; i < THROTTLE_CAPTCHA; i++) {
        assert_false(throttle_wants_captcha(&t, 1000000 + i));
        throttle_failed(&t, BYTES("a"), 1000000 + i);
    }
    assert_true(throttle_wants_captcha(&t, 1000010));
    throttle_succeeded(&t, BYTES("a")); // of one account says nothing about the others
    assert_true(throttle_wants_captcha(&t, 1000000 + 1000 * THROTTLE_WINDOW_S));
    assert_false(throttle_wants_captcha(&t, 1000001 + 1000 * THROTTLE_WINDOW_S));
}

TEST(bunker_4_3_pauses_double)
{
    static const int64_t pauses[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
    struct throttle t = { 0 };
    int64_t now = 1000;
    for (size_t i = 0; i < COUNT(pauses); i++) {
        throttle_failed(&t, BYTES("a"), now);
        assert_int_equal(throttle_wait_ms(&t, BYTES("a"), now), 1000 * pauses[i]);
        now += 1000 * pauses[i];
    }
    assert_int_equal(throttle_wait_ms(&t, BYTES("b"), now), 0); // nobody else waits
}

TEST(bunker_21_7_all_together_under_two_a_second)
{
    struct throttle t = { 0 };
    unsigned looked_at = 0;
    for (int64_t now = 5000; now < 15000; now++) { // ever new names
        char name[8] = { (char)('a' + now % 26), (char)('a' + now / 26 % 26),
                         (char)('a' + now / 676 % 26) };
        if (throttle_wait_ms(&t, bytes_of_text(name), now) == 0) {
            looked_at++;
            throttle_failed(&t, bytes_of_text(name), now);
        }
    }
    assert_true(looked_at <= 20);
    assert_true(looked_at > 10);
}
