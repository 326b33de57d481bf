// Starts workers of this release and no other script: the page's policy lets only this function name one.

const folder = new URL("./", import.meta.url).href;

const policy = globalThis.trustedTypes?.createPolicy("pitpet", {
  createScriptURL(url) {
    if (!["keys-worker.js", "check-worker.js", "mine-worker.js"].some((name) => url === folder + name)) throw new TypeError(url);
    return url;
  },
}) ?? { createScriptURL: (url) => url };

export const startWorker = (name) => new Worker(policy.createScriptURL(folder + name), { type: "module" });
