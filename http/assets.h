// http/assets.h -- files that are built into the program: pages, styles, scripts.
//
// The table is written at build time by tools/embed from a folder of web/. Source: bunker.md 19.5.
#ifndef CASEMATE_HTTP_ASSETS_H
#define CASEMATE_HTTP_ASSETS_H
#include "base/bytes.h"

struct asset {
    const char *path; // "common/style.css"
    const char *type; // media type
    const char *tag;  // changes with the content: 16 hex digits of its SHA-256
    struct bytes content;
};

struct assets {
    const struct asset *items;
    size_t n;
};

// The asset of that path, or NULL.
const struct asset *asset_find(const struct assets *assets, struct bytes path);

#endif
