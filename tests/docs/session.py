# tests/docs/session.py -- a document's session: one bash in a machine of its own (see `machine`), told what to run.
import fcntl
import os
import select
import subprocess

from tap import SOURCE

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 60  # one command, at most


def pipe():
    """Its ends have numbers above 7 and 8, which they become."""
    low = os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in low]
    for end in low:
        os.close(end)
    return ends


class Session:
    """A bash in a machine of its own; see `machine`."""

    def __init__(self, build, folder):
        self.folder, self.number = folder, 0
        ours, theirs = pipe(), pipe()
        self.to, self.answers = ours[1], os.fdopen(theirs[0], encoding="utf-8")
        environment = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k == "PATH"}
        self.process = subprocess.Popen(
            ["bash", "-c", 'exec 7<&"$0" 8>&"$1"; shift; exec unshare --user --map-root-user --net --ipc --uts --mount --pid '
             '--fork --kill-child --mount-proc "$@"', str(ours[0]), str(theirs[1]),
             f"{HERE}/machine", SOURCE, build, folder],
            pass_fds=(ours[0], theirs[1]), env=environment, stdin=subprocess.DEVNULL,
            stdout=open(f"{folder}/machine.out", "wb"), stderr=subprocess.STDOUT, start_new_session=True)
        os.close(ours[0])
        os.close(theirs[1])

    def run(self, text):
        """(status, output); status None: it did not end, or the shell is gone."""
        self.number += 1
        name = f"{self.number}.sh"
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text + "\n")
        status = None
        try:
            os.write(self.to, name.encode() + b"\n")
            if select.select([self.answers], [], [], SECONDS)[0]:
                status = self.answers.readline().strip()
        except BrokenPipeError:
            pass
        try:
            with open(f"{self.folder}/{name}.out", encoding="utf-8", errors="replace") as file:
                return int(status) if status else None, file.read()
        except FileNotFoundError:
            with open(f"{self.folder}/machine.out", encoding="utf-8", errors="replace") as file:
                return None, file.read()

    def close(self):
        os.close(self.to)
        self.process.kill()
        self.process.wait()
        self.answers.close()
