// coordinator/gauge.js - bars of what is used of a limit. The numbers stand beside them as text: nobody needs the picture.
import {el, svg} from "../common/dom.js?v=%TAG%";
import {sat} from "./words.js?v=%TAG%";

// parts: [class, name, amount]; all of them of `limit`.
export function gauge(name, parts, limit, note) {
  const used = parts.reduce((sum, [, , amount]) => sum + amount, 0);
  const left = Math.max(0, limit - used);
  let x = 0;
  const bars = parts.map(([kind, , amount]) => {
    const width = limit > 0 ? Math.min(100 - x, amount / limit * 100) : 0;
    const bar = svg("rect", {class: kind, x: `${x}%`, y: 0, width: `${width}%`, height: "100%"});
    x += width;
    return bar;
  });
  return el("div", {class: "gauge"},
    el("p", {}, el("strong", {}, name), " ", sat(left), " left of ", sat(limit)),
    svg("svg", {"aria-hidden": "true", class: left === 0 ? "full" : null}, bars),
    el("p", {class: "hint"}, parts.filter(([, , amount]) => amount > 0).map(([kind, label, amount]) =>
      el("span", {class: "legend"}, svg("svg", {"aria-hidden": "true"}, svg("rect", {class: kind, width: "100%", height: "100%"})),
        label, " ", sat(amount))), note ?? null));
}
