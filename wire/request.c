#include "wire/request.h"
#include "base/require.h"
#include "wire/layout.h"

// Which fields each request has: the right side of the tables in wire-protocol.md 8. Both sides use
// these rows and nothing else.
// clang-format off
#define FIELD(kind, member, size) { (kind), offsetof(struct request, member), (size) }
#define END                       { FIELD_END, 0, 0 }
// clang-format on
#define U8(member)            FIELD(FIELD_U8, member, 0)
#define U32(member)           FIELD(FIELD_U32, member, 0)
#define LEN8(member)          FIELD(FIELD_LEN8, member, 0)
#define LEN16(member)         FIELD(FIELD_LEN16, member, 0)
#define LEN32(member)         FIELD(FIELD_LEN32, member, 0)
#define REST(member)          FIELD(FIELD_REST, member, 0)
#define IF_ANY(member)        FIELD(FIELD_IF_ANY, member, 0)
#define CONTENT(member)       FIELD(FIELD_BYTES, member, 0)
#define CONTENT1(member)      FIELD(FIELD_BYTES, member, 1)
#define SUFFIX8(member, most) FIELD(FIELD_SUFFIX8, member, most)
#define RAW(member)           FIELD(FIELD_RAW, member, sizeof((struct request *)0)->member)

static const struct field no_arguments[] = { { FIELD_IGNORED, 0, 0 }, END };
static const struct field only_data[] = { REST(data), END };
static const struct field ncry[] = { U32(ncry.version), RAW(ncry.client), END };
static const struct field upld[] = { U32(upld.offset), U32(upld.total), REST(upld.data), END };
static const struct field dwld[] = { U32(dwld.offset), U32(dwld.length), U32(dwld.file), END };
// "SHOULD accept the EDGE suffix [...]; otherwise `err_badlen`"
static const struct field stxn[] = { U32(stxn.length), U32(stxn.flags), RAW(stxn.sha),
                                     SUFFIX8(stxn.wallet, STXN_WALLET_MAX), END };
static const struct field smsg[] = { U32(smsg.addr_format), LEN32(smsg.path),
                                     LEN32(smsg.message),   CONTENT(smsg.path),
                                     CONTENT(smsg.message), END };
static const struct field show[] = { U32(show.addr_format), REST(show.path), END };
static const struct field p2sh[] = {
    U32(p2sh.addr_format), U8(p2sh.m),      U8(p2sh.n), LEN16(p2sh.script),
    CONTENT(p2sh.script),  REST(p2sh.keys), END
};
static const struct field msck[] = { U32(msck.m), U32(msck.n), U32(msck.xor_xfp), END };
static const struct field file[] = { U32(enrl.length), RAW(enrl.sha), END };
static const struct field hsms[] = { IF_ANY(hsms.has_file), U32(hsms.file.length),
                                     RAW(hsms.file.sha), END };
static const struct field rest[] = { U32(rest.file.length), RAW(rest.file.sha), U8(rest.flags),
                                     END };
static const struct field nwur[] = { U8(nwur.mode),
                                     LEN8(nwur.name),
                                     LEN8(nwur.secret),
                                     CONTENT1(nwur.name),
                                     CONTENT(nwur.secret), // may be empty: [D] of 8.11
                                     END };
static const struct field rmur[] = { LEN8(rmur.name), CONTENT1(rmur.name), END };
static const struct field user[] = { U32(user.totp_time), LEN8(user.name),      LEN8(user.token),
                                     CONTENT1(user.name), CONTENT1(user.token), END };
static const struct field msas[] = { U32(msas.change), U32(msas.index), REST(msas.name), END };

static const struct field *fields_of(enum request_id id)
{
    static const struct field *const layouts[REQUEST_COUNT] = {
        [REQUEST_PING] = only_data, [REQUEST_NCRY] = ncry,      [REQUEST_BAGI] = only_data,
        [REQUEST_UPLD] = upld,      [REQUEST_DWLD] = dwld,      [REQUEST_STXN] = stxn,
        [REQUEST_SMSG] = smsg,      [REQUEST_XPUB] = only_data, [REQUEST_SHOW] = show,
        [REQUEST_P2SH] = p2sh,      [REQUEST_MSCK] = msck,      [REQUEST_ENRL] = file,
        [REQUEST_HSMS] = hsms,      [REQUEST_NWUR] = nwur,      [REQUEST_RMUR] = rmur,
        [REQUEST_USER] = user,      [REQUEST_REST] = rest,      [REQUEST_PASS] = only_data,
        [REQUEST_MINS] = file,      [REQUEST_MSDL] = only_data, [REQUEST_MSGT] = only_data,
        [REQUEST_MSPL] = only_data, [REQUEST_MSAS] = msas,      [REQUEST_XKEY] = only_data,
        [REQUEST_EVAL] = only_data, [REQUEST_EXEC] = only_data,
    };
    return layouts[id] != NULL ? layouts[id] : no_arguments;
}

bool p2sh_key_read(struct p2sh_key *out, struct reader *keys, struct err *err)
{
    struct p2sh_key key = { 0 };
    uint8_t count; // the fingerprint included
    if (!reader_u8(keys, &count) || count < 1 || count > P2SH_DEPTH_MAX + 1)
        return err_set(err, ERR_MALFORMED, "badlen");
    key.depth = (size_t)count - 1;
    bool complete = reader_copy(keys, key.xfp, sizeof key.xfp);
    for (size_t i = 0; complete && i < key.depth; i++)
        complete = reader_u32le(keys, &key.step[i]);
    if (!complete)
        return err_set(err, ERR_TRUNCATED, "buffer too small");
    *out = key;
    return true;
}

void p2sh_key_write(struct writer *keys, const struct p2sh_key *key)
{
    REQUIRE(key->depth <= P2SH_DEPTH_MAX);
    writer_u8(keys, (uint8_t)(key->depth + 1));
    writer_put(keys, BYTES_OF(key->xfp));
    for (size_t i = 0; i < key->depth; i++)
        writer_u32le(keys, key->step[i]);
}

#define FORMAT_SCRIPT 0x08u // the bit that all script formats have
#define SIGNERS_MAX   20
#define SCRIPT_MIN    30
#define SCRIPT_MAX    520

static bool is_script_format(uint32_t format)
{
    return format == 0x08 || format == 0x0e || format == 0x1a;
}

// 8.5, in its order. The wallet, the script and the keys' values are left to who serves it.
static bool p2sh_check(const struct request_p2sh *p, struct err *err)
{
    struct reader keys = reader_of(p->keys);
    struct p2sh_key key;
    if ((p->addr_format & FORMAT_SCRIPT) == 0)
        return err_set(err, ERR_INVALID, "Assertion p2sh format");
    if (p->m < 1 || p->m > p->n || p->n > SIGNERS_MAX)
        return err_set(err, ERR_INVALID, "Assertion p2sh M/N");
    if (p->script.len < SCRIPT_MIN || p->script.len > SCRIPT_MAX)
        return err_set(err, ERR_INVALID, "Assertion p2sh script length");
    for (size_t i = 0; i < p->n; i++)
        if (!p2sh_key_read(&key, &keys, err))
            return false;
    if (!reader_done(&keys))
        return err_set(err, ERR_INVALID, "Assertion p2sh trailing bytes");
    if (!is_script_format(p->addr_format))
        return err_set(err, ERR_UNSUPPORTED, "Unknown/unsupported addr format");
    return true;
}

static bool length_error(enum request_id id, enum layout_result result, struct err *err)
{
    if (result == LAYOUT_TOO_SMALL)
        return err_set(err, ERR_TRUNCATED, "buffer too small");
    if (id == REQUEST_P2SH) // "script complete (each `Assertion ...`)"
        return err_set(err, ERR_INVALID, "Assertion p2sh script incomplete");
    return err_set(err, ERR_MALFORMED, "badlen");
}

bool request_unpack(struct request *out, const struct request_info *info, struct bytes message,
                    struct err *err)
{
    struct request request;
    memset(&request, 0, sizeof request); // the union as a whole
    request.id = info->id;
    const struct bytes args = bytes_slice(message, CODE_LEN, SIZE_MAX);
    const enum layout_result result = layout_unpack(fields_of(info->id), &request, args);
    if (result != LAYOUT_OK)
        return length_error(info->id, result, err);
    if (info->id == REQUEST_P2SH && !p2sh_check(&request.p2sh, err))
        return false;
    *out = request;
    return true;
}

void request_pack(struct writer *w, const struct request *request)
{
    const size_t start = w->len;
    writer_text(w, request_info(request->id)->code);
    layout_pack(fields_of(request->id), request, w);
    if (w->len - start > REQUEST_MAX)
        w->failed = true;
}
