#include "bitcoin/multisig.h"
#include "bitcoin/descriptor.h"
#include "bitcoin/multisig_register.h"
#include "bitcoin/script.h"
#include "fuzz/fuzz.h"
#include <string.h>

static bool same_wallet(const struct ms_wallet *a, const struct ms_wallet *b)
{
    if (a->m != b->m || a->n != b->n || a->format != b->format || a->sorted != b->sorted ||
        a->chain != b->chain)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct ms_cosigner *x = &a->cosigner[i], *y = &b->cosigner[i];
        if (!xfp_equal(x->origin.xfp, y->origin.xfp) ||
            !keypath_equal(&x->origin.path, &y->origin.path) || !hdpub_equal(&x->node, &y->node) ||
            !hdpub_equal(&x->branch[0], &y->branch[0]) ||
            !hdpub_equal(&x->branch[1], &y->branch[1]))
            return false;
    }
    return true;
}

static bool equal_names(const struct ms_wallet *a, const struct ms_wallet *b)
{
    return memcmp(a->name, b->name, sizeof a->name) == 0;
}

// A line of the text format trims its value, and '#' may begin a comment in it.
static bool fits_a_line(const char *name)
{
    return bytes_trim(bytes_of_text(name)).len == strlen(name) && strchr(name, '#') == NULL;
}

static void check_sound(const struct ms_wallet *wallet)
{
    const size_t len = strlen(wallet->name);
    REQUIRE(len >= 1 && len <= MS_NAME_MAX && strcmp(wallet->name, "1") != 0);
    REQUIRE(bytes_is_printable_ascii(bytes_of_text(wallet->name)));
    REQUIRE(wallet->m >= 1 && wallet->m <= wallet->n && wallet->n <= MS_KEYS_MAX);
    for (size_t i = 0; i < wallet->n; i++) {
        const struct ms_cosigner *cosigner = &wallet->cosigner[i];
        REQUIRE(ms_wallet_position(wallet, cosigner->origin.xfp) == i);
        REQUIRE(cosigner->origin.path.depth == cosigner->node.depth);
    }
}

// Whatever a wallet is written as reads as the same wallet.
static void check_forms(const struct ms_wallet *wallet, struct arena *arena)
{
    struct ms_wallet again;
    struct writer w = writer_growing(arena, MS_STORED_MAX);
    struct bytes text, body;
    struct err err;
    ms_wallet_store(&w, wallet);
    REQUIRE(writer_finish(&w, &text) && ms_wallet_load(&again, text, arena, &err));
    REQUIRE(same_wallet(wallet, &again) && equal_names(wallet, &again));

    w = writer_growing(arena, MS_EXPORT_MAX);
    ms_wallet_descriptor(&w, wallet, MS_BRANCHES);
    REQUIRE(writer_finish(&w, &text) && descriptor_body(&body, text, &err));
    REQUIRE(body.len == text.len - 9);
    if (text.len <= MS_TEXT_MAX) {
        REQUIRE(ms_read_foreign(&again, text, wallet->chain, arena, &err));
        REQUIRE(same_wallet(wallet, &again));
    }

    w = writer_growing(arena, MS_EXPORT_MAX);
    const bool has_text = ms_wallet_export(&w, wallet, wallet->cosigner[0].origin.xfp, &err);
    REQUIRE(has_text == wallet->sorted && !w.failed);
    if (has_text && fits_a_line(wallet->name) && w.len <= MS_TEXT_MAX &&
        strchr(wallet->name, '(') == NULL) { // which might read as a descriptor
        REQUIRE(ms_read_foreign(&again, writer_bytes(&w), wallet->chain, arena, &err));
        REQUIRE(same_wallet(wallet, &again) && equal_names(wallet, &again));
    }
}

struct stated {
    const struct ms_wallet *wallet;
    uint32_t index;
};

// Which cosigner has that key at 1/<index>.
static bool origin_of(const void *context, size_t place, struct bytes key, struct key_origin *out)
{
    const struct stated *stated = context;
    (void)place;
    for (size_t i = 0; i < stated->wallet->n; i++) {
        const struct ms_cosigner *cosigner = &stated->wallet->cosigner[i];
        struct hdpub child;
        struct err err;
        if (!hdpub_child(&child, &cosigner->branch[MS_CHANGE], stated->index, &err) ||
            !bytes_equal(BYTES_OF(child.key.b), key))
            continue;
        *out = cosigner->origin;
        out->path.step[out->path.depth++] = MS_CHANGE;
        out->path.step[out->path.depth++] = stated->index;
        return true;
    }
    return false;
}

// A wallet's own script passes its check.
static void check_script(const struct ms_wallet *wallet)
{
    uint8_t mem[MS_SCRIPT_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    const struct stated stated = { wallet, 3 };
    const struct ms_claims claims = { .origin = origin_of, .context = &stated };
    struct err err;
    for (size_t i = 0; i < wallet->n; i++)
        if (wallet->cosigner[i].origin.path.depth + 2 > KEYPATH_DEPTH_MAX)
            return; // no path of ours is that long
    REQUIRE(ms_wallet_script(&w, wallet, MS_CHANGE, stated.index, &err));
    REQUIRE(ms_script_check(wallet, writer_bytes(&w), &claims, false, &err));
    mem[1 + 34 * (wallet->n - 1) + 20] ^= 1;
    REQUIRE(!ms_script_check(wallet, writer_bytes(&w), &claims, false, &err));
}

FUZZ_TARGET(data)
{
    struct arena *arena = arena_new(1 << 20);
    struct ms_wallet wallet;
    struct ms_script script;
    struct err err;
    if (ms_read_foreign(&wallet, data, chain_by_id(CHAIN_XTN), arena, &err)) {
        check_sound(&wallet);
        check_forms(&wallet, arena);
        check_script(&wallet);
    }
    if (ms_wallet_load(&wallet, data, arena, &err)) {
        check_sound(&wallet);
        check_forms(&wallet, arena);
    }
    if (ms_script_parse(&script, data, &err)) {
        uint8_t mem[MS_SCRIPT_MAX];
        struct writer w = writer_of(mem, sizeof mem);
        script_write_multisig(&w, script.m, script.key, script.n);
        REQUIRE(bytes_equal(writer_bytes(&w), data));
    }
    arena_free(arena);
}
