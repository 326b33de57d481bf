/** What the cost model assumes of the deployment, held to the deployment. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MEMORY_MB } from '../lib/pipeline.js';
import { FUNCTIONS } from '../lib/bundle.js';

test('the cost model knows the memory of the functions', () => {
  const source = readFileSync(join(import.meta.dirname, '../../xtask/src/cost/bill.rs'), 'utf8');
  const assumed = [...source.matchAll(/\("(\w+)", ([\d_]+)\.0\)/g)].map(([, name, memory]) => [
    name,
    Number(memory?.replace('_', '')),
  ]);
  expect(Object.fromEntries(assumed)).toEqual(Object.fromEntries(FUNCTIONS.map((name) => [name, MEMORY_MB[name]])));
});
