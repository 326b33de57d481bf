// The modules that pages run, by the SHA-256 of their bytes; no other is. Written by `cargo xtask module pin`
// and `cargo xtask keys pin`; not to be edited by hand.

/** The key module. */
export const KEYS = "587dd75df37cb66459f0fb5054c6552f0222bcbcfc0727ec56bc958e50124940";

/** The chain modules, oldest first. */
export const RULES = [
  "b5a0280d7f977d449e7d6fac65cba86edc33a6c366e1458fbbe74a73fde1ac7f",
];
