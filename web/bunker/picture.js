// bunker/picture.js - a transaction as a picture: what goes in, what comes out. The table beside it says the same.
import {address, coins, el, svg} from "../common/dom.js?v=%TAG%";

const WIDTH = 720, HUB = 24, LEAST = 22, GAP = 8, MANY = 12;

// Rows past the first few are drawn as one.
function shorten(rows, what) {
  if (rows.length <= MANY) return rows;
  const rest = rows.slice(MANY - 1);
  const sats = rest.reduce((sum, row) => sum + (row.sats ?? 0), 0);
  return [...rows.slice(0, MANY - 1), {sats, label: `${rest.length} more ${what}`, kind: rest[0].kind}];
}

function heights(rows, total) {
  return rows.map((row) => Math.max(LEAST, Math.round(160 * (row.sats ?? 0) / Math.max(1, total))));
}

function side(rows, total, left, unit) {
  const nodes = [];
  let y = 0;
  heights(rows, total).forEach((height, i) => {
    const row = rows[i], middle = y + height / 2;
    const x = left ? 0 : WIDTH / 2 + HUB / 2;
    const text = `${row.sats === undefined ? "unknown" : coins(row.sats) + " " + unit} ${row.label}`;
    nodes.push(svg("rect", {x, y, width: (WIDTH - HUB) / 2, height, rx: 4, class: row.kind}),
      svg("text", {x: x + 8, y: middle + 4}, text.length > 46 ? text.slice(0, 45) + "…" : text));
    y += height + GAP;
  });
  return [nodes, y];
}

function name(text) {
  return text ? text.slice(0, 10) + "…" + text.slice(-6) : "";
}

export function picture(review) {
  const unit = review.chain;
  const ins = review.inputs.map((i) => ({sats: i.sats, kind: i.own ? "own" : "in",
                                         label: `${i.own ? "ours" : "not ours"} ${name(i.address)}`}));
  const outs = review.outputs.map((o) => ({sats: o.sats, kind: o.claimed_change ? "change" : "out",
                                           label: `${o.claimed_change ? "claimed change" : "to"} ${name(o.address)}`}));
  if (review.fee !== undefined) outs.push({sats: review.fee, kind: "fee", label: "network fee"});
  const total = outs.reduce((sum, row) => sum + row.sats, 0);
  const [left, leftHeight] = side(shorten(ins, "inputs"), total, true, unit);
  const [right, rightHeight] = side(shorten(outs, "outputs"), total, false, unit);
  const height = Math.max(leftHeight, rightHeight);
  return svg("svg", {class: "picture", viewBox: `0 0 ${WIDTH} ${height}`, role: "img",
                     "aria-label": "Flow from inputs to outputs; the tables below say the same"},
    left, svg("rect", {x: WIDTH / 2 - HUB / 2 + 4, y: 0, width: HUB - 8, height: height - GAP, rx: 4, class: "hub"}),
    right);
}

function table(caption, heads, rows) {
  return el("div", {class: "scroll"}, el("table", {class: "stack"}, el("caption", {class: "hint"}, caption),
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", {scope: "col"}, head)))),
    el("tbody", {}, rows)));
}

export function tables(review) {
  const ins = review.inputs.map((i) => el("tr", {},
    el("td", {class: "number"}, i.sats === undefined ? "unknown" : coins(i.sats)),
    el("td", {}, i.own ? "ours" : "not ours"),
    el("td", {}, i.final ? "complete" : `${i.signatures} of ${i.needed || "?"} signatures`),
    el("td", {class: "wide"}, i.address ? address(i.address) : "")));
  const outs = review.outputs.map((o) => el("tr", {}, el("td", {class: "number"}, coins(o.sats)),
    el("td", {}, o.claimed_change ? "claimed change" : "payment"), el("td", {class: "wide"}, address(o.address))));
  return [table(`Inputs, in ${review.chain}`, ["Amount", "Whose", "State", "Address"], ins),
          table(`Outputs, in ${review.chain}`, ["Amount", "What", "Address"], outs)];
}

// What a careful person would ask about.
export function warnings(review) {
  const found = [];
  const paid = review.outputs.filter((o) => !o.claimed_change).reduce((sum, o) => sum + o.sats, 0);
  if (review.fee === undefined) found.push("The fee is unknown: some input does not say what it spends.");
  else if (paid > 0 && review.fee * 20 > paid)
    found.push(`The fee is ${(100 * review.fee / paid).toFixed(1)} % of what is paid.`);
  if (review.inputs.some((i) => !i.own)) found.push("Some inputs are not this device's.");
  if (review.outputs.some((o) => o.sats > 0 && o.sats < 546)) found.push("An output is so small that it is dust.");
  if (review.locktime > 0) found.push(`It is not valid before ${review.locktime < 500000000
    ? "block " + review.locktime : new Date(review.locktime * 1000).toISOString()}.`);
  return found;
}
