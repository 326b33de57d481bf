// The site's service worker: where a page can't be fetched because the network or the site is away, it shows one that
// says so, in the language of the page that was asked for, with the style sheet that it needs. It answers nothing else,
// and keeps no other page: what is shown is never older than the answer that it is.
//
// The server puts in place of the words below the style sheet's address, which changes with it, and the languages, the
// first of which is for whoever reads none of them.

const STYLE = "{style}";
const LANGS = "{langs}".split(" ");
const KEPT = `pitpet-offline-2 ${STYLE}`;

const offline = (lang) => `/offline?lang=${LANGS.includes(lang) ? lang : LANGS[0]}`;

self.addEventListener("install", (event) => {
  self.skipWaiting();
  const files = [...LANGS.map(offline), STYLE].map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(KEPT).then((kept) => kept.addAll(files)));
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
    const lang = new URL(event.request.url).searchParams.get("lang") ?? navigator.language.slice(0, 2);
    const kept = await (await caches.open(KEPT)).match(offline(lang));
    if (!kept) throw error;
    return kept;
  }
}

async function style(event) {
  try {
    return await fetch(event.request);
  } catch (error) {
    const kept = await (await caches.open(KEPT)).match(STYLE);
    if (!kept) throw error;
    return kept;
  }
}

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  if (event.request.mode === "navigate") event.respondWith(page(event));
  else if (new URL(event.request.url).pathname === STYLE) event.respondWith(style(event));
});
