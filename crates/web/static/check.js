// The badge "check it yourself": what was checked, how long each part took, and what was not.

import { make } from "./dom.js";
import { Refusal } from "./modules.js";
import { T, words } from "./texts.js";
import { remember, seen } from "./wallet.js";
import { startWorker } from "./workers.js";

let worker;

function run(kennel, height) {
  worker ??= startWorker("check-worker.js");
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) =>
      data.code === undefined ? resolve(data) : reject(new Refusal(data.code, data.message));
    worker.onerror = () => {
      worker = undefined;
      reject(new Refusal("module", "module"));
    };
    worker.postMessage({ kennel, height });
  });
}

const bytes = (count) => (count < 10_000 ? `${count} B` : `${Math.round(count / 1024)} KiB`);
const ms = (time) => (time < 10 ? time.toFixed(1) : Math.round(time).toString());

function partWords({ name, details }) {
  const say = T.check.parts[name];
  if (name === "fetch") return say(details[0], bytes(details[1]));
  if (name === "module") return say(details[0].slice(0, 12), bytes(details[1]));
  return typeof say === "function" ? say(...details) : say;
}

/** Holds the checkpoint against what this browser has seen; gives words for the verdict, or a reason to distrust. */
async function compare(kennel, found) {
  const before = await seen(kennel).catch(() => undefined);
  if (before && found.size < before.size) return { why: T.check.shrunk(before.size) };
  if (before && found.size === before.size && found.root !== before.root) return { why: T.check.forked };
  await remember(kennel, found).catch(() => {});
  return { note: before ? undefined : T.check.firstSeen };
}

async function check(button, verdict) {
  const { kennel, height } = button.dataset;
  button.disabled = true;
  verdict.replaceChildren(T.check.running);
  delete verdict.dataset.verdict;
  const began = performance.now();
  try {
    const found = await run(kennel, Number(height));
    const took = performance.now() - began;
    const memory = found.seen ? await compare(kennel, found.seen) : {};
    const why = T.check.whys[found.why] ?? found.why ?? memory.why;
    const isGood = found.good && !why;
    verdict.dataset.verdict = isGood ? "good" : "bad";
    verdict.dataset.ms = String(Math.round(took));
    const head = isGood ? T.check.good(Math.round(took)) : why ? T.check.unsound(why) : T.check.bad;
    const children = [make("p", {}, make("strong", { textContent: head }))];
    if (found.differences?.length) {
      children.push(
        make("p", { textContent: T.check.differs }),
        make("ul", { className: "differs" }, ...found.differences.map((line) => make("li", {}, make("code", { textContent: line })))),
      );
    }
    if (found.parts.length) {
      children.push(
        make("p", { textContent: T.check.what }),
        make("ul", {}, ...found.parts.map((part) => {
          const item = make("li", { textContent: `${partWords(part)} (${ms(part.ms)} ms)` });
          item.dataset.part = part.name;
          item.dataset.ms = part.ms.toFixed(2);
          return item;
        })),
        make("p", { textContent: T.check.not }),
        make("ul", {}, ...T.check.nots.map((line) => make("li", { textContent: line }))),
      );
    }
    if (found.seen) children.push(make("p", { textContent: T.check.checkpoint(found.seen.size, found.seen.root.slice(0, 16)) }));
    if (memory.note) children.push(make("p", { textContent: memory.note }));
    verdict.replaceChildren(...children);
  } catch (error) {
    verdict.dataset.verdict = "none";
    verdict.replaceChildren(make("p", { textContent: T.check.notChecked + words(error) }));
  }
  button.disabled = false;
}

export function badge(button) {
  const verdict = button.nextElementSibling;
  button.removeAttribute("data-off");
  button.addEventListener("click", () => check(button, verdict));
}
