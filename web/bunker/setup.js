// bunker/setup.js - the policy page: what is in force, the editor, and users.
import {button, check, el, field, newId, replace, select, show, visible} from "../common/dom.js?v=%TAG%";
import {advice} from "./advice.js?v=%TAG%";
import {ask} from "./link.js?v=%TAG%";
import {EMPTY, PRESETS} from "./presets.js?v=%TAG%";
import {RULE_KEYS, ruleEditor} from "./rule.js?v=%TAG%";
import {users} from "./users.js?v=%TAG%";

const LISTS = [["msg_paths", "Paths that may sign messages"], ["share_xpubs", "Paths whose xpubs may be read"],
               ["share_addrs", "Paths whose addresses may be read"]];
const FLAGS = [["must_log", "Refuse when nothing can be logged"], ["never_log", "Log nothing"],
               ["warnings_ok", "Sign in spite of warnings"], ["priv_over_ux", "Hide policy and counters from this bunker"]];
const KEYS = ["notes", "period", "rules", "boot_to_hsm", "ewaste_enable", "set_sl", "allow_sl", "casemate",
              ...LISTS.map(([key]) => key), ...FLAGS.map(([key]) => key)];
const PERIODS = [["", "Choose…"], ["60", "1 hour"], ["240", "4 hours"], ["720", "12 hours"], ["1440", "1 day"], ["4320", "3 days"]];
const RULES_MAX = 20, WAIT_MS = 350, WASTE = "never again";

// Keys that neither this form nor a device knows.
function unknown(policy) {
  const found = Object.keys(policy).filter((key) => !KEYS.includes(key));
  for (const [i, rule] of (policy.rules ?? []).entries())
    found.push(...Object.keys(rule ?? {}).filter((key) => !RULE_KEYS.includes(key)).map((key) => `${key} of rule #${i + 1}`));
  return found;
}

function without(policy) {
  const keep = (object, keys) => Object.fromEntries(Object.entries(object).filter(([key]) => keys.includes(key)));
  return {...keep(policy, KEYS), rules: (policy.rules ?? []).map((rule) => keep(rule, RULE_KEYS))};
}

export function setupPage(app, body) {
  let form = {...EMPTY}, editors = [], waits, unit = "coin";
  const rules = el("div"), world = () => ({unit, unitName: unit === "sat" ? "satoshi" : "coins",
    users: app.status.hsm.users ?? [], wallets: app.status.hsm.wallets ?? []});
  const period = el("input", {inputmode: "numeric", autocomplete: "off"}), presets = select(PERIODS);
  const hours = el("span", {class: "hint", "aria-live": "polite"});
  const notes = el("input", {autocomplete: "off"}), boot = el("input", {inputmode: "numeric", autocomplete: "off", maxlength: "6"});
  const lists = LISTS.map(([key, label]) => [key, el("textarea", {spellcheck: "false"}), label]);
  const flags = FLAGS.map(([key, label]) => [key, ...check(label)]);
  const [wasteLabel, waste] = check("Accept no boot-to-HSM code, ever: the device can never do anything else again");
  const units = select([["coin", "coins"], ["sat", "satoshi"]]);
  const wallets = el("datalist", {id: "wallets"}), least = el("datalist", {id: "least"}, ["all", "1", "2", "3"].map((v) => el("option", {value: v})));
  const meaning = advice(app, (found) => editors.forEach((editor, i) => editor.mark(found?.rule === i + 1 ? found.field : null)));

  // --- The form and its text ---

  const keep = () => { form.rules = editors.map((editor) => editor.value()); };
  function text() {
    keep();
    const out = {...form, period: period.value.trim() || null, notes: notes.value, boot_to_hsm: boot.value.trim() || null,
      ewaste_enable: waste.checked};
    for (const [key, node] of lists) out[key] = node.value.trim() ? node.value : null;
    for (const [key, , node] of flags) {
      if (node.checked) out[key] = true;
      else delete out[key];
    }
    return JSON.stringify(out);
  }
  function changed() {
    const minutes = Number(period.value);
    hours.textContent = minutes > 0 ? `= ${(minutes / 60).toFixed(minutes % 60 ? 1 : 0)} hours` : "";
    clearTimeout(waits);
    waits = setTimeout(() => meaning.explain(text()), WAIT_MS);
  }
  function drawRules(focus) {
    editors = form.rules.map((rule, i) => {
      const act = (name, run, kind) => el("button", {type: "button", class: kind, "aria-label": `${name} rule #${i + 1}`, onclick: run}, name);
      const up = act("Up", () => move(i, -1)), down = act("Down", () => move(i, 1));
      up.disabled = i === 0;
      down.disabled = i + 1 === form.rules.length;
      const editor = ruleEditor(rule, i + 1, world(), [up, down, act("Duplicate", () => edit(i, 0, {...form.rules[i]})),
        act("Delete", () => edit(i, 1), "danger")], changed);
      draggable(editor, i);
      return editor;
    });
    replace(rules, editors.map((editor) => editor.node));
    if (focus !== undefined) editors[Math.min(focus, editors.length - 1)]?.title.focus();
    changed();
  }
  function edit(at, remove, ...more) {
    keep();
    form.rules.splice(at, remove, ...more);
    drawRules(at);
  }
  function move(from, by) {
    keep();
    const [rule] = form.rules.splice(from, 1);
    form.rules.splice(from + by, 0, rule);
    drawRules(from + by);
  }
  function draggable(editor, i) {
    editor.title.draggable = true;
    editor.title.addEventListener("dragstart", (event) => {
      event.dataTransfer.setData("text/x-rule", String(i));
      editor.node.classList.add("lifted");
    });
    editor.title.addEventListener("dragend", () => editor.node.classList.remove("lifted"));
    editor.node.addEventListener("dragover", (event) => event.dataTransfer.types.includes("text/x-rule") && event.preventDefault());
    editor.node.addEventListener("drop", (event) => {
      const from = Number(event.dataTransfer.getData("text/x-rule") || NaN);
      if (Number.isInteger(from) && from !== i) move(from, i - from);
    });
  }
  function take(policy) {
    form = {...EMPTY, ...policy, rules: (policy.rules ?? []).map((rule) => ({...rule}))};
    period.value = form.period ?? "";
    notes.value = form.notes ?? "";
    waste.checked = Boolean(form.ewaste_enable);
    boot.value = form.ewaste_enable ? "" : form.boot_to_hsm ?? "";
    for (const [key, node] of lists) node.value = form[key] ?? "";
    for (const [key, , node] of flags) node.checked = Boolean(form[key]);
    drawRules();
  }

  // --- Where it comes from, and where it goes ---

  const file = el("input", {type: "file", accept: ".json,.txt"});
  file.addEventListener("change", async () => {
    const policy = file.files[0] ? await file.files[0].text().then(JSON.parse).catch(() => null) : null;
    file.value = "";
    if (policy === null || typeof policy !== "object") app.note("That file is no JSON of a policy.", "bad");
    else app.link.act("import_policy", policy);
  });
  async function imported(policy) {
    const odd = unknown(policy);
    const keepOdd = odd.length > 0 && await app.confirmed("Members that are not known",
      el("p", {}, `The file has ${visible(odd.join(", "))}. A device refuses a policy with members that it does not know. Keep them?`), "Keep them", "");
    take(keepOdd || !odd.length ? policy : without(policy));
  }
  async function installed() {
    const policy = await ask("/api/policy");
    if (policy.error) app.note(policy.error);
    else take(policy);
  }
  const start = select([["", "Choose…"], ...Object.entries(PRESETS).map(([key, [label]]) => [key, label])]);
  start.addEventListener("change", () => {
    if (start.value) take(PRESETS[start.value][1]);
    start.value = "";
  });
  const [copyLabel, copy] = check("Also download a copy without secrets", true);
  const clean = () => {
    const plain = JSON.parse(text());
    for (const key of ["set_sl", "allow_sl", "boot_to_hsm", "ewaste_enable"]) delete plain[key];
    return JSON.stringify(plain);
  };
  async function full() {
    if (await app.confirmed("Download everything?", "The full copy holds the boot-to-HSM code and what stands in the storage locker. " +
      "Whoever has it can use them.", "Download the full copy")) app.link.act("download_policy", text());
  }
  const send = button("Save and start policy", () => app.link.act("submit_policy", text(), copy.checked), "main");
  waste.addEventListener("change", async () => {
    if (!waste.checked) return;
    const typed = el("input", {autocomplete: "off", id: newId()});
    const sure = await app.confirmed("No way back", el("div", {}, el("p", {}, "With this, no key press ever leaves HSM mode: if the policy " +
      "is wrong, the coins behind it can only move by it, for ever."), field(`Type: ${WASTE}`, typed)), "I am sure");
    waste.checked = sure && typed.value.trim().toLowerCase() === WASTE;
    changed();
  });
  presets.addEventListener("change", () => {
    period.value = presets.value || period.value;
    presets.value = "";
    changed();
  });
  units.addEventListener("change", () => {
    keep();
    unit = units.value;
    drawRules();
  });

  const editor = el("section", {class: "card", "aria-labelledby": "editor"}, el("h2", {id: "editor"}, "Editor"),
    el("div", {class: "pairs"}, field("Start from", start), field("Import a policy file", file)),
    el("div", {class: "row"}, button("Take the installed policy", installed), button("Empty the form", () => take(EMPTY))),
    el("h3", {}, "Spending rules"), el("p", {class: "hint"}, "The first rule that fits approves. Without a rule nothing is ever spent."),
    el("div", {class: "pairs"}, field("Period in minutes", period, "1 to 4320. Empty: no limits per period."), field("Usual periods", presets),
      field("Amounts in", units)), hours, rules,
    el("p", {}, button("Add a rule", () => edit(form.rules.length, 0, {}))),
    el("h3", {}, "What may be read and signed besides"),
    lists.map(([, node, label]) => field(label, node, "Such as m/84'/0'/0'/*, or any. Empty: none.")),
    el("h3", {}, "Everything else"), flags.map(([, label]) => label),
    field("Boot-to-HSM code", boot, "Six digits. The device then starts into HSM mode by itself; typed within its first minute, they leave it."),
    wasteLabel, field("Notes", notes, "Shown on the device; at most 80 characters."), wallets, least);
  const end = el("section", {class: "card", "aria-labelledby": "send"}, el("h2", {id: "send"}, "Send it to the device"),
    el("p", {class: "hint"}, "The device shows the policy; somebody there reads it and approves it. Until then nothing changes."), copyLabel,
    el("div", {class: "row action"}, send),
    el("div", {class: "row"}, button("Try it on the loaded transaction", () => meaning.tryOut(text())),
      button("Download", () => app.link.act("download_policy", clean())), button("Download with secrets", full, "danger")));
  body.addEventListener("input", changed);

  // --- The page ---

  const active = el("p", {class: "note info hidden"}, "The device is in HSM mode: its policy and users are fixed until it is restarted. " +
    "You can still write a policy here, and try it.");
  const stored = el("section", {class: "card hidden"}, el("h2", {}, "A policy is stored on the device"),
    el("p", {}, "The device can start it again. It shows it first, and somebody there approves it."),
    button("Start HSM mode", () => app.link.act("start_hsm_btn"), "main"));
  const inForce = el("pre"), force = el("section", {class: "card", "aria-labelledby": "force"}, el("h2", {id: "force"}, "In force on the device"), inForce);
  const way = el("section", {class: "card", "aria-labelledby": "way"}, el("h2", {id: "way"}, "From here to HSM mode"), el("ol", {}, [
    "Add the users who may approve, if any rule should ask for them.", "Write the policy below, or import it. What it means stands beside it.",
    "Try it on a transaction that is loaded on the Sign page.", "Send it. The device shows it; somebody there reads and approves it."]
    .map((text) => el("li", {}, text))));
  const people = users(app);
  replace(body, active, stored, el("div", {class: "columns"}, el("div", {}, force, way), people.node),
    el("div", {class: "columns"}, el("div", {}, editor, end), meaning.node));
  take(EMPTY);
  return {
    update(status) {
      const is = Boolean(status.hsm.active), admin = app.can("admin");
      show(active, is);
      show(stored, Boolean(status.hsm.policy_available) && !is && admin);
      show(force, is);
      show(way, !is);
      inForce.textContent = visible(status.hsm.summary?.trim() ?? "Not shown: the policy prefers privacy.") +
        (status.hsm.policy_hash ? `\n\nPolicy hash ${visible(status.hsm.policy_hash)}` : "");
      send.disabled = is || !admin || !status.connected;
      replace(wallets, (status.hsm.wallets ?? []).map((name) => el("option", {value: name})));
      people.update(status);
    },
    frame(data) {
      if (data.update_policy) imported(data.update_policy);
      people.frame(data);
    },
    modal(frame, failed) {
      if (failed && frame.code === "badlen") people.modal(frame);
      return failed && frame.code === "badlen";
    },
  };
}
