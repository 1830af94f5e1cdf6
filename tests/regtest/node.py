"""node.py - a bitcoind on regtest that speaks to this machine only, and ends with the test."""
import base64
import http.client
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from sockets import free_port

WAIT_SECONDS = 90


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
