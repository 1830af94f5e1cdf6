"""signer.py - bitcoin/ as the programs of this folder ask it, and the public test words."""
import json
import os
import subprocess

import bitcoin as b

# The simulator's words, and official BIP-39 vectors of 12, 18 and 24 words; they never hold value.
SIMULATOR = ("wife shiver author away frog air rough vanish fantasy frozen noodle athlete pioneer citizen "
             "symptom firm much faith extend rare axis garment kiwi clarify")


def all_words():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors/bip39.json")
    with open(path, encoding="utf-8") as file:
        return [SIMULATOR] + [row[1] for row in json.load(file)["trezor"]]


class Signer:
    """A sign-psbt process. The owner with number 0 has the simulator's words."""

    def __init__(self, program, chain, n_owners):
        self.chain, self.words = chain, all_words()[:n_owners]
        self.owners = [b.Node.of_words(words) for words in self.words]
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, who, raw, wallets=()):
        request = {"words": self.words[who], "chain": self.chain, "wallets": list(wallets),
                   "psbt": raw.hex()}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        """Complaints about how it ended."""
        self.process.stdin.close()
        self.process.stdout.close()
        status = self.process.wait(60)
        return [f"status {status}"] if status else []
