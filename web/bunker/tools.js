// bunker/tools.js - signing text messages.
import {button, copyButton, el, field, replace, select, visible} from "../common/dom.js?v=%TAG%";

const FORMATS = [["segwit", "Segwit (bech32)"], ["classic", "Classic (base58)"], ["p2sh", "Wrapped segwit (P2SH)"]];
const PURPOSE = {segwit: 84, classic: 44, p2sh: 49};

const armoured = (text, address, signature) => `-----BEGIN BITCOIN SIGNED MESSAGE-----\n${text}\n` +
  `-----BEGIN BITCOIN SIGNATURE-----\n${address}\n${signature}\n-----END BITCOIN SIGNATURE-----`;

// Paths that the policy allows: its patterns with 0 for the star, else the usual ones.
function paths(status) {
  const line = /Allowed if path matches: (.*)/.exec(status.hsm.summary ?? "")?.[1] ?? "";
  const allowed = line.split(" OR ").map((p) => p.trim()).filter((p) => p.startsWith("m")).map((p) => p.replace("*", "0"));
  const coin = status.is_testnet ? 1 : 0;
  return [...new Set([...allowed, ...[84, 49, 44].map((n) => `m/${n}'/${coin}'/0'/0/0`)])];
}

// Whether somebody signed a message: the bunker computes it, the device is not asked.
function verification(app) {
  const block = el("textarea", {spellcheck: "false"}), text = el("textarea", {spellcheck: "false"});
  const who = el("input", {spellcheck: "false", autocomplete: "off"}), signature = el("textarea", {spellcheck: "false"});
  const result = el("div", {"aria-live": "polite"});
  block.addEventListener("input", () => {
    const found = /-----BEGIN BITCOIN SIGNED MESSAGE-----\n([^]*?)\n-----BEGIN (?:BITCOIN )?SIGNATURE-----\n([^]*?)\n-----END/.exec(block.value.replaceAll("\r", ""));
    const lines = found?.[2].split("\n").map((line) => line.trim()).filter((line) => line && !line.includes(": "));
    if (lines?.length >= 2) [text.value, who.value, signature.value] = [found[1], lines[0], lines.slice(1).join("")];
  });
  const node = el("form", {class: "card", "aria-labelledby": "verify", onsubmit: (event) => {
    event.preventDefault();
    replace(result);
    app.link.act("verify_message", who.value.trim(), signature.value.replace(/\s/g, ""), text.value);
  }}, el("h2", {id: "verify"}, "Verify a signed message"),
    field("All of it, as it was sent", block, "Fills in the three fields below."),
    el("div", {class: "pairs"}, field("Address of the signer", who), field("Message to verify", text), field("Signature to verify", signature)),
    result, el("button", {}, "Verify"));
  return {node,
    frame(data) {
      const got = data.message_verified;
      if (got) replace(result, el("p", {class: `note ${got.ok ? "good" : "bad"}`, role: got.ok ? "status" : "alert"},
        got.ok ? "✓ " : "✗ ", visible(got.text)));
    }};
}

export function toolsPage(app, body) {
  const text = el("textarea", {required: true, spellcheck: "false"});
  const path = el("input", {list: "paths", spellcheck: "false", autocomplete: "off"});
  const format = select(FORMATS), known = el("datalist", {id: "paths"});
  const result = el("div", {"aria-live": "polite"}, el("p", {class: "hint"}, "Nothing has been signed yet."));
  const length = el("p", {class: "hint", "aria-live": "polite"});
  let asked = "";
  text.addEventListener("input", () => {
    const n = new TextEncoder().encode(text.value).length;
    length.textContent = n > 240 ? `${n} bytes: more than the 240 that a device takes.` : `${n} of 240 bytes`;
  });
  format.addEventListener("change", () => {
    path.value = path.value.replace(/^m\/(84|49|44)'/, `m/${PURPOSE[format.value]}'`);
  });
  const send = el("button", {class: "main"}, "Sign message");
  const form = el("form", {class: "card", "aria-labelledby": "text", onsubmit: (event) => {
    event.preventDefault();
    asked = text.value;
    replace(result, el("p", {}, "Waiting for the device…"), app.status.hsm.active ? null
      : button("Stop waiting", () => app.link.act("cancel")));
    app.link.act("sign_message", text.value, path.value, format.value);
  }},
    el("h2", {id: "text"}, "Sign a text message"), field("Message", text, "Printable ASCII, 2 to 240 characters."), length,
    el("div", {class: "pairs"}, field("Derivation path", path, "Which key signs."), field("Address format", format)), known, send);
  const answer = el("section", {class: "card", "aria-labelledby": "result"}, el("h2", {id: "result"}, "Signature and address"), result);
  const check = verification(app);
  replace(body, el("div", {class: "columns"}, form, answer), check.node);

  function done(value) {
    const [signature, address] = value.split("\n");
    if (!address) {
      replace(result, el("p", {class: "note bad"}, "The device did not sign it."));
      return;
    }
    const block = armoured(asked, address, signature);
    replace(result, el("h3", {}, "Address"), el("p", {class: "mono"}, visible(address), " ", copyButton(address, "address")),
      el("h3", {}, "Signature"), el("p", {class: "mono"}, visible(signature), " ", copyButton(signature, "signature")),
      el("h3", {}, "All of it, to be sent"), el("pre", {class: "armour"}, visible(block)), copyButton(block, "signed message"));
    app.title("Message signed");
  }
  return {
    update(status) {
      if (!path.value) path.value = paths(status)[0];
      replace(known, paths(status).map((p) => el("option", {value: p})));
      send.disabled = !status.connected || !app.can("operator");
    },
    frame(data) {
      if (data.msg_signing_result) done(data.msg_signing_result);
      check.frame(data);
    },
  };
}
