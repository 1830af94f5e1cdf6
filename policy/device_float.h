// policy/device_float.h -- numbers printed as the device's single-precision arithmetic prints them.
//
// The only floating point in Casemate. It decides nothing: policy_hash must be the hash that a
// Coldcard shows for the same file, so the digits that go into it must be the device's, including
// those that are wrong ("84.00001"). Comparisons are exact integers elsewhere (policy.md 10.6).
// Source: policy.md 5.
#ifndef CASEMATE_POLICY_DEVICE_FLOAT_H
#define CASEMATE_POLICY_DEVICE_FLOAT_H
#include "base/writer.h"
#include "policy/rules.h"

// A percentage as in the device's JSON: 7 digits, "75.0", "84.00001". 0 is "0.0"; from 0.0001 up.
void device_float_percent(struct writer *w, struct percent pct);

// Whether the device prints it without an exponent: 0, or from 0.0001 up, in its arithmetic.
bool device_float_is_plain(struct percent pct);

// The device, the vendor's simulator (double precision) and the shortest decimal print the same.
bool device_float_agrees(struct percent pct);

// Minutes as hours with 3 digits: "1", "1.02", "72". `minutes`: 60 to 4320.
void device_float_hours(struct writer *w, unsigned minutes);

#endif
