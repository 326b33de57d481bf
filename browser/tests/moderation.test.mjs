// A post is reported, hidden by a moderator in the open, and erased by its author.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  assertAccessible, assertQuiet, device, joinWith, launch, newestPost, open, post, settled, shot,
} from "../lib/browser.mjs";
import { Service } from "../lib/service.mjs";

let service, browser, anna, ben;
const made = {};

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

/** Waits until what was asked for in a place is done; gives the words. */
async function done(place) {
  const status = place.locator("output.status[data-state=done]");
  await status.waitFor();
  return status.textContent();
}

/** The public key of whoever is signed in. */
const keyOf = (page) =>
  page.evaluate(async () => {
    const database = await new Promise((resolve) => {
      const request = indexedDB.open("pitpet", 1);
      request.onsuccess = () => resolve(request.result);
    });
    const own = await new Promise((resolve) => {
      const request = database.transaction("wallet").objectStore("wallet").get("own");
      request.onsuccess = () => resolve(request.result);
    });
    database.close();
    return own.key;
  });

test("somebody reports a post and a comment", async () => {
  made.mochi = await joinWith(anna.page, { user: "anna", pet: "Mochi", story: "Found in a box." });
  await joinWith(ben.page, { user: "ben-2", pet: "Rex" });
  assert.equal((await post(anna.page, made.mochi, "Buy cheap naps at my shop.", "nap")).state, "mined");
  await open(anna.page, `/pet/${made.mochi}`);
  made.post = await newestPost(anna.page).getAttribute("data-post");
  await open(anna.page, `/post/${made.post}`);
  await anna.page.locator("[data-act=comment]").click();
  await anna.page.locator("[data-actions] form textarea").fill("Really cheap!");
  await anna.page.locator("[data-actions] form button[type=submit]").click();
  assert.equal((await settled(anna.page.locator("[data-actions]"))).state, "mined");
  await open(ben.page, `/post/${made.post}`);
  const places = ben.page.locator("[data-wishes]");
  assert.equal(await places.count(), 2, "the post's and the comment's");
  assert.ok(await places.first().locator("[data-wish=erase]").isHidden(), "it is not Ben's text");
  for (const [n, reason] of [[0, "spam"], [1, "harassment"]]) {
    const place = places.nth(n);
    await place.locator("[data-wish=report]").click();
    await place.locator("form select").selectOption(reason);
    if (n === 0) await shot(ben.page, "reporting-on-a-phone");
    await place.locator("form button[type=submit]").click();
    assert.match(await done(place), /^Reported/);
  }
  const queue = await service.get("/v1/moderation/queue");
  assert.deepEqual(queue.entries.map((entry) => [entry.kind, entry.reporters]).sort(), [["comment", 1], ["post", 1]]);
  assertQuiet(ben);
});

test("whoever is no moderator sees the queue and decides nothing", async () => {
  await open(ben.page, "/moderation/queue");
  assert.match(await ben.page.textContent("main"), /Buy cheap naps at my shop\./);
  assert.equal(await ben.page.locator("[data-verdict]:visible").count(), 0);
  await assertAccessible(ben.page, "the queue");
});

test("an appointed moderator hides it, with a reason that everybody reads", async () => {
  service.admin("moderators", "--add", await keyOf(ben.page));
  await open(ben.page, "/moderation/queue");
  const place = ben.page.locator(`[data-verdicts][data-event="${made.post}"]`);
  await place.locator("[data-verdict='1']").click();
  await place.locator("form textarea").fill("Advertising <b>here</b>");
  await shot(ben.page, "deciding-on-a-phone");
  await place.locator("form button[type=submit]").click();
  assert.match(await done(place), /^In block \d+\.$/);
  // Nobody is shown it any more, with scripts or without.
  const hidden = "Hidden by a moderator: Advertising <b>here</b>";
  for (const path of ["/", `/pet/${made.mochi}`, `/post/${made.post}`, "/feed.atom", "/feed.json", "/tag/nap"]) {
    const text = await (await fetch(service.url + path)).text();
    assert.ok(!text.includes("cheap naps at"), path);
    if (!path.startsWith("/tag")) assert.ok(text.includes("Hidden by a moderator: Advertising "), path);
    assert.ok(path === "/feed.json" || !text.includes("<b>here</b>"), path);
  }
  await open(anna.page, `/post/${made.post}`);
  assert.ok((await anna.page.textContent("article")).includes(hidden));
  await shot(anna.page, "hidden-post");
  const found = await (await fetch(`${service.url}/search?q=cheap`)).text();
  assert.ok(!found.includes(`/post/${made.post}`));
  // The log says who decided what, and the original can still be judged.
  await open(anna.page, "/moderation");
  assert.match(await anna.page.textContent("table"), /a post.*hidden.*Advertising/s);
  await assertAccessible(anna.page, "the log");
  await shot(anna.page, "moderation-log");
  const event = await service.get(`/v1/events/${made.post}`);
  assert.equal(event.body_state, "present");
  assert.equal(event.hidden.reason, "Advertising <b>here</b>");
  await open(ben.page, "/moderation/queue");
  assert.equal(await ben.page.locator("[data-verdicts]").count(), 1, "the comment is left");
  assertQuiet(ben);
});

test("its author erases it for good", async () => {
  await open(anna.page, `/post/${made.post}`);
  const place = anna.page.locator(`[data-wishes][data-event="${made.post}"]`);
  assert.ok(await place.locator("[data-wish=report]").isHidden(), "nobody reports themselves");
  await place.locator("[data-wish=erase]").click();
  await place.locator("form input[type=checkbox]").check();
  await shot(anna.page, "erasing");
  await place.locator("form button[type=submit]").click();
  assert.match(await done(place), /^Erased/);
  await open(anna.page, `/post/${made.post}`);
  assert.match(await anna.page.textContent("article"), /This text was erased\./);
  assert.equal(await anna.page.locator("[data-wishes]").count(), 1, "the comment's");
  const event = await service.get(`/v1/events/${made.post}`);
  assert.deepEqual([event.body_state, event.body, event.salt], ["erased", undefined, undefined]);
  assert.ok(event.place.proof.checkpoint.length > 0);
  assertQuiet(anna);
});

test("the operator erases for the law, with the photo", async () => {
  const photo = (await service.get(`/v1/pets/${made.mochi}`)).photo;
  assert.equal((await fetch(`${service.url}/media/${photo}`)).status, 200);
  assert.match(service.admin("erase", made.mochi), /Its photo is erased too/);
  assert.equal((await fetch(`${service.url}/media/${photo}`)).status, 404);
  await open(anna.page, `/pet/${made.mochi}`);
  assert.equal((await anna.page.textContent("h1")).trim(), "(erased)");
  await assertAccessible(anna.page, "an erased pet");
  await shot(anna.page, "erased-pet");
});
