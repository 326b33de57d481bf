// Tries numbers off the page's thread until one fits. Stopped by ending the worker: nothing is lost by that.

import { number, random } from "./bytes.js";
import { loadKeys } from "./modules.js";

/** Tries between two reports: about 50 ms. */
const TRIES = 1 << 16;

onmessage = async ({ data: { kennel, over, account, difficulty } }) => {
  try {
    const keys = await loadKeys();
    // Anywhere, so that two devices of one account try different numbers.
    let from = new DataView(random(8).buffer).getUint32(0) * 2 ** 16;
    for (;;) {
      const [found] = keys("seal_search", kennel, over, account, difficulty, from, TRIES);
      if (found.length > 0) {
        const proof = number(found);
        postMessage({ tried: proof - from + 1, proof });
        return;
      }
      postMessage({ tried: TRIES });
      from += TRIES;
    }
  } catch (error) {
    postMessage({ code: error.code ?? (error instanceof WebAssembly.RuntimeError ? "trap" : "script"), message: error.message });
  }
};
