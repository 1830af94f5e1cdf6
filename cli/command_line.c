#include "cli/command_line.h"
#include "base/reader.h"

#define VERB_NAME_MAX 40

struct parser {
    struct command_line *out;
    int argc;
    char *const *argv;
    int next;
    struct option_table globals;
    struct verb_table verbs;
    bool only_words; // after "--"
};

// --- Tables ---

static const struct option *find_letter(struct option_table table, char letter)
{
    for (size_t i = 0; i < table.n; i++)
        if (table.rows[i].letter == letter)
            return &table.rows[i];
    return NULL;
}

static const struct option *find_name(struct option_table table, struct bytes name)
{
    for (size_t i = 0; i < table.n; i++)
        if (table.rows[i].name != NULL && bytes_equal_text(name, table.rows[i].name))
            return &table.rows[i];
    return NULL;
}

static const struct verb *find_verb(struct verb_table table, const char *name)
{
    for (size_t i = 0; i < table.n; i++)
        if (strcmp(table.rows[i]->name, name) == 0)
            return table.rows[i];
    return NULL;
}

// Whether verbs of two words begin with this one.
static bool is_group(struct verb_table table, const char *word)
{
    const size_t len = strlen(word);
    for (size_t i = 0; i < table.n; i++)
        if (strncmp(table.rows[i]->name, word, len) == 0 && table.rows[i]->name[len] == ' ')
            return true;
    return false;
}

// --- Options ---

static bool store_number(struct option_number *out, const struct option *row, const char *shown,
                         const char *value, struct err *err)
{
    struct reader r = reader_of(bytes_of_text(value));
    uint32_t n;
    if (!reader_decimal(&r, row->max, &n) || !reader_done(&r) || n < row->min)
        return err_set(err, ERR_USAGE,
                       "Invalid value for '%s': '%s' is not a number from %u to %u.", shown, value,
                       (unsigned)row->min, (unsigned)row->max);
    *out = (struct option_number){ true, n };
    return true;
}

static bool store_repeated(uint8_t *at, const char *shown, const char *value, struct err *err)
{
    struct option_list list;
    memcpy(&list, at, sizeof list);
    if (list.n == COUNT(list.items))
        return err_set(err, ERR_USAGE, "Option '%s' stands there more than %d times.", shown,
                       OPTION_LIST_MAX);
    list.items[list.n++] = value;
    memcpy(at, &list, sizeof list);
    return true;
}

static bool store(struct parser *p, const struct option *row, const char *shown, const char *value,
                  struct err *err)
{
    uint8_t *at = (uint8_t *)&p->out->options + row->member;
    struct option_number number;
    const bool yes = true;
    switch (row->kind) {
    case OPTION_FLAG:
        memcpy(at, &yes, sizeof yes);
        return true;
    case OPTION_TEXT:
        memcpy(at, &value, sizeof value);
        return true;
    case OPTION_REPEATED:
        return store_repeated(at, shown, value, err);
    case OPTION_NUMBER:
        if (!store_number(&number, row, shown, value, err))
            return false;
        memcpy(at, &number, sizeof number);
        return true;
    }
    return false;
}

// An option that needs a value takes what stands behind it, or the next argument.
static bool take_value(struct parser *p, const struct option *row, const char *shown,
                       const char *attached, struct err *err)
{
    if (attached == NULL && p->next == p->argc)
        return err_set(err, ERR_USAGE, "Option '%s' requires an argument.", shown);
    return store(p, row, shown, attached != NULL ? attached : p->argv[p->next++], err);
}

static const struct option *long_option(const struct parser *p, struct bytes name)
{
    const struct option *row = NULL;
    if (p->out->verb != NULL)
        row = find_name(p->out->verb->options, name);
    return row != NULL ? row : find_name(p->globals, name);
}

static bool parse_long(struct parser *p, const char *argument, struct err *err)
{
    const char *equals = strchr(argument, '=');
    const size_t len = equals != NULL ? (size_t)(equals - argument) : strlen(argument);
    char shown[64];
    snprintf(shown, sizeof shown, "%.*s", (int)(len < 60 ? len : 60), argument);
    const struct option *row = long_option(p, bytes_of(argument + 2, len - 2));
    if (row == NULL)
        return err_set(err, ERR_USAGE, "No such option: %s", shown);
    if (row->kind != OPTION_FLAG)
        return take_value(p, row, shown, equals != NULL ? equals + 1 : NULL, err);
    if (equals != NULL)
        return err_set(err, ERR_USAGE, "Option '%s' does not take a value.", shown);
    return store(p, row, shown, NULL, err);
}

// "-x", "-zs" for several flags, "-pVALUE".
static bool parse_letters(struct parser *p, const char *argument, struct err *err)
{
    const struct option_table table = p->out->verb != NULL ? p->out->verb->options : p->globals;
    for (const char *letter = argument + 1; *letter != 0; letter++) {
        const char shown[] = { '-', *letter, 0 };
        const struct option *row = find_letter(table, *letter);
        if (row == NULL)
            return err_set(err, ERR_USAGE, "No such option: %s", shown);
        if (row->kind != OPTION_FLAG)
            return take_value(p, row, shown, letter[1] != 0 ? letter + 1 : NULL, err);
        if (!store(p, row, shown, NULL, err))
            return false;
    }
    return true;
}

// --- Words ---

static bool take_verb(struct parser *p, const char *word, struct err *err)
{
    if (p->next < p->argc && is_group(p->verbs, word)) {
        char name[VERB_NAME_MAX];
        const int len = snprintf(name, sizeof name, "%s %s", word, p->argv[p->next]);
        const bool whole = len > 0 && (size_t)len < sizeof name;
        const struct verb *verb = whole ? find_verb(p->verbs, name) : NULL;
        if (verb != NULL) {
            p->out->verb = verb;
            p->next++;
            return true;
        }
        if (p->argv[p->next][0] != '-')
            return err_set(err, ERR_USAGE, "No such command '%s %s'.", word, p->argv[p->next]);
    }
    p->out->verb = find_verb(p->verbs, word);
    if (p->out->verb != NULL)
        return true;
    if (is_group(p->verbs, word))
        return err_set(err, ERR_USAGE, "Missing command after '%s'.", word);
    return err_set(err, ERR_USAGE, "No such command '%s'.", word);
}

static bool take_word(struct parser *p, const char *word, struct err *err)
{
    if (p->out->verb == NULL)
        return take_verb(p, word, err);
    if (p->out->n_words == p->out->verb->max_words || p->out->n_words == WORDS_MAX)
        return err_set(err, ERR_USAGE, "Got unexpected extra argument (%s)", word);
    p->out->words[p->out->n_words++] = word;
    return true;
}

static bool parse_argument(struct parser *p, const char *argument, struct err *err)
{
    // "-" alone is standard input or output
    if (p->only_words || argument[0] != '-' || argument[1] == 0)
        return take_word(p, argument, err);
    if (strcmp(argument, "--") == 0) {
        p->only_words = true;
        return true;
    }
    return argument[1] == '-' ? parse_long(p, argument, err) : parse_letters(p, argument, err);
}

// "PSBT_IN" out of "PSBT_IN [PSBT_OUT]", for the n-th word.
static struct bytes word_name(const char *words, size_t n)
{
    struct reader r = reader_of(bytes_of_text(words));
    struct bytes name = { 0 };
    for (size_t i = 0; i <= n && reader_until(&r, ' ', &name); i++)
        ;
    return name;
}

static bool check_words(const struct command_line *line, struct err *err)
{
    if (line->verb == NULL || line->options.help || line->options.version)
        return true;
    if (line->n_words < line->verb->min_words)
        return err_set(err, ERR_USAGE, "Missing argument '%.*s'.",
                       BYTES_ARG(word_name(line->verb->words, line->n_words)));
    return true;
}

bool command_line_parse(struct command_line *out, int argc, char *const *argv,
                        struct option_table globals, struct verb_table verbs, struct err *err)
{
    struct parser p = {
        .out = out, .argc = argc, .argv = argv, .next = 1, .globals = globals, .verbs = verbs
    };
    memset(out, 0, sizeof *out);
    while (p.next < argc)
        if (!parse_argument(&p, argv[p.next++], err))
            return false;
    return check_words(out, err);
}
