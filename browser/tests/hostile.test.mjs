// What strangers try: markup in every text field, files that are no photos, a picture that unfolds without end, names
// that look odd.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deflateSync, crc32 } from "node:zlib";
import { assertQuiet, device, joinWith, launch, newestPost, open, photo, post, settled, shot } from "../lib/browser.mjs";
import { Service } from "../lib/service.mjs";

let service, browser, mallory;

const MARKUP = `"><img src=x onerror="globalThis.hit=1"><svg onload="globalThis.hit=1"><script>globalThis.hit=1</script>'\`{{7*7}}`;

before(async () => {
  service = await Service.start();
  browser = await launch();
  mallory = await device(browser, service);
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

const hit = (page) => page.evaluate(() => globalThis.hit);

/** Every page that shows what players wrote. */
async function pagesOf(birth) {
  const card = await service.get(`/v1/pets/${birth}`);
  const { entries } = await service.get(`/v1/pets/${birth}/events`);
  const posted = entries.find((entry) => entry.kind === "post");
  return [
    "/", "/?order=alive", `/pet/${birth}`, `/post/${posted.id}`, `/account/${card.owner}`,
    `/search?q=${encodeURIComponent(MARKUP)}`, `/tag/${encodeURIComponent(MARKUP)}`,
    `/ledger/${card.kennel}/${card.born_height}`,
  ];
}

test("markup in every text field stays text", async () => {
  const birth = await joinWith(mallory.page, { user: "mallory", pet: MARKUP.slice(0, 64), story: MARKUP });
  assert.equal((await post(mallory.page, birth, MARKUP)).state, "mined");
  await open(mallory.page, `/pet/${birth}`);
  const place = newestPost(mallory.page);
  await place.locator("[data-act=comment]").click();
  await place.locator("form textarea").fill(MARKUP);
  await place.locator("form button[type=submit]").click();
  assert.equal((await settled(place)).state, "mined");
  for (const path of await pagesOf(birth)) {
    await open(mallory.page, path);
    assert.equal(await hit(mallory.page), undefined, path);
    assert.equal(await mallory.page.locator("img[src=x], svg[onload]").count(), 0, path);
  }
  await open(mallory.page, `/pet/${birth}`);
  await shot(mallory.page, "hostile-texts");
  assert.match(await mallory.page.textContent("main"), /onerror="globalThis\.hit=1"/);
});

test("markup in a tag or a user name is refused with the limit", async () => {
  const [{ pet: birth }] = (await service.get("/v1/accounts/mallory")).kennels;
  const refused = await post(mallory.page, birth, "tagged", "<b>");
  assert.equal(refused.state, "failed");
  assert.match(refused.words, /lower-case letters, digits or hyphens/);
  const other = await device(browser, service);
  await open(other.page, "/join");
  await other.page.fill("#user", "<script>");
  assert.equal(await other.page.locator("#user").evaluate((field) => field.validity.valid), false);
  await other.context.close();
});

test("a script that gets into a page can make no markup and load nothing", async () => {
  await open(mallory.page, "/");
  const tried = await mallory.page.evaluate(async () => {
    // Out of the debugger's own call, in which eval is allowed.
    await new Promise((resolve) => setTimeout(resolve));
    const attempt = (action) => {
      try {
        action();
        return "done";
      } catch (error) {
        return error.name;
      }
    };
    return [
      attempt(() => (document.createElement("div").innerHTML = "<img>")),
      attempt(() => eval("1")),
      attempt(() => new Worker("data:text/javascript,1")),
      attempt(() => globalThis.trustedTypes.createPolicy("other", { createHTML: (text) => text })),
    ];
  });
  assert.deepEqual(tried.map((outcome) => outcome === "done"), [false, false, false, false], tried.join());
  const elsewhere = await mallory.page.evaluate(() => fetch("https://example.org/").then(() => "sent", () => "stopped"));
  assert.equal(elsewhere, "stopped");
  // Those were the policy's doing, and are what the console now holds.
  mallory.faults.length = 0;
});

function png(width, height) {
  const chunk = (type, content) => {
    const body = Buffer.concat([Buffer.from(type), content]);
    const ends = [Buffer.alloc(4), Buffer.alloc(4)];
    ends[0].writeUInt32BE(content.length);
    ends[1].writeUInt32BE(crc32(body));
    return Buffer.concat([ends[0], body, ends[1]]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([1, 0], 8);
  const rows = deflateSync(Buffer.alloc((Math.ceil(width / 8) + 1) * height));
  const magic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([magic, chunk("IHDR", head), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

test("files that are no photos are refused before anything is sent", async () => {
  const other = await device(browser, service);
  const { page } = other;
  const writes = [];
  page.on("request", (request) => request.method() !== "GET" && writes.push(request.url()));
  await open(page, "/join");
  await page.locator("#join").waitFor();
  const files = [
    ["page.html", "text/html", Buffer.from("<script>globalThis.hit=1</script>"), /no photo/],
    ["drawing.svg", "image/svg+xml", Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" onload="globalThis.hit=1"/>`), /no photo/],
    ["page.jpg", "image/jpeg", Buffer.from("<html><script>globalThis.hit=1</script></html>"), /no photo/],
    ["empty.png", "image/png", Buffer.alloc(0), /no photo/],
    ["huge.png", "image/png", png(10_000, 10_000), /100 million pixels/],
  ];
  for (const [name, mimeType, buffer, reason] of files) {
    await page.setInputFiles("#photo", { name, mimeType, buffer });
    await page.waitForFunction(
      ([source]) => new RegExp(source).test(document.querySelector("#join-problem").textContent), [reason.source],
    );
    assert.ok(await page.locator("#preview").isHidden(), name);
    await page.setInputFiles("#photo", []);
    assert.equal(await page.textContent("#join-problem"), "");
  }
  assert.equal(await hit(page), undefined);
  assert.deepEqual(writes, []);
  await page.setInputFiles("#photo", await photo(page));
  await page.locator("#preview").waitFor();
  assertQuiet(other);
  await other.context.close();
});

test("right-to-left, emoji and look-alike names are shown as they are", async () => {
  const names = { "rtl-1": "\u202Eمِشمِش", "emoji-1": "🐈‍⬛👩‍👩‍👧", "alike-1": "Моchi" };
  for (const [user, pet] of Object.entries(names)) {
    const other = await device(browser, service);
    const birth = await joinWith(other.page, { user, pet });
    await open(other.page, `/pet/${birth}`);
    assert.ok((await other.page.textContent("h1")).includes(pet));
    await shot(other.page, `name-${user}`);
    // A name turns nothing around it, and in plain text holds no override.
    assert.equal(await other.page.locator("[data-grows=story] li span[dir]").count(), 0);
    assert.doesNotMatch(await other.page.title(), /[\u202a-\u202e]/);
    assert.doesNotMatch(await (await fetch(`${service.url}/pet/${birth}/feed.atom`)).text(), /[\u202a-\u202e]/);
    assertQuiet(other);
    await other.context.close();
  }
});
