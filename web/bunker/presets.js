// bunker/presets.js - where a policy can start from.
const BASE = {period: null, notes: "", msg_paths: null, share_xpubs: null, share_addrs: null, rules: []};

// name: [label, form]; amounts are coins
export const PRESETS = {
  small: ["Small payments alone, larger ones with a user", {...BASE, period: 1440, notes: "Small alone, larger with a user",
    rules: [{max_amount: "0.01", per_period: "0.05"}, {per_period: "1", users: "alice", min_users: "all"}]}],
  whitelist: ["Only to known addresses", {...BASE, period: 1440, notes: "Known destinations only",
    rules: [{whitelist: "", per_period: "1"}]}],
  two: ["Two people for everything", {...BASE, notes: "Two of three approve",
    rules: [{users: "alice, bob, carol", min_users: "2"}]}],
  local: ["Somebody at the device for everything", {...BASE, notes: "Local code always", rules: [{local_conf: true}]}],
  watch: ["No spending; a watch-only wallet may read addresses", {...BASE, notes: "Reads only", share_xpubs: "any", share_addrs: "any"}],
  messages: ["Messages only, as proof of reserves", {...BASE, notes: "Messages only", msg_paths: "any"}],
};
export const EMPTY = BASE;
