// bunker/settings.js - the bunker's own settings.
import {check, el, field, replace, show} from "../common/dom.js?v=%TAG%";

export function bunkerPage(app, body) {
  const password = el("input", {type: "password", autocomplete: "new-password", minlength: "4", maxlength: "199"});
  const [rebootLabel, reboot] = check("The bunker may restart without the device being restarted", true);
  const unset = el("p", {class: "note hidden"}, "No password has been set: nobody can log in from elsewhere.");
  const form = el("form", {class: "card", onsubmit: (event) => {
    event.preventDefault();
    app.link.act("new_bunker_config", JSON.stringify({master_pw: password.value, allow_reboots: reboot.checked}));
    password.value = "";
  }}, el("h2", {}, "Login"), unset,
    el("input", {class: "hidden", autocomplete: "username", value: "admin", "aria-hidden": "true", tabindex: "-1"}),
    field("New password of the account admin", password, "It is kept hashed, and never shown again."), rebootLabel,
    el("div", {class: "row"}, el("button", {class: "main"}, "Save changes"),
      el("button", {type: "button", onclick: () => app.link.act("pick_master_pw")}, "Suggest one")));
  const suggestion = el("p", {class: "mono", "aria-live": "polite"});
  const about = el("dl", {class: "strip"});
  const end = el("section", {class: "card"}, el("h2", {}, "Ending"),
    el("div", {class: "row"},
      el("button", {type: "button", class: "danger", onclick: () => app.link.act("logout_everyone")}, "Log everybody out"),
      el("button", {type: "button", class: "danger", onclick: () => {
        if (confirm("Stop the bunker? Nobody can sign through it until it is started again."))
          app.link.act("shutdown_bunker", "confirm");
      }}, "Stop the bunker")));
  form.append(suggestion);
  replace(body, el("section", {class: "card"}, el("h2", {}, "Device"), about), form, end);
  return {
    update(status) {
      const d = status.casemate.device;
      const rows = [["Serial number", status.serial_number ?? "–"], ["Fingerprint", status.xfp ?? "–"],
                    ["Firmware", d.firmware ?? "–"], ["State", d.state], ["Bunker", status.casemate.version],
                    ["You are", `${status.casemate.account} (${status.casemate.role})`]];
      replace(about, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
      show(unset, !status.casemate.has_password);
    },
    frame(data) {
      if (!data.new_master_pw) return;
      password.value = data.new_master_pw;
      suggestion.textContent = `Suggested: ${data.new_master_pw}. Write it down, then save.`;
    },
  };
}
