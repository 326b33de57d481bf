// The modules that pages run, by the SHA-256 of their bytes; no other is. Written by `cargo xtask module pin`
// and `cargo xtask keys pin`; not to be edited by hand.

/** The key module. */
export const KEYS = "98b0a89764b6e7dbb0e072ad4b866b83abbfaa4a4832513855d978fa09faa622";

/** The chain modules, oldest first. */
export const RULES = [
  "66bbbdb030bd8cd683efca0e57c5722fedaa22c5fb5c844a0f529f571e627d63",
];
