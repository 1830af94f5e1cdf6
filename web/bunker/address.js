// bunker/address.js - receiving: an address that the device derives, and shows on its own screen.
import {address, button, copyButton, el, field, replace, select, visible} from "../common/dom.js?v=%TAG%";

const FORMATS = [["segwit", "Segwit (bech32)", 84], ["taproot", "Taproot (bech32m)", 86], ["p2sh", "Wrapped segwit (P2SH)", 49],
  ["classic", "Classic (base58)", 44]];

export function addressPage(app, body) {
  const format = select(FORMATS.map(([key, label]) => [key, label]));
  const account = el("input", {type: "number", min: "0", max: "2147483647", value: "0"});
  const index = el("input", {type: "number", min: "0", max: "2147483647", value: "0"});
  const path = el("input", {spellcheck: "false", autocomplete: "off"});
  const result = el("div", {"aria-live": "polite"}, el("p", {class: "hint"}, "No address has been asked for yet."));
  const derive = () => {
    const purpose = FORMATS.find(([key]) => key === format.value)[2];
    path.value = `m/${purpose}'/${app.status.is_testnet ? 1 : 0}'/${account.value || 0}'/0/${index.value || 0}`;
  };
  const ask = el("button", {class: "main"}, "Show on the device and here");
  const form = el("form", {class: "card noprint", "aria-labelledby": "which", onsubmit: (event) => {
    event.preventDefault();
    replace(result, el("p", {}, "Waiting for the device…"));
    app.link.act("show_address", path.value, format.value);
  }}, el("h2", {id: "which"}, "Which address"),
    field("Kind", format), el("div", {class: "pairs"}, field("Account", account), field("Number of the address", index)),
    field("Derivation path", path, "Filled in from the fields above; any other path will do."), ask,
    el("p", {class: "hint"}, "In HSM mode the policy must allow the path (addresses that may be read)."));
  form.addEventListener("input", (event) => event.target !== path && derive());
  const shown = el("section", {class: "card print", "aria-labelledby": "shown"}, el("h2", {id: "shown"}, "Address"), result);
  replace(body, el("div", {class: "columns"}, form, shown));
  derive();

  function next() {
    index.value = String(Number(index.value) + 1);
    derive();
    form.requestSubmit();
  }
  return {
    update(status) {
      ask.disabled = !status.connected || !app.can("operator");
    },
    frame(data, frame) {
      const got = frame.address_shown;
      if (!got) return;
      replace(result, el("p", {class: "big"}, address(got.address)), el("p", {class: "row"}, copyButton(got.address, "address"),
        button("Next address", next, "small"), button("Print", () => window.print(), "small")),
        el("img", {class: "qr", src: `/api/qr?text=${encodeURIComponent(got.address)}`, alt: "QR code of the address", width: 272, height: 272}),
        el("p", {}, "Path ", el("span", {class: "mono"}, visible(got.path)), `, device ${app.status.xfp ?? "–"}`),
        el("p", {class: "note noprint"}, "Compare it with the device's own screen before you give it to anybody: this host could show another one."));
      app.title("Address");
    },
    modal(frame, failed) {
      if (failed) replace(result, el("p", {class: "note bad"}, visible(frame.text ?? "")));
      return failed;
    },
  };
}
