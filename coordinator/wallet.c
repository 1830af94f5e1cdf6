#include "coordinator/wallet.h"
#include "base/require.h"
#include "bitcoin/descriptor.h"
#include "bitcoin/multisig_register.h"
#include "coordinator/wallet_table.h"
#include <pthread.h>

enum { WALLET_NAME_MAX = 64, ARENA = 1 << 20 };

// What grows: one for all threads.
struct known {
    pthread_mutex_t lock, derived_lock;
    struct keytable *derived; // with derived_lock; NULL until somebody wants it
    struct wallet_table table;
    uint32_t n[MS_BRANCHES]; // places of each branch
};

struct wallet {
    char name[WALLET_NAME_MAX + 1];
    const char *network;
    struct ms_wallet keys;
    uint8_t descriptor_mem[MS_BRANCHES][MS_EXPORT_MAX];
    struct bytes descriptor[MS_BRANCHES];
    struct descriptor_keys children[MS_BRANCHES]; // borrows from those
    struct known *known;
};

static const struct {
    const char *name;
    enum chain_id chain;
} NETWORKS[] = {
    { "main", CHAIN_BTC },   { "test", CHAIN_XTN },    { "testnet4", CHAIN_XTN },
    { "signet", CHAIN_XTN }, { "regtest", CHAIN_XRT },
};

// --- Reading ---

static bool find_network(struct wallet *wallet, struct bytes name)
{
    for (size_t i = 0; i < COUNT(NETWORKS); i++)
        if (bytes_equal_text(name, NETWORKS[i].name)) {
            wallet->network = NETWORKS[i].name;
            return true;
        }
    return false;
}

const struct chain *wallet_chain_of(struct bytes network)
{
    for (size_t i = 0; i < COUNT(NETWORKS); i++)
        if (bytes_equal_text(network, NETWORKS[i].name))
            return chain_by_id(NETWORKS[i].chain);
    return NULL;
}

static bool bad(struct err *err, const char *what)
{
    return code_fail(err, CODE_BAD_REQUEST, "%s", what);
}

// The error of a module that knows no codes.
static bool recoded(struct err *err)
{
    const struct err inner = *err;
    return code_fail(err, CODE_BAD_REQUEST, "%s", inner.text);
}

// One key of the change descriptor: the cosigner's, below branch 1. *seen: which cosigners had a key.
static bool check_change_key(const struct ms_wallet *wallet, struct bytes expression,
                             uint32_t *seen, struct err *err)
{
    struct descriptor_key key;
    if (!descriptor_key_parse(&key, expression, err))
        return recoded(err);
    const size_t at = key.has_origin ? ms_wallet_position(wallet, key.origin.xfp) : wallet->n;
    if (at == wallet->n)
        return bad(err, "the change descriptor has a key of nobody in the receive descriptor");
    const struct ms_cosigner *cosigner = &wallet->cosigner[at];
    if (key.kind != DESCRIPTOR_KEY_EXTENDED || !hdpub_equal(&key.node, &cosigner->node) ||
        !keypath_equal(&key.origin.path, &cosigner->origin.path) || (*seen >> at & 1u) != 0)
        return bad(err, "the change descriptor has other keys than the receive descriptor");
    if (key.has_pair || key.path.depth != 1 || key.path.step[0] != MS_CHANGE ||
        key.child != TAIL_STAR)
        return bad(err, "the change descriptor's keys do not end in /1/*");
    *seen |= 1u << at;
    return true;
}

static bool check_change(const struct ms_wallet *wallet, struct bytes text, struct err *err)
{
    struct descriptor d;
    struct bytes body, expression;
    uint32_t seen = 0;
    if (!descriptor_body(&body, bytes_trim(text), err) || !descriptor_parse(&d, body, err))
        return recoded(err);
    const enum descriptor_outer outer =
        wallet->format == ADDR_P2WSH ? DESCRIPTOR_WSH : DESCRIPTOR_SH_WSH;
    if (d.outer != outer || d.function != DESCRIPTOR_SORTEDMULTI || d.threshold != wallet->m ||
        d.n_keys != wallet->n)
        return bad(err, "receive and change descriptor are not of one form");
    struct reader keys = reader_of(d.keys);
    while (descriptor_next_key(&keys, &expression))
        if (!check_change_key(wallet, expression, &seen, err))
            return false;
    return true;
}

// Whether the receive descriptor has both branches, "<0;1>".
static bool is_pair(struct bytes text)
{
    return text.len > 0 && memmem(text.ptr, text.len, "<0;1>", 5) != NULL;
}

static bool is_plain(struct bytes text)
{
    return text.len > 0 && memmem(text.ptr, text.len, "<", 1) == NULL;
}

static bool read_keys(struct wallet *wallet, const struct wallet_text *text, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA);
    const struct chain *chain = wallet_chain_of(text->network);
    struct ms_wallet *keys = &wallet->keys;
    struct descriptor d;
    struct bytes body;
    // ms_read_foreign reads other forms of wallets, too.
    if (!descriptor_body(&body, bytes_trim(text->desc_receive), err) ||
        !descriptor_parse(&d, body, err) ||
        !ms_read_foreign(keys, bytes_trim(text->desc_receive), chain, arena, err))
        return recoded(err);
    if (!keys->sorted || keys->format == ADDR_P2SH)
        return bad(err, "only wsh(sortedmulti()) and sh(wsh(sortedmulti())) are supported");
    // Devices take an output with one key path for a single key's, and refuse such change.
    if (keys->n < 2)
        return bad(err, "a wallet has two keys or more");
    if (text->desc_change.len == 0)
        return is_pair(text->desc_receive) || bad(err, "there is no change descriptor");
    if (!is_plain(text->desc_receive))
        return bad(err, "the receive descriptor's keys do not end in /0/*");
    return check_change(keys, text->desc_change, err);
}

static bool set_name(char *out, size_t max, struct bytes name)
{
    if (name.len == 0 || name.len > max || !bytes_is_printable_ascii(name))
        return false;
    memcpy(out, name.ptr, name.len);
    out[name.len] = 0;
    return true;
}

// From here on the descriptors are ours, whatever spelling they came in.
static bool write_descriptors(struct wallet *wallet, struct err *err)
{
    for (enum ms_branch branch = 0; branch < MS_BRANCHES; branch++) {
        struct writer w = writer_of(wallet->descriptor_mem[branch], MS_EXPORT_MAX);
        struct descriptor d;
        struct bytes body;
        ms_wallet_descriptor(&w, &wallet->keys, branch);
        if (!writer_finish(&w, &wallet->descriptor[branch]) ||
            !descriptor_body(&body, wallet->descriptor[branch], err) ||
            !descriptor_parse(&d, body, err) ||
            !descriptor_keys_read(&wallet->children[branch], &d, false, err))
            return recoded(err);
    }
    return true;
}

static bool read_wallet(struct wallet *wallet, const struct wallet_text *text, struct err *err)
{
    const struct bytes registered = text->registered_name != NULL
                                        ? bytes_of_text(text->registered_name)
                                        : bytes_slice(text->name, 0, MS_NAME_MAX);
    if (!set_name(wallet->name, WALLET_NAME_MAX, text->name))
        return bad(err, "the name is not 1 to 64 printable characters");
    if (!find_network(wallet, text->network))
        return bad(err, "the network is not main, test, testnet4, signet or regtest");
    if (!read_keys(wallet, text, err))
        return false;
    // Devices know it by this name; a longer one would be cut there.
    if (!set_name(wallet->keys.name, MS_NAME_MAX, registered))
        return bad(err, "the name on the devices is not 1 to 20 printable characters");
    return write_descriptors(wallet, err);
}

// --- What is known of its own scripts ---

// With the lock.
static void derive_to(const struct wallet *wallet, enum ms_branch branch, uint32_t n)
{
    struct known *known = wallet->known;
    for (uint32_t i = known->n[branch]; i < n; i++) {
        uint8_t mem[40];
        struct writer w = writer_of(mem, sizeof mem);
        struct err err;
        // BIP-32: one child in 2^127 has no key; nobody can be paid there.
        if (descriptor_child(&w, &wallet->children[branch], i, &err))
            wallet_table_put(&known->table, writer_bytes(&w), (struct wallet_place){ branch, i });
    }
    if (n > known->n[branch])
        known->n[branch] = n;
}

// The first look-ahead is derived when it is first asked for: not every wallet that is read is used.
static struct known *lock_known(const struct wallet *wallet)
{
    REQUIRE(pthread_mutex_lock(&wallet->known->lock) == 0);
    for (enum ms_branch branch = 0; branch < MS_BRANCHES; branch++)
        derive_to(wallet, branch, WALLET_GAP);
    return wallet->known;
}

static void unlock_known(struct known *known)
{
    REQUIRE(pthread_mutex_unlock(&known->lock) == 0);
}

static struct known *known_new(void)
{
    struct known *known = calloc(1, sizeof *known);
    REQUIRE(known != NULL && pthread_mutex_init(&known->lock, NULL) == 0 &&
            pthread_mutex_init(&known->derived_lock, NULL) == 0);
    return known;
}

bool wallet_new(struct wallet **out, const struct wallet_text *text, struct err *err)
{
    struct wallet *wallet = calloc(1, sizeof *wallet);
    REQUIRE(wallet != NULL);
    wallet->known = known_new();
    if (!read_wallet(wallet, text, err)) {
        wallet_free(wallet);
        return bytes_is_printable_ascii(text->name) && text->name.len <= WALLET_NAME_MAX
                   ? err_within(err, "wallet %.*s", BYTES_ARG(text->name))
                   : err_within(err, "wallet");
    }
    *out = wallet;
    return true;
}

void wallet_free(struct wallet *wallet)
{
    if (wallet == NULL)
        return;
    wallet_table_wipe(&wallet->known->table);
    keytable_free(wallet->known->derived);
    (void)pthread_mutex_destroy(&wallet->known->lock);
    (void)pthread_mutex_destroy(&wallet->known->derived_lock);
    free(wallet->known);
    free(wallet);
}

void wallet_freep(struct wallet **wallet)
{
    wallet_free(*wallet);
}

bool wallet_owns(const struct wallet *wallet, struct bytes script, struct wallet_place *out)
{
    struct known *known = lock_known(wallet);
    const bool found = wallet_table_get(&known->table, script, out);
    unlock_known(known);
    return found;
}

void wallet_note_used(const struct wallet *wallet, struct wallet_place place)
{
    REQUIRE(place.branch < MS_BRANCHES);
    const uint32_t index = place.index < WALLET_INDEX_MAX ? place.index : WALLET_INDEX_MAX;
    struct known *known = lock_known(wallet);
    derive_to(wallet, place.branch, index + 1 + WALLET_GAP);
    unlock_known(known);
}

uint32_t wallet_known(const struct wallet *wallet, enum ms_branch branch)
{
    struct known *known = lock_known(wallet);
    const uint32_t n = known->n[branch];
    unlock_known(known);
    return n;
}

struct keytable *wallet_take_derived(const struct wallet *wallet)
{
    struct known *known = wallet->known;
    if (pthread_mutex_trylock(&known->derived_lock) != 0)
        return NULL;
    if (known->derived == NULL)
        known->derived = keytable_new();
    return known->derived;
}

void wallet_give_derived(const struct wallet *wallet, struct keytable *derived)
{
    if (derived != NULL)
        REQUIRE(pthread_mutex_unlock(&wallet->known->derived_lock) == 0);
}

// --- What it is ---

const struct ms_wallet *wallet_keys(const struct wallet *wallet)
{
    return &wallet->keys;
}

const struct chain *wallet_chain(const struct wallet *wallet)
{
    return wallet->keys.chain;
}

const char *wallet_network(const struct wallet *wallet)
{
    return wallet->network;
}

const char *wallet_name(const struct wallet *wallet)
{
    return wallet->name;
}

struct bytes wallet_descriptor(const struct wallet *wallet, enum ms_branch branch)
{
    REQUIRE(branch < MS_BRANCHES);
    return wallet->descriptor[branch];
}

bool wallet_output_script(struct writer *w, const struct wallet *wallet, struct wallet_place place,
                          struct err *err)
{
    REQUIRE(place.branch < MS_BRANCHES);
    return descriptor_child(w, &wallet->children[place.branch], place.index, err);
}

bool wallet_address(struct writer *w, const struct wallet *wallet, struct wallet_place place,
                    struct err *err)
{
    return ms_wallet_address(w, &wallet->keys, place.branch, place.index, err);
}

bool wallet_outflow(const struct wallet *wallet, const struct tx *tx, struct sats *out)
{
    struct sats sum = { 0 };
    for (size_t i = 0; i < tx->n_out; i++) {
        struct wallet_place place;
        if (wallet_owns(wallet, tx->out[i].script, &place))
            wallet_note_used(wallet, place);
        else if (tx->out[i].value < 0 ||
                 !sats_add(&sum, (struct sats){ (uint64_t)tx->out[i].value }))
            return false;
    }
    *out = sum;
    return true;
}

bool wallet_registration(struct writer *w, const struct wallet *wallet, struct err *err)
{
    return ms_wallet_export(w, &wallet->keys, wallet->keys.cosigner[0].origin.xfp, err);
}
