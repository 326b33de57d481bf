// New posts are announced, not shoved in: a button says how many there are, and puts them on top.

import { get } from "./api.js";
import { make } from "./dom.js";
import { listOf, load, taken } from "./pages.js";
import { T } from "./texts.js";

const EVERY_MS = 15_000;

/** What a card leads to, by which it is known. */
const target = (item) => item.querySelector("a").getAttribute("href");

/** `use(item)` makes of each new item what scripts make of those that the page came with. */
export function announce(place, use) {
  const button = make("button", { type: "button", className: "new-posts", hidden: true });
  place.append(button);
  place.setAttribute("role", "status");
  const reload = () => location.assign(location.pathname + location.search);
  const look = async () => {
    if (document.hidden) return;
    const page = await get(place.dataset.feedUrl).catch(() => undefined);
    if (!page) return;
    const at = page.entries.findIndex((entry) => entry.id === place.dataset.newest);
    const count = at < 0 ? page.entries.length : at;
    button.hidden = count === 0;
    button.textContent = T.newPosts(count);
  };
  button.addEventListener("click", async () => {
    const list = listOf(document);
    const page = await load(location.href).catch(() => undefined);
    const newest = page && listOf(page);
    if (!list || !newest) return reload();
    const known = new Set(Array.from(list.children, target));
    const fresh = Array.from(newest.children).filter((item) => !known.has(target(item)));
    // With none in common there is a gap between them, which only the page itself can show.
    if (fresh.length === newest.children.length) return reload();
    const items = taken(fresh);
    list.prepend(...items);
    await Promise.all(items.map(use));
    place.dataset.newest = page.querySelector("[data-live]").dataset.newest;
    button.hidden = true;
    (items[0] ?? list.firstElementChild)?.querySelector("a.name")?.focus();
  });
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
}
