// bench/others/scure.mjs -- @scure/btc-signer, which is JavaScript throughout.
import { webcrypto } from 'node:crypto';
import { HDKey } from '@scure/bip32';
import { Transaction } from '@scure/btc-signer';

// Schnorr signatures take random bytes from here, which node 18 does not have by itself.
globalThis.crypto ??= webcrypto;

const testnet = { private: 0x04358394, public: 0x043587cf };

// A node of which a child is derived once.
class Keeping {
  constructor(node) {
    this.children = new Map();
    this.fingerprint = node.fingerprint;
    this.publicKey = node.publicKey;
    this.privateKey = node.privateKey;
    this.node = node;
  }
  deriveChild(i) {
    if (!this.children.has(i)) this.children.set(i, new Keeping(this.node.deriveChild(i)));
    return this.children.get(i);
  }
}

function signs_with(master) {
  return (bytes) => {
    // A witness output without its transaction is what W1 to W4 have.
    const tx = Transaction.fromPSBT(bytes, { allowLegacyWitnessUtxo: true });
    tx.sign(master);
    return tx.toPSBT();
  };
}

export async function open(text) {
  const master = HDKey.fromExtendedKey(text, testnet);
  return { anew: signs_with(master), kept: signs_with(new Keeping(master)) };
}
