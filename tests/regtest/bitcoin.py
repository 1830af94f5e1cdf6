"""bitcoin.py - keys, scripts, digests, signatures and PSBTs once more, independent of bitcoin/.

Written from the BIPs for tests that compare: slow, not constant-time, never for real keys.
"""
import hashlib
import hmac
import struct

# --- Curve (SEC 2) ---

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def add_points(a, b):
    """Affine points; None is infinity."""
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def _powers():
    powers, point = [], G
    for _ in range(256):
        powers.append(point)
        point = add_points(point, point)
    return powers


POWERS = _powers()


def multiply_g(scalar):
    """Jacobian sums of affine powers of G, so that there is one inversion."""
    x = y = z = 0
    for bit, (px, py) in enumerate(POWERS):
        if not scalar >> bit & 1:
            continue
        if z == 0:
            x, y, z = px, py, 1
            continue
        zz = z * z % P
        u, s = px * zz % P, py * z * zz % P
        h, r = (u - x) % P, (s - y) % P
        hh = h * h % P
        hhh, v = h * hh % P, x * hh % P
        x, old_y = (r * r - hhh - 2 * v) % P, y
        y, z = (r * (v - x) - old_y * hhh) % P, z * h % P
    inverse = pow(z, -1, P)
    return x * inverse * inverse % P, y * inverse**3 % P


def lift_x(x):
    y = pow((x**3 + 7) % P, (P + 1) // 4, P)
    assert y * y % P == (x**3 + 7) % P
    return x, y if y % 2 == 0 else P - y


def compressed(point):
    return bytes([2 + point[1] % 2]) + point[0].to_bytes(32, "big")


def uncompressed(point):
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


# --- Hashes ---

def sha256(b):
    return hashlib.sha256(b).digest()


def sha256d(b):
    return sha256(sha256(b))


def hash160(b):
    return hashlib.new("ripemd160", sha256(b)).digest()


def tagged(tag, b):
    return sha256(sha256(tag.encode()) * 2 + b)


# --- Signatures ---

def rfc6979(key, digest, extra):
    """RFC 6979 with the extra data behind the digest (section 3.6)."""
    def mac(k, b):
        return hmac.new(k, b, hashlib.sha256).digest()

    k, v = bytes(32), b"\x01" * 32
    for separator in (b"\x00", b"\x01"):
        k = mac(k, v + separator + key.to_bytes(32, "big") + digest + extra)
        v = mac(k, v)
    while True:
        v = mac(k, v)
        nonce = int.from_bytes(v, "big")
        if 0 < nonce < N:
            return nonce
        k = mac(k, v + b"\x00")
        v = mac(k, v)


def der_integer(n):
    b = n.to_bytes((n.bit_length() + 8) // 8, "big")
    return b"\x02" + bytes([len(b)]) + b


def ecdsa_sign(key, digest):
    """Low S; ground to a low R as Bitcoin Core does. DER."""
    counter = 0
    while True:
        nonce = rfc6979(key, digest, struct.pack("<I", counter) + bytes(28) if counter else b"")
        r = multiply_g(nonce)[0] % N
        if r < 2**255:
            break
        counter += 1
    s = pow(nonce, -1, N) * (int.from_bytes(digest, "big") + r * key) % N
    body = der_integer(r) + der_integer(min(s, N - s))
    return b"\x30" + bytes([len(body)]) + body


def schnorr_sign(key, digest):
    """BIP-340 with 32 zero bytes as auxiliary data."""
    point = multiply_g(key)
    d = key if point[1] % 2 == 0 else N - key
    t = d ^ int.from_bytes(tagged("BIP0340/aux", bytes(32)), "big")
    px = point[0].to_bytes(32, "big")
    k = int.from_bytes(tagged("BIP0340/nonce", t.to_bytes(32, "big") + px + digest), "big") % N
    point = multiply_g(k)
    k = k if point[1] % 2 == 0 else N - k
    rx = point[0].to_bytes(32, "big")
    e = int.from_bytes(tagged("BIP0340/challenge", rx + px + digest), "big") % N
    return rx + ((k + e * d) % N).to_bytes(32, "big")


def taproot_key(key):
    """The private key of the output that `key` alone can spend (BIP-341, BIP-86)."""
    point = multiply_g(key)
    d = key if point[1] % 2 == 0 else N - key
    tweak = int.from_bytes(tagged("TapTweak", point[0].to_bytes(32, "big")), "big")
    return (d + tweak) % N


# --- BIP-32, BIP-39 ---

HARD = 0x80000000


def parse_path(text):
    steps = text.split("/")[1:]
    return [int(s.rstrip("h")) | (HARD if s.endswith("h") else 0) for s in steps]


class Node:
    def __init__(self, key, chain_code, depth=0, parent=bytes(4), child=0):
        self.key, self.chain_code = key, chain_code
        self.depth, self.parent, self.child = depth, parent, child
        self.point = multiply_g(key)
        self.public = compressed(self.point)
        self.known = {}

    @staticmethod
    def of_words(words):
        seed = hashlib.pbkdf2_hmac("sha512", words.encode(), b"mnemonic", 2048)
        i = hmac.new(b"Bitcoin seed", seed, hashlib.sha512).digest()
        return Node(int.from_bytes(i[:32], "big"), i[32:])

    @property
    def xfp(self):
        return hash160(self.public)[:4]

    def step(self, child):
        if child not in self.known:
            data = b"\0" + self.key.to_bytes(32, "big") if child & HARD else self.public
            i = hmac.new(self.chain_code, data + struct.pack(">I", child), hashlib.sha512).digest()
            key = (int.from_bytes(i[:32], "big") + self.key) % N
            self.known[child] = Node(key, i[32:], self.depth + 1, self.xfp, child)
        return self.known[child]

    def derive(self, path):
        node = self
        for child in parse_path(path):
            node = node.step(child)
        return node

    def tpub(self):
        return base58check(bytes.fromhex("043587cf") + bytes([self.depth]) + self.parent +
                           struct.pack(">I", self.child) + self.chain_code + self.public)


def base58check(b):
    b += sha256d(b)[:4]
    number, text = int.from_bytes(b, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[digit] + text
    return "1" * (len(b) - len(b.lstrip(b"\0"))) + text


# --- Scripts and transactions ---

def compact(n):
    if n < 253:
        return bytes([n])
    return b"\xfd" + struct.pack("<H", n) if n < 2**16 else b"\xfe" + struct.pack("<I", n)


def counted(b):
    return compact(len(b)) + b


def push(b):
    if len(b) < 76:
        return bytes([len(b)]) + b
    return b"\x4c" + bytes([len(b)]) + b if len(b) < 256 else b"\x4d" + struct.pack("<H", len(b)) + b


def p2pkh(key):
    return b"\x76\xa9\x14" + hash160(key) + b"\x88\xac"


def p2wpkh(key):
    return b"\x00\x14" + hash160(key)


def p2sh(redeem):
    return b"\xa9\x14" + hash160(redeem) + b"\x87"


def p2wsh(script):
    return b"\x00\x20" + sha256(script)


class Tx:
    """ins: [txid in its byte order, index, sequence]; outs: [sats, script]."""

    def __init__(self, version=2, locktime=0):
        self.version, self.locktime, self.ins, self.outs = version, locktime, [], []

    def raw(self, script_sigs=None, witnesses=None):
        witnesses = witnesses if witnesses and any(witnesses) else None
        b = struct.pack("<i", self.version) + (b"\x00\x01" if witnesses else b"") + compact(len(self.ins))
        for i, (txid, index, sequence) in enumerate(self.ins):
            b += txid + struct.pack("<I", index) + counted(script_sigs[i] if script_sigs else b"")
            b += struct.pack("<I", sequence)
        b += compact(len(self.outs)) + b"".join(output(*out) for out in self.outs)
        for items in witnesses or []:
            b += compact(len(items)) + b"".join(map(counted, items))
        return b + struct.pack("<I", self.locktime)


def output(sats, script):
    return struct.pack("<q", sats) + counted(script)


ALL, NONE, SINGLE, ANYONE = 1, 2, 3, 0x80


def legacy_digest(tx, i, code, kind):
    base = kind & 0x1F
    blank = Tx(tx.version, tx.locktime)
    sigs = []
    for k, (txid, index, sequence) in enumerate(tx.ins):
        if kind & ANYONE and k != i:
            continue
        blank.ins.append([txid, index, sequence if k == i or base == ALL else 0])
        sigs.append(code if k == i else b"")
    blank.outs = {ALL: tx.outs, NONE: []}.get(base, [[-1, b""]] * i + tx.outs[i:i + 1])
    return sha256d(blank.raw(sigs) + struct.pack("<I", kind))


def segwit_digest(tx, i, code, sats, kind):
    base, zero = kind & 0x1F, bytes(32)
    txid, index, sequence = tx.ins[i]
    prevouts = b"".join(t + struct.pack("<I", n) for t, n, _ in tx.ins)
    sequences = b"".join(struct.pack("<I", s) for _, _, s in tx.ins)
    outs = b"".join(output(*o) for o in (tx.outs if base == ALL else tx.outs[i:i + 1]))
    return sha256d(struct.pack("<i", tx.version) + (zero if kind & ANYONE else sha256d(prevouts)) +
                   (sha256d(sequences) if kind == ALL else zero) + txid + struct.pack("<I", index) +
                   counted(code) + struct.pack("<qI", sats, sequence) +
                   (zero if base == NONE else sha256d(outs)) + struct.pack("<II", tx.locktime, kind))


def taproot_digest(tx, i, spent, kind):
    """spent: [sats, script] of all inputs."""
    base = kind & 3
    b = bytes([0, kind]) + struct.pack("<iI", tx.version, tx.locktime)
    if not kind & ANYONE:
        b += sha256(b"".join(t + struct.pack("<I", n) for t, n, _ in tx.ins))
        b += sha256(b"".join(struct.pack("<q", s) for s, _ in spent))
        b += sha256(b"".join(counted(script) for _, script in spent))
        b += sha256(b"".join(struct.pack("<I", s) for _, _, s in tx.ins))
    if base in (0, ALL):
        b += sha256(b"".join(output(*o) for o in tx.outs))
    b += b"\x00"
    txid, index, sequence = tx.ins[i]
    if kind & ANYONE:
        b += txid + struct.pack("<I", index) + output(*spent[i]) + struct.pack("<I", sequence)
    else:
        b += struct.pack("<I", i)
    if base == SINGLE:
        b += sha256(output(*tx.outs[i]))
    return tagged("TapSighash", b)


# --- Coins ---

SINGLE_KINDS = ["p2pk", "p2pk65", "p2pkh", "p2wpkh", "p2sh-p2wpkh", "p2tr"]
MULTI_KINDS = ["p2sh", "p2wsh", "p2sh-p2wsh"]
SEGWIT = {"p2wpkh", "p2sh-p2wpkh", "p2tr", "p2wsh", "p2sh-p2wsh"}


class Wallet:
    """m of the keys of `owners` (master nodes) below one path; keys sorted, or in their order."""

    def __init__(self, kind, m, owners, path, is_sorted=True):
        self.kind, self.m, self.owners, self.path = kind, m, owners, path
        self.is_sorted = is_sorted

    def registration(self, name):
        if not self.is_sorted:
            keys = ",".join(f"[{o.xfp.hex()}{self.path[1:]}]{o.derive(self.path).tpub()}/0/*"
                            for o in self.owners)
            outer = {"p2sh": "sh(%s)", "p2wsh": "wsh(%s)", "p2sh-p2wsh": "sh(wsh(%s))"}[self.kind]
            return outer % f"multi({self.m},{keys})"
        keys = "".join(f"{o.xfp.hex().upper()}: {o.derive(self.path).tpub()}\n" for o in self.owners)
        return (f"Name: {name}\nPolicy: {self.m} of {len(self.owners)}\nFormat: {self.kind}\n"
                f"Derivation: {self.path}\n{keys}")


class Coin:
    """An output that can be spent: of one key (owner, path) or of a wallet (path below the xpubs)."""

    def __init__(self, kind, owner, path, sats):
        self.kind, self.path, self.sats = kind, path, sats
        self.redeem = self.witness_script = None
        self.wallet = owner if isinstance(owner, Wallet) else None
        if self.wallet:
            owners = self.wallet.owners
            self.full_path = self.wallet.path + path
            self.nodes = [(o, o.derive(self.full_path)) for o in owners]
            keys = [node.public for _, node in self.nodes]
            self.keys = sorted(keys) if self.wallet.is_sorted else keys
            inner = (bytes([80 + self.wallet.m]) + b"".join(map(push, self.keys)) +
                     bytes([80 + len(keys), 0xAE]))
            if kind == "p2sh":
                self.redeem = inner
            else:
                self.witness_script = inner
                self.redeem = p2wsh(inner) if kind == "p2sh-p2wsh" else None
            self.script = p2wsh(inner) if kind == "p2wsh" else p2sh(self.redeem)
            self.code = inner
            return
        self.full_path, self.nodes = path, [(owner, owner.derive(path))]
        node = self.nodes[0][1]
        key = self.key = uncompressed(node.point) if kind == "p2pk65" else node.public
        self.code = p2pkh(key)
        if kind in ("p2pk", "p2pk65"):
            self.script = self.code = push(key) + b"\xac"
        elif kind == "p2pkh":
            self.script = p2pkh(key)
        elif kind == "p2wpkh":
            self.script = p2wpkh(key)
        elif kind == "p2sh-p2wpkh":
            self.redeem = p2wpkh(key)
            self.script = p2sh(self.redeem)
        else:
            self.key = node.public[1:]
            self.script = b"\x51\x20" + multiply_g(taproot_key(node.key))[0].to_bytes(32, "big")

    def sign(self, tx, i, spent, kind, node):
        """What a PSBT gets: the signature with its hash type."""
        if self.kind == "p2tr":
            sig = schnorr_sign(taproot_key(node.key), taproot_digest(tx, i, spent, kind))
            return sig + (bytes([kind]) if kind else b"")
        digest = (segwit_digest(tx, i, self.code, self.sats, kind) if self.kind in SEGWIT
                  else legacy_digest(tx, i, self.code, kind))
        return ecdsa_sign(node.key, digest) + bytes([kind])

    def final(self, sigs):
        """(scriptSig, witness items) from {key: signature}."""
        if self.wallet:
            ordered = [sigs[key] for key in self.keys if key in sigs][:self.wallet.m]
            if self.kind == "p2sh":
                return b"\0" + b"".join(map(push, ordered)) + push(self.redeem), []
            return (push(self.redeem) if self.redeem else b"",
                    [b""] + ordered + [self.witness_script])
        sig = sigs[self.key]
        return {
            "p2pk": (push(sig), []),
            "p2pk65": (push(sig), []),
            "p2pkh": (push(sig) + push(self.key), []),
            "p2wpkh": (b"", [sig, self.key]),
            "p2sh-p2wpkh": (push(self.redeem or b""), [sig, self.key]),
            "p2tr": (b"", [sig]),
        }[self.kind]


# --- PSBT ---

def entry(kind, value, key_data=b""):
    return counted(bytes([kind]) + key_data) + counted(value)


def key_path(owner, path, taproot=False):
    steps = b"".join(struct.pack("<I", s) for s in parse_path(path))
    return (b"\0" if taproot else b"") + owner.xfp + steps


def scripts_and_paths(coin, redeem, witness, path, tap_key, tap_path):
    b = entry(redeem, coin.redeem) if coin.redeem else b""
    b += entry(witness, coin.witness_script) if coin.witness_script else b""
    if coin.kind == "p2tr":
        owner = coin.nodes[0][0]
        return b + entry(tap_key, coin.key) + entry(tap_path, key_path(owner, coin.path, True), coin.key)
    for owner, node in coin.nodes:
        key = coin.key if not coin.wallet else node.public
        b += entry(path, key_path(owner, coin.full_path), key)
    return b


def psbt(tx, coins, version, change=(), hash_types=None, previous=None):
    """coins[i] is spent by input i; change: {output: coin}; previous: {input: raw transaction}, which
    legacy coins need; the others have a witness UTXO without it."""
    change, hash_types, previous = dict(change), hash_types or {}, previous or {}
    b = b"psbt\xff"
    if version == 0:
        b += entry(0, tx.raw())
    else:
        b += entry(2, struct.pack("<i", tx.version)) + entry(3, struct.pack("<I", tx.locktime))
        b += entry(4, compact(len(tx.ins))) + entry(5, compact(len(tx.outs)))
        b += entry(0xFB, struct.pack("<I", 2))
    b += b"\0"
    for i, coin in enumerate(coins):
        b += entry(0, previous[i]) if i in previous else b""
        if coin.kind in SEGWIT:
            b += entry(1, output(coin.sats, coin.script))
        b += entry(3, struct.pack("<I", hash_types[i])) if i in hash_types else b""
        b += scripts_and_paths(coin, 4, 5, 6, 0x17, 0x16)
        if version == 2:
            txid, index, sequence = tx.ins[i]
            b += entry(0x0E, txid) + entry(0x0F, struct.pack("<I", index))
            b += entry(0x10, struct.pack("<I", sequence))
        b += b"\0"
    for i, (sats, script) in enumerate(tx.outs):
        if i in change:
            b += scripts_and_paths(change[i], 0, 1, 2, 5, 7)
        if version == 2:
            b += entry(3, struct.pack("<q", sats)) + entry(4, script)
        b += b"\0"
    return b


def read_compact(b, at):
    width = {0xFD: 2, 0xFE: 4, 0xFF: 8}.get(b[at], 0)
    return (int.from_bytes(b[at + 1:at + 1 + width], "little") if width else b[at]), at + 1 + width


def signatures_in(raw, n_in):
    """Per input {key: signature} of a PSBT; a taproot key signature has the key None."""
    assert raw[:5] == b"psbt\xff"
    at, result = 5, []
    for number in range(1 + n_in):
        sigs = {}
        while True:
            length, at = read_compact(raw, at)
            if length == 0:
                break
            key = raw[at:at + length]
            length, at = read_compact(raw, at + length)
            value, at = raw[at:at + length], at + length
            if key[0] == 2:
                sigs[key[1:]] = value
            elif key[0] == 0x13:
                sigs[None] = value
        if number > 0:
            result.append(sigs)
    return result
