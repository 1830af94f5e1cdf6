#include "cli/completion.h"

static const char ask[] = "_casemate_ask() {\n"
                          "    local -a found\n"
                          "    found=(${(f)\"$(casemate completion $1 2>/dev/null)\"})\n"
                          "    compadd -a found\n"
                          "}\n\n";

// Inside single quotes, where _arguments reads [ ] : as its own.
static void write_escaped(struct writer *w, const char *text)
{
    for (const char *c = text; *c != 0; c++) {
        if (*c == '\'')
            writer_text(w, "'\\''");
        else if (strchr("[]:\\", *c) != NULL)
            writer_printf(w, "\\%c", *c);
        else
            writer_u8(w, (uint8_t)*c);
    }
}

static void write_value(struct writer *w, struct completion_value value)
{
    switch (value.kind) {
    case COMPLETE_NOTHING:
        writer_text(w, " ");
        return;
    case COMPLETE_FILE:
        writer_text(w, "_files");
        return;
    case COMPLETE_FOLDER:
        writer_text(w, "_files -/");
        return;
    case COMPLETE_LIST:
        writer_printf(w, "(%s)", value.list);
        return;
    case COMPLETE_COMMAND:
        writer_printf(w, "_casemate_ask %s", value.list);
        return;
    }
}

// '(-c --socket)'{-c,--socket}'[help]:PATH:action'
static void write_option(struct writer *w, const struct option *option, bool with_letter)
{
    const bool letter = option->letter != 0 && with_letter;
    writer_text(w, " \\\n        '");
    if (option->kind == OPTION_REPEATED)
        writer_text(w, "*");
    else if (letter && option->name != NULL)
        writer_printf(w, "(-%c --%s)", option->letter, option->name);
    if (letter && option->name != NULL)
        writer_printf(w, "'{-%c,--%s}'", option->letter, option->name);
    else if (letter)
        writer_printf(w, "-%c", option->letter);
    else
        writer_printf(w, "--%s", option->name);
    writer_text(w, "[");
    write_escaped(w, option->help);
    writer_text(w, "]");
    if (option->argument != NULL) {
        writer_text(w, ":");
        write_escaped(w, option->argument);
        writer_text(w, ":");
        write_value(w, completion_of_option(option));
    }
    writer_text(w, "'");
}

static void write_options(struct writer *w, struct option_table table, bool with_letters)
{
    for (size_t i = 0; i < table.n; i++)
        if (table.rows[i].name != NULL || with_letters)
            write_option(w, &table.rows[i], with_letters);
}

static bool has_option(struct option_table table, const char *name)
{
    for (size_t i = 0; i < table.n; i++)
        if (table.rows[i].name != NULL && strcmp(table.rows[i].name, name) == 0)
            return true;
    return false;
}

static void write_global_names(struct writer *w, struct option_table globals,
                               struct option_table own)
{
    for (size_t i = 0; i < globals.n; i++)
        if (globals.rows[i].name != NULL && !has_option(own, globals.rows[i].name))
            write_option(w, &globals.rows[i], false);
}

static void write_words(struct writer *w, const struct verb *verb)
{
    struct bytes name;
    bool is_repeated;
    for (size_t n = 0; completion_word(verb, n, &name, &is_repeated); n++) {
        if (is_repeated)
            writer_text(w, " \\\n        '*");
        else
            writer_printf(w, " \\\n        '%zu%s", n + 1, n < verb->min_words ? "" : ":");
        writer_printf(w, ":%.*s:", BYTES_ARG(name));
        write_value(w, completion_of_word(name));
        writer_text(w, "'");
    }
}

static void write_arguments(struct writer *w, const struct verb *verb, struct option_table globals)
{
    writer_text(w, "_arguments -s -S");
    write_options(w, verb->options, true);
    write_global_names(w, globals, verb->options);
    write_words(w, verb);
    writer_text(w, "\n");
}

// --- Groups: `policy check` and its like ---

static const char *last_word(const struct verb *verb)
{
    const char *blank = strchr(verb->name, ' ');
    return blank != NULL ? blank + 1 : verb->name;
}

static bool is_in(const struct verb *verb, struct bytes group)
{
    return bytes_equal(completion_group(verb), group);
}

static void write_choice(struct writer *w, struct verb_table verbs, struct bytes group)
{
    writer_text(w, "        local -a verbs=(\n");
    for (size_t v = 0; v < verbs.n; v++) {
        if (!is_in(verbs.rows[v], group))
            continue;
        writer_printf(w, "            '%s:", last_word(verbs.rows[v]));
        write_escaped(w, verbs.rows[v]->purpose);
        writer_text(w, "'\n");
    }
}

static bool is_first_of_group(struct verb_table verbs, size_t v)
{
    const struct bytes group = completion_group(verbs.rows[v]);
    for (size_t i = 0; i < v; i++)
        if (is_in(verbs.rows[i], group))
            return false;
    return group.len > 0;
}

static void write_cases(struct writer *w, struct option_table globals, struct verb_table verbs,
                        struct bytes group)
{
    for (size_t v = 0; v < verbs.n; v++) {
        if (!is_in(verbs.rows[v], group))
            continue;
        writer_printf(w, "        %s)\n        ", last_word(verbs.rows[v]));
        write_arguments(w, verbs.rows[v], globals);
        writer_text(w, "        ;;\n");
    }
}

static const struct verb *verb_of_group(struct verb_table verbs, struct bytes group)
{
    for (size_t v = 0; v < verbs.n; v++)
        if (bytes_equal_text(group, verbs.rows[v]->name))
            return verbs.rows[v];
    return NULL;
}

static void write_function(struct writer *w, struct option_table globals, struct verb_table verbs,
                           struct bytes group)
{
    const struct verb *own = verb_of_group(verbs, group);
    writer_printf(w,
                  "_casemate%s%.*s() {\n    local curcontext=$curcontext state line\n"
                  "    _arguments -s -S -C",
                  group.len > 0 ? "_" : "", BYTES_ARG(group));
    if (own != NULL)
        write_options(w, own->options, true);
    if (group.len == 0)
        write_options(w, globals, true);
    else
        write_global_names(w, globals, own != NULL ? own->options : (struct option_table){ 0 });
    writer_text(w,
                " \\\n        '1:command:->verb' '*::: :->rest'\n    case $state in\n    verb)\n");
    write_choice(w, verbs, group);
    if (group.len == 0)
        for (size_t v = 0; v < verbs.n; v++) // groups that are no verb themselves
            if (is_first_of_group(verbs, v) &&
                verb_of_group(verbs, completion_group(verbs.rows[v])) == NULL)
                writer_printf(w, "            %.*s\n", BYTES_ARG(completion_group(verbs.rows[v])));
    writer_text(w, "        )\n        _describe command verbs\n        ;;\n    rest)\n"
                   "        words=($line[1] \"${words[@]}\")\n        (( CURRENT += 1 ))\n"
                   "        case $line[1] in\n");
    if (group.len == 0)
        for (size_t v = 0; v < verbs.n; v++)
            if (is_first_of_group(verbs, v))
                writer_printf(w, "        %.*s) _casemate_%.*s ;;\n",
                              BYTES_ARG(completion_group(verbs.rows[v])),
                              BYTES_ARG(completion_group(verbs.rows[v])));
    write_cases(w, globals, verbs, group);
    writer_text(w, "        esac\n        ;;\n    esac\n}\n\n");
}

void completion_zsh(struct writer *w, struct option_table globals, struct verb_table verbs)
{
    writer_text(w, "#compdef casemate\n"
                   "# zsh completion of casemate, made by 'casemate completion zsh'\n\n");
    writer_text(w, ask);
    for (size_t v = 0; v < verbs.n; v++)
        if (is_first_of_group(verbs, v))
            write_function(w, globals, verbs, completion_group(verbs.rows[v]));
    write_function(w, globals, verbs, (struct bytes){ 0 });
    writer_text(w, "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n    _casemate \"$@\"\n"
                   "else\n    compdef _casemate casemate\nfi\n");
}
