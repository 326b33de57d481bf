// "Check it yourself" across a change of rules: blocks on both sides of it are decided again, each by the module that
// it names; a browser whose release doesn't know the new module says so instead of guessing.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertQuiet, device, joinWith, launch, open, post } from "../lib/browser.mjs";
import { Service } from "../lib/service.mjs";

const MODULE = fileURLToPath(new URL("../../wasm/variants/wider.wasm", import.meta.url));
const NEXT = createHash("sha256").update(readFileSync(MODULE)).digest("hex");

let service, browser, kennel, changedAt, released, newest;

/** A device whose release knows the new rules too, as the release that ships them does. */
async function upgraded() {
  const found = await device(browser, service);
  let asked = 0;
  await found.context.route("**/pins.js", async (route) => {
    const response = await route.fetch();
    const pins = (await response.text()).replace("export const RULES = [", `$&\n  "${NEXT}",`);
    assert.ok(pins.includes(NEXT), pins);
    asked += 1;
    await route.fulfill({ response, body: pins });
  });
  return { ...found, pinsAsked: () => asked };
}

async function verdict(page, height) {
  await open(page, `/ledger/${kennel}/${height}`);
  await page.locator("[data-check]").first().click();
  const found = page.locator(".verdict[data-verdict]");
  await found.waitFor();
  return { verdict: await found.getAttribute("data-verdict"), words: await found.innerText() };
}

before(async () => {
  service = await Service.start();
  browser = await launch();
  const anna = await device(browser, service);
  const birth = await joinWith(anna.page, { user: "anna", pet: "Mochi" });
  await post(anna.page, birth, "By the rules of before.");
  kennel = (await service.get(`/v1/pets/${birth}`)).kennel;
  released = (await service.get(`/v1/kennels/${kennel}`)).rules_hash;
  const decided = JSON.parse(service.admin("upgrade", "classic", "--module", MODULE, "--in-blocks", "3", "--json"));
  changedAt = decided.at_height;
  for (let height = 0; height <= changedAt; ) {
    assert.equal((await post(anna.page, birth, `After block ${height}.`)).state, "mined");
    ({ height } = await service.get(`/v1/kennels/${kennel}`));
    newest = height;
  }
  await anna.context.close();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

test("blocks before and after a change of rules are decided again, each by its own module", async () => {
  const visitor = await upgraded();
  const [old, next] = [released, NEXT].map((hash) => hash.slice(0, 12));
  const last = await verdict(visitor.page, changedAt - 1);
  assert.equal(last.verdict, "good", last.words);
  assert.ok(last.words.includes(old) && !last.words.includes(next), last.words);
  for (const height of [changedAt, newest]) {
    const found = await verdict(visitor.page, height);
    assert.equal(found.verdict, "good", found.words);
    assert.ok(found.words.includes(old) && found.words.includes(next), found.words);
  }
  assert.ok(visitor.pinsAsked() > 0, "the list of modules was extended");
  assertQuiet(visitor);
  await visitor.context.close();
});

test("a changed block after the change of rules is found by the new module", async () => {
  const visitor = await upgraded();
  const block = await service.get(`/v1/kennels/${kennel}/blocks/${newest}`);
  const event = await service.get(`/v1/events/${block.events[0]}`);
  const receipt = Buffer.from(event.place.receipt, "base64");
  await visitor.page.route("**/evidence", async (route) => {
    const response = await route.fetch();
    const body = Buffer.from(await response.body());
    const at = body.lastIndexOf(receipt);
    assert.ok(at > 0, "the receipt is in the evidence");
    body[at + receipt.length - 1] ^= 1;
    await route.fulfill({ response, body });
  });
  const found = await verdict(visitor.page, newest);
  assert.notEqual(found.verdict, "good", found.words);
  await visitor.context.close();
});

test("a browser that doesn't know the new rules checks what was before, and says so of the rest", async () => {
  const visitor = await device(browser, service);
  assert.equal((await verdict(visitor.page, changedAt - 1)).verdict, "good");
  const found = await verdict(visitor.page, newest);
  assert.equal(found.verdict, "none", found.words);
  assert.match(found.words, /rules that this page doesn't know/);
  await visitor.context.close();
});
