// The site's service worker: where a page can't be fetched because the network or the site is away, it shows one that
// says so. It answers nothing else, and keeps no other page: what is shown is never older than the answer that it is.

const KEPT = "pitpet-offline-1";

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(KEPT).then((kept) => kept.add(new Request("/offline", { cache: "reload" }))));
});

self.addEventListener("activate", (event) => {
  const enable = self.registration.navigationPreload?.enable();
  const forget = caches.keys().then((names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name))));
  event.waitUntil(Promise.all([enable, forget]));
});

async function page(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch (error) {
    const kept = await (await caches.open(KEPT)).match("/offline");
    if (!kept) throw error;
    return kept;
  }
}

self.addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate" && event.request.method === "GET") event.respondWith(page(event));
});
