#!/usr/bin/env python3
"""bunker-client.py - has a signer behind casemate-bunker sign a PSBT: how little a program needs for that.

usage: bunker-client.py URL PSBT OUT [TOKEN]

OUT is the transaction for the network, or a PSBT where other signatures are still missing. TOKEN is what
`casemate-bunker token add operator` printed; a bunker on loopback without a login needs none.
"""
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

base, psbt, out = sys.argv[1].rstrip("/"), sys.argv[2], sys.argv[3]
headers = {"X-Casemate": "1"}
if len(sys.argv) > 4:
    headers["Authorization"] = "Bearer " + sys.argv[4]
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())


def ask(path, body=None):
    with opener.open(urllib.request.Request(base + path, body, headers)) as reply:
        return reply.read()


def status():
    return json.loads(ask("/api/status"))


try:
    csrf = re.search(rb'CSRF: "([A-Z2-7]+)"', ask("/"))[1].decode()  # also begins a session
    with open(psbt, "rb") as file:
        loaded = json.loads(ask("/api/psbt", file.read()))
    print("PSBT", loaded["psbt_hash"])
    form = {"csrf": csrf, "hash": loaded["psbt_hash"], "finalize": "1"}  # with codes: "code0": "123456"
    ask("/submit", urllib.parse.urlencode(form).encode())
    while status()["busy_signing"]:
        time.sleep(0.1)
    now = status()
except urllib.error.HTTPError as refused:
    sys.exit(f"{refused.code}: {refused.read().decode(errors='replace')}")
if not now["casemate"]["slot"]["has_result"]:
    sys.exit(f"{now['casemate']['slot']['state']}: {now['hsm'].get('last_refusal')}")
with open(out, "wb") as file:
    file.write(ask(f"/api/psbt/{loaded['psbt_hash']}/result"))
print("signed", now["casemate"]["slot"]["txid"] or "as a PSBT")
