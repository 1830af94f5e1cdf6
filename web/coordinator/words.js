// coordinator/words.js - states and codes of the API in plain words, and how amounts and times are shown.
import {coins, el, quote, visible} from "../common/dom.js?v=%TAG%";

// [kind of chip, label, what it means]
export const SPENDS = {
  received: ["", "Received", "Nothing is charged yet."],
  awaiting_approval: ["warn", "Waits for approval", "Somebody else has to agree."],
  reserved: ["", "Charged", "The cap is charged; the transaction is being built."],
  built: ["", "Built", "The transaction is stored; signers are asked next."],
  signing: ["", "Signing", "Signers are asked, one after the other."],
  signed: ["", "Signed", "The final transaction is stored and goes to the node."],
  parked: ["warn", "Parked", "It cannot go on now, but could still be completed: its amount stays charged."],
  sent: ["good", "Sent", "In the mempool; it waits for a block."],
  voiding: ["warn", "Being taken back", "A payment to the wallet itself is on its way in its place."],
  confirmed: ["good", "Confirmed", "In a block."],
  settled: ["good", "Settled", "Deep enough in the chain to count as final."],
  rejected: ["bad", "Rejected", "Nothing was charged, no signer was asked."],
  expired: ["bad", "Expired", "Its time was over before anything was charged."],
  failed: ["bad", "Failed", "It ended before a signer was asked."],
  cancelled: ["", "Cancelled", "Somebody cancelled it before a signer was asked."],
  refused: ["bad", "Refused", "A signer said no, or too few signed. Nothing was sent."],
  void: ["", "Void", "It can never confirm: its coins were spent otherwise."],
};
export const ENDED = ["settled", "rejected", "expired", "failed", "cancelled", "refused", "void"];
// The seed's five steps, by the state that has reached them.
export const STEPS = ["Build", "Fan out", "Sign", "Combine", "Broadcast"];
export const STEP_OF = {received: 0, awaiting_approval: 0, reserved: 0, built: 1, signing: 2, parked: 2, signed: 4,
  sent: 5, voiding: 5, confirmed: 5, settled: 5};

export const SIGNERS = {
  new: ["bad", "Never reached"], reachable: ["warn", "Reachable"], registered: ["warn", "Wallet registered"],
  enrolled: ["warn", "User enrolled"], loaded: ["warn", "Waits at its panel"], active: ["warn", "Active, not checked"],
  verified: ["good", "Ready"], drift: ["bad", "Differs"], draining: ["warn", "Draining"], out: ["", "Taken out"],
};

export const CODES = {
  velocity_exceeded: "The window's cap has no room for it.",
  fee_velocity_exceeded: "The window's cap for fees has no room for it.",
  surge_required: "It needs the surge tier, with a code.",
  code_invalid: "The code is missing or wrong.",
  quorum_lost: "Too few signers are ready.",
  signer_refused: "A signer refused.",
  insufficient_funds: "The wallet has not enough.",
  coins_busy: "Coins are in use or wait for a block.",
  fee_too_high: "The fee would be above its limit.",
  preflight_failed: "A signer would refuse it.",
  destination_not_allowed: "The destination is not on the list.",
  ledger_stale: "The chain was not looked at for too long.",
  recovering: "The wallet waits for one window after a lost ledger.",
  frozen: "The wallet is frozen.",
  expired: "Its time is over.",
  node_unavailable: "No node answers.",
  conflict: "Something else happened meanwhile.",
  forbidden: "You may not do that.",
};

export const CHANGES = {
  caps: "Caps", "destination.add": "New destination", "destination.remove": "Destination removed", policy: "Device policy",
  rules: "Fee and coin rules", approvals: "Approvals and delay", "role.grant": "Role given", "role.take": "Role taken",
  "hook.add": "New webhook", "hook.remove": "Webhook removed", unfreeze: "Unfreeze", "recovery.end": "End of recovery",
};

export const chip = ([kind, label, help], text = label) => el("span", {class: `chip ${kind}`, title: help ?? null}, text);

// 150000 sat as "150,000 sat", with the coins as its title.
export const sat = (n) => el("span", {class: "sat", title: `${coins(n)} coins`}, BigInt(n).toLocaleString("en"), " ", el("span", {class: "unit"}, "sat"));
export const when = (text) => text ? el("time", {datetime: text, title: text}, new Date(text).toLocaleString()) : "–";
export const secondsUntil = (text) => (new Date(text).getTime() - Date.now()) / 1000;

// A txid as a link to the explorer that the operator configured, if any.
export function transaction(txid, explorer) {
  const text = el("span", {class: "mono"}, visible(txid));
  return explorer && /^https?:\/\//.test(explorer)
    ? el("a", {href: explorer + encodeURIComponent(txid), rel: "noreferrer noopener", target: "_blank"}, text) : text;
}

export const reasonOf = (spend) => spend.reason ? quote(spend.reason) : CODES[spend.code] ?? "";
