// bunker/text.js - the words of the pages, in one place.

// state: [kind, label, what to do]
export const STATES = {
  absent: ["bad", "No device", "The device is not connected. Plug it in, or start the signer: the bunker goes on looking for it."],
  connecting: ["warn", "Connecting", "The bunker is connecting to the device."],
  locked: ["warn", "Locked", "The device has no secret yet, or waits for its PIN. Unlock it at the device."],
  hsm_disabled: ["warn", "HSM off", "HSM commands are disabled on the device. Enable HSM mode in its Advanced menu."],
  idle: ["warn", "Not in HSM mode",
    "The device is not in HSM mode: it signs only when somebody presses a key on it. An admin can start a policy on the Policy page."],
  approving: ["warn", "Waits for a key press", "The device shows a policy. Read it there, and approve it there."],
  hsm: ["good", "HSM mode", ""],
  busy: ["warn", "Busy", "The device is doing something else right now. The bunker asks again."],
  error: ["bad", "Trouble", "The device does not answer as it should."],
};

export const SLOTS = {
  empty: "No transaction is loaded.",
  loaded: "Loaded. Look at it before you sign.",
  previewing: "The device is describing it.",
  queued: "It waits for the device.",
  signing: "The device is deciding.",
  signed: "Signed.",
  refused: "The device refused it. Nothing was signed.",
  failed: "It could not be signed.",
};

// clause of a rule: what it asks
export const CLAUSES = {
  wallet: "Which wallet", max_amount: "Amount of this transaction", max_fee: "Network fee", whitelist: "Where it goes",
  local_conf: "Code typed on the device", users: "Approval by users", per_period: "Limit of the period",
  max_txns: "Number of transactions", not_before_height: "Block height", min_pct_self_transfer: "Share that comes back",
  EQ_NUM_INS_OUTS: "As many inputs as outputs", EQ_NUM_OWN_INS_OUTS: "As many own inputs as own outputs",
  EQ_OUT_AMOUNTS: "Equal amounts",
};
// These a person can still give; the others are facts of the transaction.
export const GIVEN = ["local_conf", "users"];

// kind of event: [kind, words, group of the filter]
export const EVENTS = {
  approved: ["good", "Approved", "approved"],
  refused: ["bad", "Refused", "refused"],
  failed: ["bad", "Failed", "refused"],
  message: ["good", "Message signed", "message"],
  message_refused: ["bad", "Message refused", "message"],
  broadcast: ["good", "Broadcast", "broadcast"],
  broadcast_failed: ["bad", "Broadcast failed", "broadcast"],
  elsewhere_approved: ["warn", "Approved for another host", "elsewhere"],
  elsewhere_refused: ["warn", "Refused to another host", "elsewhere"],
  armed: ["good", "HSM mode began", "device"],
  connected: ["good", "Device connected", "device"],
  disconnected: ["bad", "Device gone", "device"],
};
export const FILTERS = [["", "Everything"], ["approved", "Approvals"], ["refused", "Refusals"], ["message", "Messages"],
  ["broadcast", "Broadcasts"], ["elsewhere", "By other hosts"], ["device", "Device"]];

export const HELP = [
  ["What this is", [
    "This bunker shows one signer, or a Coldcard in HSM mode, to people and programs. It holds no keys. The device decides by " +
      "its policy, and only the device signs."]],
  ["Signing, step by step", [
    "1. Load a PSBT: choose a file, drop it on the page, or paste its text.",
    "2. Look at it: what is paid, to whom, what comes back, and what the network takes. Compare it with the device's own words.",
    "3. See what would happen, rule by rule, and give the codes that are still missing.",
    "4. Sign. The result is downloaded, and can be broadcast. It stays here until you remove it, for at most a day."]],
  ["Before you give a code", [
    "Check the transaction, and its hash with a second program. Whoever controls this host sees transactions and codes, and " +
      "could show you another transaction than the one that goes to the device. The device's policy is the last line: give " +
      "rules of high value a local code or several users."]],
  ["Codes and passwords", [
    "A six-digit code is good for the transaction that is signed next. It is forgotten after 90 seconds, after the attempt, and " +
      "whenever the transaction changes. Each code works once: after an attempt, wait for the next.",
    "A password is turned into a token in your browser, for this transaction only; the password itself does not leave it.",
    "One wrong code refuses the whole transaction, even if it was not needed. An empty field does no harm."]],
  ["The local code", [
    "Some rules want somebody at the device. The six digits on the Sign page are typed on the device itself, before you press " +
      "Sign. They change with every transaction and every attempt."]],
  ["Limits, and limits after a restart", [
    "A bar shows what is used of a rule's limit in this period, what the loaded transaction would add, and what is left. The fee " +
      "is not counted. All limits return together when the period ends.",
    "A device that starts with a stored policy counts all limits of the period as used up, because nobody can tell why it was " +
      "restarted. That part is drawn in a pattern of its own."]],
  ["Refusals", [
    "After 100 refusals the device logs out. The page warns from the 80th on. Refusals by another host count, too."]],
  ["When something is wrong", [
    "No device: is it plugged in and unlocked? May this program use it (udev rule, group)? The reason stands on the Bunker page.",
    "HSM off: enable HSM mode in the device's Advanced menu.",
    "The page cannot reach the bunker: it tries again by itself, and keeps what you typed."]],
  ["What to back up", [
    "The device's seed, and a full copy of the policy. The bunker's own file holds accounts and a copy of the policy: losing it " +
      "costs no money."]],
  ["By keyboard", [
    "Tab goes from control to control, Enter presses, Escape closes a message. The first Tab on a page offers to skip to its " +
      "content. Rules of a policy move with their Up and Down buttons."]],
];
