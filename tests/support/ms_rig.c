// tests/support/ms_rig.c
#include "tests/support/ms_rig.h"
#include "bitcoin/mnemonic.h"
#include <string.h>

static struct hdkey master_of(size_t who)
{
    uint8_t seed[MNEMONIC_SEED_LEN] = { (uint8_t)who };
    struct hdkey master;
    struct err err;
    if (who == 0)
        assert_true(mnemonic_to_seed(seed, BYTES(MS_RIG_SEED), BYTES(""), &err));
    assert_true(hdkey_from_seed(&master, BYTES_OF(seed), &err));
    return master;
}

static bool derive(const void *context, struct hdpub *out, const struct keypath *path,
                   struct err *err)
{
    struct hdkey node;
    if (!hdkey_derive(&node, context, path, err))
        return false;
    *out = node.pub;
    return true;
}

struct ms_register ms_rig(void)
{
    struct hdkey *master = arena_alloc(test_arena(), sizeof *master);
    assert_non_null(master);
    *master = master_of(0);
    return (struct ms_register){
        .chain = chain_by_id(CHAIN_XTN),
        .ours = { .xfp = hdpub_xfp(&master->pub), .derive = derive, .context = master },
    };
}

struct hdkey ms_rig_node(size_t who, const char *path)
{
    const struct hdkey master = master_of(who);
    struct keypath parsed;
    struct hdkey node;
    struct err err;
    assert_true(keypath_parse(&parsed, bytes_of_text(path), &err));
    assert_true(hdkey_derive(&node, &master, &parsed, &err));
    return node;
}

struct bytes ms_rig_key(size_t who, const char *suffix)
{
    char path[KEYPATH_TEXT_MAX];
    struct bytes key;
    (void)snprintf(path, sizeof path, "%s%s", MS_RIG_PATH, suffix);
    const struct hdkey node = ms_rig_node(who, path);
    assert_true(arena_copy(test_arena(), BYTES_OF(node.pub.key.b), &key));
    return key;
}

struct xfp ms_rig_xfp(size_t who)
{
    const struct hdkey master = master_of(who);
    return hdpub_xfp(&master.pub);
}

const char *ms_rig_xpub(size_t who, const char *path)
{
    char *text = arena_alloc(test_arena(), XPUB_TEXT_SIZE);
    const struct hdkey node = ms_rig_node(who, path);
    assert_non_null(text);
    hdpub_to_text(text, &node.pub, chain_by_id(CHAIN_XTN));
    return text;
}

struct ms_text ms_text(const char *head)
{
    struct ms_text text = { writer_growing(test_arena(), 65536) };
    writer_text(&text.w, head);
    return text;
}

void ms_text_line(struct ms_text *text, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    assert_in_range(vsnprintf(line, sizeof line, fmt, args), 0, sizeof line - 1);
    va_end(args);
    writer_printf(&text->w, "%s\n", line);
}

void ms_text_key(struct ms_text *text, size_t who, const char *path)
{
    char xfp[XFP_TEXT_SIZE];
    xfp_to_text(xfp, ms_rig_xfp(who));
    ms_text_line(text, "Derivation: %s", path);
    ms_text_line(text, "%s: %s", xfp, ms_rig_xpub(who, path));
}

struct bytes ms_text_bytes(const struct ms_text *text)
{
    assert_false(text->w.failed);
    return writer_bytes(&text->w);
}

struct bytes ms_rig_text(const char *head, size_t n)
{
    struct ms_text text = ms_text(head);
    for (size_t who = 0; who < n; who++)
        ms_text_key(&text, who, MS_RIG_PATH);
    return ms_text_bytes(&text);
}

struct bytes ms_rig_descriptor(const char *function, size_t m, size_t n, const char *branch)
{
    struct writer w = writer_growing(test_arena(), 65536);
    writer_printf(&w, "wsh(%s(%zu", function, m);
    for (size_t who = 0; who < n; who++) {
        const struct xfp xfp = ms_rig_xfp(who);
        writer_text(&w, ",[");
        writer_hex(&w, BYTES_OF(xfp.b));
        writer_printf(&w, "/48h/1h/0h/2h]%s%s", ms_rig_xpub(who, MS_RIG_PATH), branch);
    }
    writer_text(&w, "))");
    assert_false(w.failed);
    return writer_bytes(&w);
}

struct ms_wallet *ms_rig_wallet(const struct ms_register *against, struct bytes text)
{
    struct ms_wallet *wallet = arena_alloc(test_arena(), sizeof *wallet);
    struct err err;
    assert_non_null(wallet);
    if (!ms_register(wallet, text, against, test_arena(), &err))
        fail_msg("%s\n%.*s", err.text, BYTES_ARG(text));
    return wallet;
}

void ms_rig_expect_refusal(const struct ms_register *against, struct bytes text, const char *error,
                           const char *file, int line)
{
    struct ms_wallet wallet;
    struct err err;
    _assert_true(!ms_register(&wallet, text, against, test_arena(), &err),
                 "registration is refused", file, line);
    test_assert_err(&err, err.code, error, file, line);
}

void ms_rig_assert_equal(const struct ms_wallet *a, const struct ms_wallet *b, const char *file,
                         int line)
{
    _assert_string_equal(a->name, b->name, file, line);
    _assert_int_equal(a->m, b->m, file, line);
    _assert_int_equal(a->n, b->n, file, line);
    _assert_int_equal(a->format, b->format, file, line);
    _assert_int_equal(a->sorted, b->sorted, file, line);
    _assert_true(a->chain == b->chain, "chains are equal", file, line);
    for (size_t i = 0; i < a->n; i++) {
        const struct ms_cosigner *x = &a->cosigner[i], *y = &b->cosigner[i];
        _assert_true(xfp_equal(x->origin.xfp, y->origin.xfp), "fingerprints are equal", file, line);
        _assert_true(keypath_equal(&x->origin.path, &y->origin.path), "paths are equal", file,
                     line);
        _assert_true(hdpub_equal(&x->node, &y->node), "xpubs are equal", file, line);
        for (size_t branch = 0; branch < MS_BRANCHES; branch++)
            _assert_true(hdpub_equal(&x->branch[branch], &y->branch[branch]),
                         "kept branches are equal", file, line);
    }
}
