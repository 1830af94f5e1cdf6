#include "tests/support/policy_random.h"
#include "base/require.h"
#include "crypto/otp.h"
#include "policy/extension.h"

#define ATTESTED_AMOUNT 2000000
#define TOTP_STEP       58000000u

static const uint8_t local_secret[15] = "fifteen bytes!!";
static const uint8_t scripts[][22] = {
    { 0, 20, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5 },
    { 0, 20, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6 },
    { 0x51, 20, 7 }, // no program of 32 bytes: hex
};
static const char *const addresses[DRAWN_ADDRESSES] = {
    "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g", "tb1qqcrqvpsxqcrqvpsxqcrqvpsxqcrqvpsxwlrr47",
    "tb1q49n66nhqj3sm8efw3wj23gpnwsn0vzqgezq2da", // the attestor
};
static const uint8_t attestation[65] = {
    0x27, 0x60, 0xa3, 0x59, 0x5f, 0xf8, 0x57, 0x96, 0xad, 0xa5, 0xe3, 0x77, 0x48,
    0x4a, 0x98, 0x64, 0xab, 0x3f, 0x9c, 0x2d, 0x9a, 0x1a, 0x14, 0xe8, 0xc8, 0x8c,
    0xa8, 0x2c, 0x9c, 0xb2, 0x01, 0xef, 0x5f, 0x4c, 0xe3, 0xe1, 0xd9, 0x66, 0x9d,
    0x85, 0xce, 0x67, 0x5b, 0x98, 0x9c, 0x2e, 0x31, 0x27, 0xaa, 0x11, 0xfa, 0x98,
    0x37, 0xba, 0x2c, 0xeb, 0x92, 0x34, 0x3a, 0x3f, 0xab, 0xa9, 0xc5, 0x82, 0x56,
};
static const struct bytes user_names[DRAWN_USERS] = { { (const uint8_t *)"alice", 5 },
                                                      { (const uint8_t *)"bob", 3 },
                                                      { (const uint8_t *)"carol", 5 } };
static const struct bytes wallet_names[] = { { (const uint8_t *)"Treasury", 8 },
                                             { (const uint8_t *)"Vault", 5 } };
const struct policy_world drawn_world = { DRAWN_USERS, user_names, COUNT(wallet_names),
                                          wallet_names };

uint32_t draw_below(struct draw *d, uint32_t bound)
{
    uint8_t low = 0, high = 0;
    if (reader_u8(&d->bytes, &low) && bound > 256 && !reader_u8(&d->bytes, &high))
        high = 0;
    return ((uint32_t)high << 8 | low) % bound;
}

static bool one_in(struct draw *d, uint32_t n)
{
    return draw_below(d, n) == n - 1;
}

struct bytes drawn_address(size_t i)
{
    return bytes_of_text(addresses[i]);
}

struct bytes drawn_script(size_t i)
{
    static const uint8_t op_return[] = { 0x6a, 1, 0 };
    return i < COUNT(scripts) ? BYTES_OF(scripts[i]) : BYTES_OF(op_return);
}

bool drawn_is_attested(const struct output_facts *out)
{
    return out->has_attestation && bytes_equal(out->attestation, BYTES_OF(attestation)) &&
           out->amount.n == ATTESTED_AMOUNT && bytes_equal(out->script, drawn_script(0));
}

// Amounts that meet limits: some multiple of half a million, or near one.
static struct sats draw_sats(struct draw *d)
{
    struct sats amount = { 500000 * (uint64_t)draw_below(d, 9) };
    if (one_in(d, 4))
        amount.n += draw_below(d, 3);
    return amount;
}

// --- Policies ---

static struct sats_limit draw_limit(struct draw *d)
{
    struct sats_limit limit = { .is_set = one_in(d, 2) };
    if (limit.is_set)
        limit.max = draw_sats(d);
    return limit;
}

static void draw_users(struct drawn_policy *out, size_t i, struct draw *d)
{
    struct rule *rule = &out->rules[i];
    const uint32_t which = one_in(d, 2) ? draw_below(d, 8) : 0;
    rule->users = out->users[i];
    for (size_t k = 0; k < DRAWN_USERS; k++)
        if ((which >> k & 1) != 0)
            out->users[i][rule->n_users++] = user_names[k];
    if (rule->n_users > 0)
        rule->min_users = 1 + draw_below(d, (uint32_t)rule->n_users);
}

static int by_bytes(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;
    return bytes_compare(*x, *y);
}

static void draw_whitelist(struct drawn_policy *out, size_t i, struct draw *d)
{
    struct rule *rule = &out->rules[i];
    const uint32_t which = one_in(d, 2) ? draw_below(d, 8) : 0;
    for (size_t k = 0; k < DRAWN_ADDRESSES; k++)
        if ((which >> k & 1) != 0)
            out->whitelist[i][rule->n_whitelist++] = drawn_address(k);
    memcpy(out->sorted[i], out->whitelist[i], sizeof out->sorted[i]);
    qsort(out->sorted[i], rule->n_whitelist, sizeof out->sorted[i][0], by_bytes);
    rule->whitelist = out->whitelist[i];
    rule->whitelist_sorted = out->sorted[i];
    if (rule->n_whitelist == 0 || !one_in(d, 2))
        return;
    rule->has_whitelist_opts = true;
    rule->mode = one_in(d, 2) ? WHITELIST_ATTEST : WHITELIST_BASIC;
    rule->allow_zeroval_outs = one_in(d, 2);
}

// Extension members. Fees are small beside amounts, so limits on them are.
static struct sats draw_fee(struct draw *d)
{
    static const uint64_t fees[] = { 0, 1, 1000, 1001, 20000, 24999, 100000 };
    return (struct sats){ fees[draw_below(d, COUNT(fees))] };
}

static void draw_extension(struct extension *out, struct draw *d)
{
    out->count_fees = one_in(d, 6);
    out->max_fee.is_set = one_in(d, 6);
    if (out->max_fee.is_set)
        out->max_fee.max = draw_fee(d);
}

// Of what only rules have, the members that one request can meet: a period of its own needs a past.
static void draw_own_extension(struct rule *rule, struct draw *d)
{
    static const struct bytes listed[] = { { scripts[1], 22 }, { scripts[2], 22 } };
    if (one_in(d, 6))
        rule->own.max_txns = 1 + draw_below(d, 3);
    if (one_in(d, 8))
        rule->own.not_before_height = 1 + draw_below(d, 3);
    // Sorted as they stand.
    if (rule->mode == WHITELIST_BASIC && one_in(d, 6)) {
        rule->own.n_scripts = 1 + draw_below(d, 2);
        rule->own.scripts = rule->own.scripts_sorted = listed;
    }
}

static void draw_rule(struct drawn_policy *out, size_t i, struct draw *d)
{
    struct rule *rule = &out->rules[i];
    rule->max_amount = draw_limit(d);
    rule->per_period = draw_limit(d);
    draw_users(out, i, d);
    draw_whitelist(out, i, d);
    rule->local_conf = one_in(d, 4);
    if (one_in(d, 4))
        rule->wallet = one_in(d, 2) ? BYTES("1") : wallet_names[draw_below(d, 2)];
    if (one_in(d, 4))
        rule->min_pct = (struct percent){ true, draw_below(d, 100), 1 + draw_below(d, 9), 1 };
    rule->patterns = out->patterns[i];
    while (rule->n_patterns < SHAPES && one_in(d, 8))
        out->patterns[i][rule->n_patterns++] = (enum shape)draw_below(d, SHAPES);
    draw_own_extension(rule, d);
    draw_extension(&rule->extension, d);
    rule->terms = extension_both(&out->policy.extension, &rule->extension);
}

static struct keypath draw_path(struct draw *d)
{
    struct keypath path = { .depth = draw_below(d, 3) };
    for (size_t i = 0; i < path.depth; i++)
        path.step[i] = draw_below(d, 2) | (one_in(d, 2) ? KEYPATH_HARD : 0);
    return path;
}

static struct path_list draw_paths(struct path_entry entries[static 2], bool p2sh, struct draw *d)
{
    struct path_list list = { .n = draw_below(d, 3), .entries = entries };
    for (size_t i = 0; i < list.n; i++) {
        entries[i].kind = (enum path_kind)draw_below(d, p2sh ? 3 : 2);
        if (entries[i].kind == PATH_PATTERN)
            entries[i].pattern = (struct keypath_pattern){
                draw_path(d),
                (enum keypath_tail)draw_below(d, 3),
            };
    }
    return list;
}

void draw_policy(struct drawn_policy *out, struct draw *d)
{
    struct policy *p = &out->policy;
    *out = (struct drawn_policy){ .policy = { .rules = out->rules } };
    p->must_log = one_in(d, 4);
    p->never_log = !p->must_log && one_in(d, 4);
    p->priv_over_ux = one_in(d, 2);
    p->warnings_ok = one_in(d, 2);
    p->msg_paths = draw_paths(out->paths[0], false, d);
    p->share_xpubs = draw_paths(out->paths[1], false, d);
    p->share_addrs = draw_paths(out->paths[2], true, d);
    p->notes = one_in(d, 4) ? BYTES("a note \"here\" \xe2\x82\xbf") : BYTES("");
    p->allow_sl = draw_below(d, 101);
    p->has_sl_hash = p->allow_sl > 0 && one_in(d, 2);
    if (p->has_sl_hash)
        p->sl_hash = sha256(BYTES("locker"));
    p->boot_to_hsm = one_in(d, 4) ? BYTES("xyzzy") : BYTES("");
    p->period_min = 1 + draw_below(d, 4320);
    if (one_in(d, 3))
        draw_extension(&p->extension, d);
    p->n_rules = draw_below(d, DRAWN_RULES + 1);
    for (size_t i = 0; i < p->n_rules; i++)
        draw_rule(out, i, d);
}

// --- Requests ---

static void draw_input(struct input_facts *in, struct draw *d)
{
    *in = (struct input_facts){ .has_amount = !one_in(d, 8), .amount = draw_sats(d) };
    in->verified = in->has_amount && !one_in(d, 8);
    in->own = !one_in(d, 4);
    in->will_sign = in->own && !one_in(d, 4);
    in->multisig = in->own && one_in(d, 4);
    in->path = draw_path(d);
}

static void draw_output(struct output_facts *out, struct draw *d)
{
    *out =
        (struct output_facts){ .amount = draw_sats(d), .script = drawn_script(draw_below(d, 4)) };
    out->change = one_in(d, 3);
    out->own = out->change || one_in(d, 8);
    out->has_attestation = one_in(d, 2);
    if (out->has_attestation && one_in(d, 2)) {
        out->amount.n = ATTESTED_AMOUNT;
        out->script = drawn_script(0);
    }
    if (out->has_attestation)
        out->attestation = bytes_of(attestation, one_in(d, 8) ? 64 : 65);
}

static void sum_up(struct drawn_request *r)
{
    struct tx_facts *tx = &r->tx;
    for (size_t i = 0; i < tx->n_out; i++) {
        REQUIRE(sats_add(&tx->total_out, r->out[i].amount));
        if (r->out[i].change)
            REQUIRE(sats_add(&tx->change_total, r->out[i].amount));
    }
    for (size_t i = 0; i < tx->n_in; i++) {
        tx->n_signatures += r->in[i].will_sign;
        tx->signs_multisig |= r->in[i].will_sign && r->in[i].multisig;
        tx->signs_single_key |= r->in[i].will_sign && !r->in[i].multisig;
    }
}

// What comes in is what goes out and a fee that a signer gets as far as its policy with: below 5 % of
// what goes out, or there is a warning. Where amounts do not allow that, the first is not known.
static void draw_the_fee(struct drawn_request *r, struct draw *d)
{
    struct tx_facts *tx = &r->tx;
    const uint64_t fee = draw_fee(d).n, out = tx->total_out.n;
    uint64_t others = 0;
    bool known = true;
    for (size_t i = 0; i < tx->n_in; i++) {
        known &= r->in[i].has_amount;
        others += i > 0 ? r->in[i].amount.n : 0;
    }
    if (known && others <= out + fee && fee * 10 < out) {
        r->in[0].amount.n = out + fee - others;
        tx->fee_known = true;
        tx->fee.n = fee;
        tx->total_in.n = out + fee;
    } else if (known) {
        r->in[0].has_amount = r->in[0].verified = false;
    }
    if (!tx->fee_known || fee * 20 >= out)
        tx->n_warnings = 1;
}

static void draw_facts(struct drawn_request *r, struct draw *d)
{
    r->tx = (struct tx_facts){
        .psbt_hash = sha256(BYTES("drawn")),
        .chain = chain_by_id(CHAIN_XTN),
        .n_in = 1 + draw_below(d, DRAWN_INPUTS),
        .n_out = 1 + draw_below(d, DRAWN_OUTPUTS),
        .in = r->in,
        .out = r->out,
        .is_message = one_in(d, 8),
        .n_warnings = one_in(d, 4) ? 1 : 0,
        .wallet_name = wallet_names[draw_below(d, 2)],
    };
    for (size_t i = 0; i < r->tx.n_in; i++)
        draw_input(&r->in[i], d);
    for (size_t i = 0; i < r->tx.n_out; i++)
        draw_output(&r->out[i], d);
    // "Zero Value"
    for (size_t i = 0; i < r->tx.n_out; i++)
        if (r->out[i].amount.n == 0 && !bytes_equal(r->out[i].script, drawn_script(3)))
            r->tx.n_warnings = 1;
    sum_up(r);
    r->tx.locktime = one_in(d, 2) ? draw_below(d, 6) : 0;
    r->tx.locktime_counts = r->tx.locktime > 0 && !one_in(d, 4);
    if (!r->tx.is_message)
        draw_the_fee(r, d);
}

static void make_users(struct drawn_request *r)
{
    static const enum user_mode modes[DRAWN_USERS] = { USER_TOTP, USER_HOTP, USER_PASSWORD };
    for (size_t i = 0; i < DRAWN_USERS; i++) {
        struct user *user = &r->users[i];
        *user = (struct user){ .name_len = user_names[i].len, .mode = modes[i] };
        memcpy(user->name, user_names[i].ptr, user_names[i].len);
        user->secret_len = modes[i] == USER_PASSWORD ? 32 : 20;
        memset(user->secret, (int)i + 1, user->secret_len);
    }
}

static void send_code(struct drawn_request *r, size_t i)
{
    const struct user *user = &r->users[i];
    struct err err;
    char code[OTP_TEXT_SIZE];
    uint8_t token[32];
    struct bytes sent = BYTES_OF(token);
    if (user->mode == USER_PASSWORD) {
        user_password_token(token, user->secret, &r->tx.psbt_hash);
    } else {
        otp_code(code, bytes_of(user->secret, user->secret_len),
                 user->mode == USER_TOTP ? TOTP_STEP : 3);
        memcpy(token, code, OTP_TEXT_SIZE - 1);
        sent.len = OTP_TEXT_SIZE - 1;
    }
    if (r->codes[i] == CODE_WRONG) // by one digit, so that no neighbouring code is meant
        token[0] = user->mode == USER_PASSWORD ? token[0] ^ 1 : 'x';
    REQUIRE(auth_queue_put(&r->queue, user_names[i], sent, TOTP_STEP, &err));
}

static void draw_local_code(struct drawn_request *r, struct draw *d)
{
    char code[OTP_TEXT_SIZE];
    r->local = (enum drawn_code)draw_below(d, 3);
    r->auth.has_local_code = r->local != CODE_NONE;
    local_code(code, BYTES_OF(local_secret), BYTES_OF(r->tx.psbt_hash.b));
    memcpy(r->auth.local_code, code, LOCAL_CODE_DIGITS);
    if (r->local == CODE_WRONG)
        r->auth.local_code[0] = 'x';
}

void draw_request(struct drawn_request *out, struct draw *d, const struct policy *policy)
{
    *out = (struct drawn_request){ .now_s = 1764000000 };
    draw_facts(out, d);
    make_users(out);
    out->auth = (struct auth_facts){ .users = out->users,
                                     .n_users = DRAWN_USERS,
                                     .queue = &out->queue,
                                     .local_secret = BYTES_OF(local_secret),
                                     .card_usable = one_in(d, 2) };
    for (size_t i = 0; i < DRAWN_USERS; i++) {
        out->codes[i] = one_in(d, 8) ? CODE_WRONG : one_in(d, 2) ? CODE_RIGHT : CODE_NONE;
        if (out->codes[i] != CODE_NONE)
            send_code(out, i);
    }
    draw_local_code(out, d);
    out->velocity.running = one_in(d, 2);
    out->velocity.start_s = out->now_s - draw_below(d, 65536) * INT64_C(6) + draw_below(d, 65536);
    for (size_t i = 0; i < policy->n_rules && out->velocity.running; i++)
        out->velocity.spent[i] = draw_sats(d);
    for (size_t i = 0; i < policy->n_rules; i++) {
        out->velocity.n[i] = out->velocity.running ? draw_below(d, 3) : 0;
        out->velocity.heights[i] = one_in(d, 4) ? draw_below(d, 3) : 0;
    }
}
