// bunker/help.js - what people ask first.
import {el, replace} from "../common/dom.js?v=%TAG%";
import {HELP} from "./text.js?v=%TAG%";

export function helpPage(app, body) {
  replace(body, HELP.map(([title, text]) => el("section", {class: "card"}, el("h2", {}, title), el("p", {}, text))));
  return {};
}
