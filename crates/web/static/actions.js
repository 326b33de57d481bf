// The buttons of posts, pets and orders: pat, share, comment, gift, post, offer, bid, take, cancel. An action shows at once, walks from queued to its
// block, and is taken back with the reason if the rules refuse it.

import { accountOf, kennelOf, mined, send } from "./act.js";
import { fromHex, number } from "./bytes.js";
import { labelled, make } from "./dom.js";
import { keys } from "./keys.js";
import { ACCEPT, prepare } from "./photo.js";
import { refresh } from "./refresh.js";
import { T, words } from "./texts.js";
import { did } from "./deeds.js";
import { upload } from "./upload.js";

/** Counts up what a button shows beside it, and gives what takes it back. */
function countUp(place, kind) {
  const count = place.querySelector(`[data-count="${kind}"]`);
  if (!count) return () => {};
  const before = count.textContent;
  count.textContent = String(Number(before) + 1);
  return () => (count.textContent = before);
}

/** Ends the form that is open, if one is: there is one at a time. */
let close = () => {};

/**
 * A small form in the place of the action; gives its values, or nothing if it was cancelled. `notes` stand below, `sure`
 * is on its button. However it ends, the focus goes back to where it came from.
 */
export function ask(place, sure, fields, ...notes) {
  close();
  const from = document.activeElement;
  return new Promise((resolve) => {
    const cancel = make("button", { type: "button", textContent: T.cancel });
    const submit = make("button", { type: "submit", textContent: sure });
    const form = make(
      "form", { className: "act" }, ...fields.map(([label, control]) => labelled(label, control)), ...notes,
      make("p", {}, submit, " ", cancel),
    );
    const end = (answer) => {
      const isIn = form.contains(document.activeElement);
      form.remove();
      close = () => {};
      if (isIn) from?.focus();
      resolve(answer);
    };
    close = () => end(undefined);
    form.addEventListener("keydown", (event) => event.key === "Escape" && end(undefined));
    cancel.addEventListener("click", () => end(undefined));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      end(fields.map(([, control]) => control));
    });
    place.append(form);
    (fields[0]?.[1] ?? submit).focus();
  });
}

const hex = (text) => fromHex(text);

const DAY_MS = 24 * 60 * 60 * 1000;

/** By how much an order ends before its day: a clock that is a little ahead doesn't make one of 30 days too long. */
const LEEWAY_MS = 60_000;

/** Price and days of an order, with what of the price goes where, as the rules have it. */
async function askOrder(place) {
  const { parameters } = await kennelOf(place.dataset.kennel);
  const price = make("input", { type: "number", min: "1", max: String(Number.MAX_SAFE_INTEGER), value: "10", required: true });
  const days = make("input", { type: "number", min: "1", max: "30", value: "7", required: true });
  const note = make("output", { className: "small split" });
  const show = async () => {
    const asked = price.value;
    const split = price.validity.valid && (await keys("price_split", Number(asked), parameters.cut_permille).catch(() => undefined));
    // Answers to what was typed before come late.
    if (price.value === asked) note.textContent = split ? T.split(...split.map(number)) : "";
  };
  price.addEventListener("input", show);
  await show();
  const given = await ask(place, T.send, [[T.priceLabel, price], [T.daysLabel, days]], make("p", {}, note));
  return given && [hex(place.dataset.pet), Number(price.value), Date.now() + Number(days.value) * DAY_MS - LEEWAY_MS];
}

/** What an account has to give in a town. */
async function purseOf(own, kennel) {
  const account = await accountOf(own);
  return account?.kennels.find((holding) => holding.kennel === kennel) ?? { granted: 0, free: 0 };
}

/** Shows a comment at once where the comments are; gives what takes it back. */
function showComment(text) {
  const list = document.querySelector("[data-visits]");
  if (!list) return () => {};
  const item = make("li", { className: "unsure" }, make("span", { className: "mark" }), make("p", { className: "text quote", textContent: text }));
  list.prepend(item);
  return () => item.remove();
}

/** The event's fields after the common ones; nothing if the player changed their mind. */
async function fieldsOf(kind, place, own, say) {
  const { post, pet } = place.dataset;
  switch (kind) {
    case "pat":
    case "share":
      return [hex(post)];
    case "comment": {
      const given = await ask(place, T.send, [[T.commentLabel, make("textarea", { required: true, maxLength: 2000, rows: 3 })]]);
      return given && [hex(post), given[0].value];
    }
    case "gift": {
      const amount = make("input", { type: "number", min: "1", max: "1000000", value: "1", required: true });
      const purse = await purseOf(own, place.dataset.kennel).catch(() => undefined);
      const notes = purse ? [make("p", { className: "small", textContent: T.purse(purse.granted, purse.free) })] : [];
      const given = await ask(place, T.send, [[T.giftLabel, amount]], ...notes);
      return given && [hex(pet), Number(given[0].value)];
    }
    case "post": {
      const given = await ask(place, T.send, [
        [T.postLabel, make("textarea", { required: true, maxLength: 2000, rows: 3 })],
        [T.tagsLabel, make("input", { type: "text", maxLength: 200 })],
        [T.photoLabel, make("input", { type: "file", accept: ACCEPT })],
      ]);
      if (!given) return undefined;
      const [text, tags, file] = given;
      const words = tags.value.toLowerCase().split(/[\s,#]+/).filter(Boolean);
      let photo = new Uint8Array();
      if (file.files[0]) {
        say(T.preparing);
        photo = await upload(own, await prepare(file.files[0]), (part) => say(T.uploading(part)));
      }
      return [hex(pet), photo, text.value, words.join("\n")];
    }
    case "offer":
    case "bid":
      return askOrder(place);
    case "take": {
      const { order, price, toSeller, toHouse, side } = place.dataset;
      const deal = side === "offer" ? T.buying(price) : T.selling(price);
      const given = await ask(place, side === "offer" ? T.buy : T.sell, [], make("p", {}, deal, " ", T.split(toSeller, toHouse)));
      return given && [hex(order), Number(price)];
    }
    case "cancel":
      return [hex(place.dataset.order)];
    case "keepsake":
    case "story_end":
      return [hex(pet)];
    default:
      throw new Error(kind);
  }
}

/** Whether an account does this once per post, order or pet. */
const isOnce = (kind) => ["pat", "share", "take", "cancel", "keepsake"].includes(kind);

/** Does it; the button and what stands beside it show how far it is. `use` is for what then comes into the page. */
export async function act(kind, place, button, own, use) {
  let status = place.querySelector("output.status");
  if (!status) place.append((status = make("output", { className: "status" })));
  const say = (text) => (status.textContent = text);
  let takeBack = () => {};
  // A button that is disabled loses the focus; this one keeps it, and does nothing.
  if (button.getAttribute("aria-disabled") === "true") return;
  const wait = (isWaiting) => button.setAttribute("aria-disabled", String(isWaiting));
  try {
    wait(true);
    delete status.dataset.state;
    say("");
    const fields = await fieldsOf(kind, place, own, say);
    if (!fields) {
      wait(false);
      return;
    }
    const back = [countUp(place, kind), kind === "comment" ? showComment(fields[1]) : () => {}];
    takeBack = () => back.forEach((undo) => undo());
    if (isOnce(kind)) button.setAttribute("aria-pressed", "true");
    say(T.preparing);
    const id = await send(own, place.dataset.kennel, kind, fields, (part) => say(T.working(part)), () => say(T.away));
    status.dataset.state = "queued";
    say(T.queued);
    const height = await mined(id, place.dataset.kennel, (code) => say(code === "offline" ? T.away : T.queued));
    // Before it is told, so that a page that is opened at once knows of it.
    if (isOnce(kind)) await did(own, kind, place.dataset.post).catch(() => {});
    else wait(false);
    status.dataset.state = "mined";
    say(T.mined(height));
    // What else it changed is shown as the page has it now; the page itself, if anything fails.
    await refresh(place, kind, id, use).catch(() => {});
  } catch (error) {
    takeBack();
    // Done on another device: nothing to be done again.
    const isDone = error.isReject && error.code === "already-done";
    if (isDone) await did(own, kind, place.dataset.post).catch(() => {});
    if (isOnce(kind)) button.setAttribute("aria-pressed", String(isDone));
    status.dataset.state = "failed";
    say(error.isReject ? T.takenBack(error.message) : words(error));
    wait(isDone);
  }
}
