"""node.py - a bitcoind on regtest that speaks to this machine only, and ends with the test."""
import base64
import http.client
import json
import os
import random
import socket
import subprocess
import time

WAIT_SECONDS = 90


_claimed = []


def free_port():
    """A port of loopback that stays ours while this process lives, also between a server's end and its start again: the
    kernel gives none below 32768 to a connection, and an abstract socket of its name keeps other tests off it."""
    while True:
        port = random.randrange(10000, 32768)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0casemate-test-port-{port}")
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claimed.append(claim)
        return port


class Node:
    def __init__(self, bitcoind, folder):
        self.folder, self.port = folder, free_port()
        self.process = subprocess.Popen(
            [bitcoind, "-regtest", f"-datadir={folder}", "-server", f"-rpcport={self.port}",
             "-listen=0", "-listenonion=0", "-dnsseed=0", "-fixedseeds=0", "-discover=0", "-natpmp=0",
             "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", "-disablewallet", "-printtoconsole=0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def wait(self):
        """Until it answers; what went wrong, or nothing."""
        for _ in range(WAIT_SECONDS * 10):
            if self.process.poll() is not None:
                return self.process.stderr.read().decode(errors="replace").strip() or "it ended"
            try:
                self("getblockcount")
                return ""
            except (OSError, RuntimeError, http.client.HTTPException):
                time.sleep(0.1)
        return "it does not answer"

    def __call__(self, method, *params):
        with open(os.path.join(self.folder, "regtest/.cookie"), "rb") as file:
            cookie = base64.b64encode(file.read()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        try:
            connection.request("POST", "/", json.dumps({"id": 0, "method": method, "params": params}),
                               {"Authorization": "Basic " + cookie})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if answer["error"]:
            raise RuntimeError(answer["error"]["message"])
        return answer["result"]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
