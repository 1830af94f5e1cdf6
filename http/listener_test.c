#include "http/listener.h"
#include "tests/support/test.h"

static bool read_file(struct listeners *out, const char *text, struct err *err)
{
    struct conf conf;
    *out = (struct listeners){ 0 };
    assert_true(conf_parse(&conf, "f", bytes_of_text(text), test_arena(), err));
    return listeners_read(out, &conf, test_arena(), err) && conf_finish(&conf, err) &&
           listeners_check(out, err);
}

static const struct {
    const char *file, *text; // the error
} bad[] = {
    { "[listener a]\n",
      "f: [listener a]: bind: '' is not ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH" },
    { "[listener a]\nbind = 127.0.0.1\n",
      "f: [listener a]: bind: '127.0.0.1' is not ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH" },
    { "[listener a]\nbind = 127.0.0.1:65536\n",
      "f: [listener a]: bind: '127.0.0.1:65536' is not ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH" },
    { "[listener a]\nbind = evil.example:80\n",
      "f: [listener a]: bind: 'evil.example:80' is not ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH" },
    { "[listener a]\nbind = unix:x\n",
      "f: [listener a]: bind: 'unix:' wants an absolute path of at most 107 characters" },
    { "[listener a]\nbind = 127.0.0.1:1\nauth = magic\n",
      "f: [listener a]: auth: 'magic' is none of none, password, totp, mtls, token" },
    { "[listener a]\nbind = 127.0.0.1:1\nserve = x\n",
      "f: [listener a]: serve: 'x' is none of pages, link, metrics" },
    { "[listener a]\nbind = 127.0.0.1:1\nnonsense = x\n", "f:3: unknown key 'nonsense'" },
    { "[listener a]\nbind = 127.0.0.1:1\nhsts = maybe\n",
      "f: [listener a] hsts: is neither yes nor no" },
    // bunker 3: without login nothing but loopback.
    { "[listener a]\nbind = 0.0.0.0:1\nauth = none\n",
      "listener a: auth = none is for loopback and unix sockets; allow_unauthenticated_remote = "
      "yes "
      "overrules this" },
    { "[listener a]\nbind = [::]:1\nauth = none\n",
      "listener a: auth = none is for loopback and unix sockets; allow_unauthenticated_remote = "
      "yes "
      "overrules this" },
    { "[listener a]\nbind = 0.0.0.0:1\ntls_cert = c\n",
      "listener a: tls_cert and tls_key belong together" },
    { "[listener a]\nbind = 0.0.0.0:1\nauth = mtls\n",
      "listener a: auth = mtls needs tls_cert, tls_key and client_ca" },
    { "[listener a]\nbind = 0.0.0.0:1\nauth = totp\n",
      "listener a: auth = totp needs password beside it" },
    // totp would be asked of nobody; either of the two would have let somebody in alone
    { "[listener a]\nbind = 0.0.0.0:1\nauth = token+totp\n",
      "listener a: auth = totp needs password beside it" },
    { "[listener a]\nbind = 0.0.0.0:1\nauth = password+token\n",
      "listener a: auth: a token stands for a password, and nobody gives both" },
    { "[listener a]\nbind = 127.0.0.1:1\nauth = password\nserve = link\n",
      "listener a: serve = link needs auth = mtls alone, and link_names" },
    { "[listener a]\nbind = 127.0.0.1:1\n[listener b]\nbind = [::1]:1\n",
      "listener b: port 1 is listener a's" },
};

TEST(bunker_21_3_listeners_that_are_refused)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct listeners all;
        struct err err;
        assert_false(read_file(&all, bad[i].file, &err));
        assert_err(&err, ERR_USAGE, bad[i].text);
    }
}

TEST(bunker_2_listeners_that_are_taken)
{
    struct listeners all;
    struct err err;
    if (!read_file(&all,
                   "[listener local]\nbind = 127.0.0.1:9823\nauth = none\nrole = admin\n"
                   "[listener onion]\nbind = unix:/run/x.sock\nhosts = abc.onion, localhost\n"
                   "[listener net]\nbind = 0.0.0.0:443\nauth = password + totp\ntls_cert = c\n"
                   "tls_key = k\nhosts = bunker.example\nconnections = 7\nhsts = yes\n"
                   "[listener open]\nbind = 0.0.0.0:80\nauth = none\n"
                   "allow_unauthenticated_remote = yes\n",
                   &err))
        fail_msg("%s", err.text);
    assert_int_equal(all.n, 4);
    assert_true(all.items[0].loopback);
    assert_int_equal(all.items[0].auth, 0);
    assert_string_equal(all.items[0].role, "admin");
    assert_int_equal(all.items[0].connections, LISTENER_CONNECTIONS);
    assert_int_equal(all.items[1].auth, LISTENER_PASSWORD); // unless the file says otherwise
    assert_string_equal(all.items[1].path, "/run/x.sock");
    assert_int_equal(all.items[2].auth, LISTENER_PASSWORD | LISTENER_TOTP);
    assert_false(all.items[2].loopback);
    assert_int_equal(all.items[2].connections, 7);
    assert_true(all.items[2].hsts);
}

static const struct {
    const char *host;
    bool allowed;
} hosts[] = {
    { "127.0.0.1", true },       { "127.0.0.1:9823", true },
    { "LocalHost:1", true },     { "evil.example", false }, // DNS rebinding
    { "127.0.0.1.evil", false }, { "", false },
    { "localhost:", true }, // RFC 3986 3.2.3
    { "localhost:x", false },    { "[localhost]", true },
    { "localhost@evil", false }, { "[::1]:80", false },
};

TEST(bunker_21_4_hosts)
{
    struct listeners all;
    struct err err;
    assert_true(read_file(&all, "[listener a]\nbind = 127.0.0.1:9823\n", &err));
    for (size_t i = 0; i < COUNT(hosts); i++)
        if (listener_has_host(&all.items[0], bytes_of_text(hosts[i].host)) != hosts[i].allowed)
            fail_msg("'%s'", hosts[i].host);
}

TEST(bunker_21_4_origins)
{
    struct listeners all;
    struct err err;
    assert_true(read_file(&all, "[listener a]\nbind = [::1]:9823\n", &err));
    const struct listener *l = &all.items[0];
    assert_true(listener_has_origin(l, BYTES(""))); // clients that are no browsers
    assert_true(listener_has_origin(l, BYTES("http://[::1]:9823")));
    assert_true(listener_has_origin(l, BYTES("http://localhost:9823")));
    assert_false(listener_has_origin(l, BYTES("https://localhost:9823"))); // another scheme
    assert_false(listener_has_origin(l, BYTES("http://evil.example")));
    assert_false(listener_has_origin(l, BYTES("null")));
}

TEST(bunker_21_6_paths_to_go_to_stay_here)
{
    static const char *const good[] = { "/", "/setup", "/a/b_c-9" };
    static const char *const evil[] = { "",        "setup", "//evil", "https://evil.example/",
                                        "/\\evil", "/a?b",  "/A",     "/%2f",
                                        "/a\r\nb", "/..",   "/a b" };
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(http_is_local_path(bytes_of_text(good[i])));
    for (size_t i = 0; i < COUNT(evil); i++)
        assert_false(http_is_local_path(bytes_of_text(evil[i])));
}
