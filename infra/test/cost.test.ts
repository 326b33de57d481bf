/** What the cost model assumes of the deployment, held to the deployment. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MEMORY_MB } from '../lib/pipeline.js';
import { FUNCTIONS } from '../lib/bundle.js';
import { one, templates } from './stacks.js';

test('the cost model knows the memory of the functions', () => {
  const source = readFileSync(join(import.meta.dirname, '../../xtask/src/cost/bill.rs'), 'utf8');
  const assumed = [...source.matchAll(/\("(\w+)", ([\d_]+)\.0\)/g)].map(([, name, memory]) => [
    name,
    Number(memory?.replace('_', '')),
  ]);
  expect(Object.fromEntries(assumed)).toEqual(Object.fromEntries(FUNCTIONS.map((name) => [name, MEMORY_MB[name]])));
});

test('the cost model writes as many words as a deployment does', () => {
  const source = readFileSync(join(import.meta.dirname, '../../xtask/src/cost/mod.rs'), 'utf8');
  const assumed = /default_value_t = (\d+)[^\n]*\n\s*words: u8/.exec(source)?.[1];
  for (const stage of ['dev', 'prod']) {
    const { pipeline } = templates({ stage });
    for (const name of ['Miner', 'Reaper']) {
      const told = one(pipeline, 'AWS::Lambda::Function', name)['Environment'].Variables;
      expect(told['PITPET_SEARCH_WORDS']).toBe(assumed);
    }
  }
});
