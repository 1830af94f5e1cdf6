// bunker/users.js - the users of the device: who may approve.
import {el, field, quote, redraw, select, show} from "../common/dom.js?v=%TAG%";

const MODES = [["totp", "Six-digit codes; the device shows a QR code"], ["rand_pw", "Password; the device picks and shows it"],
  ["give_pw", "Password; typed here"]];

export function users(app) {
  const name = el("input", {maxlength: "16", autocomplete: "off", spellcheck: "false", required: true});
  const password = el("input", {type: "password", autocomplete: "new-password"});
  const mode = select(MODES), passwordField = field("Password", password);
  const list = el("ul", {class: "list"});
  mode.addEventListener("change", () => show(passwordField, mode.value === "give_pw"));
  show(passwordField, false);
  const form = el("form", {onsubmit: (event) => {
    event.preventDefault();
    app.link.act("create_user", name.value, mode.value, password.value);
    name.value = password.value = "";
  }}, el("h3", {}, "Add a user"), field("Name", name, "2 to 16 characters, no comma."), field("How they approve", mode), passwordField,
    el("button", {}, "Add user"));
  const node = el("section", {class: "card", "aria-labelledby": "users"}, el("h2", {id: "users"}, "Users on the device"), list, form);

  async function remove(user) {
    if (await app.confirmed("Delete this user?", el("p", {}, quote(user), " can approve nothing any more. Rules that need this user " +
      "cannot be met."), "Delete")) app.link.act("delete_user", user);
  }
  return {node,
    update(status) {
      const names = status.hsm.users ?? [], fixed = Boolean(status.hsm.active) || !app.can("admin");
      redraw(list, names.map((user) => el("li", {}, quote(user), fixed ? null : el("button", {type: "button", class: "danger small",
        onclick: () => remove(user)}, el("span", {}, "Delete "), quote(user)))),
        names.length ? null : el("li", {}, status.hsm.active ? "Users are not shown: the policy prefers privacy." : "No users yet."));
      show(form, !fixed);
    }};
}
