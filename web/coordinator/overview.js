// coordinator/overview.js - balance, quorum, what is left of the caps, what is under way, who is waited for.
import {abbreviate, copyButton, countdown, el, address, pair, redraw, quote} from "../common/dom.js?v=%TAG%";
import {gauge} from "./gauge.js?v=%TAG%";
import {CHANGES, ENDED, SPENDS, chip, sat, secondsUntil, when} from "./words.js?v=%TAG%";

const STALE_S = 30;

function alerts({wallet, velocity, signers}) {
  const list = [];
  const say = (kind, text) => list.push(el("p", {class: `note ${kind}`}, text));
  const ready = signers.filter((s) => s.enabled && s.ready).length;
  if (wallet.status === "frozen") say("bad", "The wallet is frozen: nothing new is paid until two people lift it (Limits).");
  if (wallet.status === "recovering") say("bad", "The ledger was lost: nothing is paid for one window, as payments may exist that only the lost ledger knew.");
  if (ready < wallet.k) say("bad", `Only ${ready} signers are ready, ${wallet.k} are needed: nothing can be paid.`);
  if (!velocity.reconciled_at || -secondsUntil(velocity.reconciled_at) > STALE_S)
    say("bad", "The chain was not looked at for more than 30 seconds: nothing new is paid until it is.");
  if (velocity.foreign_sat > 0) say("bad", "Money left the wallet that this coordinator knows nothing of. It counts against the cap. Find out who spent it.");
  for (const s of signers)
    if (s.drift) say("bad", `Signer ${s.name} differs from what it should be: ${s.why}`);
  return list;
}

function balance({wallet}) {
  const b = wallet.balance;
  return [el("h2", {}, "Balance"),
    b ? el("p", {class: "big"}, sat(b.confirmed_sat)) : el("p", {class: "big"}, "not known"),
    el("dl", {class: "strip"}, pair("Unconfirmed", b ? sat(b.unconfirmed_sat) : "–"), pair("Coins", b ? String(b.coins) : "–"),
      pair("Network", quote(wallet.network)), pair("Kind", `${wallet.k} of ${wallet.n}`)),
    el("h3", {}, "Address for funding"), el("p", {}, address(wallet.fund_address), " ", copyButton(wallet.fund_address, "the address"))];
}

function quorum({wallet, signers}) {
  return [el("h2", {}, "Quorum"),
    el("p", {}, el("span", {class: "dots", "aria-hidden": "true"}, signers.map((s) => el("i", {class: s.enabled && s.ready ? "good" : ""}))), " ",
      `${signers.filter((s) => s.enabled && s.ready).length} of ${signers.length} ready, ${wallet.k} needed`),
    el("ul", {}, signers.map((s) => el("li", {}, el("a", {href: "#signers"}, `Signer ${s.number}: `, quote(s.name)), " ",
      s.ready ? "ready" : s.enabled ? quote(s.why || "not ready") : "taken out")))];
}

export function caps({velocity: v}) {
  const parts = [["sent", "sent", v.sent_sat], ["open", "under way", v.open_sat], ["foreign", "not ours", v.foreign_sat]];
  const frees = v.oldest_expires_at ? ` The oldest leaves the window in ${countdown(secondsUntil(v.oldest_expires_at))}.` : "";
  return el("div", {class: "gauges"},
    gauge("Without a person:", parts, v.cap_auto_sat, frees),
    gauge("With a surge code:", parts, v.cap_surge_sat),
    gauge("Fees:", [["sent", "paid", v.fees_sat]], v.fee_cap_sat));
}

// Whatever the coordinator thinks: this is what each signer's own policy has left for payments without a code.
const budgets = ({signers, wallet}) => el("div", {class: "gauges"}, signers.filter((s) => s.budget_auto_sat !== undefined).map((s) => {
  const limit = Math.max(wallet.policy.per_period_sat, s.budget_auto_sat);
  return gauge(["Signer ", String(s.number), " (", quote(s.name), "):"], [["sent", "signed", limit - s.budget_auto_sat]], limit,
    [`${s.refusals} of 100 refusals.`, s.window_ends_at ? [" Its period ends ", when(s.window_ends_at), "."] : null]);
}));

export const spendRow = (s) => el("tr", {},
  el("td", {}, chip(SPENDS[s.state] ?? ["", s.state])),
  el("td", {class: "number"}, sat(s.amount_sat)),
  el("td", {class: "wide"}, el("a", {href: `#spend/${s.id}`}, s.note ? quote(s.note) : `to ${abbreviate(s.outputs[0]?.address ?? "", 9)}`)),
  el("td", {}, when(s.created_at)));

function queue({spends}) {
  const live = spends.filter((s) => !ENDED.includes(s.state));
  return [el("h2", {}, "Under way"), live.length === 0 ? el("p", {class: "hint"}, "Nothing. The last payments stand under Payments.")
    : el("table", {class: "stack"}, el("thead", {}, el("tr", {}, ["State", "Amount", "For", "Since"].map((t) => el("th", {scope: "col"}, t)))),
      el("tbody", {}, live.map(spendRow)))];
}

function waiting({spends, changes}) {
  const people = [
    ...spends.filter((s) => s.state === "awaiting_approval").map((s) => el("li", {}, el("a", {href: `#spend/${s.id}`}, "Payment of ", sat(s.amount_sat)), " waits for approval")),
    ...changes.filter((c) => ["draft", "approved", "waiting"].includes(c.state)).map((c) => el("li", {}, el("a", {href: "#limits"}, CHANGES[c.kind] ?? c.kind),
      c.state === "draft" ? ` waits for ${c.needed - c.approvals} more approval${c.needed - c.approvals === 1 ? "" : "s"}` : " waits for its delay to pass")),
  ];
  return people.length === 0 ? [] : [el("h2", {}, "Waits for people"), el("ul", {}, people)];
}

export function overviewPage(app, body) {
  const parts = {alerts: el("div"), balance: el("section", {class: "card"}), quorum: el("section", {class: "card"}), caps: el("section", {class: "card"}),
    budgets: el("section", {class: "card"}), queue: el("section", {class: "card"}), waiting: el("section", {class: "card"})};
  body.append(parts.alerts, parts.waiting, el("div", {class: "columns"}, el("div", {}, parts.caps, parts.queue), el("div", {}, parts.balance, parts.quorum, parts.budgets)));
  return {
    update() {
      redraw(parts.alerts, alerts(app));
      redraw(parts.balance, balance(app));
      redraw(parts.quorum, quorum(app));
      redraw(parts.caps, el("h2", {}, "What may still leave in this window"), caps(app));
      redraw(parts.budgets, el("h2", {}, "What each signer still allows"), budgets(app));
      redraw(parts.queue, queue(app));
      const who = waiting(app);
      parts.waiting.classList.toggle("hidden", who.length === 0);
      redraw(parts.waiting, who);
    },
  };
}
