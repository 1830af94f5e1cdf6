// bunker/advice.js - what the policy in the editor means: by the code of the signer that will run it.
import {el, redraw, replace, visible} from "../common/dom.js?v=%TAG%";
import {rulesList, simulate, verdict} from "./forecast.js?v=%TAG%";
import {post} from "./link.js?v=%TAG%";

// Lines of `a` and `b` in order: [" " both, "-" only a, "+" only b].
export function lineDiff(a, b) {
  const n = a.length, m = b.length;
  const same = Array.from({length: n + 1}, () => new Uint16Array(m + 1));
  for (let i = n - 1; i >= 0; i--)
    for (let j = m - 1; j >= 0; j--)
      same[i][j] = a[i] === b[j] ? same[i + 1][j + 1] + 1 : Math.max(same[i + 1][j], same[i][j + 1]);
  const out = [];
  for (let i = 0, j = 0; i < n || j < m;) {
    if (i < n && j < m && a[i] === b[j]) out.push([" ", a[i++]], j++);
    else if (j < m && (i >= n || same[i][j + 1] > same[i + 1][j])) out.push(["+", b[j++]]);
    else out.push(["-", a[i++]]);
  }
  return out.filter(Array.isArray);
}

const LINES_MAX = 400;

function diff(installed, summary) {
  const lines = (text) => text.trim().split("\n").slice(0, LINES_MAX);
  const rows = lineDiff(lines(installed), lines(summary));
  if (rows.every(([sign]) => sign === " ")) return el("p", {class: "note good"}, "It says the same as the policy of the device.");
  return el("ul", {class: "diff mono"}, rows.map(([sign, text]) =>
    el("li", {class: sign === "+" ? "more" : sign === "-" ? "less" : null},
      sign === " " ? null : el("span", {class: "away"}, sign === "+" ? "added: " : "removed: "), `${sign} ${visible(text)}`)));
}

// wrong: called with {rule, field} of what is invalid, or null
export function advice(app, wrong) {
  const summary = el("pre"), worst = el("pre"), findings = el("ul"), hash = el("p", {class: "hint mono"}), changes = el("div");
  const problem = el("div", {role: "alert"}), tried = el("div", {"aria-live": "polite"});
  const meaning = el("div", {"aria-live": "polite"}, el("h3", {}, "In the device's words"), summary);
  const rest = el("div", {}, el("h3", {}, "What is odd"), findings, el("h3", {}, "The worst case"), worst,
    el("details", {}, el("summary", {}, "Compared with the policy of the device"), changes), hash);
  const node = el("section", {class: "card stay", "aria-labelledby": "means", tabindex: "0"}, el("h2", {id: "means"}, "What it means"),
    problem, meaning, rest, tried);
  let asked = "";

  async function explain(text) {
    if (asked === text) return;
    asked = text;
    const data = await post("/api/policy", text);
    if (asked !== text) return;
    const found = /^Rule #(\d+) field (\w+)/.exec(data.error ?? "");
    wrong(found ? {rule: Number(found[1]), field: found[2]} : null);
    redraw(problem, data.error ? el("p", {class: "note bad"}, visible(data.error)) : null);
    meaning.classList.toggle("hidden", Boolean(data.error));
    rest.classList.toggle("hidden", Boolean(data.error));
    if (data.error) return;
    summary.textContent = visible(data.summary.trim());
    worst.textContent = visible(data.worst_case.trim());
    redraw(findings, data.findings.map((f) => el("li", {}, `${visible(f.meaning)} `, el("span", {class: "hint"}, `(${visible(f.text)})`))),
      data.findings.length ? null : el("li", {}, "Nothing."));
    hash.textContent = `Hash without the locker: ${visible(data.hash)}`;
    redraw(changes, app.status.hsm.summary ? diff(app.status.hsm.summary, data.summary)
      : el("p", {class: "hint"}, "The device shows no policy now."));
  }

  async function tryOut(text) {
    const data = await simulate({users: app.status.pending_auth.filter((a) => a.has_guess).map((a) => a.name), local: false, policy: text});
    replace(tried, el("h3", {}, "The loaded transaction under it"), data.error ? el("p", {class: "note"}, visible(data.error))
      : [verdict(data), rulesList(data)]);
  }
  return {node, explain, tryOut};
}
