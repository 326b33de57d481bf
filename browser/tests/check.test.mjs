// "Check it yourself": a block decided again in the browser; a tampered one shows what differs; a module that isn't the
// released one doesn't run.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, device, joinWith, launch, open, post, shot, until } from "../lib/browser.mjs";
import { Service } from "../lib/service.mjs";

let service, browser, anna, birth, kennel;

before(async () => {
  service = await Service.start();
  browser = await launch();
  anna = await device(browser, service);
  birth = await joinWith(anna.page, { user: "anna", pet: "Mochi" });
  assert.equal((await post(anna.page, birth, "A block to check.")).state, "mined");
  kennel = (await service.get(`/v1/pets/${birth}`)).kennel;
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

async function verdict(page) {
  const button = page.locator("[data-check]").first();
  await button.click();
  const found = page.locator(".verdict[data-verdict]");
  await found.waitFor();
  return { verdict: await found.getAttribute("data-verdict"), ms: Number(await found.getAttribute("data-ms")), words: await found.innerText() };
}

test("a block is decided again, part by part", async () => {
  const { height } = await service.get(`/v1/kennels/${kennel}`);
  for (const at of [0, 1, height]) {
    await open(anna.page, `/ledger/${kennel}/${at}`);
    const first = await verdict(anna.page);
    assert.equal(first.verdict, "good", first.words);
    assert.match(first.words, /What was checked[^]*What was not/);
  }
  await shot(anna.page, "checked");
  // Once loaded the same worker is quicker; the time is shown, and is for people, not for this test.
  const again = await verdict(anna.page);
  assert.equal(again.verdict, "good");
  assertQuiet(anna);
});

/** Answers the evidence with a change. */
async function tampered(page, change) {
  await page.route("**/evidence", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: change(Buffer.from(await response.body())) });
  });
}

test("a block with a changed receipt shows exactly what differs", async () => {
  const { height } = await service.get(`/v1/kennels/${kennel}`);
  const block = await service.get(`/v1/kennels/${kennel}/blocks/${height}`);
  const event = await service.get(`/v1/events/${block.events[0]}`);
  const receipt = Buffer.from(event.place.receipt, "base64");
  const page = anna.page;
  await tampered(page, (body) => {
    const at = body.lastIndexOf(receipt);
    assert.ok(at > 0, "the receipt is in the evidence");
    // The account's record: 19 granted treats are left of 20, none are free, and its pet's hash of 32 bytes follows.
    // 19 becomes 20.
    const number = receipt.lastIndexOf(Buffer.from([19, 0, 0x58, 32]));
    assert.ok(number > 0, receipt.toString("hex"));
    const changed = Buffer.from(body);
    changed[at + number] = 20;
    return changed;
  });
  await open(page, `/ledger/${kennel}/${height}`);
  const found = await verdict(page);
  await shot(page, "tampered");
  await page.unroute("**/evidence");
  assert.equal(found.verdict, "bad");
  assert.match(found.words, /receipt 0: shown [^]*20[^]*computed [^]*19/);
});

test("a changed header, checkpoint, state or other block is named", async () => {
  const { height } = await service.get(`/v1/kennels/${kennel}`);
  const page = anna.page;
  const tries = [
    ["another block", (route) => route.fetch({ url: `${service.url}/v1/kennels/${kennel}/blocks/${height - 1}/evidence` }), /another block/],
    ["another kennel", async (route) => {
      const kennels = (await service.get("/v1/kennels")).kennels;
      const other = kennels.find(({ id }) => id !== kennel);
      return route.fetch({ url: `${service.url}/v1/kennels/${other.id}/blocks/0/evidence` });
    }, /another kennel/],
  ];
  for (const [name, answer, reason] of tries) {
    await page.route("**/evidence", async (route) => route.fulfill({ response: await answer(route) }));
    await open(page, `/ledger/${kennel}/${height}`);
    const found = await verdict(page);
    await page.unroute("**/evidence");
    assert.equal(found.verdict, "bad", name);
    assert.match(found.words, reason, name);
  }
  const changes = [
    ["checkpoint", (body) => {
      const at = body.lastIndexOf(kennel.slice(0, 16)) + 70;
      body[at] = body[at] === 0x41 ? 0x42 : 0x41;
      return body;
    }, /checkpoint|log/],
    ["cut", (body) => body.subarray(0, body.length - 1), /./],
  ];
  for (const [name, change, reason] of changes) {
    await tampered(page, change);
    await open(page, `/ledger/${kennel}/${height}`);
    const found = await verdict(page);
    await page.unroute("**/evidence");
    assert.notEqual(found.verdict, "good", name);
    assert.match(found.words, reason, name);
  }
});

test("a server that forgets what it showed is noticed", async () => {
  const page = anna.page;
  const { height } = await service.get(`/v1/kennels/${kennel}`);
  await open(page, `/ledger/${kennel}/${height}`);
  const old = await (await fetch(`${service.url}/v1/kennels/${kennel}/blocks/${height}/evidence`)).arrayBuffer();
  assert.equal((await post(page, birth, "One more block.")).state, "mined");
  await until(() => service.get(`/v1/kennels/${kennel}`), (found) => found.published_height > height);
  await open(page, `/ledger/${kennel}/${height + 1}`);
  assert.equal((await verdict(page)).verdict, "good");
  await page.route("**/evidence", (route) => route.fulfill({ body: Buffer.from(old) }));
  await open(page, `/ledger/${kennel}/${height}`);
  const found = await verdict(page);
  await page.unroute("**/evidence");
  assert.equal(found.verdict, "bad");
  assert.match(found.words, /shorter ledger/);
});

test("a module that isn't the released one doesn't run", async () => {
  const other = await device(browser, service);
  const { page } = other;
  const empty = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const { height } = await service.get(`/v1/kennels/${kennel}`);
  for (const pattern of ["**/v1/rules/*.wasm", "**/keys.wasm"]) {
    await page.route(pattern, (route) => route.fulfill({ contentType: "application/wasm", body: empty }));
    await open(page, `/ledger/${kennel}/${height}`);
    const found = await verdict(page);
    assert.equal(found.verdict, "none");
    assert.match(found.words, /not run/);
    await page.unroute(pattern);
  }
  await page.route("**/keys.wasm", (route) => route.fulfill({ contentType: "application/wasm", body: empty }));
  await open(page, "/signin");
  await page.fill("#signin-user", "anna");
  await page.fill("#signin-password", "whatever it may be");
  await page.click("#by-password button[type=submit]");
  await page.waitForFunction(() => /not run/.test(document.querySelector("#password-problem").textContent));
  await other.context.close();
});
