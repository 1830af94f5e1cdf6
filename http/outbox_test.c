#include "http/outbox.h"
#include "tests/support/test.h"

static void expect(struct outbox *box, const char *text)
{
    struct outbox_message *m = outbox_take(box);
    assert_non_null(m);
    assert_bytes_text(bytes_of(m->mem + OUTBOX_ROOM, m->len), text);
    outbox_drop(m);
}

TEST(outbox_keeps_order_and_the_newest_snapshot)
{
    struct outbox box;
    outbox_init(&box, 100);
    assert_true(outbox_put(&box, BYTES("status 1"), 7));
    assert_true(outbox_put(&box, BYTES("modal"), 0));
    assert_true(outbox_put(&box, BYTES("status 2"), 7)); // replaces the first, behind the modal
    assert_true(outbox_put(&box, BYTES("file"), 0));
    assert_true(outbox_put(&box, BYTES("other"), 8));
    assert_true(outbox_put(&box, BYTES("other 2"), 8)); // the last one replaced
    assert_true(outbox_put(&box, BYTES("end"), 0));
    expect(&box, "modal");
    expect(&box, "status 2");
    expect(&box, "file");
    expect(&box, "other 2");
    expect(&box, "end");
    assert_true(outbox_is_empty(&box));
    assert_null(outbox_take(&box));
    assert_int_equal(box.held, 0);
}

TEST(outbox_holds_no_more_than_its_limit)
{
    struct outbox box;
    outbox_init(&box, 10);
    assert_true(outbox_put(&box, BYTES("123456"), 1));
    assert_false(outbox_put(&box, BYTES("12345"), 0));
    assert_true(outbox_put(&box, BYTES("1234"), 0));
    assert_false(outbox_put(&box, BYTES("1"), 0));
    assert_true(outbox_put(&box, BYTES("654321"), 1)); // in place of the old snapshot
    outbox_free(&box);
    assert_int_equal(box.held, 0);
    assert_true(outbox_put(&box, BYTES("again"), 0));
    outbox_free(&box);
}
