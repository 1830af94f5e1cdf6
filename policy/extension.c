#include "policy/extension.h"

static const char *const members[] = { "count_fees", "max_fee" };

bool extension_read(struct extension *out, const struct fields *f)
{
    struct fields inner = *f;
    if (!field_object(f, "casemate", &inner.object))
        return false;
    if (inner.object == NULL)
        return true;
    return field_bool(&inner, "count_fees", &out->count_fees) &&
           field_integer(&inner, "max_fee", 0, SATS_MAX, &out->max_fee.is_set,
                         &out->max_fee.max.n) &&
           fields_finish(&inner, members, COUNT(members));
}

struct extension extension_both(const struct extension *policy, const struct extension *rule)
{
    struct extension both = *rule;
    both.count_fees |= policy->count_fees;
    if (policy->max_fee.is_set &&
        (!both.max_fee.is_set || policy->max_fee.max.n < both.max_fee.max.n))
        both.max_fee = policy->max_fee;
    return both;
}

bool extension_is_empty(const struct extension *extension)
{
    return !extension->count_fees && !extension->max_fee.is_set;
}

void extension_put(struct json_writer *j, const struct extension *extension)
{
    if (extension_is_empty(extension))
        return;
    json_key(j, "casemate");
    json_begin_object(j);
    if (extension->count_fees) {
        json_key(j, "count_fees");
        json_bool(j, true);
    }
    if (extension->max_fee.is_set) { // a limit of 0 is one
        json_key(j, "max_fee");
        json_u64(j, extension->max_fee.max.n);
    }
    json_end_object(j);
}
