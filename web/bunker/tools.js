// bunker/tools.js - signing text messages.
import {el, field, replace} from "../common/dom.js?v=%TAG%";

const PATHS = ["m/84'/0'/0'/0/0", "m/84'/1'/0'/0/0", "m/44'/0'/0'/0/0", "m/49'/0'/0'/0/0", "m"];

export function toolsPage(app, body) {
  const text = el("textarea", {maxlength: "240", required: true});
  const path = el("input", {value: PATHS[1], list: "paths", spellcheck: "false"});
  const format = el("select", {}, el("option", {value: "segwit"}, "Segwit (bech32)"),
    el("option", {value: "classic"}, "Classic (base58)"), el("option", {value: "p2sh"}, "Wrapped segwit (P2SH)"));
  const result = el("pre", {"aria-live": "polite"});
  const form = el("form", {class: "card", onsubmit: (event) => {
    event.preventDefault();
    result.textContent = "Waiting for the device…";
    app.link.act("sign_message", text.value, path.value, format.value);
  }},
    el("h2", {}, "Sign a text message"), field("Message", text, "Printable ASCII, 2 to 240 characters."),
    field("Derivation path", path), el("datalist", {id: "paths"}, PATHS.map((p) => el("option", {value: p}))),
    field("Address format", format), el("button", {class: "main"}, "Sign message"));
  replace(body, form, el("section", {class: "card"}, el("h2", {}, "Signature and address"), result));
  return {frame(data) {
    if (data.msg_signing_result) result.textContent = data.msg_signing_result;
  }};
}
