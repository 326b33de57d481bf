/**
 * Does to a deployment what clouds do: kills the miner inside its invocations, also while it publishes
 * a window, throttles the table, keeps it down until messages die, and drives them back. Then every
 * event that was acknowledged must be found, the ledger must verify, and `pitpet fsck` must find
 * nothing in the table; after damage it must find that, and repair it.
 *
 * `npm run hammer -- --bundle FOLDER --pitpet PROGRAM --xtask PROGRAM --ministack PROGRAM [--kills COUNT]`
 */
import { type SpawnOptions, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import assert from 'node:assert/strict';
import { type AttributeValue, DynamoDBClient, DeleteItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { DeleteObjectsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { GetQueueAttributesCommand, SQSClient, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { ACCOUNT, Cloud, REGION, pause } from './cloud.js';
import { deployment } from './deployed.js';
import { type Fate, Wire, isCommit, isOfPat, isOfTexts, isOfWindow } from './wire.js';

const { values } = parseArgs({
  options: {
    bundle: { type: 'string' },
    pitpet: { type: 'string' },
    xtask: { type: 'string' },
    ministack: { type: 'string' },
    kills: { type: 'string', default: '20' },
  },
});
const given = (name: 'bundle' | 'pitpet' | 'xtask' | 'ministack'): string => {
  const value = values[name];
  if (value === undefined) {
    console.error(
      'usage: npm run hammer -- --bundle FOLDER --pitpet PROGRAM --xtask PROGRAM --ministack PROGRAM [--kills COUNT]',
    );
    process.exit(2);
  }
  return resolve(process.env['INIT_CWD'] ?? '.', value);
};
const [bundle, pitpet, xtask, ministack] = [given('bundle'), given('pitpet'), given('xtask'), given('ministack')];
const kills = Number(values.kills);
const infra = join(import.meta.dirname, '..');
const began = Date.now();
const step = (text: string): void => console.log(`== ${text} (${Math.round((Date.now() - began) / 1000)} s)`);

/**
 * How long a message stays hidden here, s. As deployed the miner has what failed come back after 1 s, then later each
 * time, up to 5 minutes, and only what a killed miner held stays hidden for six; here all of it waits this long, because
 * the emulator refuses the miner that unless it is allowed more than on AWS (docs/aws-differences.md).
 */
const HIDDEN_S = 4;

/** Receives before a message dies here: more than kills and throttled calls take of one message. */
const RECEIVES_MAX = 12;

const cloud = await Cloud.start(ministack);
const wire = await Wire.start(cloud.endpoint, cloud.environment['SSL_CERT_FILE'] ?? '');
const end = async (): Promise<void> => {
  wire.stop();
  await cloud.stop();
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void end().finally(() => process.exit(130));
  });
}
try {
  await hammer();
  step('done');
} catch (error) {
  console.error(error);
  console.error(cloud.log().slice(-4_000));
  process.exitCode = 1;
} finally {
  await end();
}

/** A program that ended. */
interface Ran {
  code: number;
  out: string;
  err: string;
}

function start(program: string, args: string[], options: SpawnOptions = {}): Promise<Ran> {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { env: cloud.environment, cwd: cloud.folder, ...options, stdio: 'pipe' });
    let [out, err] = ['', ''];
    child.stdout?.on('data', (data: Buffer) => (out += data.toString()));
    child.stderr?.on('data', (data: Buffer) => (err += data.toString()));
    child.stdin?.end();
    child.once('error', fail);
    child.once('exit', (code) => done({ code: code ?? -1, out, err }));
  });
}

/** Runs a program that must succeed; gives what it printed. */
async function run(program: string, args: string[], options: SpawnOptions = {}): Promise<string> {
  const { code, out, err } = await start(program, args, options);
  assert.equal(code, 0, `${program} ${args.join(' ')} ended with ${code}\n${out.slice(-2_000)}\n${err.slice(-2_000)}`);
  return out;
}

function cdk(...args: string[]): Promise<string> {
  return run(join(infra, 'node_modules', '.bin', 'cdk'), [...args, '--ci'], { cwd: infra });
}

/** Deploys with every function's table behind the wire; gives the file with the outputs. */
async function deploy(): Promise<string> {
  const [output, outputs] = [join(cloud.folder, 'cdk.out'), join(cloud.folder, 'outputs.json')];
  const context = ['-c', `bundle=${bundle}`, '-c', 'arch=x86_64', '-c', 'reaperMinutes=1'];
  await cdk('bootstrap', `aws://${ACCOUNT}/${REGION}`, ...context, '--output', output);
  await cdk('synth', '--quiet', '--output', output, ...context);
  interface Template {
    Resources: Record<string, { Type: string; Properties?: { Environment?: { Variables?: Record<string, string> } } }>;
  }
  let wired = 0;
  for (const file of readdirSync(output).filter((of) => of.endsWith('.template.json'))) {
    const template = JSON.parse(readFileSync(join(output, file), 'utf8')) as Template;
    for (const { Type, Properties } of Object.values(template.Resources)) {
      const variables = Properties?.Environment?.Variables;
      if (Type !== 'AWS::Lambda::Function' || variables?.['PITPET_TABLE'] === undefined) continue;
      variables['AWS_ENDPOINT_URL_DYNAMODB'] = `http://127.0.0.1:${wire.port}`;
      wired += 1;
    }
    writeFileSync(join(output, file), JSON.stringify(template));
  }
  assert.equal(wired, 4, 'four functions use the table');
  await cdk('deploy', 'pitpet-dev-edge', '--app', output, '--require-approval', 'never', '--outputs-file', outputs);
  return outputs;
}

/** The miners that run now, by process id. */
function miners(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
        return environment.includes(`LAMBDA_TASK_ROOT=${cloud.folder}`) && environment.includes('PITPET_CHECKPOINT_KEY');
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Looks again until it is so, for at most this long. */
async function until(what: string, seconds: number, is: () => Promise<boolean>): Promise<void> {
  const last = Date.now() + seconds * 1_000;
  while (!(await is())) {
    if (Date.now() > last) throw new Error(`${what}: not within ${seconds} s`);
    await pause(500);
  }
}

async function hammer(): Promise<void> {
  step('deploy');
  const outputs = await deploy();
  const told = JSON.parse(readFileSync(outputs, 'utf8')) as Record<string, Record<string, string>>;
  const output = (name: string): string => {
    const value = Object.values(told).find((stack) => name in stack)?.[name];
    assert.ok(value, `an output ${name}`);
    return value;
  };
  const url = `${cloud.endpoint}/_aws/execute-api/${new URL(output('ApiUrl')).hostname.split('.')[0]}/$default`;
  const home = join(cloud.folder, 'home');
  mkdirSync(home);
  const [queue, deadLetters] = [output('QueueUrl'), output('DeadLettersUrl')];
  await deployment(cloud.environment).allowBatches('SendMessage', { Ingest: queue, Miner: deadLetters, Reaper: queue });
  const admin = async (...args: string[]): Promise<unknown> =>
    JSON.parse(await run(pitpet, ['--json', 'admin', '--deployment', outputs, ...args]));
  const handler = new NodeHttpHandler({ httpsAgent: new Agent({ ca: readFileSync(cloud.environment['SSL_CERT_FILE'] ?? '') }) });
  const settings = {
    endpoint: cloud.endpoint,
    region: REGION,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    requestHandler: handler,
  };
  const [sqs, table] = [new SQSClient(settings), new DynamoDBClient(settings)];
  const objects = new S3Client({ ...settings, forcePathStyle: true });

  const known = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: ['RedrivePolicy'] }));
  const redrive = JSON.parse(known.Attributes?.['RedrivePolicy'] ?? '{}') as Record<string, unknown>;
  await sqs.send(
    new SetQueueAttributesCommand({
      QueueUrl: queue,
      Attributes: {
        VisibilityTimeout: String(HIDDEN_S),
        RedrivePolicy: JSON.stringify({ ...redrive, maxReceiveCount: RECEIVES_MAX }),
      },
    }),
  );
  await admin('kennel', 'open', 'load', '--stamp-bits', '4', '--birth-bits', '8');

  /** Loads it; every event that was answered with 202 must be mined, and the ledger verify. */
  const load = async (rate: number, seconds: number): Promise<number> => {
    const report = await run(xtask, [
      'load', '--url', url, '--kennel', 'load', '--rates', String(rate), '--seconds', String(seconds), '--follow', '5',
      '--json', '--pitpet', pitpet,
    ]);
    const [round] = (JSON.parse(report) as { rounds: Record<string, number>[] }).rounds;
    assert.ok(round);
    assert.deepEqual([round['mined'], round['lost'], round['rejected']], [round['acknowledged'], 0, 0]);
    assert.ok((round['acknowledged'] ?? 0) > 0, JSON.stringify(round));
    return round['acknowledged'] ?? 0;
  };
  const fsck = (...more: string[]): Promise<Ran> =>
    start(pitpet, ['--json', 'fsck', '--table', output('TableName'), '--objects', `s3://${output('ObjectsBucket')}`, ...more]);
  const clean = async (): Promise<Record<string, number>> => {
    const { code, out, err } = await fsck();
    assert.equal(code, 0, `fsck ended with ${code}\n${out.slice(0, 3_000)}\n${err.slice(-2_000)}`);
    const { clean, summary } = JSON.parse(out) as { clean: boolean; summary: Record<string, number> };
    assert.ok(clean);
    return summary;
  };

  step('the miner is killed inside its invocations');
  let killed = 0;
  const kinds = { before: 0, after: 0, texts: 0 };
  wire.kill = () => {
    for (const pid of miners()) process.kill(pid, 'SIGKILL');
  };
  let [commits, texts] = [0, 0];
  wire.plan = (call): Fate => {
    if (killed >= kills) return 'pass';
    let [fate, kind]: [Fate | undefined, keyof typeof kinds] = [undefined, 'texts'];
    if (isCommit(call)) {
      // Of every four commits one is killed before its write, one after.
      commits += 1;
      if (commits % 4 === 1) [fate, kind] = ['kill-before', 'before'];
      if (commits % 4 === 3) [fate, kind] = ['kill-after', 'after'];
    } else if (isOfTexts(call) && kinds.texts < kills / 3) {
      // Only births and posts have texts, a few in each load: of three calls that store some one is killed before its
      // write, the next one, of who goes on, after it.
      texts += 1;
      fate = ({ 1: 'kill-before', 2: 'kill-after' } as Record<number, Fate>)[texts % 3];
    }
    if (fate === undefined) return 'pass';
    kinds[kind] += 1;
    killed += 1;
    return fate;
  };
  let acknowledged = 0;
  while (killed < kills) acknowledged += await load(10, 15);
  assert.equal(wire.counts['kill-before'] + wire.counts['kill-after'], killed);
  wire.plan = () => 'pass';
  assert.ok(kills < 6 || (kinds.before > 0 && kinds.after > 0 && kinds.texts > 0), JSON.stringify(kinds));
  step(
    `${killed} kills (${kinds.before} before a commit, ${kinds.after} after one, ${kinds.texts} while it stored texts), ` +
      `${acknowledged} events taken, none of them lost`,
  );

  step('the table is throttled');
  let turn = 0;
  wire.plan = () => ((turn += 1) % 5 === 0 ? 'throttle' : 'pass');
  const throttled = await load(10, 8);
  wire.plan = () => 'pass';
  step(`${wire.counts.throttle} calls throttled, ${throttled} events taken, none of them lost`);

  step('a window closes, and the miner is killed twice while it publishes it');
  const published = async (): Promise<number> => {
    const listed = (await admin('kennel', 'list')) as { label: string; published_height: number }[];
    return listed.find(({ label }) => label === 'load')?.published_height ?? 0;
  };
  let [windows, filling] = [0, 0];
  wire.plan = (call) => {
    if (!isOfWindow(call)) return 'pass';
    windows += 1;
    return ({ 1: 'kill-after', 2: 'kill-before' } as Record<number, Fate>)[windows] ?? 'pass';
  };
  // After 512 blocks, or 4,096 events: that many are here at the latest.
  const unpublished = await published();
  while ((await published()) === unpublished && filling < 4_096) filling += await load(10, 60);
  wire.plan = () => 'pass';
  assert.ok(windows > 2, `${windows} attempts to publish a window`);
  step(`published up to ${await published()}, ${filling} events taken, none of them lost`);
  assert.ok((await published()) > unpublished);

  step('the table takes no commit until messages die; then they are driven back');
  const dead = async (): Promise<number> => ((await admin('dead-letters')) as unknown[]).length;
  // From its first pat on: what it prepares for them must be mined.
  let isLoaded = false;
  wire.plan = (call) => {
    isLoaded ||= isOfPat(call);
    return isLoaded && isCommit(call) ? 'throttle' : 'pass';
  };
  // It waits for its events until they are mined, or for minutes.
  const waiting = load(10, 12);
  const revived = waiting.then(
    () => true,
    // Told below, by whoever awaits it.
    () => true,
  );
  await until('messages die', 240, async () => (await dead()) > 0);
  wire.plan = () => 'pass';
  let redriven = 0;
  await until('the events of dead letters are mined', 240, async () => {
    redriven += ((await admin('redrive')) as { redriven: number }).redriven;
    return Promise.race([revived, pause(2_000).then(() => false)]);
  });
  step(`${redriven} dead letters driven back, ${await waiting} events taken, none of them lost`);
  assert.ok(redriven > 0);

  step('nothing is wrong in the table');
  await until('all is written', 120, async () => (await fsck()).code === 0);
  const before = await clean();
  assert.ok((before['executed'] ?? 0) > 0 && (before['items'] ?? 0) > 0, JSON.stringify(before));

  step('damage is found, named and repaired');
  const all = async (pk: string, sk: string): Promise<Record<string, AttributeValue>[]> => {
    const { Items } = await table.send(
      new QueryCommand({
        TableName: output('TableName'),
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :sk)',
        ExpressionAttributeValues: { ':pk': { S: pk }, ':sk': { S: sk } },
        Limit: 50,
      }),
    );
    return Items ?? [];
  };
  const [listed] = (await all('KENNELS', 'load')).map((item) => Buffer.from(item['kennel']?.B ?? []).toString('hex'));
  assert.ok(listed);
  const [birth] = await all(`N#${listed}`, '0');
  assert.ok(birth);
  const pet = Buffer.from(birth['pet']?.B ?? []).toString('hex');
  const [card] = await all(`P#${pet}`, 'CARD');
  // A run of them, as one of tracks.
  const [entries] = await all(`P#${pet}`, 'E#');
  const tracks = (await all(`K#${listed}`, 'T#')).pop();
  assert.ok(card && entries && tracks);
  const remove = (item: Record<string, AttributeValue>): Promise<unknown> =>
    table.send(
      new DeleteItemCommand({ TableName: output('TableName'), Key: { pk: item['pk'] ?? { S: '' }, sk: item['sk'] ?? { S: '' } } }),
    );
  const change = (item: Record<string, AttributeValue>, more: Record<string, AttributeValue>): Promise<unknown> =>
    table.send(new PutItemCommand({ TableName: output('TableName'), Item: { ...item, ...more } }));
  // The hash of the run's first block: 32 bytes of CBOR.
  const rows = Buffer.from(tracks['rows']?.B ?? []);
  const hash = rows.indexOf(Buffer.from([0x58, 0x20])) + 2;
  assert.ok(hash >= 2);
  await change(card, { record: { B: Buffer.from('rubbish') } });
  await remove(entries);
  await change(tracks, { rows: { B: rows.fill(7, hash, hash + 32) } });
  await change(entries, { sk: { S: `E#${'9'.repeat(20)}#00000` } });
  const faults = await fsck();
  assert.equal(faults.code, 1, faults.err);
  const named = (JSON.parse(faults.out) as { faults: { place: string; flaw: string; remedy: string }[] }).faults;
  for (const fault of named) console.log(`   ${fault.place}: ${fault.flaw} (${fault.remedy})`);
  assert.ok(named.length >= 4, `${named.length} faults`);
  assert.ok(named.every((fault) => fault.remedy === 'repairable'));
  const repaired = await fsck('--repair');
  assert.equal(repaired.code, 0, `${repaired.out.slice(0, 2_000)}\n${repaired.err.slice(-2_000)}`);
  assert.deepEqual(await clean(), before);
  assert.deepEqual(await all(`P#${pet}`, 'CARD'), [card]);
  assert.deepEqual((await all(`P#${pet}`, 'E#'))[0], entries);
  assert.deepEqual((await all(`K#${listed}`, 'T#')).pop(), tracks);

  step('what is lost is said to be lost, and stays so');
  const [place] = (await all(`N#${listed}`, '0')).map((item) => Buffer.from(item['id']?.B ?? []).toString('hex'));
  await remove({ pk: { S: `E#${place}` }, sk: { S: 'BODY' } });
  const lost = await fsck('--repair');
  assert.equal(lost.code, 1, lost.out.slice(0, 2_000));
  const [loss] = (JSON.parse(lost.out) as { faults: { place: string; flaw: string; remedy: string }[] }).faults;
  assert.equal(loss?.remedy, 'lost', JSON.stringify(loss));
  console.log(`   ${loss.place}: ${loss.flaw} (${loss.remedy})`);

  step('without its snapshots a kennel is opened from its blocks');
  const stored = await objects.send(new ListObjectsV2Command({ Bucket: output('ObjectsBucket'), Prefix: 'snapshot/' }));
  const keys = (stored.Contents ?? []).map(({ Key }) => ({ Key: Key ?? '' }));
  if (keys.length > 0) {
    await objects.send(new DeleteObjectsCommand({ Bucket: output('ObjectsBucket'), Delete: { Objects: keys } }));
  }
  wire.kill();
  const last = await load(5, 5);
  step(`${last} events taken, none of them lost`);
}
