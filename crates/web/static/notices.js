// What happened around one's pets since one last looked: a count in the menu. What was looked at is remembered by each
// device for itself.

import { get } from "./api.js";
import { make } from "./dom.js";
import { T } from "./texts.js";
import { remember, seen } from "./wallet.js";

/** How often it is asked, at most, ms. */
const EVERY_MS = 60_000;

const place = (own) => `notices ${own.account}`;

/** Shows the count. */
export async function badge(own) {
  const known = (await seen(place(own))) ?? { readMs: 0, askedMs: 0, times: [], fading: 0 };
  if (Date.now() - known.askedMs > EVERY_MS) {
    const told = await get(`/v1/accounts/${own.account}/notices`);
    known.times = told.entries.map((entry) => entry.timestamp_ms);
    known.fading = told.fading.length;
    known.askedMs = Date.now();
    await remember(place(own), known);
  }
  const count = known.times.filter((time) => time > known.readMs).length + known.fading;
  const link = document.querySelector("nav [data-signed-in] a");
  link?.querySelector(".count")?.remove();
  if (count > 0 && link) {
    link.append(make("span", { className: "count" }, String(count), make("span", { className: "vh", textContent: ` ${T.news}` })));
  }
}

/** Takes everything up to now for looked at; gives up to when it was before. */
export async function markRead(own, newestMs) {
  const known = (await seen(place(own))) ?? { readMs: 0, times: [], fading: 0 };
  await remember(place(own), { ...known, readMs: Math.max(known.readMs, newestMs), askedMs: 0 });
  return known.readMs;
}
