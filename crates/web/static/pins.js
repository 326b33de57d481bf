// The modules that pages run, by the SHA-256 of their bytes; no other is. Written by `cargo xtask module pin`
// and `cargo xtask keys pin`; not to be edited by hand.

/** The key module. */
export const KEYS = "9b253d973bc62a81e9b33e5558bf37d594db39b377583e99cfb07265641d2eeb";

/** The chain modules, oldest first. */
export const RULES = [
  "91af90bf9b6083f8488a77e946d8a986d10a2d43ecf10a9553bb4b8d04663705",
];
