// Decides a block again, in this browser, from what the server says of it and nothing else that it says: the ledger's
// identity is a hash of its parameters, its checkpoint is signed, blocks are linked by hashes, the state's root is
// recomputed, and the rules are a module whose hash this release knows.

import { number, toHex } from "./bytes.js";
import { loadKeys, loadRules, Refusal } from "./modules.js";
import { fromHex } from "./bytes.js";

let keys;
const rules = new Map();

class Unsound extends Error {}

function require(condition, why) {
  if (!condition) throw new Unsound(why);
}

async function check(kennel, height) {
  const parts = [];
  let last = performance.now();
  const part = (name, ...details) => {
    const now = performance.now();
    parts.push({ name, details, ms: now - last });
    last = now;
  };

  const [response, loaded] = await Promise.all([
    fetch(`/v1/kennels/${kennel}/blocks/${height}/evidence`),
    keys ?? loadKeys(),
  ]);
  keys = loaded;
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Refusal("server", problem.detail ?? String(response.status));
  }
  const evidence = new Uint8Array(await response.arrayBuffer());
  const fetched = performance.now() - last;
  last = performance.now();

  let claims;
  try {
    claims = keys("evidence_check", fromHex(kennel), height, evidence);
  } catch (error) {
    if (error.code === "unsound") throw new Unsound(error.message);
    throw error;
  }
  const [rulesHash, hash, parent, , eventCount, logSize, logRoot, firstRules, start, replay, ...before] = claims;
  parts.push({ name: "fetch", details: [before.length / 2, evidence.length], ms: fetched });
  part("log", number(logSize));

  // Every block is decided by the module that it names. They are fetched before anything is run, so that the times
  // below are those of the work.
  const names = new Set([firstRules, rulesHash, ...before.filter((_, at) => at % 2 === 0)].map(toHex));
  for (const name of names) {
    let chain = rules.get(name);
    if (!chain) rules.set(name, (chain = await loadRules(name)));
    part("module", name, chain.size);
  }

  const seen = { size: number(logSize), root: toHex(logRoot) };
  const open = (name, input, refused) => {
    const chain = rules.get(name);
    const opened = chain.call("open", input);
    require(opened.done, refused);
    const [head] = keys("evidence_opened", opened.bytes);
    return { chain, name, head: toHex(head) };
  };
  // The module before writes its state, the next one takes it over: it refuses unless the blocks before decided so.
  const handOver = (at, next) => {
    if (at.name === toHex(next)) return at;
    const written = at.chain.call("snapshot", new Uint8Array());
    require(written.done, "the module before the change of rules does not write its state");
    const input = keys("evidence_taken_over", next, written.bytes)[0];
    const opened = open(toHex(next), input, "the rules change where the rules before did not decide so");
    require(opened.head === at.head, "the module after the change of rules is at another block");
    return opened;
  };
  const walk = (note) => {
    let at = open(toHex(firstRules), start, "the state that the server sent contradicts its root");
    note("state");
    for (let n = 0; n < before.length; n += 2) {
      at = handOver(at, before[n]);
      const answer = at.chain.call("replay", before[n + 1]);
      require(answer.done, "a block before this one is not what the rules make of its events");
      at.head = toHex(keys("evidence_replayed", answer.bytes)[0]);
    }
    if (height > 0) at = handOver(at, rulesHash);
    if (before.length > 0) note("before", before.length / 2);
    return at;
  };

  const at = walk(part);
  if (height === 0) {
    require(at.head === toHex(hash), "the first block is not what the parameters make");
    part("genesis");
    return { good: true, parts, seen };
  }
  require(at.head === toHex(parent), "the state that the server sent is not that of the block before");
  const answer = at.chain.call("replay", replay);
  if (answer.done) {
    const [found] = keys("evidence_replayed", answer.bytes);
    require(toHex(found) === toHex(hash), "the block has another hash");
    part("block", number(eventCount));
    return { good: true, parts, seen };
  }

  // The module says no: let it decide the events anew, and compare.
  const [batch, shown] = keys("evidence_anew", evidence);
  const anew = walk(() => {}).chain.call("apply", batch);
  const lines = anew.done ? keys("evidence_differences", shown, anew.bytes) : [];
  const decoder = new TextDecoder();
  return { good: false, parts, seen, differences: lines.map((line) => decoder.decode(line)) };
}

onmessage = async ({ data: { kennel, height } }) => {
  try {
    postMessage(await check(kennel, height));
  } catch (error) {
    if (error instanceof Unsound) postMessage({ good: false, why: error.message, parts: [], differences: [] });
    else {
      if (!(error instanceof Refusal)) keys = undefined;
      postMessage({ code: error.code ?? (error instanceof WebAssembly.RuntimeError ? "trap" : "script"), message: error.message });
    }
  }
};
