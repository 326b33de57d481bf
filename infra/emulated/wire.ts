/**
 * The wire between the functions and the table of an emulated cloud: it hands requests on, and
 * does to them what a plan says, such as what throttles or kills.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { Agent, request } from 'node:https';
import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

/** A request to the table. */
export interface Call {
  /** The operation, such as `UpdateItem`. */
  readonly operation: string;
  /** The body, JSON. */
  readonly body: string;
}

/** What becomes of a request. */
export type Fate =
  /** It is handed on, and so is its answer. */
  | 'pass'
  /** It is refused as too many: nothing happens. */
  | 'throttle'
  /** It never arrives, and its caller is killed. */
  | 'kill-before'
  /** It is carried out, and its caller is killed before it hears so. */
  | 'kill-after';

/** Whether a call is the commit of a block: the conditional write of a head. */
export function isCommit(call: Call): boolean {
  return call.operation === 'UpdateItem' && call.body.includes('"HEAD"') && call.body.includes('"checkpoint_root"');
}

interface Key {
  readonly pk: { readonly S: string };
  readonly sk: { readonly S: string };
}

/** Whether a call stores texts of a block, right after its commit: of posts and comments, or a birth's. */
export function isOfTexts(call: Call): boolean {
  if (call.operation !== 'UpdateItem') return false;
  const { pk, sk } = (JSON.parse(call.body) as { Key: Key }).Key;
  return pk.S.startsWith('C#') || sk.S === 'BODY';
}

/** Whether a call publishes a window: puts its first run of tracks. */
export function isOfWindow(call: Call): boolean {
  if (call.operation !== 'BatchWriteItem') return false;
  interface Batch {
    RequestItems: Record<string, { PutRequest?: { Item: Key & { window_height?: { N: string } } } }[]>;
  }
  const { RequestItems } = JSON.parse(call.body) as Batch;
  const written = Object.values(RequestItems).flatMap((writes) => writes.flatMap(({ PutRequest }) => PutRequest?.Item ?? []));
  // Only tracks say in which window they are, and the first run of them begins where the window does.
  return written.some(({ sk, window_height: of }) => of !== undefined && sk.S === `T#${of.N.padStart(20, '0')}`);
}

/**
 * A pat as an unsigned event (docs/wire-format.md): version, kennel, account, key, no nonce, when it expires, and a
 * payload of kind 3.
 */
const PAT = /\x88\x01(?:\x58\x20[^]{32}){3}\x00\x1b[^]{8}\x82\x03\x58\x20/;

/** Whether a call stages a block with a pat. */
export function isOfPat(call: Call): boolean {
  if (call.operation !== 'PutItem') return false;
  const { deflated } = (JSON.parse(call.body) as { Item: Key & { deflated?: { B: string } } }).Item;
  return deflated !== undefined && PAT.test(inflateRawSync(Buffer.from(deflated.B, 'base64')).toString('latin1'));
}

/** Stands between the functions and the cloud. */
export class Wire {
  /** What becomes of the next request. */
  plan: (call: Call) => Fate = () => 'pass';
  /** Kills whoever calls. */
  kill: () => void = () => undefined;
  /** Requests by what became of them. */
  readonly counts: Record<Fate, number> = { pass: 0, throttle: 0, 'kill-before': 0, 'kill-after': 0 };

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  /** Starts it, in front of an address whose certificate is in a file. */
  static start(address: string, certificate: string): Promise<Wire> {
    const target = new URL(address);
    const agent = new Agent({ ca: readFileSync(certificate), keepAlive: true });
    return new Promise((done, fail) => {
      const server = createServer((asked, answer) => {
        void read(asked).then((body) => {
          const operation = String(asked.headers['x-amz-target'] ?? '').split('.').pop() ?? '';
          const fate = wire.plan({ operation, body: body.toString('utf8') });
          wire.counts[fate] += 1;
          if (fate === 'throttle') return throttled(answer);
          if (fate === 'kill-before') return wire.kill();
          const options = { agent, method: asked.method ?? 'POST', path: asked.url ?? '/', headers: asked.headers };
          const onward = request(target, options, (back) => {
            void read(back).then((told) => {
              if (fate === 'kill-after') return wire.kill();
              answer.writeHead(back.statusCode ?? 500, back.headers);
              answer.end(told);
            });
          });
          onward.once('error', () => answer.destroy());
          onward.end(body);
        });
      });
      let wire: Wire;
      server.once('error', fail);
      server.listen(0, '127.0.0.1', () => {
        const bound = server.address();
        wire = new Wire(server, typeof bound === 'object' && bound !== null ? bound.port : 0);
        done(wire);
      });
    });
  }

  /** Ends it. */
  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

function throttled(answer: ServerResponse): void {
  answer.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
  const type = 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException';
  answer.end(JSON.stringify({ __type: type, message: 'The level of configured provisioned throughput was exceeded' }));
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
