#include "crypto/certificate_make.h"
#include "crypto/certificate.h"
#include "tests/support/test.h"

#define NOW 1795000000

static struct certificate_wish wish(enum certificate_kind kind, const char *name, unsigned days)
{
    return (struct certificate_wish){
        .kind = kind, .n_names = 1, .names = { name }, .now_s = NOW, .days = days
    };
}

static struct certificate_pem made(const struct certificate_wish *w,
                                   const struct certificate_pem *by)
{
    struct certificate_pem out;
    struct err err;
    if (!certificate_make(&out, w, by, test_arena(), &err))
        fail_msg("%s", err.text);
    return out;
}

static struct certificate_pem authority(unsigned days)
{
    const struct certificate_wish w = wish(CERTIFICATE_AUTHORITY, "Treasury link", days);
    return made(&w, NULL);
}

TEST(what_is_made_is_pem)
{
    const struct certificate_pem ca = authority(10);
    assert_true(bytes_starts_with(ca.certificate, BYTES("-----BEGIN CERTIFICATE-----\n")));
    assert_true(bytes_starts_with(ca.key, BYTES("-----BEGIN PRIVATE KEY-----\n")));
}

TEST(each_certificate_differs)
{
    struct hash256 a, b;
    struct err err;
    assert_true(certificate_fingerprint(&a, authority(10).certificate, &err));
    assert_true(certificate_fingerprint(&b, authority(10).certificate, &err));
    assert_memory_not_equal(a.b, b.b, sizeof a.b);
    assert_false(certificate_fingerprint(&a, BYTES("no PEM"), &err));
    assert_string_equal(err.text, "not a certificate in PEM");
    assert_false(certificate_fingerprint(&a, (struct bytes){ 0 }, &err));
}

static const struct {
    enum certificate_kind kind;
    const char *name;
    const char *why; // NULL: good
} names[] = {
    { CERTIFICATE_CLIENT, "coordinator-a", NULL },
    { CERTIFICATE_CLIENT, "a.example_1", NULL },
    { CERTIFICATE_SERVER, "127.0.0.1", NULL },
    { CERTIFICATE_SERVER, "::1", NULL },
    { CERTIFICATE_SERVER, "bunker.example", NULL },
    // A comma would begin another item in the library's list, a colon another kind.
    { CERTIFICATE_CLIENT, "a,DNS:b",
      "'a,DNS:b' is not a name of 1 to 64 letters, digits, '.', '-' or '_'" },
    { CERTIFICATE_SERVER, "a:b",
      "'a:b' is not a name of 1 to 64 letters, digits, '.', '-' or '_', and no address" },
    { CERTIFICATE_CLIENT, "", "'' is not a name of 1 to 64 letters, digits, '.', '-' or '_'" },
    { CERTIFICATE_CLIENT, "a b",
      "'a b' is not a name of 1 to 64 letters, digits, '.', '-' or '_'" },
    { CERTIFICATE_AUTHORITY, "a/b",
      "'a/b' is not 1 to 64 letters, digits, blanks, '.', '-' or '_'" },
};

TEST(bunker_51_names_that_certificates_may_have)
{
    const struct certificate_pem ca = authority(100);
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct certificate_wish w = wish(names[i].kind, names[i].name, 10);
        struct certificate_pem out;
        struct err err;
        const bool ok = certificate_make(&out, &w, w.kind == CERTIFICATE_AUTHORITY ? NULL : &ca,
                                         test_arena(), &err);
        if (ok != (names[i].why == NULL))
            fail_msg("'%s'", names[i].name);
        if (!ok)
            assert_string_equal(err.text, names[i].why);
    }
}

TEST(only_an_authority_signs)
{
    const struct certificate_pem ca = authority(100), other = authority(100);
    const struct certificate_wish w = wish(CERTIFICATE_CLIENT, "a", 100),
                                  longer = wish(CERTIFICATE_CLIENT, "a", 102);
    const struct certificate_pem client = made(&w, &ca);
    const struct certificate_pem mixed = { ca.certificate, other.key };
    const struct certificate_pem no_key = { ca.certificate, BYTES("x") };
    const struct certificate_pem no_certificate = { BYTES("x"), ca.key };
    const struct {
        const struct certificate_wish *wish;
        const struct certificate_pem *by;
        const char *why;
    } rows[] = {
        { &w, &client, "authority: the certificate is not an authority's" },
        { &w, &mixed, "authority: the key is not the certificate's" },
        { &w, &no_key, "authority: its key is not a private key in PEM" },
        { &w, &no_certificate, "authority: not a certificate in PEM" },
        { &longer, &ca, "would outlive its authority, which ends in 101 days" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct certificate_pem out;
        struct err err;
        assert_false(certificate_make(&out, rows[i].wish, rows[i].by, test_arena(), &err));
        assert_string_equal(err.text, rows[i].why);
    }
}
