// bunker/approve.js - who approves: codes, passwords, and the local code.
import {button, el, field, newId, quote, redraw, replace, show, visible} from "../common/dom.js?v=%TAG%";
import {ring, ruleText} from "./gauges.js?v=%TAG%";
import {standing} from "./forecast.js?v=%TAG%";

const PEPPER = "pepper", ROUNDS = 2500, KEPT_S = 90, STEP_S = 30;

// --- Passwords become tokens here: only the token leaves the browser (bunker.md 9.4) ---

async function tokenOf(password, serial, hash) {
  const bytes = (text) => new TextEncoder().encode(text);
  const salt = await crypto.subtle.digest("SHA-256", bytes(PEPPER + serial));
  const base = await crypto.subtle.importKey("raw", bytes(password), "PBKDF2", false, ["deriveBits"]);
  const key = await crypto.subtle.deriveBits({name: "PBKDF2", hash: "SHA-512", salt, iterations: ROUNDS}, base, 256);
  const mac = await crypto.subtle.importKey("raw", key, {name: "HMAC", hash: "SHA-256"}, false, ["sign"]);
  const raw = Uint8Array.from(hash.match(/../g), (pair) => parseInt(pair, 16));
  const token = new Uint8Array(await crypto.subtle.sign("HMAC", mac, raw));
  return "hmac:" + Array.from(token, (b) => b.toString(16).padStart(2, "0")).join("");
}

// --- One person ---

function person(app, auth, index) {
  const label = auth.has_name ? visible(auth.name) : `user ${index + 1}`;
  const code = el("input", {inputmode: "numeric", autocomplete: "one-time-code", spellcheck: "false", id: newId()});
  const codeLabel = el("label", {for: code.id}, `Six-digit code of ${label}`);
  const state = el("span", {class: "chip"}, "no code yet");
  const name = auth.has_name ? null : el("input", {maxlength: "16", autocomplete: "off"});
  let isPassword = false, since = 0, used = 0;
  name?.addEventListener("change", () => app.link.act("auth_set_name", index, name.value));

  const swap = button("Use a password instead", () => {
    isPassword = !isPassword;
    code.type = isPassword ? "password" : "text";
    code.autocomplete = isPassword ? "off" : "one-time-code";
    code.inputMode = isPassword ? "text" : "numeric";
    code.value = "";
    codeLabel.textContent = `${isPassword ? "Password" : "Six-digit code"} of ${label}`;
    swap.textContent = isPassword ? "Use a code instead" : "Use a password instead";
    code.focus();
  }, "plain small");

  async function offer(event) {
    event.preventDefault();
    const typed = isPassword ? code.value : code.value.replace(/\s/g, "");
    const isCode = /^[0-9]{6}$/.test(typed), step = Math.floor(Date.now() / 1000 / STEP_S);
    const value = isCode || !typed || !crypto.subtle || !app.status.psbt_hash ? typed
      : await tokenOf(typed, app.status.serial_number, app.status.psbt_hash);
    if (isCode) used = step;
    app.link.act("auth_offer_guess", index, step, value);
    code.value = "";
  }
  const node = el("form", {class: "person", onsubmit: offer},
    el("div", {class: "heading"}, el("strong", {}, auth.has_name ? quote(auth.name) : `User ${index + 1}`), state),
    name ? field("Name on the device", name) : null,
    el("div", {class: "give"}, el("div", {class: "field"}, codeLabel, code), el("button", {}, "Give")), swap);

  return {node,
    update(given) {
      if (!given) since = 0;
      else if (!since) since = Date.now();
      this.tick();
    },
    tick() {
      const left = KEPT_S - (Date.now() - since) / 1000, wait = (used + 1) * STEP_S - Date.now() / 1000;
      state.className = `chip ${since ? "good" : ""}`;
      state.textContent = since ? `✓ given${used ? `, kept ${Math.max(0, Math.ceil(left))} s` : ""}`
        : used && wait > 0 ? `next code in ${Math.ceil(wait)} s` : "no code yet";
    }};
}

// --- What each rule still lacks ---

// "approval by user: alice", as the device's own summary has it.
const whose = (summary, rule) => {
  const found = /may be authorized by (.+?)(?= provided| if | while | with the|$)/.exec(ruleText(summary, rule));
  return found ? `approval by ${found[1]}` : "";
};

function missing(rule, summary) {
  const kind = standing(rule);
  if (kind === "good") return `Rule #${rule.rule} is satisfied.`;
  if (kind === "bad") return null;
  return `Rule #${rule.rule} still needs: ` + rule.clauses.filter((c) => !c.holds).map((c) => c.clause !== "users"
    ? "the local code, typed on the device" : visible(whose(summary, rule.rule) || c.text)).join("; ") + ".";
}

export function approvals(app) {
  const local = el("div", {class: "digits", "aria-live": "polite"});
  const localCard = el("div", {class: "asked"}, el("h3", {}, "Local code"), local,
    el("p", {class: "hint"}, "Type it on the device itself, before you sign. It changes with every transaction and attempt."));
  const asked = el("ul", {"aria-live": "polite"}), people = el("div");
  const [circle, draw] = ring(), seconds = el("span", {role: "timer"});
  const node = el("section", {class: "card", "aria-labelledby": "who"},
    el("h2", {id: "who", class: "step", "data-step": "3"}, "Who approves"), asked, localCard, people,
    el("p", {class: "clock hint"}, circle, seconds));
  let rows = [], names = "";

  setInterval(() => {
    const left = STEP_S - Math.floor(Date.now() / 1000) % STEP_S;
    seconds.textContent = `Codes change in ${left} s.`;
    draw(left / STEP_S);
    rows.forEach((row) => row.tick());
  }, 1000);

  return {node,
    // known: the forecast's answer, or null
    update(status, known) {
      local.textContent = status.local_code ?? "";
      show(localCard, Boolean(status.local_code));
      const key = status.pending_auth.map((a) => `${a.has_name} ${a.has_name ? a.name : ""}`).join("\n");
      if (names !== key) {
        rows = status.pending_auth.map((auth, i) => person(app, auth, i));
        replace(people, rows.map((row) => row.node));
        names = key;
      }
      status.pending_auth.forEach((auth, i) => rows[i].update(Boolean(auth.has_guess)));
      const lines = known && status.casemate.slot.state !== "signed" ? known.rules.map((rule) => missing(rule, status.hsm.summary)).filter(Boolean) : [];
      redraw(asked, lines.map((line) => el("li", {}, line)));
      show(asked, lines.length > 0);
      show(people, app.can("operator"));
    }};
}
