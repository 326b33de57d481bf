// Lists that go on by themselves above a plain link, and news of posts that are announced.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertAccessible, assertQuiet, device, joinWith, launch, open, post, settled, shot } from "../lib/browser.mjs";
import { Service } from "../lib/service.mjs";

let service, browser, anna;
let birth;

before(async () => {
  service = await Service.start();
  browser = await launch();
  anna = await device(browser, service);
  birth = await joinWith(anna.page, { user: "anna", pet: "Mochi", kennel: "classic" });
  // More than one page, of 20 cards; a post costs a treat, and there are 20 for them.
  for (let n = 0; n < 11; n += 1) assert.equal((await post(anna.page, birth, `Nap ${n}.`)).state, "mined");
  const ben = await device(browser, service);
  const second = await joinWith(ben.page, { user: "ben-2", pet: "Rex" });
  for (let n = 0; n < 11; n += 1) assert.equal((await post(ben.page, second, `Bone ${n}.`)).state, "mined");
  await ben.context.close();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

test("a feed goes on as its end comes near, and by a link without scripts", async () => {
  const visitor = await device(browser, service, { viewport: { width: 900, height: 700 } });
  await open(visitor.page, "/");
  assert.equal(await visitor.page.locator("[data-endless] > ul > li").count(), 20);
  await visitor.page.locator("[data-endless] a[rel=next]").scrollIntoViewIfNeeded();
  await visitor.page.locator("[data-endless][data-parts='1']").waitFor();
  const texts = await visitor.page.locator("[data-endless] > ul > li").allTextContents();
  assert.ok(texts.length > 20 && new Set(texts).size === texts.length, "none twice");
  assert.ok(texts.some((text) => text.includes("Mochi is here")), "to the first of all");
  assert.equal(await visitor.page.locator("[data-endless] a[rel=next]").count(), 0, "that was all");
  // What came later works as what was there.
  const last = visitor.page.locator("[data-endless] > ul > li").last();
  assert.ok(await last.locator("[data-act]").first().isEnabled());
  assertQuiet(visitor);
  await visitor.context.close();
  const plain = await device(browser, service, { javaScriptEnabled: false });
  await plain.page.goto("/");
  await plain.page.locator("[data-endless] a[rel=next]").click();
  assert.match(await plain.page.textContent("main"), /Mochi is here/);
  await plain.context.close();
});

test("when the server is away, the list says so and the link stays", async () => {
  const visitor = await device(browser, service, { viewport: { width: 900, height: 700 } });
  await open(visitor.page, "/");
  await visitor.context.setOffline(true);
  await visitor.page.locator("[data-endless] a[rel=next]").scrollIntoViewIfNeeded();
  await visitor.page.waitForFunction(() => /online/.test(document.querySelector("[data-endless] [role=status]").textContent));
  await shot(visitor.page, "offline");
  await visitor.context.setOffline(false);
  await visitor.page.locator("[data-endless] a[rel=next]").click();
  await visitor.page.waitForURL(/cursor=/);
  await visitor.context.close();
});

test("without a network a page says so, in its language and dressed", async () => {
  const visitor = await device(browser, service);
  await open(visitor.page, "/");
  await visitor.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await visitor.context.setOffline(true);
  for (const [address, words] of [["/market?lang=de", /Kein Weg zu PitPet/], ["/market", /No way to PitPet/]]) {
    await visitor.page.goto(address);
    assert.match(await visitor.page.textContent("main"), words);
    // Kept by the worker: what the browser's own cache has may be gone.
    const kept = await visitor.page.evaluate(async () => Boolean(await caches.match(document.querySelector("link[rel=stylesheet]").href)));
    assert.ok(kept, "its style sheet is kept, too");
  }
  await shot(visitor.page, "no-network");
  await visitor.context.close();
});

test("new posts are announced, and put on top when asked for", async () => {
  const visitor = await device(browser, service);
  await open(visitor.page, "/");
  const first = visitor.page.locator("[data-endless] > ul > li").first();
  const before = await first.textContent();
  assert.equal((await post(anna.page, birth, "Something new.")).state, "mined");
  await visitor.page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await visitor.page.locator(".new-posts:visible").waitFor();
  assert.equal(await visitor.page.textContent(".new-posts"), "1 new post");
  assert.equal(await first.textContent(), before, "not shoved in");
  await shot(visitor.page, "announced");
  await visitor.page.click(".new-posts");
  await visitor.page.locator("[data-endless] > ul > li", { hasText: "Something new." }).waitFor();
  assert.match(await first.textContent(), /Something new\./);
  assert.equal(await visitor.page.locator("[data-endless] > ul > li").count(), 21);
  await visitor.page.locator(".new-posts").waitFor({ state: "hidden" });
  assertQuiet(visitor);
  await visitor.context.close();
});

test("who is about to end can be patted where it stands", async () => {
  const cleo = await device(browser, service, { viewport: { width: 320, height: 700 } });
  await joinWith(cleo.page, { user: "cleo", pet: "Nila" });
  const [own] = (await service.get("/v1/accounts/cleo")).kennels;
  await open(cleo.page, "/?order=ending");
  const place = cleo.page.locator(`[data-actions][data-pet="${birth}"]`);
  const post = await place.getAttribute("data-post");
  await place.locator("[data-act=pat]").click();
  assert.equal((await settled(place)).state, "mined");
  assert.equal(await place.locator("[data-count=pat]").textContent(), "1");
  const { entries } = await service.get(`/v1/events/${post}/visits`);
  assert.deepEqual(entries.map(({ kind }) => kind), ["pat"]);
  // Its own has no post yet: a gift is all that could be done for it.
  const mine = cleo.page.locator(`[data-actions][data-pet="${own.pet}"]`);
  assert.deepEqual(await mine.locator("button").evaluateAll((all) => all.map(({ dataset }) => dataset.act)), ["gift"]);
  assert.ok(await cleo.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await assertAccessible(cleo.page, "/?order=ending");
  await shot(cleo.page, "ending-phone");
  assertQuiet(cleo);
  await cleo.context.close();
});
