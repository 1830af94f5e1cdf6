// bunker/help.js - what people ask first.
import {el, replace} from "../common/dom.js?v=%TAG%";
import {HELP} from "./text.js?v=%TAG%";

export function helpPage(app, body) {
  const id = (i) => `help-${i}`;
  replace(body, el("nav", {class: "card", "aria-labelledby": "contents"}, el("h2", {id: "contents"}, "Contents"),
    el("ul", {}, HELP.map(([title], i) => el("li", {}, el("a", {href: `#${id(i)}`}, title))))),
    HELP.map(([title, texts], i) => el("section", {class: "card", id: id(i)}, el("h2", {}, title), texts.map((text) => el("p", {}, text)))));
  return {};
}
