// coordinator/audit.js - the chain of events, and whether it still holds.
import {abbreviate, button, el, quote, redraw, show} from "../common/dom.js?v=%TAG%";
import {get} from "./api.js?v=%TAG%";
import {when} from "./words.js?v=%TAG%";

const PAGE = 100;

const row = (e) => el("tr", {}, el("td", {class: "number"}, String(e.seq)), el("td", {}, when(e.at)), el("td", {}, quote(e.kind)), el("td", {}, quote(e.actor.length === 36 ? abbreviate(e.actor, 6) : e.actor)),
  el("td", {class: "wide mono"}, quote(e.after || e.before)));

export function auditPage(app, body) {
  if (!app.may("auditor")) {
    body.append(el("p", {class: "note info"}, "Reading the audit takes the role auditor."));
    return null;
  }
  const state = el("p", {role: "status"}), rows = el("tbody");
  let first = Infinity;
  const older = button("Older ones", () => load());
  const load = async () => {
    if (first === Infinity) first = (await get("audit", {limit: 1})).head.seq + 1;
    const from = Math.max(0, first - 1 - PAGE);
    const {events} = await get("audit", {after: from, limit: Math.max(1, first - 1 - from)});
    rows.append(...events.filter((e) => e.kind !== "spend.frame").reverse().map(row));
    first = from + 1;
    show(older, from > 0);
  };
  const verify = async () => {
    state.textContent = "Reading the whole chain …";
    const {verified, error, head} = await get("audit", {limit: 1, verify: 1});
    redraw(state, verified ? `The chain holds from the first event to number ${head.seq}.` : el("strong", {}, "The chain is broken: ", quote(error ?? "")));
  };
  body.append(el("section", {class: "card"}, el("div", {class: "row"}, button("Verify the chain", verify, "main")), state,
    el("table", {class: "stack"}, el("thead", {}, el("tr", {}, ["Number", "When", "What", "Who", "Content"].map((t) => el("th", {scope: "col"}, t)))), rows), el("p", {}, older)));
  load();
  return null;
}
