// Chromium, and what a player does in it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const ARTEFACTS = join(dirname(fileURLToPath(import.meta.url)), "../../target/browser");

export const PASSWORD = "walnut sleeps under seven chairs";

/** How long what must come is waited for: far more than a busy machine needs, ms. */
export const PATIENCE_MS = 240_000;

export const launch = () =>
  chromium.launch({
    timeout: PATIENCE_MS,
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

/** A device of its own. Whatever a script throws or a policy stops fails the test that asks `assertQuiet`. */
export async function device(browser, service, options = {}) {
  const context = await browser.newContext({ baseURL: service.url, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const faults = [];
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && /Content Security Policy|Trusted|TypeError|SyntaxError/.test(message.text())) {
      faults.push(message.text());
    }
  });
  return { context, page, faults };
}

export function assertQuiet({ faults }) {
  assert.deepEqual(faults, []);
}

export const ready = (page) => page.locator("html[data-ready=true]").waitFor({ state: "attached" });

export async function open(page, path) {
  await page.goto(path);
  await ready(page);
}

/** A photo as a camera makes it: a JPEG with Exif that says where it was taken. */
export async function photo(page, colour = "#c84") {
  const bytes = await page.evaluate(async (colour) => {
    const canvas = new OffscreenCanvas(640, 480);
    const context = canvas.getContext("2d");
    context.fillStyle = colour;
    context.fillRect(0, 0, 640, 480);
    context.fillStyle = "#321";
    context.beginPath();
    context.arc(320, 240, 160, 0, 7);
    context.fill();
    const blob = await canvas.convertToBlob({ type: "image/jpeg" });
    return [...new Uint8Array(await blob.arrayBuffer())];
  }, colour);
  const exif = Buffer.concat([Buffer.from("Exif\0\0"), Buffer.from("GPSLatitude 48.2082 N"), Buffer.alloc(40)]);
  const marker = Buffer.from([0xff, 0xe1, 0, exif.length + 2]);
  return { name: "cat.jpg", mimeType: "image/jpeg", buffer: Buffer.concat([Buffer.from(bytes.slice(0, 2)), marker, exif, Buffer.from(bytes.slice(2))]) };
}

/** Joins with a pet; gives its birth hash. */
export async function joinWith(page, { user, pet, story = "", kennel = "classic", file, password = PASSWORD }) {
  await open(page, `/join?in=${kennel}`);
  // It is shown once it listens to what is chosen.
  await page.locator("#join").waitFor();
  await page.setInputFiles("#photo", file ?? (await photo(page)));
  await page.locator("#preview").waitFor();
  await page.fill("#pet-name", pet);
  await page.fill("#story", story);
  if (user) {
    await page.fill("#user", user);
    await page.fill("#password", password);
    await page.fill("#password-again", password);
  }
  await page.click("#join button[type=submit]");
  const born = page.locator("#born");
  await Promise.race([
    born.waitFor(),
    page.locator("#join-problem:not(:empty)").waitFor().then(async () => {
      // Emptied when the form is sent: what is there now is of this attempt.
      throw new Error(await page.textContent("#join-problem"));
    }),
  ]);
  return (await page.getAttribute("#to-pet", "href")).split("/").pop();
}

export async function signIn(page, name, password = PASSWORD) {
  await open(page, "/signin");
  await page.fill("#signin-user", name);
  await page.fill("#signin-password", password);
  await page.click("#by-password button[type=submit]");
}

/** The actions of the newest post of a pet's page. */
export const newestPost = (page) => page.locator("[data-actions][data-post]").first();

/** The actions of the pet itself. */
export const petActions = (page) => page.locator("[data-actions]:not([data-post])").first();

/** Waits for an action's status to come to an end; gives its words. */
export async function settled(place) {
  const status = place.locator("output.status");
  await status.and(place.page().locator("[data-state=mined], [data-state=failed]")).waitFor();
  return { state: await status.getAttribute("data-state"), words: await status.textContent() };
}

/** Posts on the pet's own page. */
export async function post(page, birth, text, tags = "") {
  await open(page, `/pet/${birth}`);
  const place = petActions(page);
  await place.locator("[data-act=post]").click();
  await place.locator("form textarea").fill(text);
  await place.locator("form input[type=text]").fill(tags);
  await place.locator("form button[type=submit]").click();
  return settled(place);
}

/** Requires that axe finds nothing on the page as it is. */
export async function assertAccessible(page, what) {
  // Run in the page's own world, which the page's policy doesn't bind for the debugger.
  await page.evaluate(AXE);
  const found = await page.evaluate(() =>
    globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  const lines = found.violations.map(
    (violation) => `${violation.id}: ${violation.help}: ${violation.nodes.map((node) => node.html).join(" | ").slice(0, 300)}`,
  );
  assert.deepEqual(lines, [], what);
}

export const shot = (page, name) => page.screenshot({ path: join(ARTEFACTS, `${name}.png`), fullPage: true });

/** Waits until the answer is as it should be: what follows from a block is shown a moment after it. */
export async function until(answer, isRight) {
  const begin = Date.now();
  for (;;) {
    const found = await answer();
    if (isRight(found)) return found;
    if (Date.now() - begin > PATIENCE_MS) throw new Error(`it stays ${JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
