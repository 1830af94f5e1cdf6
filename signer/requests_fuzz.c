// Hosts and an operator who do anything, in any order, to a device in normal and HSM mode.
//
// The input is a list of acts. After each of them:
// (1) a request has got exactly one reply, which reads back;
// (2) counters in memory are those on disk, and so is what was spent;
// (3) what was spent is within each rule's limit, and where every rule has one and no message may be
//     signed, an approval is a transaction's that was charged.
#include "signer/requests.h"
#include "base/file.h"
#include "base/reader.h"
#include "base/require.h"
#include "fuzz/fuzz.h"
#include "tests/support/device_rig.h"
#include <ftw.h>
#include <unistd.h>

#define LIMIT     5000 // sat a period of 10 minutes
#define POLICY    "{\"period\":10,\"rules\":[{\"per_period\":5000}]}"
#define ACTS_MAX  64
#define DB_MAX    ((size_t)4 << 20)
#define TEMPLATES 4

// --- A signer that was made once; each input begins with a copy of it ---

static struct {
    char dir[64];
    struct arena *arena;
    struct bytes normal, armed; // its store: without a policy, and with one that boots
    struct bytes psbts[TEMPLATES];
} made;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_dir(void)
{
    (void)nftw(made.dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    arena_free(made.arena);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", made.dir, name);
    return path;
}

static struct bytes read_store(void)
{
    struct bytes db;
    struct err err;
    REQUIRE(file_read(&db, path_of("signer.db"), DB_MAX, made.arena, &err));
    return db;
}

static void make_psbts(struct device_rig *rig)
{
    static const uint64_t sats[TEMPLATES] = { 1, 1000, LIMIT, LIMIT + 1 };
    for (size_t i = 0; i < TEMPLATES; i++)
        REQUIRE(arena_copy(made.arena, rig_payment(rig, sats[i]), &made.psbts[i]));
}

static void make(void)
{
    snprintf(made.dir, sizeof made.dir, "%s/casemate-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); // the first needs no disk
    REQUIRE(mkdtemp(made.dir) != NULL);
    (void)atexit(remove_dir);
    made.arena = arena_new(DB_MAX * 4);
    struct device_rig *rig = device_rig_prepare(made.dir);
    rig->of_xprv = true;
    device_rig_start(rig);
    make_psbts(rig);
    rig_add_users(rig_host_linked(rig));
    device_rig_stop(rig);
    made.normal = read_store();
    device_rig_start(rig);
    rig_activate(rig_host_linked(rig), POLICY);
    device_rig_free(rig);
    made.armed = read_store();
}

static struct device_rig *fresh(struct bytes db)
{
    static const char *const leftovers[] = { "signer.db-wal", "signer.db-shm", "journal.jsonl" };
    struct err err;
    for (size_t i = 0; i < COUNT(leftovers); i++)
        (void)unlink(path_of(leftovers[i]));
    REQUIRE(file_replace(path_of("signer.db"), db, 0600, &err));
    return device_rig_new(made.dir);
}

// --- What must hold ---

static void check(struct device_rig *rig)
{
    struct err err;
    const struct hsm *hsm = rig->device.hsm;
    REQUIRE((rig->device.state == DEVICE_HSM) == (hsm != NULL));
    REQUIRE(rig->wire_is_open ==
            (rig->device.state == DEVICE_HSM || rig->device.state == DEVICE_NORMAL));
    if (hsm == NULL)
        return;
    const struct store_counters stored = store_get_counters(rig->store);
    REQUIRE(stored.approvals == hsm->counters.approvals);
    REQUIRE(stored.refusals == hsm->counters.refusals);
    REQUIRE(hsm->queue.n <= USERS_MAX && hsm->n_digits <= LOCAL_CODE_DIGITS);
    if (!hsm->velocity.running)
        return;
    struct velocity velocity;
    REQUIRE(store_get_velocity(rig->store, &hsm->policy_hash, &velocity, &err));
    REQUIRE(velocity.running);
    for (size_t i = 0; i < hsm->policy.n_rules; i++) {
        const struct sats_limit limit = hsm->policy.rules[i].per_period;
        REQUIRE(velocity.spent[i].n == hsm->velocity.spent[i].n);
        REQUIRE(velocity.spent[i].n <= (limit.is_set ? limit.max.n : 0));
    }
}

// --- Acts ---

struct act {
    struct device_rig *rig;
    struct rig_host *hosts[2];
    struct reader r;
};

static uint8_t byte(struct act *a)
{
    uint8_t b = 0;
    (void)!reader_u8(&a->r, &b);
    return b;
}

static struct bytes part(struct act *a, size_t max)
{
    struct bytes out = { 0 };
    size_t len = byte(a);
    len = len < max ? len : max;
    len = len < a->r.rest.len ? len : a->r.rest.len;
    (void)!reader_take(&a->r, len, &out);
    return out;
}

// Encryption is left out of it: the message comes as wire/device.h hands it over.
static void request(struct act *a, struct bytes message, bool encrypted)
{
    struct device_rig *rig = a->rig;
    struct peer *peer = rig_peer(a->hosts[byte(a) & 1]);
    AUTO(arena_freep) struct arena *arena = arena_new(64u << 20);
    struct writer w = writer_growing(arena, 16u << 20);
    struct bytes packed;
    struct reply reply;
    struct err err;
    if (!rig->wire_is_open || message.len < CODE_LEN)
        return;
    requests_serve(&rig->device, peer, message, encrypted && link_is_open(&peer->end.link), &w);
    REQUIRE(writer_finish(&w, &packed));
    REQUIRE(reply_unpack(&reply, packed, &err));
}

static void raw(struct act *a)
{
    const bool encrypted = (byte(a) & 1) != 0;
    request(a, part(a, 255), encrypted);
}

static void known(struct act *a)
{
    static const struct request_info *info;
    uint8_t mem[CODE_LEN + 255];
    struct writer w = writer_of(mem, sizeof mem);
    info = request_info((enum request_id)(1 + byte(a) % (REQUEST_COUNT - 1)));
    writer_text(&w, info->code);
    writer_put(&w, part(a, 255));
    request(a, writer_bytes(&w), true);
}

static void request_of(struct act *a, const struct request *req)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1u << 20);
    struct writer w = writer_growing(arena, REQUEST_MAX);
    struct bytes message;
    request_pack(&w, req);
    if (writer_finish(&w, &message))
        request(a, message, true);
}

static void upload(struct act *a, struct bytes content)
{
    request_of(
        a, &(struct request){ .id = REQUEST_UPLD, .upld = { 0, (uint32_t)content.len, content } });
}

// One of the payments, with a byte of it changed.
static void sign(struct act *a)
{
    uint8_t mem[BLOCK_MAX];
    const struct bytes psbt = made.psbts[byte(a) % TEMPLATES];
    REQUIRE(psbt.len < sizeof mem);
    memcpy(mem, psbt.ptr, psbt.len);
    const size_t high = byte(a), at = (high << 8 | byte(a)) % psbt.len;
    mem[at] ^= byte(a);
    const struct bytes changed = bytes_of(mem, psbt.len);
    const uint32_t flags = byte(a);
    upload(a, changed);
    request_of(
        a, &(struct request){
               .id = REQUEST_STXN,
               .stxn = { .length = (uint32_t)psbt.len, .flags = flags, .sha = sha256(changed) } });
}

static void message(struct act *a)
{
    const uint32_t format = byte(a) % 4 == 0 ? 7 : 1;
    request_of(
        a, &(struct request){ .id = REQUEST_SMSG, .smsg = { format, BYTES("m/1"), part(a, 255) } });
}

static void policy(struct act *a)
{
    const struct bytes file = byte(a) % 2 == 0 ? BYTES(POLICY) : part(a, 255);
    upload(a, file);
    request_of(a, &(struct request){ .id = REQUEST_HSMS,
                                     .hsms = { true, { (uint32_t)file.len, sha256(file) } } });
}

static void keys(struct act *a)
{
    static const char all[] = "yx0123456789yyyx";
    char pressed[17] = { 0 };
    const uint8_t n = byte(a) % 16;
    for (uint8_t i = 0; i < n; i++)
        pressed[i] = all[byte(a) % 16];
    rig_keys(a->rig, pressed);
}

static void user(struct act *a)
{
    static const char *const names[] = { "alice", "bob", "carol", "zed" };
    const char *name = names[byte(a) % COUNT(names)];
    const uint32_t step = 57000000u + byte(a);
    request_of(a, &(struct request){ .id = REQUEST_USER,
                                     .user = { step, bytes_of_text(name), part(a, 64) } });
}

static void pass(struct act *a)
{
    const int64_t tenths = byte(a);
    rig_pass(a->rig, tenths * byte(a) * 100);
}

static void packet(struct act *a)
{
    struct writer w = writer_growing(a->rig->arena, 16u << 20);
    if (a->rig->wire_is_open)
        requests_feed(&a->rig->device, rig_peer(a->hosts[byte(a) & 1]), part(a, 64), &w);
}

static void ask(struct act *a)
{
    static const enum request_id ids[] = { REQUEST_STOK, REQUEST_SMOK, REQUEST_BKOK, REQUEST_HSTS };
    rig_run(a->rig);
    request_of(a, &(struct request){ .id = ids[byte(a) % COUNT(ids)] });
}

static void begin(struct act *a, bool armed)
{
    a->rig = fresh(armed ? made.armed : made.normal);
    if (armed)
        rig_keys(a->rig, "y");
    a->hosts[0] = rig_host_linked(a->rig);
    a->hosts[1] = rig_host_new(a->rig);
}

static bool charges_all(const struct hsm *hsm)
{
    for (size_t i = 0; i < hsm->policy.n_rules; i++) {
        if (!hsm->policy.rules[i].per_period.is_set)
            return false;
    }
    return hsm->policy.msg_paths.n == 0;
}

static uint64_t approvals(const struct device_rig *rig)
{
    return rig->device.hsm != NULL ? rig->device.hsm->counters.approvals : 0;
}

static void act(struct act *a)
{
    static void (*const acts[])(struct act *) = { raw,  known, sign, sign,   ask,   message,
                                                  keys, user,  pass, packet, policy };
    const uint64_t before = approvals(a->rig);
    acts[byte(a) % COUNT(acts)](a);
    rig_run(a->rig);
    if (a->rig->has_stopped)
        return;
    check(a->rig);
    if (approvals(a->rig) > before && charges_all(a->rig->device.hsm))
        REQUIRE(a->rig->device.hsm->velocity.running);
}

FUZZ_TARGET(data)
{
    struct act a = { .r = reader_of(data) };
    if (made.arena == NULL)
        make();
    begin(&a, (byte(&a) & 1) != 0);
    for (int i = 0; i < ACTS_MAX && !reader_done(&a.r) && !a.rig->has_stopped; i++)
        act(&a);
    device_rig_free(a.rig);
}
