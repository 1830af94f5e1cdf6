// tests/support/support.c -- runs the registered tests under cmocka, and implements test.h.
//
// usage: <test program> [part of a test's name]
#include "base/base64.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/secret.h"
#include "tests/support/test.h"
#include <ctype.h>
#include <errno.h>
#include <ftw.h>

enum { ARENA_LIMIT = 256 << 20, HEX_SHOWN = 256 };

// The only state at file scope: what the constructors of TEST() and the running test left.
static struct {
    struct CMUnitTest *tests;
    size_t n_tests;
    struct arena *arena;
    char dir[64];
} run;

// Weak: there only if the program under test links the code that needs it.
__attribute__((weak)) void crypto_init(void);

static void out_of_memory(void)
{
    print_error("Bail out! no memory for the test program\n");
    abort();
}

static void run_body(void **state)
{
    void (*const *body)(void) = *state;
    (*body)();
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int clean_up(void **state)
{
    (void)state;
    arena_free(run.arena);
    run.arena = NULL;
    if (run.dir[0] != '\0' && nftw(run.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        print_error("# %s: %s\n", run.dir, strerror(errno));
    run.dir[0] = '\0';
    return 0;
}

// "keypath_of_7" is printed "keypath of 7".
static char *with_blanks(const char *name)
{
    char *text = strdup(name);
    for (char *c = text; c && *c; c++)
        if (*c == '_')
            *c = ' ';
    return text;
}

void test_register(const char *name, void (*body)(void))
{
    void (**kept)(void) = malloc(sizeof *kept);
    char *text = with_blanks(name);
    run.tests = realloc(run.tests, (run.n_tests + 1) * sizeof run.tests[0]);
    if (!kept || !text || !run.tests)
        out_of_memory();
    *kept = body;
    run.tests[run.n_tests++] = (struct CMUnitTest){
        .name = text, .test_func = run_body, .teardown_func = clean_up, .initial_state = kept
    };
}

static void free_test(struct CMUnitTest *test)
{
    free(test->initial_state);
    free((void *)(uintptr_t)test->name); // ours, from with_blanks
}

// Keeps the tests whose name, in either spelling, has `part` in it.
static void keep_only(const char *part)
{
    char *blanks = with_blanks(part);
    size_t kept = 0;
    if (!blanks)
        out_of_memory();
    for (size_t i = 0; i < run.n_tests; i++) {
        if (strstr(run.tests[i].name, blanks))
            run.tests[kept++] = run.tests[i];
        else
            free_test(&run.tests[i]);
    }
    run.n_tests = kept;
    free(blanks);
}

// cmocka says "not ok 3 # SKIP"; in TAP a skipped test is ok.
static ssize_t write_line(void *cookie, const char *text, size_t len)
{
    static const char not_ok[] = "not ok ";
    const size_t head = sizeof not_ok - 1;
    const bool skipped = len > head && memcmp(text, not_ok, head) == 0 &&
                         memmem(text, len, "# SKIP", strlen("# SKIP"));
    struct err err;
    (void)cookie;
    if (skipped)
        text += strlen("not ");
    const struct bytes line = bytes_of(text, len - (skipped ? strlen("not ") : 0));
    return file_write_fd(STDOUT_FILENO, "standard output", line, &err) ? (ssize_t)len : 0;
}

// cmocka writes "ok" to stdout and "not ok" to stderr: one stream keeps them in order.
static bool join_streams(void)
{
    FILE *lines = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_line });
    if (!lines || setvbuf(lines, NULL, _IOLBF, BUFSIZ) != 0)
        return false;
    stdout = lines;
    return dup2(STDOUT_FILENO, STDERR_FILENO) >= 0;
}

int main(int argc, char **argv)
{
    if (!join_streams())
        return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (argc > 1)
        keep_only(argv[1]);
    if (run.n_tests == 0) {
        printf("Bail out! no test%s%s\n", argc > 1 ? " is named like " : "",
               argc > 1 ? argv[1] : "");
        return 1;
    }
    if (!secret_init()) {
        printf("Bail out! secret_init failed\n");
        return 1;
    }
    if (crypto_init)
        crypto_init();
    const int failed = _cmocka_run_group_tests(argv[0], run.tests, run.n_tests, NULL, NULL);
    for (size_t i = 0; i < run.n_tests; i++)
        free_test(&run.tests[i]);
    free(run.tests);
    return failed == 0 ? 0 : 1;
}

// --- What tests call ---

static bool is_readable(struct bytes b)
{
    for (size_t i = 0; i < b.len; i++)
        if (!isprint(b.ptr[i]) && b.ptr[i] != '\n')
            return false;
    return b.len > 0;
}

static void print_bytes(const char *label, struct bytes b, bool as_text)
{
    print_error("# %s %zu bytes: ", label, b.len);
    if (as_text) {
        print_error("\"%.*s\"\n", BYTES_ARG(b));
        return;
    }
    for (size_t i = 0; i < b.len && i < HEX_SHOWN; i++)
        print_error("%02x", b.ptr[i]);
    print_error("%s\n", b.len > HEX_SHOWN ? "..." : "");
}

void test_assert_bytes_equal(struct bytes a, struct bytes b, const char *file, int line)
{
    if (bytes_equal(a, b))
        return;
    const bool as_text = (is_readable(a) || a.len == 0) && (is_readable(b) || b.len == 0);
    size_t same = 0;
    while (same < a.len && same < b.len && a.ptr[same] == b.ptr[same])
        same++;
    print_error("# not equal from byte %zu on\n", same);
    print_bytes("got     ", a, as_text);
    print_bytes("expected", b, as_text);
    _fail(file, line);
}

void test_assert_err(const struct err *err, enum err_code code, const char *text, const char *file,
                     int line)
{
    if (err->code == code && strcmp(err->text, text) == 0)
        return;
    print_error("# got error      %s: \"%s\"\n", err_code_name(err->code), err->text);
    print_error("# expected error %s: \"%s\"\n", err_code_name(code), text);
    _fail(file, line);
}

struct arena *test_arena(void)
{
    if (!run.arena)
        run.arena = arena_new(ARENA_LIMIT);
    return run.arena;
}

static void *need_memory(size_t size)
{
    void *mem = arena_alloc(test_arena(), size);
    assert_non_null(mem);
    return mem;
}

// The digits of `text`, blanks left out, as bytes. False if it is no hex.
static bool hex_without_blanks(struct bytes text, struct bytes *out)
{
    char *digits = need_memory(text.len + 1);
    uint8_t *content = need_memory(text.len / 2 + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        if (!isspace(text.ptr[i]))
            digits[n++] = (char)text.ptr[i];
    *out = bytes_of(content, n / 2);
    return n % 2 == 0 && hex_decode(content, n / 2, bytes_of(digits, n));
}

struct bytes test_hex(const char *hex)
{
    struct bytes out;
    if (!hex_without_blanks(bytes_of_text(hex), &out))
        fail_msg("the test's own hex is wrong: %s", hex);
    return out;
}

struct bytes test_base64(struct bytes text)
{
    const size_t room = text.len / 4 * 3;
    struct writer w = writer_of(need_memory(room), room);
    struct bytes out;
    if (!base64_read(&w, text) || !writer_finish(&w, &out))
        fail_msg("the test's own base64 is wrong: %.*s", BYTES_ARG(text));
    return out;
}

struct bytes test_vector_bytes(const char *file)
{
    const char *dir = getenv("CASEMATE_VECTORS");
    char path[4096];
    struct bytes content;
    struct err err;
    const int len = snprintf(path, sizeof path, "%s/%s", dir ? dir : "tests/vectors", file);
    assert_true(len > 0 && (size_t)len < sizeof path);
    if (!file_read(&content, path, ARENA_LIMIT / 2, test_arena(), &err))
        fail_msg("%s%s", err.text, dir ? "" : " (CASEMATE_VECTORS names no other folder)");
    return content;
}

const struct json *test_vectors(const char *file)
{
    const struct json *value;
    struct err err;
    if (!json_parse(&value, test_vector_bytes(file), test_arena(), &err))
        fail_msg("%s: %s (%s)", file, err.text, err.detail);
    return value;
}

const struct json *json_need(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);
    if (!value)
        fail_msg("the vector has no member \"%s\"", key);
    return value;
}

struct bytes json_need_text(const struct json *object, const char *key)
{
    const struct json *value = json_need(object, key);
    if (value->type != JSON_STRING)
        fail_msg("the vector's member \"%s\" is no text", key);
    return value->text;
}

struct bytes json_need_hex(const struct json *object, const char *key)
{
    struct bytes out;
    if (!hex_without_blanks(json_need_text(object, key), &out))
        fail_msg("the vector's member \"%s\" is no hex", key);
    return out;
}

int64_t json_need_integer(const struct json *object, const char *key)
{
    int64_t value = 0;
    if (!json_integer(json_need(object, key), &value, NULL))
        fail_msg("the vector's member \"%s\" is no integer", key);
    return value;
}

const struct json *json_item(const struct json *array, size_t i)
{
    assert_int_equal(array->type, JSON_ARRAY);
    if (i >= array->n_items)
        fail_msg("the vector's array has %zu items, not %zu", array->n_items, i + 1);
    const struct json *item = array->items;
    while (i-- > 0)
        item = item->next;
    return item;
}

struct bytes json_item_text(const struct json *array, size_t i)
{
    const struct json *item = json_item(array, i);
    if (item->type != JSON_STRING)
        fail_msg("item %zu of the vector's array is no text", i);
    return item->text;
}

struct bytes json_item_hex(const struct json *array, size_t i)
{
    struct bytes out;
    if (!hex_without_blanks(json_item_text(array, i), &out))
        fail_msg("item %zu of the vector's array is no hex", i);
    return out;
}

int64_t json_item_integer(const struct json *array, size_t i)
{
    int64_t value = 0;
    if (!json_integer(json_item(array, i), &value, NULL))
        fail_msg("item %zu of the vector's array is no integer", i);
    return value;
}

const char *test_dir(void)
{
    if (run.dir[0] == '\0') {
        (void)snprintf(run.dir, sizeof run.dir, "/tmp/casemate-test-XXXXXX");
        if (!mkdtemp(run.dir)) {
            run.dir[0] = '\0';
            fail_msg("no folder for the test: %s", strerror(errno));
        }
    }
    return run.dir;
}
