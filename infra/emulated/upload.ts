/**
 * Upload tickets, asked for as `docs/wire-format.md` says, and uploads that are not what they are
 * for. Shares no code with PitPet.
 */
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

/** Where to upload what. */
export interface Ticket {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends a request; gives status and body. */
export type Send = (
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
) => Promise<{ status: number; text: string }>;

type Cbor = number | string | Buffer | readonly Cbor[];

/** Deterministic CBOR (RFC 8949, 4.2.1) of what a request holds. */
function cbor(value: Cbor): Buffer {
  const head = (major: number, argument: number): Buffer => {
    if (argument < 24) return Buffer.from([(major << 5) | argument]);
    const size = argument < 0x100 ? 1 : argument < 0x1_0000 ? 2 : argument < 0x1_0000_0000 ? 4 : 8;
    const bytes = Buffer.alloc(9);
    bytes.writeBigUInt64BE(BigInt(argument), 1);
    bytes[8 - size] = (major << 5) | (24 + Math.log2(size));
    return bytes.subarray(8 - size);
  };
  if (typeof value === 'number') return head(0, value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  const items = value as readonly Cbor[];
  return Buffer.concat([head(4, items.length), ...items.map(cbor)]);
}

function sha256(...parts: (Buffer | string)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function tagged(tag: string, ...parts: Buffer[]): Buffer {
  return sha256(`pitpet/v1/${tag}\0`, ...parts);
}

/** The first stamp whose work begins with 16 zero bits. */
function stamp(base: Buffer): number {
  const bytes = Buffer.alloc(8);
  for (let tried = 0; ; tried += 1) {
    bytes.writeUInt32BE(tried, 4);
    if (tagged('work', base, bytes).readUInt16BE() === 0) return tried;
  }
}

/** Asks for a ticket, as an account of its own. */
export async function ticket(send: Send, url: string, photo: Buffer, type: string): Promise<Ticket> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const wish: Cbor = [2, sha256(photo), photo.length, type];
  const unstamped: Cbor[] = [1, tagged('account', key), key, Date.now() + 300_000, wish];
  const request: Cbor = [...unstamped, stamp(tagged('stamp', cbor([...unstamped, 0])))];
  const signature = sign(null, Buffer.concat([Buffer.from('pitpet/v1/request\0'), cbor(request)]), privateKey);
  const body = Buffer.from(JSON.stringify({ request: cbor([request, signature]).toString('base64') }));
  const answer = await send('POST', `${url}/v1/media`, { 'content-type': 'application/json' }, body);
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text) as Ticket;
}

/** Uploads what the tickets are not for; each must be refused, and what they are for be taken. */
export async function wrongUploads(send: Send, url: string, photo: Buffer): Promise<void> {
  const upload = async (change: (headers: Record<string, string>) => void, bytes: Buffer): Promise<number> => {
    const { url: to, method, headers } = await ticket(send, url, photo, 'image/png');
    const changed = { ...headers };
    change(changed);
    return (await send(method, to.startsWith('/') ? `${url}${to}` : to, changed, bytes)).status;
  };
  const same = (): void => undefined;
  const set = (wanted: string, value: string) => (headers: Record<string, string>) => {
    const name = Object.keys(headers).find((header) => header.toLowerCase() === wanted);
    assert.ok(name, `a ticket with the header ${wanted}: ${Object.keys(headers).join(', ')}`);
    headers[name] = value;
  };
  const other = Buffer.from(photo);
  other[other.length - 1] = (other[other.length - 1] ?? 0) ^ 1;
  const refused: Record<string, () => Promise<number>> = {
    'other bytes of that size': () => upload(same, other),
    'other bytes, and their own hash in the header': () =>
      upload(set('x-amz-checksum-sha256', sha256(other).toString('base64')), other),
    'a part of the bytes': () => upload(same, photo.subarray(0, -1)),
    'bytes and more': () => upload(same, Buffer.concat([photo, photo])),
    'another type': () => upload(set('content-type', 'text/html'), photo),
  };
  for (const [what, attempt] of Object.entries(refused)) {
    const status = await attempt();
    assert.ok(status >= 400 && status < 500, `${what}: it was answered with ${status}`);
  }
  const taken = await upload(same, photo);
  assert.ok(taken < 300, `the photo itself: it was answered with ${taken}`);
}
