// bunker/bbqr.js - a PSBT from QR codes: one that holds it whole, or a series of BBQr codes in any order.
// Source: the BBQr specification.

const LIMIT = 2097152; // of a PSBT
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const TYPES = {T: "a transaction", J: "JSON", C: "CBOR", U: "text", X: "a program"};

function hex(text) {
  if (!/^([0-9A-F]{2})+$/.test(text)) return null;
  return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}

function base32(text) {
  const out = [];
  let bits = 0, n = 0;
  for (const c of text) {
    const digit = BASE32.indexOf(c);
    if (digit < 0) return null;
    bits = (bits << 5 | digit) & 0xfff;
    n += 5;
    if (n >= 8) out.push(bits >> (n -= 8) & 255);
  }
  return n < 5 && (bits & (1 << n) - 1) === 0 ? Uint8Array.from(out) : null;
}

// No more than a PSBT may have, however small it was packed.
async function inflate(packed) {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const pieces = [];
  for (let length = 0;;) {
    const {done, value} = await reader.read();
    if (done) return new Uint8Array(await new Blob(pieces).arrayBuffer());
    length += value.length;
    if (length > LIMIT) throw new RangeError("too large");
    pieces.push(value);
  }
}

const latin = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

// What is not a PSBT at all, in words; null: it may be one. The bunker itself reads the three forms.
function whyNot(bytes, text) {
  if (/^ur:/i.test(text)) return "This is a UR code, which is not read here. Let the other program show BBQr codes, or take the file.";
  if (text.startsWith("psbt\u00ff") || text.startsWith("cHNidP") || /^70736274ff/i.test(text)) return null;
  return "This QR code holds no PSBT.";
}

export class Codes {
  constructor() {
    this.parts = [];
    this.have = 0;
  }

  get total() { return this.parts.length; }

  // Takes the bytes of a code. {psbt}: it is complete; {error}: it is something else; else have of total are there.
  async add(bytes) {
    const text = latin(bytes), part = /^B\$([H2Z])([A-Z])([0-9A-Z]{2})([0-9A-Z]{2})([0-9A-Z]+)$/.exec(text);
    if (!part) {
      const error = text.startsWith("B$") ? "This BBQr code cannot be read." : whyNot(bytes, text);
      return error ? {error} : {psbt: bytes};
    }
    const [, encoding, type] = part, total = parseInt(part[3], 36), index = parseInt(part[4], 36), series = encoding + type + part[3];
    if (type !== "P") return {error: `This holds ${TYPES[type] ?? "another kind of file"}, not a PSBT.`};
    if (index >= total) return {error: "This BBQr code cannot be read."};
    if (series !== this.series) { // another file, from its beginning
      this.series = series;
      this.parts = Array(total).fill(null);
      this.have = 0;
    }
    const content = encoding === "H" ? hex(part[5]) : base32(part[5]);
    if (!content) return {error: "This BBQr code cannot be read."};
    if (!this.parts[index]) this.have++;
    this.parts[index] = content; // the newest: a series of the same shape may have taken its place
    if (this.have < total) return {};
    return this.whole(encoding);
  }

  async whole(encoding) {
    const length = this.parts.reduce((sum, part) => sum + part.length, 0), all = new Uint8Array(length);
    this.parts.reduce((at, part) => {
      all.set(part, at);
      return at + part.length;
    }, 0);
    this.series = null;
    try {
      const psbt = encoding === "Z" ? await inflate(all) : all;
      return psbt.length > LIMIT ? {error: "The PSBT is too large."} : {psbt};
    } catch {
      return {error: "The codes together cannot be read. Scan them again."};
    }
  }
}
