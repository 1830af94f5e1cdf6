// bunker/app.js - the frame around every page: state, notes, dialogs, files.
import {el, replace, save, show} from "../common/dom.js?v=%TAG%";
import {themeButton} from "../common/theme.js?v=%TAG%";
import {Link} from "./link.js?v=%TAG%";
import {signPage} from "./sign.js?v=%TAG%";
import {toolsPage} from "./tools.js?v=%TAG%";
import {setupPage} from "./setup.js?v=%TAG%";
import {bunkerPage} from "./settings.js?v=%TAG%";
import {helpPage} from "./help.js?v=%TAG%";
import {STATES} from "./text.js?v=%TAG%";

const PAGES = {
  "/": ["Sign transaction", signPage], "/tools": ["Messages", toolsPage],
  "/setup": ["Policy and users", setupPage], "/bunker": ["Bunker", bunkerPage], "/help": ["Help", helpPage],
};

const main = document.getElementById("main");
const app = {status: window.CASEMATE.STATUS, csrf: window.CASEMATE.CSRF, link: new Link(window.WEBSOCKET_URL)};
const [title, build] = PAGES[location.pathname] ?? PAGES["/"];
const chip = document.getElementById("device");
const notes = el("div", {"aria-live": "polite"});
const lost = el("p", {class: "note bad hidden", role: "alert"});
const body = el("div");
replace(main, el("h1", {}, title), lost, notes, body);
const page = build(app, body);

document.getElementById("tools").prepend(themeButton());
for (const link of document.querySelectorAll("nav a"))
  if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");

// --- Dialogs, notes, files ---

app.note = (text) => {
  const node = el("p", {class: "note"}, text.trim() + " ", el("button", {type: "button", onclick: () => node.remove()},
                                                              "Dismiss"));
  notes.append(node);
};

function modal(frame) {
  const failed = frame.selector === ".js-api-fail";
  const text = frame.text ?? "";
  const dialog = el("dialog", {"aria-labelledby": "dialog-title"},
    el("h2", {id: "dialog-title"}, failed ? "Failed." : "Success!"),
    el("p", {role: failed ? "alert" : "status"}, text),
    el("form", {method: "dialog"}, el("button", {class: "main", autofocus: true}, "Dismiss")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  document.title = `${failed ? "Failed" : "Done"} – Casemate`;
}

function download(file) {
  const raw = file.is_b64 ? Uint8Array.from(atob(file.data), (c) => c.charCodeAt(0)) : file.data;
  save(raw, file.filename);
}

// --- Frames ---

function render() {
  const device = app.status.casemate.device;
  const [kind, label, help] = STATES[device.state];
  chip.className = `chip ${kind}`;
  chip.textContent = app.status.connected ? `${label} · ${app.status.xfp ?? "no seed"}` : label;
  chip.title = device.why ?? help;
  page.update?.(app.status);
}

app.link.addEventListener("frame", ({detail: frame}) => {
  const data = frame.vue_app_cb ?? {};
  if (data.update_status) {
    app.status = data.update_status;
    render();
  }
  page.frame?.(data, frame);
  if (frame.show_modal) modal(frame);
  if (frame.show_flash_msg) app.note(frame.show_flash_msg);
  if (frame.local_download) download(frame.local_download);
  if (frame.redirect === "/logout") location.assign("/logout");
});

let waiting;
app.link.addEventListener("link", ({detail}) => {
  clearInterval(waiting);
  show(lost, !detail.open);
  if (detail.open || detail.ended) {
    if (detail.ended) location.assign("/logout");
    return;
  }
  let left = detail.wait;
  const tick = () => {
    lost.textContent = `The connection to the bunker was lost. Trying again in ${left--} s. What you typed is kept.`;
  };
  tick();
  waiting = setInterval(tick, 1000);
});

document.title = `${title} – Casemate`;
render();
