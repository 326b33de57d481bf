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
  const [rulesHash, hash, parent, , eventCount, logSize, logRoot, start, replay, ...before] = claims;
  parts.push({ name: "fetch", details: [before.length, evidence.length], ms: fetched });
  part("log", number(logSize));

  const name = toHex(rulesHash);
  let chain = rules.get(name);
  if (!chain) rules.set(name, (chain = await loadRules(name)));
  part("module", name, chain.size);

  const seen = { size: number(logSize), root: toHex(logRoot) };
  const opened = chain.call("open", start);
  require(opened.done, "the state that the server sent contradicts its root");
  let [head, genesis] = keys("evidence_opened", opened.bytes);
  part("state");
  if (height === 0) {
    require(toHex(head) === toHex(hash), "the first block is not what the parameters make");
    part("genesis");
    return { good: true, parts, seen };
  }
  for (const input of before) {
    const answer = chain.call("replay", input);
    require(answer.done, "a block before this one is not what the rules make of its events");
    [head] = keys("evidence_replayed", answer.bytes);
  }
  if (before.length > 0) part("before", before.length);
  require(toHex(head) === toHex(parent), "the state that the server sent is not that of the block before");
  const answer = chain.call("replay", replay);
  if (answer.done) {
    const [found] = keys("evidence_replayed", answer.bytes);
    require(toHex(found) === toHex(hash), "the block has another hash");
    part("block", number(eventCount));
    return { good: true, parts, seen };
  }

  // The module says no: let it decide the events anew, and compare.
  const [startAgain, batch, shown, ...beforeAgain] = keys("evidence_anew", evidence, rulesHash);
  chain.call("open", startAgain);
  for (const input of beforeAgain) chain.call("replay", input);
  const anew = chain.call("apply", batch);
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
