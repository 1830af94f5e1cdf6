// bunker/tor.js - the onion service: whether it runs, under which address, and for whom.
import {button, check, copyButton, el, field, pair, quote, redraw, show, visible} from "../common/dom.js?v=%TAG%";

const STATES = {off: "off", away: "no Tor daemon", good: "Tor is there", added: "being published", published: "published"};

export function torCard(app) {
  const about = el("dl", {class: "strip"}), problem = el("div", {"aria-live": "polite"}), address = el("div", {"aria-live": "polite"});
  const [wantLabel, want] = check("Offer this bunker as an onion service");
  const clients = el("textarea", {spellcheck: "false"});
  let picked = null, told = false;
  const form = el("form", {onsubmit: (event) => {
    event.preventDefault();
    const config = {tor_enabled: want.checked, onion_clients: clients.value.split(/\s+/).filter(Boolean)};
    if (picked) [config.onion_addr, config.onion_pk] = picked;
    app.link.act("new_bunker_config", JSON.stringify(config));
    picked = null;
  }}, wantLabel, address, field("Who may open it", clients, "Public keys of Tor Browsers, one on a line: others do not even find the login " +
    "page. Empty: everybody who knows the address."),
    el("div", {class: "row"}, el("button", {class: "main"}, "Save"), button("Pick an address", () => app.link.act("pick_onion_addr"))));
  const node = el("section", {class: "card", "aria-labelledby": "tor"}, el("h2", {id: "tor"}, "Tor"), problem, about, form);
  return {node,
    update(status) {
      const tor = status.casemate.tor;
      show(node, Boolean(tor));
      show(form, app.can("admin"));
      if (!tor) return;
      redraw(about, pair("Service", STATES[tor.state] ?? visible(tor.state)), pair("Tor", visible(tor.version ?? "–")),
        tor.uploads ? pair("Published to", `${tor.uploaded} of ${tor.uploads}`) : null);
      redraw(problem, tor.why ? el("p", {class: "note"}, quote(tor.why)) : null);
      const shown = picked?.[0] ?? tor.address;
      redraw(address, shown ? el("p", {}, picked ? "New address, kept once you save: " : "Address ", el("span", {class: "mono"}, visible(shown)), " ",
        copyButton(shown, "onion address")) : el("p", {class: "hint"}, "No address has been picked yet."));
      if (!told) {
        want.checked = Boolean(status.tor_enabled);
        clients.value = tor.clients.join("\n");
        told = true;
      }
    },
    frame(data) {
      if (!data.new_onion_addr) return;
      picked = data.new_onion_addr;
      this.update(app.status);
    }};
}
