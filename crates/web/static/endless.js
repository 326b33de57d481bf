// Lists that go on as their end comes near. The link beneath stays: it works without scripts, when the server is away,
// and for whoever wants to reach the foot of the page.

import { make } from "./dom.js";
import { listOf, load, nextOf, taken } from "./pages.js";
import { T, words } from "./texts.js";

/** Parts that come by themselves; then the link waits for a click, so that the foot of the page can be reached. */
const BY_THEMSELVES_MAX = 5;

/** `use(item)` makes of each new item what scripts make of those that the page came with. */
export function endless(place, use) {
  const list = listOf(document);
  const link = nextOf(document);
  if (!list || !link) return;
  const said = make("p", { className: "small soft", role: "status" });
  place.append(said);
  let parts = 0;
  let isBusy = false;

  /** Whether there is more after that. */
  const goOn = async () => {
    if (isBusy) return false;
    isBusy = true;
    said.textContent = T.loading;
    try {
      const page = await load(link.href);
      const items = taken(listOf(page)?.children ?? []);
      list.append(...items);
      await Promise.all(items.map(use));
      parts += 1;
      said.textContent = T.loaded(items.length);
      const next = nextOf(page);
      if (next) link.href = next.href;
      else {
        near.disconnect();
        link.parentElement.remove();
      }
      place.dataset.parts = String(parts);
      isBusy = false;
      return Boolean(next);
    } catch (error) {
      // By itself it isn't tried again; a click opens the page, or shows the browser's own word on it.
      near.disconnect();
      link.removeEventListener("click", onClick);
      said.textContent = words(error);
      isBusy = false;
      return false;
    }
  };
  const onClick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    goOn();
  };
  const near = new IntersectionObserver(
    async ([seen]) => {
      if (!seen.isIntersecting || parts >= BY_THEMSELVES_MAX || navigator.connection?.saveData) return;
      // Told anew where the link is: it may be in sight still.
      if (await goOn()) {
        near.unobserve(link);
        near.observe(link);
      }
    },
    { rootMargin: "400px" },
  );
  link.addEventListener("click", onClick);
  near.observe(link);
}
