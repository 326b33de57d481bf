// The whole life of a pet, among two players and three devices, with the service killed in the middle.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import {
  PASSWORD, assertQuiet, device, joinWith, launch, newestPost, open, petActions, post, ready, settled, shot, signIn, until,
} from "../lib/browser.mjs";
import { Service } from "../lib/service.mjs";

let service, browser, anna, ben;
const pets = {};

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

test("two players join, with their pets", async () => {
  pets.anna = await joinWith(anna.page, { user: "anna", pet: "Mochi", story: "Found in a box." });
  assert.ok(await anna.page.locator("nav [data-signed-in]").first().isVisible());
  await shot(anna.page, "joined");
  const [file] = await Promise.all([anna.page.waitForEvent("download"), anna.page.click("#key-file")]);
  assert.equal(file.suggestedFilename(), "anna.age");
  pets.file = await file.path();
  assert.match(await readFile(pets.file, "latin1"), /^age-encryption\.org\/v1\n-> scrypt /);
  pets.ben = await joinWith(ben.page, { user: "ben-2", pet: "Рекс 🐕" });
  const card = await service.get(`/v1/pets/${pets.anna}`);
  assert.equal(card.name, "Mochi");
  assert.equal(card.story, "Found in a box.");
  const account = await service.get("/v1/accounts/anna");
  assert.equal(account.id, card.owner);
  assertQuiet(anna);
  assertQuiet(ben);
});

test("where the photo was taken stays on the device", async () => {
  const card = await service.get(`/v1/pets/${pets.anna}`);
  const bytes = Buffer.from(await (await fetch(service.url + card.photo_url)).arrayBuffer());
  assert.deepEqual([...bytes.subarray(0, 3)], [0xff, 0xd8, 0xff]);
  assert.ok(!bytes.includes("Exif") && !bytes.includes("GPS"));
});

test("a name is taken once", async () => {
  const other = await device(browser, service);
  await assert.rejects(joinWith(other.page, { user: "anna", pet: "Copy" }), /taken/);
  await shot(other.page, "name-taken");
  // Nobody is signed in by half a join; another name goes on from there.
  await other.page.fill("#user", "carla");
  await other.page.click("#join button[type=submit]");
  await other.page.locator("#born").waitFor();
  await other.context.close();
});

test("a weak or mistyped password is told before anything is sent", async () => {
  const other = await device(browser, service);
  const { page } = other;
  await open(page, "/join");
  await page.fill("#password", "aaaaaaaaaa");
  assert.match(await page.textContent("#strength-words"), /Weak/);
  await page.fill("#password", "short");
  assert.match(await page.textContent("#strength-words"), /short/);
  await page.fill("#password", PASSWORD);
  assert.match(await page.textContent("#strength-words"), /Strong|Good/);
  await other.context.close();
});

test("they post, pat, share, comment and give, each walking to its block", async () => {
  const posted = await post(anna.page, pets.anna, "First nap of the day.", "nap cat");
  assert.equal(posted.state, "mined", posted.words);
  assert.match(posted.words, /^In block \d+\.$/);
  await open(ben.page, `/pet/${pets.anna}`);
  for (const kind of ["pat", "share"]) {
    const place = newestPost(ben.page);
    await place.locator(`[data-act=${kind}]`).click();
    assert.equal((await settled(place)).state, "mined");
    await open(ben.page, `/pet/${pets.anna}`);
  }
  const place = newestPost(ben.page);
  await place.locator("[data-act=comment]").click();
  await place.locator("form textarea").fill("So soft!");
  await shot(ben.page, "commenting-on-a-phone");
  await place.locator("form button[type=submit]").click();
  assert.equal((await settled(place)).state, "mined");
  // What it changed is there without a reload, and the focus where it was.
  await ben.page.locator("[data-grows=story] li", { hasText: "So soft!" }).waitFor();
  assert.equal(await ben.page.locator("li.unsure").count(), 0);
  assert.match(await ben.page.locator("[data-grows=story] li", { hasText: "So soft!" }).textContent(), /@ben-2/);
  assert.equal(await ben.page.evaluate(() => document.activeElement.dataset.act), "comment");
  // Escape gives up, and gives the focus back.
  await place.locator("[data-act=comment]").click();
  await place.locator("form textarea").press("Escape");
  assert.equal(await place.locator("form").count(), 0);
  assert.equal(await ben.page.evaluate(() => document.activeElement.dataset.act), "comment");
  const card = await service.get(`/v1/pets/${pets.anna}`);
  assert.deepEqual([card.posts, card.pats, card.shares, card.comments], [1, 1, 1, 1]);
  // And the other way round.
  assert.equal((await post(ben.page, pets.ben, "Woof.")).state, "mined");
  await open(anna.page, `/pet/${pets.ben}`);
  await newestPost(anna.page).locator("[data-act=pat]").click();
  assert.equal((await settled(newestPost(anna.page))).state, "mined");
  assertQuiet(anna);
  assertQuiet(ben);
});

test("what the rules refuse is taken back with the reason", async () => {
  // A gift needs free treats, and a new account has granted ones only.
  await open(anna.page, `/pet/${pets.ben}`);
  const place = petActions(anna.page);
  await place.locator("[data-act=gift]").click();
  await place.locator("form button[type=submit]").click();
  const gift = await settled(place);
  assert.equal(gift.state, "failed");
  assert.match(gift.words, /^Taken back: .*treats/);
  // This device remembers what it patted.
  const pat = newestPost(anna.page).locator("[data-act=pat]");
  assert.deepEqual([await pat.getAttribute("aria-pressed"), await pat.getAttribute("aria-disabled")], ["true", "true"]);
  await shot(anna.page, "taken-back");
});

test("a second device signs in by name and password", async () => {
  const second = await device(browser, service);
  await signIn(second.page, "anna", "not the password at all");
  await second.page.locator("#password-problem:not(:empty)").waitFor();
  await second.page.waitForFunction(() => /fit/.test(document.querySelector("#password-problem").textContent));
  await signIn(second.page, "nobody-here", "not the password at all");
  await second.page.waitForFunction(() => /fit/.test(document.querySelector("#password-problem").textContent));
  await signIn(second.page, "anna");
  await second.page.waitForURL("**/me");
  await ready(second.page);
  await second.page.locator("#holdings li").first().waitFor();
  assert.equal(await second.page.textContent("#me-name"), "anna");
  await shot(second.page, "me");
  assert.equal((await post(second.page, pets.anna, "From the other device.")).state, "mined");
  // A second pat of the same post shows at once, and is taken back: in the language of the page.
  await open(second.page, `/pet/${pets.ben}?lang=de`);
  await newestPost(second.page).locator("[data-act=pat]").click();
  const again = await settled(newestPost(second.page));
  assert.equal(again.state, "failed");
  assert.match(again.words, /einmal bei jedem Beitrag/);
  // The first device goes on: neither uses up the other's numbers.
  assert.equal((await post(anna.page, pets.anna, "From the first one.")).state, "mined");
  assertQuiet(second);
  await second.context.close();
});

test("a third one by the key file, which needs its password too", async () => {
  const third = await device(browser, service);
  await open(third.page, "/signin");
  await third.page.setInputFiles("#signin-file", { name: "anna.age", mimeType: "application/octet-stream", buffer: await readFile(pets.file) });
  await third.page.fill("#file-password", "not the password at all");
  await third.page.click("#by-file button[type=submit]");
  await third.page.waitForFunction(() => /another one/.test(document.querySelector("#file-problem").textContent));
  await third.page.fill("#file-password", PASSWORD);
  await third.page.click("#by-file button[type=submit]");
  await third.page.waitForURL("**/me");
  await ready(third.page);
  await third.page.click("#sign-out");
  await third.page.waitForURL((url) => url.pathname === "/");
  await open(third.page, "/me");
  await third.page.locator("#signed-out").waitFor();
  await third.context.close();
});

test("the key can't be read out of the browser", async () => {
  await open(anna.page, "/me");
  const found = await anna.page.evaluate(async () => {
    const database = await new Promise((resolve) => {
      const request = indexedDB.open("pitpet", 1);
      request.onsuccess = () => resolve(request.result);
    });
    const own = await new Promise((resolve) => {
      const request = database.transaction("wallet").objectStore("wallet").get("own");
      request.onsuccess = () => resolve(request.result);
    });
    database.close();
    const exporting = [own, ...own.older].flatMap(({ signer, cipher }) => [
      crypto.subtle.exportKey("pkcs8", signer),
      crypto.subtle.exportKey("raw", cipher),
    ]);
    const exported = await Promise.all(exporting.map((key) => key.then(() => "exported", (error) => error.name)));
    return { exported, fields: Object.keys(own).sort(), stored: [localStorage.length, sessionStorage.length] };
  });
  const fields = ["account", "cipher", "key", "name", "older", "signer"];
  assert.deepEqual(found, { exported: ["InvalidAccessError", "InvalidAccessError"], fields, stored: [0, 0] });
});

test("a changed password opens the account, and the old one doesn't", async () => {
  await open(anna.page, "/me");
  const next = `${PASSWORD} twice`;
  await anna.page.fill("#password-old", PASSWORD);
  await anna.page.fill("#password-new", next);
  await anna.page.fill("#password-new-again", next);
  await anna.page.click("#new-password button[type=submit]");
  await anna.page.waitForFunction(() => /from now on/.test(document.querySelector("#new-password-problem").textContent));
  const other = await device(browser, service);
  await signIn(other.page, "anna");
  await other.page.waitForFunction(() => /fit/.test(document.querySelector("#password-problem").textContent));
  await signIn(other.page, "anna", next);
  await other.page.waitForURL("**/me");
  await other.context.close();
});

test("an action outlives the service that is killed under it", async () => {
  await open(ben.page, `/pet/${pets.anna}`);
  const place = newestPost(ben.page);
  const sent = ben.page.waitForResponse((response) => response.url().endsWith("/v1/events") && response.status() === 202);
  await place.locator("[data-act=pat]").click();
  await sent;
  await service.kill();
  await service.up();
  assert.equal((await settled(place)).state, "mined");
  // And one that begins while it is away.
  await open(ben.page, `/pet/${pets.anna}`);
  await service.kill();
  await newestPost(ben.page).locator("[data-act=share]").click();
  await service.up();
  assert.equal((await settled(newestPost(ben.page))).state, "mined");
});

test("a neglected pet's story ends, and its owner begins a new one", async () => {
  // In this kennel every event ages all pets: Ben posts until Mochi is gone.
  for (let n = 0; n < 17; n += 1) {
    if ((await service.get(`/v1/pets/${pets.anna}`)).phase !== "living") break;
    assert.equal((await post(ben.page, pets.ben, `Day ${n}.`)).state, "mined");
  }
  await until(() => service.get(`/v1/pets/${pets.anna}`), (gone) => gone.phase === "ended");
  await open(anna.page, `/pet/${pets.anna}`);
  const offered = await anna.page.locator("[data-act]:enabled:visible").evaluateAll((all) => all.map((it) => it.dataset.act));
  assert.deepEqual(offered, ["keepsake"], "it is over");
  await shot(anna.page, "story-end");
  const place = anna.page.locator("[data-actions]:not([data-post])").first();
  await place.locator("[data-act=keepsake]").click();
  assert.equal((await settled(place)).state, "mined");
  // Told at once, and not offered again.
  await anna.page.locator(".end .ticket").waitFor();
  assert.equal(await place.locator("[data-act=keepsake]").getAttribute("aria-disabled"), "true");
  assert.ok(await anna.page.locator(".end a[href='/join?in=classic']").isVisible());
  await shot(anna.page, "keepsake");
  await open(anna.page, "/me");
  await anna.page.locator("#holdings a[href='/join?in=classic']").click();
  await ready(anna.page);
  assert.ok(await anna.page.locator("#account-part").isHidden());
  const next = await joinWith(anna.page, { pet: "Mochi the Second" });
  assert.equal((await service.get(`/v1/pets/${next}`)).phase, "living");
  await open(anna.page, "/join?in=classic");
  await anna.page.locator(`#has-pet a[href='/pet/${next}']:visible`).waitFor();
  assert.ok(await anna.page.locator("#join").evaluate((form) => form.hidden), "one pet is enough");
  assertQuiet(anna);
});
