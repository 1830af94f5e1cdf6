#include "bunker/role.h"

static const char *const names[] = {
    [ROLE_NONE] = "none",
    [ROLE_VIEWER] = "viewer",
    [ROLE_OPERATOR] = "operator",
    [ROLE_ADMIN] = "admin",
};

const char *role_name(enum role role)
{
    return names[role];
}

enum role role_of(struct bytes name)
{
    for (size_t i = ROLE_VIEWER; i < COUNT(names); i++)
        if (bytes_equal_text(name, names[i]))
            return (enum role)i;
    return ROLE_NONE;
}
