// bunker/role.h -- what an account may do.
#ifndef CASEMATE_BUNKER_ROLE_H
#define CASEMATE_BUNKER_ROLE_H
#include "base/bytes.h"

enum role {
    ROLE_NONE,
    ROLE_VIEWER,   // reads
    ROLE_OPERATOR, // PSBTs, codes, message signing
    ROLE_ADMIN,    // users, policy, settings, shutdown
};

const char *role_name(enum role role); // "viewer"
enum role role_of(struct bytes name);  // ROLE_NONE: none of that name

#endif
