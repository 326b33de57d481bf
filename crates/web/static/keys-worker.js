// Runs the key module off the page's thread: passwords are stretched for about a second, stamps searched for several.

import { number } from "./bytes.js";
import { loadKeys, Refusal } from "./modules.js";

/** Trials between two reports: about 50 ms. */
const TRIES = 1 << 17;

let keys;

function search(id, [base, bits]) {
  for (let from = 0; ; from += TRIES) {
    const [found] = keys("stamp_search", base, bits, from, TRIES);
    if (found.length > 0) return [number(found)];
    postMessage({ id, tried: from + TRIES });
  }
}

onmessage = async ({ data: { id, name, fields } }) => {
  try {
    keys ??= await loadKeys();
    postMessage({ id, answer: name === "search" ? search(id, fields) : keys(name, ...fields) });
  } catch (error) {
    // A trap leaves a module that may not be used again; of memory, as a rule.
    if (!(error instanceof Refusal)) keys = undefined;
    postMessage({ id, code: error.code ?? (error instanceof WebAssembly.RuntimeError ? "trap" : "script"), message: error.message });
  }
};
