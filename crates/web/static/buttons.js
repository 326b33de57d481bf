// Which buttons of posts, pets and orders are there for whom. What they do is loaded for whoever is signed in, while the
// page can be used already; others are led to where one joins.

import { deeds } from "./deeds.js";
import { path } from "./dom.js";
import { T } from "./texts.js";

/** Whether a button is for this account at all. */
function isShown(kind, { side, maker, owner }, own) {
  const isOwner = own?.account === owner;
  switch (kind) {
    case "post":
    case "keepsake":
    case "offer":
      return isOwner;
    case "bid":
      return !isOwner;
    case "take":
      return side === "offer" ? own?.account !== maker : isOwner;
    case "cancel":
      return own?.account === maker;
    default:
      return true;
  }
}

/** Whether it can be done to a pet that is no more. */
const outlives = (kind) => ["keepsake", "offer", "bid", "take", "cancel"].includes(kind);

/** Enables the buttons of a part of the page; `use` is for what an action brings into it. */
export async function enable(root, own, use) {
  const done = own ? await deeds(own) : new Set();
  const actions = own && import("./actions.js");
  // What fails here is said when a button is pressed, if it fails then too.
  actions?.catch(() => {});
  for (const place of root.querySelectorAll("[data-actions]")) {
    for (const button of place.querySelectorAll("button[data-act]")) {
      const kind = button.dataset.act;
      const isOwner = own && place.dataset.owner === own.account;
      // Nobody pats or shares their own pet, but may see how many did.
      button.hidden = !isShown(kind, place.dataset, own);
      const isOver = place.dataset.phase !== "living" && !outlives(kind);
      button.disabled = isOver || Boolean(isOwner && (kind === "pat" || kind === "share"));
      if (done.has(`${kind} ${place.dataset.post}`)) {
        button.setAttribute("aria-pressed", "true");
        button.setAttribute("aria-disabled", "true");
      }
      if (own) button.addEventListener("click", async () => {
        const { act } = await actions.catch(() => import("./actions.js"));
        await act(kind, place, button, own, use);
      });
      else {
        button.title = T.joinFirst;
        button.addEventListener("click", () => location.assign(path("/join")));
      }
    }
  }
}
