// bunker/rule.js - one rule of the policy editor.
import {check, el, field, newId, plural, quote, select, show, visible} from "../common/dom.js?v=%TAG%";

export const RULE_KEYS = ["whitelist", "whitelist_opts", "per_period", "max_amount", "users", "min_users", "local_conf", "wallet",
  "min_pct_self_transfer", "patterns", "casemate"];
const PATTERNS = [["EQ_NUM_INS_OUTS", "As many inputs as outputs"], ["EQ_NUM_OWN_INS_OUTS", "As many own inputs as own outputs"],
  ["EQ_OUT_AMOUNTS", "All outputs of the same amount"]];
const MODES = [["BASIC", "must be one of these"], ["ATTEST", "must be attested by one of these"]];

export const words = (text) => String(text ?? "").split(/[\s,;]+/).filter(Boolean);

// Amounts are coins in the form; the editor can show them as satoshi. What is no amount stays as it was typed: the bunker
// says what is wrong with it.
export function fromCoins(text, unit) {
  const found = unit === "sat" && /^(\d+)(?:\.(\d{1,8}))?$/.exec(String(text ?? "").trim());
  return found ? String(BigInt(found[1]) * 100000000n + BigInt((found[2] ?? "").padEnd(8, "0"))) : text ?? "";
}
export function toCoins(text, unit) {
  if (unit !== "sat" || !/^\d+$/.test(text.trim())) return text.trim();
  const digits = text.trim().padStart(9, "0");
  return `${BigInt(digits.slice(0, -8))}.${digits.slice(-8)}`;
}

const short = (coins) => coins.includes(".") ? coins.replace(/\.?0+$/, "") : coins;

// "up to 0.1 per transaction, to 2 addresses, approved by alice"
export function describe(rule) {
  const parts = [], to = words(rule.whitelist), users = words(rule.users);
  if (rule.max_amount) parts.push(`up to ${short(rule.max_amount)} per transaction`);
  if (rule.per_period) parts.push(`up to ${short(rule.per_period)} per period`);
  if (to.length) parts.push(`to ${plural(to.length, "address", "addresses")}`);
  if (rule.wallet) parts.push(rule.wallet === "1" ? "from single-signature keys" : `from ${rule.wallet}`);
  if (users.length) parts.push(`with ${rule.min_users === "all" || +rule.min_users === users.length ? "approval of" : `${rule.min_users} of`} ${users.join(", ")}`);
  if (rule.local_conf) parts.push("with a local code");
  if (rule.min_pct_self_transfer) parts.push(`if ${rule.min_pct_self_transfer} % comes back`);
  if (rule.casemate) parts.push("with extensions");
  return parts.join(", ") || "anything";
}

function input(value, more = {}) {
  const node = el("input", {autocomplete: "off", spellcheck: "false", ...more});
  node.value = value ?? "";
  return node;
}

// world: {unit, users: names on the device, wallets}. Gives {node, value(), mark(field)}.
export function ruleEditor(rule, number, world, moves, changed) {
  const extra = Object.fromEntries(Object.entries(rule).filter(([key]) => !RULE_KEYS.includes(key)));
  const max = input(fromCoins(rule.max_amount, world.unit), {inputmode: "decimal"});
  const period = input(fromCoins(rule.per_period, world.unit), {inputmode: "decimal"});
  const users = input(rule.users), wallet = input(rule.wallet, {list: "wallets"});
  const least = input(rule.min_users ?? "all", {list: "least"});
  const list = el("textarea", {spellcheck: "false"});
  list.value = words(rule.whitelist).join("\n");
  const [localLabel, local] = check("Somebody types the local code on the device", Boolean(rule.local_conf));
  const opts = rule.whitelist_opts;
  const mode = select(MODES, opts?.mode?.toUpperCase?.() === "ATTEST" ? "ATTEST" : "BASIC");
  const [zeroLabel, zero] = check("Outputs of no value may go anywhere", Boolean(opts?.allow_zeroval_outs));
  const percent = input(rule.min_pct_self_transfer, {inputmode: "decimal"});
  const patterns = PATTERNS.map(([key, label]) => [key, ...check(label, words(rule.patterns).includes(key))]);
  const casemate = el("textarea", {spellcheck: "false"});
  casemate.value = rule.casemate ? JSON.stringify(rule.casemate, null, 2) : "";

  function options() {
    if (mode.value === "BASIC" && !zero.checked) return opts && list.value.trim() ? opts : undefined;
    return {mode: mode.value, ...(zero.checked ? {allow_zeroval_outs: true} : {})};
  }
  function extension() {
    if (!casemate.value.trim()) return undefined;
    try {
      casemate.removeAttribute("aria-invalid");
      return JSON.parse(casemate.value);
    } catch {
      casemate.setAttribute("aria-invalid", "true");
      return casemate.value;
    }
  }
  const number8 = (text) => /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  const value = () => {
    const out = {...extra, whitelist: list.value, users: users.value, min_users: least.value.trim() || "all",
      max_amount: toCoins(max.value, world.unit) || null, per_period: toCoins(period.value, world.unit) || null,
      wallet: wallet.value.trim() || null, whitelist_opts: options(), casemate: extension(),
      min_pct_self_transfer: percent.value.trim() ? number8(percent.value.trim()) : undefined,
      patterns: patterns.filter(([, , box]) => box.checked).map(([key]) => key).join(",")};
    if (local.checked) out.local_conf = true;
    return out;
  };

  const say = el("span"), title = el("summary", {}, el("b", {}, `Rule #${number}`), " ", say);
  const everything = el("p", {class: "note hidden"}, "This rule allows everything, and no rule after it is ever reached.");
  const change = el("p", {class: "note info hidden"}, "Change need not be listed: the device tells it by its own keys.");
  const known = world.users.length ? ` On the device: ${world.users.map(visible).join(", ")}.` : "";
  const node = el("details", {class: "rule", open: true}, title, everything,
    el("div", {class: "pairs"}, field(`Most in one transaction, in ${world.unitName}`, max, "Empty: no such limit."),
      field(`Most in a period, in ${world.unitName}`, period, "Needs a period, above.")),
    field("Only to these addresses", list, "One on a line, or separated by blanks or commas. Empty: to anybody."), change,
    el("div", {class: "pairs"}, field("Users who approve", users, "Names, separated by commas." + known),
      field("How many of them", least, "A number, or all.")),
    localLabel,
    el("details", {open: Boolean(rule.wallet || opts || rule.min_pct_self_transfer || words(rule.patterns).length || rule.casemate)},
      el("summary", {}, "More conditions"),
      el("div", {class: "pairs"}, field("Wallet", wallet, "Name of a multisig wallet on the device; 1 means single signatures only."),
        field("Least share that comes back, in percent", percent, "Of the device's own inputs. Needs recent firmware.")),
      el("div", {class: "pairs"}, field("An address", mode), zeroLabel), patterns.map(([, label]) => label),
      field("Extensions of Casemate's signer, as JSON", casemate, "Destinations by descriptor, fee limits, sliding windows. Other devices refuse them.")),
    el("div", {class: "row"}, moves));

  function judge() {
    const now = value();
    const text = describe(now);
    say.replaceChildren(quote(text));
    show(everything, text === "anything");
    show(change, words(now.whitelist).length > 0);
  }
  node.addEventListener("input", () => { judge(); changed(); });
  judge();
  const fields = {max_amount: max, per_period: period, whitelist: list, users, min_users: least, wallet};
  return {node, value, title,
    mark(name) {
      for (const [key, control] of Object.entries(fields)) control.toggleAttribute("aria-invalid", false);
      if (name && fields[name]) {
        node.open = true;
        fields[name].setAttribute("aria-invalid", "true");
      }
    }};
}
