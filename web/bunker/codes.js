// bunker/codes.js - the signed result as QR codes, one after the other, for a program that has a camera.
import {button, el, plural, replace} from "../common/dom.js?v=%TAG%";
import {qrCode} from "../common/qr.js?v=%TAG%";
import {shown} from "./dialog.js?v=%TAG%";
import {ask} from "./link.js?v=%TAG%";

const EACH_MS = 400;

export async function showCodes(app, hash) {
  const data = await ask(`/api/psbt/${hash}/codes`);
  if (data.error) {
    app.note(data.error, "bad");
    return;
  }
  const parts = data.parts, place = el("div"), words = el("p", {class: "hint"});
  let at = 0, timer = null;
  const draw = () => {
    replace(place, qrCode(parts[at], `part ${at + 1} of ${parts.length} of the signed result`));
    words.textContent = `Code ${at + 1} of ${parts.length}`;
  };
  const step = (by) => {
    at = (at + by + parts.length) % parts.length;
    draw();
  };
  const run = (on) => {
    clearInterval(timer);
    timer = on ? setInterval(() => step(1), EACH_MS) : null;
    pause.textContent = on ? "Stop" : "Go on";
  };
  const pause = button("Stop", () => run(timer === null), "small");
  const controls = parts.length > 1 ? el("div", {class: "row"}, pause,
    button("Back", () => { run(false); step(-1); }, "small"), button("Next", () => { run(false); step(1); }, "small")) : null;
  draw();
  const dialog = shown("Signed result as QR", el("div", {}, el("p", {}, parts.length > 1
    ? `${plural(parts.length, "code")} in the BBQr format, one after the other.` : "One code in the BBQr format."), place, words, controls));
  if (parts.length > 1) run(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  dialog.addEventListener("close", () => clearInterval(timer));
}
