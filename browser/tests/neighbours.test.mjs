// The demonstration: a folder of its own, pets that act by themselves, every page says so, and a neglected one's story
// ends while one looks on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertAccessible, assertQuiet, device, launch, open, shot } from "../lib/browser.mjs";
import { Service } from "../lib/service.mjs";

let service, browser;

before(async () => {
  service = await Service.start("--preset", "classic", "--neighbours", "12", "--pace-ms", "500");
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

test("twelve labelled pets live by themselves, and a neglected one's story ends", async () => {
  const visitor = await device(browser, service);
  const { page } = visitor;
  // Until they have moved in.
  const deadline = Date.now() + 180_000;
  const gone = async () => {
    const { entries } = await service.get("/v1/feed?limit=100");
    const births = entries.filter((entry) => entry.kind === "birth");
    const pets = await Promise.all(births.map((entry) => service.get(`/v1/pets/${entry.pet}`)));
    return pets.find((pet) => pet.phase !== "living");
  };
  let dead;
  while (!(dead = await gone())) {
    assert.ok(Date.now() < deadline, "no story ended within 3 minutes");
    // Until the next block, which somebody's pet brings about.
    const { height } = await service.get("/v1/kennels/classic");
    await service.get(`/v1/kennels/classic?above=${height}&wait_ms=5000`);
  }
  await open(page, "/");
  assert.match(await page.textContent(".demo"), /played by the program/);
  await shot(page, "neighbours");
  await open(page, `/pet/${dead.birth}`);
  assert.match(await page.textContent(".demo"), /played by the program/);
  assert.match(await page.textContent("main"), /The story ends here/);
  await assertAccessible(page, "a story that ended");
  await shot(page, "neighbours-story-end");
  assertQuiet(visitor);
});
