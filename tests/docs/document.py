# tests/docs/document.py -- what a document asks to be run, compared or looked up: its blocks, its commands, its words.
import re
import subprocess

FENCE = re.compile(r"^( *)```(.*)$")


class Block:
    """One fenced block: `info` behind its first fence, its lines, the number of the first of them."""

    def __init__(self, info, line):
        self.info, self.line, self.lines = info, line, []


class Command:
    """One command, maybe of several lines. `shown` is its output in the document, or None."""

    def __init__(self, text, line, shown=None, status=0):
        self.text, self.line, self.shown, self.status, self.printed = text, line, shown, status, None

    def plain(self):
        """The first line without a comment behind it, as tests/docs/table has it."""
        return re.sub(r"\s+# .*$", "", self.text.split("\n")[0]).strip()


def read(path):
    """(blocks, prose): prose is [(line number, line)] outside of blocks."""
    blocks, prose, block, indent = [], [], None, ""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file.read().split("\n"), 1):
            fence = FENCE.match(line)
            if fence and block is None:
                indent, block = fence[1], Block(fence[2], number + 1)
            elif fence and not fence[2]:
                blocks.append(block)
                block = None
            elif block is not None:
                block.lines.append(line.removeprefix(indent))
            else:
                prose.append((number, line))
    return blocks, prose


def complete(text):
    """Whether bash wants no further line: quotes, braces, here-documents are closed."""
    if text.endswith("\\"):
        return False
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    return done.returncode == 0 and "here-document" not in done.stderr


def script(block):
    """The commands of a `sh` block."""
    text, start = "", 0
    for number, line in enumerate(block.lines, block.line):
        if not text and (not line.strip() or line.lstrip().startswith("#")):
            continue
        text, start = (text + "\n" + line, start) if text else (line, number)
        if complete(text):
            yield Command(text, start)
            text = ""
    if text:
        yield Command(text, start)


def console(block):
    """The commands of a `console` block, with what they print; `[6]` in the end is the status."""
    commands = []
    for number, line in enumerate(block.lines, block.line):
        if line.startswith("$ "):
            commands.append(Command(line[2:], number))
        elif line.startswith("> ") and commands and commands[-1].shown is None:
            commands[-1].text += "\n" + line[2:]
        elif commands:
            commands[-1].shown = (commands[-1].shown or []) + [line]
    for command in commands:
        status = re.fullmatch(r"\[(\d+)\]", command.shown[-1]) if command.shown else None
        if status:
            command.status = int(status[1])
            command.shown = command.shown[:-1] or None
    return commands


def shown_matches(shown, printed):
    """A line `...` stands for any lines, `...` within a line for any text of it. `printed` ends without a line feed."""
    parts = []
    for line in shown:
        parts.append(r"(?:.*\n)*?" if line == "..." else
                     ".*?".join(re.escape(part) for part in line.split("...")) + r"\n")
    return re.fullmatch("".join(parts), printed + "\n") is not None


def spans(prose):
    """(line number, text) of each `text` in a sentence; one may go over the end of a line."""
    text = "\n".join(line for _, line in prose)
    for span in re.finditer(r"(?<!`)`([^`]+)`(?!`)", text):
        yield prose[text.count("\n", 0, span.start())][0], " ".join(span[1].split())


def links(prose):
    """(line number, target) of each link."""
    for number, line in prose:
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            yield number, target
