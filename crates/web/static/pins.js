// The modules that pages run, by the SHA-256 of their bytes; no other is. Written by `cargo xtask module pin`
// and `cargo xtask keys pin`; not to be edited by hand.

/** The key module. */
export const KEYS = "587dd75df37cb66459f0fb5054c6552f0222bcbcfc0727ec56bc958e50124940";

/** The chain modules, oldest first. */
export const RULES = [
  "8be414754fe3c8e5857b675f418fa93b393d99857c911e834e3563530b672a51",
];
