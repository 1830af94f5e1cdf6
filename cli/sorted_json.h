// cli/sorted_json.h -- a JSON value of the device as people read it: members sorted by key, at every
// depth, one a line. Source: cli.md 7.2.
#ifndef CASEMATE_CLI_SORTED_JSON_H
#define CASEMATE_CLI_SORTED_JSON_H
#include "base/json.h"

// Appends the value and a line feed. Keys are compared byte by byte. The writer fails without room;
// false also where the arena has none for the order.
MUST_CHECK bool sorted_json_write(struct writer *w, const struct json *value, struct arena *arena);

// The members of an object, or items of an array, in the order to be written: keys of objects sorted.
// NULL without room.
MUST_CHECK const struct json **sorted_json_items(const struct json *value, struct arena *arena);

#endif
