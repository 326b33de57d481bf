// Every page: readable without scripts, and for everybody, in both colour schemes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertAccessible, assertQuiet, device, joinWith, launch, open, post, shot } from "../lib/browser.mjs";
import { Service } from "../lib/service.mjs";

let service, browser, reading, all;

before(async () => {
  service = await Service.start();
  browser = await launch();
  const anna = await device(browser, service);
  const birth = await joinWith(anna.page, { user: "anna", pet: "Mochi", story: "Found in a box." });
  await post(anna.page, birth, "First nap of the day.", "nap");
  const card = await service.get(`/v1/pets/${birth}`);
  const { entries } = await service.get(`/v1/pets/${birth}/events`);
  const posted = entries.find((entry) => entry.kind === "post");
  // Each page with a word that is on it.
  reading = {
    feed: ["/", /Mochi/],
    ending: ["/?order=ending", /Mochi/],
    alive: ["/?order=alive", /Mochi/],
    pet: [`/pet/${birth}`, /Found in a box\./],
    post: [`/post/${posted.id}`, /First nap of the day\./],
    account: [`/account/${card.owner}`, /Mochi/],
    name: ["/@anna", /Mochi/],
    tag: ["/tag/nap", /First nap of the day\./],
    search: ["/search?q=mochi", /Mochi/],
    activity: [`/account/${card.owner}/activity`, /posted|Mochi/],
    notices: [`/account/${card.owner}/notices`, /Nobody came by/],
    posts: [`/posts?ids=${posted.id}`, /First nap of the day\./],
    market: ["/market", /./],
    moderation: ["/moderation", /moderator/],
    queue: ["/moderation/queue", /decision|waits/],
    ledger: ["/ledger", /classic/],
    kennel: [`/ledger/${card.kennel}`, /classic/],
    block: [`/ledger/${card.kennel}/${card.born_height}`, /birth/],
    mine: ["/mine", /Earn treats/],
    about: ["/about", /PitPet/],
    rules: ["/rules", /treats/],
    help: ["/help", /password/],
    privacy: ["/privacy", /password/],
    lost: ["/no-such-page", /./],
  };
  const outsiders = { join: ["/join"], signin: ["/signin"], me: ["/me"] };
  all = { ...reading, ...outsiders };
  await anna.context.close();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

test("reading works without scripts", async () => {
  const plain = await device(browser, service, { javaScriptEnabled: false });
  for (const [name, [path, word]] of Object.entries(reading)) {
    const response = await plain.page.goto(path);
    assert.equal(response.status(), name === "lost" ? 404 : 200, path);
    assert.match(await plain.page.locator("main").innerText(), word, path);
    await shot(plain.page, `no-scripts-${name}`);
  }
  for (const path of ["/join", "/signin", "/me"]) {
    await plain.page.goto(path);
    assert.match(await plain.page.locator("body").innerText(), /needs JavaScript/);
  }
  await plain.context.close();
});

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of [["phone", { width: 320, height: 700 }], ["desktop", { width: 1280, height: 900 }]]) {
    test(`axe finds nothing: ${colorScheme}, ${size}`, async () => {
      const visitor = await device(browser, service, { colorScheme, viewport });
      for (const [name, [path]] of Object.entries(all)) {
        await open(visitor.page, path);
        await assertAccessible(visitor.page, path);
        const wide = await visitor.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${path} is ${wide} pixels too wide`);
        await shot(visitor.page, `${name}-${size}-${colorScheme}`);
      }
      assertQuiet(visitor);
      await visitor.context.close();
    });
  }
}

test("no link leads nowhere", async () => {
  const plain = await device(browser, service, { javaScriptEnabled: false });
  const [waiting, seen] = [Object.values(reading).map(([path]) => path).filter((path) => path !== "/no-such-page"), new Set()];
  while (waiting.length > 0 && seen.size < 200) {
    const path = waiting.pop();
    if (seen.has(path)) continue;
    seen.add(path);
    const response = await plain.context.request.get(service.url + path);
    assert.equal(response.status(), 200, path);
    if (!response.headers()["content-type"].startsWith("text/html")) continue;
    await plain.page.setContent(await response.text(), { waitUntil: "domcontentloaded" });
    const links = await plain.page.locator("a[href]").evaluateAll((all) => all.map((link) => link.getAttribute("href")));
    waiting.push(...links.filter((link) => link.startsWith("/")).map((link) => link.replace(/#.*/, "")));
  }
  assert.ok(seen.size > 40, `${seen.size} pages`);
  await plain.context.close();
});

test("feeds lead to proofs, and who is looked up by name is found", async () => {
  const text = async (path) => (await fetch(service.url + path)).text();
  const { items } = JSON.parse(await text("/feed.json"));
  const atom = await text("/feed.atom");
  assert.equal(items.length, 2, "a birth and a post");
  for (const item of items) {
    const proof = new URL(item._pitpet.proof);
    assert.ok(atom.includes(proof.href));
    assert.ok((await service.get(proof.pathname)).place.proof, item.title);
  }
  const { host } = new URL(service.url);
  const asked = (resource) => fetch(`${service.url}/.well-known/webfinger?resource=${encodeURIComponent(resource)}`);
  for (const resource of [`acct:anna@${host}`, `acct:Anna@${host}`, `${service.url}/@anna`]) {
    const found = await asked(resource);
    assert.equal(found.status, 200, resource);
    assert.ok((await found.json()).aliases.includes(`${service.url}/@anna`));
  }
  assert.equal((await asked(`acct:nobody@${host}`)).status, 404);
  assert.equal((await asked("acct:anna@elsewhere.example")).status, 400);
});

test("whoever is signed in is shown so, and in their language", async () => {
  const ben = await device(browser, service, { locale: "de-AT" });
  await joinWith(ben.page, { user: "ben-2", pet: "Rex" });
  await open(ben.page, "/me");
  assert.match(await ben.page.locator("h1").innerText(), /Konto/);
  await ben.page.locator("#holdings li").first().waitFor();
  assert.match(await ben.page.locator("#holdings").innerText(), /Leckerli/);
  for (const scheme of ["light", "dark"]) {
    await ben.page.emulateMedia({ colorScheme: scheme });
    await assertAccessible(ben.page, `/me, ${scheme}`);
    await shot(ben.page, `signed-in-${scheme}`);
  }
  await open(ben.page, "/?lang=en");
  assert.ok(await ben.page.locator("nav [data-signed-in]").first().isVisible());
  assert.equal(await ben.page.locator("[data-signed-out]:visible").count(), 0);
  assertQuiet(ben);
  await ben.context.close();
});

test("a page says so when the site can't be reached, and is the site's own again after", async () => {
  const visitor = await device(browser, service);
  await open(visitor.page, "/");
  await visitor.page.evaluate(() => navigator.serviceWorker.ready);
  await service.kill();
  await visitor.page.goto("/rules");
  assert.match(await visitor.page.locator("h1").innerText(), /No way to PitPet/);
  await service.up();
  await open(visitor.page, "/rules");
  assert.match(await visitor.page.locator("h1").innerText(), /How to play/);
  await visitor.context.close();
});

test("a page whose scripts don't come says so", async () => {
  const visitor = await device(browser, service);
  await visitor.page.route("**/app.js", (route) => route.abort());
  await visitor.page.goto("/join");
  await visitor.page.locator(".stuck").waitFor({ state: "visible" });
  await visitor.context.close();
});
