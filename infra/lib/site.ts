/** The four stacks of a stage, in the order of their dependence. */
import { join } from 'node:path';
import { type App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { DataStack } from './data.js';
import { EdgeStack } from './edge.js';
import { acknowledge } from './findings.js';
import { ObservabilityStack } from './observability.js';
import { PipelineStack } from './pipeline.js';
import { type Settings, settings } from './settings.js';

/** All of PitPet in one account and region. */
export interface Site {
  readonly settings: Settings;
  readonly data: DataStack;
  readonly pipeline: PipelineStack;
  readonly edge: EdgeStack;
  readonly observability: ObservabilityStack;
}

/** Makes the stacks; `bundle` is the folder that `cargo xtask bundle` filled. */
export function site(app: App, bundle?: string): Site {
  const of = settings(app);
  const folder: unknown =
    bundle ??
    app.node.tryGetContext('bundle') ??
    join(import.meta.dirname, '..', '..', 'target', 'bundle', of.arch);
  const env = { account: process.env['CDK_DEFAULT_ACCOUNT'], region: process.env['CDK_DEFAULT_REGION'] };
  const named = (part: string): string => `pitpet-${of.stage}-${part}`;

  const data = new DataStack(app, named('data'), of, { env, description: 'PitPet: table, objects, keys' });
  const pipeline = new PipelineStack(app, named('pipeline'), of, String(folder), data, {
    env,
    description: 'PitPet: queue and functions',
  });
  const edge = new EdgeStack(app, named('edge'), of, data, pipeline, {
    env,
    description: 'PitPet: HTTP API and CloudFront',
  });
  const observability = new ObservabilityStack(app, named('observability'), of, data, pipeline, edge, {
    env,
    description: 'PitPet: alarms and dashboard',
  });

  Tags.of(app).add('application', 'pitpet');
  Tags.of(app).add('stage', of.stage);
  for (const [part, stack] of Object.entries({ data, pipeline, edge, observability })) {
    Tags.of(stack).add('part', part);
  }
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  acknowledge({ settings: of, data, pipeline, edge, observability });
  return { settings: of, data, pipeline, edge, observability };
}
