#include "bunker/link_rules.h"
#include "base/hex.h"

static const struct {
    enum request_id id;
    enum link_gate gate;
    bool opens, about_result, about_codes;
} rows[] = {
    { REQUEST_VERS, LINK_ALWAYS, false, false, false },
    { REQUEST_BLKC, LINK_ALWAYS, false, false, false },
    { REQUEST_PING, LINK_ALWAYS, false, false, false },
    { REQUEST_XPUB, LINK_ALWAYS, false, false, false },
    { REQUEST_MSCK, LINK_ALWAYS, false, false, false },
    { REQUEST_HSTS, LINK_ALWAYS, false, false, false },
    { REQUEST_UPLD, LINK_ALWAYS, true, false, true },
    { REQUEST_SHA2, LINK_ALWAYS, false, true, false },
    { REQUEST_STOK, LINK_ALWAYS, false, true, false },
    { REQUEST_SMOK, LINK_ALWAYS, false, true, false },
    { REQUEST_DWLD, LINK_ALWAYS, false, true, false },
    { REQUEST_STXN, LINK_IN_HSM, true, false, true },
    { REQUEST_SMSG, LINK_IN_HSM, true, false, false },
    { REQUEST_USER, LINK_IN_HSM, true, false, true },
    { REQUEST_SHOW, LINK_IN_HSM, false, false, false },
    { REQUEST_P2SH, LINK_IN_HSM, false, false, false },
    { REQUEST_ENRL, LINK_PROVISIONING, false, false, false },
    { REQUEST_HSMS, LINK_PROVISIONING, false, false, false },
    { REQUEST_NWUR, LINK_PROVISIONING, false, false, false },
    { REQUEST_RMUR, LINK_PROVISIONING, false, false, false },
};

// The row of a request, or that of nothing.
static size_t row_of(enum request_id id)
{
    size_t i = 0;
    while (i < COUNT(rows) && rows[i].id != id)
        i++;
    return i;
}

enum link_gate link_gate(struct bytes message, enum request_id *id)
{
    const struct request_info *info = request_find(message);
    const size_t i = info != NULL ? row_of(info->id) : COUNT(rows);
    *id = i < COUNT(rows) ? info->id : REQUEST_NONE;
    return i < COUNT(rows) ? rows[i].gate : LINK_NEVER;
}

bool link_may_pass(enum link_gate gate, bool in_hsm_mode, bool provision)
{
    return gate == LINK_ALWAYS || (gate == LINK_IN_HSM && in_hsm_mode) ||
           (gate == LINK_PROVISIONING && !in_hsm_mode && provision);
}

bool link_opens_job(enum request_id id)
{
    const size_t i = row_of(id);
    return i < COUNT(rows) && rows[i].opens;
}

bool link_is_about_result(enum request_id id)
{
    const size_t i = row_of(id);
    return i < COUNT(rows) && rows[i].about_result;
}

bool link_is_about_codes(enum request_id id)
{
    const size_t i = row_of(id);
    return i < COUNT(rows) && rows[i].about_codes;
}

const char *link_outcome_name(enum link_outcome outcome)
{
    static const char *const names[] = {
        [LINK_UNFINISHED] = "unfinished",
        [LINK_SIGNED] = "signed",
        [LINK_MESSAGE_SIGNED] = "message_signed",
        [LINK_PROVISIONED] = "provisioned",
        [LINK_REFUSED] = "refused",
        [LINK_FAILED] = "failed",
    };
    return names[outcome];
}

// --- A step ---

static void end(struct link_progress *p, enum link_outcome outcome)
{
    p->outcome = outcome;
    p->over = true;
    p->awaited = REQUEST_NONE;
}

// Text of the device, for the audit log.
static void keep_reason(struct link_progress *p, struct bytes text)
{
    size_t n = 0;
    for (; n < text.len && n < sizeof p->reason - 1; n++)
        p->reason[n] = text.ptr[n] >= 0x20 && text.ptr[n] < 0x7f ? (char)text.ptr[n] : '?';
    p->reason[n] = '\0';
}

static void fail(struct link_progress *p, const struct reply *reply)
{
    end(p, reply->id == REPLY_REFU ? LINK_REFUSED : LINK_FAILED);
    keep_reason(p, reply->id == REPLY_REFU ? (struct bytes){ 0 } : reply->data);
}

static void keep_user(struct link_progress *p, struct bytes name)
{
    if (name.len == 0 || name.len >= sizeof p->users.items[0] || !bytes_is_printable_ascii(name))
        return;
    for (size_t i = 0; i < p->users.n; i++)
        if (bytes_equal_text(name, p->users.items[i]))
            return;
    if (p->users.n < COUNT(p->users.items)) {
        char *item = p->users.items[p->users.n++];
        memcpy(item, name.ptr, name.len);
        item[name.len] = '\0';
    }
}

static void take_start(struct link_progress *p, const struct request *request)
{
    p->awaited = request->id == REQUEST_STXN ? REQUEST_STOK : REQUEST_SMOK;
    if (request->id == REQUEST_STXN)
        hex_encode(p->psbt_hash, BYTES_OF(request->stxn.sha.b));
}

static void take_block(struct link_progress *p, const struct request_dwld *block)
{
    if (p->outcome == LINK_SIGNED && p->result_len > 0 &&
        (uint64_t)block->offset + block->length >= p->result_len)
        end(p, LINK_SIGNED);
}

static void succeed(struct link_progress *p, const struct request *request,
                    const struct reply *reply)
{
    switch (request->id) {
    case REQUEST_USER:
        keep_user(p, request->user.name);
        return;
    case REQUEST_STXN:
    case REQUEST_SMSG:
        take_start(p, request);
        return;
    case REQUEST_STOK:
        if (reply->id == REPLY_STRX) {
            p->awaited = REQUEST_NONE;
            p->outcome = LINK_SIGNED;
            p->result_len = reply->strx.length;
        }
        return;
    case REQUEST_SMOK:
        if (reply->id == REPLY_SMRX)
            end(p, LINK_MESSAGE_SIGNED);
        return;
    case REQUEST_DWLD:
        take_block(p, &request->dwld);
        return;
    case REQUEST_ENRL:
    case REQUEST_HSMS:
    case REQUEST_NWUR:
    case REQUEST_RMUR:
        keep_reason(p, bytes_of_text(request_info(request->id)->code));
        end(p, LINK_PROVISIONED);
        return;
    default:
        return;
    }
}

void link_progress_step(struct link_progress *p, struct bytes message, struct bytes reply_bytes)
{
    const struct request_info *info = request_find(message);
    struct request request;
    struct reply reply;
    struct err unimportant;
    if (!reply_unpack(&reply, reply_bytes, &unimportant)) {
        keep_reason(p, BYTES("the device's reply cannot be read"));
        end(p, LINK_FAILED);
    } else if (reply.id == REPLY_ERR_ || reply.id == REPLY_FRAM || reply.id == REPLY_REFU) {
        fail(p, &reply);
    } else if (reply.id != REPLY_BUSY && info != NULL &&
               request_unpack(&request, info, message, &unimportant)) {
        succeed(p, &request, &reply);
    }
}
