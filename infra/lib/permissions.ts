/**
 * What each function may do: the exact actions on the exact resources and, in the table, the
 * partitions by the beginning of their keys. `crates/pipeline/src/items.rs` lists who writes what.
 *
 * Deliberately absent: CDK's `grant…`, which give more than is used; wildcards in actions; a scan.
 */
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { FunctionName } from './bundle.js';

/** What the functions work on. */
export interface Resources {
  readonly table: ITable;
  readonly objects: IBucket;
  readonly queue: IQueue;
  readonly deadLetters: IQueue;
  /** ARNs of the secrets. */
  readonly checkpointKey: string;
  readonly houseKey: string;
  readonly signInSecret: string;
  readonly edgeSecret: string;
}

/** Partitions that publishing a block puts items into: `publication.rs`. */
const PUBLISHED = ['A#*', 'D#*', 'E#*', 'F#*', 'K#*', 'M#*', 'N#*', 'O#*', 'P#*', 'V#*', 'W#*', 'Y#*'];
/** Partitions whose items it updates. */
const UPDATED = ['A#*', 'E#*', 'K#*', 'O#*', 'P#*', 'X#*'];

/** The statements of a function's role, besides its own log. */
export function statements(name: FunctionName, to: Resources): PolicyStatement[] {
  const items = (action: string, ...leadingKeys: string[]): PolicyStatement =>
    new PolicyStatement({
      effect: Effect.ALLOW,
      actions: [`dynamodb:${action}`],
      resources: [to.table.tableArn],
      // All keys of a request have to match, also those of a batch.
      conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': leadingKeys } },
    });
  const allow = (resource: string, ...actions: string[]): PolicyStatement =>
    new PolicyStatement({ effect: Effect.ALLOW, actions, resources: [resource] });
  const objects = (prefix: string, ...actions: string[]): PolicyStatement =>
    allow(to.objects.arnForObjects(`${prefix}/*`), ...actions);

  switch (name) {
    case 'ingest':
      return [
        items('GetItem', 'E#*', 'K#*', 'M#*', 'NAME#*', 'R#*', 'RATE#*', 'VAULT#*'),
        items('PutItem', 'NAME#*', 'Q#*', 'R#*', 'S#*', 'W#*'),
        items('UpdateItem', 'A#*', 'E#*', 'R#*', 'RATE#*', 'U#*', 'VAULT#*'),
        // The words of an erased text, and an older place in the moderators' queue.
        items('DeleteItem', 'Q#*', 'W#*'),
        items('Query', 'A#*', 'R#*', 'S#*'),
        // For the upload tickets that it signs.
        objects('media', 's3:PutObject'),
        // Whether the module of a change of rules is there; without the list S3 says "forbidden" if not.
        objects('rules', 's3:GetObject'),
        allow(to.objects.bucketArn, 's3:ListBucket'),
        allow(to.queue.queueArn, 'sqs:SendMessage'),
        allow(to.signInSecret, 'secretsmanager:GetSecretValue'),
        allow(to.edgeSecret, 'secretsmanager:GetSecretValue'),
      ];
    case 'miner':
      return [
        // The list of kennels: it founds and lists those that the reaper prepared.
        items('GetItem', 'E#*', 'K#*', 'KENNELS'),
        // Bodies that are not at hand when a block is published.
        items('BatchGetItem', 'E#*'),
        items('PutItem', 'K#*', 'KENNELS'),
        // Its own staged block that lost; the words of a text that was erased while they were published.
        items('DeleteItem', 'K#*', 'W#*'),
        items('UpdateItem', ...UPDATED),
        items('BatchWriteItem', ...PUBLISHED),
        objects('snapshot', 's3:GetObject', 's3:PutObject', 's3:DeleteObject'),
        objects('archive', 's3:PutObject'),
        new PolicyStatement({
          effect: Effect.ALLOW,
          actions: ['s3:ListBucket'],
          resources: [to.objects.bucketArn],
          conditions: { StringLike: { 's3:prefix': 'snapshot/*' } },
        }),
        // The event source mapping polls with this role; the function says when what failed comes back.
        allow(
          to.queue.queueArn,
          'sqs:ReceiveMessage',
          'sqs:DeleteMessage',
          'sqs:GetQueueAttributes',
          'sqs:ChangeMessageVisibility',
        ),
        // A message on which the module traps alone is buried by the miner itself.
        allow(to.deadLetters.queueArn, 'sqs:SendMessage'),
        allow(to.checkpointKey, 'secretsmanager:GetSecretValue'),
      ];
    case 'reaper':
      return [
        items('GetItem', 'E#*', 'K#*', 'M#*', 'P#*', 'U#*'),
        items('BatchGetItem', 'E#*'),
        items('Query', 'D#*', 'K#*', 'KENNELS', 'S#*', 'U#*'),
        // The reservation and the genesis of the next kennel.
        items('PutItem', 'K#*'),
        items('UpdateItem', ...UPDATED),
        items('BatchWriteItem', ...PUBLISHED),
        items('DeleteItem', 'D#*', 'K#*', 'U#*', 'W#*'),
        objects('media', 's3:DeleteObject'),
        allow(to.queue.queueArn, 'sqs:SendMessage'),
        allow(to.houseKey, 'secretsmanager:GetSecretValue'),
      ];
    case 'query': {
      const read = ['A#*', 'E#*', 'F#*', 'K#*', 'KENNELS', 'N#*', 'NAME#*', 'O#*', 'P#*', 'Q#*', 'R#*', 'S#*', 'V#*', 'W#*', 'X#*', 'Y#*'];
      return [
        items('GetItem', ...read),
        items('BatchGetItem', ...read),
        items('Query', ...read),
        objects('media', 's3:GetObject'),
        objects('rules', 's3:GetObject'),
        objects('snapshot', 's3:GetObject'),
        objects('archive', 's3:GetObject'),
        // Without it S3 says "forbidden" instead of "no such key".
        allow(to.objects.bucketArn, 's3:ListBucket'),
      ];
    }
  }
}
