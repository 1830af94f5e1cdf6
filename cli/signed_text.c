#include "cli/signed_text.h"
#include "base/base64.h"
#include "bitcoin/bip322.h"

// Cuts the last line off. The text keeps the line end before it only where keep_end says so.
static struct bytes cut_last_line(struct bytes *text, bool keep_end)
{
    size_t start = text->len;
    while (start > 0 && text->ptr[start - 1] != '\n')
        start--;
    const struct bytes line = bytes_slice(*text, start, SIZE_MAX);
    const size_t end = start > 0 && !keep_end ? start - 1 : start;
    *text = bytes_slice(*text, 0, end);
    return line;
}

static struct bytes without_cr(struct bytes line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool is_address(struct bytes text)
{
    uint8_t mem[ADDRESS_TEXT_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    return text.len > 0 && address_clean(&w, text);
}

static bool is_signature(struct bytes text)
{
    uint8_t mem[MESSAGE_SIGNATURE_LEN + 1]; // two '=' at the end are room for two bytes more
    struct writer w = writer_of(mem, sizeof mem);
    return text.len == BASE64_LEN(MESSAGE_SIGNATURE_LEN) && base64_read(&w, text) &&
           w.len == MESSAGE_SIGNATURE_LEN;
}

bool signed_text_is_bip322(struct bytes signature)
{
    static const enum bip322_form forms[] = { BIP322_SIMPLE, BIP322_FULL, BIP322_PROOF };
    for (size_t i = 0; i < COUNT(forms); i++)
        if (bytes_starts_with(signature, bytes_of_text(bip322_prefix(forms[i]))))
            return true;
    return false;
}

bool signed_text_read(struct signed_text *out, struct bytes text, struct err *err)
{
    *out = (struct signed_text){ .is_story = false };
    if (bytes_starts_with(bytes_trim(text), BYTES("-----BEGIN"))) {
        const bool ok = message_armor_parse(&out->parts, text, err);
        out->is_bip322 = ok && signed_text_is_bip322(out->parts.signature);
        return ok;
    }
    if (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    struct bytes story = text;
    out->parts.signature = without_cr(cut_last_line(&story, true));
    // One line end is cut off; a second one would be a part of the signature.
    out->is_bip322 = signed_text_is_bip322(out->parts.signature) &&
                     bytes_is_printable_ascii(out->parts.signature);
    if (!out->is_bip322 && !is_signature(out->parts.signature))
        return err_set(err, ERR_MALFORMED, "no signature in the last line");
    struct bytes message = bytes_slice(story, 0, story.len > 0 ? story.len - 1 : 0);
    const struct bytes address = without_cr(cut_last_line(&message, false));
    out->is_story = !is_address(address);
    if (out->is_story && out->is_bip322)
        return err_set(err, ERR_MALFORMED, "no address in the line before the signature");
    out->parts.address = out->is_story ? (struct bytes){ 0 } : address;
    out->parts.text = out->is_story ? story : without_cr(message);
    return true;
}

bool signed_text_key(struct pubkey *key, const struct message_armor *story, struct err *err)
{
    uint8_t mem[MESSAGE_SIGNATURE_LEN + 1];
    struct writer w = writer_of(mem, sizeof mem);
    enum addr_format format;
    const struct hash256 digest = message_digest(story->text);
    if (!base64_read(&w, story->signature))
        return err_set(err, ERR_MALFORMED, "Parsing signature failed - invalid encoding.");
    return (message_recover(key, &format, writer_bytes(&w), &digest) && format == ADDR_P2PKH) ||
           err_set(err, ERR_INVALID, "Invalid signature for message.");
}
