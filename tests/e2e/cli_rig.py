"""cli_rig.py - what the end-to-end tests of casemate share: a signer, and runs of the program.

Arguments of each test: <casemate> <casemate-signer> <make-psbt> [check...]
"""
import base64
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import termios
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tap import Tap

CASEMATE, SIGNER, MAKE_PSBT = (os.path.abspath(path) for path in sys.argv[1:4])
WAIT_SECONDS = 60
XPUB = ("tpubD6NzVbkrYhZ4XzL5Dhayo67Gorv1YMS7j8pRUvVMd5odC2LBPLAygka9p7748JtSq82FNGPppFEz5xxZUdasBR"
        "CqJqXvUHq6xpnsMcYJzeh")
REFUSED = "\n\nYou refused permission to do the operation\n"
BUSY = "Coldcard is handling another request right now"


class Done:
    """What a program said, and how it ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return self.out.decode()


class Rig:
    """A signer, a folder, and casemate."""

    def __init__(self, folder):
        self.folder, self.process, self.silent = folder, None, None
        self.socket = folder + "/cm-1.sock"

    def start(self):
        with open(self.folder + "/signer.log", "ab") as log:
            self.process = subprocess.Popen(
                [SIGNER, "--simulator", "--socket", self.socket, "--dir", self.folder + "/store"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait(lambda: os.path.exists(self.socket))

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()

    def wait(self, condition):
        end = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("waited %d s" % WAIT_SECONDS)
            time.sleep(0.02)

    def path(self, name, content=None):
        path = f"{self.folder}/{name}"
        if content is not None:
            with open(path, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def environment(self, **more):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CASEMATE_")}
        kept.pop("XDG_CONFIG_HOME", None)
        return dict(dict(kept, CASEMATE_SOCKET=self.socket, LC_ALL="C.UTF-8", HOME=self.folder),
                    **more)

    def popen(self, *arguments, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("env", self.environment())
        return subprocess.Popen([CASEMATE, *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **more)

    def run(self, *arguments, stdin=b"", **more):
        process = self.popen(*arguments, stdin=subprocess.PIPE, **more)
        out, err = process.communicate(stdin, timeout=WAIT_SECONDS)
        return Done(process.returncode, out, err.decode(errors="replace"))

    def keys(self, keys):
        self.run("panel", "keys", keys)

    def screen(self):
        return json.loads(self.run("--json", "panel", "show").out)["result"]

    def reset(self):
        self.run("panel", "reset")

    def with_key(self, key, *arguments, question="", **more):
        """Runs a verb that asks on the screen, and answers."""
        process = self.popen(*arguments, **more)
        self.wait(lambda: process.poll() is not None or
                  (self.screen()["ask"] == "key" and question in self.screen()["text"]))
        if process.poll() is None:
            self.keys(key)
        out, err = process.communicate(timeout=WAIT_SECONDS)
        return Done(process.returncode, out, err.decode(errors="replace"))

    def arm(self, policy):
        """HSM mode with that policy, through both questions."""
        process = self.popen("hsm-start", self.path("policy.json", json.dumps(policy)))
        self.wait(lambda: "to enable HSM mode" in self.screen()["text"])
        self.keys("y")
        self.wait(lambda: "Last chance" in self.screen()["text"])
        self.keys(re.search(r"Press \((\d)\)", self.screen()["text"])[1])
        out, err = process.communicate(timeout=WAIT_SECONDS)
        return Done(process.returncode, out, err.decode())

    def psbt(self, name="a.psbt", pay=30000000, salt=1):
        path = self.path(name)
        subprocess.run([MAKE_PSBT, path, "input", "m/84h/1h/0h/0/0", "100000000", "pay",
                        "tb1q5uxpx630djalehx2c0hwc8cj6vejl4j93hk4ad", str(pay), "change",
                        "m/84h/1h/0h/1/0", str(99990000 - pay), "salt", str(salt)], check=True)
        return path


def differs(what, got, expected):
    return [] if got == expected else [f"{what}: {got!r}, not {expected!r}"]


def ends(done, code, out=None, err=None):
    """Complaints about an end that is another."""
    found = differs("exit code", done.code, code)
    if out is not None:
        found += differs("stdout", done.out, out if isinstance(out, bytes) else out.encode())
    if err is not None and err not in done.err:
        found += [f"stderr: {done.err!r} has no {err!r}"]
    return found + ([f"stderr: {done.err!r}"] if found else [])


def one_json(done):
    if done.out.count(b"\n") != 1 or not done.out.endswith(b"\n"):
        raise ValueError(f"not one line: {done.out!r}")
    return json.loads(done.out)


def encodings(psbt):
    with open(psbt, "rb") as file:
        raw = file.read()
    text = raw.hex()
    lines = "\n".join(text[i:i + 60] for i in range(0, len(text), 60))
    wrapped = base64.encodebytes(raw)
    return {"binary": raw, "hex": text.encode(), "upper-case hex": text.upper().encode(),
            "hex in lines": b"\n " + lines.encode() + b"\n", "base64": base64.b64encode(raw) + b"\n",
            "base64 in lines": wrapped, "base64 between blanks": b" \r\n" + wrapped + b"\n "}


def echoes(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def goes_on_echoing(terminal):
    """The prompt is written before echo is off, and what is typed until then is thrown away."""
    end = time.monotonic() + WAIT_SECONDS
    while echoes(terminal) and time.monotonic() < end:
        time.sleep(0.01)
    return echoes(terminal)


def on_a_terminal(rig, arguments, answers=()):
    """Runs casemate with a terminal of its own; gives what it showed and the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(CASEMATE, [CASEMATE, *arguments], rig.environment())
    shown, echo, answers = b"", [], list(answers)
    while True:
        try:
            if not select.select([terminal], [], [], WAIT_SECONDS)[0]:
                break
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
        if answers and shown.endswith(answers[0][0]):
            is_hidden = answers[0][0].endswith(b"(hidden): ")
            echo.append(goes_on_echoing(terminal) if is_hidden else echoes(terminal))
            os.write(terminal, answers.pop(0)[1])
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return shown.decode(errors="replace"), status, echo


def complaints(check, rig):
    try:
        return list(check(rig))
    except Exception as problem:  # the checks that follow are still worth their result
        return [f"{type(problem).__name__}: {problem}"]


def main(checks, before=()):
    """`before`: what is begun at once and looked at by a check that comes later."""
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="casemate-cli-")
    os.mkdir(folder + "/store", 0o700)
    rig = Rig(folder)
    only = sys.argv[4:]
    try:
        rig.start()
        for begin in before:
            begin(rig)
        for name, check in checks:
            if not only or check.__name__ in only:
                tap.check(name, complaints(check, rig))
    finally:
        if rig.silent:
            rig.silent.process.kill()
            rig.silent.process.wait()
        rig.stop()
        shutil.rmtree(folder)
    tap.finish()
