/** The site of a stage, synthesised over an empty but well-formed bundle. */
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { ARTEFACTS, FUNCTIONS } from '../lib/bundle.js';
import { site } from '../lib/site.js';

/** A bundle whose files are well formed and empty. */
export function emptyBundle(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pitpet-bundle-'));
  for (const name of FUNCTIONS) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'bootstrap'), name);
    chmodSync(join(folder, name, 'bootstrap'), 0o755);
  }
  mkdirSync(join(folder, 'miner', ARTEFACTS));
  writeFileSync(join(folder, 'miner', ARTEFACTS, 'module.aot'), '');
  return folder;
}

/** The context that `cdk.json` gives the app. */
function fileContext(): Record<string, unknown> {
  const file = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'cdk.json'), 'utf8')) as {
    context: Record<string, unknown>;
  };
  return file.context;
}

/** The app with this context. */
export function app(context: Record<string, unknown> = {}): App {
  return new App({ context: { ...fileContext(), 'aws:cdk:disable-asset-staging': true, ...context } });
}

/** Templates of a stage's four stacks. */
export interface Templates {
  readonly data: Template;
  readonly pipeline: Template;
  readonly edge: Template;
  readonly observability: Template;
}

/** Synthesises a stage. */
export function templates(context: Record<string, unknown> = {}, bundle = emptyBundle()): Templates {
  const made = site(app(context), bundle);
  return {
    data: Template.fromStack(made.data),
    pipeline: Template.fromStack(made.pipeline),
    edge: Template.fromStack(made.edge),
    observability: Template.fromStack(made.observability),
  };
}

/** Resources of a type, by logical id. */
export function resources(template: Template, type: string): [string, Properties][] {
  return Object.entries(template.findResources(type)).map(([id, found]) => [
    id,
    (found as { Properties: Properties }).Properties,
  ]);
}

/** The one resource of a type whose logical id begins so. */
export function one(template: Template, type: string, prefix = ''): Properties {
  const found = resources(template, type).filter(([id]) => id.startsWith(prefix));
  if (found.length !== 1) throw new Error(`${found.length} resources of ${type} begin with ${prefix}, not 1`);
  return found[0]![1];
}

// Templates are JSON of any shape; the assertions say what it has to be.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Properties = Record<string, any>;
