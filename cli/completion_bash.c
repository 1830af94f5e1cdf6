#include "cli/completion.h"

// The part that no table changes. _casemate_kind, _casemate_options, _casemate_word and
// _casemate_verbs are made below.
static const char functions[] =
    "_casemate_values() {\n"
    "    local IFS=$'\\n'\n"
    "    case $1 in\n"
    "    file) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
    "    folder) compopt -o filenames; COMPREPLY=($(compgen -d -- \"$cur\")) ;;\n"
    "    list*) COMPREPLY=($(IFS=' '; compgen -W \"${1#list }\" -- \"$cur\")) ;;\n"
    "    command*) COMPREPLY=($(compgen -W \"$(casemate completion \"${1#command }\" 2>/dev/null)\""
    " -- \"$cur\")) ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "_casemate() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} verb= kind= n=0 i word\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ $word == -?* ]]; then\n"
    "            kind=$(_casemate_kind \"$verb\" \"$word\")\n"
    "            [[ $kind ]] || continue\n"
    "            if ((++i == COMP_CWORD)); then _casemate_values \"$kind\"; return; fi\n"
    "        elif [[ -z $verb ]]; then\n"
    "            verb=$word\n"
    "        elif ((n == 0)) && _casemate_verbs | grep -qx \"$verb $word\"; then\n"
    "            verb=\"$verb $word\"\n"
    "        else\n"
    "            ((n++))\n"
    "        fi\n"
    "    done\n"
    "    if [[ $cur == -* ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$(_casemate_options \"$verb\")\" -- \"$cur\"))\n"
    "    elif [[ -z $verb ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$(_casemate_verbs | cut -d' ' -f1 | sort -u)\" -- "
    "\"$cur\"))\n"
    "    else\n"
    "        _casemate_values \"$(_casemate_word \"$verb\" $n)\"\n"
    "        ((n == 0)) && COMPREPLY+=($(compgen -W \"$(_casemate_verbs | "
    "sed -n \"s/^$verb //p\")\" -- \"$cur\"))\n"
    "    fi\n"
    "}\n"
    "complete -F _casemate casemate\n";

static void write_value(struct writer *w, struct completion_value value)
{
    static const char *const kinds[] = { [COMPLETE_NOTHING] = "nothing",
                                         [COMPLETE_FILE] = "file",
                                         [COMPLETE_FOLDER] = "folder",
                                         [COMPLETE_LIST] = "list",
                                         [COMPLETE_COMMAND] = "command" };
    writer_printf(w, "echo '%s%s%s' ;;\n", kinds[value.kind], value.list != NULL ? " " : "",
                  value.list != NULL ? value.list : "");
}

// Patterns "verb option" of one that takes a value. Of global ones the letters count before the verb
// only, the names behind it as well.
static void write_kind(struct writer *w, const char *verb, const struct option *option)
{
    if (option->argument == NULL)
        return;
    writer_text(w, "    ");
    if (option->letter != 0)
        writer_printf(w, "'%s -%c'%s", verb, option->letter, option->name != NULL ? "|" : "");
    if (option->name != NULL)
        writer_printf(w, verb[0] != 0 ? "'%s --%s'" : "%s*' --%s'", verb, option->name);
    writer_text(w, ") ");
    write_value(w, completion_of_option(option));
}

static void write_kinds(struct writer *w, struct option_table globals, struct verb_table verbs)
{
    writer_text(w, "_casemate_kind() {\n    case \"$1 $2\" in\n");
    for (size_t v = 0; v < verbs.n; v++)
        for (size_t i = 0; i < verbs.rows[v]->options.n; i++)
            write_kind(w, verbs.rows[v]->name, &verbs.rows[v]->options.rows[i]);
    for (size_t i = 0; i < globals.n; i++)
        write_kind(w, "", &globals.rows[i]);
    writer_text(w, "    esac\n}\n\n");
}

static void write_names(struct writer *w, struct option_table table, bool with_letters)
{
    for (size_t i = 0; i < table.n; i++) {
        if (table.rows[i].letter != 0 && with_letters)
            writer_printf(w, " -%c", table.rows[i].letter);
        if (table.rows[i].name != NULL)
            writer_printf(w, " --%s", table.rows[i].name);
    }
}

static void write_options(struct writer *w, struct option_table globals, struct verb_table verbs)
{
    writer_text(w, "_casemate_options() {\n    case $1 in\n    '') echo ");
    write_names(w, globals, true);
    writer_text(w, "; return ;;\n");
    for (size_t v = 0; v < verbs.n; v++) {
        if (verbs.rows[v]->options.n == 0)
            continue;
        writer_printf(w, "    '%s') echo ", verbs.rows[v]->name);
        write_names(w, verbs.rows[v]->options, true);
        writer_text(w, " ;;\n");
    }
    writer_text(w, "    esac\n    echo ");
    write_names(w, globals, false);
    writer_text(w, "\n}\n\n");
}

static void write_words(struct writer *w, struct verb_table verbs)
{
    writer_text(w, "_casemate_word() {\n    case \"$1 $2\" in\n");
    for (size_t v = 0; v < verbs.n; v++) {
        struct bytes name;
        bool is_repeated;
        for (size_t n = 0; completion_word(verbs.rows[v], n, &name, &is_repeated); n++) {
            if (is_repeated)
                writer_printf(w, "    '%s '*) ", verbs.rows[v]->name);
            else
                writer_printf(w, "    '%s %zu') ", verbs.rows[v]->name, n);
            write_value(w, completion_of_word(name));
        }
    }
    writer_text(w, "    esac\n}\n\n");
}

void completion_bash(struct writer *w, struct option_table globals, struct verb_table verbs)
{
    writer_text(w, "# bash completion of casemate, made by 'casemate completion bash'\n\n"
                   "_casemate_verbs() {\n    cat <<'END'\n");
    for (size_t v = 0; v < verbs.n; v++)
        writer_printf(w, "%s\n", verbs.rows[v]->name);
    writer_text(w, "END\n}\n\n");
    write_kinds(w, globals, verbs);
    write_options(w, globals, verbs);
    write_words(w, verbs);
    writer_text(w, functions);
}
