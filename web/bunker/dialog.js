// bunker/dialog.js - what is said and asked in the middle of the screen. Focus goes in, and back to where it was.
import {button, el, newId, visible} from "../common/dom.js?v=%TAG%";

function open(title, content, buttons) {
  const id = newId(), before = document.activeElement;
  const dialog = el("dialog", {"aria-labelledby": id}, el("h2", {id}, title), content, el("div", {class: "row"}, buttons));
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

// "Rejected: rule #1: amount exceeded, rule #2: need user(s) confirmation" as a lead and a list.
export function refusal(text) {
  const at = text.indexOf("Rejected: rule #");
  if (at < 0) return el("p", {}, visible(text));
  const parts = text.slice(at + "Rejected: ".length).split(/, (?=rule #\d+: )/);
  return el("div", {}, el("p", {}, visible(text.slice(0, at) + "Rejected:")),
    el("ul", {}, parts.map((part) => el("li", {}, visible(part)))));
}

export function tell(failed, text) {
  const dismiss = el("button", {type: "button", class: "main", autofocus: true}, "Dismiss");
  const dialog = open(failed ? "Failed." : "Success!", el("div", {role: failed ? "alert" : "status"}, refusal(text)), dismiss);
  dismiss.addEventListener("click", () => dialog.close());
  dismiss.focus();
}

function closing(title, content, word) {
  const close = el("button", {type: "button", class: "main"}, word);
  const dialog = open(title, content, close);
  close.addEventListener("click", () => dialog.close());
  close.focus();
  return dialog;
}

// Something to be read, and closed; something that goes on by itself until it ends or is cancelled. Each gives its dialog.
export const shown = (title, content) => closing(title, content, "Close");
export const asked = (title, content) => closing(title, content, "Cancel");

// Resolves to whether the person said yes. `content` may hold a question of its own, as words to be typed.
export function confirmed(title, content, yes, kind = "danger") {
  return new Promise((resolve) => {
    const dialog = open(title, typeof content === "string" ? el("p", {}, content) : content, [
      el("button", {type: "button", class: kind, "data-yes": true}, yes),
      button("Cancel", () => dialog.close())]);
    dialog.querySelector("[data-yes]").addEventListener("click", () => {
      resolve(true);
      dialog.close();
    });
    dialog.addEventListener("close", () => resolve(false));
    dialog.querySelector("input, button:not([data-yes])").focus();
  });
}
