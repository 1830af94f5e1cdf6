// bunker/settings.js - the bunker's own settings, and what it knows of the device.
import {button, check, el, field, pair, quote, redraw, replace, show, visible} from "../common/dom.js?v=%TAG%";
import {secondFactor} from "./factor.js?v=%TAG%";
import {ask} from "./link.js?v=%TAG%";
import {STATES} from "./text.js?v=%TAG%";
import {torCard} from "./tor.js?v=%TAG%";

const RECORDS = 100;

// --- What the device is, and what to do where it is not well ---

function device(app) {
  const about = el("dl", {class: "strip"}), advice = el("div", {"aria-live": "polite"}), other = el("div");
  async function accept(status) {
    if (await app.confirmed("Another device", el("p", {}, "Is this really the device that should sign from now on: serial number ",
      quote(status.serial_number), `, fingerprint ${status.xfp}? What the bunker keeps under the old device's key is closed then.`), "Accept this device"))
      app.link.act("confirm_device", status.serial_number);
  }
  return {node: el("section", {class: "card", "aria-labelledby": "device-card"}, el("h2", {id: "device-card"}, "Device"), advice, other, about),
    update(status) {
      const d = status.casemate.device, [kind, label, help] = STATES[d.state];
      redraw(advice, help ? el("p", {class: `note ${kind}`}, help, d.why ? [" The reason: ", quote(d.why)] : null) : null);
      redraw(other, status.casemate.other_device ? el("div", {class: "note bad"}, el("p", {}, "Another device than the one that was here first: ",
        quote(`${status.casemate.pin?.serial ?? "–"}, ${status.casemate.pin?.xfp ?? "–"}`), ". Nothing is signed until an admin confirms it."),
        app.can("admin") ? button("Look at it, and accept it", () => accept(app.status), "danger") : null) : null);
      redraw(about, pair("State", label), pair("Serial number", visible(status.serial_number ?? "–")), pair("Fingerprint", status.xfp ?? "–"),
        pair("Firmware", visible(d.firmware ?? "–")), pair("Attached by", d.kind), pair("Bunker", visible(status.casemate.version)),
        pair("You are", visible(status.casemate.account ?? "–"), ` (${status.casemate.role})`),
        pair("Settings", status.sl_loaded ? "kept" : "not kept yet"));
    }};
}

// --- Login ---

function login(app) {
  const password = el("input", {type: "password", autocomplete: "new-password", minlength: "4", maxlength: "199"});
  const [rebootLabel, reboot] = check("The bunker may be restarted without restarting the device", true);
  const unset = el("p", {class: "note hidden"}, "No password has been set: nobody can log in from elsewhere.");
  const suggestion = el("p", {class: "mono", "aria-live": "polite"});
  const form = el("form", {class: "card", "aria-labelledby": "login", onsubmit: (event) => {
    event.preventDefault();
    app.link.act("new_bunker_config", JSON.stringify({...(password.value ? {master_pw: password.value} : {}), allow_reboots: reboot.checked}));
    password.value = "";
    suggestion.textContent = "";
  }}, el("h2", {id: "login"}, "Login"), unset,
    el("input", {class: "hidden", autocomplete: "username", value: "admin", "aria-hidden": "true", tabindex: "-1", "aria-label": "Account"}),
    field("New password of the account admin", password, "It is kept hashed, and never shown again. Empty: it stays as it is."), rebootLabel, suggestion,
    el("div", {class: "row"}, el("button", {class: "main"}, "Save changes"), button("Suggest one", () => app.link.act("pick_master_pw"))));
  return {node: form,
    update(status) {
      show(unset, !status.casemate.has_password);
      show(form, app.can("admin"));
    },
    frame(data) {
      if (!data.new_master_pw) return;
      password.value = data.new_master_pw;
      suggestion.textContent = `Suggested: ${data.new_master_pw}. Write it down, then save.`;
    }};
}

// --- Who did what ---

function audit(app) {
  const rows = el("tbody"), problem = el("p", {class: "hint", role: "status"});
  const table = el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Records"}, el("table", {class: "stack"},
    el("thead", {}, el("tr", {}, ["Time", "Event", "Account", "Outcome", "What"].map((head) => el("th", {scope: "col"}, head)))), rows));
  const node = el("details", {class: "card"}, el("summary", {}, "Who did what"),
    el("p", {class: "hint"}, `The newest ${RECORDS} records. Each holds the hash of the one before: a record that was changed breaks the chain.`),
    problem, table);
  async function load() {
    const all = await ask(`/api/audit?last=${RECORDS}`);
    problem.textContent = all.error ?? "";
    if (!all.error) replace(rows, all.slice(-RECORDS).reverse().map((r) => el("tr", {}, el("td", {}, visible(r.time).replace("T", " ")),
      el("td", {}, visible(r.event)), el("td", {}, visible(r.account ?? "")), el("td", {}, visible(r.outcome ?? "")),
      el("td", {class: "wide"}, quote(r.reason ?? "")))));
  }
  node.addEventListener("toggle", () => node.open && load());
  return {node, update() { show(node, app.can("admin")); }};
}

function ending(app) {
  const node = el("section", {class: "card", "aria-labelledby": "ending"}, el("h2", {id: "ending"}, "Ending"), el("div", {class: "row"},
    button("Log everybody out", async () => {
      if (await app.confirmed("Log everybody out?", "All sessions end, this one too. Codes and loaded transactions are forgotten.", "Log everybody out"))
        app.link.act("logout_everyone");
    }, "danger"),
    button("Stop the bunker", async () => {
      if (await app.confirmed("Stop the bunker?", "Nobody can sign through it until it is started again on its host.", "Stop the bunker"))
        app.link.act("shutdown_bunker", "confirm");
    }, "danger")));
  return {node, update() { show(node, app.can("admin")); }};
}

export function bunkerPage(app, body) {
  const parts = [device(app), login(app), secondFactor(app), torCard(app), audit(app), ending(app)];
  const [about, door, factor, tor, records, end] = parts.map((part) => part.node);
  replace(body, about, el("div", {class: "columns"}, el("div", {}, door, factor), tor), records, end);
  return {
    update(status) { parts.forEach((part) => part.update(status)); },
    frame(data, frame) { parts.forEach((part) => part.frame?.(data, frame)); },
  };
}
