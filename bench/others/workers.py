"""workers.py - who signs for bench/peers: programs that speak its lines, and a node over its RPC.

Each has sign(file, keys, times), which gives a Sample of one signing, and end().
"""
import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections import namedtuple

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests"))
from treasury_rig import WalletNode

Sample = namedtuple("Sample", "clock_us cpu_us signed")  # signed: base64 of the last result


class Cannot(Exception):
    """Why a peer does not do what it was asked to."""


class Program:
    """A process with one line of JSON in and out: worker.mjs, bench-ours."""

    def __init__(self, argv):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"peers: {' '.join(self.process.args[:3])} ended")
        answer = json.loads(line)
        if "error" in answer:
            raise Cannot(answer["error"])
        return answer

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return self.read()

    def sign(self, file, keys, times):
        got = self.ask(file=file, keys=keys, times=times)
        return Sample(got["clock_us"] / times, got["cpu_us"] / times, got["signed"])

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Wallet:
    """A node with the keys in a wallet. kept: walletprocesspsbt; anew: descriptorprocesspsbt, whose caller gives
    the descriptor of the inputs' branch with the master in it, and no more of a range than they need."""

    def __init__(self, bitcoind, folder, manifest):
        self.node, self.manifest, self.requests = WalletNode(bitcoind, folder), manifest, {}
        self.node("createwallet", "bench", False, True)
        private = [d for name, d in manifest["descriptors"].items() if "private" in name]
        most = max(f["inputs"] for f in manifest["files"].values())
        done = self.node.wallet("bench", "importdescriptors", [
            {"desc": d, "timestamp": "now", "range": [0, most - 1]} for d in private])
        assert all(d["success"] for d in done), done
        self.name = self.name_of(self.node("getnetworkinfo")["subversion"])
        self.link = None
        self.cpu = ~self.node.process.pid << 3 | 2  # the processor's clock of that process (Linux)

    @staticmethod
    def name_of(subversion):
        """Of "/Satoshi:29.5.0/Knots:20260508/"."""
        number = subversion.split("/")[1].split(":")[1]
        return f"Bitcoin {'Knots' if 'Knots' in subversion else 'Core'} {number}"

    def request(self, file, keys):
        if (file, keys) not in self.requests:
            of_file = self.manifest["files"][os.path.basename(file)]
            with open(file, "rb") as psbt:
                text = base64.b64encode(psbt.read()).decode()
            path, method, middle = "/wallet/bench", "walletprocesspsbt", [True, "DEFAULT", True, False]
            if keys == "anew":
                descriptor = self.manifest["descriptors"][of_file["script"] + "-private-0"]
                path, method = "/", "descriptorprocesspsbt"
                middle = [[{"desc": descriptor, "range": [0, of_file["inputs"] - 1]}], "DEFAULT", True, False]
            body = json.dumps({"id": 0, "method": method, "params": [text, *middle]}).encode()
            with open(os.path.join(self.node.folder, "regtest/.cookie"), "rb") as cookie:
                login = base64.b64encode(cookie.read()).decode()
            self.requests[file, keys] = (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {login}\r\n"
                                         f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        return self.requests[file, keys]

    def connect(self):
        """Kept alive for one sample, as a client that asks often does: the node closes idle ones."""
        if self.link:
            self.link.close()
        self.link = socket.create_connection(("127.0.0.1", self.node.port))
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, request):
        self.link.sendall(request)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.receive()
        head, body = got.split(b"\r\n\r\n", 1)
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        parts, have = [body], len(body)
        while have < length:
            parts.append(self.receive())
            have += len(parts[-1])
        return b"".join(parts)

    def receive(self):
        some = self.link.recv(1 << 20)
        if not some:
            raise SystemExit("peers: the node closed the connection")
        return some

    def sign(self, file, keys, times):
        request = self.request(file, keys)
        self.connect()
        clock, cpu = time.monotonic(), time.clock_gettime(self.cpu)
        for _ in range(times):
            answer = self.exchange(request)
        clock, cpu = time.monotonic() - clock, time.clock_gettime(self.cpu) - cpu
        answer = json.loads(answer)
        if answer["error"]:
            raise Cannot(answer["error"]["message"])
        return Sample(clock * 1e6 / times, cpu * 1e6 / times, answer["result"]["psbt"])

    def end(self):
        if self.link:
            self.link.close()
        self.node.stop()
