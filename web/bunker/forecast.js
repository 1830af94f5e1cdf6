// bunker/forecast.js - "what would happen", rule by rule, in the device's order and words. Always a forecast.
import {check, coins, el, field, quote, replace, visible} from "../common/dom.js?v=%TAG%";
import {post} from "./link.js?v=%TAG%";
import {CLAUSES, GIVEN} from "./text.js?v=%TAG%";

// Whether a rule approves, lacks only what people can still give, or never will.
export function standing(rule) {
  const failing = rule.clauses.filter((c) => !c.holds);
  if (rule.holds) return "good";
  return failing.length > 0 && failing.every((c) => GIVEN.includes(c.clause)) ? "warn" : "bad";
}

const TITLES = {good: "would approve", warn: "waits for approval", bad: "does not allow this"};

function ruleItem(rule, isFirst) {
  const kind = standing(rule);
  return el("li", {class: kind},
    el("strong", {}, `Rule #${rule.rule}: ${TITLES[kind]}`), isFirst ? " – this one decides" : "",
    el("ul", {}, rule.clauses.map((c) => el("li", {},
      el("span", {class: c.holds ? "ok" : "no", "aria-hidden": "true"}, c.holds ? "✓ " : "✗ "),
      `${CLAUSES[c.clause] ?? c.clause}: `, c.holds ? "fits" : quote(c.text))),
      rule.clauses.length ? null : el("li", {}, "This rule asks for nothing.")));
}

export function verdict(data) {
  const waits = !data.signed && data.rules.some((r) => standing(r) === "warn");
  const kind = data.signed ? "good" : waits ? "warn" : "bad";
  return el("div", {class: `note ${kind === "warn" ? "" : kind} verdict ${kind}`},
    el("span", {class: "mark", "aria-hidden": "true"}, data.signed ? "✓" : waits ? "…" : "✗"),
    el("div", {}, el("p", {}, el("strong", {}, data.signed ? "It would be signed."
      : waits ? "As it stands, it would be refused: approval is missing." : "It would be refused.")),
      el("p", {class: "mono", "data-verdict": data.signed ? "signed" : "refused"}, visible(data.text))));
}

export function rulesList(data) {
  return el("ol", {class: "rules"}, data.rules.map((r) => ruleItem(r, data.signed && r.rule === data.rule)));
}

// policy: text of a form to try instead of the installed copy. Gives the bunker's answer.
export const simulate = (assumed) => post("/api/simulate", JSON.stringify(assumed));

// A policy file as the form that the bunker takes: amounts in coins.
function formOf(text) {
  const policy = JSON.parse(text), amount = (v) => Number.isSafeInteger(v) && v >= 0 ? coins(v) : v;
  return {...policy, rules: (policy.rules ?? []).map((rule) => ({...rule, max_amount: amount(rule.max_amount),
    per_period: amount(rule.per_period), min_users: rule.min_users ?? "all"}))};
}

// The card of the Sign page. known: called with the answer, or null.
export function forecast(app, known) {
  const result = el("div", {"aria-live": "polite"});
  const [localLabel, local] = check("Assume that the local code was typed");
  const others = el("div"), spent = el("div", {class: "pairs"});
  const file = el("input", {type: "file", accept: ".json,.txt"});
  const own = el("div", {class: "hidden"}, field("The device's policy, as a file", file,
    "This bunker has no copy of the policy that the device runs. Choose its file for a forecast; it is sent nowhere else."));
  const assume = el("details", {}, el("summary", {}, "Assume something else"), localLabel, others, spent);
  const node = el("section", {class: "card", "aria-labelledby": "forecast"},
    el("h2", {id: "forecast", class: "step", "data-step": "2"}, "What would happen"),
    el("p", {class: "hint"}, "A forecast by the device's own rules, with the codes given so far. The device decides."),
    result, own, assume);
  let policy = null, asked = null, users = [], amounts = [];

  file.addEventListener("change", async () => {
    if (!file.files[0]) return;
    policy = await file.files[0].text().then(formOf).catch(() => null);
    if (!policy) app.note("That file is no JSON of a policy.", "bad");
    again();
  });
  node.addEventListener("change", (event) => { if (event.target !== file) again(); });

  // The names that rules ask for, and the limits, as far as the last answer tells.
  function offer(status) {
    const names = status.pending_auth.filter((a) => a.has_name).map((a) => a.name);
    if (users.map(([name]) => name).join() !== names.join()) {
      users = names.map((n) => [n, ...check(`Assume that ${visible(n)} approves`)]);
      replace(others, users.map(([, label]) => label));
    }
    const gauges = status.casemate.gauges;
    if (amounts.map(([rule]) => rule).join() !== gauges.map((g) => g.rule).join()) {
      amounts = gauges.map((g) => [g.rule, el("input", {inputmode: "decimal", placeholder: coins(g.spent), autocomplete: "off"})]);
      replace(spent, amounts.map(([rule, input]) => field(`Assume spent under rule #${rule}`, input)));
    }
  }

  function assumed(status) {
    const names = status.pending_auth.filter((a) => a.has_guess && a.name).map((a) => a.name);
    users.forEach(([name, , box]) => { if (box.checked && !names.includes(name)) names.push(name); });
    const body = {users: names, local: local.checked};
    if (amounts.some(([, input]) => /^\d+(\.\d{1,8})?$/.test(input.value.trim()))) {
      body.spent = (status.hsm.has_spent ?? []).slice();
      for (const [rule, input] of amounts) {
        const [whole, part = ""] = input.value.trim().split(".");
        while (body.spent.length < rule) body.spent.push(0);
        if (/^\d+$/.test(whole)) body.spent[rule - 1] = Number(whole) * 1e8 + Number(part.padEnd(8, "0"));
      }
    }
    if (policy) body.policy = JSON.stringify(policy);
    return body;
  }

  async function again() {
    const status = app.status;
    if (!status.psbt_hash) return;
    const body = assumed(status);
    const key = JSON.stringify([status.psbt_hash, status.hsm.has_spent, status.hsm.approvals, status.hsm.policy_hash, body]);
    if (asked === key) return;
    asked = key;
    const data = await simulate(body);
    if (asked !== key) return;
    const missing = /no copy of the device's policy/.test(data.error ?? "");
    result.dataset.psbt = status.psbt_hash; // whose forecast this is
    own.classList.toggle("hidden", !missing && !policy);
    assume.classList.toggle("hidden", missing);
    replace(result, data.error ? el("p", {class: "note"}, missing ? "No forecast: this bunker has no copy of the device's policy."
      : visible(data.error)) : [verdict(data), policy ? el("p", {class: "note"}, "By the policy file that you chose: compare " +
        "it with the policy of the device, below.") : null,
      data.warnings.map((text) => el("p", {class: "note"}, visible(text))), rulesList(data)]);
    known(data.error ? null : data);
  }

  return {node,
    update(status) {
      if (!status.psbt_hash) {
        asked = null;
        replace(result);
        known(null);
        return;
      }
      offer(status);
      again();
    }};
}
