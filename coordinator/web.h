// coordinator/web.h -- the files of web/common and web/coordinator, built into the program by tools/embed.
#ifndef CASEMATE_COORDINATOR_WEB_H
#define CASEMATE_COORDINATOR_WEB_H
#include "http/assets.h"

const struct assets *web_assets(void);

#endif
