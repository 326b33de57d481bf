// Reporting, erasing, and verdicts: what is asked of the server by a signed request, and what a moderator puts on the
// ledger.

import { mined, request, send } from "./act.js";
import { ask } from "./actions.js";
import { get, post } from "./api.js";
import { fromHex } from "./bytes.js";
import { make, path } from "./dom.js";
import { T, words } from "./texts.js";
import { keysOf } from "./wallet.js";

function status(place) {
  let found = place.querySelector("output.status");
  if (!found) place.append((found = make("output", { className: "status" })));
  return found;
}

/** Does something asked for in a place; says how it went. */
async function run(place, button, action) {
  const shown = status(place);
  const say = (text) => (shown.textContent = text);
  if (button.getAttribute("aria-disabled") === "true") return;
  const wait = (isWaiting) => button.setAttribute("aria-disabled", String(isWaiting));
  wait(true);
  try {
    const done = await action(say);
    if (done === undefined) {
      wait(false);
      say("");
      return;
    }
    shown.dataset.state = "done";
    say(done);
  } catch (error) {
    shown.dataset.state = "failed";
    say(words(error));
    wait(false);
  }
}

async function report(place, own, say) {
  const choice = make(
    "select", { required: true },
    ...Object.entries(T.reasons).map(([value, textContent]) => make("option", { value, textContent })),
  );
  const given = await ask(place, T.report, [[T.reportLabel, choice]]);
  if (!given) return undefined;
  say(T.preparing);
  await post("/v1/reports", { request: await request(own, "report", fromHex(place.dataset.event), choice.value) });
  return T.reported;
}

async function erase(place, own, say) {
  const given = await ask(place, T.erase, [[T.eraseLabel, make("input", { type: "checkbox", required: true })]]);
  if (!given) return undefined;
  say(T.preparing);
  await post("/v1/erasures", { request: await request(own, "erase", fromHex(place.dataset.event)) });
  return T.erased;
}

/** Turns on what may be done about a text. */
export function wishes(place, own) {
  place.removeAttribute("data-off");
  for (const button of place.querySelectorAll("button[data-wish]")) {
    const kind = button.dataset.wish;
    const isAuthor = own && place.dataset.author === own.account;
    button.hidden = kind === "erase" ? !isAuthor : isAuthor;
    button.addEventListener("click", () => {
      if (!own) location.assign(path("/join"));
      else run(place, button, (say) => (kind === "erase" ? erase : report)(place, own, say));
    });
  }
}

async function decide(place, own, verdict, say) {
  const reason = make("textarea", { required: true, maxLength: 1000, rows: 2 });
  const given = await ask(place, T.send, [[T.verdictLabel, reason]]);
  if (!given) return undefined;
  say(T.preparing);
  const fields = [fromHex(place.dataset.event), verdict, reason.value];
  const id = await send(own, place.dataset.kennel, "moderate", fields, (part) => say(T.working(part)), () => say(T.away));
  say(T.queued);
  return T.mined(await mined(id, place.dataset.kennel, () => say(T.queued)));
}

/** Turns on the verdicts for whoever holds a moderator's key. */
export async function verdicts(places, own) {
  if (!own) return;
  const { kennels } = await get("/v1/moderation/moderators");
  for (const place of places) {
    const kennel = kennels.find((kennel) => kennel.kennel === place.dataset.kennel);
    place.hidden = !keysOf(own).some(({ key }) => kennel?.moderators.includes(key));
    for (const button of place.querySelectorAll("button[data-verdict]")) {
      const verdict = Number(button.dataset.verdict);
      button.addEventListener("click", () => run(place, button, (say) => decide(place, own, verdict, say)));
    }
  }
}
