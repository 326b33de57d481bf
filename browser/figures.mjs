// How long "check it yourself" takes, from click to verdict: `node figures.mjs http://127.0.0.1:8080 [KENNEL [HEIGHT…]]`,
// against a service that runs. Seven fresh browsers a height; in each a first click, which loads the modules, and a
// second one. Parts are medians of the first clicks; `block` is the execution of the block itself.

import { launch, ready } from "./lib/browser.mjs";

const RUNS = 7;
/** The worst is the last height before an archived state helps, 256; the one after it is near that state. */
const HEIGHTS = [1, 128, 256, 257];

const [url, name = "classic", ...chosen] = process.argv.slice(2);
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

const heights = chosen.length > 0 ? chosen.map(Number) : [...HEIGHTS.filter((height) => height < top), top];
for (const height of heights) {
  const { events } = await (await fetch(`${url}/v1/kennels/${id}/blocks/${height}`)).json();
  const [first, again, parts] = [[], [], new Map()];
  for (let run = 0; run < RUNS; run += 1) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${url}/ledger/${id}/${height}`);
    await ready(page);
    first.push(await click(page));
    const items = page.locator(".verdict li[data-part]");
    for (const { part, ms } of await items.evaluateAll((all) => all.map((item) => ({ ...item.dataset })))) {
      parts.set(part, [...(parts.get(part) ?? []), Number(ms)]);
    }
    again.push(await click(page));
    await context.close();
  }
  const by = Array.from(parts, ([part, times]) => `${part} ${median(times)}`).join(", ");
  console.log(
    `height ${height}, ${events.length} events: first click ${median(first)} ms (at most ${Math.max(...first)}), again ${median(again)} ms; ` +
      `of the first, ms: ${by}`,
  );
}
await browser.close();
