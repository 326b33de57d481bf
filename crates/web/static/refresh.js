// After an action: what it changed, taken over from the page as the server has it now.

import { load, taken } from "./pages.js";

/** A block's changes are published a moment after it; so often, and so much longer each time, it is asked, ms. */
const ATTEMPTS = 5;
const PAUSE_MS = 250;

const number = (root, post, kind) =>
  Number(root.querySelector(`[data-actions][data-post="${post}"] [data-count="${kind}"]`)?.textContent ?? NaN);
const lifeOf = (root, pet) => root.querySelector(`[data-life="${pet}"]`)?.textContent;

/** Whether a page shows what an event did. */
function shows(page, { post, pet }, kind, id) {
  if (page.getElementById(`e-${id}`) || page.querySelector(`a[href*="${id}"]`)) return true;
  if (post && number(page, post, kind) >= number(document, post, kind)) return true;
  return lifeOf(page, pet) !== lifeOf(document, pet);
}

/** What an item of a list is known by. */
const nameOf = (item) => item.id || item.querySelector("a")?.getAttribute("href");

/** Adds what a list has got since; gives the new items. */
function grow(part, newer) {
  const [list, from] = [part, newer].map((root) => root.querySelector("ul.cards, ol.line"));
  if (!list || !from) return [];
  const known = new Set(Array.from(list.children, nameOf));
  const items = taken(Array.from(from.children).filter((item) => !known.has(nameOf(item))));
  for (const item of list.querySelectorAll(":scope > .unsure")) item.remove();
  list.prepend(...items);
  part.hidden = newer.hidden;
  return items;
}

/** Replaces what goes by the same name, but for what somebody is at; gives what is new. */
function replace(page, attribute, place) {
  const made = [];
  for (const old of document.querySelectorAll(`[${attribute}]`)) {
    if (old.contains(place)) continue;
    const newer = page.querySelector(`[${attribute}="${old.getAttribute(attribute)}"]`);
    if (attribute === "data-part" && !newer) old.remove();
    if (!newer) continue;
    const [node] = taken([newer]);
    old.replaceWith(node);
    made.push(node);
  }
  return made;
}

/**
 * Takes over lives, counts, facts and lists. `use(item)` makes of each new item what scripts make of it. A place may name
 * another page than this one to take them from.
 */
export async function refresh(place, kind, id, use) {
  let page;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    page = await load(place.dataset.shownAt ?? location.href);
    if (shows(page, place.dataset, kind, id)) break;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
  }
  replace(page, "data-life", place);
  const items = replace(page, "data-part", place);
  for (const newer of page.querySelectorAll("[data-actions][data-post]")) {
    const { post } = newer.dataset;
    for (const count of newer.querySelectorAll("[data-count]")) {
      const selector = `[data-actions][data-post="${post}"] [data-count="${count.dataset.count}"]`;
      for (const old of document.querySelectorAll(selector)) {
        old.textContent = count.textContent;
        old.nextElementSibling.textContent = count.nextElementSibling.textContent;
      }
    }
  }
  for (const newer of page.querySelectorAll("[data-grows]")) {
    const part = document.querySelector(`[data-grows="${newer.dataset.grows}"]`);
    if (part) items.push(...grow(part, newer));
  }
  await Promise.all(items.map(use));
}
