// coordinator/signers.js - each signer: what it is, what it allows, what to do with it.
import {abbreviate, button, el, pair, plural, quote, redraw} from "../common/dom.js?v=%TAG%";
import {post} from "./api.js?v=%TAG%";
import {SIGNERS, chip, sat, when} from "./words.js?v=%TAG%";

function card(app, s) {
  const act = (what, text) => () => app.try(() => post(`signers/${encodeURIComponent(s.name)}/${what}`), text);
  const seen = s.reachable !== undefined;
  return el("section", {class: "card"},
    el("div", {class: "heading"}, el("h2", {}, `${s.number}: `, quote(s.name)), chip(s.enabled ? SIGNERS[s.state] ?? ["", s.state] : SIGNERS.out)),
    s.why && !s.ready ? el("p", {class: "note"}, quote(s.why)) : null,
    seen && s.refusals >= 50 ? el("p", {class: "note bad"}, `${s.refusals} refusals since its start: at 100 it shuts down. It is not asked from 80 on; start it again.`) : null,
    el("dl", {class: "strip"}, pair("Reached by", quote(s.kind)), pair("Fingerprint", el("span", {class: "mono"}, s.fingerprint.toUpperCase())),
      pair("Place", quote(s.failure_domain || "–")),
      seen ? [pair("Approvals", String(s.approvals)), pair("Refusals", String(s.refusals)), pair("Last seen", when(s.seen_at))] : null),
    seen ? el("dl", {class: "strip"}, pair("Left, automatic", sat(s.budget_auto_sat)), pair("Left, surge", sat(s.budget_surge_sat)),
      pair("Its period ends", when(s.window_ends_at))) : null,
    seen && s.policy_hash ? el("p", {class: "hint"}, "Policy ", el("span", {class: "mono", title: s.policy_hash}, abbreviate(s.policy_hash, 10))) : null,
    s.last_refusal ? el("p", {class: "hint"}, "Last refusal: ", quote(s.last_refusal)) : null,
    app.may("operator") ? el("div", {class: "row"}, s.enabled ? button("Take out", act("disable", `Signer ${s.name} is not asked any more.`), "", s.name) : button("Bring back", act("enable", `Signer ${s.name} is asked again.`), "", s.name),
      button("Arm again", act("heal", `Signer ${s.name} will be armed again.`), "", s.name), button("Start again", act("reboot", `Signer ${s.name} is started again.`), "danger", s.name)) : null);
}

export function signersPage(app, body) {
  const note = el("p", {class: "hint"}), list = el("div", {class: "signers"});
  body.append(note, list);
  return {
    update() {
      redraw(note, `${plural(app.wallet.k, "signer")} of ${app.wallet.n} must sign each payment. Which ones takes turns, so that their budgets stay even.`);
      redraw(list, app.signers.map((s) => card(app, s)));
    },
  };
}
