// bunker/review.js - what a careful person would ask about a transaction, before the device is asked.
import {coins, el, plural} from "../common/dom.js?v=%TAG%";

// Virtual bytes of a signed input of that kind; of a multisig, by its signatures.
const INPUT = {p2wpkh: 68, p2tr: 57.5, p2pkh: 148, p2pk: 114, p2sh: 91, p2wsh: 41};
const MULTISIG = 73 / 4, SCRIPT = 105 / 4;

// About: signatures vary by a byte or two.
export function size(review) {
  const ins = review.inputs.reduce((sum, i) => sum + (INPUT[i.type] ?? 68) +
    (i.type === "p2wsh" ? SCRIPT + MULTISIG * Math.max(1, i.needed) : 0), 0);
  return Math.ceil(10.5 + ins + review.outputs.reduce((sum, o) => sum + 9 + o.script_len, 0));
}

export function totals(review) {
  const payments = review.outputs.filter((o) => !o.claimed_change);
  const sum = (rows) => rows.reduce((all, row) => all + row.sats, 0);
  return {paid: sum(payments), n: payments.length, change: sum(review.outputs) - sum(payments), fee: review.fee};
}

export function headline(review) {
  const t = totals(review), unit = review.chain;
  const amount = (sats) => [coins(sats), " ", el("span", {class: "unit"}, unit)];
  const rate = t.fee === undefined ? "" : `about ${(t.fee / size(review)).toFixed(1)} sat/vB` +
    (t.paid > 0 ? `, ${(100 * t.fee / t.paid).toFixed(2)} % of what is paid` : "");
  return el("dl", {class: "trio"},
    el("div", {class: "out"}, el("dt", {}, t.n === 0 ? "Pays nobody else" : `Pays ${plural(t.n, "destination")}`),
      el("dd", {class: "big"}, amount(t.paid))),
    el("div", {class: "change"}, el("dt", {}, "Comes back (claimed)"), el("dd", {class: "big"}, amount(t.change))),
    el("div", {class: "fee"}, el("dt", {}, "Network fee"),
      el("dd", {}, el("span", {class: "big"}, t.fee === undefined ? "unknown" : amount(t.fee)), el("br"), el("span", {class: "hint"}, rate))));
}

const SIGHASHES = {2: "NONE", 3: "SINGLE", 0x81: "ALL|ANYONECANPAY", 0x82: "NONE|ANYONECANPAY", 0x83: "SINGLE|ANYONECANPAY"};

function when(locktime) {
  return locktime < 500000000 ? `block ${locktime}` : new Date(locktime * 1000).toISOString();
}

// [kind, text]: "" is worth a look, "info" good to know.
export function warnings(review, again) {
  const t = totals(review), found = [];
  const add = (text, kind = "") => found.push([kind, text]);
  if (again) add("A transaction with this very hash was signed here before.");
  if (t.fee === undefined) add("The fee is unknown: some input does not say what it spends.");
  else if (t.paid > 0 && t.fee * 20 > t.paid) add(`The fee is ${(100 * t.fee / t.paid).toFixed(1)} % of what is paid.`);
  const foreign = review.inputs.filter((i) => !i.own).length;
  if (foreign > 0) add(`${plural(foreign, "input is", "inputs are")} not this device's.`);
  const kinds = new Set(review.inputs.filter((i) => i.own).map((i) => i.type));
  if (review.outputs.some((o) => o.claimed_change && kinds.size > 0 && !kinds.has(o.type)))
    add("What is claimed as change goes to another kind of script than the inputs come from.");
  for (const type of new Set(review.inputs.map((i) => i.sighash).filter(Boolean)))
    add(`An input asks for an unusual kind of signature: ${SIGHASHES[type] ?? `type ${type}`}. Parts of the transaction could still be changed.`);
  if (review.outputs.some((o) => o.sats > 0 && o.sats < 546)) add("An output is so small that it is dust: the network may not relay it.");
  if (review.outputs.some((o) => o.sats > 0 && o.type === "op_return")) add("An output burns coins: it goes to data, not to an address.");
  if (review.locktime > 0) add(`It is not valid before ${when(review.locktime)}.`, "info");
  if (review.rbf) add("It can be replaced by one with a higher fee until it is confirmed.", "info");
  return found;
}

// --- Whether the device's words and this reading agree ---

// The device's text has "Sending <amount>", the fee, and for each output its amount and address.
export function disagreements(review, preview) {
  const found = [], plain = preview.replace(/\s/g, "");
  for (const o of review.outputs.filter((row) => !row.claimed_change && row.address && row.type !== "unknown" && row.type !== "op_return"))
    if (review.outputs.length <= 10 && !plain.includes(o.address)) found.push(`The device does not name the destination ${o.address}.`);
  const fee = preview.match(/Network fee (\d+)(?:\.(\d{1,8}))?/);
  if (fee && review.fee !== undefined) {
    const said = Number(fee[1]) * 1e8 + Number((fee[2] ?? "").padEnd(8, "0"));
    if (said !== review.fee) found.push(`The device says a fee of ${coins(said)}, this reading ${coins(review.fee)}.`);
  }
  return found;
}
