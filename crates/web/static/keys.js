// The key module, from a page: every operation runs in a worker.

import { Refusal } from "./modules.js";
import { startWorker } from "./workers.js";

let worker;
let last = 0;
const waiting = new Map();

function start() {
  worker = startWorker("keys-worker.js");
  worker.onmessage = ({ data }) => {
    const call = waiting.get(data.id);
    if (data.tried !== undefined) {
      call?.progress?.(data.tried);
      return;
    }
    waiting.delete(data.id);
    if (data.code !== undefined) call?.reject(new Refusal(data.code, data.message));
    else call?.resolve(data.answer);
  };
  worker.onerror = () => {
    for (const call of waiting.values()) call.reject(new Refusal("module", "module"));
    waiting.clear();
    worker = undefined;
  };
}

function send(name, fields, progress) {
  if (!worker) start();
  last += 1;
  const id = last;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject, progress });
    worker.postMessage({ id, name, fields });
  });
}

/** Calls an operation; gives the answer's fields. */
export const keys = (name, ...fields) => send(name, fields);

/** Searches a stamp; `progress` is told how many trials were made. */
export async function searchStamp(base, bits, progress) {
  const [stamp] = await send("search", [base, bits], progress);
  return stamp;
}
