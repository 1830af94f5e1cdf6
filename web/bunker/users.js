// bunker/users.js - the users of the device: who may approve.
import {copyButton, el, field, quote, redraw, select, show, visible} from "../common/dom.js?v=%TAG%";
import {qrCode} from "../common/qr.js?v=%TAG%";

const MODES = [["totp", "Six-digit codes; the device shows a QR code"], ["totp_here", "Six-digit codes; the QR code is shown here, once"],
  ["rand_pw", "Password; the device picks and shows it"], ["rand_pw_here", "Password; made and shown here, once"],
  ["give_pw", "Password; typed here"]];

export function users(app) {
  const name = el("input", {maxlength: "16", autocomplete: "off", spellcheck: "false", required: true});
  const password = el("input", {type: "password", autocomplete: "new-password"});
  const mode = select(MODES), passwordField = field("Password", password);
  const seen = el("p", {class: "hint"}, "This bunker's host sees the secret then. It keeps no copy.");
  const list = el("ul", {class: "list"});
  const choose = () => {
    show(passwordField, mode.value === "give_pw");
    show(seen, mode.value.endsWith("_here"));
  };
  let asked = null;
  mode.addEventListener("change", choose);
  choose();
  const create = (...args) => {
    asked = args;
    app.link.act("create_user", ...args);
  };
  const form = el("form", {onsubmit: (event) => {
    event.preventDefault();
    create(name.value, mode.value, password.value);
    name.value = password.value = "";
  }}, el("h3", {}, "Add a user"), field("Name", name, "2 to 16 characters, no comma."), field("How they approve", mode), seen, passwordField,
    el("button", {}, "Add user"));
  const node = el("section", {class: "card", "aria-labelledby": "users"}, el("h2", {id: "users"}, "Users on the device"), list, form);

  async function remove(user) {
    if (await app.confirmed("Delete this user?", el("p", {}, quote(user), " can approve nothing any more. Rules that need this user " +
      "cannot be met."), "Delete")) app.link.act("delete_user", user);
  }
  // Shown once: closing it is the end of it.
  function reveal(data) {
    const secret = data.secret ?? data.password;
    app.shown(el("span", {}, "Secret of ", quote(data.name)), el("div", {},
      el("p", {}, data.secret ? "Scan this with the user's authenticator, or type the secret into it." : "Give this password to the user."),
      qrCode(data.qr, "the secret"), el("p", {class: "mono"}, visible(secret), " ", copyButton(secret, "secret")),
      el("p", {class: "note"}, "It is not shown again.")));
  }
  return {node,
    update(status) {
      const names = status.hsm.users ?? [], fixed = Boolean(status.hsm.active) || !app.can("admin");
      redraw(list, names.map((user) => el("li", {}, quote(user), fixed ? null : el("button", {type: "button", class: "danger small",
        onclick: () => remove(user)}, el("span", {}, "Delete "), quote(user)))),
        names.length ? null : el("li", {}, status.hsm.active ? "Users are not shown: the policy prefers privacy." : "No users yet."));
      show(form, !fixed);
    },
    frame(data) {
      if (data.new_user_secret) reveal(data.new_user_secret);
    },
    // "This device picks no secrets itself": one is made here, if that is wanted.
    async modal(frame) {
      const [user, how] = asked ?? [];
      if (await app.confirmed("Make a secret here?", frame.text ?? "", "Make it here", "main")) create(user, `${how}_here`, "");
    }};
}
