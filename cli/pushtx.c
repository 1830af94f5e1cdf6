#include "cli/pushtx.h"
#include "base/base64.h"
#include "client/codes.h"

#define SUM_LEN 8

static const struct {
    const char *name, *base;
} names[] = {
    { "coldcard", "https://coldcard.com/pushtx#" },
    { "mempool", "https://mempool.space/pushtx#" },
};

static bool is_base(const char *text)
{
    const size_t len = strlen(text);
    const bool is_web = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
    return is_web && strchr("#?&", text[len - 1]) != NULL;
}

bool pushtx_base(const char **out, const char *text, struct err *err)
{
    *out = text;
    if (text == NULL)
        return true;
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(text, names[i].name) == 0) {
            *out = names[i].base;
            return true;
        }
    return is_base(text) ||
           err_set(err, ERR_USAGE,
                   "--pushtx: '%s' does not begin with http:// or https:// and end in #, ? or &",
                   text);
}

// "base64url, no padding"
static void write_base64url(struct writer *w, struct bytes in)
{
    const size_t start = w->len;
    base64_write(w, in);
    if (w->failed)
        return;
    for (size_t i = start; i < w->len; i++)
        w->ptr[i] = w->ptr[i] == '+' ? '-' : w->ptr[i] == '/' ? '_' : w->ptr[i];
    while (w->len > start && w->ptr[w->len - 1] == '=')
        w->len--;
}

void pushtx_write(struct writer *w, const char *base, struct bytes transaction, struct bytes chain)
{
    const struct hash256 sha = codes_sha256(transaction);
    writer_printf(w, "%st=", base);
    write_base64url(w, transaction);
    writer_text(w, "&c=");
    write_base64url(w, bytes_slice(BYTES_OF(sha.b), sizeof sha.b - SUM_LEN, SUM_LEN));
    if (!bytes_equal_text(chain, "BTC"))
        writer_printf(w, "&n=%.*s", BYTES_ARG(chain));
}
