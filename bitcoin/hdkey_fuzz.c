#include "bitcoin/hdkey.h"
#include "fuzz/fuzz.h"
#include <string.h>

// What reads, written plain, reads as the same node.
static void check_public(struct bytes text)
{
    struct hdpub node, again;
    struct err err;
    bool is_main, again_main;
    char plain[XPUB_TEXT_SIZE];
    if (!hdpub_from_text(&node, &is_main, text, &err))
        return;
    hdpub_to_text(plain, &node, chain_by_id(is_main ? CHAIN_BTC : CHAIN_XTN));
    REQUIRE(hdpub_from_text(&again, &again_main, bytes_of_text(plain), &err));
    REQUIRE(again_main == is_main && pubkey_equal(&again.key, &node.key));
    REQUIRE(memcmp(again.chain_code, node.chain_code, 32) == 0 && again.depth == node.depth);
    REQUIRE(xfp_equal(again.parent, node.parent) && again.child == node.child);
    REQUIRE(node.depth > 0 || (xfp_is_zero(node.parent) && node.child == 0));
}

// A private node's public side is that of its key, and it is never a public text.
static void check_private(struct bytes text)
{
    struct hdkey node, imported;
    struct hdpub pub;
    struct err err;
    bool is_main;
    if (!hdkey_from_text(&node, &is_main, text, &err))
        return;
    const struct pubkey key = seckey_pubkey(&node.key);
    REQUIRE(pubkey_equal(&key, &node.pub.key));
    REQUIRE(!hdpub_from_text(&pub, &is_main, text, &err));
    REQUIRE(hdkey_import(&imported, &is_main, text, &err));
    REQUIRE(imported.pub.depth == 0 && pubkey_equal(&imported.pub.key, &key));
}

FUZZ_TARGET(data)
{
    struct hdkey imported;
    struct err err;
    bool is_main;
    check_public(data);
    check_private(data);
    if (hdkey_import(&imported, &is_main, data, &err))
        REQUIRE(imported.pub.depth == 0 && xfp_is_zero(imported.pub.parent));
}
