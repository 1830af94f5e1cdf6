#include "coordinator/stream.h"
#include "tests/support/test.h"

static struct writer writer(void)
{
    return writer_growing(test_arena(), 65536);
}

TEST(coordinator_F2_frames_as_the_seed_writes_them)
{
    struct writer w = writer();
    frame_log(&w, "y", "quorum \xe2\x80\x94 %d of %d \"x\"", 1, 2);
    frame_step(&w, "step", 3);
    frame_step(&w, "done_step", 3);
    frame_end(&w, true, (struct bytes){ 0 }, NULL);
    frame_end(&w, false, BYTES("tb1q"), NULL);
    frame_end(&w, false, (struct bytes){ 0 }, "quorum_lost");
    assert_bytes_text(writer_bytes(&w),
                      "data: {\"log\": \"quorum \\u2014 1 of 2 \\\"x\\\"\", \"cls\": \"y\"}\n\n"
                      "data: {\"step\": 3}\n\n"
                      "data: {\"done_step\": 3}\n\n"
                      "data: {\"refused\": true, \"end\": true}\n\n"
                      "data: {\"authorized\": \"tb1q\", \"end\": true}\n\n"
                      "data: {\"end\": true, \"code\": \"quorum_lost\"}\n\n");
}

// A text that is cut is cut between characters, and no line end gets into a frame.
TEST(coordinator_F2_a_long_or_odd_line_stays_one_frame)
{
    char text[700];
    const struct json *object;
    struct err err;
    struct writer w = writer();
    for (size_t i = 0; i + 3 < sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    frame_log(&w, "", "%s", text);
    frame_log(&w, "", "a\nb\r\n\ndata: x");
    const struct bytes all = writer_bytes(&w);
    size_t frames = 0;
    for (size_t i = 0; i + 1 < all.len; i++)
        frames += all.ptr[i] == '\n' && all.ptr[i + 1] == '\n';
    assert_int_equal(frames, 2);
    const uint8_t *first = memmem(all.ptr, all.len, "\n\n", 2);
    assert_true(json_parse(&object, bytes_of(all.ptr + 6, (size_t)(first - all.ptr) - 6),
                           test_arena(), &err));
}

TEST(coordinator_D15_a_stored_frame_is_written_again)
{
    struct writer w = writer();
    bool ends;
    assert_true(frame_copy(&w, BYTES("{\"step\":1}"), &ends, test_arena()));
    assert_false(ends);
    assert_true(frame_copy(&w, BYTES("{\"refused\":true,\"end\":true}"), &ends, test_arena()));
    assert_true(ends);
    assert_bytes_text(writer_bytes(&w),
                      "data: {\"step\": 1}\n\ndata: {\"refused\": true, \"end\": true}\n\n");
    assert_false(frame_copy(&w, BYTES("[1]"), &ends, test_arena()));
    assert_false(frame_copy(&w, BYTES("{"), &ends, test_arena()));
}
