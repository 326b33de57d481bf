// Loads the WebAssembly modules, and runs only those whose SHA-256 is pinned in this release: whoever serves another
// module under the same address, a proxy or a cache, gets nothing run.

import { readFields, sha256, text, toHex, writeFields } from "./bytes.js";
import { KEYS, RULES } from "./pins.js";

/** A refusal by the key module or a server: `code` is stable, the message is for people. */
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

async function load(url, hash) {
  if (!globalThis.crypto?.subtle) throw new Refusal("insecure", "insecure");
  const response = await fetch(url);
  if (!response.ok) throw new Refusal("module", `${response.status} ${url}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const found = toHex(await sha256(bytes));
  if (found !== hash) throw new Refusal("module", `${url}: ${found}`);
  // No imports: a module reaches nothing but its own memory.
  const { instance } = await WebAssembly.instantiate(bytes, {});
  return { exports: instance.exports, size: bytes.length };
}

/** Calls an operation over bytes; gives the answer, whose first byte says whether it is one. */
function call(exports, name, input) {
  const at = exports.allocate(input.length) >>> 0;
  new Uint8Array(exports.memory.buffer, at, input.length).set(input);
  const packed = BigInt.asUintN(64, exports[name](at, input.length));
  const start = Number(packed >> 32n);
  const size = Number(packed & 0xffffffffn);
  const answer = new Uint8Array(exports.memory.buffer, start, size).slice();
  exports.deallocate(start, size);
  return answer;
}

/** The key module: `(operation, ...fields)` to the answer's fields. */
export async function loadKeys() {
  const { exports } = await load(new URL("keys.wasm", import.meta.url), KEYS);
  return (name, ...fields) => {
    const input = writeFields(fields);
    const answer = call(exports, name, input);
    input.fill(0);
    const found = readFields(answer.subarray(1));
    if (answer[0] !== 0) throw new Refusal(text(found[0]), text(found[1]));
    return found;
  };
}

export const isPinned = (rules) => RULES.includes(rules);

/** A chain module by its hash: `(operation, bytes)` to `{ done, bytes }`. */
export async function loadRules(rules) {
  if (!isPinned(rules)) throw new Refusal("rules", rules);
  const { exports, size } = await load(`/v1/rules/${rules}.wasm`, rules);
  return {
    size,
    call(name, input) {
      const answer = call(exports, name, input);
      return { done: answer[0] === 0, bytes: answer.subarray(1) };
    },
  };
}
