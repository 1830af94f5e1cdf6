// bunker/text.js - the words of the pages, in one place.
export const STATES = {
  absent: ["bad", "No device", "The device is not connected. The bunker goes on looking for it."],
  connecting: ["warn", "Connecting", "The bunker is connecting to the device."],
  locked: ["warn", "Locked", "The device holds no secret yet."],
  hsm_disabled: ["warn", "HSM off", "HSM commands are disabled. Enable HSM mode in the device's Advanced menu."],
  idle: ["warn", "Not in HSM mode", "The device signs only with key presses on the device itself."],
  approving: ["warn", "Waiting for approval", "The device shows a policy. Approve it there."],
  hsm: ["good", "HSM mode", ""],
  busy: ["warn", "Busy", "The device is doing something else right now."],
  error: ["bad", "Trouble", "The device does not answer as it should."],
};

export const SLOTS = {
  empty: "No transaction is loaded.",
  loaded: "Loaded. Look at it before you sign.",
  previewing: "The device is describing it.",
  signing: "The device is signing.",
  signed: "Signed.",
  refused: "The device refused it.",
  failed: "It could not be signed.",
};

export const HELP = [
  ["What this is", "Casemate's bunker shows one signer or Coldcard in HSM mode to people and programs. It holds no " +
    "keys: the device decides by its policy, and only the device signs."],
  ["Before you give a code", "Check the transaction here, and its hash with a second program. Whoever controls this " +
    "host could show you another transaction. The device's policy is the last line, so give high-value rules a local " +
    "code or several users."],
  ["Codes", "A six-digit code is good for the transaction that is signed next, and is forgotten after 90 seconds. " +
    "A password is turned into a token in your browser; only the token leaves it."],
  ["Local code", "Some rules want the six digits shown here to be typed on the device itself, before you press Sign."],
  ["Limits after a restart", "A device that starts with a stored policy counts the limits of this period as used up, " +
    "because nobody can tell why it was restarted. They return when the period ends."],
  ["What to back up", "The device's seed and policy. The bunker's own file holds accounts and a copy of the policy: " +
    "losing it costs no money."],
];
