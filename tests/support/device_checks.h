// tests/support/device_checks.h -- what tests ask of a device_rig's answers.
#ifndef CASEMATE_TESTS_SUPPORT_DEVICE_CHECKS_H
#define CASEMATE_TESTS_SUPPORT_DEVICE_CHECKS_H
#include "tests/support/device_rig.h"
#include "tests/support/test.h"

// A rig in the test's directory with one host and an encrypted link, freed on the way out:
//   WITH_RIG(rig, host);
#define WITH_RIG(rig, host)                                                                        \
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());                    \
    struct rig_host *host = rig_host_linked(rig)

// --- Replies ---
#define assert_okay(reply)        assert_string_equal(reply_code((reply).id), "okay")
#define assert_busy(reply)        assert_string_equal(reply_code((reply).id), "busy")
#define assert_error(reply, text) check_content((reply), REPLY_ERR_, (text), __FILE__, __LINE__)
#define assert_fram(reply, text)  check_content((reply), REPLY_FRAM, (text), __FILE__, __LINE__)
#define assert_asci(reply, text)  check_content((reply), REPLY_ASCI, (text), __FILE__, __LINE__)
void check_content(struct reply reply, enum reply_id id, const char *text, const char *file,
                   int line);

// --- Status: the text of one member's JSON value, or "absent" ---
#define assert_status(host, key, json) check_status((host), (key), (json), __FILE__, __LINE__)
void check_status(struct rig_host *host, const char *key, const char *json, const char *file,
                  int line);
const struct json *rig_status(struct rig_host *host);
// Its members' names, sorted, one blank between them; without `casemate`.
const char *rig_status_keys(struct rig_host *host);
const char *rig_casemate_keys(struct rig_host *host); // of the object `casemate`

// --- Decisions: each compares result, text and what the counters did ---
#define assert_signs(host, psbt)         check_signs((host), (psbt), __FILE__, __LINE__)
#define assert_refuses(host, psbt, text) check_refuses((host), (psbt), (text), __FILE__, __LINE__)
#define assert_fails(host, psbt, text)   check_fails((host), (psbt), (text), __FILE__, __LINE__)
struct bytes check_signs(struct rig_host *host, struct bytes psbt, const char *file, int line);
void check_refuses(struct rig_host *host, struct bytes psbt, const char *text, const char *file,
                   int line);
// An error reply: not counted, nothing of the queue or the local code used.
void check_fails(struct rig_host *host, struct bytes psbt, const char *text, const char *file,
                 int line);

// --- Screen ---
#define assert_screen(rig, title, text) check_screen((rig), (title), (text), __FILE__, __LINE__)
void check_screen(struct device_rig *rig, const char *title, const char *text, const char *file,
                  int line);

#endif
