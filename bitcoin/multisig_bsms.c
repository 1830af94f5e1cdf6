// bitcoin/multisig_bsms.c -- BIP-129's descriptor record as a registration text.
//
// Four lines: `BSMS 1.0`, the descriptor template, its path restrictions, the first address. Only
// this record is read; key records and encryption are between coordinator and signers.
// Source: psbt-signing.md 7.10, BIP-129.
#include "base/reader.h"
#include "bitcoin/descriptor.h"
#include "bitcoin/multisig_draft.h"

#define VERSION "BSMS 1.0"

enum { ADDRESS_MAX = 128 };

static bool bad(struct err *err, const char *what)
{
    return err_set(err, ERR_MALFORMED, "BSMS: %s", what);
}

static bool next_line(struct reader *lines, struct bytes *out)
{
    if (!reader_until(lines, '\n', out))
        return false;
    *out = bytes_trim(*out);
    return true;
}

bool draft_is_bsms(struct bytes text)
{
    struct reader lines = reader_of(text);
    struct bytes line;
    return next_line(&lines, &line) && bytes_equal_text(line, VERSION);
}

// "/**" in a template stands for the restricted paths.
static bool fill_template(struct bytes *out, struct bytes template, struct arena *arena,
                          struct err *err)
{
    struct reader r = reader_of(template);
    struct writer w = writer_growing(arena, 3 * template.len);
    uint8_t c;
    while (!reader_done(&r)) {
        if (reader_accept_bytes(&r, BYTES("/**")))
            writer_text(&w, "/<0;1>/*");
        else if (reader_u8(&r, &c))
            writer_u8(&w, c);
    }
    return writer_finish(&w, out) || err_set(err, ERR_NO_MEMORY, "no memory for the text");
}

// The checksum is the template's, so it is compared first.
static bool read_template(struct ms_draft *draft, struct bytes template, struct err *err)
{
    struct bytes body, descriptor;
    if (!descriptor_body(&body, template, err))
        return false;
    return fill_template(&descriptor, body, draft->arena, err) &&
           draft_read_descriptor(draft, descriptor, err);
}

bool draft_read_bsms(struct ms_draft *draft, struct bytes text, struct err *err)
{
    struct reader lines = reader_of(text);
    struct bytes version, template, restrictions;
    if (!next_line(&lines, &version) || !next_line(&lines, &template) ||
        !next_line(&lines, &restrictions) || !next_line(&lines, &draft->first_address) ||
        bytes_trim(reader_rest(&lines)).len > 0)
        return bad(err, "a descriptor record has four lines");
    if (!bytes_equal_text(restrictions, "No path restrictions") &&
        !bytes_equal_text(restrictions, "/0/*,/1/*"))
        return bad(err, "path restrictions other than /0/*,/1/*");
    if (draft->first_address.len == 0)
        return bad(err, "no first address");
    return read_template(draft, template, err);
}

bool draft_check_first_address(const struct ms_draft *draft, const struct ms_wallet *wallet,
                               struct err *err)
{
    uint8_t mem[ADDRESS_MAX];
    struct writer address = writer_of(mem, sizeof mem);
    if (draft->first_address.len == 0)
        return true;
    if (!ms_wallet_address(&address, wallet, MS_RECEIVE, 0, err))
        return false;
    return bytes_equal(writer_bytes(&address), draft->first_address) ||
           bad(err, "the first address is not the wallet's");
}
