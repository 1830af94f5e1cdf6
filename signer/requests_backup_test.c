// `back`, `bkok` and `rest`: wire-protocol.md 8.9 and 7.
#include "signer/backup.h"
#include "signer/sign_work.h"
#include "tests/support/device_checks.h"

static const char *screen_text_now(struct device_rig *rig)
{
    return arena_text(test_arena(), rig_screen(rig).text);
}

// The words as the operator copies them from the screen.
static void copy_words(struct device_rig *rig, char out[static BACKUP_WORDS][16])
{
    const char *text = screen_text_now(rig);
    for (unsigned i = 1; i <= BACKUP_WORDS; i++) {
        char number[8];
        snprintf(number, sizeof number, "\n%2u: ", i);
        const char *at = strstr(text, number);
        assert_non_null(at);
        assert_int_equal(sscanf(at + strlen(number), "%15s", out[i - 1]), 1);
    }
}

// The key of the right word, or of a wrong one.
static void answer(struct device_rig *rig, char words[static BACKUP_WORDS][16], bool rightly)
{
    const char *text = screen_text_now(rig);
    unsigned number;
    assert_int_equal(sscanf(text, "Word %u?", &number), 1);
    for (char key = '1'; key <= '3'; key++) {
        char line[40];
        snprintf(line, sizeof line, "\n%c: %s\n", key, words[number - 1]);
        if ((strstr(text, line) != NULL) != rightly)
            continue;
        rig_keys(rig, (char[]){ key, 0 });
        return;
    }
    fail_msg("no such choice in: %s", text);
}

TEST(wire_8_9_backup_with_the_operators_words)
{
    WITH_RIG(rig, host);
    char words[BACKUP_WORDS][16];
    assert_error(rig_ask(host, REQUEST_BKOK), "No active request");
    assert_okay(rig_ask(host, REQUEST_BACK));
    assert_bytes_text(rig_screen(rig).title, "Backup");
    assert_okay(rig_ask(host, REQUEST_BKOK));          // 44: pending
    assert_busy(rig_upld(host, 0, 5, BYTES("hello"))); // 46
    copy_words(rig, words);
    rig_keys(rig, "y");
    answer(rig, words, true);
    answer(rig, words, false);
    assert_non_null(strstr(screen_text_now(rig), "That was another word.\n\n"));
    rig_keys(rig, "y");
    for (int i = 0; i < BACKUP_QUIZ_WORDS; i++)
        answer(rig, words, true);
    const struct reply strx = rig_ask(host, REQUEST_BKOK);
    assert_int_equal(strx.id, REPLY_STRX);
    assert_error(rig_ask(host, REQUEST_BKOK), "No active request"); // 45: delivered once
    struct writer file = writer_growing(test_arena(), 1u << 20);
    for (uint32_t at = 0; at < strx.strx.length; at += 1024) {
        const uint32_t left = strx.strx.length - at;
        const struct request dwld = { .id = REQUEST_DWLD,
                                      .dwld = { at, left < 1024 ? left : 1024, 0 } };
        const struct reply got = rig_call(host, &dwld);
        assert_int_equal(got.id, REPLY_BINY);
        writer_put(&file, got.data);
    }
    const struct hash256 sha = sha256(writer_bytes(&file));
    assert_memory_equal(sha.b, strx.strx.sha.b, sizeof sha.b);
    const struct request other = { .id = REQUEST_DWLD, .dwld = { 0, 10, 1 } };
    assert_error(rig_call(host, &other), "not allowed: file no"); // 40

    struct writer typed = writer_growing(test_arena(), 400);
    for (unsigned i = 0; i < BACKUP_WORDS; i++)
        writer_printf(&typed, "%s ", words[i]);
    struct bytes text;
    struct err err;
    if (!backup_file_open(&text, writer_bytes(&file), writer_bytes(&typed), test_arena(), &err))
        fail_msg("%s", err.text);
    assert_non_null(strstr(arena_text(test_arena(), text), "\nmnemonic = \"wife shiver "));
}

TEST(wire_8_9_the_operator_says_no)
{
    WITH_RIG(rig, host);
    char words[BACKUP_WORDS][16];
    assert_okay(rig_ask(host, REQUEST_BACK));
    rig_keys(rig, "x");
    assert_int_equal(rig_ask(host, REQUEST_BKOK).id, REPLY_REFU); // 44: once
    assert_error(rig_ask(host, REQUEST_BKOK), "No active request");
    assert_okay(rig_ask(host, REQUEST_BACK));
    copy_words(rig, words);
    rig_keys(rig, "yx"); // the words again
    assert_non_null(strstr(screen_text_now(rig), words[0]));
    rig_keys(rig, "x");
    assert_int_equal(rig_ask(host, REQUEST_BKOK).id, REPLY_REFU);
}

// 7.3: "discards"; and each backup has words of its own.
TEST(wire_7_3_a_backup_discards_and_is_discarded)
{
    WITH_RIG(rig, host);
    char first[BACKUP_WORDS][16] = { 0 }, second[BACKUP_WORDS][16] = { 0 };
    assert_okay(rig_ask(host, REQUEST_BACK));
    copy_words(rig, first);
    assert_okay(rig_ask(host, REQUEST_BACK));
    copy_words(rig, second);
    assert_memory_not_equal(first, second, sizeof first);
    const struct request show = { .id = REQUEST_SHOW,
                                  .show = { ADDR_P2WPKH, BYTES("m/84h/1h/0h/0/0") } };
    assert_int_equal(rig_call(host, &show).id, REPLY_ASCI);
    assert_null(strstr(screen_text_now(rig), second[0]));
    assert_okay(rig_ask(host, REQUEST_BKOK)); // the address is what is pending now
    assert_okay(rig_ask(host, REQUEST_BACK));
    device_lock(&rig->device); // whatever is asked goes with the lock
    assert_bytes_text(rig_screen(rig).title, "Ready To Sign");
}

static struct device_rig *with_worker(const char *dir)
{
    struct device_rig *rig = device_rig_prepare(dir);
    rig->has_worker = true;
    device_rig_start(rig);
    return rig;
}

// Up to the last answer, from which the backup is being sealed.
static void let_seal(struct device_rig *rig, struct rig_host *host)
{
    char words[BACKUP_WORDS][16];
    assert_okay(rig_ask(host, REQUEST_BACK));
    copy_words(rig, words);
    rig_keys(rig, "y");
    for (int i = 0; i < BACKUP_QUIZ_WORDS; i++)
        answer(rig, words, true);
}

// Who else asks is answered while the words are stretched.
TEST(wire_8_9_a_backup_is_sealed_beside_the_loop)
{
    AUTO(device_rig_freep) struct device_rig *rig = with_worker(test_dir());
    struct rig_host *host = rig_host_linked(rig);
    struct err err;
    let_seal(rig, host);
    assert_bytes_text(rig_ask(host, REQUEST_BLKC).data, "XTN");
    struct reply reply = rig_ask(host, REQUEST_BKOK);
    for (int i = 0; i < 1000 && reply.id == REPLY_OKAY; i++) {
        assert_true(loop_step(rig->loop, 10, &err));
        reply = rig_ask(host, REQUEST_BKOK);
    }
    assert_int_equal(reply.id, REPLY_STRX);
    // What comes in between is not disturbed, and its own request is not answered with that.
    let_seal(rig, host);
    const struct request show = { .id = REQUEST_SHOW,
                                  .show = { ADDR_P2WPKH, BYTES("m/84h/1h/0h/0/0") } };
    assert_int_equal(rig_call(host, &show).id, REPLY_ASCI);
    rig_keys(rig, "x");
    for (int i = 0; i < 1000 && sign_work_is_busy(&rig->device); i++)
        assert_true(loop_step(rig->loop, 10, &err));
    assert_error(rig_ask(host, REQUEST_BKOK), "No active request");
    // A request to sign is begun after it; a lock waits for it.
    let_seal(rig, host);
    rig->asks_pin = true;
    device_lock(&rig->device);
    assert_int_equal(rig->device.state, DEVICE_LOCKED);
    assert_false(sign_work_is_busy(&rig->device));
}

// [D] A wrong poll code leaves the result.
TEST(wire_50_a_wrong_poll_leaves_the_backup)
{
    WITH_RIG(rig, host);
    char words[BACKUP_WORDS][16];
    assert_okay(rig_ask(host, REQUEST_BACK));
    copy_words(rig, words);
    rig_keys(rig, "y");
    for (int i = 0; i < BACKUP_QUIZ_WORDS; i++)
        answer(rig, words, true);
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
    assert_error(rig_ask(host, REQUEST_PWOK), "No active request");
    // Who did not start it gets it as well: outside HSM mode there is one request.
    struct rig_host *other = rig_host_linked(rig);
    const struct reply strx = rig_ask(other, REQUEST_BKOK);
    assert_int_equal(strx.id, REPLY_STRX);
    const struct request dwld = {
        .id = REQUEST_DWLD, .dwld = { 0, strx.strx.length < 2048 ? strx.strx.length : 2048, 0 }
    };
    assert_int_equal(rig_call(other, &dwld).id, REPLY_BINY);
}

TEST(wire_32_neither_in_hsm_mode)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    assert_error(rig_ask(host, REQUEST_BACK), "Not allowed in HSM mode");
    assert_error(rig_ask(host, REQUEST_BKOK), "Not allowed in HSM mode");
    assert_error(rig_ask(host, REQUEST_REST), "Not allowed in HSM mode");
}

TEST(wire_8_9_a_host_restores_nothing)
{
    WITH_RIG(rig, host);
    const struct bytes file = BYTES("whatever it is");
    struct request rest = { .id = REQUEST_REST,
                            .rest = { { (uint32_t)file.len, sha256(file) }, REST_PLAINTEXT } };
    assert_error(rig_call(host, &rest), "Checksum");
    rig_upload(host, file);
    rest.rest.file.length++;
    assert_error(rig_call(host, &rest), "Checksum");
    rest.rest.file.length = 0;
    assert_error(rig_call(host, &rest), "badlen");
    rest.rest.file.length = (uint32_t)file.len;
    assert_okay(rig_call(host, &rest));
    assert_bytes_text(rig_screen(rig).title, "Restore");
    assert_int_equal(rig_ask(host, REQUEST_STOK).id, REPLY_REFU);
    rig_keys(rig, "y");
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    assert_error(rig_message(host, BYTES("rest"), true), "buffer too small");
    uint8_t longer[4 + 38] = { 'r', 'e', 's', 't' };
    assert_error(rig_message(host, BYTES_OF(longer), true), "badlen");
}
