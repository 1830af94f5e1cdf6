#include "cli/completion.h"

// Which verb stands on the line, and how many words behind it.
static const char function_head[] =
    "function __casemate_at --description 'the verb, and so many words of it, stand there'\n"
    "    set -l verb\n"
    "    set -l n 0\n"
    "    set -l skip 0\n"
    "    set -l words (commandline -opc)\n"
    "    for word in $words[2..]\n"
    "        if test $skip = 1\n"
    "            set skip 0\n"
    "        else if string match -q -- '-?*' $word\n"
    "            contains -- \"$verb $word\" $__casemate_values; and set skip 1\n"
    "            contains -- $word $__casemate_global_values; and set skip 1\n"
    "        else if test -z \"$verb\"\n"
    "            set verb $word\n"
    "        else if test $n = 0; and contains -- \"$verb $word\" $__casemate_verbs\n"
    "            set verb \"$verb $word\"\n"
    "        else\n"
    "            set n (math $n + 1)\n"
    "        end\n"
    "    end\n"
    "    test \"$verb\" = \"$argv[1]\"; or return 1\n"
    "    test (count $argv) = 1; or test $n = $argv[2]\n"
    "end\n"
    "\n"
    "function __casemate_behind_verb\n"
    "    not __casemate_at ''\n"
    "end\n"
    "\n"
    "complete -c casemate -f\n";

static void write_quoted(struct writer *w, const char *text)
{
    writer_u8(w, '\'');
    for (const char *c = text; *c != 0; c++) {
        if (*c == '\'' || *c == '\\')
            writer_u8(w, '\\');
        writer_u8(w, (uint8_t)*c);
    }
    writer_u8(w, '\'');
}

static void write_value(struct writer *w, struct completion_value value)
{
    switch (value.kind) {
    case COMPLETE_NOTHING:
        return;
    case COMPLETE_FILE:
        writer_text(w, " -F");
        return;
    case COMPLETE_FOLDER:
        writer_text(w, " -a '(__fish_complete_directories)'");
        return;
    case COMPLETE_LIST:
        writer_printf(w, " -a '%s'", value.list);
        return;
    case COMPLETE_COMMAND:
        writer_printf(w, " -a '(casemate completion %s 2>/dev/null)'", value.list);
        return;
    }
}

static void write_option(struct writer *w, const struct option *option, const char *condition,
                         bool with_letter)
{
    if (option->name == NULL && !with_letter)
        return;
    writer_printf(w, "complete -c casemate -n \"%s\"", condition);
    if (option->letter != 0 && with_letter)
        writer_printf(w, " -s %c", option->letter);
    if (option->name != NULL)
        writer_printf(w, " -l %s", option->name);
    writer_text(w, " -d ");
    write_quoted(w, option->help);
    if (option->argument != NULL) {
        writer_text(w, " -r");
        write_value(w, completion_of_option(option));
    }
    writer_u8(w, '\n');
}

static void write_verb_options(struct writer *w, const struct verb *verb)
{
    char mem[80];
    snprintf(mem, sizeof mem, "__casemate_at '%s'", verb->name);
    for (size_t i = 0; i < verb->options.n; i++)
        write_option(w, &verb->options.rows[i], mem, true);
}

static void write_verb_words(struct writer *w, const struct verb *verb)
{
    struct bytes name;
    bool is_repeated;
    for (size_t n = 0; completion_word(verb, n, &name, &is_repeated); n++) {
        const struct completion_value value = completion_of_word(name);
        if (value.kind == COMPLETE_NOTHING)
            continue;
        writer_printf(w, "complete -c casemate -n \"__casemate_at '%s' %zu\"", verb->name, n);
        write_value(w, value);
        writer_u8(w, '\n');
    }
}

// `policy`, then `check` behind it.
static void write_verb(struct writer *w, const struct verb *verb)
{
    const struct bytes group = completion_group(verb);
    if (group.len > 0)
        writer_printf(w, "complete -c casemate -n \"__casemate_at ''\" -a %.*s\n",
                      BYTES_ARG(group));
    writer_printf(w, "complete -c casemate -n \"__casemate_at '%.*s' 0\" -a %s -d ",
                  BYTES_ARG(group), group.len > 0 ? verb->name + group.len + 1 : verb->name);
    write_quoted(w, verb->purpose);
    writer_u8(w, '\n');
    write_verb_options(w, verb);
    write_verb_words(w, verb);
}

// --- Lists that the function reads ---

static void write_verb_values(struct writer *w, const struct verb *verb)
{
    for (size_t i = 0; i < verb->options.n; i++) {
        const struct option *option = &verb->options.rows[i];
        if (option->argument != NULL && option->letter != 0)
            writer_printf(w, " '%s -%c'", verb->name, option->letter);
        if (option->argument != NULL && option->name != NULL)
            writer_printf(w, " '%s --%s'", verb->name, option->name);
    }
}

static void write_lists(struct writer *w, struct option_table globals, struct verb_table verbs)
{
    writer_text(w, "set -g __casemate_verbs");
    for (size_t v = 0; v < verbs.n; v++)
        writer_printf(w, " '%s'", verbs.rows[v]->name);
    writer_text(w, "\nset -g __casemate_values");
    for (size_t v = 0; v < verbs.n; v++)
        write_verb_values(w, verbs.rows[v]);
    for (size_t i = 0; i < globals.n; i++)
        if (globals.rows[i].argument != NULL && globals.rows[i].letter != 0)
            writer_printf(w, " ' -%c'", globals.rows[i].letter);
    writer_text(w, "\nset -g __casemate_global_values");
    for (size_t i = 0; i < globals.n; i++)
        if (globals.rows[i].argument != NULL && globals.rows[i].name != NULL)
            writer_printf(w, " --%s", globals.rows[i].name);
    writer_text(w, "\n\n");
}

void completion_fish(struct writer *w, struct option_table globals, struct verb_table verbs)
{
    writer_text(w, "# fish completion of casemate, made by 'casemate completion fish'\n\n");
    write_lists(w, globals, verbs);
    writer_text(w, function_head);
    for (size_t i = 0; i < globals.n; i++) {
        write_option(w, &globals.rows[i], "__casemate_at ''", true);
        write_option(w, &globals.rows[i], "__casemate_behind_verb", false);
    }
    for (size_t v = 0; v < verbs.n; v++)
        write_verb(w, verbs.rows[v]);
}
