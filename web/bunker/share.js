// bunker/share.js - meeting in the bunker: several people before one transaction.
import {button, check, copyButton, el, field, plural, quote, redraw, replace, show} from "../common/dom.js?v=%TAG%";

export function sharing(app) {
  const code = el("input", {autocomplete: "off", spellcheck: "false", autocapitalize: "characters"});
  const join = el("form", {onsubmit: (event) => {
    event.preventDefault();
    app.link.act("slot_join", code.value.trim());
    code.value = "";
  }}, field("Code of a shared transaction", code, "Whoever shared it can tell you. Your own transaction waits meanwhile."), el("button", {}, "Join"));
  const state = el("div", {"aria-live": "polite"});
  const [checkedLabel, checked] = check("I have checked this transaction");
  checked.addEventListener("change", () => checked.checked && app.link.act("slot_checked", app.status.psbt_hash));
  const share = button("Share this transaction", () => app.link.act("slot_share"));
  const leave = button("Leave", () => app.link.act("slot_leave"));
  const node = el("details", {class: "card"}, el("summary", {}, "Several people, one transaction"), state, checkedLabel,
    el("div", {class: "row"}, share, leave), join);

  return {node,
    update(status) {
      const slot = status.casemate.slot, byCode = Boolean(slot.code);
      redraw(state, byCode ? el("div", {class: "note info"}, el("p", {}, "Shared under the code ", el("strong", {class: "mono"}, slot.code), " ",
        copyButton(slot.code, "code to join"), `, before ${plural(slot.viewers, "person", "people")}. `,
        slot.mine ? "Only you can replace it." : "Who shared it can replace it."),
      slot.given.length ? el("ul", {}, slot.given.map((g) => el("li", {}, "✓ ", quote(g.name), ": a code by ",
        g.mine ? "you" : quote(g.account)))) : el("p", {}, "Nobody has given a code yet."))
        : el("p", {class: "hint"}, slot.shared ? "Everybody here has the same transaction."
          : "Others can look at this transaction and give their codes in their own browser. Nobody sees another's code."));
      if (byCode) node.open = true;
      checked.checked = Boolean(slot.checked);
      checked.disabled = checked.checked;
      show(checkedLabel, byCode && Boolean(status.psbt_hash));
      show(share, !slot.shared && Boolean(status.psbt_hash));
      show(leave, byCode);
      show(join, !slot.shared);
      show(node, app.can("operator"));
    }};
}
