// Mining in the page: what is found, what stops it, and that nothing is searched over a block that isn't right.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertAccessible, assertQuiet, device, joinWith, launch, open, PATIENCE_MS, post, shot, until } from "../lib/browser.mjs";
import { Service } from "../lib/service.mjs";

let service, browser, anna, birth;

before(async () => {
  service = await Service.start();
  browser = await launch();
  anna = await device(browser, service);
  birth = await joinWith(anna.page, { user: "anna", pet: "Mochi" });
  // Where a search goes on for longer than any test: a seal takes a million million tries.
  service.admin("kennel", "open", "deep", "--seal-bits", "40");
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

const status = (page, state) => page.locator(`#mine-status[data-state=${state}]`).waitFor();

async function start(page, where) {
  await open(page, "/mine");
  await page.locator("#miner").waitFor();
  await page.selectOption("#mine-where", where);
  await page.click("#mine-start");
}

test("it can be read in both languages, without scripts too", async () => {
  for (const [lang, title] of [["en", "Earn treats by mining"], ["de", "Leckerlis verdienen"]]) {
    for (const colorScheme of ["light", "dark"]) {
      const reader = await device(browser, service, { colorScheme });
      await open(reader.page, `/mine?lang=${lang}`);
      assert.match(await reader.page.textContent("h1"), new RegExp(title));
      await assertAccessible(reader.page, `${lang} ${colorScheme}`);
      assertQuiet(reader);
      await reader.context.close();
    }
  }
  const plain = await device(browser, service, { javaScriptEnabled: false });
  await plain.page.goto("/mine");
  assert.match(await plain.page.textContent("main"), /pitpet mine --url/);
  assert.ok(await plain.page.locator("noscript").count());
  await plain.context.close();
});

test("a seal is found in the page, and paid; so is the next age's", async () => {
  const { page } = anna;
  await start(page, "classic");
  const won = page.locator("#mine-log li[data-kind=won]");
  await won.first().waitFor();
  assert.equal(await page.textContent("#mine-earned"), "1");
  await status(page, "found");
  await assertAccessible(page, "after a find");
  await shot(page, "mine");
  const kennel = await service.get("/v1/kennels/classic");
  assert.equal(kennel.mining.sealed, true);
  const { owner } = await service.get(`/v1/pets/${birth}`);
  const account = await service.get(`/v1/accounts/${owner}`);
  assert.equal(account.kennels[0].free, 1);
  // Another page of the same browser posts: an age begins, and the first page goes on by itself.
  const other = await anna.context.newPage();
  other.setDefaultTimeout(PATIENCE_MS);
  await post(other, birth, "A new age.");
  await other.close();
  await won.nth(1).waitFor();
  assert.equal(await page.textContent("#mine-earned"), "2");
  assertQuiet(anna);
});

test("a search shows its rate, is stopped, and pauses where nobody looks on", async () => {
  const { page } = anna;
  await start(page, "deep");
  await status(page, "searching");
  await page.locator("#mine-rate", { hasText: /[1-9]/ }).waitFor();
  const look = (hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await look(true);
  await status(page, "paused");
  assert.match(await page.textContent("#mine-status"), /another tab/);
  await look(false);
  await status(page, "searching");
  await page.click("#mine-stop");
  await status(page, "idle");
  assert.equal(await page.textContent("#mine-rate"), "–");
  assert.ok(await page.isEnabled("#mine-start"));
  assertQuiet(anna);
});

test("a low battery is spared until it is charged", async () => {
  const { page } = anna;
  await page.addInitScript(() => {
    const battery = Object.assign(new EventTarget(), { charging: false, level: 0.2 });
    globalThis.battery = battery;
    navigator.getBattery = async () => battery;
  });
  await start(page, "deep");
  await status(page, "paused");
  assert.match(await page.textContent("#mine-status"), /battery/);
  const change = (name, value) =>
    page.evaluate(([name, value]) => {
      globalThis.battery[name] = value;
      globalThis.battery.dispatchEvent(new Event(name === "level" ? "levelchange" : "chargingchange"));
    }, [name, value]);
  await change("charging", true);
  await status(page, "searching");
  await change("charging", false);
  await status(page, "paused");
  await change("level", 0.9);
  await status(page, "searching");
  await page.click("#mine-stop");
});

test("nothing is searched over a block that isn't right", async () => {
  const { page } = await device(browser, service, { storageState: undefined });
  await joinWith(page, { user: "berta", pet: "Pixel" });
  const { height, id } = await until(
    () => service.get("/v1/kennels/classic"), (kennel) => kennel.published_height === kennel.height,
  );
  const before = await service.get(`/v1/kennels/${id}/blocks/${height - 1}`);
  assert.ok(before.hash);
  await page.route("**/evidence", async (route) =>
    route.fulfill({ response: await route.fetch({ url: `${service.url}/v1/kennels/${id}/blocks/${height - 1}/evidence` }) }));
  await start(page, "classic");
  await status(page, "refused");
  assert.match(await page.textContent("#mine-status"), /Don't trust this site/);
  assert.equal(await page.locator("#mine-log li[data-kind=won]").count(), 0);
  assert.equal((await service.get("/v1/kennels/classic")).mining.sealed, false);
});
