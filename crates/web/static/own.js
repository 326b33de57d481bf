// What /me shows besides the account: what happened, bookmarks, mutes, the profile, and all of one's data in a file.

import { accountOf, request } from "./act.js";
import { get, post } from "./api.js";
import { toggle } from "./belongings.js";
import { concat, fromHex, sha256, utf8 } from "./bytes.js";
import { byId, make, path } from "./dom.js";
import { read } from "./list.js";
import { markRead } from "./notices.js";
import { listOf, load, taken } from "./pages.js";
import { T, words } from "./texts.js";

/** Bookmarks that are fetched at once: what the page of posts takes. */
const BOOKMARKS_AT_ONCE = 20;

/** Pictures to choose from, at most. */
const AVATARS_MAX = 12;

/** Events of a pet in an export, a page each. */
const EVENTS_AT_ONCE = 100;

async function notices(own) {
  const page = await load(path(`/account/${own.account}/notices`));
  const [told] = taken(page.querySelectorAll("[data-notices]"));
  byId("notices").replaceChildren(told);
  const times = told.querySelectorAll("li time");
  const timeOf = (time) => Date.parse(time.dateTime);
  // Shown to the second, and one is not told of the same second twice.
  const newest = Math.max(0, ...Array.from(times, timeOf)) + 999;
  const before = await markRead(own, newest);
  for (const time of times) if (timeOf(time) > before) time.closest("li").classList.add("new");
}

async function bookmarks(own, list, use) {
  const more = byId("bookmarks-more");
  let at = 0;
  const goOn = async () => {
    const ids = list.bookmarks.slice(at, at + BOOKMARKS_AT_ONCE);
    at += ids.length;
    const page = await load(path("/posts", `ids=${ids.join(",")}`));
    const found = listOf(page);
    const items = taken(found?.children ?? []);
    if (!byId("bookmarks").firstElementChild) byId("bookmarks").append(make("ul", { className: "cards" }));
    byId("bookmarks").firstElementChild.append(...items);
    await Promise.all(items.map(use));
    more.hidden = at >= list.bookmarks.length;
  };
  byId("bookmarks-none").hidden = list.bookmarks.length > 0;
  more.addEventListener("click", () => goOn().catch((error) => (byId("list-problem").textContent = words(error))));
  if (list.bookmarks.length > 0) await goOn();
}

async function mutes(own, list) {
  const names = new Map(
    await Promise.all(
      list.accounts.map(async (account) => {
        const known = await get(`/v1/accounts/${account}`).catch(() => undefined);
        return [account, known?.names[0] ? `@${known.names[0]}` : `${account.slice(0, 6)}…`];
      }),
    ),
  );
  const entries = [
    ...list.accounts.map((account) => ["accounts", account, names.get(account), `/account/${account}`]),
    ...list.tags.map((tag) => ["tags", tag, `#${tag}`, `/tag/${encodeURIComponent(tag)}`]),
  ];
  byId("mutes-none").hidden = entries.length > 0;
  for (const [part, entry, name, href] of entries) {
    const button = make("button", { type: "button", className: "button quiet", textContent: T.unmute });
    const item = make("li", { className: "row" }, make("a", { href: path(href), textContent: name }), button);
    toggle(button, own, part, entry, true, item, (list) => (button.textContent = list[part].includes(entry) ? T.unmute : T.mute));
    byId("mutes").append(item);
  }
}

/** Photos of births and posts that the account signed, by the event. */
async function avatars(own, chosen) {
  const page = await load(path(`/account/${own.account}`));
  const found = new Map();
  for (const item of page.querySelectorAll("main li[data-by]")) {
    const [link, photo] = [item.querySelector("a"), item.querySelector("img.photo")];
    // A post without a photo of its own shows its pet's, which came before.
    if (photo && item.dataset.by === own.account && !found.has(photo.getAttribute("src"))) {
      found.set(photo.getAttribute("src"), [new URL(link.href).pathname.split("/").pop(), photo.alt]);
    }
  }
  for (const [src, [event, alt]] of [...found].slice(0, AVATARS_MAX)) {
    const input = make("input", { type: "radio", name: "avatar", value: event, checked: event === chosen });
    const photo = make("img", { src, alt, width: 96, height: 96 });
    byId("avatars").append(make("label", {}, input, photo));
  }
}

async function profile(own) {
  const kept = await get(`/v1/accounts/${own.account}/profile`);
  byId("bio").value = kept.bio;
  await avatars(own, kept.avatar);
  let last = kept.version;
  const form = byId("profile");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = byId("profile-problem");
    const submit = form.querySelector("button[type=submit]");
    submit.disabled = true;
    problem.textContent = T.saving;
    try {
      const bio = byId("bio").value;
      const avatar = form.querySelector("input[name=avatar]:checked").value;
      const version = Math.max(Date.now(), last + 1);
      const which = avatar ? fromHex(avatar) : new Uint8Array(32);
      const content = await sha256(
        concat(utf8("pitpet/v1/profile"), new Uint8Array(1), which, await sha256(utf8(bio))),
      );
      const submitted = { request: await request(own, "vault", own.name, version, content), bio };
      if (avatar) submitted.avatar = avatar;
      await post("/v1/profiles", submitted);
      last = version;
      problem.textContent = T.saved;
    } catch (error) {
      problem.textContent = words(error);
    }
    submit.disabled = false;
  });
}

/** All that the account did in a kennel, for its own pets and others': nothing lists it but the ledger, which is gone through. */
async function actsIn(own, { kennel, label }, say) {
  const { height } = await get(`/v1/kennels/${kennel}`);
  const acts = [];
  for (let cursor = "0"; cursor !== undefined; ) {
    say(T.goingThrough(label, Number(cursor), height));
    const part = await get(`/v1/kennels/${kennel}/acts/${own.account}?cursor=${cursor}`);
    acts.push(...part.acts);
    cursor = part.cursor;
  }
  return { kennel, label, acts };
}

/** Everything that the account has here, as it is served. */
async function gather(own, say) {
  const account = (await accountOf(own)) ?? { names: [], kennels: [] };
  const page = await load(path(`/account/${own.account}`));
  const links = Array.from(page.querySelectorAll("main a.name[href*='/pet/']"), (link) =>
    new URL(link.href).pathname.split("/").pop(),
  );
  const living = account.kennels.flatMap((holding) => holding.pet ?? []);
  const pets = [];
  for (const birth of new Set([...living, ...links])) {
    const pet = await get(`/v1/pets/${birth}`);
    const events = [];
    for (let cursor = ""; cursor !== undefined; ) {
      const after = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
      const part = await get(`/v1/pets/${birth}/events?limit=${EVENTS_AT_ONCE}${after}`);
      events.push(...part.entries);
      cursor = part.cursor;
    }
    pets.push({ ...pet, events });
  }
  const kept = await get(`/v1/accounts/${own.account}/profile`);
  const { bookmarks, accounts, tags } = await read(own);
  const acts = [];
  for (const holding of account.kennels) acts.push(await actsIn(own, holding, say));
  return {
    exported: new Date().toISOString(),
    site: location.origin,
    account,
    profile: kept,
    bookmarks,
    muted: { accounts, tags },
    pets,
    acts,
  };
}

function exporting(own) {
  const form = byId("export");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = byId("export-problem");
    const submit = form.querySelector("button[type=submit]");
    submit.disabled = true;
    problem.textContent = T.loading;
    try {
      const file = new Blob([JSON.stringify(await gather(own, (text) => (problem.textContent = text)), undefined, 2)], { type: "application/json" });
      const link = byId("export-link");
      URL.revokeObjectURL(link.href);
      link.href = URL.createObjectURL(file);
      link.download = `${own.name}.json`;
      link.hidden = false;
      problem.textContent = "";
      link.focus();
    } catch (error) {
      problem.textContent = words(error);
    }
    submit.disabled = false;
  });
}

/** Each part by itself: one that fails says so, and the others are there. `use` is for each post that is shown. */
export async function belongings(own, use) {
  exporting(own);
  const part = async (problem, action) => {
    try {
      await action();
    } catch (error) {
      problem.textContent = words(error);
    }
  };
  await Promise.all([
    part(byId("notices"), () => notices(own)),
    part(byId("profile-problem"), () => profile(own)),
    part(byId("list-problem"), async () => {
      const list = await read(own);
      if (list.isUnreadable) byId("list-problem").textContent = T.unreadable;
      await bookmarks(own, list, use);
      await mutes(own, list);
    }),
  ]);
}
