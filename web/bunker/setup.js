// bunker/setup.js - the policy editor, and users.
import {check, el, field, replace, show} from "../common/dom.js?v=%TAG%";

const LISTS = [["msg_paths", "Paths that may sign messages"], ["share_xpubs", "Paths whose xpubs may be read"],
               ["share_addrs", "Paths whose addresses may be read"]];
const FLAGS = [["must_log", "Refuse when nothing can be logged"], ["never_log", "Log nothing"],
               ["warnings_ok", "Sign in spite of warnings"], ["priv_over_ux", "Hide policy and counters from this bunker"],
               ["ewaste_enable", "Accept no boot-to-HSM code, ever (cannot be undone)"]];
const EMPTY = {period: null, rules: [], notes: "", msg_paths: null, share_xpubs: null, share_addrs: null};

function input(value, more = {}) {
  const node = el("input", {autocomplete: "off", spellcheck: "false", ...more});
  node.value = value ?? "";
  return node;
}

// --- One rule: [node, its value] ---

function ruleEditor(rule, number, moves) {
  const extra = {...rule}; // members that this form does not show stay
  const max = input(rule.max_amount), period = input(rule.per_period), wallet = input(rule.wallet);
  const list = el("textarea", {spellcheck: "false"});
  list.value = rule.whitelist ?? "";
  const users = input(rule.users), least = input(rule.min_users ?? "all");
  const [localLabel, local] = check("The local operator types a code", Boolean(rule.local_conf));
  const value = () => ({...extra, max_amount: max.value.trim() || null, per_period: period.value.trim() || null,
    whitelist: list.value, users: users.value, min_users: least.value.trim() || "all", wallet: wallet.value.trim() || null,
    local_conf: local.checked});
  const warning = el("p", {class: "note hidden"}, "This rule has no limit of any kind: it allows everything, and no " +
    "rule after it is ever reached.");
  const node = el("fieldset", {}, el("legend", {}, `Rule #${number}`), warning,
    field("Most in one transaction, in coins", max, "Empty: no such limit."),
    field("Most in a period, in coins", period, "Needs a period, above."),
    field("Only to these addresses", list, "Separated by blanks, commas or lines. Empty: to anybody."),
    field("Users who approve", users, "Names, separated by commas."), field("How many of them", least, "A number, or all."),
    localLabel, field("Multisig wallet", wallet, "Its name on the device; 1 means single signatures only."),
    el("div", {class: "row"}, moves(value)));
  const judge = () => show(warning, ![max, period, list, users, wallet].some((f) => f.value.trim()) && !local.checked);
  node.addEventListener("input", judge);
  judge();
  return [node, value];
}

export function setupPage(app, body) {
  let form = {...EMPTY}, values = [];
  const rules = el("div");
  const period = input(form.period, {inputmode: "numeric"}), notes = input(form.notes), boot = input("");
  const lists = LISTS.map(([key, label]) => [key, el("textarea", {spellcheck: "false"}), label]);
  const flags = FLAGS.map(([key, label]) => [key, ...check(label)]);
  const active = el("p", {class: "note hidden"}, "The device is in HSM mode: policy and users cannot be changed now.");
  const stored = el("section", {class: "card hidden"}, el("h2", {}, "A policy is stored on the device"),
    el("button", {type: "button", class: "main", onclick: () => app.link.act("start_hsm_btn")}, "Start HSM mode"));

  const keep = () => { form.rules = values.map((value) => value()); };
  function drawRules() {
    values = [];
    replace(rules, form.rules.map((rule, i) => {
      const [node, value] = ruleEditor(rule, i + 1, () => [
        el("button", {type: "button", disabled: i === 0, onclick: () => move(i, -1)}, "Up"),
        el("button", {type: "button", disabled: i + 1 === form.rules.length, onclick: () => move(i, 1)}, "Down"),
        el("button", {type: "button", onclick: () => { keep(); form.rules.splice(i, 0, {...form.rules[i]}); drawRules(); }},
           "Duplicate"),
        el("button", {type: "button", class: "danger", onclick: () => { keep(); form.rules.splice(i, 1); drawRules(); }},
           "Delete")]);
      values.push(value);
      return node;
    }));
  }
  function move(i, by) {
    keep();
    const [rule] = form.rules.splice(i, 1);
    form.rules.splice(i + by, 0, rule);
    drawRules();
  }
  function take(policy) {
    form = {...EMPTY, ...policy};
    period.value = form.period ?? "";
    notes.value = form.notes ?? "";
    boot.value = form.ewaste_enable ? "" : form.boot_to_hsm ?? "";
    for (const [key, node] of lists) node.value = form[key] ?? "";
    for (const [key, , node] of flags) node.checked = Boolean(form[key]);
    drawRules();
  }
  function text() {
    keep();
    const out = {...form, period: period.value.trim() || null, notes: notes.value, boot_to_hsm: boot.value.trim() || null};
    for (const [key, node] of lists) out[key] = node.value.trim() ? node.value : null;
    for (const [key, , node] of flags) out[key] = node.checked;
    for (const key of ["must_log", "never_log", "warnings_ok", "priv_over_ux"]) if (!out[key]) delete out[key];
    return JSON.stringify(out);
  }

  const file = el("input", {type: "file", accept: ".json,.txt"});
  file.addEventListener("change", async () => {
    try {
      app.link.act("import_policy", JSON.parse(await file.files[0].text()));
    } catch {
      app.note("That file is no JSON.");
    }
    file.value = "";
  });
  const advice = el("div", {"aria-live": "polite"});
  async function explain() {
    const reply = await fetch("/api/policy", {method: "POST", headers: {"X-Casemate": "1"}, body: text()});
    const data = await reply.json().catch(() => ({error: "That failed."}));
    if (data.error) {
      replace(advice, el("p", {class: "note bad"}, data.error));
      return;
    }
    replace(advice, el("h3", {}, "In the device's words"), el("pre", {}, data.summary.trim()),
      el("h3", {}, "The worst case"), el("pre", {}, data.worst_case.trim()),
      el("h3", {}, "What is odd"), el("ul", {}, data.findings.map((f) => el("li", {}, `${f.meaning} (${f.text})`)),
        data.findings.length ? null : el("li", {}, "Nothing.")),
      el("p", {class: "hint mono"}, `Policy hash without the locker: ${data.hash}`));
  }
  const [copyLabel, copy] = check("Download a copy without secrets", true);
  const editor = el("section", {class: "card"}, el("h2", {}, "Policy"), field("Import a policy file", file),
    field("Period in minutes", period, "How long per-period amounts count; 1 to 4320. Empty: no period."), rules,
    el("p", {}, el("button", {type: "button", onclick: () => { keep(); form.rules.push({}); drawRules(); }}, "Add a rule")),
    lists.map(([, node, label]) => field(label, node, "Such as m/84'/0'/0'/*, or any. Empty: none.")),
    flags.map(([, label]) => label), field("Boot-to-HSM code", boot, "Six digits that leave HSM mode in its first minute."),
    field("Notes", notes, "Shown on the device; at most 80 characters."), copyLabel,
    el("div", {class: "row"},
      el("button", {type: "button", class: "main", onclick: () => app.link.act("submit_policy", text(), copy.checked)},
         "Save and start policy"),
      el("button", {type: "button", onclick: explain}, "Explain"),
      el("button", {type: "button", onclick: () => app.link.act("download_policy", text())}, "Download")), advice);

  // --- Users ---
  const name = input("", {maxlength: "16"}), password = input("", {type: "password"});
  const mode = el("select", {}, el("option", {value: "totp"}, "One-time codes; the device shows a QR code"),
    el("option", {value: "rand_pw"}, "Password; the device picks and shows it"),
    el("option", {value: "give_pw"}, "Password; typed here"));
  const passwordField = field("Password", password);
  const list = el("ul", {class: "feed"});
  mode.addEventListener("change", () => show(passwordField, mode.value === "give_pw"));
  show(passwordField, false);
  const users = el("section", {class: "card"}, el("h2", {}, "Users"), list,
    el("form", {onsubmit: (event) => {
      event.preventDefault();
      app.link.act("create_user", name.value, mode.value, password.value);
      name.value = password.value = "";
    }}, field("Name", name, "2 to 16 characters."), field("How they approve", mode), passwordField,
      el("button", {}, "Add user")));

  replace(body, active, stored, el("div", {class: "columns"}, editor, users));
  take(EMPTY);
  return {
    update(status) {
      show(active, Boolean(status.hsm.active));
      show(stored, Boolean(status.hsm.policy_available) && !status.hsm.active);
      const names = status.hsm.users ?? [];
      replace(list, names.map((user) => el("li", {class: "row"}, user, el("button", {type: "button", class: "danger",
        disabled: Boolean(status.hsm.active), onclick: () => app.link.act("delete_user", user)}, `Delete ${user}`))),
        names.length ? null : el("li", {}, "No users."));
    },
    frame(data) {
      if (data.update_policy) take(data.update_policy);
    },
  };
}
