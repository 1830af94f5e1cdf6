#include "bunker/jobs.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/require.h"
#include "base/utf8.h"
#include "client/transfer.h"
#include "policy/users.h"

#define RESULT_FILE 1u // what `dwld` calls the result of signing

// "Rejected by Coldcard." with nothing behind it would leave people in the dark (bunker.md 17.2).
#define NO_REASON "Refused by local user."

// --- Codes ---

struct sign_job *sign_job_new(struct bytes psbt)
{
    struct sign_job *job = calloc(1, sizeof *job);
    REQUIRE(job != NULL);
    job->psbt = malloc(psbt.len);
    REQUIRE(job->psbt != NULL);
    memcpy(job->psbt, psbt.ptr, psbt.len);
    job->psbt_len = psbt.len;
    job->base.work = sign_work;
    return job;
}

void sign_job_free(struct sign_job *job)
{
    for (size_t i = 0; i < job->n_codes; i++)
        secret_free(job->codes[i].token);
    free(job->psbt);
    free(job->result);
    free(job);
}

static struct secret *token_of_password(struct bytes password, struct bytes serial,
                                        const struct hash256 *psbt_hash)
{
    uint8_t key[32], token[32];
    user_password_secret(key, password, serial, false);
    user_password_token(token, key, psbt_hash);
    struct secret *out = secret_new(BYTES_OF(token));
    wipe(key, sizeof key);
    wipe(token, sizeof token);
    return out;
}

void sign_job_add_code(struct sign_job *job, const struct slot_auth *auth, struct bytes serial,
                       const struct hash256 *psbt_hash)
{
    static const char prefix[] = "hmac:";
    uint8_t token[32];
    if (auth->code == NULL || auth->name[0] == '\0' || job->n_codes == SLOT_AUTH_MAX)
        return;
    struct sign_code *c = &job->codes[job->n_codes++];
    memcpy(c->name, auth->name, sizeof c->name);
    c->window = auth->window;
    const struct bytes code = secret_open(auth->code);
    if (auth->expires)
        c->token = secret_new(code);
    else if (bytes_starts_with(code, BYTES("hmac:")) &&
             hex_decode(token, sizeof token, bytes_slice(code, sizeof prefix - 1, SIZE_MAX)))
        c->token = secret_new(BYTES_OF(token));
    else
        c->token = token_of_password(code, serial, psbt_hash);
    secret_close(auth->code);
    wipe(token, sizeof token);
}

static bool send_codes(struct device_line *line, struct sign_job *job, struct err *err)
{
    for (size_t i = 0; i < job->n_codes; i++) {
        struct sign_code *c = &job->codes[i];
        const struct request request = {
            .id = REQUEST_USER, .user = { c->window, bytes_of_text(c->name), secret_open(c->token) }
        };
        struct reply reply;
        const bool ok =
            connection_exchange(line->connection, &reply, &request, job->base.arena, err);
        secret_close(c->token);
        if (!ok)
            return false;
        if (reply.id == REPLY_ASCI && reply.data.len > 0) // outside HSM mode it is looked at here
            return err_set(err, ERR_AUTH, "Coldcard Error: User '%s': %.*s", c->name,
                           BYTES_ARG(reply.data));
    }
    return true;
}

// --- Signing ---

static void keep_refusal(char *out, size_t size, struct device_line *line, struct arena *arena)
{
    struct hsm_status status;
    struct err unimportant;
    const bool known =
        line_status(line, &status, arena, &unimportant) && status.last_refusal.len > 0;
    if (known)
        (void)snprintf(out, size, "%.*s", BYTES_ARG(status.last_refusal));
    else
        (void)snprintf(out, size, NO_REASON);
}

// "the device's own pending_auth count ... is not zero and we did not cause it"
static bool check_leftovers(struct device_line *line, struct sign_job *job, bool *active,
                            struct err *err)
{
    struct hsm_status status;
    if (!line_status(line, &status, job->base.arena, err))
        return false;
    *active = status.active;
    job->leftovers = status.active && status.pending_auth > 0 && !job->preview;
    if (!job->leftovers || job->accept_leftovers)
        return true;
    return err_set(
        err, ERR_STATE,
        "The device holds %llu code(s) that were not given here: they would authorise this "
        "transaction. Submit again to go on all the same.",
        (unsigned long long)status.pending_auth);
}

// "asking to finalize an incomplete multisig makes the device fail after the policy approved it"
static uint32_t flags_of(struct device_line *line, struct sign_job *job)
{
    struct psbt psbt;
    struct err unimportant;
    if (job->preview)
        return STXN_VISUALIZE;
    if (!job->finalize)
        return 0;
    const bool complete =
        psbt_parse(&psbt, bytes_of(job->psbt, job->psbt_len), job->base.arena, &unimportant) &&
        review_is_completed_by(&psbt, bytes_of_text(line->report.xfp));
    job->finalize_dropped = !complete;
    return complete ? STXN_FINALIZE : 0;
}

static bool ask(struct device_line *line, struct sign_job *job, uint32_t flags, bool active,
                struct reply *strx, struct err *err)
{
    struct request request = { .id = REQUEST_STXN };
    request.stxn.flags = flags;
    const int64_t limit = active || job->preview ? DEVICE_SIGN_MS : TRANSFER_WAIT_NO_END;
    return transfer_start(line->connection, bytes_of(job->psbt, job->psbt_len), &request, NULL,
                          err) &&
           transfer_wait(line->connection, strx, REQUEST_STOK, REPLY_STRX, limit, job->base.arena,
                         NULL, err);
}

static bool keep_result(struct sign_job *job, struct bytes result, struct err *err)
{
    const struct bytes submitted = bytes_of(job->psbt, job->psbt_len);
    if (!job->preview &&
        !review_result(&job->kind, job->txid, result, submitted, job->base.arena, err))
        return false;
    job->result = malloc(result.len > 0 ? result.len : 1);
    REQUIRE(job->result != NULL);
    memcpy(job->result, result.ptr, result.len);
    job->result_len = result.len;
    return true;
}

bool sign_work(struct device_line *line, struct device_job *base, struct err *err)
{
    struct sign_job *job = (struct sign_job *)base;
    struct reply strx;
    struct bytes result;
    bool active = false;
    if (!check_leftovers(line, job, &active, err))
        return false;
    const uint32_t flags = flags_of(line, job);
    job->sent = true;
    if (!send_codes(line, job, err))
        return false;
    if (!ask(line, job, flags, active, &strx, err)) {
        job->refused = err->code == ERR_REFUSED;
        if (job->refused)
            keep_refusal(job->refusal, sizeof job->refusal, line, base->arena);
        return false;
    }
    return transfer_download(line->connection, &result, RESULT_FILE, &strx, base->arena, NULL,
                             err) &&
           keep_result(job, result, err);
}

// --- Messages ---

bool message_work(struct device_line *line, struct device_job *base, struct err *err)
{
    struct message_job *job = (struct message_job *)base;
    const struct request request = {
        .id = REQUEST_SMSG,
        .smsg = { job->format, bytes_of_text(job->path), bytes_of_text(job->text) },
    };
    struct reply reply;
    const int64_t limit = line->report.active ? DEVICE_SIGN_MS : TRANSFER_WAIT_NO_END;
    if (!line_call(line, &reply, REPLY_OKAY, &request, base->arena, err) ||
        !transfer_wait(line->connection, &reply, REQUEST_SMOK, REPLY_SMRX, limit, base->arena, NULL,
                       err)) {
        job->refused = err->code == ERR_REFUSED;
        if (job->refused)
            keep_refusal(job->refusal, sizeof job->refusal, line, base->arena);
        return false;
    }
    (void)snprintf(job->address, sizeof job->address, "%.*s", BYTES_ARG(reply.smrx.address));
    utf8_clean((uint8_t *)job->address, strlen(job->address));
    struct writer w = writer_of(job->signature, sizeof job->signature - 1);
    base64_write(&w, BYTES_OF(reply.smrx.signature));
    return true;
}

bool address_work(struct device_line *line, struct device_job *base, struct err *err)
{
    struct address_job *job = (struct address_job *)base;
    const struct request request = { .id = REQUEST_SHOW,
                                     .show = { job->format, bytes_of_text(job->path) } };
    struct reply reply;
    if (!line_call(line, &reply, REPLY_ASCI, &request, base->arena, err))
        return false;
    (void)snprintf(job->address, sizeof job->address, "%.*s", BYTES_ARG(reply.data));
    utf8_clean((uint8_t *)job->address, strlen(job->address));
    return true;
}

// --- Users, policy, locker ---

static bool remove_user(struct device_line *line, struct user_job *job, struct err *err)
{
    const struct request request = { .id = REQUEST_RMUR, .rmur = { bytes_of_text(job->name) } };
    struct reply reply;
    return line_call(line, &reply, REPLY_OKAY, &request, job->base.arena, err);
}

bool user_work(struct device_line *line, struct device_job *base, struct err *err)
{
    struct user_job *job = (struct user_job *)base;
    struct request request = { .id = REQUEST_NWUR };
    struct reply reply;
    if (job->remove)
        return remove_user(line, job, err);
    request.nwur.mode = job->mode;
    request.nwur.name = bytes_of_text(job->name);
    if (job->secret != NULL)
        request.nwur.secret = secret_open(job->secret);
    const bool ok = connection_exchange(line->connection, &reply, &request, base->arena, err);
    if (job->secret != NULL)
        secret_close(job->secret);
    if (!ok)
        return false;
    if (reply.id == REPLY_ASCI)
        (void)snprintf(job->picked, sizeof job->picked, "%.*s", BYTES_ARG(reply.data));
    return reply.id == REPLY_ASCI || reply.id == REPLY_OKAY ||
           err_set(err, ERR_FRAMING, "expected asci, got %s", reply_code(reply.id));
}

bool policy_work(struct device_line *line, struct device_job *base, struct err *err)
{
    struct policy_job *job = (struct policy_job *)base;
    struct request request = { .id = REQUEST_HSMS };
    struct reply reply;
    if (job->policy == NULL)
        return line_call(line, &reply, REPLY_OKAY, &request, base->arena, err);
    request.hsms.has_file = true;
    return transfer_start(line->connection, bytes_of(job->policy, job->policy_len), &request, NULL,
                          err);
}

bool locker_work(struct device_line *line, struct device_job *base, struct err *err)
{
    struct locker_job *job = (struct locker_job *)base;
    const struct request request = { .id = REQUEST_GSLR };
    struct reply reply;
    if (!line_call(line, &reply, REPLY_BINY, &request, base->arena, err))
        return false;
    job->content = secret_new(reply.data);
    return true;
}
