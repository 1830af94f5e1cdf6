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

export function show(node, visible) {
  node.classList.toggle("hidden", !visible);
}

// A labelled control: [container, control].
let ids = 0;
export function field(label, control, hint) {
  control.id = `f${++ids}`;
  const notes = hint ? el("p", {class: "hint", id: `h${ids}`}, hint) : null;
  if (notes) control.setAttribute("aria-describedby", notes.id);
  return el("div", {class: "field"}, el("label", {for: control.id}, label), control, notes);
}

export function check(label, checked = false) {
  const input = el("input", {type: "checkbox"});
  input.checked = checked;
  return [el("label", {class: "check"}, input, label), input];
}

// 150000000 satoshi are "1.5": integers all the way, always a dot.
export function coins(sats) {
  const number = BigInt(sats);
  const part = (number % 100000000n).toString().padStart(8, "0").replace(/0+$/, "");
  return `${number / 100000000n}${part ? "." + part : ""}`;
}

export function countdown(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

// An address in groups of four, which copies without the blanks.
export function address(text) {
  const groups = text.match(/.{1,4}/gu) ?? [];
  return el("span", {class: "mono address"}, groups.map((group) => [el("span", {}, group), el("wbr")]));
}

export function save(content, name, type = "application/octet-stream") {
  const url = URL.createObjectURL(new Blob([content], {type}));
  const link = el("a", {href: url, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
