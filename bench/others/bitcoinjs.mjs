// bench/others/bitcoinjs.mjs -- bitcoinjs-lib, as its manual has it, with one of two curves.
import { BIP32Factory } from 'bip32';
import { crypto, initEccLib, networks, Psbt } from 'bitcoinjs-lib';

const fingerprint_is = (master, other) => Buffer.compare(master.fingerprint, other) === 0;

// An HDSigner of which a path is derived once.
function keeping(master) {
  const kept = new Map();
  const { publicKey, fingerprint } = master;
  const derivePath = (path) => {
    if (!kept.has(path)) kept.set(path, master.derivePath(path));
    return kept.get(path);
  };
  return { publicKey, fingerprint, derivePath };
}

// signAllInputsHD knows no Taproot: BIP-86 keys are derived and tweaked by its caller.
function sign_taproot(psbt, master) {
  psbt.data.inputs.forEach((input, i) => {
    const ours = input.tapBip32Derivation.find((d) => fingerprint_is(master, d.masterFingerprint));
    const tweak = crypto.taggedHash('TapTweak', input.tapInternalKey);
    psbt.signInput(i, master.derivePath(ours.path).tweak(tweak));
  });
}

function signs_with(master, has_schnorr) {
  return (bytes) => {
    const psbt = Psbt.fromBuffer(bytes, { network: networks.testnet });
    const is_taproot = psbt.data.inputs[0].tapBip32Derivation;
    if (is_taproot && !has_schnorr) throw new Error('this curve has no Schnorr signatures');
    if (is_taproot) sign_taproot(psbt, master);
    else psbt.signAllInputsHD(master);
    return psbt.toBuffer();
  };
}

export async function open(text, curve) {
  const name = curve === 'native' ? './native_curve.mjs' : 'tiny-secp256k1';
  const module = await import(name);
  const ecc = module.default ?? module;
  const has_schnorr = ecc.signSchnorr !== undefined;
  if (has_schnorr) initEccLib(ecc);
  const master = BIP32Factory(ecc).fromBase58(text, networks.testnet);
  return { anew: signs_with(master, has_schnorr), kept: signs_with(keeping(master), has_schnorr) };
}
