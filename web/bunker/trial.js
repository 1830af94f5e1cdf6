// bunker/trial.js - made-up transactions for trying a policy, on test chains.
import {button, el, field, redraw, replace, satsOf, save, select, visible} from "../common/dom.js?v=%TAG%";
import {post} from "./link.js?v=%TAG%";

const KINDS = [["segwit", "Segwit (P2WPKH)"], ["wrapped", "Wrapped segwit (P2SH-P2WPKH)"], ["classic", "Classic (P2PKH)"]];
const PAYS_MAX = 50;

// upload: takes a PSBT's bytes. Hidden by whoever shows it where the chain is the main one.
export function trial(app, upload) {
  const list = el("div"), trouble = el("div", {role: "alert"});
  const amount = (value) => el("input", {inputmode: "decimal", autocomplete: "off", value});
  const change = amount("0.01"), fee = amount("0.00001"), kind = select(KINDS);
  const inputs = el("input", {type: "number", min: "1", max: "50", value: "1"});
  const pays = [];

  function addPay() {
    const pay = {address: el("input", {spellcheck: "false", autocomplete: "off"}), amount: amount("0.001")};
    pay.node = el("div", {class: "pairs"}, field("Destination", pay.address, "Empty: an address of nobody."), field("Amount, in coins", pay.amount));
    pays.push(pay);
    list.append(pay.node);
    show();
  }
  function show() {
    more.disabled = pays.length >= PAYS_MAX;
    less.disabled = pays.length === 0;
  }
  const more = button("One more payment", addPay, "small");
  const less = button("One payment less", () => {
    pays.pop()?.node.remove();
    show();
  }, "small");

  async function make() {
    const numbers = [...pays.map((pay) => pay.amount), change, fee];
    const wrong = numbers.find((input) => satsOf(input.value) === null);
    replace(trouble, wrong ? el("p", {class: "note bad"}, `“${visible(wrong.value)}” is no amount in coins.`) : null);
    if (wrong) {
      wrong.focus();
      return null;
    }
    const data = await post("/api/trial", JSON.stringify({
      pays: pays.map((pay) => ({address: pay.address.value.trim(), sats: satsOf(pay.amount.value)})),
      change: satsOf(change.value), fee: satsOf(fee.value), inputs: Number(inputs.value), format: kind.value}));
    redraw(trouble, data.error ? el("p", {class: "note bad"}, visible(data.error)) : null);
    return data.error ? null : Uint8Array.from(atob(data.psbt), (c) => c.charCodeAt(0));
  }
  addPay();
  return el("details", {class: "trial"}, el("summary", {}, "Make one up, to try the policy"),
    el("p", {class: "hint"}, "Its coins do not exist, so nobody can broadcast it. The device cannot know that: what it signs counts " +
      "in the limits of the period. Of one key, never of a multisig wallet."),
    list, el("div", {class: "row"}, more, less),
    el("div", {class: "pairs"}, field("Comes back, in coins", change, "0: nothing comes back."), field("Network fee, in coins", fee)),
    el("div", {class: "pairs"}, field("Number of inputs", inputs), field("Kind of our addresses", kind)), trouble,
    el("div", {class: "row"}, button("Make and load it", async () => {
      const psbt = await make();
      if (psbt) upload(psbt);
    }), button("Make and save it", async () => {
      const psbt = await make();
      if (psbt) save(psbt, "trial.psbt");
    })));
}
