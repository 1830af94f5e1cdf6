// common/qr.js - a QR code from its modules: rows of 0 and 1, as the program gives them.
import {svg} from "./dom.js?v=%TAG%";

const MARGIN = 4; // modules that readers want around it

// what: in words, for those who do not see it
export function qrCode(rows, what) {
  if (!rows) return null;
  const size = rows.length + 2 * MARGIN;
  const dark = rows.map((row, y) => [...row].map((bit, x) => bit === "1" ? `M${x + MARGIN} ${y + MARGIN}h1v1h-1z` : "").join("")).join("");
  return svg("svg", {class: "qr", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": `QR code of ${what}`,
    "shape-rendering": "crispEdges"}, svg("path", {d: dark}));
}
