#include "client/transport.h"

void transport_free(struct transport *t)
{
    if (t != NULL)
        t->ops->free(t);
}

void transport_freep(struct transport **t)
{
    transport_free(*t);
    *t = NULL;
}
