/**
 * Deploys the bundle to an emulated cloud as an operator would and uses it as players would.
 *
 * `npm run emulated -- --bundle FOLDER --pitpet PROGRAM --xtask PROGRAM --ministack PROGRAM`
 *
 * `docs/aws-differences.md` says where the emulator differs from AWS.
 */
import { type SpawnOptions, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import assert from 'node:assert/strict';
import { Cloud, ACCOUNT, REGION, pause } from './cloud.js';
import { deployment } from './deployed.js';
import { type Send, ticket, wrongUploads } from './upload.js';

const { values } = parseArgs({
  options: {
    bundle: { type: 'string' },
    pitpet: { type: 'string' },
    xtask: { type: 'string' },
    ministack: { type: 'string' },
  },
});
const given = (name: keyof typeof values): string => {
  const value = values[name];
  if (value === undefined) {
    console.error(
      'usage: npm run emulated -- --bundle FOLDER --pitpet PROGRAM --xtask PROGRAM --ministack PROGRAM',
    );
    process.exit(2);
  }
  return resolve(process.env['INIT_CWD'] ?? '.', value);
};
const [bundle, pitpet, ministack] = [given('bundle'), given('pitpet'), given('ministack')];
const xtask = given('xtask');
const infra = join(import.meta.dirname, '..');
const began = Date.now();
const step = (text: string): void => console.log(`== ${text} (${Math.round((Date.now() - began) / 1000)} s)`);

const cloud = await Cloud.start(ministack);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void cloud.stop().finally(() => process.exit(130));
  });
}
try {
  await all();
  step('done');
} catch (error) {
  console.error(error);
  console.error(await logged().catch(() => cloud.log().slice(-4_000)));
  process.exitCode = 1;
} finally {
  await cloud.stop();
}

/** Runs a program; gives what it printed. Fails with what it said if it fails. */
function run(program: string, args: string[], options: SpawnOptions & { input?: string } = {}): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { env: cloud.environment, cwd: cloud.folder, ...options, stdio: 'pipe' });
    let [out, err] = ['', ''];
    child.stdout?.on('data', (data: Buffer) => (out += data.toString()));
    child.stderr?.on('data', (data: Buffer) => (err += data.toString()));
    child.stdin?.end(options.input ?? '');
    child.once('error', fail);
    child.once('exit', (code) => {
      if (code === 0) done(out);
      else fail(new Error(`${program} ${args.join(' ')} ended with ${code}\n${out.slice(-2_000)}\n${err.slice(-2_000)}`));
    });
  });
}

/** What the functions logged that is worth a look. */
async function logged(): Promise<string> {
  const call = async (action: string, body: object): Promise<Record<string, never[]>> => {
    const credential = `Credential=test/20260101/${REGION}/logs/aws4_request`;
    const headers = [
      `Authorization: AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=0`,
      'Content-Type: application/x-amz-json-1.1',
      `X-Amz-Target: Logs_20140328.${action}`,
    ].flatMap((header) => ['-H', header]);
    const ca = cloud.environment['SSL_CERT_FILE'] ?? '';
    const answer = await run('curl', ['-s', '--cacert', ca, ...headers, '-d', JSON.stringify(body), cloud.endpoint]);
    return JSON.parse(answer) as Record<string, never[]>;
  };
  const lines: string[] = [];
  const groups: { logGroupName: string }[] = (await call('DescribeLogGroups', {}))['logGroups'] ?? [];
  for (const { logGroupName } of groups) {
    const events: { message: string }[] =
      (await call('FilterLogEvents', { logGroupName, limit: 10_000 }))['events'] ?? [];
    const worth = events.filter(({ message }) => /ERROR|WARN|panicked/.test(message)).slice(-6);
    lines.push(...worth.map(({ message }) => `${logGroupName}: ${message.trim().slice(0, 600)}`));
  }
  return lines.join('\n');
}

function cdk(...args: string[]): Promise<string> {
  const context = ['-c', `bundle=${bundle}`, '-c', 'arch=x86_64', '-c', 'reaperMinutes=1'];
  const output = join(cloud.folder, 'cdk.out');
  return run(join(infra, 'node_modules', '.bin', 'cdk'), [...args, '--ci', '--output', output, ...context], {
    cwd: infra,
  });
}

async function all(): Promise<void> {
  const outputs = join(cloud.folder, 'outputs.json');
  step('bootstrap');
  await cdk('bootstrap', `aws://${ACCOUNT}/${REGION}`);
  step('deploy');
  await cdk('deploy', 'pitpet-dev-edge', '--require-approval', 'never', '--outputs-file', outputs);

  step('deploy the alarms, but for those by metric math, which the emulator does not know');
  const { plain, math } = await alarms();
  assert.ok(plain > math && math > 0, `${plain} alarms, ${math} by metric math`);

  const told = JSON.parse(readFileSync(outputs, 'utf8')) as Record<string, Record<string, string>>;
  const output = (name: string): string => {
    const value = Object.values(told).find((stack) => name in stack)?.[name];
    assert.ok(value, `an output ${name}`);
    return value;
  };
  // AWS gives every API a host of its own; the emulator takes the same request by this path.
  const api = new URL(output('ApiUrl')).hostname.split('.')[0];
  const url = `${cloud.endpoint}/_aws/execute-api/${api}/$default`;
  const home = join(cloud.folder, 'home');
  mkdirSync(home);
  const player = (...args: string[]): Promise<string> =>
    run(
      pitpet,
      [
        '--url', url, '--keys', home, '--json', '--passphrase-fd', '0', '--scrypt-log-n', '1',
        // A miner that could not start leaves its batch hidden for six minutes.
        '--wait', '600', ...args,
      ],
      { input: 'a passphrase\n' },
    );
  const admin = async (...args: string[]): Promise<Record<string, unknown>> =>
    JSON.parse(await run(pitpet, ['--json', 'admin', '--deployment', outputs, ...args])) as Record<string, unknown>;
  const kennel = async (label: string): Promise<{ height: number; age: number; living: number }> =>
    (JSON.parse(await player('kennel', label)) as { kennel: { height: number; age: number; living: number } }).kennel;

  /** When each of a kennel's newest blocks was mined, without the genesis. */
  const times = async (label: string): Promise<number[]> => {
    const { id } = (JSON.parse(await player('kennel', label)) as { kennel: { id: string } }).kennel;
    const { status, text } = await send('GET', `${url}/v1/kennels/${id}/blocks?limit=100`, {}, Buffer.alloc(0));
    assert.equal(status, 200, text);
    const { blocks } = JSON.parse(text) as { blocks: { height: number; timestamp_ms: number }[] };
    return blocks.filter(({ height }) => height > 0).map(({ timestamp_ms }) => timestamp_ms);
  };

  const outside = deployment(cloud.environment);
  const [queue, deadLetters] = [output('QueueUrl'), output('DeadLettersUrl')];
  await outside.allowBatches('SendMessage', { Ingest: queue, Miner: deadLetters, Reaper: queue });
  await outside.allowBatches('ChangeMessageVisibility', { Miner: queue });

  step('found kennels');
  await admin('kennel', 'open', 'classic', '--preset', 'classic');
  await admin('kennel', 'open', 'quick', '--preset', 'classic', '--idle-ms', '60000');
  await admin('kennel', 'open', 'load', '--stamp-bits', '4', '--birth-bits', '8');
  await assert.rejects(admin('kennel', 'open', 'quick'), /label "quick" already/);

  step('births, posts and pats in both kennels at once; a story ends');
  const photo = join(infra, '..', 'crates', 'cli', 'assets', 'chelsea.png');
  const shown = async (birth: string): Promise<{ phase: string; photo_url: string }> =>
    JSON.parse(await player('pet', birth)) as { phase: string; photo_url: string };
  const quick = async (): Promise<[string, string]> => {
    await player('account', 'new', 'bella');
    await player('account', 'new', 'max');
    const born = JSON.parse(
      await player('birth', '--account', 'bella', '--photo', photo, '--name', 'Mochi', '--kennel', 'quick'),
    ) as { id: string };
    const other = JSON.parse(
      await player('birth', '--account', 'max', '--photo', photo, '--name', 'Luna', '--kennel', 'quick'),
    ) as { id: string };
    const post = JSON.parse(
      await player('post', '--account', 'bella', '--pet', born.id, '--text', 'Hello'),
    ) as { id: string };
    await player('pat', '--account', 'max', post.id);
    return [born.id, other.id];
  };
  const [demo, [mochi, luna]] = await Promise.all([
    run(pitpet, ['--url', url, 'demo', '--pace-ms', '0', '--within-s', '900', '--kennel', 'classic']),
    quick(),
  ]);
  assert.match(demo, /story/i);

  step('the two kennels were mined at the same time');
  const [one, two] = await Promise.all(['classic', 'quick'].map(times));
  assert.ok(one && two && one.length > 2 && two.length > 2, JSON.stringify([one, two]));
  const within = (inner: number[], outer: number[]): boolean =>
    inner.some((time) => time > Math.min(...outer) && time < Math.max(...outer));
  assert.ok(within(one, two) || within(two, one), `blocks of one at ${one.join()}, of the other at ${two.join()}`);

  step('the photo is in the bucket, under its hash');
  const { photo_url } = await shown(mochi);
  const bytes = await fetched(`${url}${photo_url}`);
  assert.equal(createHash('sha256').update(bytes).digest('hex'), photo_url.split('/').pop());

  step('the pages are served, and may upload to the bucket');
  const page = await send('GET', `${url}/`, {}, Buffer.alloc(0));
  assert.equal(page.status, 200, page.text);
  assert.match(page.text, /Mochi/);
  const bucketOrigin = new URL((await ticket(send, url, readFileSync(photo), 'image/png')).url).origin;
  const policy = await headers(`${url}/`);
  assert.match(policy, new RegExp(`connect-src 'self' ${bucketOrigin};`));

  step('each documented read is served through the API, with the status that it has for what is there');
  await everyRead(url, mochi, photo_url);

  step('uploads of a wrong hash, size or type are refused');
  await wrongUploads(send, url, readFileSync(photo));

  step('export, and verify: the file and the deployed ledger');
  const file = join(cloud.folder, 'classic.pitpet');
  await player('export', '--kennel', 'classic', '--out', file);
  await player('verify', file);
  await run(pitpet, ['verify', url]);

  step('a message that can\'t be mined goes to the dead-letter queue, and back');
  await outside.poison(queue, randomBytes(8).toString('hex'));
  const dead = async (): Promise<unknown[]> => (await admin('dead-letters')) as unknown as unknown[];
  await until('the message is dead', 600, async () => (await dead()).length === 1);
  assert.deepEqual(await admin('redrive'), { redriven: 1 });
  await until('it is dead again', 600, async () => (await dead()).length === 1);

  step('upkeep, straight from the table and the bucket');
  const listed = (await admin('kennel', 'list')) as unknown as { label: string; living: number }[];
  assert.deepEqual(listed.map((of) => of.label), ['classic', 'load', 'quick']);
  const clean = async (): Promise<boolean> => {
    const { clean, summary } = await admin('verify', 'quick');
    assert.ok((summary as { executed: number }).executed > 0);
    return clean as boolean;
  };
  assert.ok(await clean());
  // Time may be mined meanwhile.
  const { height } = await kennel('quick');
  const since = async (what: string, of: unknown): Promise<void> => {
    const after = (await kennel('quick')).height;
    assert.ok(typeof of === 'number' && of >= height && of <= after, `${what} ${String(of)}, not ${height} to ${after}`);
  };
  await since('a snapshot of block', (await admin('snapshot', 'quick'))['height']);
  // So few blocks close no window: what is written with each block is all that is there beside the chain, such as
  // the mark that a photo is in use.
  await outside.forget(output('TableName'), `M#${photo_url.split('/').pop()}`, 'REF');
  await assert.rejects(admin('verify', 'quick'), /ended with 1/);
  const { published, height: repaired } = await admin('repair', 'quick', '--from', '1');
  assert.equal(published, 0);
  await since('repaired up to', repaired);
  assert.ok(await clean());

  step('the schedule runs the reaper: an idle kennel gets a time block');
  const before = await kennel('quick');
  assert.ok(before.age > 0);
  await until('time is mined', 600, async () => (await kennel('quick')).age > before.age);

  step('and a neglected pet has its story ended by it');
  for (let age = 0; age < 16; age += 1) {
    await player('post', '--account', 'bella', '--pet', mochi, '--text', `day ${age}`);
  }
  await until('the story has ended', 600, async () => (await shown(luna)).phase === 'ended');

  step('what a batch could not be done with comes back soon, not after the visibility timeout of six minutes');
  const allow = await outside.without('Miner', 'dynamodb:GetItem');
  const posted = player('post', '--account', 'bella', '--pet', mochi, '--text', 'in a bad moment');
  // Told below, by whoever awaits it.
  posted.catch(() => undefined);
  await pause(5_000);
  await allow();
  const allowed = Date.now();
  await posted;
  assert.ok(Date.now() - allowed < 300_000, `it took ${Date.now() - allowed} ms`);

  step('each function is denied what it must not do');
  await outside.all({
    table: output('TableName'),
    bucket: output('ObjectsBucket'),
    queue,
    deadLetters,
    keys: output('KeyPrefix'),
  });

  step('a second deployment in the middle of traffic');
  const second = join(cloud.folder, 'second');
  cpSync(bundle, second, { recursive: true });
  for (const name of ['ingest', 'miner', 'reaper', 'query']) writeFileSync(join(second, name, 'release'), '2\n');
  const deployed = cdk(
    'deploy',
    'pitpet-dev-edge',
    '--require-approval',
    'never',
    '-c',
    `bundle=${second}`,
  );
  // It looks for every event that was taken, and verifies the ledger; it fails if one is lost.
  const load = run(xtask, [
    'load', '--url', url, '--kennel', 'load', '--rates', '3', '--seconds', '60', '--follow', '5', '--json', '--pitpet',
    pitpet,
  ]);
  const [, report] = await Promise.all([deployed, load]);
  const [round] = (JSON.parse(report) as { rounds: Record<string, number>[] }).rounds;
  assert.ok(round);
  assert.equal(round['sent'], 180);
  assert.deepEqual([round['mined'], round['lost'], round['rejected']], [round['acknowledged'], 0, 0]);
  // How many are taken is this machine's matter; what was taken is not lost.
  assert.ok((round['acknowledged'] ?? 0) > 0, JSON.stringify(round));
  step(`${round['acknowledged']} of ${round['sent']} events taken, none of them lost`);
  // And it is the second one that serves.
  await player('post', '--account', 'bella', '--pet', mochi, '--text', 'after the second deployment');

  step('everything listens on loopback alone');
  const listening = cloud.listening();
  assert.ok(listening.length > 0, 'MiniStack listens');
  for (const address of listening) assert.match(address, /^(0100007F|0{24}01000000):/, 'an address that others reach');

  step('destroy keeps the data');
  await cdk('destroy', '--all', '--force');
  const kept = await outside.kennels(output('TableName'));
  assert.deepEqual(kept, ['classic', 'load', 'quick']);
}

/**
 * Deploys the observability stack without its alarms by metric math; gives how many alarms were
 * deployed and how many were left out.
 */
async function alarms(): Promise<{ plain: number; math: number }> {
  interface Template {
    Resources: Record<string, { Type: string; Properties?: Record<string, unknown> }>;
  }
  const name = 'pitpet-dev-observability';
  const output = join(cloud.folder, 'cdk.out');
  const file = readdirSync(output).find((of) => of.startsWith(name) && of.endsWith('.template.json'));
  assert.ok(file, `a template of ${name}`);
  const template = JSON.parse(readFileSync(join(output, file), 'utf8')) as Template;
  let [plain, math] = [0, 0];
  for (const [id, { Type, Properties }] of Object.entries(template.Resources)) {
    if (Type !== 'AWS::CloudWatch::Alarm') continue;
    if (Properties?.['Metrics'] === undefined) {
      plain += 1;
    } else {
      math += 1;
      delete template.Resources[id];
    }
  }
  writeFileSync(join(output, file), JSON.stringify(template));
  await run(
    join(infra, 'node_modules', '.bin', 'cdk'),
    ['deploy', name, '--exclusively', '--app', output, '--require-approval', 'never', '--ci'],
    { cwd: infra },
  );
  return { plain, math };
}

/** Asks each GET route of the OpenAPI document for something that is there. */
async function everyRead(url: string, birth: string, photo: string): Promise<void> {
  const read = async (path: string): Promise<{ status: number; text: string }> =>
    send('GET', `${url}${path}`, {}, Buffer.alloc(0));
  const pet = JSON.parse((await read(`/v1/pets/${birth}`)).text) as { owner: string; kennel: string };
  const kennel = JSON.parse((await read(`/v1/kennels/${pet.kennel}`)).text) as { rules_hash: string };
  const named: Readonly<Record<string, string>> = {
    account: pet.owner,
    birth,
    file: `${kennel.rules_hash}.wasm`,
    from: '0',
    height: '1',
    id: birth,
    kennel: pet.kennel,
    // There is none: its route then says so itself.
    order: '0'.repeat(64),
    sha256: photo.split('/').pop() ?? '',
  };
  const document = readFileSync(join(infra, '..', 'docs', 'openapi.json'), 'utf8');
  const { paths } = JSON.parse(document) as { paths: Record<string, Record<string, unknown>> };
  const reads = Object.keys(paths).filter((path) => paths[path]?.['get'] !== undefined);
  assert.ok(reads.includes('/v1/market') && reads.length > 20, reads.join());
  for (const path of reads) {
    const target = path.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = named[name];
      assert.ok(value, `${path}: what is ${name}?`);
      return value;
    });
    const { status, text } = await read(target);
    const wanted = path.includes('{order}') ? 404 : 200;
    assert.equal(status, wanted, `${target}: ${text.slice(0, 300)}`);
    if (wanted === 404) assert.match(text, /\/problems\/not-found/, target);
  }
}

/** Sends a request by curl, which takes the emulator's certificate. */
async function send(...[method, url, headers, body]: Parameters<Send>): ReturnType<Send> {
  const path = join(cloud.folder, 'sent');
  writeFileSync(path, body);
  const fields = Object.entries(headers)
    // curl counts the bytes itself.
    .filter(([name]) => name.toLowerCase() !== 'content-length')
    .flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const ca = cloud.environment['SSL_CERT_FILE'] ?? '';
  const answer = await run('curl', [
    '-s', '--cacert', ca, '-X', method, ...fields, '--data-binary', `@${path}`, '-w', '\n%{http_code}', url,
  ]);
  const end = answer.lastIndexOf('\n');
  return { status: Number(answer.slice(end + 1)), text: answer.slice(0, end) };
}

/** The headers of an answer to GET. */
function headers(address: string): Promise<string> {
  const ca = cloud.environment['SSL_CERT_FILE'] ?? '';
  return run('curl', ['-sf', '--cacert', ca, '-o', '/dev/null', '-D', '-', address]);
}

/** Fetches bytes by curl, which takes the emulator's certificate. */
async function fetched(address: string): Promise<Buffer> {
  const path = join(cloud.folder, 'fetched');
  await run('curl', ['-sf', '--cacert', cloud.environment['SSL_CERT_FILE'] ?? '', '-o', path, address]);
  return readFileSync(path);
}

/** Looks again until it is so, for at most this long. */
async function until(what: string, seconds: number, is: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + seconds * 1_000;
  while (!(await is())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await pause(500);
  }
}
