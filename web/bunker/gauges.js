// bunker/gauges.js - what is used and left of each rule's limit, and when limits return.
import {coins, countdown, el, pair, redraw, svg} from "../common/dom.js?v=%TAG%";

const ROUND = 2 * Math.PI * 14;

// A circle that empties: `part` of 1 is left.
export function ring() {
  const left = svg("circle", {class: "left", cx: 17, cy: 17, r: 14, "stroke-dasharray": ROUND});
  const node = svg("svg", {class: "ring", viewBox: "0 0 34 34", "aria-hidden": "true"},
    svg("circle", {cx: 17, cy: 17, r: 14}), left);
  return [node, (part) => left.setAttribute("stroke-dashoffset", ROUND * (1 - Math.min(1, Math.max(0, part))))];
}

// The line of the device's summary that speaks of this rule.
export function ruleText(summary, number) {
  const start = `Rule #${number}: `;
  const line = (summary ?? "").split("\n").map((l) => l.replace(/^- /, "")).find((l) => l.startsWith(start));
  return line?.slice(start.length) ?? "";
}

// share: satoshi that the loaded transaction would add to this rule, or 0.
function gauge(g, unit, share) {
  const part = (n) => g.cap > 0 ? Math.min(100, Math.max(0, 100 * n / g.cap)) : 100;
  const left = Math.max(0, g.cap - g.spent), over = share > left;
  const rect = (kind, from, size) => size > 0 ? svg("rect", {class: kind, x: `${part(from)}%`, width: `${part(size)}%`, height: 18}) : null;
  const words = [`${coins(g.spent)} of ${coins(g.cap)} ${unit} used`];
  if (g.presumed > 0) words.push(`${coins(g.presumed)} of it presumed after a restart`);
  if (share > 0) words.push(over ? `this transaction is ${coins(share - left)} ${unit} too much`
    : `${coins(left - share)} ${unit} left after this transaction`);
  return el("div", {class: "gauge"},
    el("p", {class: "heading"}, el("strong", {}, `Rule #${g.rule}`), el("span", {}, `${coins(left)} ${unit} left`)),
    svg("svg", {role: "img", "aria-label": `Rule #${g.rule}: ${words.join(", ")}`, preserveAspectRatio: "none"},
      rect("spent", 0, g.spent - g.presumed), rect("presumed", g.spent - g.presumed, g.presumed),
      rect(over ? "over" : "share", g.spent, over ? Math.max(left, g.cap / 50) : share)),
    el("p", {class: "hint"}, words.join(", ") + "."));
}

const sample = (kind, text) => el("li", {}, svg("svg", {"aria-hidden": "true"}, svg("rect", {class: kind, width: 22, height: 11})), text);

// expired: called when the period has ended.
export function limits(expired) {
  const rows = el("div", {class: "gauges"}), legend = el("ul", {class: "legend gauge"});
  const clock = el("b", {role: "timer", "aria-label": "Time until limits return"}), words = el("span", {class: "hint"});
  const [circle, draw] = ring();
  const timer = el("p", {class: "clock"}, circle, clock, words);
  const node = el("section", {class: "card", "aria-labelledby": "limits"},
    el("div", {class: "heading"}, el("h2", {id: "limits"}, "Limits of this period"), timer), rows, legend);
  let ends = null, length = 0;

  function tick() {
    const seconds = ends === null ? 0 : (ends - Date.now()) / 1000;
    circle.classList.toggle("hidden", ends === null);
    draw(ends === null || !length ? 0 : seconds / length);
    clock.textContent = ends === null ? "" : countdown(seconds);
    words.textContent = ends === null ? "No period is running: it begins with the next payment." : "until limits return";
    timer.title = ends === null ? "" : `Limits return at ${new Date(ends).toLocaleString()}`;
    if (ends !== null && seconds <= 0) {
      ends = null;
      expired();
    }
  }
  setInterval(tick, 1000);

  // charge: {rule, sats} of the loaded transaction; rule null: any that approves it
  function update(status, charge) {
    const hsm = status.hsm, gauges = status.casemate.gauges, unit = hsm.chain ?? "BTC";
    node.classList.toggle("hidden", !hsm.active);
    ends = hsm.period_ends === undefined ? null : Date.now() + 1000 * hsm.period_ends;
    length = 60 * (hsm.period ?? 0);
    const shares = gauges.map((g) => charge && (charge.rule === null || charge.rule === g.rule) ? charge.sats : 0);
    redraw(rows, gauges.map((g, i) => gauge(g, unit, shares[i])),
      gauges.length ? null : el("p", {class: "hint"}, hsm.summary === undefined
        ? "Limits are not shown: the policy prefers privacy."
        : "No rule of this policy has a limit for the period."));
    const presumed = gauges.some((g) => g.presumed > 0), shared = shares.some((s) => s > 0);
    redraw(legend, presumed || shared ? sample("spent", "used") : null,
      presumed ? sample("presumed", "presumed used after a restart") : null, shared ? sample("share", "this transaction") : null);
    tick();
  }
  return {node, update};
}

// The strip of names and values above all.
export function strip(list, status, copyButton) {
  const hsm = status.hsm, c = status.casemate, unit = hsm.chain ?? "BTC", hash = hsm.policy_hash;
  const chains = {BTC: "Bitcoin", XTN: "Testnet (XTN)", XRT: "Regtest (XRT)"};
  const age = c.device.age > 20 ? `, ${c.device.age} s ago` : "";
  redraw(list,
    pair("Network", chains[unit] ?? unit),
    pair("Device", status.xfp ?? "–", age),
    pair("Approvals", String(hsm.approvals ?? "–")),
    pair("Refusals", String(hsm.refusals ?? "–"), " ", hsm.active ? el("span", {class: "unit"}, `${c.refusals_left} left`) : null),
    pair("Spent under limits", coins(c.spent), " ", el("span", {class: "unit"}, unit)),
    hash ? pair("Policy", el("span", {class: "mono", title: hash}, hash.slice(0, 8)), " ", copyButton(hash, "policy hash")) : null,
    pair("Tor", status.onion_addr ? "published" : status.tor_enabled ? (status.tord_good ? "not published yet" : "no Tor daemon") : "off"));
}
