// bunker/app.js - the frame around every page: state, notes, dialogs, files.
import {button, el, redraw, replace, save, show, visible} from "../common/dom.js?v=%TAG%";
import {themeChoice} from "../common/theme.js?v=%TAG%";
import {addressPage} from "./address.js?v=%TAG%";
import {confirmed, shown, tell} from "./dialog.js?v=%TAG%";
import {askFactor} from "./factor.js?v=%TAG%";
import {helpPage} from "./help.js?v=%TAG%";
import {Link} from "./link.js?v=%TAG%";
import {setupPage} from "./setup.js?v=%TAG%";
import {bunkerPage} from "./settings.js?v=%TAG%";
import {signPage} from "./sign.js?v=%TAG%";
import {STATES} from "./text.js?v=%TAG%";
import {toolsPage} from "./tools.js?v=%TAG%";

const PAGES = {
  "/": ["Sign transaction", signPage], "/tools": ["Messages", toolsPage], "/address": ["Addresses", addressPage],
  "/setup": ["Policy and users", setupPage], "/bunker": ["Bunker", bunkerPage], "/help": ["Help", helpPage],
};

document.documentElement.classList.add("js");
const main = document.getElementById("main");
const [title, build] = PAGES[location.pathname] ?? PAGES["/"];
const app = {status: window.CASEMATE.STATUS, link: new Link(window.WEBSOCKET_URL), confirmed, shown};
const chip = document.getElementById("device");
const notes = el("div", {"aria-live": "polite"});
const lost = el("div", {class: "note bad hidden", role: "alert"});
const body = el("div");

// The title tells the state, for those who have the page in a tab: "Signed – Casemate".
app.title = (state) => { document.title = `${state ?? title} – Casemate`; };
app.note = (text, kind = "") => {
  const note = el("div", {class: `note ${kind}`}, el("p", {}, visible(text.trim())),
    button("Dismiss", () => note.remove(), "small"));
  notes.append(note);
};
app.can = (role) => ["none", "viewer", "operator", "admin"].indexOf(app.status.casemate.role) >=
  ["none", "viewer", "operator", "admin"].indexOf(role);
app.title();
replace(main, el("h1", {}, title), lost, notes, body);
const page = build(app, body);
const theme = themeChoice(app.status.casemate.theme, (name) => app.link.act("set_theme", name));
document.getElementById("footer").append(theme);
for (const link of document.querySelectorAll("nav a"))
  if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");

// --- The menu of small screens ---

const menu = document.getElementById("menu"), nav = document.getElementById("nav");
nav.append(el("form", {class: "hidden", id: "leave", method: "post", action: "/logout"},
  el("input", {type: "hidden", name: "csrf", value: window.CASEMATE.CSRF}), el("button", {}, "Log out")));
menu.addEventListener("click", () => {
  const open = nav.classList.toggle("open");
  menu.setAttribute("aria-expanded", String(open));
  show(document.getElementById("leave"), open);
});

// --- Frames ---

function download(file) {
  const raw = file.is_b64 ? Uint8Array.from(atob(file.data), (c) => c.charCodeAt(0)) : file.data;
  save(raw, file.filename);
}

// Above 95 refusals the bunker wants to be asked twice.
async function goOn(text) {
  const again = app.link.last;
  if (await confirmed("Few refusals are left", visible(text), "Go on all the same")) app.link.act(...again);
}

function render() {
  const device = app.status.casemate.device;
  const [kind, label, help] = STATES[device.state];
  chip.className = `chip dot ${kind}`;
  redraw(chip, label, app.status.connected ? el("span", {class: "optional"}, ` · ${app.status.xfp ?? "no seed"}`) : null);
  chip.title = visible(device.why ?? help);
  page.update?.(app.status);
}

app.link.addEventListener("frame", ({detail: frame}) => {
  const data = frame.vue_app_cb ?? {};
  if (data.update_status) {
    app.status = data.update_status;
    render();
  }
  page.frame?.(data, frame);
  if (frame.show_modal) {
    const failed = frame.selector === ".js-api-fail";
    app.title(failed ? "Failed" : "Done");
    if (failed && frame.code === "factor") askFactor(app, frame.text ?? "");
    else if (failed && frame.code === "confirm") goOn(frame.text ?? "");
    else if (!page.modal?.(frame, failed)) tell(failed, frame.text ?? "");
  }
  if (frame.show_flash_msg) app.note(frame.show_flash_msg, "info");
  if (frame.local_download) download(frame.local_download);
  if (frame.redirect === "/logout") location.assign("/logout");
});

app.link.addEventListener("csrf", ({detail}) => {
  for (const field of document.querySelectorAll("input[name=csrf]")) field.value = detail;
});

app.link.addEventListener("unsent", () => app.note("There is no connection to the bunker: that was not done.", "bad"));

let waiting;
app.link.addEventListener("link", ({detail}) => {
  clearInterval(waiting);
  show(lost, !detail.open);
  main.toggleAttribute("data-offline", !detail.open);
  if (detail.ended) location.assign("/logout");
  if (detail.login)
    replace(lost, el("p", {}, "You are no longer logged in. "), el("p", {},
      el("a", {href: `/login${location.pathname === "/" ? "" : "?u=" + location.pathname.slice(1)}`}, "Log in again")));
  if (detail.open || detail.ended || detail.login) return;
  let left = detail.wait;
  const tick = () => {
    lost.textContent = `The connection to the bunker was lost. Trying again in ${Math.max(0, left--)} s. What you typed is kept.`;
  };
  tick();
  waiting = setInterval(tick, 1000);
});

render();
