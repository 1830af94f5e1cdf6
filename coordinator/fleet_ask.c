// One request to one signer: ready a moment ago is not ready now. Source: coordinator.md A8, D8, D17 (25, 27).
#include "base/base64.h"
#include "base/hex.h"
#include "base/secret.h"
#include "bitcoin/message.h"
#include "client/codes.h"
#include "client/wait.h"
#include "coordinator/fleet_internal.h"
#include <time.h>

#define CODE_DIGITS    6
#define TOKEN_LEN      32
#define LEASE_PAUSE_MS 50

static void tell(char tag[static 16], char text[static REFUSAL_TEXT_SIZE], const struct err *err)
{
    (void)snprintf(tag, 16, "%s", refusal_tag_name(refusal_tag_of_err(err)));
    refusal_escape(text, bytes_of_text(err->text));
}

void job_tell(struct fleet_job *job, enum fleet_outcome outcome, const struct err *err)
{
    if (job->kind == JOB_MESSAGE) {
        tell(job->message->tag, job->message->text, err);
    } else {
        job->answer->outcome = outcome;
        tell(job->answer->tag, job->answer->text, err);
    }
}

static enum fleet_outcome unsent(const struct err *err)
{
    return err->code == ERR_BUSY ? FLEET_BUSY : FLEET_UNSENT;
}

// Inv. 25: "A signer not read back as ready is not asked." Inv. 27: nor one with 80 refusals or more.
static bool is_ready_now(struct member *m, struct err *err)
{
    char why[REFUSAL_TEXT_SIZE];
    if (!member_look(m))
        return err_set(err, ERR_NOT_FOUND, "%s", m->trouble);
    if (!member_is_ready(m, member_judge(m, why)))
        return err_set(err, ERR_NOT_FOUND, "not ready: %s", why);
    if (m->status.refusals >= CHOOSE_REFUSALS_MAX)
        return err_set(err, ERR_NOT_FOUND, "not ready: %d refusals", CHOOSE_REFUSALS_MAX);
    return true;
}

// --- The code ---

// Six digits, or a password's token in hex. The copy is wiped by the caller.
static bool read_token(uint8_t mem[static TOKEN_LEN], struct bytes *token, uint32_t *counter,
                       const struct fleet_auth *auth, struct err *err)
{
    const struct bytes code = bytes_of_text(auth->code);
    unsigned left_s;
    *counter = auth->counter;
    if (code.len == CODE_DIGITS) {
        memcpy(mem, code.ptr, code.len);
        *token = bytes_of(mem, code.len);
        // "counter = unix time / 30"
        if (*counter == 0)
            *counter = codes_totp_step((int64_t)time(NULL), &left_s);
        return true;
    }
    *token = bytes_of(mem, TOKEN_LEN);
    *counter = 0;
    return (code.len == 2 * (size_t)TOKEN_LEN && hex_decode(mem, TOKEN_LEN, code)) ||
           code_fail(err, CODE_CODE_INVALID, "a code has six digits, a token 64 hex digits");
}

static bool relay(struct member *m, const struct fleet_auth *auth, struct err *err)
{
    uint8_t mem[TOKEN_LEN];
    struct port_auth given = { .user = auth->user };
    const struct device_rules *runs = member_runs(m);
    const char *user = runs != NULL ? runs->surge.user : NULL;
    if (given.user[0] == '\0')
        given.user = user != NULL ? user : DEVICE_USER;
    const bool ok =
        read_token(mem, &given.token, &given.counter, auth, err) && port_auth(m->port, &given, err);
    wipe(mem, sizeof mem);
    return ok;
}

// --- A transaction ---

static enum fleet_outcome outcome_of(enum port_outcome outcome)
{
    static const enum fleet_outcome outcomes[] = {
        [PORT_GONE] = FLEET_GONE, [PORT_TIMEOUT] = FLEET_TIMEOUT, [PORT_UNSENT] = FLEET_UNSENT,
        [PORT_BUSY] = FLEET_BUSY, [PORT_REFUSED] = FLEET_REFUSED, [PORT_SIGNED] = FLEET_SIGNED,
    };
    return outcomes[outcome];
}

// Not chosen again for a while, by any replica, and looked at anew.
static void cool(struct member *m)
{
    struct err err;
    (void)pthread_mutex_lock(&m->fleet->lock);
    m->cool_until_ms = wait_now_ms() + FLEET_COOL_MS;
    (void)pthread_mutex_unlock(&m->fleet->lock);
    if (!store_cool(m->db, m->known->id, (int64_t)FLEET_COOL_MS * 1000, &err))
        LOG(m->fleet->options.log, LOG_WARNING, "cooling_untold",
            LOG_TEXT("signer", m->known->name), LOG_TEXT("error", err.text));
}

// A replica that slept before it had the device may have lost the spend, and another may have asked this device since:
// the fence of the ledger, looked at where the device is ours. (A SQLite store has one replica.)
static bool is_still_held(struct member *m, const struct spend *spend, struct err *err)
{
    bool held = true;
    if (spend != NULL && db_is_postgres(m->db) && !ledger_is_held(m->db, spend, &held, err))
        return false;
    return held || err_set(err, ERR_INTERRUPTED, "another replica has the spend");
}

static void run_sign(struct member *m, struct fleet_job *job)
{
    struct port_answer answer;
    struct err err;
    if (!is_ready_now(m, &err) || !is_still_held(m, job->spend, &err)) {
        job_tell(job, unsent(&err), &err);
        return;
    }
    if (job->auth != NULL && job->auth->given && !relay(m, job->auth, &err)) {
        // The device's own no to the code is one to the spend.
        job_tell(job, err.code == ERR_INVALID ? FLEET_REFUSED : unsent(&err), &err);
        return;
    }
    port_sign(m->port, &answer, job->psbt, job->arena);
    job->answer->outcome = outcome_of(answer.outcome);
    job->answer->psbt = answer.psbt;
    (void)snprintf(job->answer->tag, sizeof job->answer->tag, "%s",
                   answer.outcome == PORT_SIGNED ? "" : refusal_tag_name(answer.tag));
    (void)snprintf(job->answer->text, sizeof job->answer->text, "%s", answer.text);
    if (answer.outcome == PORT_SIGNED || answer.outcome == PORT_REFUSED)
        (void)member_look(m); // its budgets and counters after it
    else
        cool(m);
}

// --- A text ---

// Whether the address is that of the signer's own key at that path, as far as its wallet tells the key.
static bool is_own_address(const struct member *m, const char *path, const char *address,
                           struct err *err)
{
    const struct ms_wallet *w = &m->known->wallets[0].keys;
    const size_t at = m->known->n_wallets > 0 ? ms_wallet_position(w, m->known->xfp) : 0;
    struct keypath full;
    if (m->known->n_wallets == 0 || at == w->n)
        return true;
    const struct ms_cosigner *c = &w->cosigner[at];
    if (!keypath_parse(&full, bytes_of_text(path), err))
        return false;
    if (!keypath_starts_with(&full, &c->origin.path))
        return true;
    struct hdpub node = c->node;
    uint8_t mem[200];
    struct writer script = writer_of(mem, 64), text = writer_of(mem + 64, 100);
    for (size_t i = c->origin.path.depth; i < full.depth; i++)
        if (!hdpub_child(&node, &node, full.step[i], err))
            return err->code == ERR_INVALID; // a hardened step: nobody but the signer can tell
    if (!address_script_of_key(&script, &node.key, ADDR_P2WPKH, err) ||
        !address_from_script(&text, writer_bytes(&script), w->chain))
        return false;
    return bytes_equal_text(writer_bytes(&text), address) ||
           err_set(err, ERR_FRAMING, "the address is not that of its key");
}

static bool check_message(const struct member *m, const struct fleet_job *job,
                          const struct port_message *message, struct err *err)
{
    const struct message_armor armor = { .text = job->text,
                                         .address = bytes_of_text(message->address),
                                         .signature = bytes_of_text(job->message->signature) };
    bool matches;
    return message_verify(&matches, &armor, err) &&
           is_own_address(m, job->path, message->address, err);
}

static void run_message(struct member *m, struct fleet_job *job)
{
    struct port_message message;
    struct err err;
    struct writer w = writer_of(job->message->signature, sizeof job->message->signature - 1);
    if (!is_ready_now(m, &err) ||
        !port_sign_message(m->port, &message, job->path, job->text, &err)) {
        job_tell(job, FLEET_REFUSED, &err);
        return;
    }
    base64_write(&w, BYTES_OF(message.signature));
    job->message->signature[w.len] = '\0';
    if (!check_message(m, job, &message, &err)) {
        err.code = ERR_FRAMING; // what a signer returned is wrong: that is no refusal
        job_tell(job, FLEET_REFUSED, &err);
        return;
    }
    (void)snprintf(job->message->address, sizeof job->message->address, "%s", message.address);
    job->message->ok = true;
}

// Another replica's conversation is over soon.
static bool begin(struct member *m, struct err *err)
{
    const int64_t end_ms = wait_now_ms() + FLEET_LEASE_MS;
    struct err stopped;
    while (!member_begin(m, err))
        if (err->code != ERR_BUSY || wait_now_ms() > end_ms ||
            !wait_pause(LEASE_PAUSE_MS, m->cancel_fd, &stopped))
            return false;
    return true;
}

void member_run_job(struct member *m, struct fleet_job *job)
{
    char why[REFUSAL_TEXT_SIZE];
    struct err err;
    if (!begin(m, &err)) {
        job_tell(job, unsent(&err), &err);
        return;
    }
    if (job->kind == JOB_SIGN)
        run_sign(m, job);
    else
        run_message(m, job);
    member_end(m);
    member_count(m);
    const char *state = member_judge(m, why);
    member_publish(m, state, why);
}
