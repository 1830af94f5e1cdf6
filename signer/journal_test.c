#include "signer/journal.h"
#include "base/file.h"
#include "policy/journal_verify.h"
#include "signer/journal_file.h"
#include "tests/support/device_checks.h"

// The journal on disk, which must verify against the key and the head that the status report shows.
static struct bytes journal_of(struct device_rig *rig)
{
    struct bytes file;
    struct journal_verifier v;
    struct err err;
    rig_run(rig);
    const struct store_head head = store_get_head(rig->store);
    const char *path =
        arena_text(test_arena(), bytes_of_text(test_dir())); // where the rig has its store
    char name[4096];
    snprintf(name, sizeof name, "%s/" JOURNAL_FILE, path);
    assert_true(file_read(&file, name, 8u << 20, test_arena(), &err));
    assert_true(journal_verify(&v, file, rig->device.journal.key, &head.hash));
    assert_int_equal(v.n_good, head.seq);
    return file;
}

static const struct json *line_number(struct bytes file, size_t n)
{
    const struct json *json;
    struct err err;
    for (size_t i = 1; i < n; i++) {
        const uint8_t *lf = memchr(file.ptr, '\n', file.len);
        assert_non_null(lf);
        file = bytes_slice(file, (size_t)(lf + 1 - file.ptr), file.len);
    }
    const uint8_t *end = memchr(file.ptr, '\n', file.len);
    assert_non_null(end);
    assert_true(
        json_parse(&json, bytes_slice(file, 0, (size_t)(end - file.ptr)), test_arena(), &err));
    return json;
}

// "kind what" of each line, "; " between.
static const char *kinds_of(struct bytes file)
{
    struct writer w = writer_growing(test_arena(), 65536);
    size_t n = 0;
    for (size_t i = 0; i < file.len; i++)
        n += file.ptr[i] == '\n';
    for (size_t i = 1; i <= n; i++) {
        const struct json *line = line_number(file, i);
        const struct json *what = json_get(line, "what"), *verdict = json_get(line, "verdict");
        writer_text(&w, i == 1 ? "" : "; ");
        writer_put(&w, json_get(line, "kind")->text);
        if (what != NULL)
            writer_printf(&w, " %.*s", BYTES_ARG(what->text));
        if (verdict != NULL)
            writer_printf(&w, " %.*s", BYTES_ARG(verdict->text));
    }
    return arena_text(test_arena(), writer_bytes(&w));
}

static void ask_xpub(struct rig_host *host, const char *path)
{
    assert_error(
        rig_call(host, &(struct request){ .id = REQUEST_XPUB, .data = bytes_of_text(path) }),
        "Not allowed in HSM mode");
}

// D11: "malformed and fraudulent PSBTs, denied xpub and address requests, starts, stops, and escape
// attempts are not recorded" by the reference.
TEST(policy_17_5_what_happens_is_in_the_journal)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host,
                 "{\"period\":60,\"boot_to_hsm\":\"123456\",\"rules\":[{\"per_period\":5000}]}");
    assert_signs(host, rig_payment(rig, 1000));
    assert_refuses(host, rig_payment(rig, 9000), "Rejected: rule #1: would exceed period spending");
    uint8_t garbage[100] = "psbt\xff garbage";
    assert_fails(host, BYTES_OF(garbage), "PSBT parse failed");
    ask_xpub(host, "m/84h");
    const struct rig_outcome message = rig_sign_text(host, "a text", "m");
    assert_int_equal(message.result, RIG_REFUSED);
    rig_keys(rig, "111111");
    const char *expected = "start; user-added totp; user-added hotp; user-added password; "
                           "activation new file; decision approved; decision refused; failure; "
                           "denied xpub; decision refused; escape not its code";
    const struct bytes file = journal_of(rig);
    assert_string_equal(kinds_of(file), expected);

    const struct json *approved = line_number(file, 6);
    assert_bytes_text(json_get(approved, "total_out")->text, "1000");
    assert_bytes_text(json_get(approved, "fee")->text, "1000");
    assert_bytes_text(json_get(json_get(approved, "velocity"), "spent")->text, "[1000]");
    assert_bytes_text(json_get(line_number(file, 8), "error")->text, "PSBT parse failed");
    assert_bytes_text(json_get(line_number(file, 9), "path")->text, "m/84h");
    rig_keys(rig, "123456");
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    struct err err;
    assert_true(rig_menu(rig, PANEL_WIPE_POLICY, BYTES(""), &err));
    rig_keys(rig, "y");
    const char *all = kinds_of(journal_of(rig));
    assert_string_equal(all + strlen(all) - strlen("escape left; policy-wiped"),
                        "escape left; policy-wiped");
}

TEST(policy_17_5_starts_and_stops_name_the_policy)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    device_rig_restart(rig);
    const struct bytes file = journal_of(rig);
    assert_string_equal(kinds_of(file), "start; activation new file; stop ended; start");
    const struct json *first = line_number(file, 1), *last = line_number(file, 4);
    assert_null(json_get(first, "policy_hash"));
    assert_bytes_text(json_get(last, "policy_hash")->text,
                      "af4fc1e3a66777e55c55972accbc027937a8a5cdb88591254bec551bd74b8ac7");
    assert_non_null(json_get(last, "policy_hash_full"));
}

TEST(policy_17_5_status_shows_key_and_head)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    const struct json *journal = json_get(json_get(rig_status(host), "casemate"), "journal");
    const struct store_head head = store_get_head(rig->store);
    assert_non_null(journal);
    assert_bytes_equal(json_need_hex(journal, "key"), BYTES_OF(rig->device.journal.key));
    assert_bytes_equal(json_need_hex(journal, "hash"), BYTES_OF(head.hash.b));
    assert_int_equal(json_need_integer(journal, "seq"), head.seq);
}

// Nobody who only asks may fill the disk.
TEST(policy_17_5_a_host_cannot_write_without_end)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    for (int i = 0; i < JOURNAL_NOTES_MAX + 7; i++)
        ask_xpub(host, "m/1");
    assert_int_equal(store_get_head(rig->store).seq, 2 + JOURNAL_NOTES_MAX);
    rig_pass(rig, JOURNAL_NOTES_MS);
    ask_xpub(host, "m/2");
    const struct json *line = line_number(journal_of(rig), 3 + JOURNAL_NOTES_MAX);
    assert_bytes_text(json_get(line, "omitted")->text, "7");
}

// The store is put back to an older copy: the signer does not unlock with it.
TEST(policy_17_5_a_store_set_back_is_found)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
    char store[4096], journal[4096];
    struct bytes old_store, new_journal;
    struct err err;
    snprintf(store, sizeof store, "%s/" STORE_FILE, test_dir());
    snprintf(journal, sizeof journal, "%s/" JOURNAL_FILE, test_dir());
    device_rig_stop(rig);
    assert_true(file_read(&old_store, store, 64u << 20, test_arena(), &err));
    device_rig_start(rig);
    device_rig_stop(rig);
    assert_true(file_read(&new_journal, journal, 8u << 20, test_arena(), &err));
    assert_true(file_replace(store, old_store, 0600, &err));
    rig->asks_pin = true;
    device_rig_start(rig);
    assert_false(device_unlock(&rig->device, RIG_PIN, &err));
    assert_err(&err, ERR_INVALID,
               "journal.jsonl: line 4 is not in the store: it was set back to an older copy");
    assert_int_equal(rig->device.state, DEVICE_LOCKED);
}
