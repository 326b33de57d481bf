// New posts are announced, not shoved in: a button says how many there are, and shows them.

import { get } from "./api.js";
import { make } from "./dom.js";
import { T } from "./texts.js";

const EVERY_MS = 15_000;

export function announce(place) {
  const button = make("button", { type: "button", className: "new-posts", hidden: true });
  button.addEventListener("click", () => location.assign(location.pathname + location.search));
  place.append(button);
  place.setAttribute("role", "status");
  const look = async () => {
    if (document.hidden) return;
    const page = await get(place.dataset.feedUrl).catch(() => undefined);
    if (!page) return;
    const at = page.entries.findIndex((entry) => entry.id === place.dataset.newest);
    const count = at < 0 ? page.entries.length : at;
    button.hidden = count === 0;
    button.textContent = T.newPosts(count);
  };
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
}
