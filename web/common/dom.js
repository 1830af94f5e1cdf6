// common/dom.js - building pages from nodes. Text is only ever text: nothing here reads HTML.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// el("p", {class: "note", onclick: f}, "text", node)
export const el = (name, attributes = {}, ...children) =>
  fill(document.createElement(name), attributes, children);
export const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

export function replace(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

// The same, but nodes that are there and look the same stay, and are not read out again. For what follows a state, and
// whose listeners depend on nothing but what can be seen and `of` (see button). Who is at a button stays at its
// successor, if there is no doubt which that is: else Enter would do to one thing what was meant for another.
export function redraw(node, ...children) {
  const at = node.contains(document.activeElement) ? document.activeElement : null;
  const same = () => at ? [...node.querySelectorAll(at.tagName)].filter((other) => other.isEqualNode(at)) : [];
  const was = same(), next = node.cloneNode(false);
  next.append(...children.flat(Infinity).filter(Boolean));
  if (next.isEqualNode(node)) return;
  node.replaceChildren(...next.childNodes);
  const is = same();
  if (was.length === 1 && is.length === 1) is[0].focus({preventScroll: true});
}

export function show(node, visible) {
  node.classList.toggle("hidden", !visible);
}

// --- Text of outside origin ---

// What steers the writing direction, or cannot be seen, is named instead: it could make one text look like another.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
export const visible = (text) => String(text).replace(UNSEEN,
  (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

// Such a text beside text of ours: it keeps its writing direction to itself.
export const quote = (text) => el("bdi", {}, visible(text));

// --- Controls ---

let ids = 0;
export const newId = () => `i${++ids}`;

// A labelled control, with a hint below.
export function field(label, control, hint) {
  control.id ||= newId();
  const notes = hint ? el("p", {class: "hint", id: newId()}, hint) : null;
  if (notes) control.setAttribute("aria-describedby", notes.id);
  return el("div", {class: "field"}, el("label", {for: control.id}, label), control, notes);
}

// [label with the box, box]
export function check(label, checked = false) {
  const input = el("input", {type: "checkbox"});
  input.checked = checked;
  return [el("label", {class: "check"}, input, el("span", {}, label)), input];
}

export function select(options, value) {
  const node = el("select", {}, options.map(([key, text]) => el("option", {value: key}, text)));
  if (value !== undefined) node.value = value;
  return node;
}

// of: the id of what it acts on, where the same text stands on several.
export const button = (text, onclick, kind = "", of = null) =>
  el("button", {type: "button", class: kind || null, "data-of": of, onclick}, text);

// Copies also where there is no clipboard interface: it needs a secure context.
export async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = el("textarea", {class: "away", "aria-hidden": "true", tabindex: "-1"});
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export function copyButton(text, what) {
  const node = el("button", {type: "button", class: "small", "aria-label": `Copy ${what}`}, "Copy");
  node.addEventListener("click", async () => {
    const before = document.activeElement;
    await copy(text);
    before?.focus();
    node.textContent = "Copied";
    setTimeout(() => { node.textContent = "Copy"; }, 2000);
  });
  return node;
}

// A name and its value, as rows of a <dl>.
export const pair = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));

// --- Numbers ---

// 150000000 satoshi are "1.5": integers all the way, always a dot.
export function coins(sats) {
  const number = BigInt(sats);
  const part = (number % 100000000n).toString().padStart(8, "0").replace(/0+$/, "");
  return `${number / 100000000n}${part ? "." + part : ""}`;
}

// The way back: "1.5" is 150000000; null for what is no amount.
export function satsOf(text) {
  const [, whole, part = ""] = /^(\d{1,8})(?:\.(\d{1,8}))?$/.exec(text.trim()) ?? [];
  return whole === undefined ? null : Number(whole) * 100000000 + Number(part.padEnd(8, "0"));
}

export function countdown(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

export const plural = (n, one, many = one + "s") => `${n} ${n === 1 ? one : many}`;

// "39ac08…d2a965"
export const abbreviate = (text, n = 6) => text.length <= 2 * n + 1 ? text : `${text.slice(0, n)}…${text.slice(-n)}`;

export const timeOf = (seconds) => new Date(seconds * 1000);

// An address in groups of four, which copies without the blanks. Anything may stand in its place.
export function address(text) {
  const groups = visible(text).match(/.{1,4}/gu) ?? [];
  return el("bdi", {class: "mono address"}, groups.map((group) => [el("span", {}, group), el("wbr")]));
}

export function save(content, name, type = "application/octet-stream") {
  const url = URL.createObjectURL(new Blob([content], {type}));
  const link = el("a", {href: url, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
