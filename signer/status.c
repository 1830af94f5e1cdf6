#include "signer/status.h"
#include "base/json.h"
#include "signer/hsm_report.h"
#include "signer/hsm_start.h"
#include "signer/pinned.h"
#include "wire/socket_name.h"

static void write_names(struct json_writer *j, const char *key, const struct device *device)
{
    const struct user_list *users = device_open_users(device);
    json_key(j, key);
    json_begin_array(j);
    for (size_t i = 0; i < users->n; i++)
        json_string(j, user_name(&users->items[i]));
    json_end_array(j);
    device_close_users(device);
}

// What `casemate audit verify` needs.
static void write_journal(struct json_writer *j, const struct device *device)
{
    const struct store_head head = store_get_head(device->store);
    if (!device->has_seed)
        return;
    json_key(j, "journal");
    json_begin_object(j);
    json_key(j, "key");
    json_hex(j, BYTES_OF(device->journal.key));
    json_key(j, "seq");
    json_u64(j, head.seq);
    json_key(j, "hash");
    json_hex(j, BYTES_OF(head.hash.b));
    json_end_object(j);
}

// Password users whose key was salted with another serial number than the one on this link: clients
// salt with it. Source: policy.md D33.
static void write_serials(struct json_writer *j, const struct device *device)
{
    const struct user_list *users = device_open_users(device);
    json_key(j, "serials");
    json_begin_object(j);
    for (size_t i = 0; i < users->n; i++) {
        const struct user *user = &users->items[i];
        if (user->mode != USER_PASSWORD || strcmp(user->salt_serial, SOCKET_SERIAL) == 0)
            continue;
        json_key_bytes(j, user_name(user));
        json_text(j, user->salt_serial);
    }
    json_end_object(j);
    device_close_users(device);
}

static bool has_foreign_serials(const struct device *device)
{
    const struct user_list *users = device_open_users(device);
    bool found = false;
    for (size_t i = 0; i < users->n; i++)
        found = found || (users->items[i].mode == USER_PASSWORD &&
                          strcmp(users->items[i].salt_serial, SOCKET_SERIAL) != 0);
    device_close_users(device);
    return found;
}

// What windows of their own have counted: the members `has_spent` and `period_ends` are of the period
// that rules share.
static void write_windows(struct json_writer *j, const struct hsm *hsm)
{
    json_key(j, "windows");
    json_begin_array(j);
    for (size_t i = 0; i < hsm->policy.n_rules; i++) {
        if (!rule_has_own_window(&hsm->policy.rules[i]) || !rule_counts(&hsm->policy.rules[i]))
            continue;
        json_begin_object(j);
        json_key(j, "rule");
        json_u64(j, i + 1);
        json_key(j, "spent");
        json_u64(j, hsm->velocity.spent[i].n);
        json_key(j, "txns");
        json_u64(j, hsm->velocity.n[i]);
        json_end_object(j);
    }
    json_end_array(j);
}

static void write_details(struct json_writer *j, const struct device *device, uint64_t peer)
{
    const struct hsm *hsm = device->hsm;
    bool has_windows = false;
    if (device->state != DEVICE_HSM || hsm->policy.priv_over_ux)
        return;
    for (size_t i = 0; i < hsm->policy.n_rules; i++)
        has_windows |= rule_has_own_window(&hsm->policy.rules[i]);
    if (has_windows)
        write_windows(j, hsm);
    hsm_report_write(j, hsm, peer);
}

// The member that clients of a Coldcard ignore: what is ours.
static void write_casemate(struct json_writer *j, struct device *device, uint64_t peer)
{
    struct hash256 full;
    struct err err;
    json_key(j, "casemate");
    json_begin_object(j);
    json_key(j, "version");
    json_text(j, CASEMATE_VERSION);
    json_key(j, "simulator");
    json_bool(j, device->simulator);
    if (device->state == DEVICE_HSM && pinned_hash(device, &device->hsm->policy, &full, &err)) {
        json_key(j, "policy_hash_full");
        json_hex(j, BYTES_OF(full.b));
    }
    write_journal(j, device);
    const bool hides_users = device->state == DEVICE_HSM && device->hsm->policy.priv_over_ux;
    if (!hides_users && has_foreign_serials(device))
        write_serials(j, device);
    write_details(j, device, peer);
    json_end_object(j);
}

static bool has_stored_policy(const struct device *device)
{
    AUTO(arena_freep) struct arena *arena = arena_new(STORE_POLICY_MAX + (1u << 20));
    struct store_policy policy;
    struct err err;
    return store_get_policy(device->store, &policy, arena, &err) && policy.form.len > 0;
}

static void write_inactive(struct json_writer *j, const struct device *device)
{
    json_key(j, "active");
    json_bool(j, false);
    json_key(j, "policy_available");
    json_bool(j, has_stored_policy(device));
    if (hsm_start_is_asking(device)) {
        json_key(j, "approval_wait");
        json_bool(j, true);
    }
    json_key(j, "chain");
    json_text(j, device_chain(device)->code);
    write_names(j, "users", device);
    json_key(j, "wallets");
    json_begin_array(j);
    for (size_t i = 0; i < device->wallets.n; i++)
        json_text(j, device->wallets.list[i]->name);
    json_end_array(j);
}

// Policy 20, row 12: the rules pages say that privacy hides them; the extension does.
static bool hides_refusals(const struct hsm *hsm)
{
    return hsm->policy.priv_over_ux && hsm->policy.own.hide_refusals;
}

static void write_refusals(struct json_writer *j, const struct hsm *hsm)
{
    json_key(j, "approvals");
    json_u64(j, hsm->counters.approvals);
    json_key(j, "refusals");
    json_u64(j, hsm->counters.refusals);
    json_key(j, "last_refusal");
    if (hsm->last_refusal != NULL)
        json_text(j, hsm->last_refusal);
    else
        json_null(j);
}

static void write_public(struct json_writer *j, const struct device *device)
{
    const struct hsm *hsm = device->hsm;
    json_key(j, "active");
    json_bool(j, true);
    json_key(j, "chain");
    json_text(j, device_chain(device)->code);
    json_key(j, "policy_hash");
    json_hex(j, BYTES_OF(hsm->policy_hash.b));
    if (policy_wants_local_code(&hsm->policy)) {
        char code[21];
        hsm_next_local_code(code, hsm);
        json_key(j, "next_local_code");
        json_text(j, code);
    }
    if (!hides_refusals(hsm))
        write_refusals(j, hsm);
}

static void write_velocity(struct json_writer *j, struct device *device)
{
    const struct hsm *hsm = device->hsm;
    if (!hsm->velocity.running)
        return;
    json_key(j, "period_ends");
    json_i64(j, velocity_left_s(&hsm->velocity, &hsm->policy, hsm_now_s(device)));
    json_key(j, "has_spent");
    json_begin_array(j);
    for (size_t i = 0; i < hsm->policy.n_rules; i++)
        json_u64(j, hsm->velocity.spent[i].n);
    json_end_array(j);
}

static void write_uptime(struct json_writer *j, const struct device *device)
{
    const int64_t ms = device->clock->monotonic_ms(device->clock) - device->hsm->since_ms;
    char text[32];
    struct writer w = writer_of(text, sizeof text);
    writer_printf(&w, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
    json_key(j, "uptime");
    json_raw(j, writer_bytes(&w));
}

static void write_private(struct json_writer *j, struct device *device)
{
    const struct hsm *hsm = device->hsm;
    hsm_advance(device);
    write_names(j, "users", device);
    json_key(j, "summary");
    json_string(j, blob_bytes(&hsm->summary));
    json_key(j, "pending_auth");
    json_u64(j, hsm->queue.n);
    json_key(j, "sl_reads");
    json_u64(j, hsm->counters.locker_reads);
    json_key(j, "period");
    if (hsm->policy.period_min > 0)
        json_u64(j, hsm->policy.period_min);
    else
        json_null(j);
    write_uptime(j, device);
    write_velocity(j, device);
}

void status_write(struct writer *w, struct device *device, uint64_t peer)
{
    struct json_writer j = json_writer_of(w);
    j.ascii = true; // `asci` replies are, as clients decode them
    json_begin_object(&j);
    if (device->state != DEVICE_HSM) {
        write_inactive(&j, device);
    } else {
        write_public(&j, device);
        if (!device->hsm->policy.priv_over_ux)
            write_private(&j, device);
    }
    write_casemate(&j, device, peer);
    json_end_object(&j);
}
