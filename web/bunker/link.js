// bunker/link.js - the socket: actions out, frames in, and coming back after it was lost.
const PING_MS = 10000;
const BACK_OFF_S = [1, 2, 4, 8, 15, 30];

export class Link extends EventTarget {
  constructor(path) {
    super();
    this.path = path;
    this.tries = 0;
    this.early = []; // pressed before the socket was open for the first time; null: it has been
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    let opened = false;
    this.socket = new WebSocket(`${scheme}//${location.host}${this.path}`);
    this.socket.addEventListener("open", () => {
      opened = true;
      this.tries = 0;
      this.act("_connected", location.pathname);
      this.early?.forEach((action) => this.send(action));
      this.early = null;
      this.tell("link", {open: true});
    });
    this.socket.addEventListener("message", (event) => this.tell("frame", JSON.parse(event.data)));
    this.socket.addEventListener("close", (event) => this.lost(event.code, opened));
    clearInterval(this.pings);
    this.pings = setInterval(() => this.send({_ping: 1}), PING_MS);
  }

  lost(code, opened) {
    clearInterval(this.pings);
    if (code === 4401) {
      this.tell("link", {open: false, ended: true});
      return;
    }
    const wait = BACK_OFF_S[Math.min(this.tries++, BACK_OFF_S.length - 1)];
    this.tell("link", {open: false, wait});
    setTimeout(() => this.again(opened), wait * 1000);
  }

  // A socket that would not open may be one whose session has ended: a restarted bunker knows nobody. The page of now
  // has the address of the socket of now; what was typed here stays.
  async again(opened) {
    if (!opened) {
      const page = await fetch(location.pathname, {cache: "no-store"}).catch(() => null);
      if (page?.redirected) {
        this.tell("link", {open: false, login: true});
        return;
      }
      const text = page?.ok ? await page.text() : "";
      this.path = text.match(/WEBSOCKET_URL = "([^"]+)"/)?.[1] ?? this.path;
      const csrf = text.match(/CSRF: "([A-Z2-7]+)"/)?.[1];
      if (csrf) this.tell("csrf", csrf);
    }
    this.open();
  }

  send(value) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(value));
  }

  // The last one is remembered: it may be refused until a code or a confirmation is given.
  act(action, ...args) {
    if (!["_connected", "status", "factor", "set_theme"].includes(action)) this.last = [action, ...args];
    const open = this.socket.readyState === WebSocket.OPEN;
    if (open) this.send({action, args});
    else if (this.early) this.early.push({action, args});
    else if (action !== "status") this.tell("unsent", action); // nothing is done later that was asked for now
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, {detail}));
  }
}

// --- Requests beside the socket: each gives an object, at worst {error} ---

async function answer(reply) {
  const data = await reply.json().catch(() => null);
  return data ?? {error: reply.ok ? "The bunker's answer cannot be read." : `The bunker answered ${reply.status}.`};
}

const unreachable = () => ({error: "The bunker cannot be reached."});

export const ask = (path) => fetch(path, {cache: "no-store"}).then(answer, unreachable);

export const post = (path, body) =>
  fetch(path, {method: "POST", headers: {"X-Casemate": "1"}, body}).then(answer, unreachable);
