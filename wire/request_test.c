#include "wire/request.h"
#include "tests/support/test.h"

#define SHA_HEX "f8fb60f5815d82f0bddb0046423805aba05f32ba13faa61d923c0dc707e4f8a3"

static struct hash256 sha(void)
{
    struct hash256 out;
    memcpy(out.b, test_hex(SHA_HEX).ptr, sizeof out.b);
    return out;
}

static struct bytes pack(const struct request *request)
{
    struct writer w = writer_growing(test_arena(), 1 << 17);
    struct bytes out;
    request_pack(&w, request);
    assert_true(writer_finish(&w, &out));
    return out;
}

static bool unpack(struct request *out, struct bytes message, struct err *err)
{
    const struct request_info *info = request_find(message);
    assert_non_null(info);
    return request_unpack(out, info, message, err);
}

static struct bytes p2sh_keys(void)
{
    const struct p2sh_key key = { { 0x0f, 0x05, 0x69, 0x43 }, { 0x80000030, 1, 0 }, 3 };
    struct writer w = writer_growing(test_arena(), 1000);
    p2sh_key_write(&w, &key);
    return writer_bytes(&w);
}

#define T(text) BYTES(text)

// All lines of 13.2, and `ncry` of 13.1. Packed, unpacked, packed again.
TEST(wire_13_2_request_encodings_both_ways)
{
    static const uint8_t script[30];
    struct request_ncry ncry = { .version = 1 };
    memset(ncry.client.b, 0x5a, sizeof ncry.client.b);
    const struct {
        const char *hex;
        struct request request;
    } cases[] = {
        { "7374786e 57010000 06000000" SHA_HEX,
          { REQUEST_STXN, .stxn = { 343, STXN_VISUALIZE | STXN_SIGNED, sha(), { 0 } } } },
        { "7374786e 57010000 00000000" SHA_HEX "05 6465636179",
          { REQUEST_STXN, .stxn = { 343, 0, sha(), T("decay") } } },
        { "736d7367 07000000 0f000000 0b000000 6d2f3434272f30272f30272f302f30"
          "68656c6c6f20776f726c64",
          { REQUEST_SMSG, .smsg = { 7, T("m/44'/0'/0'/0/0"), T("hello world") } } },
        { "75706c64 00080000 57010000 68656c6c6f",
          { REQUEST_UPLD, .upld = { 2048, 343, T("hello") } } },
        { "64776c64 00000000 00040000 01000000", { REQUEST_DWLD, .dwld = { 0, 1024, 1 } } },
        { "78707562 6d2f3834682f30682f3068", { REQUEST_XPUB, .data = T("m/84h/0h/0h") } },
        { "73686f77 07000000 6d2f3834682f30682f30682f302f30",
          { REQUEST_SHOW, .show = { 7, T("m/84h/0h/0h/0/0") } } },
        { "70327368 0e000000 01 01 1e00"
          "000000000000000000000000000000000000000000000000000000000000"
          "04 0f056943 30000080 01000000 00000000",
          { REQUEST_P2SH, .p2sh = { 0x0e, 1, 1, BYTES_OF(script), p2sh_keys() } } },
        { "6d73636b 02000000 04000000 6b68e9a3", { REQUEST_MSCK, .msck = { 2, 4, 0xa3e9686b } } },
        { "656e726c 59010000" SHA_HEX, { REQUEST_ENRL, .enrl = { 345, sha() } } },
        { "68736d73 59010000" SHA_HEX, { REQUEST_HSMS, .hsms = { true, { 345, sha() } } } },
        { "68736d73", { REQUEST_HSMS, .hsms = { .has_file = false } } },
        { "6d696e73 59010000" SHA_HEX, { REQUEST_MINS, .mins = { 345, sha() } } },
        { "72657374 59010000" SHA_HEX "05",
          { REQUEST_REST, .rest = { { 345, sha() }, REST_CUSTOM_PASSWORD | REST_TEMPORARY } } },
        { "6e777572 01 05 0a 616c696365 6162636465666768696a",
          { REQUEST_NWUR, .nwur = { NWUR_TOTP, T("alice"), T("abcdefghij") } } },
        { "6e777572 81 05 00 616c696365",
          { REQUEST_NWUR, .nwur = { NWUR_TOTP | NWUR_SHOW_SECRET, T("alice"), { 0 } } } },
        { "726d7572 05 616c696365", { REQUEST_RMUR, .rmur = { T("alice") } } },
        { "75736572 5c129103 05 06 616c696365 373635373035",
          { REQUEST_USER, .user = { 59839068, T("alice"), T("765705") } } },
        { "6d736173 01000000 03000000 6465636179", { REQUEST_MSAS, .msas = { 1, 3, T("decay") } } },
        { "6e637279 01000000"
          "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
          "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
          { REQUEST_NCRY, .ncry = ncry } },
        { "70696e67 4141", { REQUEST_PING, .data = T("AA") } },
        { "70696e67", { REQUEST_PING, .data = T("") } },
        { "76657273", { REQUEST_VERS, .data = T("") } },
        { "70617373 68757368", { REQUEST_PASS, .data = T("hush") } },
        { "584b4559 79", { REQUEST_XKEY, .data = T("y") } },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes expected = test_hex(cases[i].hex);
        struct request got;
        struct err err;
        assert_bytes_equal(pack(&cases[i].request), expected);
        assert_true(unpack(&got, expected, &err));
        assert_int_equal(got.id, cases[i].request.id);
        assert_bytes_equal(pack(&got), expected);
    }
}

// The unpacked values, not only that they pack to the same bytes.
TEST(wire_13_2_unpacked_members)
{
    struct request r;
    struct err err;
    assert_true(unpack(&r, test_hex("75736572 5c129103 05 06 616c696365 373635373035"), &err));
    assert_int_equal(r.user.totp_time, 59839068);
    assert_bytes_text(r.user.name, "alice");
    assert_bytes_text(r.user.token, "765705");
    assert_true(unpack(&r, test_hex("7374786e 57010000 06000000" SHA_HEX "05 6465636179"), &err));
    assert_int_equal(r.stxn.length, 343);
    assert_int_equal(r.stxn.flags, 6);
    assert_bytes_equal(BYTES_OF(r.stxn.sha.b), test_hex(SHA_HEX));
    assert_bytes_text(r.stxn.wallet, "decay");
    assert_true(unpack(&r, test_hex("736d7367 07000000 02000000 03000000 6d2f 616263"), &err));
    assert_int_equal(r.smsg.addr_format, 7);
    assert_bytes_text(r.smsg.path, "m/");
    assert_bytes_text(r.smsg.message, "abc");
    assert_true(unpack(&r, test_hex("6d73636b 02000000 04000000 6b68e9a3"), &err));
    assert_int_equal(r.msck.xor_xfp, 0xa3e9686b);
    assert_true(unpack(&r, BYTES("hsms"), &err));
    assert_false(r.hsms.has_file);
}

enum verdict { GOOD, SMALL, BADLEN };

// Lengths of arguments, of any content, with what the table of section 8 says to each.
static const struct {
    const char *code;
    size_t args_len;
    enum verdict expected;
} lengths[] = {
    { "vers", 0, GOOD },    { "vers", 9, GOOD }, // "no args used"
    { "logo", 3, GOOD },                         // "Args ignored"
    { "sha2", 40, GOOD },   { "mitm", 1, GOOD },    { "stok", 1, GOOD },    { "hsts", 1, GOOD },
    { "gslr", 1, GOOD },    { "back", 1, GOOD },    { "ping", 0, GOOD },    { "ping", 2056, GOOD },
    { "ncry", 0, SMALL },   { "ncry", 67, SMALL },  { "ncry", 68, GOOD },   { "ncry", 69, BADLEN },
    { "upld", 0, SMALL },   { "upld", 7, SMALL },   { "upld", 8, GOOD },    { "upld", 2056, GOOD },
    { "dwld", 11, SMALL },  { "dwld", 12, GOOD },   { "dwld", 13, BADLEN }, { "stxn", 39, SMALL },
    { "stxn", 40, GOOD },   { "stxn", 41, BADLEN }, { "smsg", 11, SMALL },  { "smsg", 12, GOOD },
    { "smsg", 13, BADLEN }, { "xpub", 0, GOOD },    { "xpub", 300, GOOD },  { "show", 3, SMALL },
    { "show", 4, GOOD },    { "show", 400, GOOD },  { "msck", 11, SMALL },  { "msck", 12, GOOD },
    { "msck", 13, BADLEN }, { "enrl", 35, SMALL },  { "enrl", 36, GOOD },   { "enrl", 37, BADLEN },
    { "mins", 35, SMALL },  { "mins", 36, GOOD },   { "mins", 37, BADLEN }, { "hsms", 0, GOOD },
    { "hsms", 1, SMALL },   { "hsms", 35, SMALL },  { "hsms", 36, GOOD },   { "hsms", 37, BADLEN },
    { "rest", 36, SMALL },  { "rest", 37, GOOD },   { "rest", 38, BADLEN }, { "nwur", 2, SMALL },
    { "nwur", 3, BADLEN }, // no name
    { "rmur", 0, SMALL },   { "rmur", 1, BADLEN },  { "user", 5, SMALL },   { "user", 6, BADLEN },
    { "p2sh", 7, SMALL },   { "pass", 0, GOOD },    { "bagi", 20, GOOD },   { "msas", 7, SMALL },
    { "msas", 8, GOOD },    { "EXEC", 2000, GOOD },
};

TEST(wire_8_lengths_of_arguments)
{
    static const char *const texts[] = { "", "buffer too small", "badlen" };
    static const enum err_code codes[] = { ERR_NONE, ERR_TRUNCATED, ERR_MALFORMED };
    for (size_t i = 0; i < COUNT(lengths); i++) {
        uint8_t *message = arena_alloc(test_arena(), 4 + lengths[i].args_len);
        struct request r = { REQUEST_NONE, .data = { 0 } };
        struct err err = { 0 };
        assert_non_null(message);
        memcpy(message, lengths[i].code, 4);
        const bool good = unpack(&r, bytes_of(message, 4 + lengths[i].args_len), &err);
        if (good != (lengths[i].expected == GOOD))
            fail_msg("%s with %zu bytes", lengths[i].code, lengths[i].args_len);
        if (!good)
            assert_err(&err, codes[lengths[i].expected], texts[lengths[i].expected]);
        else
            assert_int_equal(r.id, request_find(bytes_of_text(lengths[i].code))->id);
        if (!good)
            assert_int_equal(r.id, REQUEST_NONE); // written on success only
    }
}

// Inner lengths that disagree with what is there.
static const struct {
    const char *hex;
    enum verdict expected;
} inner[] = {
    { "6e777572 01 05 00 616c6963", BADLEN },          // name cut
    { "6e777572 01 05 02 616c696365 61", BADLEN },     // secret cut
    { "6e777572 01 05 02 616c696365 616263", BADLEN }, // one byte more
    { "6e777572 01 00 02 6162", BADLEN },              // "u > 0"
    { "6e777572 01 05 00 616c696365", GOOD },          // checklist 59: an empty secret works
    { "726d7572 00", BADLEN },                         // "u > 0 `badlen`"
    { "726d7572 02 61", BADLEN },
    { "726d7572 02 616263", BADLEN },
    { "75736572 00000000 00 01 61", BADLEN }, // "u > 0 and t > 0"
    { "75736572 00000000 01 00 61", BADLEN },
    { "75736572 00000000 01 01 61", BADLEN },
    { "75736572 00000000 01 01 6161", GOOD },
    { "736d7367 07000000 ffffffff ffffffff", BADLEN }, // the sum would wrap
    { "736d7367 07000000 01000000 ffffffff 61", BADLEN },
    { "736d7367 07000000 01000000 01000000 6161", GOOD },
    { "736d7367 07000000 01000000 01000000 616161", BADLEN },
};

TEST(wire_8_inner_lengths)
{
    for (size_t i = 0; i < COUNT(inner); i++) {
        struct request r;
        struct err err;
        const bool good = unpack(&r, test_hex(inner[i].hex), &err);
        if (good != (inner[i].expected == GOOD))
            fail_msg("case %zu: %s", i, inner[i].hex);
        if (!good)
            assert_err(&err, ERR_MALFORMED, "badlen");
    }
}

// "SHOULD accept the EDGE suffix [...]; otherwise `err_badlen`"
TEST(wire_15_55_stxn_suffix)
{
    static const struct {
        const char *suffix;
        bool good;
    } cases[] = {
        { "", true },
        { "00", false },
        { "01", false },
        { "01 61", true },
        { "01 6162", false },
        { "02 61", false },
        { "61626364", false },
        { "20 6161616161616161616161616161616161616161616161616161616161616161", true },
        { "21 616161616161616161616161616161616161616161616161616161616161616161", false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char hex[400];
        struct request r;
        struct err err;
        snprintf(hex, sizeof hex, "7374786e 57010000 00000000 %s %s", SHA_HEX, cases[i].suffix);
        if (unpack(&r, test_hex(hex), &err) != cases[i].good)
            fail_msg("suffix '%s'", cases[i].suffix);
        if (!cases[i].good)
            assert_err(&err, ERR_MALFORMED, "badlen");
    }
}

// 8.5, in its order: what comes first is reported.
#define SCRIPT30 "000000000000000000000000000000000000000000000000000000000000"
#define KEY1     "01 0f056943"
static const struct {
    const char *hex; // after the code
    enum err_code code;
    const char *text;
} p2sh_cases[] = {
    { "07000000 00 00 0000", ERR_INVALID, "Assertion p2sh format" },
    { "08000000 00 01 0000", ERR_INVALID, "Assertion p2sh M/N" },
    { "08000000 02 01 1e00" SCRIPT30, ERR_INVALID, "Assertion p2sh M/N" },
    { "08000000 01 15 1e00" SCRIPT30, ERR_INVALID, "Assertion p2sh M/N" }, // 21 keys
    { "08000000 01 01 1d00 0000000000000000000000000000000000000000000000000000000000", ERR_INVALID,
      "Assertion p2sh script length" },
    { "08000000 01 01 1e00 00", ERR_INVALID, "Assertion p2sh script incomplete" },
    { "08000000 01 01 1e00" SCRIPT30, ERR_MALFORMED, "badlen" },      // past the end
    { "08000000 01 01 1e00" SCRIPT30 "00", ERR_MALFORMED, "badlen" }, // k = 0
    { "08000000 01 01 1e00" SCRIPT30 "11", ERR_MALFORMED, "badlen" }, // k = 17
    { "08000000 01 01 1e00" SCRIPT30 "01 0f0569", ERR_TRUNCATED, "buffer too small" },
    { "08000000 01 01 1e00" SCRIPT30 "02 0f056943 000000", ERR_TRUNCATED, "buffer too small" },
    { "08000000 01 02 1e00" SCRIPT30 KEY1, ERR_MALFORMED, "badlen" }, // one key of two
    { "08000000 01 01 1e00" SCRIPT30 KEY1 "00", ERR_INVALID, "Assertion p2sh trailing bytes" },
    { "0a000000 01 01 1e00" SCRIPT30 KEY1, ERR_UNSUPPORTED, "Unknown/unsupported addr format" },
    { "0a000000 01 01 1e00" SCRIPT30 KEY1 "00", ERR_INVALID, "Assertion p2sh trailing bytes" },
    { "08000000 01 01 1e00" SCRIPT30 KEY1, ERR_NONE, "" },
    { "0e000000 01 02 1e00" SCRIPT30 KEY1 KEY1, ERR_NONE, "" },
    { "1a000000 02 02 1e00" SCRIPT30 KEY1 KEY1, ERR_NONE, "" },
};

TEST(wire_8_5_p2sh_checks_in_their_order)
{
    for (size_t i = 0; i < COUNT(p2sh_cases); i++) {
        char hex[400];
        struct request r;
        struct err err = { 0 };
        snprintf(hex, sizeof hex, "70327368 %s", p2sh_cases[i].hex);
        if (unpack(&r, test_hex(hex), &err) != (p2sh_cases[i].code == ERR_NONE))
            fail_msg("case %zu: '%s'", i, err.text);
        if (p2sh_cases[i].code != ERR_NONE)
            assert_err(&err, p2sh_cases[i].code, p2sh_cases[i].text);
    }
}

TEST(wire_8_5_p2sh_script_lengths_and_sixteen_words_a_key)
{
    static const struct {
        size_t len;
        bool good;
    } cases[] = { { 29, false }, { 30, true }, { 520, true }, { 521, false } };
    const struct p2sh_key deep = { { 1, 2, 3, 4 }, { 5, 6, [14] = 0xffffffff }, 15 };
    uint8_t script[521] = { 0 };
    struct writer keys = writer_growing(test_arena(), 1000);
    p2sh_key_write(&keys, &deep);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct request request = { REQUEST_P2SH,
                                         .p2sh = { 0x08, 1, 1, bytes_of(script, cases[i].len),
                                                   writer_bytes(&keys) } };
        struct request got;
        struct err err;
        assert_int_equal(unpack(&got, pack(&request), &err), cases[i].good);
        if (!cases[i].good) {
            assert_err(&err, ERR_INVALID, "Assertion p2sh script length");
            continue;
        }
        struct reader r = reader_of(got.p2sh.keys);
        struct p2sh_key key;
        assert_true(p2sh_key_read(&key, &r, &err));
        assert_true(reader_done(&r));
        assert_memory_equal(&key, &deep, sizeof key);
    }
}

TEST(wire_pack_refuses_what_does_not_fit_its_length_field)
{
    static const uint8_t big[70000];
    const struct request cases[] = {
        { REQUEST_RMUR, .rmur = { bytes_of(big, 256) } },
        { REQUEST_NWUR, .nwur = { 1, bytes_of(big, 5), bytes_of(big, 256) } },
        { REQUEST_USER, .user = { 1, bytes_of(big, 0), bytes_of(big, 6) } }, // a name is needed
        { REQUEST_STXN, .stxn = { .wallet = bytes_of(big, 33) } },
        { REQUEST_PING, .data = bytes_of(big, REQUEST_MAX - CODE_LEN + 1) },
        { REQUEST_UPLD, .upld = { 0, 4096, bytes_of(big, BLOCK_MAX + 1) } },
        { REQUEST_SMSG, .smsg = { 1, bytes_of(big, 3), bytes_of(big, 3000) } },
        { REQUEST_P2SH, .p2sh = { 8, 1, 1, bytes_of(big, 65536), { 0 } } },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct writer w = writer_growing(test_arena(), 1 << 18);
        struct bytes out;
        request_pack(&w, &cases[i]);
        if (writer_finish(&w, &out))
            fail_msg("case %zu was packed", i);
    }
    const struct request most = { REQUEST_UPLD, .upld = { 0, 4096, bytes_of(big, BLOCK_MAX) } };
    assert_int_equal(pack(&most).len, REQUEST_MAX);
}

// --- Gates ---

static void assert_column(const char *what, const char *expected,
                          bool (*has)(const struct request_info *))
{
    char list[1000] = "";
    size_t len = 0;
    for (enum request_id id = REQUEST_NONE + 1; id < REQUEST_COUNT; id++)
        if (has(request_info(id)))
            len += (size_t)snprintf(list + len, sizeof list - len, "%s ", request_info(id)->code);
    if (strcmp(list, expected) != 0)
        fail_msg("%s: %s", what, list);
}

static bool is_product(const struct request_info *i)
{
    return i->kind == KIND_PRODUCT;
}
static bool hsm_white(const struct request_info *i)
{
    return is_product(i) && i->hsm != HSM_REFUSED;
}
static bool hsm_by_policy(const struct request_info *i)
{
    return is_product(i) && i->hsm == HSM_BY_POLICY;
}
static bool psbt_only(const struct request_info *i)
{
    return i->hsm == HSM_PSBT_ONLY && i->hobbled == HOBBLED_PSBT_ONLY;
}
static bool hobble_black(const struct request_info *i)
{
    return i->hobbled == HOBBLED_REFUSED;
}
static bool hobble_keys(const struct request_info *i)
{
    return i->hobbled == HOBBLED_RELATED_KEYS;
}
static bool has_switch(const struct request_info *i)
{
    return i->needs_switch;
}
static bool refuses_plain(const struct request_info *i)
{
    return is_product(i) && i->plain == PLAIN_REFUSED;
}
static bool refuses_plain_later(const struct request_info *i)
{
    return i->plain == PLAIN_REFUSED_LATER;
}
static bool is_unserved(const struct request_info *i)
{
    return i->kind == KIND_UNSERVED;
}
static bool is_developer(const struct request_info *i)
{
    return i->kind == KIND_DEVELOPER && i->hsm == HSM_ALLOWED && i->hobbled == HOBBLED_ALLOWED &&
           i->plain == PLAIN_ALLOWED && !i->needs_switch;
}
static bool needs_hsm(const struct request_info *i)
{
    return i->hsm == HSM_NEEDED;
}

// The lists under the gate table of 5.4, in the order of enum request_id.
TEST(wire_15_31_to_35_gate_table)
{
    assert_column("HSM white-list",
                  "logo vers ping ncry mitm blkc sha2 upld dwld stxn stok smsg smok xpub show p2sh "
                  "msck hsts gslr user ",
                  hsm_white);
    assert_column("decided by policy", "smsg xpub show p2sh ", hsm_by_policy);
    assert_column("PSBT only", "upld ", psbt_only);
    assert_column("HSM only", "gslr ", needs_hsm);
    assert_column("hobble black-list", "bagi enrl hsms hsts gslr nwur rmur user back dfu_ ",
                  hobble_black);
    assert_column("related keys", "rest pass pwok ", hobble_keys);
    assert_column("switch", "hsms hsts gslr nwur rmur user ", has_switch);
    assert_column("must encrypt", "mitm xpub gslr pass ", refuses_plain);
    assert_column("must encrypt, later", "dwld ", refuses_plain_later);
    assert_column("Unknown cmd", "dfu_ mins msls msdl msgt mspl msas ", is_unserved);
    assert_column("developer", "XKEY EVAL EXEC ", is_developer);
}

TEST(wire_codes_are_found_whole_and_once)
{
    for (enum request_id id = REQUEST_NONE + 1; id < REQUEST_COUNT; id++) {
        const struct request_info *info = request_info(id);
        assert_int_equal(info->id, id);
        assert_ptr_equal(request_find(bytes_of_text(info->code)), info);
        assert_null(request_find(bytes_of(info->code, 3)));
    }
    assert_null(request_find(BYTES("")));
    assert_null(request_find(BYTES("zzzz")));
    assert_null(request_find(BYTES("VERS")));
    assert_non_null(request_find(BYTES("versx")));
    assert_true(request_is_developer(BYTES("Zzzz")));
    assert_true(request_is_developer(BYTES("XKEY")));
    assert_false(request_is_developer(BYTES("vers")));
    assert_false(request_is_developer(BYTES("")));
}
