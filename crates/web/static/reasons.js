// Why the server or the rules refused something, in the page's language: by code, fetched when it is needed first.

let all;

/** The words for a code; those that came with it if there are none. */
export async function reason(code, detail) {
  all ??= fetch(`/reasons/${document.documentElement.lang}.json`).then((response) =>
    response.ok ? response.json() : Promise.reject(new Error(String(response.status))),
  );
  try {
    const known = await all;
    return Object.hasOwn(known, code) ? known[code] : detail;
  } catch {
    all = undefined;
    return detail;
  }
}
