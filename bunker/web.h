// bunker/web.h -- the files of web/common and web/bunker, built into the program by tools/embed.
#ifndef CASEMATE_BUNKER_WEB_H
#define CASEMATE_BUNKER_WEB_H
#include "http/assets.h"

const struct assets *web_assets(void);

#endif
