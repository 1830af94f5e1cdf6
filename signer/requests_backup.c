// `back`, `bkok` and `rest`: wire-protocol.md 8.9.
//
// (1) A host gets a backup only after the operator has read the twelve words that open it and has been
//     asked for three of them. The host never sees a word.
// (2) A host restores nothing: docs/deviations.md.
#include "base/require.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "signer/backup_work.h"
#include "signer/requests.h"

#define FILE_NUMBER 0 // "`bkok` -> `strx`, then `dwld` file 0"
#define CHOICES     3

// The dialog while it is on the screen.
struct asking {
    struct device *device;
    struct backup_words words;
    struct backup_quiz quiz;
    size_t n_right;
    unsigned choice[CHOICES]; // numbers of words, one of them the right one
};

static void free_asking(struct asking *a)
{
    wipe(a, sizeof *a);
    free(a);
}

static void words_key(void *context, char key);
static void quiz_key(void *context, char key);

static void dismissed(void *context)
{
    struct asking *a = context;
    if (a->device->job.kind == JOB_BACKUP)
        job_drop(&a->device->job);
    free_asking(a);
}
static const struct dialog_ops words_dialog = { .key = words_key, .dismissed = dismissed };
static const struct dialog_ops quiz_dialog = { .key = quiz_key, .dismissed = dismissed };

struct text {
    char b[1024];
};
static void text_wipe(struct text *text)
{
    wipe(text, sizeof *text);
}

static void show_words(struct asking *a, const char *problem)
{
    AUTO(text_wipe) struct text mem;
    struct writer w = writer_of(mem.b, sizeof mem.b);
    writer_printf(
        &w,
        "%sThe host asks for a backup of this signer. These words open it. They are shown "
        "only now: write them down.\n\n",
        problem);
    for (unsigned i = 1; i <= BACKUP_WORDS; i++)
        writer_printf(&w, "%2u: %.*s\n", i, BYTES_ARG(backup_words_nth(&a->words, i)));
    writer_text(&w, "\nPress OK when you have them, X to cancel.");
    screen_ask(&a->device->screen, "Backup", writer_bytes(&w), ASK_KEY, &words_dialog, a);
}

static bool is_chosen(const struct asking *a, size_t n, unsigned number)
{
    for (size_t i = 0; i < n; i++)
        if (bytes_equal(backup_words_nth(&a->words, a->choice[i]),
                        backup_words_nth(&a->words, number)))
            return true;
    return false;
}

// The right one and others of the twelve, in any order.
static void choose(struct asking *a)
{
    const size_t place = random_below(CHOICES);
    a->choice[0] = a->quiz.number[a->n_right];
    for (size_t n = 1, tries = 0; n < CHOICES; tries++) {
        a->choice[n] = 1 + random_below(BACKUP_WORDS);
        if (!is_chosen(a, n, a->choice[n]) || tries > 1000)
            n++;
    }
    const unsigned right = a->choice[0];
    a->choice[0] = a->choice[place];
    a->choice[place] = right;
}

static void show_quiz(struct asking *a)
{
    AUTO(text_wipe) struct text mem;
    struct writer w = writer_of(mem.b, sizeof mem.b);
    choose(a);
    writer_printf(&w, "Word %u?\n\n", a->quiz.number[a->n_right]);
    for (unsigned i = 0; i < CHOICES; i++)
        writer_printf(&w, "%u: %.*s\n", i + 1,
                      BYTES_ARG(backup_words_nth(&a->words, a->choice[i])));
    writer_text(&w, "\nPress the number of the word, X to see the words again.");
    screen_ask(&a->device->screen, "Backup", writer_bytes(&w), ASK_KEY, &quiz_dialog, a);
}

// --- Making it ---

static void failed(struct device *device, const struct err *why)
{
    struct err err;
    LOG(device->log, LOG_ERROR, "backup_failed", LOG_TEXT("error", why->text));
    err_set(&err, ERR_IO, "Error during backup process.");
    job_fail(&device->job, &err);
}

static void was_made(struct device *device, const struct backup_outcome *made)
{
    struct job *job = &device->job;
    struct err err;
    if (made->err != NULL) {
        failed(device, made->err);
        return;
    }
    if (made->file.len > PSBT_MAX) { // what `dwld` reaches: wire-protocol.md 6.2
        err_set(&err, ERR_LIMIT, "a host can fetch %d bytes, and it has %zu", PSBT_MAX,
                made->file.len);
        failed(device, &err);
        return;
    }
    blob_set(&job->result, made->file);
    job->result_len = made->file.len;
    job->result_hash = sha256(made->file);
    struct peer *peer = peers_find(&device->peers, job->peer);
    if (peer != NULL) {
        AUTO(blob_drop) struct blob copy = { 0 };
        blob_set(&copy, made->file);
        lease_grant(&peer->lease, FILE_NUMBER, &copy);
    }
    job_finish(job);
    LOG(device->log, LOG_INFO, "backup_made", LOG_U64("bytes", job->result_len));
}

static void make(struct device *device, const struct backup_words *words)
{
    const struct backup_source source = { .store = device->store,
                                          .master = device->container,
                                          .chain = device_chain(device),
                                          .name = device->name,
                                          .now_s = device->clock->wall_s(device->clock) };
    const struct vault_cost cost = device->simulator ? vault_cost_weak() : vault_cost_default();
    backup_work_start(device, &source, words, cost, was_made);
}

static void words_key(void *context, char key)
{
    struct asking *a = context;
    if (key == 'y') {
        a->quiz = backup_quiz_make();
        a->n_right = 0;
        screen_done(&a->device->screen);
        show_quiz(a);
    } else if (key == 'x') {
        screen_done(&a->device->screen);
        job_refuse(&a->device->job);
        free_asking(a);
    }
}

static void quiz_key(void *context, char key)
{
    struct asking *a = context;
    const bool is_choice = key >= '1' && key < '1' + CHOICES;
    if (!is_choice && key != 'x')
        return;
    screen_done(&a->device->screen);
    if (!is_choice || a->choice[key - '1'] != a->quiz.number[a->n_right]) {
        show_words(a, is_choice ? "That was another word.\n\n" : "");
        return;
    }
    if (++a->n_right < BACKUP_QUIZ_WORDS) {
        show_quiz(a);
        return;
    }
    make(a->device, &a->words);
    free_asking(a);
}

// --- Requests ---

bool serve_back(struct exchange *ex, struct err *err)
{
    struct device *device = ex->device;
    if (!device->has_seed)
        return err_set(err, ERR_STATE, "Assertion no seed");
    struct asking *a = calloc(1, sizeof *a);
    REQUIRE(a != NULL);
    a->device = device;
    backup_words_make(&a->words);
    struct job *job = request_start_job(ex, JOB_BACKUP);
    job->begun = true;
    show_words(a, "");
    reply_okay(ex);
    return true;
}

bool serve_bkok(struct exchange *ex, struct err *err)
{
    struct job *job = &ex->device->job;
    bool finished;
    if (!request_poll_job(ex, job, JOB_BACKUP, &finished, err))
        return false;
    if (finished)
        reply_file(ex, job, FILE_NUMBER);
    return true;
}

static void notice_key(void *context, char key)
{
    if (key == 'x' || key == 'y')
        screen_done(context);
}
static const struct dialog_ops notice_dialog = { .key = notice_key };

// The operator is told what the host wanted, and the host that it was refused.
bool serve_rest(struct exchange *ex, struct err *err)
{
    const struct request_file *file = &ex->request.rest.file;
    struct device *device = ex->device;
    if (!upload_is(ex->peer, file->length, &file->sha, 1, PSBT_MAX, err))
        return false;
    job_refuse(request_start_job(ex, JOB_RESTORE));
    screen_ask(
        &device->screen, "Restore",
        BYTES("The host wants to restore a backup. This signer has a seed, and is not "
              "written over.\n\nOn its machine, `casemate-signer restore` makes a new signer "
              "of a backup.\n\nPress OK."),
        ASK_KEY, &notice_dialog, &device->screen);
    reply_okay(ex);
    return true;
}
