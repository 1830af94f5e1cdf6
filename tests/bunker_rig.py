"""bunker_rig.py - what the tests of casemate-bunker share: a WebSocket client, the programs, and requests."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
import urllib.parse
import zlib

CASEMATE, SIGNER, BUNKER, MAKE_PSBT = (os.path.abspath(path) for path in sys.argv[1:5])
WAIT_SECONDS = 60
LIMIT = 2097152
SHOP = "tb1q5uxpx630djalehx2c0hwc8cj6vejl4j93hk4ad"
POLICY = {"period": 240, "must_log": False, "never_log": True, "msg_paths": ["any"], "allow_sl": 13,
          "set_sl": base64.b64encode(b"Bunk" + b"\x4b" * 32).decode(), "notes": "<b>{{7*7}}</b>",
          "rules": [{"max_amount": 10000000},
                    {"per_period": 100000000, "users": ["alice"], "min_users": 1}]}


# --- A WebSocket client of RFC 6455, as much as is needed ---

class Closed(Exception):
    pass


class Socket:
    def __init__(self, port, path, cookie, origin=None):
        self.sock = socket.create_connection(("127.0.0.1", port), WAIT_SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket",
                 "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        lines += [f"Cookie: {cookie}"] if cookie else []
        lines += [f"Origin: {origin}"] if origin else []
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])

    def _more(self):
        data = self.sock.recv(1 << 20)
        if not data:
            raise Closed("the connection ended")
        self.buffer += data

    def _take(self, n):
        while len(self.buffer) < n:
            self._more()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def raw(self, first, payload):
        n = len(payload)
        head = bytes([first]) + (bytes([0x80 | n]) if n < 126 else
                                 b"\xfe" + struct.pack(">H", n) if n < 65536 else
                                 b"\xff" + struct.pack(">Q", n))
        self.sock.sendall(head + bytes(4) + payload)

    def send(self, value):
        self.raw(0x81, json.dumps(value).encode())

    def act(self, action, *args):
        self.send({"action": action, "args": list(args)})

    def recv(self, timeout=WAIT_SECONDS):
        """The next frame as an object; Closed(code) at the end."""
        self.sock.settimeout(timeout)
        while True:
            first, length = self._take(2)
            if length >= 126:
                length = struct.unpack(">H" if length == 126 else ">Q",
                                       self._take(2 if length == 126 else 8))[0]
            payload = self._take(length)
            if first & 15 == 1:
                return json.loads(payload)
            if first & 15 == 9:
                self.raw(0x8a, payload)
            if first & 15 == 8:
                raise Closed(struct.unpack(">H", payload[:2])[0] if payload else None)

    def until(self, want, timeout=WAIT_SECONDS):
        """Frames up to the first that `want` is true for."""
        seen, end = [], time.monotonic() + timeout
        while not seen or not want(seen[-1]):
            seen.append(self.recv(max(0.1, end - time.monotonic())))
        return seen

    def status_where(self, want):
        return status_of(self.until(lambda f: status_of(f) and want(status_of(f)))[-1])

    def modal(self):
        return self.until(lambda f: f.get("show_modal"))[-1]

    def closes_with(self):
        try:
            while True:
                self.recv()
        except Closed as end:
            return end.args[0]

    def close(self):
        self.sock.close()


def status_of(frame):
    return (frame.get("vue_app_cb") or {}).get("update_status")


# --- The programs ---

class Rig:
    def __init__(self, folder):
        self.folder = folder
        self.socket = folder + "/cm-1.sock"
        self.signer = self.bunker = None
        self.port = None
        self.all_logs = ""  # of bunkers that have been followed by another

    def wait(self, condition):
        end = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {WAIT_SECONDS} s")
            time.sleep(0.02)

    def start_signer(self, has_policy=False):
        with open(self.folder + "/signer.log", "ab") as log:
            os.makedirs(self.folder + "/store", 0o700, exist_ok=True)
            self.signer = subprocess.Popen(
                [SIGNER, "--simulator", "--socket", self.socket, "--dir", self.folder + "/store"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if has_policy:  # it asks first whether to start with it
            self.wait(lambda: os.path.exists(self.socket + ".panel"))
            self.wait(lambda: self.run("panel", "keys", "y") is not None and os.path.exists(self.socket))
        self.wait(lambda: os.path.exists(self.socket))

    def log_text(self):
        with open(self.folder + "/bunker.log", encoding="utf-8") as log:
            return log.read()

    def start_bunker(self, auth="none", command="run", more="", options=(), port=0, listeners="",
                     broadcast="backend = none", tor="control = none",
                     program=BUNKER, device=None, environment=None, connections=64, before=None):
        config = self.folder + "/bunker.conf"
        for name in ("bunker.log", "data/audit.jsonl"):
            if os.path.exists(f"{self.folder}/{name}"):
                with open(f"{self.folder}/{name}", encoding="utf-8") as file:
                    self.all_logs += file.read()
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"data_files = {self.folder}/data\nreconnect_delay = 1\n{more}\n"
                       f"[device]\n{device or 'path = ' + self.socket}\n[broadcast]\n{broadcast}\n[tor]\n{tor}\n"
                       f"[listener test]\nbind = 127.0.0.1:{port}\nauth = {auth}\nrole = admin\n"
                       f"connections = {connections}\n{listeners}")
        with open(self.folder + "/bunker.log", "wb") as log:
            self.bunker = subprocess.Popen([program, "-c", config, *options, command],
                                           env=dict(os.environ, **(environment or {})), preexec_fn=before,
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait(lambda: self.bunker.poll() is not None or
                  self.log_text().count("event=listening") ==
                  1 + listeners.count("[listener ") + (tor != "control = none"))
        self.wait(lambda: "event=device_connected" in self.log_text())
        self.ports = {name: int(port) for name, port in
                      re.findall(r"listener=(\S+) at=https?://127.0.0.1:(\d+)", self.log_text())}
        self.port = self.ports["test"]

    @staticmethod
    def stop(process):
        if process and process.poll() is None:
            process.terminate()
            process.wait(WAIT_SECONDS)
        return process.returncode if process else 0

    def restart_bunker(self, **how):
        self.stop(self.bunker)
        self.start_bunker(**how)

    def run(self, *arguments):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CASEMATE_")}
        done = subprocess.run([CASEMATE, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              env=dict(environment, CASEMATE_SOCKET=self.socket), check=False,
                              timeout=WAIT_SECONDS)
        return done.stdout.decode()

    def screen(self):
        return json.loads(self.run("--json", "panel", "show"))["result"]["text"]

    def approve(self):
        self.wait(lambda: "to enable HSM mode" in self.screen())
        self.run("panel", "keys", "y")
        self.wait(lambda: "Last chance" in self.screen())
        self.run("panel", "keys", re.search(r"Press \((\d)\)", self.screen())[1])

    def psbt(self, pay, salt=0):
        path = f"{self.folder}/x.psbt"
        subprocess.run([MAKE_PSBT, path, "input", "m/84h/1h/0h/0/0", "200000000", "pay", SHOP, str(pay),
                        "change", "m/84h/1h/0h/1/0", str(199990000 - pay), "salt", str(salt)],
                       check=True)
        with open(path, "rb") as file:
            return file.read()

    def arm(self):
        """A user, alice, and HSM mode with POLICY."""
        self.secret = re.search(r"secret=([A-Z2-7]+)", self.run("user", "alice", "--totp", "--show-qr"))[1]
        policy = self.folder + "/policy.json"
        with open(policy, "w", encoding="utf-8") as file:
            json.dump(POLICY, file)
        self.run("hsm-start", policy, "--no-wait")
        self.approve()

    # --- HTTP ---

    def http(self, method, path, body=None, headers=None, host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or f"127.0.0.1:{self.port}")
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, content

    def visit(self, headers=None):
        """The page, its cookie and the path of its socket."""
        status, got, page = self.http("GET", "/", headers=headers)
        cookie = got["set-cookie"].split(";")[0] if "set-cookie" in got else (headers or {}).get("Cookie")
        found = re.search(rb'window\.WEBSOCKET_URL = "(/websocket/[A-Z2-7]{24})";', page)
        return status, cookie, found and found[1].decode(), page

    def open(self, headers=None):
        _, cookie, path, _ = self.visit(headers)
        return Socket(self.port, path, cookie)


# --- Logging in ---

def read_captcha(png):
    """The text of an easy captcha: its glyphs are those of http/captcha.c."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "http", "captcha.c")
    with open(source, encoding="ascii") as file:
        glyphs = {tuple(int(n, 16) for n in columns.split(",")): c
                  for columns, c in re.findall(r"\{ (0x[0-9a-fx, ]+) \}, // (.)", file.read())}
    at, data = 8, b""
    while at < len(png):
        size = struct.unpack(">I", png[at:at + 4])[0]
        kind, content = png[at + 4:at + 8], png[at + 8:at + 8 + size]
        crc = struct.unpack(">I", png[at + 8 + size:at + 12 + size])[0]
        assert crc == zlib.crc32(kind + content), "a wrong checksum"
        data += content if kind == b"IDAT" else b""
        at += 12 + size
    rows = [zlib.decompress(data)[y * 33 + 1:y * 33 + 33] for y in range(64)]

    def black(x, y):
        return not rows[y][x // 8] >> (7 - x % 8) & 1
    return "".join(glyphs[tuple(sum(black(32 * i + 6 + 4 * x, 16 + 4 * y) << y for y in range(8)) for x in range(5))]
                   for i in range(8))


def try_login(rig, password, cookie=None, **more):
    """Status, where it goes and the new cookie; a captcha that is asked for is copied from its picture."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": "http://evil.example/"}
    headers.update({"Cookie": cookie} if cookie else {})
    body = urllib.parse.urlencode(dict(more, password=password)).encode()
    status, got, _ = rig.http("POST", "/login", body, headers)
    location = got.get("location") or ""
    if location.startswith("/login?e=captcha") and "captcha" not in more:
        cookie = rig.http("GET", "/login")[1]["set-cookie"].split(";")[0]
        png = rig.http("GET", "/captcha", headers={"Cookie": cookie})[2]
        return try_login(rig, password, cookie, captcha=read_captcha(png), **more)
    return status, got.get("location"), got.get("set-cookie", "").split(";")[0]


def upload(ws, content):
    ws.act("upload_psbt", len(content), hashlib.sha256(content).hexdigest(),
           base64.b64encode(content).decode())


def loaded(ws, content):
    """Uploads, and gives the hash that the status names."""
    upload(ws, content)
    digest = hashlib.sha256(content).hexdigest()
    return ws.status_where(lambda s: s["psbt_hash"] == digest)["psbt_hash"]


def is_end(frame):
    return "local_download" in frame or frame.get("selector") == ".js-api-fail"


def submit(ws, psbt, finalize=True):
    """All frames from the submit to the status in which the slot is free again."""
    ws.act("submit_psbt", loaded(ws, psbt), False, finalize, True)
    frames = ws.until(is_end)
    return frames + ws.until(lambda f: status_of(f) and not status_of(f)["busy_signing"])


def totp(secret, window):
    digest = hmac.new(base64.b32decode(secret + "=" * (-len(secret) % 8)), struct.pack(">Q", window),
                      hashlib.sha1).digest()
    at = digest[-1] & 15
    return "%06d" % ((struct.unpack(">I", digest[at:at + 4])[0] & 0x7fffffff) % 1000000)


def padded(psbt, size):
    """The PSBT with an unknown global field that makes it that long."""
    def compact(n):
        return bytes([n]) if n < 253 else b"\xfd" + struct.pack("<H", n) if n < 65536 else \
            b"\xfe" + struct.pack("<I", n)
    room = size - len(psbt) - 4
    value = bytes(room - len(compact(room)) + 1)
    field = b"\x02\xf0\x01" + compact(len(value)) + value
    field = field[:-1] if len(psbt) + len(field) > size else field
    out = psbt[:5] + field + psbt[5:]
    value = value[:len(value) - (len(out) - size)]
    return psbt[:5] + b"\x02\xf0\x01" + compact(len(value)) + value + psbt[5:]


def differs(what, got, expected):
    return [] if got == expected else [f"{what}: {got!r}, not {expected!r}"]


def run_all(tap, rig, checks):
    for name, check in checks:
        begin = time.monotonic()
        try:
            complaints = list(check(rig))
        except (Exception, Closed) as problem:  # one check that breaks is one that fails
            complaints = [f"{type(problem).__name__}: {problem}"]
        if complaints:
            complaints += rig.log_text().splitlines()[-5:]
        print(f"# {time.monotonic() - begin:.1f} s", flush=True)
        tap.check("bunker: " + name, complaints)
