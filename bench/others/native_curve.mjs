// bench/others/native_curve.mjs -- the package secp256k1, which is libsecp256k1 in machine code, with the
// interface that bip32 and bitcoinjs-lib ask for. It has no Schnorr signatures.
import { createRequire } from 'node:module';

// Not `secp256k1` itself: where there is no machine code for this machine, that is slow JavaScript.
const curve = createRequire(import.meta.url)('secp256k1/bindings.js');

const is_point = (p) => (p.length === 33 || p.length === 65) && curve.publicKeyVerify(p);

function or_null(call) {
  try {
    return call();
  } catch {
    return null;
  }
}

export default {
  isPoint: is_point,
  isPrivate: (d) => d.length === 32 && curve.privateKeyVerify(d),
  pointFromScalar: (d, compressed = true) => or_null(() => curve.publicKeyCreate(d, compressed)),
  pointAddScalar: (p, tweak, compressed = true) =>
    or_null(() => curve.publicKeyTweakAdd(p, tweak, compressed)),
  // These two change their argument in place.
  privateAdd: (d, tweak) => or_null(() => curve.privateKeyTweakAdd(Uint8Array.from(d), tweak)),
  privateNegate: (d) => curve.privateKeyNegate(Uint8Array.from(d)),
  sign: (h, d, extra) => curve.ecdsaSign(h, d, extra === undefined ? {} : { data: extra }).signature,
  verify: (h, p, signature) => curve.ecdsaVerify(signature, h, p),
};
