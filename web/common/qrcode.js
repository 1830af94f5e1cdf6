// common/qrcode.js - what a QR code says, from its modules: format, error correction, segments.
// Source: ISO/IEC 18004.

// Of each version from 1, for the levels L, M, Q, H.
const PER_BLOCK = [
  [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
  [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  [13, 22, 18, 26, 18, 24, 18, 22, 20, 24, 28, 26, 24, 20, 30, 24, 28, 28, 26, 30, 28, 30, 30, 30, 30, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
  [17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28, 30, 24, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
];
const BLOCKS = [
  [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25],
  [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49],
  [1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20, 23, 23, 25, 27, 29, 34, 34, 35, 38, 40, 43, 45, 48, 51, 53, 56, 59, 62, 65, 68],
  [1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25, 25, 34, 30, 32, 35, 37, 40, 42, 45, 48, 51, 54, 57, 60, 63, 66, 70, 74, 77, 81],
];
const LEVEL_BITS = [1, 0, 3, 2]; // as the format information numbers them
const MASKS = [
  (x, y) => (x + y) % 2, (x, y) => y % 2, (x) => x % 3, (x, y) => (x + y) % 3, (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2,
  (x, y) => x * y % 2 + x * y % 3, (x, y) => (x * y % 2 + x * y % 3) % 2, (x, y) => ((x + y) % 2 + x * y % 3) % 2,
];
const ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

// --- Where nothing is written ---

function alignments(version) {
  if (version === 1) return [];
  const n = Math.floor(version / 7) + 2, size = version * 4 + 17;
  const step = version === 32 ? 26 : Math.ceil((version * 4 + 4) / (n * 2 - 2)) * 2;
  return [6, ...Array.from({length: n - 1}, (_, i) => size - 7 - step * (n - 2 - i))];
}

function reserved(version) {
  const size = version * 4 + 17, taken = new Uint8Array(size * size);
  const box = (left, top, width, height) => {
    for (let y = top; y < top + height; y++) for (let x = left; x < left + width; x++) taken[y * size + x] = 1;
  };
  box(0, 0, 9, 9);
  box(size - 8, 0, 8, 9);
  box(0, size - 8, 9, 8);
  box(6, 0, 1, size);
  box(0, 6, size, 1);
  const at = alignments(version), last = at.length - 1;
  at.forEach((y, i) => at.forEach((x, k) => {
    if (!((i === 0 && (k === 0 || k === last)) || (i === last && k === 0))) box(x - 2, y - 2, 5, 5);
  }));
  if (version >= 7) {
    box(size - 11, 0, 3, 6);
    box(0, size - 11, 6, 3);
  }
  return taken;
}

// --- Which level and mask: 15 bits, twice, of which 3 may be wrong ---

function formatBits(level, mask) {
  const data = LEVEL_BITS[level] << 3 | mask;
  let rest = data;
  for (let i = 0; i < 10; i++) rest = rest << 1 ^ (rest >>> 9) * 0x537;
  return (data << 10 | rest) ^ 0x5412;
}

function ones(n) {
  let count = 0;
  for (; n; n &= n - 1) count++;
  return count;
}

function readFormat(size, dark) {
  let first = 0, second = 0;
  for (let i = 0; i < 15; i++) {
    const [x, y] = i < 6 ? [8, i] : i < 8 ? [8, i + 1] : i === 8 ? [7, 8] : [14 - i, 8];
    first |= dark(x, y) << i;
    second |= (i < 8 ? dark(size - 1 - i, 8) : dark(8, size - 15 + i)) << i;
  }
  let best = null;
  for (let level = 0; level < 4; level++) for (let mask = 0; mask < 8; mask++) {
    const bits = formatBits(level, mask), wrong = Math.min(ones(bits ^ first), ones(bits ^ second));
    if (wrong <= 3 && (!best || wrong < best.wrong)) best = {level, mask, wrong};
  }
  return best;
}

// --- Reed-Solomon over GF(256), modulo x^8 + x^4 + x^3 + x^2 + 1 ---

const EXP = new Uint8Array(512), LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++) {
  EXP[i] = EXP[i + 255] = x;
  LOG[x] = i;
  x <<= 1;
  if (x & 256) x ^= 0x11d;
}
const times = (a, b) => a && b ? EXP[LOG[a] + LOG[b]] : 0;
const over = (a, b) => a ? EXP[LOG[a] + 255 - LOG[b]] : 0;
const value = (p, x) => p.reduceRight((sum, c) => times(sum, x) ^ c, 0); // lowest first

function syndromes(block, n) {
  return Array.from({length: n}, (_, i) => block.reduce((sum, c) => times(sum, EXP[i]) ^ c, 0));
}

// Berlekamp and Massey: the polynomial whose roots say where the errors are; null: there are too many.
function locator(found) {
  let now = [1], before = [1], errors = 0, shift = 1, scale = 1;
  for (let n = 0; n < found.length; n++) {
    let off = found[n];
    for (let i = 1; i <= errors; i++) off ^= times(now[i] ?? 0, found[n - i]);
    if (!off) {
      shift++;
      continue;
    }
    const next = Array.from({length: Math.max(now.length, before.length + shift)}, (_, i) =>
      (now[i] ?? 0) ^ times(over(off, scale), before[i - shift] ?? 0));
    if (2 * errors <= n) [errors, before, scale, shift] = [n + 1 - errors, now, off, 1];
    else shift++;
    now = next;
  }
  return 2 * errors <= found.length ? {polynomial: now.slice(0, errors + 1), errors} : null;
}

// Mends the block in place. False: it cannot be.
function correct(block, n) {
  const found = syndromes(block, n);
  if (found.every((s) => s === 0)) return true;
  const where = locator(found);
  if (!where) return false;
  const p = where.polynomial;
  const omega = found.map((_, i) => p.reduce((sum, c, k) => k <= i ? sum ^ times(c, found[i - k]) : sum, 0));
  const slope = p.map((c, i) => i % 2 ? c : 0).slice(1); // the derivative: even powers vanish
  let mended = 0;
  for (let power = 0; power < block.length; power++) {
    const x = EXP[255 - power % 255];
    if (value(p, x)) continue;
    const under = value(slope, x);
    if (!under) return false;
    block[block.length - 1 - power] ^= times(EXP[power % 255], over(value(omega, x), under));
    mended++;
  }
  return mended === where.errors && syndromes(block, n).every((s) => s === 0);
}

// --- From modules to bytes ---

function codewords(version, dark, mask) {
  const size = version * 4 + 17, taken = reserved(version), out = [];
  let byte = 0, n = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let i = 0; i < size; i++) for (let x = right; x > right - 2; x--) {
      const y = (right + 1 & 2) === 0 ? size - 1 - i : i;
      if (taken[y * size + x]) continue;
      byte = byte << 1 | dark(x, y) ^ (MASKS[mask](x, y) === 0 ? 1 : 0);
      if (++n % 8 === 0) {
        out.push(byte & 255);
        byte = 0;
      }
    }
  }
  return out;
}

// The data of all blocks, corrected; null: too much is wrong.
function dataOf(words, version, level) {
  const n = BLOCKS[level][version - 1], checks = PER_BLOCK[level][version - 1];
  const short = n - words.length % n, least = Math.floor(words.length / n) - checks;
  const blocks = Array.from({length: n}, () => []);
  let at = 0;
  for (let i = 0; i <= least; i++) for (let b = 0; b < n; b++) if (i < least || b >= short) blocks[b].push(words[at++]);
  for (let i = 0; i < checks; i++) for (let b = 0; b < n; b++) blocks[b].push(words[at++]);
  if (!blocks.every((block) => correct(block, checks))) return null;
  return blocks.flatMap((block) => block.slice(0, block.length - checks));
}

class Bits {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  get left() { return this.bytes.length * 8 - this.at; }
  take(n) {
    if (n > this.left) throw new RangeError("the code ends early");
    let out = 0;
    for (let i = 0; i < n; i++, this.at++) out = out << 1 | this.bytes[this.at >> 3] >> 7 - (this.at & 7) & 1;
    return out;
  }
}

const ascii = (text) => [...text].map((c) => c.charCodeAt(0));

function numeric(bits, n) {
  const out = [];
  for (; n > 0; n -= 3) {
    const digits = Math.min(n, 3), number = bits.take([0, 4, 7, 10][digits]);
    if (number >= 10 ** digits) throw new RangeError("no digits");
    out.push(...ascii(String(number).padStart(digits, "0")));
  }
  return out;
}

function alphanumeric(bits, n) {
  const out = [];
  for (; n > 0; n -= 2) {
    const pair = bits.take(n > 1 ? 11 : 6), text = n > 1 ? ALPHANUMERIC[Math.floor(pair / 45)] + ALPHANUMERIC[pair % 45] : ALPHANUMERIC[pair];
    if (pair >= (n > 1 ? 2025 : 45)) throw new RangeError("no letters");
    out.push(...ascii(text));
  }
  return out;
}

// Segments of digits, letters and bytes. Kanji, and codes that are parts of one another, are not read.
function segments(data, version) {
  const bits = new Bits(data), group = version < 10 ? 0 : version < 27 ? 1 : 2, out = [];
  while (bits.left >= 4) {
    const mode = bits.take(4);
    if (mode === 0) break;
    if (mode === 1) out.push(...numeric(bits, bits.take([10, 12, 14][group])));
    else if (mode === 2) out.push(...alphanumeric(bits, bits.take([9, 11, 13][group])));
    else if (mode === 4) for (let n = bits.take(group ? 16 : 8); n > 0; n--) out.push(bits.take(8));
    else if (mode === 7) for (let more = bits.take(8); more & 128 && bits.left >= 8; more <<= 1) bits.take(8); // a character set: bytes stay bytes
    else return null;
  }
  return Uint8Array.from(out);
}

// size: modules a side. dark(x, y): 1 or 0. The content in bytes, or null if it is no code that can be read.
export function readModules(size, dark) {
  const version = (size - 17) / 4, format = Number.isInteger(version) && version >= 1 && version <= 40 ? readFormat(size, dark) : null;
  if (!format) return null;
  const data = dataOf(codewords(version, dark, format.mask), version, format.level);
  try {
    return data && segments(data, version);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
