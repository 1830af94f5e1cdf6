#include "base/bytes.h"

struct bytes bytes_of(const void *ptr, size_t len)
{
    return (struct bytes){ ptr, len };
}

struct bytes bytes_of_text(const char *text)
{
    return bytes_of(text, text == NULL ? 0 : strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && bytes_compare(a, b) == 0;
}

bool bytes_equal_text(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_of_text(text));
}

int bytes_compare(struct bytes a, struct bytes b)
{
    const size_t common = a.len < b.len ? a.len : b.len;
    const int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common); // memcmp takes no NULL
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool bytes_starts_with(struct bytes all, struct bytes prefix)
{
    return all.len >= prefix.len && bytes_equal(bytes_of(all.ptr, prefix.len), prefix);
}

struct bytes bytes_slice(struct bytes all, size_t start, size_t len)
{
    if (start >= all.len)
        return (struct bytes){ all.ptr == NULL ? NULL : all.ptr + all.len, 0 };
    const size_t most = all.len - start;
    return bytes_of(all.ptr + start, len < most ? len : most);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct bytes bytes_trim(struct bytes all)
{
    size_t start = 0, end = all.len;
    while (start < end && is_blank(all.ptr[start]))
        start++;
    while (end > start && is_blank(all.ptr[end - 1]))
        end--;
    return bytes_slice(all, start, end - start);
}

bool bytes_is_printable_ascii(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e)
            return false;
    }
    return true;
}
