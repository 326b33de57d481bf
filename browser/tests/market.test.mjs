// The market between two browsers: a pet is sold, a keepsake wanted, a bid withdrawn.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  assertAccessible, assertQuiet, device, joinWith, launch, open, petActions, post, settled, shot, until,
} from "../lib/browser.mjs";
import { Service } from "../lib/service.mjs";

let service, browser, anna, ben;
const pets = {};

const card = (birth) => service.get(`/v1/pets/${birth}`);
const account = async (name) => (await service.get(`/v1/accounts/${name}`)).kennels[0];

before(async () => {
  service = await Service.start();
  browser = await launch();
  anna = await device(browser, service);
  ben = await device(browser, service, { viewport: { width: 390, height: 844 }, hasTouch: true });
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

test("an empty market says where to begin", async () => {
  await open(anna.page, "/market");
  assert.match(await anna.page.textContent("main"), /Nobody sells at the moment/);
  await assertAccessible(anna.page, "the empty market");
});

test("a keepsake gives its owner treats to spend", async () => {
  pets.mochi = await joinWith(anna.page, { user: "anna", pet: "Mochi" });
  pets.rex = await joinWith(ben.page, { user: "ben", pet: "Rex" });
  // In this kennel every event ages all pets.
  for (let n = 0; n < 17 && (await card(pets.mochi)).phase === "living"; n += 1) {
    assert.equal((await post(ben.page, pets.rex, `Day ${n}.`)).state, "mined");
  }
  await until(() => card(pets.mochi), (pet) => pet.phase === "ended");
  await open(anna.page, `/pet/${pets.mochi}`);
  await petActions(anna.page).locator("[data-act=keepsake]").click();
  assert.equal((await settled(petActions(anna.page))).state, "mined");
  await until(() => account("anna"), (own) => own.free === 20);
});

test("an owner offers a pet, and sees before what of the price is whose", async () => {
  await open(ben.page, `/pet/${pets.rex}`);
  const place = petActions(ben.page);
  assert.ok(await place.locator("[data-act=bid]").isHidden(), "nobody bids for their own pet");
  await place.locator("[data-act=offer]").click();
  await place.locator("form input").first().fill("11");
  await place.locator("output.split", { hasText: "7 to the seller, 4 to the house." }).waitFor();
  await shot(ben.page, "offering-on-a-phone");
  await place.locator("form button[type=submit]").click();
  const offered = await settled(place);
  assert.equal(offered.state, "mined", offered.words);
  const page = await until(() => service.get("/v1/market"), (found) => found.orders.length === 1);
  assert.deepEqual([page.orders[0].price, page.orders[0].to_seller, page.orders[0].to_house], [11, 7, 4]);
  assertQuiet(ben);
});

test("the offer stands on the market and on the pet's page, for whoever has no script too", async () => {
  const reader = await device(browser, service, { javaScriptEnabled: false });
  for (const path of ["/market", `/pet/${pets.rex}`, "/market?show=offers&by=age"]) {
    await reader.page.goto(path);
    assert.match(await reader.page.textContent(".order"), /11 treats \(7 to the seller, 4 to the house\)/, path);
    assert.equal(await reader.page.locator(".order [data-act]:enabled").count(), 0);
  }
  await reader.page.goto("/market?lang=de");
  assert.match(await reader.page.textContent(".order"), /7 für den Verkäufer, 4 für das Haus/);
  await reader.context.close();
  for (const colorScheme of ["light", "dark"]) {
    await anna.page.emulateMedia({ colorScheme });
    await open(anna.page, "/market");
    await assertAccessible(anna.page, `the market, ${colorScheme}`);
    await shot(anna.page, `market-${colorScheme}`);
    await open(anna.page, `/pet/${pets.rex}`);
    await assertAccessible(anna.page, `a pet on the market, ${colorScheme}`);
  }
});

test("another browser buys it, and it is theirs", async () => {
  await open(ben.page, "/market");
  const own = ben.page.locator(".order [data-actions]");
  assert.ok(await own.locator("[data-act=take]").isHidden(), "nobody trades with themselves");
  assert.ok(await own.locator("[data-act=cancel]").isVisible());
  await open(anna.page, "/market");
  const place = anna.page.locator(".order [data-actions]");
  assert.ok(await place.locator("[data-act=cancel]").isHidden());
  await place.locator("[data-act=take]").click();
  assert.match(await place.locator("form").textContent(), /You pay 11 treats: 7 to the seller, 4 to the house/);
  await shot(anna.page, "buying");
  await place.locator("form button[type=submit]").click();
  const bought = await settled(place);
  assert.equal(bought.state, "mined", bought.words);
  const own_anna = await until(() => account("anna"), (own) => own.pet === pets.rex);
  assert.equal(own_anna.free, 9);
  assert.equal((await account("ben")).free, 7);
  assert.equal((await card(pets.rex)).owner, (await service.get("/v1/accounts/anna")).id);
  assert.deepEqual((await service.get("/v1/market")).orders, []);
  // The right to post goes with the pet.
  await open(ben.page, `/pet/${pets.rex}`);
  assert.ok(await petActions(ben.page).locator("[data-act=post]").isHidden());
  assert.equal((await post(anna.page, pets.rex, "A new home.")).state, "mined");
  // It lives with Anna now, and what it posts there is nothing of Ben's.
  const living = (page) => page.locator(`[data-pets=here] a.name[href="/pet/${pets.rex}"]`).count();
  await open(ben.page, "/@ben");
  assert.equal(await living(ben.page), 0);
  assert.equal(await ben.page.locator(`[data-pets=before] a.name[href="/pet/${pets.rex}"]`).count(), 1);
  assert.doesNotMatch(await ben.page.textContent("main"), /A new home\./);
  await open(anna.page, "/@anna");
  assert.equal(await living(anna.page), 1);
  assert.match(await anna.page.textContent("main"), /A new home\./);
  assert.doesNotMatch(await (await fetch(`${service.url}/@ben/feed.atom`)).text(), /A new home\./);
  assertQuiet(anna);
});

test("a bid is taken by the owner, another one withdrawn", async () => {
  const bid = async (price) => {
    await open(ben.page, `/pet/${pets.mochi}`);
    const place = petActions(ben.page);
    await place.locator("[data-act=bid]").click();
    await place.locator("form input").first().fill(String(price));
    await place.locator("form button[type=submit]").click();
    const made = await settled(place);
    assert.equal(made.state, "mined", made.words);
    return until(() => service.get("/v1/market?side=bid"), (found) => found.orders.length === 1);
  };
  await bid(2);
  assert.equal((await account("ben")).free, 5, "the price is locked");
  await open(ben.page, `/pet/${pets.mochi}`);
  const own = ben.page.locator(".order [data-actions]");
  await own.locator("[data-act=cancel]").click();
  assert.equal((await settled(own)).state, "mined");
  await until(() => account("ben"), (account) => account.free === 7);
  await bid(5);
  await open(anna.page, `/pet/${pets.mochi}`);
  const place = anna.page.locator(".order [data-actions]");
  await place.locator("[data-act=take]").click();
  assert.match(await place.locator("form").textContent(), /You sell for 5 treats: 3 to the seller, 2 to the house/);
  await place.locator("form button[type=submit]").click();
  const sold = await settled(place);
  assert.equal(sold.state, "mined", sold.words);
  await until(() => account("anna"), (account) => account.free === 11);
  const { trades } = await service.get("/v1/market/trades");
  assert.deepEqual(trades.map((trade) => [trade.pet_name, trade.price, trade.to_seller, trade.to_house]), [
    ["Mochi", 5, 3, 2],
    ["Rex", 11, 7, 4],
  ]);
  await open(anna.page, "/market");
  assert.match(await anna.page.textContent("main"), /Mochi, from @anna to @ben: 5 treats \(3 to the seller, 2 to the house\)/);
  await shot(anna.page, "market-sold");
  // Its page names the home that it had before.
  await open(anna.page, `/pet/${trades[0].pet}`);
  assert.match(await anna.page.locator(`[data-home="${trades[0].seller}"]`).textContent(), /^@anna until /);
  await shot(anna.page, "homes-before");
  assertQuiet(anna);
  assertQuiet(ben);
});

test("what somebody else took first is taken back with the reason", async () => {
  // Anna withdraws what Ben is looking at.
  await open(anna.page, `/pet/${pets.rex}`);
  await petActions(anna.page).locator("[data-act=offer]").click();
  await petActions(anna.page).locator("form input").first().fill("1");
  await petActions(anna.page).locator("form button[type=submit]").click();
  assert.equal((await settled(petActions(anna.page))).state, "mined");
  await until(() => service.get("/v1/market"), (found) => found.orders.length === 1);
  await open(ben.page, "/market");
  const place = ben.page.locator(".order [data-actions]");
  await place.locator("[data-act=take]").click();
  await open(anna.page, "/market");
  const own = anna.page.locator(".order [data-actions]");
  await own.locator("[data-act=cancel]").click();
  assert.equal((await settled(own)).state, "mined");
  await place.locator("form button[type=submit]").click();
  const late = await settled(place);
  assert.equal(late.state, "failed");
  assert.match(late.words, /^Taken back: There is no such open order/);
});
