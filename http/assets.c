#include "http/assets.h"

const struct asset *asset_find(const struct assets *assets, struct bytes path)
{
    for (size_t i = 0; i < assets->n; i++)
        if (bytes_equal_text(path, assets->items[i].path))
            return &assets->items[i];
    return NULL;
}
