// Every content comes back from its text, every text that is taken is that of its content; and
// libsodium's strict reader takes the same texts, of ASCII (1.0.18 takes bytes above it for digits).
#include "base/base64.h"
#include "fuzz/fuzz.h"
#include <sodium.h>

struct codec {
    void (*write)(struct writer *w, struct bytes in);
    bool (*read)(struct writer *w, struct bytes text);
};

static const struct codec base64 = { base64_write, base64_read };
static const struct codec base32 = { base32_write, base32_read };

static void check_content(const struct codec *c, struct bytes content, size_t text_len)
{
    AUTO(arena_freep) struct arena *arena = arena_new(8 * content.len + 4096);
    struct writer text = writer_growing(arena, text_len);
    struct writer back = writer_growing(arena, content.len);
    c->write(&text, content);
    REQUIRE(!text.failed && text.len == text_len);
    REQUIRE(c->read(&back, writer_bytes(&text)));
    REQUIRE(bytes_equal(writer_bytes(&back), content));
}

// base32 writes upper case without padding but reads more.
static struct bytes as_written(struct bytes text, struct arena *arena)
{
    struct writer w = writer_growing(arena, text.len);
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        const uint8_t c = text.ptr[i];
        writer_u8(&w, c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c);
    }
    return writer_bytes(&w);
}

static void check_text(const struct codec *c, struct bytes text)
{
    AUTO(arena_freep) struct arena *arena = arena_new(16 * text.len + 4096);
    struct writer content = writer_growing(arena, text.len);
    struct writer again = writer_growing(arena, text.len);
    if (!c->read(&content, text)) {
        REQUIRE(content.len == 0);
        return;
    }
    c->write(&again, writer_bytes(&content));
    REQUIRE(bytes_equal(writer_bytes(&again), c == &base64 ? text : as_written(text, arena)));
}

static void compare_with_sodium(struct bytes text)
{
    AUTO(arena_freep) struct arena *arena = arena_new(8 * text.len + 4096);
    uint8_t *theirs = arena_alloc(arena, text.len + 1);
    struct writer ours = writer_growing(arena, text.len);
    size_t len = 0;
    REQUIRE(theirs != NULL);
    const bool ok = sodium_base642bin(theirs, text.len + 1, (const char *)text.ptr, text.len, NULL,
                                      &len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
    REQUIRE(base64_read(&ours, text) == ok);
    REQUIRE(!ok || bytes_equal(writer_bytes(&ours), bytes_of(theirs, len)));
}

FUZZ_TARGET(data)
{
    check_content(&base64, data, BASE64_LEN(data.len));
    check_content(&base32, data, BASE32_LEN(data.len));
    check_text(&base64, data);
    check_text(&base32, data);
    if (bytes_is_printable_ascii(data))
        compare_with_sodium(data);
}
