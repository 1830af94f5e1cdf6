#include "crypto/ec.h"
#include "crypto/random.h"
#include "tests/support/test.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

// The group order n, and its neighbours.
#define ORDER_MINUS_1 "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"
#define ORDER         "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define ORDER_PLUS_1  "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142"
#define ALL_ONES      "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define ZERO          "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE           "0000000000000000000000000000000000000000000000000000000000000001"
#define TWO           "0000000000000000000000000000000000000000000000000000000000000002"

// The generator.
#define G_X       "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
#define G_Y       "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
// Its negative, and twice it.
#define MINUS_G_Y "b7c52588d95c3b9aa25b0403f1eef75702e84bb7597aabe663b82f6f04ef2777"
#define TWO_G     "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"

static struct seckey seckey_of(const char *hex)
{
    struct seckey key;
    struct err err;
    assert_true(seckey_from_bytes(&key, test_hex(hex), &err));
    return key;
}

static struct pubkey pubkey_of(const char *hex)
{
    struct pubkey key;
    struct err err;
    assert_true(pubkey_parse(&key, test_hex(hex), &err));
    return key;
}

TEST(private_keys_are_within_the_order)
{
    static const char out_of_range[] = "private key is zero or not below the group order";
    static const struct {
        const char *key, *text;
    } cases[] = {
        { ONE, NULL },
        { ORDER_MINUS_1, NULL },
        { ZERO, out_of_range },
        { ORDER, out_of_range },
        { ORDER_PLUS_1, out_of_range },
        { ALL_ONES, out_of_range },
        { "", "private key of 0 bytes instead of 32" },
        { ONE "00", "private key of 33 bytes instead of 32" },
        { "01", "private key of 1 bytes instead of 32" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct seckey key = { { 0x55 } };
        struct err err;
        const struct bytes b = test_hex(cases[i].key);
        if (cases[i].text == NULL) {
            assert_true(seckey_from_bytes(&key, b, &err));
            assert_bytes_equal(BYTES_OF(key.b), b);
        } else {
            assert_false(seckey_from_bytes(&key, b, &err));
            assert_err(&err, ERR_INVALID, cases[i].text);
            assert_int_equal(key.b[0], 0x55);
        }
    }
}

TEST(public_key_of_a_private_one)
{
    const struct seckey one = seckey_of(ONE), minus_one = seckey_of(ORDER_MINUS_1);
    struct pubkey key = seckey_pubkey(&one);
    assert_bytes_equal(BYTES_OF(key.b), test_hex("02" G_X));
    key = seckey_pubkey(&minus_one);
    assert_bytes_equal(BYTES_OF(key.b), test_hex("03" G_X));
}

TEST(generated_keys_are_valid_and_differ)
{
    struct seckey a, b, again;
    struct err err;
    seckey_generate(&a);
    seckey_generate(&b);
    assert_true(seckey_from_bytes(&again, BYTES_OF(a.b), &err));
    assert_memory_not_equal(a.b, b.b, sizeof a.b);
    seckey_wipe(&a);
    assert_bytes_equal(BYTES_OF(a.b), test_hex(ZERO));
}

// Sums modulo the order. NULL: refused, and the key is as it was.
static const struct {
    const char *key, *tweak, *sum;
} tweaks[] = {
    { ONE, ONE, TWO },
    { ONE, ZERO, ONE }, // a zero tweak is a number below the order
    { ORDER_MINUS_1, TWO, ONE },
    { ORDER_MINUS_1, ONE, NULL }, // zero
    { ONE, ORDER_MINUS_1, NULL }, // zero
    { TWO, ORDER_MINUS_1, ONE },
    { ONE, ORDER, NULL },
    { ONE, ORDER_PLUS_1, NULL }, // not reduced
    { ONE, ALL_ONES, NULL },
};

TEST(tweaked_keys)
{
    for (size_t i = 0; i < COUNT(tweaks); i++) {
        struct seckey key = seckey_of(tweaks[i].key);
        const struct pubkey before = seckey_pubkey(&key);
        const uint8_t *tweak = test_hex(tweaks[i].tweak).ptr;
        struct pubkey point = before;
        const bool ok = tweaks[i].sum != NULL;
        assert_int_equal(seckey_tweak_add(&key, tweak), ok);
        assert_int_equal(pubkey_tweak_add(&point, &before, tweak), ok);
        assert_bytes_equal(BYTES_OF(key.b), test_hex(ok ? tweaks[i].sum : tweaks[i].key));
        const struct pubkey after = seckey_pubkey(&key);
        assert_true(pubkey_equal(&point, &after));
        struct point parsed, sum;
        assert_true(point_of(&parsed, &before));
        sum = parsed;
        assert_int_equal(point_tweak_add(&sum, &parsed, tweak), ok);
        const struct pubkey from_point = point_pubkey(&sum);
        assert_true(pubkey_equal(&from_point, &after));
    }
}

TEST(points_are_keys_read_once)
{
    struct seckey key, other;
    struct signature a, b;
    struct point point;
    struct err err;
    const struct hash256 digest = sha256(BYTES("digest"));
    seckey_generate(&key);
    seckey_generate(&other);
    const struct pubkey pubkey = seckey_pubkey(&key);
    assert_true(point_of(&point, &pubkey));
    assert_true(ecdsa_sign(&a, &key, &pubkey, &digest, true, &err));
    assert_true(ecdsa_sign_as(&b, &key, &point, &digest, true, &err));
    assert_memory_equal(&a, &b, sizeof a);
    // Another one's key: nothing is handed out.
    const struct signature nothing = { { 0 } };
    assert_false(ecdsa_sign_as(&b, &other, &point, &digest, true, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_memory_equal(&b, &nothing, sizeof b);
    assert_false(point_of(&point, &(struct pubkey){ { 0 } }));
}

// What public derivation rests on: tweaking and then making public is the same as the reverse.
TEST(tweaks_of_both_halves_agree)
{
    for (size_t i = 0; i < 100; i++) {
        struct seckey key;
        uint8_t tweak[32];
        seckey_generate(&key);
        random_bytes(tweak, sizeof tweak);
        const struct pubkey before = seckey_pubkey(&key);
        struct pubkey after;
        assert_true(seckey_tweak_add(&key, tweak));
        assert_true(pubkey_tweak_add(&after, &before, tweak));
        const struct pubkey expected = seckey_pubkey(&key);
        assert_true(pubkey_equal(&after, &expected));
        assert_false(pubkey_equal(&after, &before));
    }
}

TEST(tweak_of_no_point_is_refused)
{
    const struct pubkey unchecked = { { 0 } };
    struct pubkey out = pubkey_of(TWO_G);
    assert_false(pubkey_tweak_add(&out, &unchecked, test_hex(ONE).ptr));
    assert_bytes_equal(BYTES_OF(out.b), test_hex(TWO_G));
}

TEST(forms_of_public_keys)
{
    static const char form[] = "public key is neither compressed nor uncompressed";
    static const char curve[] = "public key is not on the curve";
    static const struct {
        const char *key, *text, *compressed;
    } cases[] = {
        { "02" G_X, NULL, "02" G_X },
        { "03" G_X, NULL, "03" G_X },
        { "04" G_X G_Y, NULL, "02" G_X },
        { "04" G_X MINUS_G_Y, NULL, "03" G_X },
        { "06" G_X G_Y, form, NULL }, // hybrid
        { "07" G_X MINUS_G_Y, form, NULL },
        { "02" G_X G_Y, form, NULL },
        { "04" G_X, form, NULL },
        { "00" G_X, form, NULL },
        { "05" G_X, form, NULL },
        { G_X, form, NULL },     // x only
        { G_X G_Y, form, NULL }, // pubkey64
        { "02" G_X "00", form, NULL },
        { "00", form, NULL }, // infinity
        { "", form, NULL },
        { "04" G_X TWO, curve, NULL },
        { "04" ZERO ZERO, curve, NULL },
        // x = 5 has no y.
        { "020000000000000000000000000000000000000000000000000000000000000005", curve, NULL },
        // x = p + 1 would be the point of x = 1 if reduced.
        { "02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30", curve, NULL },
        { "02" ALL_ONES, curve, NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pubkey key = { { 0x55 } };
        struct err err;
        if (cases[i].text == NULL) {
            assert_true(pubkey_parse(&key, test_hex(cases[i].key), &err));
            assert_bytes_equal(BYTES_OF(key.b), test_hex(cases[i].compressed));
        } else {
            assert_false(pubkey_parse(&key, test_hex(cases[i].key), &err));
            assert_err(&err, ERR_INVALID, cases[i].text);
            assert_int_equal(key.b[0], 0x55);
        }
    }
}

TEST(keys_of_64_bytes)
{
    struct pubkey64 wide;
    struct pubkey key;
    struct err err;
    memcpy(wide.b, test_hex(G_X MINUS_G_Y).ptr, sizeof wide.b);
    assert_true(pubkey_from64(&key, &wide, &err));
    assert_bytes_equal(BYTES_OF(key.b), test_hex("03" G_X));
    const struct pubkey64 again = pubkey_to64(&key);
    assert_bytes_equal(BYTES_OF(again.b), BYTES_OF(wide.b));
    wide.b[63] ^= 1;
    assert_false(pubkey_from64(&key, &wide, &err));
    assert_err(&err, ERR_INVALID, "public key is not on the curve");
}

// wire-protocol.md 13.1: client key 32 times 0x11, device key 32 times 0x22.
TEST(session_key_of_wire_13_1)
{
    const struct bytes client_public =
        test_hex("4f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa"
                 "385b6b1b8ead809ca67454d9683fcf2ba03456d6fe2c4abe2b07f0fbdbb2f1c1");
    const struct bytes device_public =
        test_hex("466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27"
                 "6728176c3c6431f8eeda4538dc37c865e2784f3a9e77d044f33e407797e1278a");
    const struct bytes session =
        test_hex("3b2265dac86fe15fdaa31b1273fb3f8cbfc54663a7298f5e36ddac38e22dd993");
    struct seckey client, device;
    memset(client.b, 0x11, sizeof client.b);
    memset(device.b, 0x22, sizeof device.b);
    const struct pubkey client_key = seckey_pubkey(&client), device_key = seckey_pubkey(&device);

    const struct pubkey64 client_wide = pubkey_to64(&client_key);
    const struct pubkey64 device_wide = pubkey_to64(&device_key);
    assert_bytes_equal(BYTES_OF(client_wide.b), client_public);
    assert_bytes_equal(BYTES_OF(device_wide.b), device_public);

    const struct hash256 at_client = ecdh_xy(&client, &device_key);
    const struct hash256 at_device = ecdh_xy(&device, &client_key);
    assert_bytes_equal(BYTES_OF(at_client.b), session);
    assert_bytes_equal(BYTES_OF(at_device.b), session);
}

// Blinding changes how a result is computed, and no result. A second crypto_init keeps the context.
TEST(blinding_does_not_show)
{
    const struct seckey key = seckey_of(TWO);
    for (size_t i = 0; i < 10; i++) {
        crypto_randomize();
        const struct pubkey point = seckey_pubkey(&key);
        assert_bytes_equal(BYTES_OF(point.b), test_hex(TWO_G));
    }
    crypto_init();
    const struct pubkey point = seckey_pubkey(&key);
    assert_bytes_equal(BYTES_OF(point.b), test_hex(TWO_G));
}

// Runs `broken` in a process of its own and returns what it wrote to standard error; it must die.
static struct bytes last_words(void (*broken)(void))
{
    static char said[4096];
    int ends[2], status;
    size_t len = 0;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        broken();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n = 1; n > 0 && len < sizeof said; len += (size_t)n) {
        n = read(ends[0], said + len, sizeof said - len);
        assert_true(n >= 0);
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    return bytes_of(said, len);
}

static void use_no_key(void)
{
    const struct seckey zero = { { 0 } };
    (void)seckey_pubkey(&zero);
}

// What only a broken promise of ours can cause stops the process: it does not return a key.
TEST(key_that_cannot_be_stops_the_process)
{
    assert_true(last_words(use_no_key).len > 0);
}
