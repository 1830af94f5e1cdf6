// bunker/sign.js - loading, looking at, approving and signing a transaction.
import {abbreviate, button, check, copyButton, el, field, newId, plural, quote, redraw, replace, show, visible} from "../common/dom.js?v=%TAG%";
import {approvals} from "./approve.js?v=%TAG%";
import {showCodes} from "./codes.js?v=%TAG%";
import {refusal} from "./dialog.js?v=%TAG%";
import {liveFeed} from "./feed.js?v=%TAG%";
import {forecast} from "./forecast.js?v=%TAG%";
import {limits, strip} from "./gauges.js?v=%TAG%";
import {ask, post} from "./link.js?v=%TAG%";
import {scanner} from "./scan.js?v=%TAG%";
import {sharing} from "./share.js?v=%TAG%";
import {picture, tables} from "./picture.js?v=%TAG%";
import {disagreements, headline, totals, warnings} from "./review.js?v=%TAG%";
import {SLOTS, STATES} from "./text.js?v=%TAG%";
import {trial} from "./trial.js?v=%TAG%";

// --- 1. The transaction ---

function loader(app) {
  const file = el("input", {type: "file", accept: ".psbt,.txt,application/octet-stream"});
  const text = el("textarea", {spellcheck: "false", autocomplete: "off"});
  async function upload(content) {
    const data = await post("/api/psbt", content);
    if (data.error) app.note(data.error, "bad");
    else text.value = "";
    file.value = "";
  }
  file.addEventListener("change", () => file.files[0] && upload(file.files[0]));
  const made = trial(app, upload);
  const node = el("div", {class: "drop"}, field("Choose a PSBT, or drop it here", file, "A file in binary, hex or base64; up to 2 MB."),
    el("details", {}, el("summary", {}, "Paste it as text"), field("PSBT in base64 or hex", text),
      button("Load", () => text.value.trim() && upload(text.value.trim()))), scanner(upload), made);
  node.addEventListener("dragover", (event) => {
    event.preventDefault();
    node.classList.add("over");
  });
  node.addEventListener("dragleave", () => node.classList.remove("over"));
  node.addEventListener("drop", (event) => {
    event.preventDefault();
    node.classList.remove("over");
    if (event.dataTransfer.files[0]) upload(event.dataTransfer.files[0]);
  });
  return {node, update: ({hsm}) => show(made, Boolean(hsm.chain) && hsm.chain !== "BTC")};
}

// Hashes that were signed in this browser, as far as it may keep them.
const SIGNED = "signed";
function signedBefore() {
  try {
    return JSON.parse(sessionStorage.getItem(SIGNED)) ?? [];
  } catch {
    return [];
  }
}
function rememberSigned(hash) {
  try {
    sessionStorage.setItem(SIGNED, JSON.stringify([...new Set([...signedBefore(), hash])].slice(-200)));
  } catch { /* then there is no warning */ }
}

function transaction(app, known) {
  const load = loader(app);
  const remove = button("Remove", () => app.link.act("clear_psbt"), "danger");
  const name = el("p"), facts = el("div", {class: "heading"}, name, remove);
  const look = el("div"), words = el("div", {"aria-live": "polite"});
  const askDevice = button("Ask the device", () => app.link.act("preview_psbt"));
  const device = el("div", {}, el("h3", {}, "In the device's words"),
    el("p", {class: "hint"}, "What the device itself says the transaction does. Nothing is signed by asking."), askDevice, words);
  const node = el("section", {class: "card", "aria-labelledby": "tx"},
    el("h2", {id: "tx", class: "step", "data-step": "1"}, "Transaction"), load.node, facts, look, device);
  let drawn = null, review = null, before = false;

  async function draw(status) {
    const key = `${status.psbt_hash} ${status.xfp} ${status.hsm.chain}`;
    if (drawn === key) return;
    drawn = key;
    review = null;
    replace(look);
    known(null);
    if (!status.psbt_hash) return;
    before = signedBefore().includes(status.psbt_hash) && status.casemate.slot.state === "loaded";
    const data = await ask(`/api/psbt/${status.psbt_hash}/review`);
    if (drawn !== key) return;
    if (data.error) {
      replace(look, el("p", {class: "note"}, data.error));
      return;
    }
    review = data;
    replace(look, headline(data), warnings(data, before).map(([kind, text]) => el("p", {class: `note ${kind}`}, text)), picture(data),
      el("details", {open: data.outputs.length + data.inputs.length <= 12},
        el("summary", {}, `${plural(data.inputs.length, "input")} and ${plural(data.outputs.length, "output")}`), tables(data)),
      el("p", {class: "hint"}, "As this bunker reads it. Whether change comes back to the device only the device can prove."));
    known(data);
    say(app.status);
  }

  function say(status) {
    const text = status.psbt_preview;
    const odd = review && text && text !== "Wait..." ? disagreements(review, text) : [];
    redraw(words, text ? el("pre", {}, visible(text)) : null,
      odd.map((line) => el("p", {class: "note bad", role: "alert"}, visible(line) + " Do not sign before you know why.")));
    askDevice.disabled = !status.connected || status.busy_signing || text === "Wait...";
  }

  return {node,
    update(status) {
      const has = Boolean(status.psbt_hash), may = app.can("operator");
      show(load.node, !has && may);
      load.update(status);
      show(facts, has);
      show(device, has && may);
      remove.disabled = status.busy_signing;
      show(remove, may);
      if (has) redraw(name, el("span", {class: "hint"}, `${status.psbt_size} bytes, SHA-256 `),
        el("span", {class: "mono", title: status.psbt_hash, "data-hash": status.psbt_hash}, abbreviate(status.psbt_hash, 8)), " ",
        copyButton(status.psbt_hash, "hash of the PSBT"));
      say(status);
      draw(status);
    }};
}

// --- 4. Signing, and what came of it ---

function signing(app) {
  const [finalizeLabel, finalize] = check("Finalize: make a transaction for the network", true);
  const [downloadLabel, download] = check("Download the result", true);
  const [sendLabel, send] = check("Broadcast at once");
  const sign = el("button", {type: "button", class: "main"}, "Sign transaction");
  const state = el("p", {role: "status"}), outcome = el("div");
  const stop = button("Stop waiting", () => app.link.act("cancel"));
  const node = el("section", {class: "card", "aria-labelledby": "sign"}, el("h2", {id: "sign", class: "step", "data-step": "4"}, "Sign"),
    outcome, finalizeLabel, downloadLabel, sendLabel, state, stop, el("div", {class: "action bar"}, sign));
  let why = "", before = "";

  send.addEventListener("change", () => {
    if (send.checked) finalize.checked = true;
    finalize.disabled = send.checked;
    sign.textContent = send.checked ? "Sign and broadcast" : "Sign transaction";
  });
  sign.addEventListener("click", () => sign.ariaDisabled !== "true" && app.link.act("submit_psbt", app.status.psbt_hash, send.checked, finalize.checked, download.checked));

  function result(status) {
    const slot = status.casemate.slot, path = `/api/psbt/${status.psbt_hash}/result`;
    if (slot.state === "refused") return el("div", {class: "note bad"}, el("p", {}, el("strong", {}, "The device refused it.")),
      why ? refusal(why.replace(/^Rejected by Coldcard\.\s*/, "")) : null,
      el("p", {}, "Why? The forecast shows each rule. Codes that were given are used up."));
    if (slot.state !== "signed" || !slot.has_result) return null;
    return el("div", {class: "note good"}, el("p", {}, el("strong", {}, slot.txid ? "Signed: ready for the network." : "Signed.")),
      slot.txid ? el("p", {}, "Transaction ", el("span", {class: "mono"}, visible(slot.txid)), " ", copyButton(slot.txid, "transaction id")) : null,
      slot.broadcast ? el("p", {role: "status"}, visible(slot.broadcast)) : null,
      el("div", {class: "row"}, el("a", {class: "button", href: path, download: true}, "Download"),
        el("a", {class: "button", href: `${path}?format=${slot.txid ? "hex" : "base64"}`, download: true}, slot.txid ? "As hex" : "As base64"),
        button("As QR codes", () => showCodes(app, status.psbt_hash)),
        slot.txid && status.casemate.explorer && /success/.test(slot.broadcast ?? "") ? el("a", {class: "button", rel: "noreferrer", target: "_blank",
          href: status.casemate.explorer + slot.txid}, "Look it up in an explorer") : null,
        slot.txid && !/success/.test(slot.broadcast ?? "") ? button(slot.broadcast ? "Try to broadcast again" : "Broadcast",
          () => app.link.act("rebroadcast", status.psbt_hash)) : null));
  }

  return {node,
    failed(text) { why = text; },
    update(status) {
      const slot = status.casemate.slot, is = slot.state;
      if (is === "signed") rememberSigned(status.psbt_hash);
      if (is === "loaded") why = "";
      state.textContent = !status.connected ? "No device: it cannot be signed now." : ["signed", "refused"].includes(is) ? "" : SLOTS[is] ?? "";
      redraw(outcome, result(status));
      sign.setAttribute("aria-disabled", String(status.busy_signing || !status.connected)); // it keeps the focus
      show(stop, status.busy_signing && !status.hsm.active); // somebody has to press a key, and may never come
      if (status.busy_signing && !status.hsm.active) state.textContent = "Somebody has to press a key on the device.";
      node.setAttribute("aria-busy", String(status.busy_signing));
      if (is !== before && ["signed", "refused"].includes(is)) app.title(is === "signed" ? "Signed" : "Refused");
      before = is;
    }};
}

// --- The page ---

function notices(status) {
  const [kind, , help] = STATES[status.casemate.device.state], c = status.casemate;
  return [help ? el("p", {class: `note ${kind === "good" ? "info" : kind}`}, help, c.device.why ? [" ", quote(c.device.why)] : null) : null,
    c.presumed_spent ? el("p", {class: "note"}, "The device counts this period's limits as used up after its restart. " +
      "They return when the period ends.") : null,
    c.other_device ? el("p", {class: "note bad", role: "alert"}, "This is another device than the one that was here first",
      c.pin?.xfp ? ` (${visible(c.pin.xfp)})` : "", ". Nothing is signed until an admin confirms it on the Bunker page.") : null,
    status.hsm.active && c.refusals_left <= 20 ? el("p", {class: "note bad", role: "alert"},
      `After ${plural(c.refusals_left, "more refusal")} the device logs out.`) : null,
    status.hsm.pending_auth > 0 && !status.busy_signing ? el("p", {class: "note"},
      "The device holds codes that this bunker did not give: they would count for the next transaction.") : null];
}

export function signPage(app, body) {
  const state = el("div", {"aria-live": "polite"}), numbers = el("dl", {class: "strip"});
  const summary = el("pre"), gauges = limits(() => app.link.act("status"));
  let review = null, known = null;
  const tx = transaction(app, (data) => {
    review = data;
    gauges.update(app.status, charge());
  });
  const ahead = forecast(app, (data) => {
    known = data;
    who.update(app.status, known);
    gauges.update(app.status, charge());
  });
  const who = approvals(app), meet = sharing(app), end = signing(app), feed = liveFeed(app);
  const policy = el("section", {class: "card", "aria-labelledby": "policy"}, el("h2", {id: "policy"}, "Policy of the device"), summary);

  function charge() {
    const paid = review ? totals(review).paid : 0;
    return paid > 0 && ["loaded", "previewing", "refused"].includes(app.status.casemate.slot.state)
      ? {sats: paid, rule: known?.signed ? known.rule : null} : null;
  }

  replace(body, state, el("section", {class: "card", "aria-label": "State"}, numbers), gauges.node,
    el("div", {class: "columns"}, el("div", {}, tx.node, ahead.node),
      el("div", {}, who.node, end.node, meet.node, feed.node, policy)));

  return {
    update(status) {
      const has = Boolean(status.psbt_hash), may = app.can("operator");
      redraw(state, notices(status));
      strip(numbers, status, copyButton);
      gauges.update(status, charge());
      tx.update(status);
      ahead.update(status);
      who.update(status, known);
      end.update(status);
      meet.update(status);
      feed.update(status);
      show(ahead.node, has);
      show(who.node, has && may);
      show(end.node, has && may);
      summary.textContent = visible(status.hsm.summary?.trim() ?? (status.hsm.active
        ? "Not available: the policy prefers privacy." : "The device is not in HSM mode."));
    },
    modal(frame, failed) {
      if (failed && frame.code === "rejected") end.failed(frame.text);
      return false;
    },
  };
}
