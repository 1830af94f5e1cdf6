// coordinator/refills.js - which hot wallets are kept filled, and how.
import {button, check, el, field, pair, quote, redraw, visible} from "../common/dom.js?v=%TAG%";
import {get, post} from "./api.js?v=%TAG%";
import {chip, sat} from "./words.js?v=%TAG%";

const EXAMPLE = {destinations: ["hot"], floor_sat: 500000, target_sat: 1000000, most_sat: 800000, interval_s: 3600, per_day: 12,
  drain_count: 6, drain_s: 7200, sources: [{kind: "wallet", node: "main", wallet: "hot"}]};
const DECISIONS = {pay: "under way", settled: "settled", rejected: "rejected", refused: "refused", failed: "failed", void: "void", cancelled: "cancelled", expired: "expired"};

const row = (app, r, edit) => el("section", {class: "card"},
  el("div", {class: "heading"}, el("h2", {}, quote(r.name)), r.paused_reason ? chip(["bad", "Paused"]) : chip(r.enabled ? ["good", "On"] : ["", "Off"])),
  r.paused_reason ? el("p", {class: "note bad"}, "Paused: ", quote(r.paused_reason), ". Find out where the money went; storing the policy again starts it.") : null,
  el("dl", {class: "strip"}, pair("Floor", sat(r.body.floor_sat)), r.body.target_sat ? pair("Up to", sat(r.body.target_sat)) : pair("Amount", sat(r.body.amount_sat)),
    pair("To", r.body.destinations.map(visible).join(", ")), pair("Refills so far", String(r.next_sequence - 1)), pair("The last", r.last_spend_id ? el("a", {href: `#spend/${r.last_spend_id}`}, DECISIONS[r.last_decision] ?? visible(r.last_decision)) : "–")),
  app.may("operator") ? button("Edit", () => edit(r.name), "", r.name) : null);

export function refillsPage(app, body) {
  const list = el("div"), name = el("input", {maxlength: 64, autocomplete: "off"}), text = el("textarea", {rows: 14, class: "mono", spellcheck: "false"});
  const [label, enabled] = check("On", true);
  let stored = [];
  const put = (r) => {
    name.value = r.name;
    text.value = JSON.stringify(r.body, null, 2);
    enabled.checked = r.enabled;
  };
  const edit = (which) => {
    put(stored.find((r) => r.name === which));
    text.focus();
  };
  const store = async () => {
    let rules;
    try {
      rules = JSON.parse(text.value);
    } catch (error) {
      return app.note(`The policy is no JSON: ${error.message}`, "bad");
    }
    if (await app.try(() => post("refills", {wallet: app.wallet.name, name: name.value, body: rules, enabled: enabled.checked}), "Stored.")) load();
  };
  const load = async () => {
    stored = (await get("refills", {wallet: app.wallet.name})).refills;
    redraw(list, stored.length === 0 ? el("p", {class: "note info"}, "No hot wallet is kept filled.") : stored.map((r) => row(app, r, edit)));
  };
  put({name: "hot", body: EXAMPLE, enabled: true});
  body.append(el("p", {class: "hint"}, "Below the floor, the coordinator asks for a payment to the next destination. One at a time; a balance that is old or contradictory stops it."), list,
    app.may("operator") ? el("section", {class: "card"}, el("h2", {}, "Store a refill policy"), field("Name", name), field("Policy (JSON)", text, "sources say where the hot wallet's balance is read: a wallet of a node, a descriptor watched by one, or a signed answer over https."), label, button("Store", store, "main")) : null);
  load();
  return {update: load};
}
