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
  reading = { front: "/", pet: `/pet/${birth}`, block: `/ledger/${card.kennel}/${card.born_height}` };
  all = { ...reading, join: "/join", signin: "/signin", me: "/me" };
  await anna.context.close();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

test("reading works without scripts", async () => {
  const plain = await device(browser, service, { javaScriptEnabled: false });
  for (const [name, path] of Object.entries(reading)) {
    const response = await plain.page.goto(path);
    assert.equal(response.status(), 200, path);
    const text = await plain.page.locator("body").innerText();
    assert.match(text, name === "block" ? /Block/ : /Mochi/, path);
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
      for (const [name, path] of Object.entries(all)) {
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
