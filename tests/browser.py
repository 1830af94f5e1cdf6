# tests/browser.py -- headless Chromium by its debugging protocol, and what must hold on every page of ours.
import base64
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request

from bunker_rig import WAIT_SECONDS, Socket

CHROMIUM = shutil.which("chromium")

# What must hold on every page, in the page's own words.
AUDIT = r"""(() => {
  const bad = [], all = (s) => [...document.querySelectorAll(s)];
  const shown = (e) => e.checkVisibility() && !e.closest(".away, .skip");
  if (!document.documentElement.lang) bad.push("no language");
  if (!document.title.includes("Casemate")) bad.push("title: " + document.title);
  if (all("h1").length !== 1) bad.push("headings of level 1: " + all("h1").length);
  let level = 0;
  for (const h of all("h1, h2, h3").filter(shown)) {
    if (+h.tagName[1] > level + 1) bad.push("heading out of order: " + h.textContent);
    level = +h.tagName[1];
  }
  for (const e of all("input:not([type=hidden]), select, textarea").filter(shown))
    if (!e.labels.length) bad.push("no label: " + e.outerHTML);
  for (const e of all("button, a").filter(shown)) if (!e.textContent.trim()) bad.push("no text: " + e.outerHTML);
  const ids = all("[id]").map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) bad.push("an id stands twice: " + id);
  for (const e of all("[aria-labelledby], [aria-describedby], label[for]")) for (const name of ["aria-labelledby", "aria-describedby", "for"])
    if (e.getAttribute(name) && !document.getElementById(e.getAttribute(name))) bad.push("names nothing: " + e.outerHTML.slice(0, 100));
  for (const e of all("main button, header nav a, summary").filter(shown)) {
    const least = e.matches(".small, .plain") && innerWidth > 720 ? 24 : 43.5;
    if (e.getBoundingClientRect().height < least) bad.push("too small to tap: " + e.textContent);
  }
  if (document.documentElement.scrollWidth > innerWidth) bad.push("scrolls sideways: " + document.documentElement.scrollWidth);
  return bad;
})()"""

# Text whose colour is too near to what is behind it: WCAG 2.2, 1.4.3.
CONTRAST = r"""(() => {
  const bad = new Set();
  const parse = (c) => (c.match(/[\d.]+/g) ?? []).map(Number);
  const part = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0.99) return c;
    }
    return [255, 255, 255];
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest("noscript, script, option, datalist, svg, .away, .skip, :disabled")) continue;
    const style = getComputedStyle(e), px = parseFloat(style.fontSize);
    const least = px >= 24 || (px >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5;
    const [a, b] = [light(parse(style.color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < least - 0.005) bad.add(`contrast ${ratio.toFixed(2)}: ${walk.currentNode.data.trim().slice(0, 40)}`);
  }
  return [...bad];
})()"""


def get_axe(arguments):
    """Has tools/get-axe fetch axe-core, and puts the script's path into AXE; else says why it cannot be had."""
    at = arguments.index("--axe") if "--axe" in arguments else None
    if at is None:
        return "not asked for"
    done = subprocess.run(arguments[at + 1:at + 3], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        os.environ["AXE"] = done.stdout.strip()
    return done.stderr.strip()


class Browser:
    """Chromium. `complaints` are its errors and warnings, `requests` what it asked for."""

    def __init__(self, folder, *options, shots=None):
        self.shots = shots
        self.process = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
             "--remote-allow-origins=*", "--disable-background-networking", "--disable-component-update", "--lang=en-GB",
             f"--user-data-dir={folder}/chromium", *options, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        at = f"{folder}/chromium/DevToolsActivePort"
        end = time.monotonic() + WAIT_SECONDS
        while not os.path.exists(at) or not open(at, encoding="ascii").read().count("\n"):
            if time.monotonic() > end or self.process.poll() is not None:
                raise TimeoutError("chromium does not start")
            time.sleep(0.05)
        port = int(open(at, encoding="ascii").read().split()[0])
        while not (page := self.first_page(port)):
            if time.monotonic() > end:
                raise TimeoutError("chromium has no page")
            time.sleep(0.05)
        self.ws = Socket(port, re.sub(r"^ws://[^/]*", "", page["webSocketDebuggerUrl"]), None)
        self.number, self.complaints, self.requests = 0, [], []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        if shots:
            self.call("Emulation.setScrollbarsHidden", hidden=True)

    def event(self, message):
        kind, data = message["method"], message["params"]
        if kind == "Runtime.exceptionThrown":
            self.complaints.append("exception: " + json.dumps(data["exceptionDetails"])[:400])
        elif kind == "Log.entryAdded" and data["entry"]["level"] in ("error", "warning"):
            self.complaints.append("log: " + data["entry"]["text"] + " " + data["entry"].get("url", ""))
        elif kind == "Runtime.consoleAPICalled" and data["type"] in ("error", "warning", "assert"):
            self.complaints.append("console: " + json.dumps(data["args"])[:400])
        elif kind == "Network.requestWillBeSent":
            self.requests.append(data["request"]["url"])

    def call(self, method, **params):
        self.number += 1
        self.ws.send({"id": self.number, "method": method, "params": params})
        while True:
            message = self.ws.recv()
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            if "method" in message:
                self.event(message)

    @staticmethod
    def first_page(port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as reply:
            return next((t for t in json.load(reply) if t["type"] == "page"), None)

    def run(self, script):
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise RuntimeError(json.dumps(done["exceptionDetails"])[:400])
        return done["result"].get("value")

    def wait(self, script, seconds=20):
        """Until it is true; how long that took."""
        begin = time.monotonic()
        # A page on its way may not have what is looked for yet.
        guarded = f"(() => {{ try {{ return Boolean({script}); }} catch (e) {{ if (e instanceof SyntaxError) throw e; }} }})()"
        while not self.run_somewhere(guarded):
            if time.monotonic() > begin + seconds:
                raise TimeoutError(f"{script} did not come true; the page says: "
                                   + (self.run("document.body?.innerText") or "nothing")[:900])
            time.sleep(0.05)
        return time.monotonic() - begin

    def run_somewhere(self, script):
        """As run; None while one page gives way to the next."""
        try:
            return self.run(script)
        except RuntimeError as problem:
            if "navigated" not in str(problem) and "context" not in str(problem):
                raise
            return None

    def says(self, text, seconds=20):
        return self.wait(f"document.body.innerText.includes({json.dumps(text)})", seconds)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def view(self, width, theme="light", height=900):
        """theme: light or dark as the system has it, or contrast as the system asks for it."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 500)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if theme == "dark" else "light"},
            {"name": "prefers-contrast", "value": "more" if theme == "contrast" else "no-preference"},
            {"name": "prefers-reduced-motion", "value": "reduce"}])

    def files(self, selector, *paths):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=list(paths))

    BUTTON = ("[...document.querySelectorAll('button, summary, a.button')].find(b => b.checkVisibility() && !b.disabled && b.ariaDisabled !== 'true' && "
              "[b.textContent.trim(), b.ariaLabel].includes({0}))")

    def click(self, text):
        """The button of that text or name, once it can be pressed."""
        button = self.BUTTON.format(json.dumps(text))
        self.wait(button)
        self.run(button + ".click()")

    def key(self, key, modifiers=0):
        """Enter, Escape, Tab, ... as somebody presses them. modifiers: 8 is Shift."""
        code = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowDown": 40}.get(key, 0)
        more = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, modifiers=modifiers, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code, modifiers=modifiers)

    def type_in(self, selector, text):
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def shot(self, name, whole=False):
        """A picture of the window, or of the whole page, where pictures are wanted."""
        if not self.shots:
            return
        os.makedirs(self.shots, exist_ok=True)
        path = f"{self.shots}/{name}.png"
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))
        if shutil.which("pngquant"):  # a third of the size, and nobody sees it
            subprocess.run(["pngquant", "--force", "--skip-if-larger", "--strip", "--output", path, "64", path], check=False)

    def audit(self):
        """What is wrong with the page as it is now."""
        return self.run(AUDIT) + self.run(CONTRAST)

    def axe(self):
        """What axe-core finds, if tools/get-axe has fetched it."""
        if not os.environ.get("AXE"):
            return []
        if not self.run("'axe' in window"):
            with open(os.environ["AXE"], encoding="utf-8") as file:
                self.run(file.read() + "; 0")
        found = self.run("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', "
                         "'best-practice'], resultTypes: ['violations']}).then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html.slice(0, 160)).join(' | ')))")
        return ["axe: " + line for line in found]

    def stop(self):
        self.process.terminate()
        self.process.wait(WAIT_SECONDS)
