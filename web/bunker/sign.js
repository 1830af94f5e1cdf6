// bunker/sign.js - loading, looking at, approving and signing a transaction.
import {check, coins, countdown, el, field, replace, show, svg} from "../common/dom.js?v=%TAG%";
import {picture, tables, warnings} from "./picture.js?v=%TAG%";
import {SLOTS, STATES} from "./text.js?v=%TAG%";

const PEPPER = "pepper", ROUNDS = 2500;

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

// --- The strip and the gauges ---

function strip(list, status) {
  const hsm = status.hsm, unit = hsm.chain ?? "BTC";
  const rows = [["Approvals", hsm.approvals ?? "–"], ["Refusals", hsm.refusals ?? "–"],
                ["Spent under limits this period", `${coins(status.casemate.spent)} ${unit}`],
                ["Refusals left", status.casemate.refusals_left]];
  replace(list, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))));
}

function gauge(g, unit) {
  const part = (n) => `${g.cap > 0 ? Math.min(100, 100 * n / g.cap) : 100}%`;
  const left = Math.max(0, g.cap - g.spent);
  return el("div", {class: "gauge"},
    el("p", {class: "hint"}, `Rule #${g.rule}: ${coins(g.spent)} of ${coins(g.cap)} ${unit} used, ` +
      `${coins(left)} ${unit} left${g.presumed ? `, ${coins(g.presumed)} of it presumed` : ""}`),
    svg("svg", {role: "img", "aria-label": `${coins(left)} ${unit} left`, preserveAspectRatio: "none"},
      svg("rect", {class: "spent", width: part(g.spent), height: 14}),
      g.presumed ? svg("rect", {class: "presumed", width: part(g.presumed), height: 14}) : null));
}

// --- The page ---

export function signPage(app, body) {
  const state = el("div");
  const numbers = el("dl", {class: "strip"});
  const gauges = el("div");
  const period = el("p", {class: "hint"});
  const feed = el("ol", {class: "feed", "aria-live": "polite"});
  const summary = el("pre");

  // The transaction.
  const file = el("input", {type: "file", accept: ".psbt,.txt,application/octet-stream"});
  const slotText = el("p", {role: "status"});
  const hash = el("p", {class: "mono"});
  const review = el("div");
  const preview = el("pre", {"aria-live": "polite"});
  const ask = el("button", {type: "button", onclick: () => app.link.act("preview_psbt")}, "Ask the device what it does");
  const clear = el("button", {type: "button", class: "danger", onclick: () => app.link.act("clear_psbt")}, "Remove");
  const [finalizeLabel, finalize] = check("Finalize: make a transaction for the network", true);
  const [downloadLabel, download] = check("Download the result", true);
  const [sendLabel, send] = check("Broadcast at once");
  const what = el("button", {type: "button"}, "What would happen?");
  const forecast = el("div", {"aria-live": "polite"});
  const sign = el("button", {type: "button", class: "main"}, "Sign transaction");
  const again = el("button", {type: "button"}, "Broadcast again");
  const loaded = el("div", {}, hash, el("div", {class: "row"}, ask, clear), review,
    el("h3", {}, "In the device's words"), preview, el("h3", {}, "Forecast"),
    el("p", {class: "hint"}, "By the device's own rules, with the codes given here and the copy of the policy that this " +
      "bunker keeps. The device decides."), what, forecast,
    el("h3", {}, "Then"), finalizeLabel, downloadLabel, sendLabel, el("div", {class: "action row"}, sign, again));

  // Who approves.
  const local = el("div", {class: "digits"});
  const localCard = el("div", {}, el("h3", {}, "Local code"), local,
    el("p", {class: "hint"}, "To be typed on the device itself, before you sign."));
  const users = el("div");
  const ring = el("p", {class: "hint", role: "timer"});

  const drop = el("section", {class: "card", "aria-labelledby": "tx"}, el("h2", {id: "tx"}, "Transaction"),
    field("PSBT: a file in binary, hex or base64", file), slotText, loaded);
  replace(body, state,
    el("section", {class: "card", "aria-label": "Counters and limits"}, numbers, gauges, period),
    el("div", {class: "columns"}, drop,
      el("div", {}, el("section", {class: "card", "aria-labelledby": "who"}, el("h2", {id: "who"}, "Who approves"),
        localCard, users, ring),
      el("section", {class: "card", "aria-labelledby": "feed"}, el("h2", {id: "feed"}, "As it happens"), feed),
      el("section", {class: "card", "aria-labelledby": "policy"}, el("h2", {id: "policy"}, "Policy of the device"),
        summary))));

  async function upload(content) {
    const reply = await fetch("/api/psbt", {method: "POST", body: content, headers: {"X-Casemate": "1"}});
    if (!reply.ok) app.note((await reply.json().catch(() => ({error: "The upload failed."}))).error);
    file.value = "";
  }
  file.addEventListener("change", () => file.files[0] && upload(file.files[0]));
  drop.addEventListener("dragover", (event) => event.preventDefault());
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) upload(event.dataTransfer.files[0]);
  });
  send.addEventListener("change", () => {
    if (send.checked) finalize.checked = true;
    finalize.disabled = send.checked;
    sign.textContent = send.checked ? "Sign and broadcast" : "Sign transaction";
  });
  sign.addEventListener("click", () => app.link.act("submit_psbt", app.status.psbt_hash, send.checked,
                                                    finalize.checked, download.checked));
  what.addEventListener("click", async () => {
    const users = app.status.pending_auth.filter((a) => a.has_guess).map((a) => a.name);
    const reply = await fetch("/api/simulate", {method: "POST", headers: {"X-Casemate": "1"},
                                                body: JSON.stringify({users, local: false})});
    const data = await reply.json().catch(() => ({error: "The forecast failed."}));
    if (data.error) {
      replace(forecast, el("p", {class: "note"}, data.error));
      return;
    }
    replace(forecast, el("p", {class: `note ${data.signed ? "good" : "bad"}`},
      `${data.signed ? "It would be signed" : "It would be refused"}: ${data.text}`),
      data.rules.map((r) => el("div", {}, el("strong", {}, `Rule #${r.rule}: ${r.holds ? "would approve" : "would not"}`),
        el("ul", {}, r.clauses.map((c) => el("li", {}, `${c.clause}: ${c.holds ? "holds" : c.text}`))))));
  });
  again.addEventListener("click", () => app.link.act("rebroadcast", app.status.psbt_hash));

  // --- Parts that follow the state ---

  let drawn = null;
  async function draw(status) {
    const key = `${status.psbt_hash} ${status.xfp} ${status.hsm.chain}`;
    if (drawn === key) return;
    drawn = key;
    replace(review);
    replace(forecast);
    if (!status.psbt_hash) return;
    const reply = await fetch(`/api/psbt/${status.psbt_hash}/review`);
    if (!reply.ok || drawn !== key) return;
    const data = await reply.json();
    replace(review, el("h3", {}, "As the bunker reads it"),
      warnings(data).map((text) => el("p", {class: "note"}, text)), picture(data), ...tables(data));
  }

  let rows = [];
  function userRows(status) {
    const names = status.pending_auth.map((a) => `${a.has_name} ${a.has_name ? a.name : ""}`).join("\n");
    if (rows.names !== names) {
      rows = status.pending_auth.map((a, i) => userRow(a, i));
      rows.names = names;
      replace(users, rows.map((row) => row.node));
    }
    status.pending_auth.forEach((a, i) => {
      rows[i].given.textContent = a.has_guess ? "A code was given." : "";
      show(rows[i].given, Boolean(a.has_guess));
    });
  }

  function userRow(auth, index) {
    const code = el("input", {autocomplete: "one-time-code", type: "password", spellcheck: "false"});
    const given = el("span", {class: "chip good"});
    const name = auth.has_name ? null : el("input", {maxlength: "16", autocomplete: "off"});
    name?.addEventListener("change", () => app.link.act("auth_set_name", index, name.value));
    const offer = async () => {
      const isCode = /^[0-9]{6}$/.test(code.value);
      const value = isCode || !code.value || !crypto.subtle || !app.status.psbt_hash ? code.value
        : await tokenOf(code.value, app.status.serial_number, app.status.psbt_hash);
      app.link.act("auth_offer_guess", index, Math.floor(Date.now() / 30000), value);
      code.value = "";
    };
    const form = el("form", {onsubmit: (event) => { event.preventDefault(); offer(); }},
      name ? field(`Name of user ${index + 1}`, name) : null,
      field(auth.has_name ? `${auth.name}: one-time code or password` : `Code or password of user ${index + 1}`, code),
      el("div", {class: "row"}, el("button", {}, "Give"), given));
    return {node: form, given};
  }

  let before = null;
  function follow(status) {
    const now = {approvals: status.hsm.approvals ?? 0, refusals: status.hsm.refusals ?? 0};
    if (before && status.connected) {
      for (const [kind, words] of [["approvals", "Approved"], ["refusals", "Refused"]])
        if (now[kind] > before[kind]) {
          const why = kind === "refusals" && status.hsm.last_refusal ? `: ${status.hsm.last_refusal}` : "";
          feed.prepend(el("li", {}, `${new Date().toLocaleTimeString()} ${words}${why}`));
          document.title = `${words} – Casemate`;
        }
    }
    before = status.connected ? now : null;
  }

  let ends = null;
  function clock() {
    const left = 30 - Math.floor(Date.now() / 1000) % 30;
    ring.textContent = `Codes change in ${left} s.`;
    period.textContent = ends === null ? "No period is running." :
      `The period ends, and limits return, in ${countdown((ends - Date.now()) / 1000)}.`;
    if (ends !== null && ends < Date.now()) {
      ends = null;
      app.link.act("status");
    }
  }
  clock();
  setInterval(clock, 1000);

  function update(status) {
    const [kind, , help] = STATES[status.casemate.device.state];
    const slot = status.casemate.slot, has = Boolean(status.psbt_hash);
    replace(state, help ? el("p", {class: `note ${kind}`}, help) : null,
      status.casemate.presumed_spent ? el("p", {class: "note"}, "The device counts this period's limits as used up " +
        "after its restart. They return when the period ends.") : null,
      status.hsm.active && status.casemate.refusals_left <= 20 ? el("p", {class: "note bad"},
        `After ${status.casemate.refusals_left} more refusals the device logs out.`) : null);
    strip(numbers, status);
    replace(gauges, status.casemate.gauges.map((g) => gauge(g, status.hsm.chain ?? "BTC")));
    ends = status.hsm.period_ends === undefined ? null : Date.now() + 1000 * status.hsm.period_ends;
    slotText.textContent = SLOTS[slot.state];
    show(loaded, has);
    hash.textContent = has ? `SHA-256 ${status.psbt_hash}, ${status.psbt_size} bytes` : "";
    preview.textContent = status.psbt_preview ?? "Not asked yet.";
    sign.disabled = status.busy_signing || !status.connected;
    clear.disabled = status.busy_signing;
    show(again, slot.state === "signed" && Boolean(slot.txid));
    local.textContent = status.local_code ?? "";
    show(localCard, Boolean(status.local_code));
    summary.textContent = status.hsm.summary ?? (status.hsm.active
      ? "Not available: the policy prefers privacy." : "The device is not in HSM mode.");
    userRows(status);
    draw(status);
    follow(status);
  }
  return {update};
}
