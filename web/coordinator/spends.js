// coordinator/spends.js - all payments, and one of them with its log, live.
import {address, button, el, field, pair, quote, redraw, replace, select, show} from "../common/dom.js?v=%TAG%";
import {follow, get, post} from "./api.js?v=%TAG%";
import {spendRow} from "./overview.js?v=%TAG%";
import {ENDED, SPENDS, STEPS, STEP_OF, chip, reasonOf, sat, transaction, when} from "./words.js?v=%TAG%";

// --- All ---

export function spendsPage(app, body) {
  const states = select([["", "all"], ...Object.entries(SPENDS).map(([key, [, label]]) => [key, label])]);
  const rows = el("tbody"), more = button("Older ones", () => load(false));
  let next = null, shown = 0;
  const load = async (fresh) => {
    const page = await get("spends", {wallet: app.wallet.name, state: states.value, cursor: fresh ? "" : next, limit: 50});
    if (fresh) rows.replaceChildren();
    rows.append(...page.spends.map(spendRow));
    shown = fresh ? page.spends.length : shown + page.spends.length;
    next = page.next;
    show(more, next !== null);
    show(empty, shown === 0);
  };
  const empty = el("p", {class: "hint hidden"}, "No payments.");
  states.addEventListener("change", () => load(true));
  body.append(el("section", {class: "card"}, field("State", states), el("table", {class: "stack"},
    el("thead", {}, el("tr", {}, ["State", "Amount", "For", "Since"].map((t) => el("th", {scope: "col"}, t)))), rows), empty, el("p", {}, more)));
  load(true);
  let newest = app.spends[0]?.id + app.spends.map((s) => s.state).join();
  return {
    update() {
      const now = app.spends[0]?.id + app.spends.map((s) => s.state).join();
      if (now !== newest && shown <= 50) load(true);
      newest = now;
    },
  };
}

// --- One ---

function steps(spend, done) {
  const reached = Math.max(STEP_OF[spend.state] ?? 0, done);
  return el("ol", {class: "steps"}, STEPS.map((name, i) => {
    const now = i === reached && !ENDED.includes(spend.state) && spend.state !== "awaiting_approval";
    return el("li", {class: i < reached ? "done" : now ? "now" : ""}, `${i + 1} ${name}`, el("span", {class: "away"}, i < reached ? ", done" : now ? ", now" : ""));
  }));
}

const head = (s, app) => [
  el("p", {class: "big"}, sat(s.amount_sat), " ", chip(SPENDS[s.state] ?? ["", s.state])),
  el("p", {}, SPENDS[s.state]?.[2] ?? ""),
  s.code || s.reason ? el("p", {class: "note"}, reasonOf(s)) : null,
  el("dl", {class: "strip"}, pair("Tier", s.tier === "surge" ? "Surge" : "Automatic"), pair("Asked for", when(s.created_at)), pair("Request", el("span", {class: "mono"}, quote(s.request_id)))),
  s.note ? el("p", {}, quote(s.note)) : null,
  el("h2", {}, "Pays"), el("ul", {}, s.outputs.map((o) => el("li", {}, sat(o.amount_sat), " to ", address(o.address)))),
  s.txid ? [el("h2", {}, "Transaction"), el("p", {}, transaction(s.txid, app.me.explorer))] : null,
];

const KINDS = {pay: "the payment", replace: "a replacement", child: "a child that pays for it", void: "taking it back"};
const attempts = (s, app) => s.attempts.length < 2 ? [] : [el("h2", {}, "Attempts"),
  el("ul", {}, s.attempts.map((a) => el("li", {}, `${a.number}: ${KINDS[a.kind] ?? a.kind}, ${a.state}, fee `, sat(a.fee_sat), " ", transaction(a.txid, app.me.explorer))))];
const asked = (s) => s.signers.length === 0 ? [] : [el("h2", {}, "Signers asked"),
  el("ul", {}, s.signers.map((r) => el("li", {}, quote(r.signer), `: ${r.state === "asked" ? "no answer yet" : r.state === "unknown" ? "no answer, may have signed" : r.state}`,
    r.detail ? [" – ", quote(r.detail)] : "")))];
const verdicts = (s) => s.approvals.length === 0 ? [] : [el("h2", {}, "People"),
  el("ul", {}, s.approvals.map((a) => el("li", {}, quote(a.name), a.verdict === "approve" ? " approved, " : " rejected, ", when(a.at))))];

// code: the field that stays while the page follows the payment.
function actions(app, spend, code, again) {
  const act = (path, text, body) => app.try(() => post(`spends/${spend.id}/${path}`, body), text).then(again);
  const list = [];
  if (spend.state === "awaiting_approval" && app.may("approver") && spend.principal_id !== app.me.principal_id) {
    const input = code.querySelector("input"), isSurge = spend.tier === "surge";
    const approve = () => {
      act("approve", "Approved.", isSurge ? {code: input.value} : {});
      input.value = ""; // it is good once
    };
    list.push(...(isSurge ? [code] : []), button("Approve", approve, "main"), button("Reject", () => act("reject", "Rejected."), "danger"));
  }
  if (!ENDED.includes(spend.state) && !["confirmed", "voiding"].includes(spend.state) && !spend.cancel_asked && app.may("spender", "operator"))
    list.push(button(["sent", "signed", "parked"].includes(spend.state) ? "Take it back" : "Cancel", () => act("cancel", "It is being cancelled."), "danger"));
  if (spend.state === "sent" && app.may("operator")) list.push(button("Pay a higher fee", () => act("bump", "It will pay more.")));
  return list;
}

export function spendPage(app, body, id) {
  const picture = el("div"), card = el("section", {class: "card"}), doing = el("div", {class: "row"});
  const lines = el("ol"), log = el("div", {class: "log", tabindex: 0, role: "log", "aria-label": "What happened"}, lines);
  const code = field("Code of the surge tier", el("input", {inputmode: "numeric", maxlength: 6, autocomplete: "one-time-code"}));
  let spend = null, done = 0, offered = "";
  body.append(picture, el("div", {class: "columns"}, el("div", {}, card, el("div", {class: "card"}, doing)), el("section", {class: "card"}, el("h2", {}, "What happened"), log)));

  const draw = () => {
    redraw(picture, steps(spend, done));
    redraw(card, head(spend, app), attempts(spend, app), asked(spend), verdicts(spend));
    const offer = actions(app, spend, code, load), names = offer.map((node) => node.textContent).join("\n");
    if (names !== offered) replace(doing, offer); // whoever types or presses there is left alone
    offered = names;
    show(doing.parentNode, doing.childElementCount > 0);
  };
  const load = async () => {
    spend = await get(`spends/${id}`);
    draw();
  };
  const source = follow(id, ({kind, data}) => {
    if (kind === "spend.frame") {
      if (data.log !== undefined) {
        const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
        lines.append(el("li", {class: ["c", "y", "g", "a", "e"].includes(data.cls) ? data.cls : null}, quote(data.log)));
        if (atEnd) log.scrollTop = log.scrollHeight;
      }
      if (data.done_step) done = Math.max(done, data.done_step);
    }
    if (spend) load();
  });
  load().catch((error) => replace(body, el("p", {class: "note bad"}, quote(error.message))));
  return {close: () => source.close(), update: () => spend && !ENDED.includes(spend.state) && load()};
}
