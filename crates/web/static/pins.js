// The modules that pages run, by the SHA-256 of their bytes; no other is. Written by `cargo xtask module pin`
// and `cargo xtask keys pin`; not to be edited by hand.

/** The key module. */
export const KEYS = "f91272608c7a4ba61d0d7992abc3d15a9502918a73642ab50e7aa9051d684c86";

/** The chain modules, oldest first. */
export const RULES = [
  "91af90bf9b6083f8488a77e946d8a986d10a2d43ecf10a9553bb4b8d04663705",
];
