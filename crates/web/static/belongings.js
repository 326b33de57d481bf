// Bookmarks on posts, and what is muted: not shown, on this device and every other of the account.

import { make } from "./dom.js";
import { T, words } from "./texts.js";

/** Pages on which what is muted isn't shown. On an account's own page, or a pet's, one went to see just that. */
const MUTED_ON = ["feed", "search", "tag", "post"];

/** A button that puts an entry into the list, or takes it out; it shows at once, and is taken back if that fails. */
export function toggle(button, own, part, entry, isIn, place, after) {
  button.setAttribute("aria-pressed", String(isIn));
  button.addEventListener("click", async () => {
    const wanted = button.getAttribute("aria-pressed") !== "true";
    let status = place.querySelector("output.status");
    if (!status) place.append((status = make("output", { className: "status" })));
    button.disabled = true;
    button.setAttribute("aria-pressed", String(wanted));
    status.dataset.state = "queued";
    status.textContent = T.saving;
    try {
      const { set } = await import("./list.js");
      const list = await set(own, part, entry, wanted);
      status.dataset.state = "kept";
      status.textContent = wanted ? T.kept[part] : T.unkept[part];
      after?.(list);
    } catch (error) {
      button.setAttribute("aria-pressed", String(!wanted));
      status.dataset.state = "failed";
      status.textContent = words(error);
    }
    button.disabled = false;
  });
}

/** Whether a list's item is by somebody who is muted, or has a muted tag. */
function isMuted(item, list, ownPage) {
  if (list.accounts.includes(item.dataset.by)) return true;
  const tags = Array.from(item.querySelectorAll("a[rel~=tag]"), (link) => link.textContent.slice(1));
  return tags.some((tag) => list.tags.includes(tag) && tag !== ownPage);
}

/** What a list means for a part of the page. */
export function belong(root, own, list, page) {
  const ownPage = document.querySelector("[data-mute=tags]")?.dataset.subject;
  if (MUTED_ON.includes(page)) {
    const items = root.matches?.("li[data-by]") ? [root] : root.querySelectorAll("li[data-by]");
    for (const item of items) item.hidden = item.dataset.by !== own.account && isMuted(item, list, ownPage);
  }
  for (const place of root.querySelectorAll("[data-actions][data-post]")) {
    const button = place.querySelector("[data-bookmark]");
    // Where a pet is cared for in a list, its post isn't shown, nor kept.
    if (!button) continue;
    const { post } = place.dataset;
    button.removeAttribute("data-off");
    toggle(button, own, "bookmarks", post, list.bookmarks.includes(post), place);
  }
  for (const button of root.querySelectorAll("[data-mute]")) {
    const { mute: part, subject } = button.dataset;
    if (subject === own.account) continue;
    button.removeAttribute("data-off");
    const [mute, isIn] = [button.textContent, list[part].includes(subject)];
    const name = (list) => (button.textContent = list[part].includes(subject) ? T.unmute : mute);
    name(list);
    toggle(button, own, part, subject, isIn, button.parentElement, name);
  }
}
