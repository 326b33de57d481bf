// How long "check it yourself" takes, from click to verdict: `node figures.mjs http://127.0.0.1:8080 [KENNEL]`, against
// a service that runs. Seven fresh browsers a height; in each a first click, which loads the modules, and a second one.

import { launch, ready } from "./lib/browser.mjs";

const RUNS = 7;
/** The worst is the last height before an archived state helps, 256; the one after it is near that state. */
const HEIGHTS = [1, 128, 256, 257];

const [url, name = "classic"] = process.argv.slice(2);
const { id, published_height: top } = await (await fetch(`${url}/v1/kennels/${name}`)).json();
const browser = await launch();

async function click(page) {
  await page.locator("[data-check]").first().click();
  const verdict = page.locator(".verdict[data-verdict]");
  await verdict.waitFor();
  if ((await verdict.getAttribute("data-verdict")) !== "good") throw new Error(await verdict.innerText());
  return Number(await verdict.getAttribute("data-ms"));
}

const median = (times) => times.slice().sort((a, b) => a - b)[Math.floor(times.length / 2)];

for (const height of [...HEIGHTS.filter((height) => height < top), top]) {
  const [first, again] = [[], []];
  let parts;
  for (let run = 0; run < RUNS; run += 1) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${url}/ledger/${id}/${height}`);
    await ready(page);
    first.push(await click(page));
    again.push(await click(page));
    parts = await page
      .locator(".verdict li[data-part]")
      .evaluateAll((items) => items.map((item) => `${item.dataset.part} ${item.dataset.ms}`));
    await context.close();
  }
  console.log(
    `height ${height}: first click ${median(first)} ms (at most ${Math.max(...first)}), again ${median(again)} ms; ` +
      `the last of them: ${parts.join(", ")}`,
  );
}
await browser.close();
