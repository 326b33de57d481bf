// The list that only its account can read: bookmarks, and what is muted.
//
// It is encrypted here, under a key that the browser made of the account's seed when somebody joined or signed in, and
// keeps so that no script can read it (extractable: false), like the key that signs. The server keeps bytes; its answer
// to a list that it holds back or an older one can't be told from the newest one, as with everything beside the ledger.
// After a rekey the list is opened by the older key, which key file and vault still hold, and what is written next is
// sealed under the newest one. A key file without the key that the list was made under opens no list: it begins anew.

import { request } from "./act.js";
import { get, post } from "./api.js";
import { concat, fromBase64, fromHex, random, sha256, text, toBase64, utf8 } from "./bytes.js";
import { Refusal } from "./modules.js";
import { keysOf, remember, seen } from "./wallet.js";

const TAG = "pitpet/v1/list";

/** Before it is encrypted a list is filled up to a multiple of this, so that its size tells little. */
const FILLED_TO = 2048;

export const BOOKMARKS_MAX = 200;
export const MUTES_MAX = 50;

/** For how long what this device knows of the list is taken for the newest, ms. */
const KNOWN_MS = 60_000;

const place = (own) => `list ${own.account}`;
const bound = (own) => concat(utf8(TAG), new Uint8Array(1), fromHex(own.account));
const texts = (of) => (Array.isArray(of) ? of.filter((entry) => typeof entry === "string") : []);

function parse(json) {
  const { bookmarks, accounts, tags } = JSON.parse(json);
  return { bookmarks: texts(bookmarks), accounts: texts(accounts), tags: texts(tags) };
}

async function open(own, sealed) {
  if (!own.cipher) throw new Refusal("sign-in-anew", "sign-in-anew");
  if (!sealed) return { bookmarks: [], accounts: [], tags: [] };
  const bytes = fromBase64(sealed);
  const how = { name: "AES-GCM", iv: bytes.subarray(1, 13), additionalData: bound(own) };
  for (const { cipher } of keysOf(own)) {
    const plain = await crypto.subtle.decrypt(how, cipher, bytes.subarray(13)).catch(() => undefined);
    if (plain) return parse(text(new Uint8Array(plain)));
  }
  return { bookmarks: [], accounts: [], tags: [], isUnreadable: true };
}

/** A byte 1, the 12 bytes of the nonce, and AES-256-GCM's ciphertext with its tag. */
async function seal(own, { bookmarks, accounts, tags }) {
  const plain = utf8(JSON.stringify({ bookmarks, accounts, tags }));
  const filled = new Uint8Array(Math.ceil(plain.length / FILLED_TO) * FILLED_TO).fill(0x20);
  filled.set(plain);
  const iv = random(12);
  const how = { name: "AES-GCM", iv, additionalData: bound(own) };
  return concat(new Uint8Array([1]), iv, new Uint8Array(await crypto.subtle.encrypt(how, own.cipher, filled)));
}

async function fetched(own) {
  const kept = await get(`/v1/accounts/${own.account}/list`);
  const list = await open(own, kept.sealed);
  await remember(place(own), { list, at: Date.now() });
  return { list, version: kept.version };
}

/** The list as this device knows it; asked for if it doesn't, or not since a while. */
export async function read(own) {
  const known = await seen(place(own));
  if (known && Date.now() - known.at < KNOWN_MS) return known.list;
  try {
    return (await fetched(own)).list;
  } catch (error) {
    if (known) return known.list;
    throw error;
  }
}

/** Adds an entry to a part of the list, or takes it out. Gives the list as it is then. */
export async function set(own, part, entry, isIn) {
  for (let attempt = 1; ; attempt += 1) {
    const { list, version: last } = await fetched(own);
    list[part] = list[part].filter((other) => other !== entry);
    if (isIn) list[part].unshift(entry);
    const most = part === "bookmarks" ? BOOKMARKS_MAX : MUTES_MAX;
    if (list[part].length > most) throw new Refusal(`${part}-full`, `${part}: ${most}`);
    const sealed = await seal(own, list);
    const version = Math.max(Date.now(), last + 1);
    const content = await sha256(concat(utf8(TAG), new Uint8Array(1), await sha256(sealed)));
    try {
      await post("/v1/lists", { request: await request(own, "vault", own.name, version, content), sealed: toBase64(sealed) });
      await remember(place(own), { list, at: Date.now() });
      return list;
    } catch (error) {
      // Another device was faster: once more, over what it wrote.
      if (error.code !== "kept-version" || attempt === 4) throw error;
    }
  }
}
