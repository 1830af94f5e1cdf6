// coordinator/pay.js - asking for a payment: what it would be first, then the request.
import {button, coins, el, field, pair, quote, redraw, replace, select, show, visible} from "../common/dom.js?v=%TAG%";
import {get, post, requestId} from "./api.js?v=%TAG%";
import {CODES, sat} from "./words.js?v=%TAG%";

const number = () => el("input", {inputmode: "numeric", autocomplete: "off", pattern: "[0-9 ,]*"});
const amountOf = (input) => {
  const text = input.value.replace(/[ ,]/g, "");
  return /^[0-9]{1,16}$/.test(text) ? Number(text) : null;
};

function forecast(run) {
  const after = run.spent_sat;
  return el("div", {class: "note info"}, el("p", {}, "It would be paid. Nothing was charged, no signer was asked."),
    el("dl", {class: "strip"}, pair("Fee", sat(run.fee_sat)), pair("Rate", `${run.fee_rate / 1000} sat/vB`), pair("Size", `${run.vsize} vB`),
      pair("Signers", run.signers.map((s) => visible(s.name)).join(", ")), pair("Spent before", sat(after)), pair("Cap", sat(run.cap_auto_sat))));
}

export function payPage(app, body) {
  const to = select([]), amount = number(), note = el("input", {maxlength: 140, autocomplete: "off"});
  const tier = select([["auto", "Automatic: no person needed"], ["surge", "Surge: with a code"]]);
  const code = el("input", {inputmode: "numeric", maxlength: 6, autocomplete: "one-time-code"});
  const echo = el("p", {class: "hint"}), result = el("div", {"aria-live": "polite"});
  const codeField = field("Code of the surge tier", code, "Six digits. They go to the signers with this payment and are kept nowhere.");
  // Made once for what is typed: sent twice, it is still one payment.
  let request = requestId(), listed = "";

  const bodyOf = () => {
    const value = amountOf(amount);
    if (value === null || value === 0) return fail("The amount is a whole number of satoshi.", amount);
    if (!to.value) return fail("There is no destination. Add one under Limits.", to);
    if (tier.value === "surge" && !/^[0-9]{6}$/.test(code.value)) return fail("The code has six digits.", code);
    return {wallet: app.wallet.name, outputs: [{to: to.value, amount_sat: value}], tier: tier.value, note: note.value};
  };
  const fail = (text, control) => {
    control.setAttribute("aria-invalid", "true");
    control.focus();
    replace(result, el("p", {class: "note bad"}, text));
    return null;
  };
  const failed = (error) => replace(result, el("p", {class: "note bad"}, CODES[error.code] ?? "It is not possible.", " ", quote(error.message)));
  const check = async () => {
    const wanted = bodyOf();
    if (wanted) await post("spends", {...wanted, dry_run: true}).then((run) => replace(result, forecast(run)), failed);
  };
  const pay = async () => {
    const wanted = bodyOf();
    if (!wanted) return;
    if (wanted.tier === "surge") wanted.code = code.value;
    go.disabled = true;
    await post("spends", {...wanted, request_id: request}).then((spend) => {
      code.value = "";
      app.go(`spend/${spend.id}`);
    }, failed);
    go.disabled = false;
  };
  const go = button("Pay", pay, "main");

  for (const control of [to, amount, tier, code, note])
    control.addEventListener("input", () => {
      control.removeAttribute("aria-invalid");
      request = requestId();
      const value = amountOf(amount);
      echo.textContent = value ? `${coins(value)} coins` : "";
      show(codeField, tier.value === "surge");
    });
  show(codeField, false);
  const form = el("form", {class: "card", onsubmit: (event) => { event.preventDefault(); pay(); }},
    field("To", to, "Only destinations on the wallet's list can be paid; the signers know the same list."),
    field("Amount in satoshi", amount), echo, field("Tier", tier), codeField, field("Note", note, "For people; it is stored with the payment."),
    el("div", {class: "row"}, go, button("What would happen?", check)), result);
  body.append(app.may("spender") ? form : el("p", {class: "note info"}, "You may look, not pay: that takes the role spender."));
  return {
    async update() {
      const {destinations} = await get("destinations", {wallet: app.wallet.name});
      const names = destinations.filter((d) => d.state === "active").map((d) => [d.name, `${visible(d.name)} – ${visible(d.address)}`]);
      if (JSON.stringify(names) === listed) return;
      listed = JSON.stringify(names);
      const chosen = to.value;
      redraw(to, names.map(([key, text]) => el("option", {value: key}, text)));
      to.value = names.some(([key]) => key === chosen) ? chosen : names[0]?.[0] ?? "";
    },
  };
}
