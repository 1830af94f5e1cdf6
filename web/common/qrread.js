// common/qrread.js - finding a QR code in a picture, and reading it.
//
// The three finder patterns say where the code is; the timing pattern how many modules it has; the alignment pattern in
// the fourth corner how the picture leans. Source: ISO/IEC 18004.
import {readModules} from "./qrcode.js?v=%TAG%";

const CANDIDATES = 12; // finder patterns that are tried with one another

// --- Dark and light ---

function grey({data, width, height}) {
  const out = new Uint8Array(width * height);
  for (let i = 0; i < out.length; i++) out[i] = (data[4 * i] * 77 + data[4 * i + 1] * 151 + data[4 * i + 2] * 28) >> 8;
  return out;
}

// One threshold for all, that which parts the picture best (Otsu).
function byOne(pixels) {
  const count = new Uint32Array(256);
  for (const p of pixels) count[p]++;
  let sum = 0;
  for (let i = 0; i < 256; i++) sum += i * count[i];
  let below = 0, belowSum = 0, best = -1, threshold = 128;
  for (let i = 0; i < 255; i++) {
    below += count[i];
    belowSum += i * count[i];
    const above = pixels.length - below;
    if (!below || !above) continue;
    const apart = below * above * (belowSum / below - (sum - belowSum) / above) ** 2;
    if (apart > best) [best, threshold] = [apart, i];
  }
  return pixels.map((p) => p <= threshold ? 1 : 0);
}

// Darker than what is around it: for light that falls unevenly.
function byPlace(pixels, width, height) {
  const sums = new Float64Array((width + 1) * (height + 1)), reach = Math.max(width, height) >> 3, out = new Uint8Array(pixels.length);
  for (let y = 0; y < height; y++) for (let x = 0, row = 0; x < width; x++) {
    row += pixels[y * width + x];
    sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
  }
  for (let y = 0; y < height; y++) {
    const top = Math.max(0, y - reach), bottom = Math.min(height, y + reach + 1);
    for (let x = 0; x < width; x++) {
      const left = Math.max(0, x - reach), right = Math.min(width, x + reach + 1);
      const sum = sums[bottom * (width + 1) + right] - sums[top * (width + 1) + right] - sums[bottom * (width + 1) + left] + sums[top * (width + 1) + left];
      out[y * width + x] = pixels[y * width + x] * (bottom - top) * (right - left) < sum * 0.9 ? 1 : 0;
    }
  }
  return out;
}

// --- Finder patterns: dark, light, three dark, light, dark ---

function isFinder(runs) {
  const module = (runs[0] + runs[1] + runs[2] + runs[3] + runs[4]) / 7, off = module * 0.6;
  return module >= 1 && Math.abs(runs[0] - module) < off && Math.abs(runs[1] - module) < off && Math.abs(runs[2] - 3 * module) < 3 * off &&
    Math.abs(runs[3] - module) < off && Math.abs(runs[4] - module) < off;
}

// The five runs through a point, along a row or a column: their middle and length; null: no finder.
function through(image, x, y, dx, dy) {
  const dark = (step) => {
    const px = x + dx * step, py = y + dy * step;
    return px < 0 || py < 0 || px >= image.width || py >= image.height ? -1 : image.bits[py * image.width + px];
  };
  const runs = [0, 0, 0, 0, 0];
  let back = 0, on = 1;
  for (; dark(-back) === 1; back++) runs[2]++;
  let from = back;
  for (; dark(-back) === 0; back++) runs[1]++;
  for (; dark(-back) === 1; back++) runs[0]++;
  for (; dark(on) === 1; on++) runs[2]++;
  const to = on;
  for (; dark(on) === 0; on++) runs[3]++;
  for (; dark(on) === 1; on++) runs[4]++;
  if (!isFinder(runs)) return null;
  return {middle: (to - from) / 2, module: (back + on - 1) / 7};
}

function add(found, x, y, module) {
  const same = found.find((f) => Math.abs(f.x - x) < 2 * module && Math.abs(f.y - y) < 2 * module && f.module < 2 * module && module < 2 * f.module);
  if (!same) {
    found.push({x, y, module, seen: 1});
    return;
  }
  for (const [key, now] of [["x", x], ["y", y], ["module", module]]) same[key] = (same[key] * same.seen + now) / (same.seen + 1);
  same.seen++;
}

function finders(image) {
  const found = [], {width, height, bits} = image;
  for (let y = 0; y < height; y++) {
    let runs = [0, 0, 0, 0, 0], before = 0;
    for (let x = 0; x <= width; x++) {
      const now = x < width ? bits[y * width + x] : 1 - before;
      if (now === before) {
        runs[4]++;
        continue;
      }
      if (before === 1 && isFinder(runs)) {
        const middle = Math.floor(x - runs[4] - runs[3] - runs[2] / 2), down = through(image, middle, y, 0, 1);
        const row = down && Math.round(y + down.middle), across = down && through(image, middle, row, 1, 0);
        if (across) add(found, middle + across.middle, y + down.middle, (down.module + across.module) / 2);
      }
      runs = [runs[1], runs[2], runs[3], runs[4], 1];
      before = now;
    }
  }
  return found.sort((a, b) => b.seen - a.seen).slice(0, CANDIDATES);
}

// Threes that could be the corners of a square, the likeliest first: [corner, right, below].
function corners(found) {
  const out = [];
  const far = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
  for (const a of found) for (const b of found) for (const c of found) {
    if (a === b || b === c || a === c) continue;
    const cross = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x); // of a picture that is not mirrored
    const ab = far(a, b), ac = far(a, c), sizes = [a.module, b.module, c.module];
    if (cross <= 0 || Math.max(...sizes) > 1.6 * Math.min(...sizes) || ab < 8 * a.module || ab > 180 * a.module) continue;
    const lean = Math.abs(ab - ac) / Math.max(ab, ac) + Math.abs((b.x - a.x) * (c.x - a.x) + (b.y - a.y) * (c.y - a.y)) / (ab * ac);
    if (lean < 0.6) out.push({three: [a, b, c], score: lean - 0.02 * Math.min(a.seen, b.seen, c.seen, 10)});
  }
  return out.sort((p, q) => p.score - q.score).slice(0, 4).map((p) => p.three);
}

// --- From the picture's places to modules ---

// Solves for the eight numbers of a projection that takes each `from` to its `to`.
function projection(from, to) {
  const rows = from.flatMap(([u, v], i) => {
    const [x, y] = to[i];
    return [[u, v, 1, 0, 0, 0, -u * x, -v * x, x], [0, 0, 0, u, v, 1, -u * y, -v * y, y]];
  });
  for (let i = 0; i < 8; i++) {
    const pivot = rows.slice(i).reduce((best, row, k) => Math.abs(row[i]) > Math.abs(rows[best][i]) ? i + k : best, i);
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    if (Math.abs(rows[i][i]) < 1e-9) return null;
    for (let k = 0; k < 8; k++) {
      if (k === i) continue;
      const f = rows[k][i] / rows[i][i];
      for (let j = i; j < 9; j++) rows[k][j] -= f * rows[i][j];
    }
  }
  const h = rows.map((row, i) => row[8] / row[i]);
  return (u, v) => {
    const w = h[6] * u + h[7] * v + 1;
    return [(h[0] * u + h[1] * v + h[2]) / w, (h[3] * u + h[4] * v + h[5]) / w];
  };
}

function darkAt(image, place) {
  const x = Math.floor(place[0]), y = Math.floor(place[1]);
  return x < 0 || y < 0 || x >= image.width || y >= image.height ? 0 : image.bits[y * image.width + x];
}

// As if the picture did not lean.
function flat([a, b, c], size) {
  const n = size - 7;
  return (u, v) => [a.x + 0.5 + ((u - 3.5) * (b.x - a.x) + (v - 3.5) * (c.x - a.x)) / n,
    a.y + 0.5 + ((u - 3.5) * (b.y - a.y) + (v - 3.5) * (c.y - a.y)) / n];
}

// How well the timing patterns are there, from 0 to 1.
function timing(image, three, size) {
  const at = flat(three, size);
  let right = 0;
  for (let i = 8; i < size - 8; i++) {
    right += darkAt(image, at(i + 0.5, 6.5)) === (i + 1) % 2;
    right += darkAt(image, at(6.5, i + 0.5)) === (i + 1) % 2;
  }
  return right / (2 * (size - 16));
}

// From the middle of a finder pattern to its edge, 3.5 modules, in the direction of another.
function toEdge(image, from, dx, dy) {
  let now = 1, changes = 0, way = 0;
  for (; changes < 3 && way < 12 * from.module; way += 0.5) {
    const next = darkAt(image, [from.x + 0.5 + dx * way, from.y + 0.5 + dy * way]);
    if (next !== now) changes++;
    now = next;
  }
  return way;
}

// A module's size along the line from one finder pattern to another: a row through a code that is turned crosses them slantwise.
function moduleBetween(image, from, to) {
  const far = Math.hypot(to.x - from.x, to.y - from.y), dx = (to.x - from.x) / far, dy = (to.y - from.y) / far;
  return (toEdge(image, from, dx, dy) + toEdge(image, from, -dx, -dy) + toEdge(image, to, dx, dy) + toEdge(image, to, -dx, -dy)) / 14;
}

// Sizes that it could have, the likeliest first.
function sizes(image, three) {
  const [a, b, c] = three;
  const about = (Math.hypot(a.x - b.x, a.y - b.y) / moduleBetween(image, a, b) + Math.hypot(a.x - c.x, a.y - c.y) / moduleBetween(image, a, c)) / 2 + 7;
  const version = Math.round((about - 17) / 4), reach = 1 + Math.floor(version / 8);
  const out = [];
  for (let v = Math.max(1, version - reach); v <= Math.min(40, version + reach); v++) out.push({size: 17 + 4 * v, score: timing(image, three, 17 + 4 * v)});
  return out.sort((p, q) => q.score - p.score).slice(0, 4).map((p) => p.size);
}

// The middle of the alignment pattern of the fourth corner, near where it should be; null: it is not seen.
function alignment(image, three, size) {
  const at = flat(three, size), reach = 4 + size / 16;
  let best = 20, sum = [0, 0], n = 0;
  for (let dv = -reach; dv <= reach; dv += 0.25) for (let du = -reach; du <= reach; du += 0.25) {
    let right = 0;
    for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++)
      right += darkAt(image, at(size - 6.5 + du + x, size - 6.5 + dv + y)) === (Math.max(Math.abs(x), Math.abs(y)) === 1 ? 0 : 1);
    if (right < best) continue;
    if (right > best) [best, sum, n] = [right, [0, 0], 0];
    const place = at(size - 6.5 + du, size - 6.5 + dv);
    sum = [sum[0] + place[0], sum[1] + place[1]];
    n++;
  }
  return n ? [sum[0] / n, sum[1] / n] : null;
}

function readAt(image, three, size) {
  const fourth = size > 21 ? alignment(image, three, size) : null, [a, b, c] = three.map((f) => [f.x + 0.5, f.y + 0.5]);
  const leaning = fourth && projection([[3.5, 3.5], [size - 3.5, 3.5], [3.5, size - 3.5], [size - 6.5, size - 6.5]], [a, b, c, fourth]);
  for (const at of [leaning, flat(three, size)]) {
    const content = at && readModules(size, (x, y) => darkAt(image, at(x + 0.5, y + 0.5)));
    if (content) return content;
  }
  return null;
}

// The bytes of a QR code in a picture ({data: RGBA, width, height}, as ImageData is); null: none is seen.
export function readPicture(picture) {
  const pixels = grey(picture), {width, height} = picture;
  for (const bits of [byOne(pixels), byPlace(pixels, width, height)]) {
    const image = {bits, width, height};
    for (const three of corners(finders(image))) for (const size of sizes(image, three)) {
      const content = readAt(image, three, size);
      if (content) return content;
    }
  }
  return null;
}
