# tests/e2e/real.py -- what the tests of signers with a real PIN share: no simulator, no test clock.
import json
import os
import re
import socket
import subprocess
import sys
import time
import traceback

WAIT_SECONDS = 90
WORDS = ("wife shiver author away frog air rough vanish fantasy frozen noodle athlete pioneer citizen "
         "symptom firm much faith extend rare axis garment kiwi clarify")
FINGERPRINT = "0F056943"


def wait_until(condition, what):
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("waited %d s for %s" % (WAIT_SECONDS, what))
        time.sleep(0.02)


class Panel:
    """One connection to the panel socket: a JSON object a line, a reply for each."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(WAIT_SECONDS)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")
        self.hello = json.loads(self.lines.readline())

    def send(self, **request):
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(self.lines.readline() or b'{"ok": false, "error": "closed"}')

    def ask(self, **request):
        reply = self.send(**request)
        assert reply["ok"], (request["do"], reply)
        return reply

    def screen(self):
        return self.ask(do="screen")

    def close(self):
        self.lines.close()
        self.socket.close()


class Signer:
    """casemate-signer in a folder of its own: `init` and `run` as an operator does them."""

    def __init__(self, program, folder, name="A", conf=""):
        self.program, self.folder, self.name = program, folder, name
        self.dir = "%s/%s" % (folder, name)
        self.socket = "%s/s-%s.sock" % (folder, name)
        self.log = "%s/%s.log" % (folder, name)
        self.conf, self.process, self.connection = conf, None, None

    def verb(self, *arguments, answers=(), pass_fds=()):
        """A verb that talks to a terminal: lines in, all it said out."""
        result = subprocess.run([self.program, *arguments, "--dir", self.dir], text=True, pass_fds=pass_fds,
                                input="".join(a + "\n" for a in answers), capture_output=True,
                                timeout=WAIT_SECONDS)
        return result.returncode, result.stdout, result.stderr

    def init(self, pin, words=WORDS, passphrase=""):
        answers = [words, passphrase] + ([passphrase] if passphrase else []) + [pin, pin]
        code, out, err = self.verb("init", self.name, "--import", "words", answers=answers)
        assert code == 0, err
        self.write_conf(self.conf)
        return out

    def write_conf(self, text):
        with open(self.dir + "/signer.conf", "w") as file:
            file.write(text)
        os.chmod(self.dir + "/signer.conf", 0o600)

    def start(self, *options, wait=True, **more):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "run", self.name, "--dir", self.dir, "--socket", self.socket, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)
        if wait:
            wait_until(lambda: self.process.poll() is not None or self.can_connect(), "the panel")

    def can_connect(self):
        try:
            self.close_panel()
            self.connection = Panel(self.dir + "/panel.sock")
            return True
        except OSError:
            return False

    @property
    def panel(self):
        return self.connection

    def close_panel(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def kill(self):
        self.close_panel()
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.close_panel()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(WAIT_SECONDS) == 0, self.logged()[-2000:]
        self.process = None

    def logged(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def unlock(self, pin):
        self.panel.ask(do="text", text=pin)
        wait_until(lambda: os.path.exists(self.socket), "the wire socket")

    def menu(self, item, **more):
        return self.panel.ask(do="menu", item=item, **more)

    def lock(self):
        self.menu("lock")
        self.panel.ask(do="keys", keys="y")
        wait_until(lambda: self.panel.screen()["state"] == "locked", "the lock")


def operator(command, answer, pass_fds=()):
    """Runs a program on pipes, answering its questions: `answer(text so far)` gives a line, or None."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               pass_fds=pass_fds)
    said, n = "", 0
    while True:
        chunk = os.read(process.stdout.fileno(), 4096).decode()
        if not chunk:
            break
        said += chunk
        line = answer(said)
        if line is not None:
            n += 1
            assert n < 200, said[-2000:]
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
    process.stdin.close()
    err = process.stderr.read().decode()
    process.stdout.close()
    process.stderr.close()
    return process.wait(WAIT_SECONDS), said, err


def listed_words(text):
    """The numbered words that were shown last."""
    start = text.rindex("   1. ")
    return [word for _, word in re.findall(r"^ *(\d+)\. (\w+)$", text[start:], re.M)]


def run_cases(tap, prefix, cases, folder_of):
    for name, case in cases:
        complaints = []
        with folder_of() as folder:
            try:
                case(folder)
            except Exception:
                complaints = traceback.format_exc().splitlines()
        tap.check(prefix + ": " + name, complaints)
        sys.stdout.flush()
    tap.finish()
