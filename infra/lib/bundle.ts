/** What `cargo xtask bundle` made, checked before CDK packs it. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Code } from 'aws-cdk-lib/aws-lambda';

/** The four functions. */
export const FUNCTIONS = ['ingest', 'miner', 'reaper', 'query'] as const;
/** One of the four functions. */
export type FunctionName = (typeof FUNCTIONS)[number];

/** Where the miner's artefacts lie within its package. */
export const ARTEFACTS = 'artefacts';

/**
 * A function's package. CDK would pack a folder without `bootstrap`, and its asset hash ignores the
 * run bit, so both are looked at here.
 */
export function packaged(bundle: string, name: FunctionName): Code {
  const folder = join(bundle, name);
  const bootstrap = join(folder, 'bootstrap');
  const remedy = '`cargo xtask bundle` makes it; -c bundle=FOLDER says where it is';
  if (!existsSync(bootstrap)) {
    throw new Error(`there is no ${bootstrap}: ${remedy}`);
  }
  if ((statSync(bootstrap).mode & 0o111) !== 0o111) {
    throw new Error(`${bootstrap} can't be run by everyone (chmod 755): Lambda would answer "permission denied"`);
  }
  if (name === 'miner') {
    const artefacts = join(folder, ARTEFACTS);
    if (!existsSync(artefacts) || !readdirSync(artefacts).some((file) => file.endsWith('.aot'))) {
      throw new Error(`there is no artefact of the chain module in ${artefacts}: ${remedy}`);
    }
  }
  return Code.fromAsset(folder);
}
