// coordinator/api_internal.h -- what api.c, api_caller.c and api_body.c share; nobody else includes it.
#ifndef CASEMATE_COORDINATOR_API_INTERNAL_H
#define CASEMATE_COORDINATOR_API_INTERNAL_H
#include "coordinator/api.h"

void api_lock(struct api *api); // of its members behind `lock`
void api_unlock(struct api *api);

// Fills in c->caller and, where somebody is known, c->actor. Fails: CODE_UNAUTHENTICATED for a token that is none.
MUST_CHECK bool caller_find(struct call *c, struct err *err);
// Origin, CSRF token and rate of what changes something; the roles that the route asks for.
// Fails: CODE_FORBIDDEN, CODE_RATE_LIMITED, CODE_UNAUTHENTICATED.
MUST_CHECK bool caller_check(struct call *c, const struct route *route, struct err *err);
// Fills in c->body. Fails: CODE_BAD_REQUEST.
MUST_CHECK bool call_read_body(struct call *c, const struct route *route, struct err *err);

#endif
