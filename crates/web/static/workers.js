// Starts workers of this release and no other script: the page's policy lets only this function name one.

const folder = new URL("./", import.meta.url).href;

const SERVICE_WORKER = new URL("/sw.js", location.href).href;

const policy = globalThis.trustedTypes?.createPolicy("pitpet", {
  createScriptURL(url) {
    if (url !== SERVICE_WORKER && !["keys-worker.js", "check-worker.js", "mine-worker.js"].some((name) => url === folder + name)) throw new TypeError(url);
    return url;
  },
}) ?? { createScriptURL: (url) => url };

/** Turns on the worker that shows a page when the site can't be reached. */
export const keepOffline = () => navigator.serviceWorker?.register(policy.createScriptURL(SERVICE_WORKER));

export const startWorker = (name) => new Worker(policy.createScriptURL(folder + name), { type: "module" });
