# tests/tap.py -- what the checks of the tree share: TAP output, and the source files by folder.
import os
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Tap:
    """Prints one line for each check; finish() ends the process."""

    def __init__(self):
        self.checks = self.failed = 0

    def check(self, name, complaints):
        """Passes if there are no complaints, which are lines of text."""
        self.checks += 1
        complaints = list(complaints)
        for line in complaints:
            print("#", line)
        print("not ok" if complaints else "ok", self.checks, "-", name)
        self.failed += bool(complaints)

    def skip(self, name, reason):
        self.checks += 1
        print("ok", self.checks, "-", name, "# SKIP", reason)

    def finish(self):
        print(f"1..{self.checks}")
        sys.exit(1 if self.failed else 0)


def skip_all(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def layers():
    """The folders, in the order of the table in docs/architecture.md, and what their rows say."""
    rows = {}
    with open(os.path.join(SOURCE, "docs/architecture.md"), encoding="utf-8") as page:
        for line in page:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if line.startswith("| `") and len(cells) == 4 and cells[0].endswith("/`"):
                rows[cells[0].strip("`/")] = {
                    "pure": "Pure" in cells[1],
                    "uses": [w.strip() for w in cells[2].split(",") if w.strip()],
                    "libraries": [w.strip() for w in cells[3].split(",") if w.strip()],
                }
    return rows


def files(folder, *endings):
    """Paths from the root of the tree, sorted."""
    return sorted(f"{folder}/{name}" for name in os.listdir(os.path.join(SOURCE, folder))
                  if name.endswith(endings))


def lines(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read().splitlines()
