// coordinator/login.js - why signing in failed, and signing in with a Nostr key (NIP-07).
import {el, replace, show} from "../common/dom.js?v=%TAG%";
import {applyTheme} from "../common/theme.js?v=%TAG%";

const ERRORS = {
  wrong: "This token is not valid, or has expired.",
  program: "This token is for programs: it does not carry all rights of its owner.",
  wait: "Too many attempts. Wait a minute, then try again.",
};
const EVENT_KIND = 27235; // NIP-98

const error = document.getElementById("error");
const say = (text) => replace(error, el("p", {class: "note bad"}, text));

const code = new URLSearchParams(location.search).get("e");
if (code in ERRORS) say(ERRORS[code]);
try {
  applyTheme(localStorage.getItem("theme") ?? "auto");
} catch { /* storage is forbidden: as the system has it */ }

async function signIn() {
  const {challenge} = await (await fetch("../auth/nostr/challenge")).json();
  const url = new URL("../auth/nostr/verify", location.href).href;
  const event = await window.nostr.signEvent({
    kind: EVENT_KIND, created_at: Math.floor(Date.now() / 1000), content: "",
    tags: [["u", url], ["method", "POST"], ["challenge", challenge]],
  });
  const reply = await fetch(url, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(event)});
  if (reply.ok) location.assign("./");
  else say(`Signing in failed: ${(await reply.json()).error}.`);
}

// Extensions put their object there some time after the page is loaded.
const look = setInterval(() => {
  if (!window.nostr) return;
  clearInterval(look);
  show(document.getElementById("nostr"), true);
}, 200);
setTimeout(() => clearInterval(look), 5000);
document.getElementById("sign").addEventListener("click", () => signIn().catch((e) => say(`Signing in failed: ${e.message}.`)));
