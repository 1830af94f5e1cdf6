#include "tests/support/psbt_rig.h"
#include "bitcoin/mnemonic.h"
#include "bitcoin/multisig_register.h"
#include "bitcoin/psbt_err.h"

#define ROOM (4u << 20)

static void *need(size_t size)
{
    void *mem = arena_alloc(test_arena(), size);
    assert_non_null(mem);
    return mem;
}

static struct writer text_writer(void)
{
    return writer_growing(test_arena(), ROOM);
}

struct bytes test_concat(struct bytes a, struct bytes b)
{
    struct writer w = text_writer();
    writer_put(&w, a);
    writer_put(&w, b);
    return writer_bytes(&w);
}

struct bytes test_u32le(uint32_t value)
{
    struct writer w = text_writer();
    writer_u32le(&w, value);
    return writer_bytes(&w);
}

struct keypath test_path(const char *text)
{
    struct keypath path;
    struct err err;
    if (!keypath_parse(&path, bytes_of_text(text), &err))
        fail_msg("%s: %s", text, err.text);
    return path;
}

// --- The signer ---

static bool known_amount(const void *context, const struct outpoint *outpoint, struct sats *out)
{
    const struct rig *rig = context;
    for (size_t i = 0; i < rig->n_seen; i++)
        if (memcmp(&rig->seen[i], outpoint, sizeof *outpoint) == 0) {
            *out = rig->seen_amount[i];
            return true;
        }
    return false;
}

void rig_load_seed(struct rig *rig, struct bytes text)
{
    static const char mark[] = " + passphrase ";
    uint8_t seed[MNEMONIC_SEED_LEN];
    struct bytes words = text, passphrase = { 0 };
    const uint8_t *at = memmem(text.ptr, text.len, mark, sizeof mark - 1);
    if (at != NULL) {
        words = bytes_slice(text, 0, (size_t)(at - text.ptr));
        passphrase = bytes_slice(text, words.len + sizeof mark - 1, text.len);
    }
    if (!mnemonic_to_seed(seed, words, passphrase, &rig->err) ||
        !hdkey_from_seed(&rig->master, BYTES_OF(seed), &rig->err))
        fail_msg("%s", rig->err.text);
    rig->view.xfp = hdpub_xfp(&rig->master.pub);
}

struct rig *rig_new(void)
{
    struct rig *rig = need(sizeof *rig);
    rig->view = (struct signer_view){
        .chain = chain_by_id(CHAIN_XTN),
        .unit = UNIT_COIN,
        .fee_limit_pct = 10,
        .pms = -1,
        .known_amount = known_amount,
        .memory = rig,
    };
    rig_load_seed(rig, BYTES(TEST_SEED_WORDS));
    return rig;
}

bool rig_analyse(struct rig *rig, struct bytes raw)
{
    return psbt_parse(&rig->psbt, raw, test_arena(), &rig->err) &&
           psbt_analyse(&rig->facts, &rig->psbt, &rig->view, test_arena(), &rig->err);
}

// --- Wallets ---

static bool derive_public(const void *context, struct hdpub *out, const struct keypath *path,
                          struct err *err)
{
    const struct rig *rig = context;
    AUTO(hdkey_wipe) struct hdkey key = { 0 };
    if (!hdkey_derive(&key, &rig->master, path, err))
        return false;
    *out = key.pub;
    return true;
}

const struct ms_wallet *rig_register(struct rig *rig, struct bytes text)
{
    const struct ms_register against = {
        .chain = rig->view.chain,
        .ours = { rig->view.xfp, derive_public, rig },
        .unsort_ms = true,
        .wallets = rig->view.wallets,
    };
    struct ms_wallet *wallet = need(sizeof *wallet);
    const size_t n = rig->view.wallets.n;
    const struct ms_wallet **list = need((n + 1) * sizeof *list);
    if (!ms_register(wallet, text, &against, test_arena(), &rig->err))
        fail_msg("wallet: %s", rig->err.text);
    if (n > 0)
        memcpy(list, rig->view.wallets.list, n * sizeof *list);
    list[n] = wallet;
    rig->view.wallets = (struct ms_wallets){ list, n + 1 };
    return wallet;
}

// --- Requests ---

bool rig_prove(struct rig *rig)
{
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&rig->master);
    return psbt_prove(&rig->facts, keys, &rig->err);
}

static void aux_bytes(void *context, uint8_t out[32])
{
    const struct rig *rig = context;
    memcpy(out, rig->aux, sizeof rig->aux);
}

bool psbt_rig_sign(struct rig *rig)
{
    const struct entropy aux = { aux_bytes, rig };
    struct writer w = text_writer();
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&rig->master);
    if (!psbt_prove(&rig->facts, keys, &rig->err) ||
        !psbt_sign(&rig->sigs, &rig->facts, keys, &aux, test_arena(), &rig->err) ||
        !psbt_write_signed(&w, &rig->facts, &rig->sigs, &rig->err))
        return false;
    rig->result = writer_bytes(&w);
    return true;
}

bool rig_finalize(struct rig *rig)
{
    struct writer w = text_writer();
    if (!psbt_finalize(&w, &rig->txid, &rig->facts, &rig->sigs, test_arena(), &rig->err))
        return false;
    rig->tx = writer_bytes(&w);
    return true;
}

struct bytes rig_story(const struct rig *rig, enum story_form form)
{
    struct writer w = text_writer();
    story_write(&w, &rig->facts.tx, rig->view.unit, form);
    return writer_bytes(&w);
}

void rig_remember(struct rig *rig)
{
    for (size_t i = 0; i < rig->facts.tx.n_in; i++) {
        assert_true(rig->n_seen < RIG_SEEN_MAX);
        rig->seen[rig->n_seen] = rig->facts.tx.in[i].prevout;
        rig->seen_amount[rig->n_seen++] = rig->facts.tx.in[i].amount;
    }
}

static bool is_structural(const char *reply)
{
    return strcmp(reply, PSBT_PARSE_FAILED) == 0 || strcmp(reply, PSBT_INVALID) == 0;
}

void rig_expect_refusal(struct rig *rig, struct bytes raw, const char *reply, const char *detail,
                        const char *file, int line)
{
    if (rig_analyse(rig, raw) && rig_prove(rig)) {
        print_error("# accepted, instead of '%s'\n", reply);
        _fail(file, line);
    }
    // Psbt-signing 0: "tests accept either of these two for each other"
    const bool same =
        strcmp(rig->err.text, reply) == 0 || (is_structural(rig->err.text) && is_structural(reply));
    if (same && (detail == NULL || strcmp(rig->err.detail, detail) == 0))
        return;
    print_error("# got '%s' (%s)\n# expected '%s' (%s)\n", rig->err.text, rig->err.detail, reply,
                detail == NULL ? "" : detail);
    _fail(file, line);
}

void rig_expect_signing(struct rig *rig, struct bytes raw, const char *file, int line)
{
    if (rig_analyse(rig, raw) && psbt_rig_sign(rig))
        return;
    print_error("# refused: '%s' (%s)\n", rig->err.text, rig->err.detail);
    _fail(file, line);
}

struct bytes rig_warning_labels(const struct rig *rig)
{
    struct writer w = text_writer();
    for (size_t i = 0; i < rig->facts.tx.n_warnings; i++)
        writer_printf(&w, "%s%s", i == 0 ? "" : ", ", rig->facts.tx.warnings[i].label);
    return writer_bytes(&w);
}

static struct bytes find_text(const struct labelled_text *list, size_t n, const char *label)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].label, label) == 0)
            return list[i].text;
    fail_msg("no text with the label %s", label);
}

struct bytes rig_warning(const struct rig *rig, const char *label)
{
    return find_text(rig->facts.tx.warnings, rig->facts.tx.n_warnings, label);
}

struct bytes rig_note(const struct rig *rig, const char *label)
{
    return find_text(rig->facts.tx.notes, rig->facts.tx.n_notes, label);
}

// --- Keys and scripts ---

struct hdkey rig_key(const struct rig *owner, const char *path)
{
    const struct keypath p = test_path(path);
    struct hdkey key;
    struct err err;
    if (!hdkey_derive(&key, &owner->master, &p, &err))
        fail_msg("%s: %s", path, err.text);
    return key;
}

static struct bytes key_bytes(const struct pubkey *key, enum draft_kind kind)
{
    struct writer w = text_writer();
    if (kind == DRAFT_P2PK65) {
        const struct pubkey64 xy = pubkey_to64(key);
        writer_u8(&w, 0x04);
        writer_put(&w, BYTES_OF(xy.b));
    } else if (kind == DRAFT_P2TR) {
        writer_put(&w, bytes_of(key->b + 1, 32));
    } else {
        writer_put(&w, BYTES_OF(key->b));
    }
    return writer_bytes(&w);
}

static struct bytes redeem_of(const struct pubkey *key)
{
    struct writer w = text_writer();
    script_write_p2wpkh(&w, hash160(BYTES_OF(key->b)));
    return writer_bytes(&w);
}

static struct bytes script_of(const struct pubkey *key, enum draft_kind kind)
{
    struct writer w = text_writer();
    switch (kind) {
    case DRAFT_P2PK:
    case DRAFT_P2PK65:
        script_write_push(&w, key_bytes(key, kind));
        writer_u8(&w, 0xac);
        break;
    case DRAFT_P2PKH:
        script_write_p2pkh(&w, hash160(BYTES_OF(key->b)));
        break;
    case DRAFT_P2WPKH:
        return redeem_of(key);
    case DRAFT_P2SH_P2WPKH:
        script_write_p2sh(&w, hash160(redeem_of(key)));
        break;
    case DRAFT_P2TR:
        assert_true(address_script_of_key(&w, key, ADDR_P2TR, &(struct err){ 0 }));
        break;
    }
    return writer_bytes(&w);
}

struct bytes psbt_rig_script(const struct rig *owner, enum draft_kind kind, const char *path)
{
    const struct hdkey key = rig_key(owner, path);
    return script_of(&key.pub.key, kind);
}

struct bytes draft_foreign_script(unsigned n)
{
    struct writer w = text_writer();
    const struct bytes seed = test_u32le(n);
    script_write_p2wpkh(&w, hash160(seed));
    return writer_bytes(&w);
}

// --- Fields ---

void draft_drop(struct psbt_map *map, uint8_t type)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->n_fields; i++)
        if (map->fields[i].key.ptr[0] != type)
            map->fields[kept++] = map->fields[i];
    map->n_fields = kept;
}

void draft_put(struct psbt_map *map, uint8_t type, struct bytes key_data, struct bytes value)
{
    const struct bytes key = test_concat(bytes_of(&type, 1), key_data);
    const struct bytes copy = test_concat(value, (struct bytes){ 0 });
    struct psbt_field *fields = need((map->n_fields + 1) * sizeof *fields);
    for (size_t i = 0; i < map->n_fields; i++)
        if (bytes_equal(map->fields[i].key, key)) {
            map->fields[i].value = copy;
            return;
        }
    if (map->n_fields > 0)
        memcpy(fields, map->fields, map->n_fields * sizeof *fields);
    fields[map->n_fields++] = (struct psbt_field){ key, copy };
    map->fields = fields;
}

void draft_put_u32(struct psbt_map *map, uint8_t type, uint32_t value)
{
    draft_put(map, type, (struct bytes){ 0 }, test_u32le(value));
}

static void put_path(struct psbt_map *map, uint8_t type, struct bytes key, struct xfp xfp,
                     const char *path)
{
    const struct keypath p = test_path(path);
    struct writer value = text_writer();
    if (key.len == 32)
        writer_compact_size(&value, 0); // leaf hashes
    writer_put(&value, BYTES_OF(xfp.b));
    for (size_t i = 0; i < p.depth; i++)
        writer_u32le(&value, p.step[i]);
    draft_put(map, type, key, writer_bytes(&value));
}

void draft_put_path(struct psbt_map *map, uint8_t type, const struct rig *owner, struct xfp xfp,
                    const char *path)
{
    const struct hdkey key = rig_key(owner, path);
    put_path(map, type, key_bytes(&key.pub.key, DRAFT_P2WPKH), xfp, path);
}

// --- Drafts ---

struct draft *draft_new(void)
{
    struct draft *d = need(sizeof *d);
    d->tx.version = 2;
    d->tx.in = need(DRAFT_MAX * sizeof *d->tx.in);
    d->tx.out = need(DRAFT_MAX * sizeof *d->tx.out);
    d->in = need(DRAFT_MAX * sizeof *d->in);
    d->out = need(DRAFT_MAX * sizeof *d->out);
    return d;
}

// A transaction from nowhere, different for each input.
static struct bytes previous_tx(size_t n, struct bytes script, uint64_t sats)
{
    struct writer w = text_writer();
    struct tx_in in = { .prevout.index = (uint32_t)n, .sequence = UINT32_MAX };
    struct tx_out out = { .value = (int64_t)sats, .script = script };
    const struct tx tx = { .version = 2, .n_in = 1, .n_out = 1, .in = &in, .out = &out };
    tx_write(&w, &tx);
    return writer_bytes(&w);
}

static struct bytes witness_utxo(struct bytes script, uint64_t sats)
{
    struct writer w = text_writer();
    writer_u64le(&w, sats);
    writer_counted(&w, script);
    return writer_bytes(&w);
}

struct psbt_map *draft_in_script(struct draft *d, struct bytes script, uint64_t sats,
                                 enum draft_utxo utxo)
{
    const size_t n = d->tx.n_in++;
    const struct bytes prev = previous_tx(n, script, sats), none = { 0 };
    assert_true(n < DRAFT_MAX);
    d->tx.in[n].prevout.txid = sha256d(prev);
    d->tx.in[n].sequence = 0xfffffffd;
    if (utxo == DRAFT_UTXO_PREV || utxo == DRAFT_UTXO_BOTH)
        draft_put(&d->in[n], PSBT_IN_NON_WITNESS_UTXO, none, prev);
    if (utxo == DRAFT_UTXO_WITNESS || utxo == DRAFT_UTXO_BOTH)
        draft_put(&d->in[n], PSBT_IN_WITNESS_UTXO, none, witness_utxo(script, sats));
    return &d->in[n];
}

struct psbt_map *draft_in_utxo(struct draft *d, const struct rig *owner, enum draft_kind kind,
                               const char *path, uint64_t sats, enum draft_utxo utxo)
{
    const struct hdkey key = rig_key(owner, path);
    struct psbt_map *map = draft_in_script(d, script_of(&key.pub.key, kind), sats, utxo);
    if (kind == DRAFT_P2SH_P2WPKH)
        draft_put(map, PSBT_IN_REDEEM_SCRIPT, (struct bytes){ 0 }, redeem_of(&key.pub.key));
    if (kind == DRAFT_P2TR)
        draft_put(map, PSBT_IN_TAP_INTERNAL_KEY, (struct bytes){ 0 },
                  key_bytes(&key.pub.key, kind));
    put_path(map, kind == DRAFT_P2TR ? PSBT_IN_TAP_KEY_PATH : PSBT_IN_KEY_PATH,
             key_bytes(&key.pub.key, kind), owner->view.xfp, path);
    return map;
}

struct psbt_map *draft_in(struct draft *d, const struct rig *owner, enum draft_kind kind,
                          const char *path, uint64_t sats)
{
    const bool segwit = kind == DRAFT_P2WPKH || kind == DRAFT_P2SH_P2WPKH || kind == DRAFT_P2TR;
    return draft_in_utxo(d, owner, kind, path, sats, segwit ? DRAFT_UTXO_WITNESS : DRAFT_UTXO_PREV);
}

struct psbt_map *draft_pay(struct draft *d, struct bytes script, uint64_t sats)
{
    const size_t n = d->tx.n_out++;
    assert_true(n < DRAFT_MAX);
    d->tx.out[n] = (struct tx_out){ (int64_t)sats, script };
    return &d->out[n];
}

struct psbt_map *draft_change(struct draft *d, const struct rig *owner, enum draft_kind kind,
                              const char *path, uint64_t sats)
{
    const struct hdkey key = rig_key(owner, path);
    struct psbt_map *map = draft_pay(d, script_of(&key.pub.key, kind), sats);
    if (kind == DRAFT_P2SH_P2WPKH)
        draft_put(map, PSBT_OUT_REDEEM_SCRIPT, (struct bytes){ 0 }, redeem_of(&key.pub.key));
    if (kind == DRAFT_P2TR)
        draft_put(map, PSBT_OUT_TAP_INTERNAL_KEY, (struct bytes){ 0 },
                  key_bytes(&key.pub.key, kind));
    put_path(map, kind == DRAFT_P2TR ? PSBT_OUT_TAP_KEY_PATH : PSBT_OUT_KEY_PATH,
             key_bytes(&key.pub.key, kind), owner->view.xfp, path);
    return map;
}

struct draft *draft_usual(const struct rig *rig)
{
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 100000000);
    (void)draft_pay(d, draft_foreign_script(0), 30000000);
    (void)draft_change(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/1/0", 69990000);
    return d;
}

// --- Writing ---

static struct bytes count_value(size_t n)
{
    struct writer w = text_writer();
    writer_compact_size(&w, n);
    return writer_bytes(&w);
}

static void global_v2(struct psbt_map *map, const struct tx *tx)
{
    const struct bytes none = { 0 };
    draft_put_u32(map, PSBT_GLOBAL_TX_VERSION, (uint32_t)tx->version);
    if (tx->locktime != 0)
        draft_put_u32(map, PSBT_GLOBAL_FALLBACK_LOCKTIME, tx->locktime);
    draft_put(map, PSBT_GLOBAL_INPUT_COUNT, none, count_value(tx->n_in));
    draft_put(map, PSBT_GLOBAL_OUTPUT_COUNT, none, count_value(tx->n_out));
    draft_put_u32(map, PSBT_GLOBAL_VERSION, 2);
}

static void input_v2(struct psbt_map *map, const struct tx_in *in)
{
    const struct bytes none = { 0 };
    draft_put(map, PSBT_IN_PREVIOUS_TXID, none, BYTES_OF(in->prevout.txid.b));
    draft_put_u32(map, PSBT_IN_OUTPUT_INDEX, in->prevout.index);
    draft_put_u32(map, PSBT_IN_SEQUENCE, in->sequence);
}

static void output_v2(struct psbt_map *map, const struct tx_out *out)
{
    const struct bytes none = { 0 };
    struct writer amount = text_writer();
    writer_i64le(&amount, out->value);
    draft_put(map, PSBT_OUT_AMOUNT, none, writer_bytes(&amount));
    draft_put(map, PSBT_OUT_SCRIPT, none, out->script);
}

// What the maps of the draft add comes behind what the transaction gives.
static void write_map(struct writer *w, struct psbt_map map, const struct psbt_map *own)
{
    for (size_t i = 0; i < own->n_fields; i++)
        draft_put(&map, own->fields[i].key.ptr[0], psbt_key_data(&own->fields[i]),
                  own->fields[i].value);
    psbt_write_map(w, &map);
}

struct bytes draft_write(const struct draft *d, uint32_t version)
{
    struct writer w = text_writer(), tx = text_writer();
    struct psbt_map global = { 0 };
    writer_put(&w, BYTES(PSBT_MAGIC));
    tx_write(&tx, &d->tx);
    if (version == 0)
        draft_put(&global, PSBT_GLOBAL_UNSIGNED_TX, (struct bytes){ 0 }, writer_bytes(&tx));
    else
        global_v2(&global, &d->tx);
    write_map(&w, global, &d->global);
    for (size_t i = 0; i < d->tx.n_in; i++) {
        struct psbt_map map = { 0 };
        if (version == 2)
            input_v2(&map, &d->tx.in[i]);
        write_map(&w, map, &d->in[i]);
    }
    for (size_t i = 0; i < d->tx.n_out; i++) {
        struct psbt_map map = { 0 };
        if (version == 2)
            output_v2(&map, &d->tx.out[i]);
        write_map(&w, map, &d->out[i]);
    }
    assert_false(w.failed || tx.failed);
    return writer_bytes(&w);
}

struct bytes draft_v0(const struct draft *d)
{
    return draft_write(d, 0);
}
