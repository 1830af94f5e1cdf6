// bunker/export.h -- the settings in a file of their own, under a password: a backup, or for another host.
//
// JSON on one line: {"casemate_settings": 1, "salt": 16 bytes as hex, "sealed": base64 of the settings
// under Argon2id of the password (64 MiB, 2 passes)}. Source: bunker.md 12.6 "Offer encrypted export".
#ifndef CASEMATE_BUNKER_EXPORT_H
#define CASEMATE_BUNKER_EXPORT_H
#include "bunker/settings.h"

#define EXPORT_PASSWORD_MIN 8 // bytes: whoever has the file may guess for ever
#define EXPORT_MAX          ((size_t)3 << 20)

// Fails: ERR_USAGE for a short password, ERR_NO_MEMORY, ERR_LIMIT.
MUST_CHECK bool export_write(struct writer *w, const struct settings *s, struct bytes password,
                             struct arena *arena, struct err *err);

// Replaces all settings but their key. Fails: ERR_MALFORMED "no exported settings", ERR_AUTH "wrong
// password, or the file was changed"; settings are then as they were.
MUST_CHECK bool export_read(struct settings *s, struct bytes text, struct bytes password,
                            struct arena *arena, struct err *err);

#endif
