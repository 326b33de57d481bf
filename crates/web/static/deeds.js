// What was done once from this device, so that the buttons still say so when a page is opened again.

import { remember, seen } from "./wallet.js";

/** Deeds that are remembered, at most: the newest. */
const DEEDS_MAX = 500;

const place = (own) => `deeds ${own.account}`;

/** Kinds of which there is one for each account and post. */
export const IS_REMEMBERED = ["pat", "share"];

/** What was done: `kind post`. */
export const deeds = async (own) => new Set(await seen(place(own)).catch(() => undefined));

/** Remembers that it was done. */
export async function did(own, kind, post) {
  if (!post || !IS_REMEMBERED.includes(kind)) return;
  const known = await deeds(own);
  known.add(`${kind} ${post}`);
  await remember(place(own), [...known].slice(-DEEDS_MAX));
}
