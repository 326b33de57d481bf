/**
 * What each function may do: the exact actions on the exact resources and, in the table, the
 * partitions by the beginning of their keys. `crates/pipeline/src/items.rs` lists who writes what,
 * and `runs.rs` in which buckets of a window places and words lie.
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

/** Buckets of places: two digits, and so no event's own partition, which has 64. */
const PLACES = 'E#??';
/** Buckets of words. An account's name stands beside them, in a partition without `~`. */
const WORDS = 'W#~*';

/** Partitions that items are put into with a block (dead, photos) and when its window closes: `publication.rs`. */
const PUBLISHED = ['A#*', 'D#*', PLACES, 'F#*', 'K#*', 'M#*', 'N#*', 'P#*', 'V#*', WORDS, 'Y#*'];
/**
 * Partitions whose items are updated: heads and the offices' keys, cards, and in `C#` and `E#` texts,
 * which are stored only where none is; words of a text that came or went while its window was published.
 */
const UPDATED = ['A#*', 'C#*', 'E#*', 'K#*', 'O#*', 'P#*', WORDS, 'X#*'];

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
        // Of a text that is to be erased: itself (`C#`, `E#`), and the buckets of its words.
        items('GetItem', 'C#*', 'E#*', 'K#*', 'M#*', 'NAME#*', 'R#*', 'RATE#*', 'VAULT#*', WORDS),
        // Of `W#` an account's name alone.
        items('PutItem', 'NAME#*', 'Q#*', 'R#*', 'S#*', 'W#*'),
        items('UpdateItem', 'A#*', 'C#*', 'E#*', 'R#*', 'RATE#*', 'U#*', 'VAULT#*', WORDS),
        // An older place in the moderators' queue.
        items('DeleteItem', 'Q#*'),
        items('Query', 'A#*', 'R#*', 'S#*'),
        // What a request is held against: the blocks of all kennels above what is published, and places and tracks
        // below.
        items('Query', PLACES, 'K#*', 'KENNELS'),
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
        // The list of kennels: it founds and lists those that the reaper prepared. Texts, their spares, and the
        // buckets of their words: what came or went while a window was published is set right.
        items('GetItem', 'C#*', 'E#*', 'K#*', 'KENNELS', WORDS),
        // The texts of a window whose words are listed.
        items('BatchGetItem', 'C#*', 'E#*'),
        // The blocks above what is published; of an event that came again, whether it was published.
        items('Query', PLACES, 'K#*'),
        items('PutItem', 'K#*', 'KENNELS'),
        // Its own staged block that lost.
        items('DeleteItem', 'K#*'),
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
        // Texts and words as the miner, whose work it finishes.
        items('GetItem', 'C#*', 'E#*', 'K#*', 'M#*', 'P#*', 'U#*', WORDS),
        items('BatchGetItem', 'C#*', 'E#*'),
        items('Query', 'D#*', 'K#*', 'KENNELS', 'S#*', 'U#*'),
        // The reservation and the genesis of the next kennel.
        items('PutItem', 'K#*'),
        items('UpdateItem', ...UPDATED),
        items('BatchWriteItem', ...PUBLISHED),
        // Stories that have ended, staged blocks that lost, uploads that were looked at.
        items('DeleteItem', 'D#*', 'K#*', 'U#*'),
        objects('media', 's3:DeleteObject'),
        allow(to.queue.queueArn, 'sqs:SendMessage'),
        allow(to.houseKey, 'secretsmanager:GetSecretValue'),
      ];
    case 'query': {
      // One list, because the read side asks for one entry by a query as well.
      const read = ['A#*', 'C#*', 'E#*', 'F#*', 'K#*', 'KENNELS', 'N#*', 'NAME#*', 'O#*', 'P#*', 'Q#*', 'R#*', 'S#*', 'V#*', 'W#*', 'X#*', 'Y#*'];
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
