// bunker/link.js - the socket: actions out, frames in, and coming back after it was lost.
const PING_MS = 10000;
const BACK_OFF_S = [1, 2, 4, 8, 15, 30];

export class Link extends EventTarget {
  constructor(path) {
    super();
    this.path = path;
    this.tries = 0;
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}${this.path}`);
    this.socket.addEventListener("open", () => {
      this.tries = 0;
      this.act("_connected", location.pathname);
      this.tell("link", {open: true});
    });
    this.socket.addEventListener("message", (event) => this.tell("frame", JSON.parse(event.data)));
    this.socket.addEventListener("close", (event) => this.lost(event.code));
    clearInterval(this.pings);
    this.pings = setInterval(() => this.send({_ping: 1}), PING_MS);
  }

  lost(code) {
    clearInterval(this.pings);
    if (code === 4401) {
      this.tell("link", {open: false, ended: true});
      return;
    }
    const wait = BACK_OFF_S[Math.min(this.tries++, BACK_OFF_S.length - 1)];
    this.tell("link", {open: false, wait});
    setTimeout(() => this.open(), wait * 1000);
  }

  send(value) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(value));
  }

  act(action, ...args) {
    this.send({action, args});
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, {detail}));
  }
}
