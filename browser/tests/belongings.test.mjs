// What an account keeps and is told: profile, bookmarks, mutes, notices, all of its data; on several devices.

import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  PASSWORD, assertAccessible, assertQuiet, device, joinWith, launch, newestPost, open, photo, post, ready, settled, shot, signIn,
} from "../lib/browser.mjs";
import { Service } from "../lib/service.mjs";

let service, browser, anna, ben;
const pets = {};
const OF_FILE = "kept in the drawer, with the passports";
const BIO = `Zwei Katzen, kein Schlaf. 🐈 "><img src=x onerror="globalThis.hit=1">`;

before(async () => {
  service = await Service.start();
  browser = await launch();
  anna = await device(browser, service);
  ben = await device(browser, service, { viewport: { width: 390, height: 844 }, hasTouch: true });
  pets.anna = await joinWith(anna.page, { user: "anna", pet: "Mochi" });
  pets.ben = await joinWith(ben.page, { user: "ben-2", pet: "Rex" });
  await post(anna.page, pets.anna, "First nap of the day.", "nap");
  await post(ben.page, pets.ben, "Bones again.", "bones");
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

const shown = (page) => page.locator("html[data-shown=true]").waitFor({ state: "attached" });
async function me(page) {
  await open(page, "/me");
  await shown(page);
}
const kept = (place) => place.locator("output.status[data-state=kept]").waitFor();

test("a profile: a picture out of one's own photos, and a few words", async () => {
  await me(anna.page);
  assert.equal(await anna.page.locator("#avatars img").count(), 1, "a post without a photo is no choice");
  await anna.page.fill("#bio", BIO);
  await anna.page.locator("#avatars input").nth(1).check();
  await anna.page.click("#profile button[type=submit]");
  await anna.page.waitForFunction(() => /Saved/.test(document.querySelector("#profile-problem").textContent));
  await open(ben.page, "/@anna");
  assert.ok((await ben.page.textContent("main")).includes(BIO));
  assert.equal(await ben.page.evaluate(() => globalThis.hit), undefined);
  assert.equal(await ben.page.locator(".self > img").count(), 1);
  for (const scheme of ["light", "dark"]) {
    await ben.page.emulateMedia({ colorScheme: scheme });
    await assertAccessible(ben.page, `/@anna, ${scheme}`);
    await shot(ben.page, `profile-phone-${scheme}`);
  }
  assert.ok(await ben.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  // Said again, and with nothing.
  await me(anna.page);
  assert.equal(await anna.page.inputValue("#bio"), BIO);
  assert.ok(await anna.page.locator("#avatars input").nth(1).isChecked());
  assertQuiet(anna);
});

test("a bookmark is on every device of the account, and the server can't read it", async () => {
  await open(anna.page, `/pet/${pets.ben}`);
  const place = newestPost(anna.page);
  const id = await place.getAttribute("data-post");
  await place.locator("[data-bookmark]").click();
  await kept(place);
  const { sealed, version } = await service.get("/v1/accounts/anna/list");
  assert.ok(version > 0);
  const bytes = Buffer.from(sealed, "base64");
  assert.equal(bytes.length, 1 + 12 + 2048 + 16, "its size tells little");
  assert.ok(!bytes.includes(id) && !bytes.includes("bookmarks"));
  const second = await device(browser, service);
  await signIn(second.page, "anna");
  await second.page.waitForURL("**/me");
  await ready(second.page);
  await shown(second.page);
  assert.match(await second.page.textContent("#bookmarks"), /Bones again\./);
  await shot(second.page, "bookmarks");
  // What one device takes out is out on the other; neither undoes what the other did.
  const there = second.page.locator("#bookmarks [data-actions]");
  await there.locator("[data-bookmark][aria-pressed=true]").click();
  await second.page.locator("#bookmarks output.status[data-state=kept]").waitFor();
  await open(second.page, "/tag/bones");
  await second.page.locator("[data-mute=tags]").click();
  await kept(second.page.locator("main"));
  await open(anna.page, `/pet/${pets.anna}`);
  await newestPost(anna.page).locator("[data-bookmark]").click();
  await kept(newestPost(anna.page));
  await me(anna.page);
  assert.match(await anna.page.textContent("#bookmarks"), /First nap/);
  assert.doesNotMatch(await anna.page.textContent("#bookmarks"), /Bones again/);
  assert.match(await anna.page.textContent("#mutes"), /#bones/);
  assertQuiet(second);
  assertQuiet(anna);
  await second.context.close();
});

test("what is muted isn't shown, and is heard again when asked for", async () => {
  const bones = anna.page.locator("main li", { hasText: "Bones again." });
  await open(anna.page, "/");
  assert.equal(await bones.first().isVisible(), false, "by its tag");
  await open(anna.page, "/tag/bones");
  assert.ok(await bones.first().isVisible(), "one went to see it");
  await anna.page.locator("[data-mute=tags][aria-pressed=true]").click();
  await kept(anna.page.locator("main"));
  await open(anna.page, "/");
  assert.ok(await bones.first().isVisible());
  await open(anna.page, "/@ben-2");
  await anna.page.locator("[data-mute=accounts]").click();
  await kept(anna.page.locator("main"));
  await open(anna.page, "/");
  assert.equal(await bones.first().isVisible(), false, "by its account");
  assert.equal(await anna.page.locator("main li", { hasText: "Rex is here" }).isVisible(), false);
  await me(anna.page);
  assert.match(await anna.page.textContent("#mutes"), /@ben-2/);
  await shot(anna.page, "muted");
  await anna.page.locator("#mutes button").click();
  await anna.page.locator("#mutes output.status[data-state=kept]").waitFor();
  // Whoever isn't signed in sees no such button.
  const stranger = await device(browser, service);
  await open(stranger.page, "/tag/bones");
  assert.ok(await stranger.page.locator("[data-mute]").isHidden());
  await stranger.context.close();
  assertQuiet(anna);
});

test("what friends did is told, once", async () => {
  await open(ben.page, `/pet/${pets.anna}`);
  await newestPost(ben.page).locator("[data-act=pat]").click();
  assert.equal((await settled(newestPost(ben.page))).state, "mined");
  const id = await newestPost(ben.page).getAttribute("data-post");
  await open(ben.page, `/post/${id}`);
  const place = newestPost(ben.page);
  await place.locator("[data-act=comment]").click();
  await place.locator("form textarea").fill("So soft!");
  await place.locator("form button[type=submit]").click();
  // At once, and there to stay.
  assert.match(await ben.page.locator("[data-visits] li").first().textContent(), /So soft!/);
  assert.equal((await settled(place)).state, "mined");
  assert.match(await ben.page.locator("[data-visits] li").first().textContent(), /So soft!/);
  const third = await device(browser, service);
  await signIn(third.page, "anna");
  await third.page.waitForURL("**/me");
  await open(third.page, "/about");
  // On /me it was looked at already, unless the page was left before; so it is asked for anew.
  await me(third.page);
  assert.match(await third.page.textContent("#notices"), /So soft!/);
  for (const scheme of ["light", "dark"]) {
    await third.page.emulateMedia({ colorScheme: scheme });
    await assertAccessible(third.page, `/me, ${scheme}`);
    await shot(third.page, `me-full-${scheme}`);
  }
  await third.page.setViewportSize({ width: 320, height: 700 });
  assert.ok(await third.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await shot(third.page, "me-full-phone");
  await open(third.page, "/about");
  assert.equal(await third.page.locator("nav .count").count(), 0, "it was looked at");
  await third.context.close();
  const account = await service.get("/v1/accounts/anna");
  const plain = await device(browser, service, { javaScriptEnabled: false });
  await plain.page.goto(`/account/${account.id}/notices`);
  assert.match(await plain.page.textContent("main"), /So soft!/);
  await plain.page.locator(`main .line a[href="/pet/${pets.anna}"]`, { hasText: "Mochi" }).first().waitFor();
  await plain.page.locator(`main .line a[href^="/post/${id}#e-"]`, { hasText: "commented" }).waitFor();
  await shot(plain.page, "no-scripts-notices");
  await plain.context.close();
});

test("news are counted in the menu until they are looked at", async () => {
  const fourth = await device(browser, service);
  await signIn(fourth.page, "ben-2");
  await fourth.page.waitForURL("**/me");
  await ready(fourth.page);
  await shown(fourth.page);
  await open(anna.page, `/pet/${pets.ben}`);
  await newestPost(anna.page).locator("[data-act=pat]").click();
  assert.equal((await settled(newestPost(anna.page))).state, "mined");
  await open(fourth.page, "/about");
  await fourth.page.locator("nav .count").waitFor();
  assert.match(await fourth.page.textContent("nav .count"), /^1/);
  await assertAccessible(fourth.page, "a count in the menu");
  await fourth.context.close();
});

test("all of one's data in a file", async () => {
  await me(anna.page);
  await anna.page.click("#export button[type=submit]");
  await anna.page.locator("#export-link:visible").waitFor();
  const [file] = await Promise.all([anna.page.waitForEvent("download"), anna.page.click("#export-link")]);
  assert.equal(file.suggestedFilename(), "anna.json");
  const data = JSON.parse(await readFile(await file.path(), "utf8"));
  assert.deepEqual(data.account.names, ["anna"]);
  assert.equal(data.profile.bio, BIO);
  assert.equal(data.bookmarks.length, 1);
  assert.deepEqual(data.muted, { accounts: [], tags: [] });
  const [pet] = data.pets;
  assert.equal(pet.name, "Mochi");
  const kinds = pet.events.map((event) => event.kind);
  assert.deepEqual(kinds.filter((kind) => ["birth", "post", "pat", "comment"].includes(kind)).sort(), ["birth", "comment", "pat", "post"]);
  // What she did for Ben's pet, too.
  const { acts } = data.acts.find(({ label }) => label === "classic");
  assert.deepEqual(acts.map((act) => act.kind).filter((kind) => kind !== "story_end"), ["birth", "post", "pat"]);
  assert.equal(acts[1].text, "First nap of the day.");
  assertQuiet(anna);
});

test("after a rekey each key signs where it is the current one, and the newest key file sets the password anew", async () => {
  const cleo = await device(browser, service);
  const home = await joinWith(cleo.page, { user: "cleo", pet: "Nila" });
  await open(cleo.page, `/pet/${pets.ben}`);
  await newestPost(cleo.page).locator("[data-bookmark]").click();
  await kept(newestPost(cleo.page));
  await me(cleo.page);
  await cleo.page.fill("#new-file-password", PASSWORD);
  await cleo.page.fill("#new-file-other", OF_FILE);
  await cleo.page.click("#new-file button[type=submit]");
  await cleo.page.locator("#new-file-link:visible").waitFor();
  const [file] = await Promise.all([cleo.page.waitForEvent("download"), cleo.page.click("#new-file-link")]);
  const keys = join(service.folder, "keys");
  await mkdir(keys);
  await file.saveAs(join(keys, "cleo.age"));
  // The command line takes the browser's file as it is; in another town the account's first key stays.
  assert.match(service.act(keys, OF_FILE, "account", "list"), /cleo +not opened here yet/);
  const umi = join(service.folder, "umi.jpg");
  await writeFile(umi, (await photo(cleo.page)).buffer);
  const born = JSON.parse(service.act(keys, OF_FILE, "birth", "--kennel", "town", "--photo", umi, "--name", "Umi", "--json"));
  service.act(keys, OF_FILE, "rekey", "--kennel", "classic");
  assert.match(service.act(keys, OF_FILE, "account", "list"), /cleo +[0-9a-f]{64}/);
  const before = await service.get("/v1/accounts/cleo/list");
  const second = await device(browser, service);
  await open(second.page, "/signin");
  await second.page.setInputFiles("#signin-file", join(keys, "cleo.2.age"));
  await second.page.fill("#file-password", OF_FILE);
  await second.page.click("#by-file button[type=submit]");
  await second.page.waitForURL("**/me");
  await ready(second.page);
  await shown(second.page);
  assert.match(await second.page.textContent("#bookmarks"), /Bones again\./);
  assert.equal(await second.page.textContent("#list-problem"), "");
  const wallet = (await second.page.getAttribute("script[src$='/app.js']", "src")).replace("app.js", "wallet.js");
  const exported = await second.page.evaluate(async (wallet) => {
    const { keysOf, own } = await import(wallet);
    const all = keysOf(await own()).flatMap(({ signer, cipher }) => [
      crypto.subtle.exportKey("pkcs8", signer),
      crypto.subtle.exportKey("raw", cipher),
    ]);
    return Promise.all(all.map((key) => key.then(() => "exported", (error) => error.name)));
  }, wallet);
  assert.deepEqual(exported, Array(4).fill("InvalidAccessError"), "neither the newest key nor the older one can be read out");
  for (const pet of [home, born.id]) assert.equal((await post(second.page, pet, "Here I am.")).state, "mined");
  await open(second.page, `/pet/${pets.anna}`);
  await newestPost(second.page).locator("[data-bookmark]").click();
  await kept(newestPost(second.page));
  assert.ok((await service.get("/v1/accounts/cleo/list")).version > before.version);
  await me(second.page);
  for (const text of [/Bones again\./, /First nap/]) assert.match(await second.page.textContent("#bookmarks"), text);
  // Whoever has the older key alone, as the vault of the password does, reads the list no more, and can't act here.
  const third = await device(browser, service);
  await signIn(third.page, "cleo");
  await third.page.waitForURL("**/me");
  await ready(third.page);
  await shown(third.page);
  assert.match(await third.page.textContent("#list-problem"), /another key/);
  const refused = await post(third.page, home, "Still me?");
  assert.equal(refused.state, "failed");
  assert.match(refused.words, /Your key was replaced/);
  await me(third.page);
  const next = "nine herons stand in the reeds";
  const renew = async (from) => {
    await third.page.setInputFiles("#renew-file", from);
    await third.page.fill("#renew-file-password", OF_FILE);
    await third.page.fill("#renew-password", next);
    await third.page.fill("#renew-password-again", next);
    await third.page.click("#renew button[type=submit]");
  };
  const said = (what) =>
    third.page.waitForFunction((what) => document.querySelector("#renew-problem").textContent.includes(what), what);
  const others = join(service.folder, "others");
  service.act(others, OF_FILE, "account", "new", "dora");
  await renew(join(others, "dora.age"));
  await said("another account");
  await renew(join(keys, "cleo.2.age"));
  await said("from now on");
  await shot(third.page, "me-renewed");
  assert.equal((await post(third.page, home, "Still me.")).state, "mined");
  const fourth = await device(browser, service);
  await signIn(fourth.page, "cleo", next);
  await fourth.page.waitForURL("**/me");
  await ready(fourth.page);
  await shown(fourth.page);
  for (const text of [/Bones again\./, /First nap/]) assert.match(await fourth.page.textContent("#bookmarks"), text);
  assertQuiet(second);
  for (const { context } of [cleo, second, third, fourth]) await context.close();
});

test("a password changed on one device leaves the list readable on the other", async () => {
  await open(ben.page, `/pet/${pets.anna}`);
  await newestPost(ben.page).locator("[data-bookmark]").click();
  await kept(newestPost(ben.page));
  await me(ben.page);
  assert.match(await ben.page.textContent("#bookmarks"), /First nap/);
  await me(ben.page);
  await ben.page.fill("#password-old", PASSWORD);
  await ben.page.fill("#password-new", "eleven geese walk over the bridge");
  await ben.page.fill("#password-new-again", "eleven geese walk over the bridge");
  await ben.page.click("#new-password button[type=submit]");
  await ben.page.waitForFunction(() => /new password/.test(document.querySelector("#new-password-problem").textContent));
  const other = await device(browser, service, { locale: "de-AT" });
  await signIn(other.page, "ben-2", "eleven geese walk over the bridge");
  await other.page.waitForURL("**/me");
  await ready(other.page);
  await shown(other.page);
  assert.match(await other.page.textContent("#bookmarks"), /First nap/);
  assert.match(await other.page.textContent("#bookmarks-title"), /Lesezeichen/);
  await shot(other.page, "me-full-german");
  await other.context.close();
});

test("a profile that the operator erased is gone, and stays so", async () => {
  assert.match(service.admin("erase-profile", "anna"), /Erased: the profile of [0-9a-f]{64}/);
  await open(ben.page, "/@anna");
  assert.ok(!(await ben.page.textContent("main")).includes("kein Schlaf"));
  assert.equal(await ben.page.locator(".self > img").count(), 0);
  await me(anna.page);
  await anna.page.fill("#bio", "Back again.");
  await anna.page.click("#profile button[type=submit]");
  await anna.page.waitForFunction(() => /erased the profile/.test(document.querySelector("#profile-problem").textContent));
  assert.throws(() => service.admin("erase-profile", "nobody-here"), /no such account/i);
});

test("what was done on another device is not offered again", async () => {
  // Ben patted it on his phone when he came by.
  const other = await device(browser, service);
  await signIn(other.page, "ben-2", "eleven geese walk over the bridge");
  await other.page.waitForURL("**/me");
  await open(other.page, `/pet/${pets.anna}`);
  const place = newestPost(other.page);
  const pats = await place.locator("[data-count=pat]").textContent();
  await place.locator("[data-act=pat]").click();
  const { state, words } = await settled(place);
  assert.equal(state, "failed");
  assert.match(words, /Taken back/);
  assert.equal(await place.locator("[data-count=pat]").textContent(), pats);
  for (const attribute of ["aria-pressed", "aria-disabled"]) {
    assert.equal(await place.locator("[data-act=pat]").getAttribute(attribute), "true");
  }
  await other.context.close();
});
