# tests/docs/names.py -- what documents name is there: programs, verbs, options, paths, routes, links, numbers of headers.
import os
import re
import shlex
import shutil
import subprocess

import document
from tap import SOURCE, files, lines

PROGRAMS = {"casemate": "cli", "casemate-signer": "signer", "casemate-bunker": "bunker",
            "casemate-coordinator": "coordinator", "make-psbt": "tools"}
OURS = re.compile(r"(%s)(?= |$)" % "|".join(PROGRAMS))
TREE_PATH = re.compile(r"\./(?:demo|check)\b|(?:%s)/[\w./-]*[\w/-]" % "|".join(
    sorted(name for name in os.listdir(SOURCE) if os.path.isdir(f"{SOURCE}/{name}") and not name.startswith((".", "build")))))


# --- Does such a program, verb or option exist? ---

class Programs:
    """What the programs of a build say of themselves by --help."""

    def __init__(self, build):
        self.build, self.texts = build, {}

    def help(self, *words):
        if words not in self.texts:
            program = words[0]
            path = f"{self.build}/{PROGRAMS[program]}/{program}" if program in PROGRAMS else f"{SOURCE}/{program}"
            done = subprocess.run([path, *words[1:], "--help"], capture_output=True, text=True, check=False, timeout=60,
                                  stdin=subprocess.DEVNULL)
            self.texts[words] = done.stdout if done.returncode == 0 else ""
        return self.texts[words]

    def casemate(self, words):
        """The verb's words, and all the help that holds for its options."""
        verbs = re.findall(r"^  ((?:[\w-]+ )?[\w-]+)(?:  |$)", self.help("casemate").split("Commands:")[1], re.M)
        plain = [w for w in words if re.fullmatch(r"[a-z][\w-]*", w)]
        for i in range(len(plain)):
            for verb in (" ".join(plain[i:i + 2]), plain[i]):
                if verb in verbs:
                    return self.help("casemate") + self.help("casemate", *verb.split())
                if any(v.startswith(verb + " ") for v in verbs) and i + 1 == len(plain):
                    return self.help("casemate")
        return self.help("casemate") if not plain else ""

    def complaint(self, text):
        """What is wrong with a command line of ours, or None."""
        try:
            words = shlex.split(text, comments=True)
        except ValueError:
            words = text.split()
        program, rest = words[0], words[1:]
        known = self.casemate(rest) if program == "casemate" else self.help(program)
        if not known:
            return f"{text}: there is no such command"
        if program in PROGRAMS and program not in ("casemate", "make-psbt"):
            verb = next((w for w in rest if re.fullmatch(r"[a-z][a-z-]*", w)), None)
            if verb and not re.search(rf"^ .*\b{verb}\b", known, re.M):
                return f"{text}: {program} has no {verb}"
        for word in rest[:rest.index("--")] if "--" in rest else rest:
            option = re.match(r"(--[a-z][\w-]*|-[a-zA-Z0-9])", word)
            if option and not re.search(rf"(?<![\w-]){option[1]}(?![\w-])", known):
                return f"{text}: there is no option {option[1]}"
        return None


def simple_commands(text):
    """The simple commands of a line, roughly: enough for those that are not run."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;()")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words = []
    for word in lexer:
        if set(word) <= set("|&;()"):
            yield words
            words = []
        else:
            words.append(word)
    yield words


def exists(programs, table, text):
    """Complaints about a command that is not run."""
    elsewhere = {row.command: row for row in table if row.path == "programs"}
    for words in simple_commands(text):
        while words and (re.match(r"\w+=", words[0]) or words[0] in ("sudo", "exec", "man")):
            words = words[1:]
        if not words:
            continue
        if words[0] in PROGRAMS:
            complaint = programs.complaint(shlex.join(words))
            if complaint:
                yield complaint
        elif "/" in words[0]:
            if not os.path.exists(f"{SOURCE}/{words[0]}"):
                yield f"there is no {words[0]}"
        elif words[0] in elsewhere:
            elsewhere[words[0]].used = True
        elif not shutil.which(words[0]) and subprocess.run(["bash", "-c", f"type {shlex.quote(words[0])}"],
                                                           capture_output=True, check=False).returncode:
            yield f"{words[0]}: no such program here, and not under [programs] of tests/docs/table"


# --- What is not run: form, words in sentences, links ---

def form(path, blocks, prose):
    before = ""
    for number, line in prose:
        if re.match(r" {4,}\S", line) and not before:
            yield f"{path}:{number}: an indented block; a fence says what it is"
        before = line.strip()
    for block in blocks:
        words = block.info.split()
        if not words:
            yield f"{path}:{block.line}: the block does not say what it is"
        elif len(words) == 2:
            try:
                with open(f"{SOURCE}/{words[1]}", encoding="utf-8") as file:
                    if file.read() != "".join(line + "\n" for line in block.lines):
                        yield f"{path}:{block.line}: this is not {words[1]}"
            except FileNotFoundError:
                yield f"{path}:{block.line}: there is no {words[1]}"
        elif words[0] not in ("sh", "console"):
            for number, line in enumerate(block.lines, block.line):
                if line.startswith("$ ") or OURS.match(line):
                    yield f"{path}:{number}: a command in a block that is not run"


def in_tree(span):
    """Complaints about a path of the tree, or a script of it with its options."""
    words = span.removeprefix("./").split()
    named = re.fullmatch(r"(\S+): (\w+)", span)  # a function, a test
    if named:
        if not os.path.isfile(f"{SOURCE}/{named[1]}") or not re.search(rf"\b{named[2]}\b", "\n".join(lines(named[1]))):
            yield f"there is no {span}"
        return
    if "*" in span or "{" in span or re.search(r"[A-Z]{3,}", words[0]):
        return
    if not os.path.exists(f"{SOURCE}/{words[0].rstrip('/')}"):
        yield f"there is no {words[0]}"
    elif os.path.isfile(f"{SOURCE}/{words[0]}"):
        for option in re.findall(r"(?<= )--?[a-z][\w-]*", span):
            if option not in "\n".join(lines(words[0])):
                yield f"{words[0]} has no option {option}"


def manual_pages(programs):
    """Complaints about the commands in the literal displays of our manual pages."""
    for page in sorted(os.listdir(f"{SOURCE}/docs/man")):
        text = "\n".join(lines(f"docs/man/{page}"))
        for display in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text, re.M | re.S):
            for line in display.replace("\\e\n", " ").split("\n"):
                line = line.strip().removesuffix("&")
                complaint = programs.complaint(line) if OURS.match(line) else None
                if complaint:
                    yield f"docs/man/{page}: {complaint}"


def has_route(span):
    """Whether the coordinator's reference, which is compared with the code elsewhere, has it. ID is any segment."""
    method, path = span.split()[:2]
    for known, route in re.findall(r"^\| (GET|POST|DELETE) \| `(/v1/[^`]*)`", "\n".join(lines("docs/api-coordinator.md")), re.M):
        if known == method and re.fullmatch(route.replace("ID", "[^/]+"), path.split("?")[0]):
            return True
    return False


HEADER_VALUE = re.compile(r"(\w+/\w+\.h): ([A-Z][A-Z0-9_]+)(?: = ([\d,]+))?")


def constant(header, name):
    """The value of a number that a header defines; None: there is none."""
    folder, own = os.path.split(header)
    defined = {}
    for file in sorted(files(folder, ".h"), key=f"{folder}/{own}".__eq__):  # its own last
        defined.update(re.findall(r"^#define (\w+) +(.+?)(?: *//.*)?$", "\n".join(lines(file)), re.M))
    text = defined.get(name) if f"#define {name} " in "\n".join(lines(header)) else None
    for _ in range(3):
        text = text and re.sub(r"\b[A-Z]\w+\b", lambda m: defined.get(m[0], "0"), text)
    return text and eval(re.sub(r"\(\w+\)(?=[\d(])|(?<=\d)u", "", text), {})  # pylint: disable=eval-used # our own headers


def mentions(path, prose, programs):
    for number, span in document.spans(prose):
        cited = HEADER_VALUE.fullmatch(span)
        if cited:
            value = constant(cited[1], cited[2])
            if value is None or cited[3] and value != int(cited[3].replace(",", "")):
                yield f"{path}:{number}: {span}: it is {value}"
            continue
        if OURS.match(span) and " " in span:
            complaint = programs.complaint(re.sub(r"\.\.\.|…|[<>|].*", "", span))
            if complaint:
                yield f"{path}:{number}: {complaint}"
        elif re.match(r"(GET|POST|DELETE) /v1/|API/", span):
            if not has_route(span.replace("API/", "GET /v1/")):
                yield f"{path}:{number}: docs/api-coordinator.md has no {span}"
        elif TREE_PATH.match(span.removeprefix("man ")):
            yield from (f"{path}:{number}: {complaint}" for complaint in in_tree(span.removeprefix("man ")))
        elif re.fullmatch(r"(casemate[\w-]*)\((\d)\)", span):
            page = span[:-3] + "." + span[-2]
            if not os.path.exists(f"{SOURCE}/docs/man/{page}"):
                yield f"{path}:{number}: there is no manual page {page}"
    for number, target in document.links(prose):
        where, _, anchor = target.partition("#")
        file = os.path.normpath(f"{SOURCE}/{os.path.dirname(path)}/{where}") if where else f"{SOURCE}/{path}"
        if "://" in target:
            continue
        if not os.path.exists(file):
            yield f"{path}:{number}: there is no {target}"
        elif anchor and anchor not in anchors(file):
            yield f"{path}:{number}: {where or path} has no heading #{anchor}"


def anchors(file):
    with open(file, encoding="utf-8") as text:
        for heading in re.findall(r"^#+ (.*)$", text.read(), re.M):
            yield re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
