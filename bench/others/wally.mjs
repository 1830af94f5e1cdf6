// bench/others/wally.mjs -- libwally compiled to WebAssembly.
import * as wally from 'wallycore';

const FINGERPRINT_LEN = 4;

// Sighash parts that inputs share are hashed once.
function parse(bytes) {
  const psbt = wally.psbt_from_bytes(bytes, 0);
  wally.psbt_signing_cache_enable(psbt, 0);
  return psbt;
}

function finish(psbt) {
  const bytes = wally.psbt_to_bytes(psbt, 0);
  wally.psbt_free(psbt);
  return bytes;
}

// Where the input's key of this master is among those that are named, and its path.
function our_keypath(psbt, i, fingerprint) {
  const n = wally.psbt_get_input_keypaths_size(psbt, i);
  for (let at = 0; at < n; at++) {
    const keypath = wally.psbt_get_input_keypath(psbt, i, at);
    if (keypath.subarray(0, FINGERPRINT_LEN).equals(fingerprint))
      return { at, path: keypath.subarray(FINGERPRINT_LEN) };
  }
  return null;
}

const numbers = (path) =>
  Uint32Array.from({ length: path.length / 4 }, (_, k) => path.readUInt32LE(4 * k));

// psbt_sign_bip32 input by input, with a path derived once.
class Keeping {
  constructor(master) {
    this.master = master;
    this.fingerprint = wally.bip32_key_get_fingerprint(master);
    this.kept = new Map();
  }
  key(path) {
    const name = path.toString('hex');
    if (!this.kept.has(name))
      this.kept.set(name, wally.bip32_key_from_parent_path(
        this.master, numbers(path), wally.BIP32_FLAG_KEY_PRIVATE));
    return this.kept.get(name);
  }
  sign(psbt) {
    const tx = wally.psbt_get_global_tx(psbt);
    for (let i = 0; i < wally.psbt_get_num_inputs(psbt); i++) {
      const ours = our_keypath(psbt, i, this.fingerprint);
      const script = wally.psbt_get_input_signing_script(psbt, i);
      const code = wally.psbt_get_input_scriptcode(psbt, i, script);
      const hash = wally.psbt_get_input_signature_hash(psbt, i, tx, code, 0);
      wally.psbt_sign_input_bip32(psbt, i, ours.at, hash, this.key(ours.path), 0);
    }
    wally.tx_free(tx);
  }
}

export async function open(text) {
  const master = wally.bip32_key_from_base58(text);
  const keeping = new Keeping(master);
  const anew = (bytes) => {
    const psbt = parse(bytes);
    wally.psbt_sign_bip32(psbt, master, 0);
    return finish(psbt);
  };
  const kept = (bytes) => {
    const psbt = parse(bytes);
    // Taproot's keypaths are not among these: libwally looks them up itself, for a master alone.
    if (wally.psbt_get_input_keypaths_size(psbt, 0) === 0) wally.psbt_sign_bip32(psbt, master, 0);
    else keeping.sign(psbt);
    return finish(psbt);
  };
  return { anew, kept };
}
