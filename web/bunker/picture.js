// bunker/picture.js - a transaction as a picture: what goes in, what comes out. The tables beside it say the same.
import {abbreviate, address, coins, copyButton, el, plural, svg, visible} from "../common/dom.js?v=%TAG%";

const WIDTH = 900, BAR = 14, EDGE = 320, HUB = 26, LEAST = 26, GAP = 12, MANY = 12, ROOM = 220;

// Rows past the first few are drawn as one.
function shorten(rows, what) {
  if (rows.length <= MANY) return rows;
  const rest = rows.slice(MANY - 1);
  const sats = rest.reduce((sum, row) => sum + (row.sats ?? 0), 0);
  return [...rows.slice(0, MANY - 1), {sats, label: `${rest.length} more ${what}`, note: "", kind: rest[0].kind}];
}

// Widths by amount, with a minimum that can still be read.
function place(rows, total) {
  let y = 0;
  return rows.map((row) => {
    const size = Math.max(LEAST, Math.round(ROOM * (row.sats ?? 0) / Math.max(1, total)));
    const at = {...row, y, size};
    y += size + GAP;
    return at;
  });
}

const height = (rows) => rows.reduce((most, row) => Math.max(most, row.y + row.size), 0);

// A band from a bar to its part of the hub in the middle.
function band(x1, y1, size1, x2, y2, size2, kind) {
  const mid = (x1 + x2) / 2;
  return svg("path", {class: `flow ${kind}`, d: `M${x1} ${y1}C${mid} ${y1} ${mid} ${y2} ${x2} ${y2}V${y2 + size2}` +
    `C${mid} ${y2 + size2} ${mid} ${y1 + size1} ${x1} ${y1 + size1}Z`});
}

function side(rows, left, tall, unit) {
  const bar = left ? EDGE - BAR : WIDTH - EDGE, hub = left ? WIDTH / 2 - HUB / 2 : WIDTH / 2 + HUB / 2;
  const total = rows.reduce((sum, row) => sum + row.size, 0) || 1;
  let at = 0;
  return rows.map((row) => {
    const part = tall * row.size / total, middle = row.y + row.size / 2;
    const x = left ? EDGE - BAR - 10 : WIDTH - EDGE + BAR + 10, anchor = left ? "end" : "start";
    const flow = left ? band(EDGE, row.y, row.size, hub, at, part, row.kind)
      : band(WIDTH - EDGE, row.y, row.size, hub, at, part, row.kind);
    at += part;
    const amount = row.sats === undefined ? "unknown amount" : `${coins(row.sats)} ${unit}`;
    return [flow, svg("rect", {class: `bar ${row.kind}`, x: bar, y: row.y, width: BAR, height: row.size, rx: 3}),
      svg("text", {x, y: middle - (row.size > 40 ? 3 : -5), "text-anchor": anchor},
        row.size > 40 ? amount : `${amount} · ${row.label}`),
      row.size > 40 ? svg("text", {class: "soft", x, y: middle + 17, "text-anchor": anchor},
        row.note ? `${row.label} · ${row.note}` : row.label) : null];
  });
}

const name = (row) => row.address ? abbreviate(visible(row.address), 8) : row.type ?? "";

export function picture(review) {
  const unit = review.chain;
  const ins = review.inputs.map((i) => ({sats: i.sats, kind: i.own ? "own" : "in", label: i.own ? "this device's" : "not this device's",
                                         note: name(i)}));
  const outs = review.outputs.map((o) => ({sats: o.sats, kind: o.claimed_change ? "change" : "out",
                                           label: o.claimed_change ? "claimed change" : "to", note: name(o)}));
  outs.forEach((o) => { if (o.kind === "out") { o.label = o.note || "to nobody"; o.note = ""; } });
  if (review.fee !== undefined) outs.push({sats: review.fee, kind: "fee", label: "network fee", note: ""});
  const total = outs.reduce((sum, row) => sum + row.sats, 0);
  const left = place(shorten(ins, "inputs"), total), right = place(shorten(outs, "outputs"), total);
  const tall = Math.max(height(left), height(right));
  return svg("svg", {class: "picture", viewBox: `0 -4 ${WIDTH} ${tall + 8}`, role: "img",
                     "aria-label": `Flow of ${plural(review.inputs.length, "input")} to ${plural(review.outputs.length, "output")}; ` +
                       "the tables below say the same"},
    side(left, true, tall, unit), side(right, false, tall, unit),
    svg("rect", {class: "hub", x: WIDTH / 2 - HUB / 2, y: 0, width: HUB, height: tall, rx: 5}));
}

// --- The same as tables ---

function table(caption, heads, rows) {
  return el("div", {class: "scroll"}, el("table", {class: "stack"}, el("caption", {class: "hint"}, caption),
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", {scope: "col"}, head)))),
    el("tbody", {}, rows)));
}

const place4 = (row, what) => row.address ? [address(row.address), " ", copyButton(row.address, `address of ${what}`)] : "";

function state(i) {
  if (i.final) return "complete";
  return i.needed ? `${i.signatures} of ${i.needed} ${i.needed === 1 ? "signature" : "signatures"}` : `${plural(i.signatures, "signature")}`;
}

export function tables(review) {
  const ins = review.inputs.map((i, n) => el("tr", {},
    el("td", {class: "number"}, i.sats === undefined ? "unknown" : coins(i.sats)),
    el("td", {}, i.own ? "this device's" : "not this device's"),
    el("td", {}, state(i)), el("td", {}, i.type ?? ""),
    el("td", {class: "wide"}, place4(i, `input ${n + 1}`))));
  const outs = review.outputs.map((o, n) => el("tr", {}, el("td", {class: "number"}, coins(o.sats)),
    el("td", {}, o.claimed_change ? "claimed change" : "payment"), el("td", {}, o.type),
    el("td", {class: "wide"}, place4(o, `output ${n + 1}`))));
  return [table(`Inputs, in ${review.chain}`, ["Amount", "Whose", "State", "Kind", "Address"], ins),
          table(`Outputs, in ${review.chain}`, ["Amount", "What", "Kind", "Address"], outs)];
}
