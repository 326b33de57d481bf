/** What each role may do, as exact sets: one action more or one less is red. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Properties, one, resources, templates } from './stacks.js';

const { pipeline, data } = templates();

/** Names what an ARN of the template is of. */
function resource(arn: unknown): string {
  const text = JSON.stringify(arn);
  const tail = /"(\/[a-z]+\/\*|:\*)"/.exec(text)?.[1] ?? '';
  const known: [RegExp, string][] = [
    [/ExportsOutputFnGetAttTable\w+Arn/, 'table'],
    [/ExportsOutputFnGetAttObjects\w+Arn/, 'objects'],
    [/:secret:pitpet\/dev\/checkpoint-\?{6}"/, 'checkpoint key'],
    [/:secret:pitpet\/dev\/house-\?{6}"/, 'house key'],
    [/:secret:pitpet\/dev\/signin-\?{6}"/, 'sign-in secret'],
    [/:secret:pitpet\/dev\/edge-\?{6}"/, 'edge secret'],
    [/"DeadLetters\w+","Arn"/, 'dead letters'],
    [/"Queue\w+","Arn"/, 'queue'],
    [/"(Ingest|Miner|Reaper|Query)Log\w+","Arn"/, 'own log'],
    [/"Reaper\w+","Arn"/, 'reaper'],
  ];
  const name = known.find(([pattern]) => pattern.test(text))?.[1];
  if (name === undefined) throw new Error(`an unknown resource: ${text}`);
  return name + tail;
}

/** Every permission as `action on resource`, with its condition. */
function permissions(role: Properties): string[] {
  const found: string[] = [];
  for (const policy of role['Policies'] as Properties[]) {
    for (const statement of policy['PolicyDocument'].Statement as Properties[]) {
      expect(statement['Effect']).toBe('Allow');
      for (const key of Object.keys(statement)) {
        expect(['Action', 'Condition', 'Effect', 'Resource']).toContain(key);
      }
      const condition = statement['Condition'] as Properties | undefined;
      const keys = condition?.['ForAllValues:StringLike']?.['dynamodb:LeadingKeys'] as string[] | undefined;
      const prefix = condition?.['StringLike']?.['s3:prefix'] as string | undefined;
      if (condition !== undefined) expect([keys, prefix].filter((of) => of !== undefined)).toHaveLength(1);
      const where = keys !== undefined ? ` [${keys.join(' ')}]` : prefix !== undefined ? ` [${prefix}]` : '';
      for (const action of [statement['Action']].flat() as string[]) {
        for (const arn of [statement['Resource']].flat() as unknown[]) {
          // A list of one resource is no list in a template; of several it is.
          found.push(`${action} on ${resource(arn)}${where}`);
        }
      }
    }
  }
  return found.sort();
}

const LOG = ['logs:CreateLogStream on own log', 'logs:PutLogEvents on own log'];
const PUBLISHED = 'A#* D#* E#?? F#* K#* M#* N#* P#* V#* W#~* Y#*';
const UPDATED = 'A#* C#* E#* K#* O#* P#* W#~* X#*';
const READ = 'A#* C#* E#* F#* K#* KENNELS N#* NAME#* O#* P#* Q#* R#* S#* V#* W#* X#* Y#*';

describe('each role may do exactly', () => {
  test.each([
    [
      'Ingest',
      [
        'dynamodb:DeleteItem on table [Q#*]',
        'dynamodb:GetItem on table [C#* E#* K#* M#* NAME#* R#* RATE#* VAULT#* W#~*]',
        'dynamodb:PutItem on table [NAME#* Q#* R#* S#* W#*]',
        'dynamodb:Query on table [A#* R#* S#*]',
        'dynamodb:Query on table [E#?? K#* KENNELS]',
        'dynamodb:UpdateItem on table [A#* C#* E#* R#* RATE#* U#* VAULT#* W#~*]',
        's3:GetObject on objects/rules/*',
        's3:ListBucket on objects',
        's3:PutObject on objects/media/*',
        'secretsmanager:GetSecretValue on edge secret',
        'secretsmanager:GetSecretValue on sign-in secret',
        'sqs:SendMessage on queue',
      ],
    ],
    [
      'Miner',
      [
        'dynamodb:BatchGetItem on table [C#* E#*]',
        `dynamodb:BatchWriteItem on table [${PUBLISHED}]`,
        'dynamodb:DeleteItem on table [K#*]',
        'dynamodb:GetItem on table [C#* E#* K#* KENNELS W#~*]',
        'dynamodb:PutItem on table [K#* KENNELS]',
        'dynamodb:Query on table [E#?? K#*]',
        `dynamodb:UpdateItem on table [${UPDATED}]`,
        's3:DeleteObject on objects/snapshot/*',
        's3:GetObject on objects/snapshot/*',
        's3:ListBucket on objects [snapshot/*]',
        's3:PutObject on objects/archive/*',
        's3:PutObject on objects/snapshot/*',
        'secretsmanager:GetSecretValue on checkpoint key',
        'sqs:ChangeMessageVisibility on queue',
        'sqs:DeleteMessage on queue',
        'sqs:GetQueueAttributes on queue',
        'sqs:ReceiveMessage on queue',
        'sqs:SendMessage on dead letters',
      ],
    ],
    [
      'Reaper',
      [
        'dynamodb:BatchGetItem on table [C#* E#*]',
        `dynamodb:BatchWriteItem on table [${PUBLISHED}]`,
        'dynamodb:DeleteItem on table [D#* K#* U#*]',
        'dynamodb:GetItem on table [C#* E#* K#* M#* P#* U#* W#~*]',
        'dynamodb:PutItem on table [K#*]',
        'dynamodb:Query on table [D#* K#* KENNELS S#* U#*]',
        `dynamodb:UpdateItem on table [${UPDATED}]`,
        's3:DeleteObject on objects/media/*',
        'secretsmanager:GetSecretValue on house key',
        'sqs:SendMessage on queue',
      ],
    ],
    [
      'Query',
      [
        `dynamodb:BatchGetItem on table [${READ}]`,
        `dynamodb:GetItem on table [${READ}]`,
        `dynamodb:Query on table [${READ}]`,
        's3:GetObject on objects/archive/*',
        's3:GetObject on objects/media/*',
        's3:GetObject on objects/rules/*',
        's3:GetObject on objects/snapshot/*',
        's3:ListBucket on objects',
      ],
    ],
  ])('%s', (name, expected) => {
    const role = one(pipeline, 'AWS::IAM::Role', `${name}Role`);
    expect(permissions(role)).toEqual([...expected, ...LOG].sort());
    expect(role['AssumeRolePolicyDocument'].Statement).toEqual([
      { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } },
    ]);
  });

  test('Scheduler', () => {
    const role = one(pipeline, 'AWS::IAM::Role', 'SchedulerRole');
    expect(permissions(role)).toEqual(['lambda:InvokeFunction on reaper']);
    expect(role['AssumeRolePolicyDocument'].Statement).toEqual([
      {
        Action: 'sts:AssumeRole',
        Effect: 'Allow',
        Principal: { Service: 'scheduler.amazonaws.com' },
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      },
    ]);
  });
});

describe('each item of the table can be written by whoever writes it', () => {
  const source = readFileSync(join(import.meta.dirname, '../../crates/pipeline/src/items.rs'), 'utf8');
  const items = [...source.matchAll(/^\/\/! \| ([^|]+) \| `([A-Z]+#?~?)[a-z0-9#]*` \| [^|]+ \| ([^|]+) \|$/gm)];
  /** Partitions of the buckets that a window's places and words lie in, as `runs.rs` has them. */
  const buckets: Readonly<Record<string, string>> = { place: 'E#??', word: 'W#~*' };
  /** Partitions that a role may put or update items in. */
  const written = (name: string): Set<string> => {
    const writes = permissions(one(pipeline, 'AWS::IAM::Role', `${name}Role`)).filter((permission) =>
      /^dynamodb:(BatchWrite|Put|Update)Item /.test(permission),
    );
    return new Set(writes.flatMap((permission) => /\[(.*)\]/.exec(permission)?.[1]?.split(' ') ?? []));
  };
  const roles = { ingest: ['Ingest'], miner: ['Miner'], publisher: ['Miner', 'Reaper'], 'reaper,': ['Reaper'] };

  test('the list of items is read', () => expect(items.length).toBeGreaterThan(20));

  test.each(items.map(([, item, partition, writers]) => [item!, partition!, writers!] as const))(
    '%s',
    (item, partition, writers) => {
      const own = /[#~]$/.test(partition) ? `${partition}*` : partition;
      for (const [writer, names] of Object.entries(roles)) {
        if (!writers.includes(writer)) continue;
        const wanted = writer === 'publisher' ? (buckets[item] ?? own) : own;
        for (const name of names) expect(written(name), `${name} writes it`).toContain(wanted);
      }
    },
  );
});

test('no role has a policy from elsewhere', () => {
  const roles = resources(pipeline, 'AWS::IAM::Role');
  expect(roles.map(([id]) => id.replace(/[0-9A-F]{8}$/, '')).sort()).toEqual([
    'IngestRole',
    'MinerRole',
    'QueryRole',
    'ReaperRole',
    'SchedulerRole',
  ]);
  for (const [, role] of roles) expect(role['ManagedPolicyArns']).toBeUndefined();
  for (const template of [pipeline, data]) {
    template.resourceCountIs('AWS::IAM::Policy', 0);
    template.resourceCountIs('AWS::IAM::ManagedPolicy', 0);
  }
});

test('tracing adds the two actions of X-Ray and nothing else', () => {
  const { pipeline: traced } = templates({ tracing: 'true' });
  for (const [, role] of resources(traced, 'AWS::IAM::Role')) {
    const actions = (role['Policies'] as Properties[])
      .flatMap((policy) => policy['PolicyDocument'].Statement as Properties[])
      .filter((statement) => statement['Resource'] === '*')
      .flatMap((statement) => statement['Action'] as string[]);
    expect([[], ['xray:PutTelemetryRecords', 'xray:PutTraceSegments']]).toContainEqual(actions);
  }
});

test('nobody but three functions may read a key or secret, each its own', () => {
  const readers = resources(pipeline, 'AWS::IAM::Role').flatMap(([id, role]) =>
    permissions(role)
      .filter((permission) => permission.startsWith('secretsmanager:'))
      .map((permission) => `${id.replace(/Role[0-9A-F]{8}$/, '')}: ${permission}`),
  );
  expect(readers.sort()).toEqual([
    'Ingest: secretsmanager:GetSecretValue on edge secret',
    'Ingest: secretsmanager:GetSecretValue on sign-in secret',
    'Miner: secretsmanager:GetSecretValue on checkpoint key',
    'Reaper: secretsmanager:GetSecretValue on house key',
  ]);
});
