// bunker/factor.js - the second factor of one's own account: enrolment, and giving a code again.
import {button, copyButton, el, field, newId, replace, show, visible} from "../common/dom.js?v=%TAG%";
import {qrCode} from "../common/qr.js?v=%TAG%";

const codeInput = () => el("input", {inputmode: "numeric", autocomplete: "one-time-code", maxlength: "6", pattern: "[0-9]{6}", id: newId()});

// "Give your one-time code again": asks for it, and does once more what was refused.
export async function askFactor(app, text) {
  const code = codeInput(), again = app.link.last;
  const yes = await app.confirmed("Second factor", el("div", {}, el("p", {}, visible(text)), field("Code of your authenticator", code)), "Go on", "main");
  if (!yes || !code.value) return;
  app.link.act("factor", code.value.trim());
  if (again && again[0] !== "factor") app.link.act(...again);
}

export function secondFactor(app) {
  const place = el("div", {"aria-live": "polite"});
  const begin = button("Set up a second factor", () => app.link.act("totp_begin"));
  const node = el("section", {class: "card", "aria-labelledby": "factor"}, el("h2", {id: "factor"}, "Second factor of your account"),
    el("p", {class: "hint"}, "A one-time code is then asked for at every login, and again before changes."), place, begin);
  function enrol(data) {
    const code = codeInput();
    replace(place, el("ol", {}, el("li", {}, "Scan this with your authenticator, or type the secret into it."), el("li", {}, "Type the code that it shows.")),
      qrCode(data.qr, "the secret"), el("p", {}, "Secret ", el("span", {class: "mono"}, visible(data.secret)), " ", copyButton(data.secret, "secret")),
      el("form", {onsubmit: (event) => {
        event.preventDefault();
        app.link.act("totp_confirm", code.value.trim());
        code.value = "";
      }}, field("Code", code), el("button", {class: "main"}, "Confirm")));
    show(begin, false);
    code.focus();
  }
  return {node,
    update(status) { show(node, !["local", ""].includes(status.casemate.account ?? "")); },
    frame(data, frame) {
      if (data.totp_enrol) enrol(data.totp_enrol);
      if (/one-time code is asked for/.test(frame.show_flash_msg ?? "")) {
        replace(place);
        show(begin, true);
      }
    }};
}
