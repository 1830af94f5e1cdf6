// coordinator/app.js - the frame: who is there, which wallet, which page; reads the state again and again.
import {button, el, redraw, replace, select, show, visible} from "../common/dom.js?v=%TAG%";
import {themeChoice} from "../common/theme.js?v=%TAG%";
import {get, setCsrf} from "./api.js?v=%TAG%";
import {auditPage} from "./audit.js?v=%TAG%";
import {limitsPage} from "./limits.js?v=%TAG%";
import {overviewPage} from "./overview.js?v=%TAG%";
import {payPage} from "./pay.js?v=%TAG%";
import {refillsPage} from "./refills.js?v=%TAG%";
import {signersPage} from "./signers.js?v=%TAG%";
import {spendPage, spendsPage} from "./spends.js?v=%TAG%";
import {CODES} from "./words.js?v=%TAG%";

const READ_MS = 2000;
const PAGES = {
  overview: ["Treasury", overviewPage], pay: ["Pay", payPage], spends: ["Payments", spendsPage], spend: ["Payment", spendPage],
  signers: ["Signers", signersPage], limits: ["Limits and lists", limitsPage], refills: ["Refills", refillsPage], audit: ["Audit", auditPage],
};

const main = document.getElementById("main"), chip = document.getElementById("quorum");
const notes = el("div", {"aria-live": "polite"});
const lost = el("div", {class: "note bad hidden", role: "alert"});
const app = {me: null, wallets: [], wallet: null, velocity: null, signers: [], spends: [], changes: []};
let page = null;

app.note = (text, kind = "") => {
  const note = el("div", {class: `note ${kind}`}, el("p", {}, visible(text)), button("Dismiss", () => note.remove(), "small"));
  notes.append(note);
};
// What somebody asked for: tells when it fails, and reads the state anew.
app.try = async (work, done) => {
  try {
    const answer = await work();
    if (done) app.note(done, "good");
    await read();
    return answer;
  } catch (error) {
    app.note(`${CODES[error.code] ?? "It failed."} ${error.message}`, "bad");
    return null;
  }
};
app.may = (...roles) => roles.some((role) => (app.wallet?.roles ?? []).includes(role));
app.go = (hash) => { location.hash = hash; };

// --- State ---

async function read() {
  const {wallets} = await get("wallets");
  app.wallets = wallets;
  app.wallet = wallets.find(({id}) => id === app.wallet?.id) ?? wallets[0] ?? null;
  if (app.wallet) {
    const wallet = app.wallet.name;
    const [velocity, signers, spends, changes] = await Promise.all([get(`wallets/${encodeURIComponent(wallet)}/velocity`), get("signers"),
      get("spends", {wallet, limit: 30}), get("policies", {wallet})]);
    Object.assign(app, {velocity, signers: signers.signers.filter((s) => s.wallets.includes(wallet)), spends: spends.spends, changes: changes.policies});
  }
  show(lost, false);
  drawFrame();
  page?.update?.(app);
}

function drawFrame() {
  const ready = app.signers.filter((s) => s.enabled && s.ready).length;
  const {k, n} = app.wallet ?? {k: 0, n: 0};
  chip.className = `chip dot ${ready < k ? "bad" : ready < n ? "warn" : "good"}`;
  redraw(chip, app.wallet ? `${ready} of ${n} signers ready` : "No wallet");
  chip.title = `${k} are needed`;
}

async function readAgain() {
  try {
    if (!document.hidden) await read();
  } catch {
    lost.textContent = "The coordinator does not answer. What is shown is as it last was; trying again.";
    show(lost, true);
  }
  setTimeout(readAgain, READ_MS);
}

// --- Pages ---

function open() {
  const [name, argument] = (location.hash.slice(1) || "overview").split("/");
  const [title, build] = PAGES[name] ?? PAGES.overview;
  page?.close?.();
  notes.replaceChildren();
  document.title = `${title} – Casemate`;
  const body = el("div");
  const choice = app.wallets.length > 1 ? walletChoice() : null;
  replace(main, el("div", {class: "heading"}, el("h1", {}, title), choice), lost, notes, body);
  page = app.wallet ? build(app, body, argument) : noWallet(body);
  for (const link of document.querySelectorAll("nav a"))
    link.toggleAttribute("aria-current", link.hash === `#${name === "spend" ? "spends" : name}`);
  page?.update?.(app);
}

function walletChoice() {
  const node = select(app.wallets.map(({id, name}) => [id, visible(name)]), app.wallet.id);
  node.setAttribute("aria-label", "Wallet");
  node.addEventListener("change", () => {
    app.wallet = app.wallets.find(({id}) => id === node.value);
    read().then(open);
  });
  return node;
}

function noWallet(body) {
  replace(body, el("p", {class: "note info"}, "There is no wallet that you may see. Whoever runs the coordinator makes one with casemate-coordinator setup FILE, and gives roles with casemate-coordinator principal add."));
  return null;
}

window.addEventListener("hashchange", () => {
  open();
  main.focus();
});

async function start() {
  document.getElementById("footer").append(themeChoice());
  app.me = await get("me");
  setCsrf(app.me.csrf);
  document.getElementById("csrf").value = app.me.csrf;
  show(document.getElementById("leave"), Boolean(app.me.principal_id));
  await read();
  open();
  setTimeout(readAgain, READ_MS);
}
start().catch((error) => replace(main, el("h1", {}, "Treasury"), el("p", {class: "note bad", role: "alert"}, `The coordinator does not answer: ${error.message}.`)));
