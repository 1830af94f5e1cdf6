"""treasury_rig.py - a whole treasury on this machine: a regtest node, three signers (the third behind a bunker's
signer link), a coordinator. Everything in one folder, on free ports of loopback; stop() ends all of it.
"""
import base64
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "regtest")]
from node import Node
from sockets import answers, free_port

WAIT_SECONDS = 60
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
PATH = "m/48h/1h/0h/2h"
SEEDS = [
    "wife shiver author away frog air rough vanish fantasy frozen noodle athlete pioneer citizen symptom firm much "
    "faith extend rare axis garment kiwi clarify",
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
    "legal winner thank year wave sausage worth useful legal winner thank yellow",
]
OWNER_SECRET = "JBSWY3DPEHPK3PXP"


def get_bitcoind(script, folder):
    """The program's path, or None and why there is none."""
    got = subprocess.run([script, folder], capture_output=True, text=True, check=False)
    if got.returncode:
        return None, (got.stderr.strip().splitlines() or ["no reason is told"])[-1]
    return got.stdout.split()[0], None


class WalletNode(Node):
    """As node.py's, with wallets; may be started again on what it had."""

    def __init__(self, bitcoind, folder):
        self.bitcoind, self.folder, self.port = bitcoind, folder, free_port()
        os.makedirs(folder, exist_ok=True)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.bitcoind, "-regtest", f"-datadir={self.folder}", "-server", f"-rpcport={self.port}", "-listen=0",
             "-listenonion=0", "-dnsseed=0", "-fixedseeds=0", "-discover=0", "-natpmp=0", "-rpcbind=127.0.0.1",
             "-rpcallowip=127.0.0.1", "-printtoconsole=0", "-softwareexpiry=0", "-fallbackfee=0.00002"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        why = self.wait()
        if why:
            raise RuntimeError(why)

    def wallet(self, name, method, *params):
        with open(os.path.join(self.folder, "regtest/.cookie"), "rb") as file:
            cookie = base64.b64encode(file.read()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        try:
            connection.request("POST", f"/wallet/{name}", json.dumps({"id": 0, "method": method, "params": params}),
                               {"Authorization": "Basic " + cookie})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if answer["error"]:
            raise RuntimeError(answer["error"]["message"])
        return answer["result"]


class Treasury:
    def __init__(self, folder, programs, bitcoind):
        """programs: paths of casemate, casemate-signer, casemate-bunker, casemate-coordinator."""
        self.folder, self.programs = folder, programs
        self.processes, self.port, self.token = {}, free_port(), None
        self.link_port = free_port()
        self.node = WalletNode(bitcoind, folder + "/node")
        for wallet in ("miner", "hot"):
            self.node("createwallet", wallet)
        self.miner = self.node.wallet("miner", "getnewaddress", "", "bech32")
        self.node("generatetoaddress", 101, self.miner)
        self.hot = self.node.wallet("hot", "getnewaddress", "", "bech32")

    # --- Processes ---

    def wait(self, condition, what, seconds=WAIT_SECONDS):
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds} s for {what}")
            time.sleep(0.05)

    def spawn(self, name, *arguments):
        with open(f"{self.folder}/{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self, name, number=signal.SIGKILL):
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait()

    def log(self, name):
        with open(f"{self.folder}/{name}.log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def socket_of(self, letter):
        return f"{self.folder}/cm-{letter}.sock"

    def start_signer(self, letter, seed=None):
        """seed: makes it new with that one; else it comes back with what it had."""
        path = self.socket_of(letter)
        for old in (path, path + ".panel"):
            if os.path.exists(old):
                os.unlink(old)
        os.makedirs(f"{self.folder}/signer-{letter}", mode=0o700, exist_ok=True)
        self.spawn("signer-" + letter, self.programs["casemate-signer"], "--simulator", "--chain", "XRT", "--socket", path,
                   "--dir", f"{self.folder}/signer-{letter}")
        self.wait(lambda: answers(path + ".panel"), path + ".panel")
        if seed is not None:
            self.panel(letter, do="reset", chain="XRT", words=seed, passphrase="", keep=False)
        else:
            # It asks at its panel whether to go on with its policy; then it listens.
            self.wait(lambda: self.panel(letter, do="screen")["ask"] == "key", "the offer of " + letter)
            self.panel(letter, do="keys", keys="y")
        self.wait(lambda: os.path.exists(path), path)

    def panel(self, letter, **request):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(WAIT_SECONDS)
            s.connect(self.socket_of(letter) + ".panel")
            lines = s.makefile("rwb")
            lines.readline()
            lines.write(json.dumps(request).encode() + b"\n")
            lines.flush()
            reply = json.loads(lines.readline())
        if not reply["ok"]:
            raise RuntimeError(reply["error"])
        return reply

    def attend(self, letter):
        """Its operator, at its panel: agrees to what it is asked, until the coordinator finds it ready."""
        end = time.monotonic() + WAIT_SECONDS
        asked_for = 0
        while letter not in self.ready():
            if time.monotonic() > end:
                raise TimeoutError(f"{letter} is not ready: {self.panel(letter, do='screen')}")
            if time.monotonic() - asked_for > 3:
                self.post(f"/v1/signers/{letter}/heal")
                asked_for = time.monotonic()
            screen = self.panel(letter, do="screen")
            if screen["ask"] == "key" and screen["state"] != "hsm":
                digit = re.search(r"[Pp]ress \((\d)\)", screen["text"])
                self.panel(letter, do="keys", keys=digit[1] if digit else "y")
            time.sleep(0.1)

    def run_casemate(self, letter, *arguments):
        return subprocess.run([self.programs["casemate"], "--socket", self.socket_of(letter), *arguments],
                              capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)

    def casemate(self, letter, *arguments):
        done = self.run_casemate(letter, *arguments)
        if done.returncode:
            raise RuntimeError(f"casemate {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    # --- Set-up ---

    def write(self, name, text, mode=0o600):
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def start_signers(self, linked="C"):
        self.keys = []
        for letter, seed in zip("ABC", SEEDS):
            self.start_signer(letter, seed)
            xfp = self.casemate(letter, "xfp").lower()
            self.keys.append((letter, xfp, f"[{xfp}/{PATH[2:]}]{self.casemate(letter, 'xpub', PATH)}"))
        self.linked = linked
        if linked:
            self.start_bunker()

    def certificates(self):
        if os.path.exists(self.folder + "/ca"):
            return
        for what in (["ca", "ca"], ["server", "ca", "127.0.0.1"], ["client", "ca", "coordinator"]):
            subprocess.run([self.programs["casemate-bunker"], "cert", *what], check=True, capture_output=True,
                           cwd=self.folder)

    def start_bunker(self):
        self.certificates()
        self.write("bunker.conf", f"""data_files = {self.folder}/bunker
[device]
path = {self.socket_of(self.linked)}
[listener link]
bind = 127.0.0.1:{self.link_port}
auth = mtls
serve = link
tls_cert = {self.folder}/ca/127.0.0.1.crt
tls_key = {self.folder}/ca/127.0.0.1.key
client_ca = {self.folder}/ca/ca.crt
link_names = coordinator
link_provision = on
""")
        os.makedirs(self.folder + "/bunker", mode=0o700, exist_ok=True)
        self.spawn("bunker", self.programs["casemate-bunker"], "-c", self.folder + "/bunker.conf", "run")
        self.wait(lambda: self.listens(self.link_port), "the bunker")

    def listens(self, port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def signer_sections(self):
        text = ""
        for letter in "ABC":
            if letter == self.linked:
                text += f"""[signer {letter}]
transport = link
url = wss://127.0.0.1:{self.link_port}
client_cert = {self.folder}/ca/coordinator.crt
client_key = {self.folder}/ca/coordinator.key
server_ca = {self.folder}/ca/ca.crt
"""
            else:
                text += f"[signer {letter}]\ntransport = unix\npath = {self.socket_of(letter)}\n"
        return text

    def write_coordinator_conf(self, store=None, demo=True, more=""):
        self.write("owner.totp", OWNER_SECRET + "\n")
        self.conf = self.write("coordinator.conf", f"""{more}
[store]
{store or "sqlite = " + self.folder + "/ledger.db"}
[listener main]
bind = 127.0.0.1:{self.port}
[node main]
host = 127.0.0.1
port = {self.node.port}
credential_file = {self.node.folder}/regtest/.cookie
{self.signer_sections()}[compat]
demo = {"on" if demo else "off"}
public_status = on
{"totp_secret_file = " + self.folder + "/owner.totp" if demo else ""}
""")

    def descriptor(self, branch):
        keys = ",".join(f"{key}/{branch}/*" for _, _, key in self.keys)
        return self.node("getdescriptorinfo", f"wsh(sortedmulti(2,{keys}))")["descriptor"]

    def setup_file(self, **changes):
        setup = {
            "wallet": {"name": "treasury", "network": "regtest", "receive": self.descriptor(0),
                       "change": self.descriptor(1), "settings": {"fee_fallback": 2000}},
            "signers": [{"name": letter, "kind": "simulator", "fingerprint": xfp, "failure_domain": "site " + letter}
                        for letter, xfp, _ in self.keys],
            "caps": {"cap_auto_sat": 3000000, "cap_surge_sat": 9000000, "fee_cap_sat": 300000, "window_s": 3600},
            "policy": {"max_sat": 1000000, "per_period_sat": 2000000, "period_min": 60, "surge_max_sat": 5000000,
                       "surge_per_period_sat": 9000000},
            "destinations": [{"name": "hot", "address": self.hot}],
        }
        setup.update(changes)
        return self.write("setup.json", json.dumps(setup, indent=1))

    def coordinator(self, *arguments, check=True):
        done = subprocess.run([self.programs["casemate-coordinator"], "--config", self.conf, *arguments],
                              capture_output=True, text=True, timeout=WAIT_SECONDS, input="yes\n", check=False)
        if check and done.returncode:
            raise RuntimeError(f"casemate-coordinator {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done

    def start_coordinator(self, name="coordinator", **environment):
        with open(f"{self.folder}/{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [self.programs["casemate-coordinator"], "--config", self.conf, "serve"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, **environment})
        self.wait(lambda: self.listens(self.port) or self.processes[name].poll() is not None, "the coordinator")
        if self.processes[name].poll() is not None:
            raise RuntimeError(self.log(name)[-2000:])

    def stop(self):
        for name in list(self.processes):
            self.processes[name].terminate()
        for name in list(self.processes):
            try:
                self.processes.pop(name).wait(40)
            except subprocess.TimeoutExpired:
                pass
        self.node.stop()

    # --- The API ---

    def ask(self, method, path, body=None, headers=None, port=None):
        """(status, parsed JSON or text)"""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=WAIT_SECONDS)
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("Authorization", "Bearer " + self.token)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        try:
            return reply.status, json.loads(text)
        except ValueError:
            return reply.status, text

    def get(self, path):
        status, answer = self.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {answer}")
        return answer

    def post(self, path, **body):
        status, answer = self.ask("POST", path, body)
        if status not in (200, 201, 202):
            raise RuntimeError(f"POST {path}: {status} {answer}")
        return answer

    def ready(self):
        """The signers that are; none before the ledger was compared with the chain, as nothing is paid until then."""
        if not self.get("/v1/wallets/treasury/velocity")["reconciled_at"]:
            return []
        return [s["name"] for s in self.get("/v1/signers")["signers"] if s.get("ready")]

    def fund(self, count, sat):
        address = self.get("/v1/wallets")["wallets"][0]["fund_address"]
        outputs = {address: f"{sat // 10**8}.{sat % 10**8:08d}"}
        for i in range(count):
            try:
                self.node.wallet("miner", "send", outputs)
            except RuntimeError:  # its change was not seen yet
                self.mine(1)
                self.node("syncwithvalidationinterfacequeue")
                self.node.wallet("miner", "send", outputs)
            if i % 20 == 19:  # no long chain in the mempool
                self.mine(1)
        self.mine(1)

    def mine(self, blocks):
        self.node("generatetoaddress", blocks, self.miner)

    def pay(self, request_id, sat, to="hot", **more):
        return self.post("/v1/spends", wallet="treasury", request_id=request_id, outputs=[{"to": to, "amount_sat": sat}],
                         **more)

    def spend(self, spend_id):
        return self.get("/v1/spends/" + spend_id)

    def reaches(self, spend_id, *states, seconds=WAIT_SECONDS):
        return self.wait(lambda: next((s for s in [self.spend(spend_id)] if s["state"] in states), None),
                         f"{spend_id} to be {' or '.join(states)}, which is {self.spend(spend_id)['state']}", seconds)

    def hot_balance(self):
        return round(self.node.wallet("hot", "getbalance", "*", 1) * 10**8)
