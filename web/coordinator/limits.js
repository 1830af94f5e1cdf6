// coordinator/limits.js - caps, rules and lists, and the way in which they change: asked for, approved, published.
import {address, button, el, field, pair, quote, redraw, replace, visible} from "../common/dom.js?v=%TAG%";
import {get, post, remove} from "./api.js?v=%TAG%";
import {caps} from "./overview.js?v=%TAG%";
import {CHANGES, chip, sat, when} from "./words.js?v=%TAG%";

const STATES = {draft: ["warn", "Waits for approval"], approved: ["warn", "Approved"], waiting: ["warn", "Waits for its delay"], published: ["good", "In force"],
  rolled_out: ["good", "In force everywhere"], rolled_back: ["", "Taken back"], rejected: ["bad", "Rejected"], expired: ["", "Expired"]};

// [member, label, value now]
const CAPS = ({velocity: v}) => [["cap_auto_sat", "Cap without a person, in satoshi", v.cap_auto_sat], ["cap_surge_sat", "Cap with a surge code", v.cap_surge_sat],
  ["fee_cap_sat", "Cap of fees", v.fee_cap_sat], ["window_s", "Window in seconds", v.window_s]];
const POLICY = ({wallet: {policy: p}}) => [["max_sat", "Largest payment of a signer's first rule", p.max_sat], ["per_period_sat", "Per period, each signer", p.per_period_sat],
  ["period_min", "Period in minutes", p.period_min], ["surge_max_sat", "Largest surge payment", p.surge_max_sat], ["surge_per_period_sat", "Surge per period", p.surge_per_period_sat]];
const APPROVALS = ({wallet: {changes: c}}) => [["approvals", "People who must approve what loosens", c.approvals], ["delay_s", "Delay in seconds", c.delay_s]];
const RULES = ({wallet: {rules}}) => Object.entries(rules).filter(([, value]) => typeof value === "number").map(([key, value]) => [key, key.replaceAll("_", " "), value]);

const about = (change) => change.kind.startsWith("destination") && change.body.address ? [quote(change.body.name ?? ""), " ", address(change.body.address)]
  : el("span", {class: "mono"}, visible(JSON.stringify(change.body)));

function numbers(app, kind, title, hint, table) {
  const inputs = el("div", {class: "pairs"});
  let rows = table(app);
  const fill = () => {
    rows = table(app);
    replace(inputs, rows.map(([member, label, value]) => field(label, el("input", {inputmode: "numeric", name: member, value}))));
  };
  const propose = async () => {
    const body = {};
    for (const [member, , value] of rows) {
      const text = inputs.querySelector(`[name=${member}]`).value.trim();
      if (!/^[0-9]+$/.test(text)) return app.note(`${member}: a whole number`, "bad");
      if (Number(text) !== value) body[member] = Number(text);
    }
    if (Object.keys(body).length === 0) return app.note("Nothing was changed.");
    const change = await app.try(() => post("policies", {wallet: app.wallet.name, kind, body}));
    if (change) app.note(change.state === "draft" ? "Asked for. Others have to approve it." : "In force now.", "good");
    fill();
  };
  fill();
  return el("details", {class: "card"}, el("summary", {}, title), el("p", {class: "hint"}, hint), inputs, app.may("policy-admin") ? button("Ask for this change", propose, "main") : null);
}

function changeRow(app, c) {
  const act = (what, text) => () => app.try(() => post(`policies/${c.id}/${what}`), text);
  const open = ["draft", "approved", "waiting"].includes(c.state), own = c.created_by === app.me.principal_id;
  return el("li", {class: "card"}, el("div", {class: "heading"}, el("h3", {}, CHANGES[c.kind] ?? c.kind), chip(STATES[c.state] ?? ["", c.state])),
    el("p", {}, about(c)), el("p", {class: "hint"}, c.loosening ? "It loosens a limit. " : "It tightens. ", `${c.approvals} of ${c.needed} approvals. `, "Asked for ", when(c.created_at),
      c.not_before ? [", not before ", when(c.not_before)] : null),
    open ? el("div", {class: "row"}, app.may("officer") && !own && c.state === "draft" ? [button("Approve", act("approve", "Approved."), "main", c.id), button("Reject", act("reject", "Rejected."), "danger", c.id)] : null,
      app.may("officer", "policy-admin") && c.state !== "draft" ? button("Publish", act("publish", "In force now."), "main", c.id) : null,
      own && c.state === "draft" ? el("span", {class: "hint"}, "Others have to approve it.") : null) : null);
}

function destinations(app) {
  const rows = el("tbody"), name = el("input", {maxlength: 64, autocomplete: "off"}), to = el("input", {autocomplete: "off", spellcheck: "false"});
  const load = async () => {
    const all = (await get("destinations", {wallet: app.wallet.name})).destinations.filter((d) => d.state !== "retired");
    redraw(rows, all.map((d) => el("tr", {}, el("td", {}, quote(d.name)), el("td", {class: "wide"}, address(d.address)), el("td", {}, d.state === "active" ? chip(["good", "On the list"]) : chip(["warn", "Pending"])),
      el("td", {}, app.may("policy-admin", "officer") ? button("Remove", () => app.try(() => remove(`destinations/${d.id}`), "Removed from the list.").then(load), "small danger", d.id) : null))));
  };
  const add = async () => {
    const change = await app.try(() => post("destinations", {wallet: app.wallet.name, name: name.value, address: to.value.trim()}));
    if (!change) return;
    app.note(change.state === "draft" ? "Asked for. Others have to approve it before it can be paid." : "On the list now; the signers get it next.", "good");
    name.value = to.value = "";
    load();
  };
  load();
  const node = el("section", {class: "card"}, el("h2", {}, "Destinations"), el("p", {class: "hint"}, "Only these can be paid, by the coordinator and by each signer's own policy."),
    el("table", {class: "stack"}, el("thead", {}, el("tr", {}, ["Name", "Address", "State", ""].map((t) => el("th", {scope: "col"}, t || el("span", {class: "away"}, "Action"))))), rows),
    app.may("policy-admin") ? [el("h3", {}, "A new one"), el("div", {class: "pairs"}, field("Name", name), field("Address", to)), button("Ask for it", add, "main")] : null);
  return [node, load];
}

function freezing(app) {
  const name = encodeURIComponent(app.wallet.name);
  if (app.wallet.status === "frozen")
    return [el("p", {}, "The wallet is frozen. Lifting that takes two people."), app.may("operator", "officer", "policy-admin") ? button("Ask to unfreeze", () => app.try(() => post("policies", {wallet: app.wallet.name, kind: "unfreeze", body: {}}), "Asked for. Two people have to approve it."), "", app.wallet.id) : null];
  return app.may("operator") ? [el("p", {}, "Stops all new payments at once. Lifting it takes two people."), button("Freeze", () => app.try(() => post(`wallets/${name}/freeze`), "The wallet is frozen."), "danger", app.wallet.id)] : [];
}

export function limitsPage(app, body) {
  const [list, reload] = destinations(app);
  const now = el("section", {class: "card"}), changes = el("ul", {class: "list plain-list"}), freeze = el("section", {class: "card"});
  body.append(el("div", {class: "columns"}, el("div", {}, now, list,
    numbers(app, "caps", "Change the caps", "Lowering is in force at once; raising needs two people and a delay.", CAPS),
    numbers(app, "policy", "Change the signers' policy", "Each signer gets it as its own policy, one after the other, and is read back.", POLICY),
    numbers(app, "rules", "Change fee and coin rules", "Rates in satoshi per 1000 vB, times in seconds.", RULES),
    numbers(app, "approvals", "Change who must agree", "How many people approve what loosens a limit, and how long it then waits.", APPROVALS)),
  el("div", {}, freeze, el("section", {}, el("h2", {}, "Changes"), changes))));
  let seen = "";
  return {
    update() {
      redraw(now, el("h2", {}, "Caps in force"), caps(app), el("dl", {class: "strip"}, pair("Window", `${Math.round(app.velocity.window_s / 60)} min`), pair("Signer's payment", sat(app.wallet.policy.max_sat)),
        pair("Signer's period", `${app.wallet.policy.period_min} min`)));
      redraw(freeze, el("h2", {}, "Emergency"), freezing(app));
      redraw(changes, app.changes.length === 0 ? el("li", {class: "hint"}, "None so far.") : app.changes.map((c) => changeRow(app, c)));
      const state = app.changes.map((c) => c.id + c.state).join();
      if (state !== seen) reload();
      seen = state;
    },
  };
}
