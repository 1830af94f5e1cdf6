#include "crypto/kdf.h"
#include "tests/support/test.h"
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct pbkdf2_case {
    const char *password, *salt;
    unsigned rounds;
    const char *key;
};

// RFC 7914 section 11 (first two), then the usual SHA-256 and SHA-512 answers to RFC 6070's inputs,
// checked with Python's hashlib; the last ask for a length that is no multiple of the hash's.
static const struct pbkdf2_case sha256_cases[] = {
    { "passwd", "salt", 1,
      "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
      "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783" },
    { "Password", "NaCl", 80000,
      "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
      "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d" },
    { "password", "salt", 4096,
      "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a" },
    { "", "", 2,
      "97398411d6aea43a77acef92226ab8278d4db0668bd1d7a76a725f7680ac45c504d715e13d3c31a6" },
};
static const struct pbkdf2_case sha512_cases[] = {
    { "password", "salt", 1,
      "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252"
      "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce" },
    { "", "", 2, "a422663fda8609a1e2fd53541260edf886ec6366" },
    { "password", "salt", 3,
      "b6b07cb2cebf4ad84468391a543824fccffe0e0769dbe6bddf10a65673c4b648e612d44918f9ce9a19a1294c"
      "f5140628084ba994c3b21a4ef4741220b811c633cfc0641fccbcc4164f1bbfcb1f33f595ae9aa4a33ddcce57"
      "0157775980362c0ee28aa340" },
};

TEST(pbkdf2_known_answers)
{
    uint8_t key[128];
    for (size_t i = 0; i < COUNT(sha256_cases); i++) {
        const struct pbkdf2_case *c = &sha256_cases[i];
        const struct bytes expected = test_hex(c->key);
        pbkdf2_sha256(key, expected.len, bytes_of_text(c->password), bytes_of_text(c->salt),
                      c->rounds);
        assert_bytes_equal(bytes_of(key, expected.len), expected);
    }
    for (size_t i = 0; i < COUNT(sha512_cases); i++) {
        const struct pbkdf2_case *c = &sha512_cases[i];
        const struct bytes expected = test_hex(c->key);
        pbkdf2_sha512(key, expected.len, bytes_of_text(c->password), bytes_of_text(c->salt),
                      c->rounds);
        assert_bytes_equal(bytes_of(key, expected.len), expected);
    }
}

// policy.md 13.3 and wire-protocol.md 9.3, both derivations.
TEST(user_passwords_of_policy_13_3)
{
    const struct bytes salt =
        test_hex("24eadd4aba6ca45e2643484e67b860a412efa71374f92c7a93eaaa79fd908539");
    uint8_t key[32];
    pbkdf2_sha512(key, sizeof key, BYTES("abcd1234"), salt, 2500);
    assert_bytes_equal(
        BYTES_OF(key),
        test_hex("66a60bb14408a36f8cd50c25257634018f20260644715c7603223c4ae5557be0"));
    pbkdf2_sha256(key, sizeof key, BYTES("abcd1234"), salt, 2500);
    assert_bytes_equal(
        BYTES_OF(key),
        test_hex("3ad166a617a8f9272606f4010ea6b8befec645749c0df0dbcbe4fd41e7a06294"));
    pbkdf2_sha512(key, sizeof key, BYTES("1234abcd"), salt, 2500);
    assert_bytes_equal(
        BYTES_OF(key),
        test_hex("ad5a4319450bc153a0aaae2302b0adcdddd1fd7767b441ba59e0a60cb61cbf92"));
}

// Computed with the command line of the reference implementation.
TEST(argon2id_known_answers)
{
    uint8_t key[64];
    struct err err;
    assert_true(argon2id(key, 32, BYTES("correct horse"), BYTES("sixteen bytes ok"), 2, 64, &err));
    assert_bytes_equal(
        bytes_of(key, 32),
        test_hex("d74545176daac953926ccc322f450ebedf0f0fe205bc1566f8ee258282292db1"));
    assert_true(argon2id(key, 64, BYTES("password"), BYTES("0123456789abcdef"), 1, 8, &err));
    assert_bytes_equal(
        BYTES_OF(key),
        test_hex("0515f4f09b6b494cd796ae87cf427d8c93e05f2df3604bc352ba9eb2aaf5bc5c"
                 "286e427730eae77a4e2264b4b440f96349638a9ea0e9c2a70d63bc630bfc20ed"));
}

TEST(argon2id_depends_on_every_input)
{
    static const struct {
        const char *password, *salt;
        uint32_t passes, memory_kib;
    } cases[] = {
        { "p", "0123456789abcdef", 1, 16 }, { "q", "0123456789abcdef", 1, 16 },
        { "", "0123456789abcdef", 1, 16 },  { "p", "0123456789abcdeg", 1, 16 },
        { "p", "0123456789abcdef", 2, 16 }, { "p", "0123456789abcdef", 1, 24 },
    };
    uint8_t key[COUNT(cases)][32];
    struct err err;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(argon2id(key[i], 32, bytes_of_text(cases[i].password),
                             bytes_of_text(cases[i].salt), cases[i].passes, cases[i].memory_kib,
                             &err));
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(key[i], key[k], 32);
    }
}

// Lets this process have 64 MiB more than it has.
static bool limit_memory(void)
{
    char text[64]; // the first number: pages in use
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL)
        return false;
    const bool known = fgets(text, sizeof text, statm) != NULL;
    (void)fclose(statm);
    if (!known)
        return false;
    const rlim_t pages = strtoull(text, NULL, 10), page = (rlim_t)sysconf(_SC_PAGESIZE);
    const rlim_t limit = pages * page + (64 << 20);
    return setrlimit(RLIMIT_AS, &(struct rlimit){ limit, limit }) == 0;
}

static bool fails_without_memory(void)
{
    uint8_t key[32];
    struct err err = { 0 };
    return limit_memory() &&
           !argon2id(key, sizeof key, BYTES("p"), BYTES("0123456789abcdef"), 1, 1 << 20, &err) &&
           err.code == ERR_NO_MEMORY &&
           strcmp(err.text, "no 1048576 KiB of memory for a key from a password") == 0;
}

// In a process of its own, because of the limit.
TEST(argon2id_without_memory_fails)
{
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(fails_without_memory() ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
