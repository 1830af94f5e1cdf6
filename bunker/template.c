// Pages: a file of web/ with marks that are replaced. Source: bunker.md 17.2, 19.5.
#include "base/require.h"
#include "base/utf8.h"
#include "bunker/pages.h"
#include "http/form.h"

#define PAGE_MAX ((size_t)16 << 20)

struct fill {
    struct page *page;
    struct writer *w;
    const char *nonce, *error;
};

// The only inline script of a page. Clients look for `window.WEBSOCKET_URL = "...";` and, on one line,
// `STATUS: {...},`.
static void put_bootstrap(struct fill *f)
{
    struct page *p = f->page;
    struct writer json = writer_growing(p->arena, PAGE_MAX);
    struct json_writer j = json_writer_of(&json);
    j.ascii = true;
    status_write(&j, p->b, p->session, bunker_now_s(p->b));
    writer_printf(f->w, "<script nonce=\"%s\">\nwindow.WEBSOCKET_URL = \"/websocket/%s\";\n",
                  f->nonce, p->session->ws_token);
    writer_text(f->w, "window.CASEMATE = {\n STATUS: ");
    script_json_write(f->w, writer_bytes(&json));
    writer_printf(f->w, ",\n CSRF: \"%s\"\n};\n</script>", p->session->csrf);
}

static void put_csrf(struct fill *f)
{
    if (f->page->session != NULL)
        writer_text(f->w, f->page->session->csrf);
}

static void put_error(struct fill *f)
{
    if (f->error[0] == '\0')
        return;
    writer_text(f->w, "<p role=\"alert\" class=\"note bad\">");
    html_write(f->w, bytes_of_text(f->error));
    writer_text(f->w, "</p>");
}

static void put_target(struct fill *f)
{
    struct bytes u;
    if (http_form_get(f->page->request->query, "u", &u, f->page->arena))
        html_write_attribute(f->w, utf8_cut(u, 100));
}

// "core functions with JavaScript off"
static void put_plain(struct fill *f)
{
    plain_write(f->w, f->page);
}

static void put_captcha(struct fill *f)
{
    if (login_wants_captcha(f->page))
        writer_text(f->w,
                    "<div class=\"field\"><label for=\"captcha\">Characters of the picture</label>"
                    "<img src=\"/captcha\" width=\"256\" height=\"64\" alt=\"Eight letters and "
                    "digits\"><input id=\"captcha\" name=\"captcha\" autocomplete=\"off\" "
                    "maxlength=\"8\" required></div>");
}

static void put_version(struct fill *f)
{
    writer_text(f->w, CASEMATE_VERSION);
}

static const struct {
    const char *mark;
    bool needs_session;
    void (*put)(struct fill *f);
} marks[] = {
    { "BOOTSTRAP", true, put_bootstrap }, { "CSRF", false, put_csrf },
    { "ERROR", false, put_error },        { "TARGET", false, put_target },
    { "CAPTCHA", false, put_captcha },    { "PLAIN", true, put_plain },
    { "VERSION", false, put_version },
};

// A mark is %NAME%; "%v:PATH%" is the tag of an asset.
static bool put_mark(struct fill *f, struct bytes name)
{
    struct reader r = reader_of(name);
    if (reader_accept_bytes(&r, BYTES("v:"))) {
        const struct asset *asset = asset_find(f->page->b->assets, reader_rest(&r));
        if (asset != NULL)
            writer_text(f->w, asset->tag);
        return asset != NULL;
    }
    for (size_t i = 0; i < COUNT(marks); i++)
        if (bytes_equal_text(name, marks[i].mark)) {
            if (!marks[i].needs_session || f->page->session != NULL)
                marks[i].put(f);
            return true;
        }
    return false;
}

static void fill(struct fill *f, struct bytes text)
{
    struct reader r = reader_of(text);
    struct bytes piece;
    while (reader_until(&r, '%', &piece)) {
        writer_put(f->w, piece);
        struct reader at = r;
        if (!reader_until(&at, '%', &piece) || piece.len > 64)
            break;
        if (put_mark(f, piece))
            r = at;
        else
            writer_text(f->w, "%");
    }
    writer_put(f->w, reader_rest(&r));
}

void template_send(struct page *p, const char *name, const char *error, bool camera)
{
    const struct asset *asset = asset_find(p->b->assets, bytes_of_text(name));
    char nonce[HTTP_NONCE_SIZE];
    struct bytes body;
    struct writer w = writer_growing(p->arena, PAGE_MAX);
    REQUIRE(asset != NULL); // built in
    http_nonce(nonce);
    struct fill f = { p, &w, nonce, error };
    fill(&f, asset->content);
    if (!writer_finish(&w, &body)) {
        page_status(p, 500);
        return;
    }
    page_reply(p, &(struct http_reply){ .status = 200,
                                        .type = "text/html; charset=utf-8",
                                        .body = body,
                                        .nonce = nonce,
                                        .camera = camera });
}
