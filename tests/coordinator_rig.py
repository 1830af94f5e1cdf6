"""coordinator_rig.py - what tests of casemate-coordinator share: the program, people, requests, a Nostr key."""
import hashlib
import http.client
import http.server
import json
import os
import re
import sqlite3
import subprocess
import threading
import time

WAIT_SECONDS = 30
KEYS = [("0f056943", "tpubDF2rnouQaaYrXF4noGTv6rQYmx87cQ4GrUdhpvXkhtChwQPbdGTi8GA88NUaSrwZBwNsTkC9bFkkC8vDyGBVVAQTZ2AS6gs68RQXtXcCvkP"),
        ("4744d12a", "tpubDFmFx2U5gV4ss5MxvwyWb31oUVofx3XNbNgE1gyFx3byNisFD6QLJyrQv5wknTwVW9i63RiVRNnaT4uLft2Uq9BQovFx6g7m2LMgR3827Gc"),
        ("0ae70790", "tpubDEbQr21WVsxyWuUd6J1EH6FMmrSQPmqbxP2q6hMqsZVv9CF5dW9dBFBTnJQB8AXbBk5c4FLyURaEAuFjWVHwpM666Dn8EXmz32fQQsvJZ75")]
ROLES = ["viewer", "spender", "approver", "operator", "policy-admin", "officer", "auditor"]


# --- Addresses and descriptors ---

def bech32(script_hash, hrp="tb"):
    charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{b:08b}" for b in script_hash)
    data = [0] + [int(bits[i:i + 5].ljust(5, "0"), 2) for i in range(0, len(bits), 5)]

    def polymod(values):
        chk = 1
        for value in values:
            top = chk >> 25
            chk = (chk & 0x1ffffff) << 5 ^ value
            for i, g in enumerate((0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3)):
                chk ^= g if top >> i & 1 else 0
        return chk
    expanded = [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]
    check = polymod(expanded + data + [0] * 6) ^ 1
    return hrp + "1" + "".join(charset[d] for d in data + [check >> 5 * (5 - i) & 31 for i in range(6)])


def address(n, hrp="tb"):
    return bech32(hashlib.sha256(b"address %d" % n).digest()[:20], hrp)


def with_checksum(descriptor):
    inputs = ("0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ ")
    charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    generator = (0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd)
    symbols, groups = [], []
    for c in descriptor:
        v = inputs.find(c)
        symbols.append(v & 31)
        groups.append(v >> 5)
        if len(groups) == 3:
            symbols.append(groups[0] * 9 + groups[1] * 3 + groups[2])
            groups = []
    if len(groups) == 1:
        symbols.append(groups[0])
    elif len(groups) == 2:
        symbols.append(groups[0] * 3 + groups[1])
    chk = 1
    for value in symbols + [0] * 8:
        top = chk >> 35
        chk = (chk & 0x7ffffffff) << 5 ^ value
        for i in range(5):
            chk ^= generator[i] if (top >> i) & 1 else 0
    chk ^= 1
    return descriptor + "#" + "".join(charset[(chk >> (5 * (7 - i))) & 31] for i in range(8))


def descriptor(branch):
    keys = ",".join(f"[{xfp}/48h/1h/0h/2h]{xpub}/{branch}/*" for xfp, xpub in KEYS)
    return with_checksum(f"wsh(sortedmulti(2,{keys}))")


def setup_file(**more):
    return {"wallet": {"name": "cold", "network": "test", "receive": descriptor(0), "change": descriptor(1)},
            "signers": [{"name": name, "kind": "casemate", "fingerprint": key[0], "failure_domain": name}
                        for name, key in zip("ABC", KEYS)],
            "caps": {"cap_auto_sat": 500000, "cap_surge_sat": 1000000, "fee_cap_sat": 50000, "window_s": 3600},
            "policy": {"max_sat": 100000, "per_period_sat": 400000, "period_min": 60,
                       "surge_max_sat": 500000, "surge_per_period_sat": 900000},
            "changes": {"delay_s": 3},
            "destinations": [{"name": "hot", "address": address(1)}, {"name": "desk", "address": address(2)}],
            "principals": [{"kind": "service", "name": role, "roles": [role]} for role in ROLES] +
                          [{"kind": "service", "name": "spender2", "roles": ["spender"],
                            "limits": {"per_spend_sat": 20000, "per_window_sat": 30000, "tier": "auto",
                                       "destinations": ["hot"]}},
                           {"kind": "service", "name": "officer2", "roles": ["officer"]},
                           {"kind": "service", "name": "boss", "roles": ROLES},
                           {"kind": "service", "name": "stranger", "roles": []},
                           {"kind": "nostr", "name": Nostr(7).pubkey.hex(), "roles": ["viewer", "spender"]}],
            **more}


# --- BIP-340 with whole numbers: what a browser's extension does ---

P, N = 2**256 - 2**32 - 977, 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def point_add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and a[1] != b[1]:
        return None
    if a == b:
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def point_mul(k, point=G):
    out = None
    while k:
        out = point_add(out, point) if k & 1 else out
        point, k = point_add(point, point), k >> 1
    return out


def tagged(tag, data):
    mark = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(mark + mark + data).digest()


class Nostr:
    def __init__(self, key):
        point = point_mul(key)
        self.key = key if point[1] % 2 == 0 else N - key
        self.pubkey = point[0].to_bytes(32, "big")

    def event(self, tags, content="", kind=27235, created_at=None):
        event = {"pubkey": self.pubkey.hex(), "created_at": int(time.time()) if created_at is None else created_at,
                 "kind": kind, "tags": tags, "content": content}
        text = json.dumps([0, event["pubkey"], event["created_at"], kind, tags, content], separators=(",", ":"),
                          ensure_ascii=False)
        message = hashlib.sha256(text.encode()).digest()
        k = int.from_bytes(tagged("BIP0340/nonce", bytes(32) + self.pubkey + message), "big") % N
        point = point_mul(k)
        k = k if point[1] % 2 == 0 else N - k
        r = point[0].to_bytes(32, "big")
        e = int.from_bytes(tagged("BIP0340/challenge", r + self.pubkey + message), "big") % N
        sig = r + ((k + e * self.key) % N).to_bytes(32, "big")
        return {"id": message.hex(), **event, "sig": sig.hex()}


# --- The program ---

class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        try:
            return self.json.get("code")
        except ValueError:
            return None

    def frames(self):
        return [json.loads(line[6:]) for line in self.body.decode().splitlines() if line.startswith("data: ")]


class Postgres:
    """A throw-away server (tests/support/postgres); `uri` None: there is none to be had."""

    def __init__(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "support/postgres")
        self.process = subprocess.Popen([script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().strip()
        self.uri = None if not line or line.startswith("SKIP") else line

    def close(self):
        self.process.stdin.close()
        self.process.wait(WAIT_SECONDS)


class Rig:
    def __init__(self, program, folder, postgres=None):
        self.program, self.folder, self.postgres = program, folder, postgres
        self.config = folder + "/coordinator.conf"
        self.process = None
        self.tokens = {}
        self.secrets = []  # whatever must be found nowhere
        self.answers = []  # bodies of all replies, for the same

    def write_config(self, listener="auth = token", compat="", more=""):
        with open(self.config, "w", encoding="utf-8") as file:
            place = f"postgres = {self.postgres}" if self.postgres else f"sqlite = {self.folder}/ledger.db"
            file.write(f"{more}\n[store]\n{place}\n[compat]\n{compat}\n"
                       f"[log]\nlevel = debug\n[listener api]\nbind = 127.0.0.1:0\nconnections = 200\n{listener}\n"
                       "[listener metrics]\nbind = 127.0.0.1:0\nauth = none\nserve = metrics\n")

    def sql(self, *statements):
        """Behind the program's back."""
        if self.postgres:
            for statement in statements:
                subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.postgres, "-c",
                                "SET search_path TO casemate; " + statement], check=True, capture_output=True)
            return
        store = sqlite3.connect(self.folder + "/ledger.db")
        for statement in statements:
            store.execute(statement)
        store.commit()
        store.close()

    def dump(self):
        """All that the ledger holds, as text; blobs as hex."""
        if self.postgres:
            return subprocess.run(["pg_dump", "-a", "-n", "casemate", "-d", self.postgres], check=True,
                                  capture_output=True, text=True).stdout
        store = sqlite3.connect(self.folder + "/ledger.db")
        text = "\n".join(store.iterdump())
        store.close()
        return text

    def command(self, *words, expect=0, text=None):
        done = subprocess.run([self.program, "-c", self.config, *words], capture_output=True, input=text,
                              text=True, timeout=WAIT_SECONDS, check=False)
        if expect is not None and done.returncode != expect:
            raise RuntimeError(f"{' '.join(words)}: status {done.returncode}: {done.stderr}{done.stdout}")
        return done

    def setup(self, content=None):
        path = self.folder + "/setup.json"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content or setup_file(), file)
        if self.postgres:
            self.command("migrate")
        return json.loads(self.command("--json", "--yes", "setup", path).stdout)["wallet_id"]

    def token(self, name, *more):
        if (name, *more) not in self.tokens:
            out = json.loads(self.command("--json", "token", "add", "service:" + name, *more).stdout)
            self.tokens[(name, *more)] = out["token"]
            self.secrets.append(out["token"])
        return self.tokens[(name, *more)]

    def log_text(self):
        with open(self.folder + "/log", encoding="utf-8") as log:
            return log.read()

    def start(self, environment=None):
        with open(self.folder + "/log", "ab") as log, open(self.folder + "/out", "ab") as out:
            before = self.log_text().count("event=listening")
            self.process = subprocess.Popen([self.program, "-c", self.config, "serve"],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                            env=dict(os.environ, **(environment or {})))
        self.wait(lambda: self.process.poll() is not None or self.log_text().count("event=listening") == before + 2)
        if self.process.poll() is not None:
            raise RuntimeError("it ended: " + self.log_text()[-500:])
        ports = {name: int(port) for name, port in
                 re.findall(r"listener=(\S+) at=https?://127.0.0.1:(\d+)", self.log_text())}
        self.port, self.metrics_port = ports["api"], ports["metrics"]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(WAIT_SECONDS)
        return self.process.returncode if self.process else 0

    def wait(self, condition, seconds=WAIT_SECONDS):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds} s")
            time.sleep(0.02)

    # --- Requests ---

    def ask(self, method, path, body=None, who=None, cookie=None, headers=None, kind="application/json",
            port=None, timeout=WAIT_SECONDS):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        sent = dict(headers or {})
        if who:
            sent["Authorization"] = "Bearer " + (who if who.startswith(("cmt_", "x:")) else self.token(who))
        if cookie:
            sent["Cookie"] = cookie
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None or method == "POST":
            sent.setdefault("Content-Type", kind)
        connection.request(method, path, body=body if body is not None else (b"" if method == "POST" else None),
                           headers=sent)
        reply = connection.getresponse()
        content, end = b"", time.monotonic() + timeout
        while piece := reply.read1(65536):  # a stream that nobody ends must not hold up the test
            content += piece
            if time.monotonic() > end:
                raise TimeoutError(f"{method} {path}: still sending")
        connection.close()
        self.answers.append(content)
        return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, content)

    def get(self, path, **how):
        return self.ask("GET", path, **how)

    def post(self, path, body=None, **how):
        return self.ask("POST", path, body if body is not None else {}, **how)

    def login(self, name):
        """A session by a typed token: cookie and CSRF token."""
        reply = None
        while reply is None or reply.headers["location"].endswith("e=wait"):
            time.sleep(0.5 if reply else 0)
            reply = self.ask("POST", "/ui/login", "token=" + self.token(name),
                             kind="application/x-www-form-urlencoded")
        cookie = reply.headers["set-cookie"].split(";")[0]
        csrf = self.get("/auth/me", cookie=cookie).json["csrf"]
        self.secrets += [cookie.split("=", 1)[1], csrf]
        return cookie, csrf, reply

    def stream(self, path, who=None, headers=None, until=None, seconds=20):
        """Lines of an event stream until `until` is in what came, or it ends."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        sent = dict(headers or {})
        if who:
            sent["Authorization"] = "Bearer " + self.token(who)
        connection.request("GET", path, headers=sent)
        reply = connection.getresponse()
        text = b""
        while until is None or until not in text:
            piece = reply.read1(65536)
            if not piece:
                break
            text += piece
        connection.close()
        return reply, text.decode()


    def verify(self, event, cookie=None):
        """Sends a Nostr event; where too many have failed lately, again."""
        reply = None
        while reply is None or reply.status == 429:
            time.sleep(0.5 if reply else 0)
            reply = self.post("/auth/nostr/verify", event, cookie=cookie)
        return reply


class Receiver:
    """Takes webhooks; `answer` is the status that it gives."""

    def __init__(self):
        self.got, self.answer = [], 204
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def differs(what, got, expected):
    return [] if got == expected else [f"{what}: {got!r}, not {expected!r}"]


def run_all(tap, rig, checks, prefix):
    for name, check in checks:
        try:
            complaints = list(check(rig))
        except Exception as problem:  # one check that breaks is one that fails
            import traceback
            complaints = [f"{type(problem).__name__}: {problem}"] + traceback.format_exc().splitlines()[-6:]
        if complaints:
            complaints += rig.log_text().splitlines()[-5:]
        tap.check(prefix + name, complaints)
