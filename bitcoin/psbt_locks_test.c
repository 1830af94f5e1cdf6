#include "tests/support/psbt_rig.h"

// A draft with one input per sequence.
static struct draft *locked(const struct rig *rig, const uint32_t *sequences, size_t n,
                            uint32_t locktime)
{
    struct draft *d = draft_new();
    for (size_t i = 0; i < n; i++) {
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 10000);
        d->tx.in[i].sequence = sequences[i];
    }
    (void)draft_pay(d, draft_foreign_script(0), 10000 * n - 100);
    d->tx.locktime = locktime;
    return d;
}

#define TIME 0x400000u // BIP-68, bit 22: units of 512 seconds

TEST(psbt_signing_27_84_absolute_locks)
{
    static const struct {
        uint32_t locktime;
        const char *note;
    } cases[] = {
        { 1, "This tx can only be spent after block height of 1\n" },
        { 499999999, "This tx can only be spent after block height of 499999999\n" },
        { 500000000, "This tx can only be spent after 1985-11-05 00:53:20 UTC (MTP)\n" },
        { 1748671747, "This tx can only be spent after 2025-05-31 06:09:07 UTC (MTP)\n" },
        { 4294967295, "This tx can only be spent after 2106-02-07 06:28:15 UTC (MTP)\n" },
    };
    static const uint32_t mixed[] = { UINT32_MAX, UINT32_MAX - 1 }, final[] = { UINT32_MAX };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(cases); i++)
        for (uint32_t version = 0; version <= 2; version += 2) {
            rig_accepts(rig, draft_write(locked(rig, mixed, 2, cases[i].locktime), version));
            assert_int_equal(rig->facts.tx.n_notes, 1);
            assert_bytes_text(rig_note(rig, "Abs Locktime"), cases[i].note);
            rig_warnings_are(rig, "");
            rig_accepts(rig, draft_write(locked(rig, final, 1, cases[i].locktime), version));
            assert_int_equal(rig->facts.tx.n_notes, 0);
            rig_warnings_are(rig, "Bad Locktime");
        }
    rig_accepts(rig, draft_v0(locked(rig, final, 1, 0)));
    rig_warnings_are(rig, "");
}

static const char *const no_note = "";

static void check_relative(const uint32_t *sequences, size_t n, const char *blocks,
                           const char *times)
{
    struct rig *rig = rig_new();
    rig_accepts(rig, draft_v0(locked(rig, sequences, n, 0)));
    const size_t n_notes = (blocks != no_note ? 1u : 0u) + (times != no_note ? 1u : 0u);
    assert_int_equal(rig->facts.tx.n_notes, n_notes);
    if (blocks != no_note)
        assert_bytes_text(rig_note(rig, "Block height RTL"), blocks);
    if (times != no_note)
        assert_bytes_text(rig_note(rig, "Time-based RTL"), times);
    if (n_notes == 2) // blocks first
        assert_string_equal(rig->facts.tx.notes[0].label, "Block height RTL");
}

TEST(psbt_signing_27_83_relative_locks)
{
    static const uint32_t none[] = { 0x80000001, 0xfffffffd, 0, TIME, 0x10000 };
    check_relative(none, 5, no_note, no_note);
    static const uint32_t one[] = { 0xfffffffd, 7 };
    check_relative(one, 2, "Input 1. has relative block height timelock of 7 blocks\n", no_note);
    static const uint32_t other_bits[] = { 0x7fbf0000 | 7 }; // without meaning in BIP-68
    check_relative(other_bits, 1, "Input 0. has relative block height timelock of 7 blocks\n",
                   no_note);
    static const uint32_t equal[] = { 7, 7, TIME | 2, TIME | 2 };
    check_relative(equal, 4, "2 inputs have relative block height timelock of 7 blocks\n",
                   "2 inputs have relative time-based timelock of:\n 17m 4s\n");
    static const uint32_t different[] = { 7, 8, TIME | 3, TIME | 2 };
    check_relative(
        different, 4,
        "2 inputs have relative block height timelock.\n\n 0.  7 blocks\n 1.  8 blocks\n",
        "2 inputs have relative time-based timelock.\n\n 2.  25m 36s\n 3.  17m 4s\n");
}

TEST(psbt_signing_27_83_durations)
{
    static const struct {
        uint32_t units;
        const char *text;
    } cases[] = {
        { 1, "8m 32s" },          { 15, "2h 8m" },  { 225, "1d 8h" },    { 675, "4d" },
        { 65535, "388d 8h 32m" }, { 7, "59m 44s" }, { 169, "1d 2m 8s" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint32_t sequence = TIME | cases[i].units;
        char text[128];
        (void)snprintf(text, sizeof text, "Input 0. has relative time-based timelock of:\n %s\n",
                       cases[i].text);
        check_relative(&sequence, 1, no_note, text);
    }
}

// How many of each are shown, by how many there are.
TEST(psbt_signing_27_83_long_lists_are_cut)
{
    static const struct {
        unsigned blocks, times;
        unsigned shown_blocks, shown_times;
    } cases[] = {
        { 10, 0, 10, 0 }, { 11, 0, 10, 0 }, { 0, 11, 0, 10 }, { 5, 5, 5, 5 },
        { 5, 6, 5, 5 },   { 6, 6, 5, 5 },   { 4, 7, 4, 6 },   { 7, 4, 6, 4 },
        { 3, 7, 3, 7 },   { 3, 8, 3, 7 },   { 1, 40, 1, 9 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig *rig = rig_new();
        uint32_t sequences[64];
        const size_t n = cases[i].blocks + cases[i].times;
        for (uint32_t k = 0; k < n; k++)
            sequences[k] = k < cases[i].blocks ? 100 + k : TIME | (200 + k);
        rig_accepts(rig, draft_v0(locked(rig, sequences, n, 0)));
        for (unsigned is_time = 0; is_time < 2; is_time++) {
            const unsigned all = is_time ? cases[i].times : cases[i].blocks;
            const unsigned shown = is_time ? cases[i].shown_times : cases[i].shown_blocks;
            if (all < 2)
                continue;
            const struct bytes note =
                rig_note(rig, is_time ? "Time-based RTL" : "Block height RTL");
            size_t lines = 0;
            for (size_t k = 0; k < note.len; k++)
                lines += note.ptr[k] == '\n';
            assert_int_equal(lines, 2 + shown);
            char cut[64];
            (void)snprintf(cut, sizeof cut, "Showing only %u with highest values.", shown);
            assert_int_equal(memmem(note.ptr, note.len, cut, strlen(cut)) != NULL, shown < all);
        }
    }
}

// D-RTL: twelve locks of which the ten largest are equal are not twelve equal ones.
TEST(psbt_signing_27_83_twelve_with_ten_equal)
{
    static const uint32_t sequences[] = { 9, 5, 9, 9, 9, 9, 9, 9, 6, 9, 9, 9 };
    check_relative(sequences, 12,
                   "12 inputs have relative block height timelock. Showing only 10 with highest "
                   "values.\n\n 0.  9 blocks\n 2.  9 blocks\n 3.  9 blocks\n 4.  9 blocks\n"
                   " 5.  9 blocks\n 6.  9 blocks\n 7.  9 blocks\n 9.  9 blocks\n 10.  9 blocks\n"
                   " 11.  9 blocks\n",
                   no_note);
}

TEST(psbt_signing_27_83_versions_without_relative_locks)
{
    static const uint32_t sequence[] = { 7 };
    struct rig *rig = rig_new();
    for (int32_t version = 1; version <= 3; version++) {
        struct draft *d = locked(rig, sequence, 1, 0);
        d->tx.version = version;
        rig_accepts(rig, draft_v0(d));
        assert_int_equal(rig->facts.tx.n_notes, version >= 2);
    }
}
