// bunker/scan.js - a PSBT by the camera. Pictures stay in this browser: only the PSBT goes to the bunker.
import {button, el} from "../common/dom.js?v=%TAG%";
import {readPicture} from "../common/qrread.js?v=%TAG%";
import {Codes} from "./bbqr.js?v=%TAG%";
import {asked} from "./dialog.js?v=%TAG%";

const EVERY_MS = 80;
const WIDEST = 1280; // pixels of a picture that is looked at

const REFUSED = {
  NotAllowedError: "The browser does not let this page use the camera. Allow it in the browser's settings for this page.",
  NotFoundError: "No camera was found.", OverconstrainedError: "No camera was found.",
  NotReadableError: "The camera cannot be used: another program may have it.",
};

// Why this browser cannot scan; null: it can.
export function whyNoCamera() {
  if (!window.isSecureContext)
    return "To scan QR codes, open this page over TLS, or on the bunker's own computer as localhost: browsers give no camera to plain HTTP.";
  if (!navigator.mediaDevices?.getUserMedia) return "This browser gives pages no camera, so QR codes cannot be scanned here.";
  return null;
}

// The browser's own reader, where there is one. It gives text alone, so that what is not text is read by ours.
async function ownReader() {
  try {
    const kinds = await window.BarcodeDetector?.getSupportedFormats();
    return kinds?.includes("qr_code") ? new window.BarcodeDetector({formats: ["qr_code"]}) : null;
  } catch {
    return null;
  }
}

async function read(reader, canvas, context) {
  const found = reader ? await reader.detect(canvas).catch(() => []) : [];
  const text = found.map((code) => code.rawValue).find((value) => /^[\x20-\x7e]+$/.test(value));
  return text ? new TextEncoder().encode(text) : readPicture(context.getImageData(0, 0, canvas.width, canvas.height));
}

// Shows what the camera sees until a PSBT is there, and gives its bytes; null: it was cancelled.
async function scan() {
  const video = el("video", {playsinline: true, muted: true, "aria-label": "What the camera sees"}); // tells nothing that the words below do not
  const words = el("p", {role: "status"}, "Waiting for the camera…"), trouble = el("div", {role: "alert"});
  const bar = el("progress", {max: 1, value: 0, "aria-label": "Codes that were read"});
  const codes = new Codes(), canvas = el("canvas"), context = canvas.getContext("2d", {willReadFrequently: true});
  let open = true, stream = null, result = null;
  const dialog = asked("Scan a PSBT", el("div", {}, el("p", {class: "hint"},
    "Hold the QR code before the camera. A series of BBQr codes may be shown in any order."), video, bar, words, trouble));
  const closed = new Promise((resolve) => dialog.addEventListener("close", () => {
    open = false;
    stream?.getTracks().forEach((track) => track.stop());
    resolve();
  }));
  const fail = (error) => trouble.replaceChildren(el("p", {class: "note bad"}, REFUSED[error.name] ?? "The camera cannot be used."));

  async function look() {
    const scale = Math.min(1, WIDEST / Math.max(video.videoWidth, video.videoHeight, 1));
    canvas.width = video.videoWidth * scale;
    canvas.height = video.videoHeight * scale;
    if (!canvas.width || !canvas.height) return;
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const bytes = await read(reader, canvas, context);
    if (!bytes) return;
    const got = await codes.add(bytes);
    const said = got.error ? "" : codes.total ? `${codes.have} of ${codes.total} codes` : "";
    if (said !== words.textContent) words.textContent = said;
    bar.value = codes.total ? codes.have / codes.total : 0;
    if (got.error !== trouble.textContent) trouble.replaceChildren(got.error ? el("p", {class: "note"}, got.error) : "");
    if (got.psbt) {
      result = got.psbt;
      dialog.close();
    }
  }

  const reader = await ownReader();
  try {
    stream = await navigator.mediaDevices.getUserMedia({audio: false,
      video: {facingMode: "environment", width: {ideal: WIDEST}, height: {ideal: 720}}});
    if (open) {
      video.srcObject = stream;
      await video.play();
      words.textContent = "Looking for a code…";
      while (open) {
        await look();
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      }
    } else stream.getTracks().forEach((track) => track.stop()); // it was allowed after all was over
  } catch (error) {
    if (open) {
      words.textContent = "";
      fail(error);
    }
  }
  await closed;
  return result;
}

// The button, or why there is none. upload: takes the bytes.
export function scanner(upload) {
  const why = whyNoCamera();
  if (why) return el("p", {class: "hint"}, why);
  return button("Scan a QR code", async () => {
    const psbt = await scan();
    if (psbt) upload(psbt);
  });
}
