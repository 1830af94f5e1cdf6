# tests/doc_tables.py -- the tables of a page, and the tables in our C files, for the tests that compare them.
import os
import re

from tap import SOURCE, files


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def rows(page, *heads):
    """Cells of each row of the tables whose header begins with these cells."""
    found, inside = [], False
    for line in read(page).splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if not line.startswith("|"):
            inside = False
        elif tuple(cells[:len(heads)]) == heads:
            inside = True
        elif inside and not set("".join(cells)) <= set("-: "):
            found.append(cells)
    return found


def code(cell):
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def column(page, *heads):
    """All code words of the first column, several in a cell being several."""
    return [word for cells in rows(page, *heads) for word in code(cells[0])]


LITERAL = r'"((?:[^"\\]|\\.)*)"'


def literals(*folders):
    """All string literals of the programs' C files, adjacent ones joined, as the C source writes them."""
    found = []
    for folder in folders:
        for path in files(folder, ".c", ".h"):
            if not path.endswith(("_test.c", "_fuzz.c")):
                text = re.sub(LITERAL + r"|//.*|'\\?.'", lambda m: m[0] if m[0][0] == '"' else "", read(path))
                found += ["".join(re.findall(LITERAL, run))
                          for run in re.findall(r"(?:%s[\s\\]*)+" % LITERAL.replace("((", "(?:(", 1), text)]
    return "\n".join(found)


def texts_missing(texts, said):
    """Those texts of which a part is nowhere in `said`; <n> stands for anything."""
    for text in texts:
        for part in re.split(r"<\w+>", text):
            if part.strip(" ()") and part not in said:
                yield text
                break


def both_ways(page, named, real, what):
    """The complaints about a list in a page beside the real one."""
    named, real = list(named), set(real)
    for name in sorted(set(n for n in named if named.count(n) > 1)):
        yield f"{page}: {what} {name} stands there twice"
    for name in sorted(real - set(named)):
        yield f"{page}: no {what} {name}"
    for name in sorted(set(named) - real):
        yield f"{page}: {name} is no {what}"
    if not real:
        yield f"no {what} was found in the code: does this look for them as the code writes them?"


def table_rows(pattern, table, start):
    """The rows of a table in a C file; each that begins with `start` must be one that the pattern reads."""
    found = re.findall(pattern, table)
    if len(found) != table.count(start) or not found:
        raise SystemExit(f"{len(found)} of {table.count(start)} rows that begin with {start.strip()} were read: does this "
                         f"look for them as the code writes them? The first of them: {found[:1]}")
    return found
