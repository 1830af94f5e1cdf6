// coordinator/changes.h -- changes of limits, lists and rights are requests: drafted, approved by others,
// delayed, published, taken back.
//
// (1) What loosens (a higher cap, a longer list, more rights, fewer approvals) needs two people beside who
//     asked, and time to notice it (24 h unless the wallet says otherwise). What tightens is published at once
//     by one person.
// (2) Whether it loosens is judged when it is drafted, and again when it is published, against what is then in
//     force: it needs what the stricter of the two needs.
// (3) Nobody approves their own request.
// (4) What is published, the record of it, and its event are one transaction.
// (5) Freezing is immediate for any operator; unfreezing needs two.
// In compat.demo a change is published at once by whoever asks (D17, 32).
// Source: coordinator.md D11, D15, D17 (32); F41.
#ifndef CASEMATE_COORDINATOR_CHANGES_H
#define CASEMATE_COORDINATOR_CHANGES_H
#include "coordinator/people.h"

#define CHANGE_APPROVALS 2
#define CHANGE_DELAY_S   86400
#define CHANGE_LIFE_US   ((int64_t)1209600000000) // 14 days, then a draft expires

enum change_state {
    CHANGE_DRAFT,
    CHANGE_APPROVED,
    CHANGE_WAITING,
    CHANGE_PUBLISHED,
    CHANGE_ROLLED_OUT,
    CHANGE_ROLLED_BACK,
    CHANGE_REJECTED,
    CHANGE_EXPIRED,
};
const char *change_state_name(enum change_state state);

struct change_row {
    char id[ID_SIZE], wallet_id[ID_SIZE], created_by[ID_SIZE]; // nobody: empty
    struct bytes kind, body;
    bool loosening;
    enum change_state state;
    int64_t created_us, not_before_us, expires_us;
    unsigned approvals, rejections, needed; // needed: of approvals, by the rules now in force
};

// What is needed for a wallet's loosening changes.
struct change_rules {
    uint64_t approvals, delay_s;
};
MUST_CHECK bool change_rules(struct db *db, struct change_rules *out, const char *wallet_id,
                             struct err *err);

// The kinds, and what stands in their bodies:
//   caps                cap_auto_sat, cap_surge_sat, fee_cap_sat, window_s (any of them)
//   destination.add     name, address
//   destination.remove  id or name
//   policy              max_sat, per_period_sat, period_min, surge_max_sat, surge_per_period_sat (any of them)
//   rules               the wallet's settings as spend_rules.h has them
//   approvals           approvals, delay_s
//   role.grant          principal (id or subject), role, limits; of a role that is there: its limits from now on
//   role.take           principal, role
//   hook.add            url, secret_ref, kinds
//   hook.remove         id
//   unfreeze, recovery.end   nothing
bool change_kind_is_known(struct bytes kind);
// Roles of which one is needed to ask for it.
unsigned change_kind_roles(struct bytes kind);

// What every signer's own policy allows, in force now. Source: A7.
struct change_policy {
    struct sats max, per_period;
    uint64_t period_min;
    struct sats surge_max, surge_per_period;
};
MUST_CHECK bool change_policy_numbers(struct db *db, const char *wallet_id,
                                      struct change_policy *out, struct err *err);

// Drafts it. Fails: CODE_BAD_REQUEST "<member>: <what>", CODE_CONFLICT when it changes nothing.
MUST_CHECK bool change_draft(struct db *db, struct change_row *out, const struct actor *actor,
                             const char *principal_id, const char *wallet_id, struct bytes kind,
                             const struct json *body, struct arena *arena, struct err *err);
MUST_CHECK bool change_get(struct db *db, struct change_row *out, const char *id,
                           struct arena *arena, struct err *err);
// Fails: CODE_FORBIDDEN for the person who asked; CODE_CONFLICT when it is past that.
MUST_CHECK bool change_approve(struct db *db, struct change_row *out, const struct actor *actor,
                               const char *principal_id, const char *id, bool approve,
                               struct arena *arena, struct err *err);
// demo: no approvals, no delay. Fails: CODE_CONFLICT "<n> more approvals are needed", "not before <time>".
MUST_CHECK bool change_publish(struct db *db, struct change_row *out, const struct actor *actor,
                               const char *id, bool demo, struct arena *arena, struct err *err);
// Brings back what was in force before. *out: the change that does; what tightens is published by this, what
// loosens is a draft that others must approve, and until then nothing has changed.
// Fails: CODE_CONFLICT for what was not published, or cannot be taken back.
MUST_CHECK bool change_rollback(struct db *db, struct change_row *out, const struct actor *actor,
                                const char *principal_id, const char *id, bool demo,
                                struct arena *arena, struct err *err);

// Immediate. Fails: CODE_CONFLICT when it is frozen already.
MUST_CHECK bool change_freeze(struct db *db, const struct actor *actor, const char *wallet_id,
                              struct err *err);

// Drafts that nobody approved in time expire; published ones whose signers all read back as wanted are
// rolled out. For the upkeep thread.
MUST_CHECK bool change_upkeep(struct db *db, struct err *err);

// {"id","wallet_id","kind","body","loosening","state","created_by","created_at","not_before","expires_at",
//  "approvals","rejections","needed"}
void change_write(struct json_writer *j, const struct change_row *row);
// A page of them, newest first: rows of `wallet_id`, before the id `cursor` (empty: from the newest).
struct change_rows {
    struct change_row *items;
    size_t n;
};
MUST_CHECK bool change_list(struct db *db, struct change_rows *out, const char *wallet_id,
                            const char *cursor, size_t limit, struct arena *arena, struct err *err);

#endif
