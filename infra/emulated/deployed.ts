/** A deployment seen from outside: its queues, its table, and what its roles must not do. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import {
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DeleteRolePolicyCommand,
  IAMClient,
  ListRolesCommand,
  PutRolePolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { ReceiveMessageCommand, SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { NodeHttpHandler } from '@smithy/node-http-handler';

/** The names of what was deployed. */
export interface Deployed {
  readonly table: string;
  readonly bucket: string;
  readonly queue: string;
  readonly deadLetters: string;
  readonly keys: string;
}

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** Looks at the deployment from outside of it. */
export function deployment(environment: NodeJS.ProcessEnv) {
  const ca = readFileSync(environment['SSL_CERT_FILE'] ?? '');
  const owner: Credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const settings = (credentials: Credentials) => ({
    endpoint: environment['AWS_ENDPOINT_URL'],
    region: environment['AWS_REGION'],
    credentials,
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca }) }),
  });

  const found = async (title: string): Promise<[IAMClient, { RoleName: string; Arn: string }]> => {
    const iam = new IAMClient(settings(owner));
    const roles = await iam.send(new ListRolesCommand({}));
    const role = roles.Roles?.find((of) => of.RoleName?.includes(`${title}Role`));
    assert.ok(role?.RoleName && role.Arn, `a role of ${title}`);
    return [iam, { RoleName: role.RoleName, Arn: role.Arn }];
  };

  return {
    /**
     * AWS asks for `sqs:SendMessage` also when a batch is sent, and for `sqs:ChangeMessageVisibility` when one comes
     * back; the emulator for actions that AWS doesn't have.
     */
    async allowBatches(action: 'SendMessage' | 'ChangeMessageVisibility', queues: Record<string, string>): Promise<void> {
      for (const [title, queue] of Object.entries(queues)) {
        const [iam, { RoleName }] = await found(title);
        const arn = `arn:aws:sqs:${environment['AWS_REGION']}:${queue.split('/').slice(-2).join(':')}`;
        await iam.send(
          new PutRolePolicyCommand({
            RoleName,
            PolicyName: `${action}Batch`,
            PolicyDocument: JSON.stringify({
              Version: '2012-10-17',
              Statement: [{ Effect: 'Allow', Action: `sqs:${action}Batch`, Resource: arn }],
            }),
          }),
        );
      }
    },

    /** Takes an action away from a role; gives what gives it back. */
    async without(title: string, action: string): Promise<() => Promise<void>> {
      const [iam, { RoleName }] = await found(title);
      const policy = { RoleName, PolicyName: 'without' };
      const PolicyDocument = JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Deny', Action: action, Resource: '*' }],
      });
      await iam.send(new PutRolePolicyCommand({ ...policy, PolicyDocument }));
      return async () => {
        await iam.send(new DeleteRolePolicyCommand(policy));
      };
    },

    /** Sends a message that nobody can read. */
    async poison(queue: string, text: string): Promise<void> {
      await new SQSClient(settings(owner)).send(
        new SendMessageCommand({
          QueueUrl: queue,
          MessageBody: `rubbish ${text}`,
          MessageGroupId: '0'.repeat(64),
          MessageDeduplicationId: text,
        }),
      );
    },

    /** The labels of the kennels in the table. */
    async kennels(table: string): Promise<string[]> {
      const answer = await new DynamoDBClient(settings(owner)).send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': { S: 'KENNELS' } },
        }),
      );
      return (answer.Items ?? []).map((item) => item['sk']?.S ?? '');
    },

    /** Deletes an item, as an accident would. */
    async forget(table: string, pk: string, sk: string): Promise<void> {
      const key = { pk: { S: pk }, sk: { S: sk } };
      await new DynamoDBClient(settings(owner)).send(new DeleteItemCommand({ TableName: table, Key: key }));
    },

    /** Tries everything; the first thing that is not denied is an error. */
    async all(deployed: Deployed): Promise<void> {
      const head = { pk: { S: `K#${'0'.repeat(64)}` }, sk: { S: 'HEAD' } };
      const key = (name: string) => new GetSecretValueCommand({ SecretId: `${deployed.keys}/${name}` });
      const object = { Bucket: deployed.bucket, Key: `snapshot/${'0'.repeat(64)}/x` };
      const photo = { Bucket: deployed.bucket, Key: `media/${'0'.repeat(64)}` };
      const message = (queue: string) =>
        new SendMessageCommand({
          QueueUrl: queue,
          MessageBody: 'x',
          MessageGroupId: 'x',
          MessageDeduplicationId: 'x',
        });
      const tried: Record<string, [string, (as: ReturnType<typeof clients>) => Promise<unknown>][]> = {
        Ingest: [
          // It may delete places in the moderators' queue, and the emulator knows no partitions.
          ['scan the table', (as) => as.table.send(new ScanCommand({ TableName: deployed.table }))],
          ['receive messages', (as) => as.queue.send(new ReceiveMessageCommand({ QueueUrl: deployed.queue }))],
          ['bury messages', (as) => as.queue.send(message(deployed.deadLetters))],
          ['read a key', (as) => as.keys.send(key('checkpoint'))],
          ['write a snapshot', (as) => as.objects.send(new PutObjectCommand({ ...object, Body: '' }))],
        ],
        Miner: [
          ['scan the table', (as) => as.table.send(new ScanCommand({ TableName: deployed.table }))],
          ['receive dead letters', (as) => as.queue.send(new ReceiveMessageCommand({ QueueUrl: deployed.deadLetters }))],
          ['send to its own queue', (as) => as.queue.send(message(deployed.queue))],
          ['read the house\'s key', (as) => as.keys.send(key('house'))],
          ['read the operator\'s key', (as) => as.keys.send(key('operator'))],
          ['delete a photo', (as) => as.objects.send(new DeleteObjectCommand(photo))],
        ],
        Reaper: [
          // It may put items of a kennel's partition, and the emulator knows no partitions.
          ['scan the table', (as) => as.table.send(new ScanCommand({ TableName: deployed.table }))],
          ['receive messages', (as) => as.queue.send(new ReceiveMessageCommand({ QueueUrl: deployed.queue }))],
          ['read the checkpoint key', (as) => as.keys.send(key('checkpoint'))],
          ['write a photo', (as) => as.objects.send(new PutObjectCommand({ ...photo, Body: '' }))],
        ],
        Query: [
          ['put an item', (as) => as.table.send(new PutItemCommand({ TableName: deployed.table, Item: head }))],
          ['delete an item', (as) => as.table.send(new DeleteItemCommand({ TableName: deployed.table, Key: head }))],
          ['send a message', (as) => as.queue.send(message(deployed.queue))],
          ['write a photo', (as) => as.objects.send(new PutObjectCommand({ ...photo, Body: '' }))],
          ['read a key', (as) => as.keys.send(key('checkpoint'))],
        ],
      };
      const clients = (credentials: Credentials) => ({
        table: new DynamoDBClient(settings(credentials)),
        queue: new SQSClient(settings(credentials)),
        objects: new S3Client({ ...settings(credentials), forcePathStyle: true }),
        keys: new SecretsManagerClient(settings(credentials)),
      });
      for (const [title, actions] of Object.entries(tried)) {
        const as = clients(await this.role(title));
        if (title === 'Query') {
          // The credentials are good: what the role may do, it can.
          await as.table.send(new GetItemCommand({ TableName: deployed.table, Key: head }));
        }
        for (const [what, action] of actions) {
          const error: unknown = await action(as).then(
            () => undefined,
            (thrown: unknown) => thrown,
          );
          assert.ok(error instanceof Error, `${title} may ${what}`);
          assert.match(`${error.name} ${error.message}`, /AccessDenied|not authorized/, `${title}: ${what}`);
        }
      }
    },

    /** Credentials of a function's role. Only Lambda may take it on, so the owner joins it first. */
    async role(title: string): Promise<Credentials> {
      const [iam, role] = await found(title);
      await iam.send(
        new UpdateAssumeRolePolicyCommand({
          RoleName: role.RoleName,
          PolicyDocument: JSON.stringify({
            Version: '2012-10-17',
            Statement: [
              { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' },
              { Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' },
            ],
          }),
        }),
      );
      const { Credentials: taken } = await new STSClient(settings(owner)).send(
        new AssumeRoleCommand({ RoleArn: role.Arn, RoleSessionName: 'trial' }),
      );
      assert.ok(taken?.AccessKeyId && taken.SecretAccessKey);
      return {
        accessKeyId: taken.AccessKeyId,
        secretAccessKey: taken.SecretAccessKey,
        sessionToken: taken.SessionToken,
      };
    },
  };
}
