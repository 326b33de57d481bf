// The modules that pages run, by the SHA-256 of their bytes; no other is. Written by `cargo xtask module pin`
// and `cargo xtask keys pin`; not to be edited by hand.

/** The key module. */
export const KEYS = "e184e7de6350613c454b4685f7ce85914e8e1863ddad1843283f56f4b0db6c67";

/** The chain modules, oldest first. */
export const RULES = [
  "91af90bf9b6083f8488a77e946d8a986d10a2d43ecf10a9553bb4b8d04663705",
];
