// bunker/feed.js - approvals and refusals as they happen. The bunker keeps the newest 200, and so does the page.
import {button, coins, copyButton, el, field, plural, quote, replace, save, select, show, timeOf, visible} from "../common/dom.js?v=%TAG%";
import {ask} from "./link.js?v=%TAG%";
import {EVENTS, FILTERS} from "./text.js?v=%TAG%";

const MOST = 200;

function describe(e, unit) {
  const words = [];
  if (e.sats !== undefined) words.push(`${coins(e.sats)} ${unit} to ${plural(e.destinations, "destination")}`);
  if (e.rule) words.push(`charged to rule #${e.rule}`);
  return words.join(", ");
}

function item(e, unit, fresh) {
  const [kind, words] = EVENTS[e.kind] ?? ["", e.kind];
  const detail = describe(e, unit), at = timeOf(e.time);
  return el("li", {class: `${kind}${fresh ? " new" : ""}`},
    el("p", {}, el("strong", {}, words), " ", el("time", {datetime: at.toISOString(), title: at.toLocaleString()}, at.toLocaleTimeString()),
      e.account ? [" by ", quote(e.account)] : null),
    detail ? el("p", {}, detail) : null,
    e.text ? el("p", {class: e.kind === "broadcast" ? "mono" : "hint"}, quote(e.text), " ",
      e.kind === "broadcast" ? copyButton(e.text, "transaction id") : null) : null);
}

export function liveFeed(app) {
  const list = el("ol", {class: "feed", reversed: true, tabindex: "0", "aria-label": "Events, newest first"});
  const spoken = el("p", {class: "away", "aria-live": "polite"});
  const filter = select(FILTERS);
  const empty = el("p", {class: "hint"}, "Nothing yet since the bunker started.");
  const more = el("details", {}, el("summary", {}, "Filter and export"), field("Show", filter), el("div", {class: "row"},
    button("Save as CSV", () => save(csv(), "casemate-events.csv", "text/csv")),
    button("Save as JSON", () => save(JSON.stringify(events, null, 1), "casemate-events.json", "application/json"))));
  const node = el("section", {class: "card", "aria-labelledby": "feed"}, el("h2", {id: "feed"}, "As it happens"), spoken, empty, list, more);
  let events = [], last = 0, wanted = 0, asking = false, unit = "BTC";

  // A cell that begins like a formula would be run by spreadsheets.
  function csv() {
    const cell = (v) => `"${String(v ?? "").replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
    return "time,event,account,satoshi,destinations,rule,text\n" + events.map((e) => [timeOf(e.time).toISOString(), e.kind, e.account,
      e.sats, e.destinations, e.rule, e.text].map(cell).join(",")).join("\n") + "\n";
  }

  function draw(fresh = 0) {
    const group = filter.value, shown = events.filter((e) => !group || EVENTS[e.kind]?.[2] === group);
    replace(list, shown.slice().reverse().map((e, i) => item(e, unit, i < fresh)));
    show(empty, shown.length === 0);
    show(list, shown.length > 0);
  }
  filter.addEventListener("change", () => draw());

  async function fetchMore() {
    if (asking || wanted === last) return;
    asking = true;
    const from = wanted < last ? 0 : last; // the bunker has started anew
    const news = await ask(`/api/feed?after=${from}`);
    asking = false;
    if (news.error) return; // the next status asks again
    const first = last === 0;
    events = [...(from === 0 ? [] : events), ...news].slice(-MOST);
    last = news.at(-1)?.seq ?? wanted;
    draw(first ? 0 : news.length);
    const newest = news.at(-1);
    if (!first && newest) {
      const words = EVENTS[newest.kind]?.[1] ?? newest.kind;
      spoken.textContent = visible(`${words}. ${describe(newest, unit)} ${newest.text ?? ""}`);
    }
    if (wanted !== last) fetchMore();
  }

  function update(status) {
    unit = status.hsm.chain ?? "BTC";
    wanted = status.casemate.feed;
    fetchMore();
  }
  return {node, update};
}
