// bench/others/worker.mjs -- signs PSBTs with one of the libraries, as often as it is told to.
//
// usage: node worker.mjs PEER MASTER    PEER: bitcoinjs-native, bitcoinjs-wasm, scure or wally;
//                                       MASTER: an extended private key
// Speaks what bench/peers speaks: one line of JSON for each that it reads.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const modules = {
  'bitcoinjs-native': './bitcoinjs.mjs',
  'bitcoinjs-wasm': './bitcoinjs.mjs',
  scure: './scure.mjs',
  wally: './wally.mjs',
};

const [peer, master] = process.argv.slice(2);
const { open } = await import(modules[peer]);
// {anew, kept}: functions from the bytes of a PSBT to those of the signed one. anew: each key is derived
// from the master; kept: keys of earlier calls are there.
const signers = await open(master, peer.split('-')[1]);
const files = new Map();

function content(path) {
  if (!files.has(path)) files.set(path, new Uint8Array(readFileSync(path)));
  return files.get(path);
}

function answer({ file, keys, times }) {
  const psbt = content(file);
  let signed;
  const cpu = process.cpuUsage();
  const begin = process.hrtime.bigint();
  for (let i = 0; i < times; i++) signed = signers[keys](psbt);
  const clock_us = Number(process.hrtime.bigint() - begin) / 1e3;
  const { user, system } = process.cpuUsage(cpu);
  return { clock_us, cpu_us: user + system, signed: Buffer.from(signed).toString('base64') };
}

const say = (object) => process.stdout.write(JSON.stringify(object) + '\n');
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(answer(JSON.parse(line)));
  } catch (error) {
    say({ error: String(error.message) });
  }
}
