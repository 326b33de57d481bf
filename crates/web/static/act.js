// What an account does: an event or a request drafted by the key module, stamped in its worker, signed by the key that
// the browser keeps, and sent.

import { get, outcome, post } from "./api.js";
import { concat, fromBase64, fromHex, random, toBase64, toHex, utf8 } from "./bytes.js";
import { keys, searchStamp } from "./keys.js";
import { Refusal } from "./modules.js";
import { reason } from "./reasons.js";
import { T } from "./texts.js";
import { keysOf, sign } from "./wallet.js";

/** How long an event stays good: an hour, of the day that the rules allow. */
const EVENT_MS = 60 * 60 * 1000;

/** How long a request stays good: half of what is allowed. */
const REQUEST_MS = 5 * 60 * 1000;

/** Bits of a request's stamp. */
const REQUEST_BITS = 16;

async function finish(key, draft, base, bits, progress) {
  const stamp = await searchStamp(base, bits, (tried) => progress?.(Math.min(0.99, tried / 2 ** bits)));
  const [stamped, signing, id] = await keys("draft_stamped", draft, stamp);
  const [signed] = await keys("draft_signed", stamped, await sign(key, signing));
  return { signed, id: toHex(id) };
}

/** What the server knows of an account; nothing if it has not acted yet. */
export async function accountOf(own) {
  try {
    return await get(`/v1/accounts/${own.account}`);
  } catch (error) {
    if (error.status === 404) return undefined;
    throw error;
  }
}

/**
 * The key to sign with: one of the current ones, of which a rekey replaces one in one town and leaves the others as they
 * are; the account's first key where it has none yet.
 */
function keyAmong(own, current) {
  const held = keysOf(own);
  if (current.length === 0) return held.at(-1);
  const key = held.find(({ key }) => current.includes(key));
  if (!key) throw new Refusal("key-replaced", T.keyReplaced);
  return key;
}

/** Signs a request that is no event; gives it as base64. */
export async function request(own, kind, ...fields) {
  // Who holds one key signs by it, and is told by the server if it was replaced.
  const account = keysOf(own).length > 1 ? await accountOf(own) : undefined;
  const key = keyAmong(own, account?.kennels.flatMap((holding) => holding.key ?? []) ?? []);
  const [draft, base] = await keys(
    "request_draft", kind, fromHex(own.account), fromHex(key.key), Date.now() + REQUEST_MS, ...fields,
  );
  return toBase64((await finish(key, draft, base, REQUEST_BITS)).signed);
}

export const kennelOf = (name) => get(`/v1/kennels/${encodeURIComponent(name)}`);

/**
 * Sends an event. `progress(part)` is told how far the stamp's search is, `onWaiting()` that the server is away. Gives
 * the event's id once it is queued.
 */
export async function send(own, kennelName, kind, fields, progress, onWaiting) {
  const kennel = await insist(() => kennelOf(kennelName), onWaiting);
  const account = await insist(() => accountOf(own), onWaiting);
  const holding = account?.kennels.find((holding) => holding.kennel === kennel.id);
  const isOffice = kind === "moderate";
  const current = isOffice
    ? (await insist(() => get(`/v1/kennels/${kennel.id}/offices`), onWaiting)).moderators
    : holding?.key ? [holding.key] : [];
  const key = keyAmong(own, current);
  const now = Date.now();
  // An office's nonces are times that have passed by the miner's clock: above all that were used so far is its head's.
  const nonce = isOffice ? kennel.timestamp_ms + 1 : Math.max(now, (holding?.nonce ?? 0) + 1);
  const more = kind === "birth" ? [...fields, fromHex(kennel.anchor)] : fields;
  const [draft, base, salt, body] = await keys(
    "event_draft", kind, fromHex(kennel.id), fromHex(own.account), fromHex(key.key), nonce, now + EVENT_MS,
    random(32), ...more,
  );
  const bits = kind === "birth" ? kennel.parameters.birth_bits : kennel.parameters.stamp_bits;
  const { signed, id } = await finish(key, draft, base, bits, progress);
  const submitted = { event: toBase64(signed) };
  if (body.length > 0) Object.assign(submitted, { salt: toBase64(salt), body: toBase64(body) });
  await insist(() => post("/v1/events", submitted), onWaiting);
  return id;
}

/** Asks again while the server is away or busy: a repeated event takes effect once. */
async function insist(attempt, onWaiting) {
  for (let pause = 500; ; pause *= 2) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error.code === "offline" || error.status === 503) || pause > 20_000) throw error;
      onWaiting?.();
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** Waits for an event of a kennel: the height of its block. */
export async function mined(id, kennel, onWaiting) {
  const event = await outcome(id, kennel, onWaiting);
  if (event.status === "rejected") {
    const code = event.reject.type.replace("/problems/", "");
    throw Object.assign(new Refusal(code, await reason(code, event.reject.detail)), { isReject: true });
  }
  return event.place.height;
}

/** Sets the password of a name: the vault that it opens holds the keyring's text. */
export async function setPassword(own, name, password, keyring) {
  const [state, message] = await keys("password_register", password, random(32));
  const version = Date.now();
  const begun = await post("/v1/sign-in/password", {
    request: await request(own, "vault", name, version, await digest(message)),
    message: toBase64(message),
  });
  const [record, exportKey] = await keys(
    "password_register_end", state, password, name, fromBase64(begun.message), random(32),
  );
  const [vault] = await keys("vault_seal", exportKey, name, keyring, random(12));
  const both = new Uint8Array([...record, ...vault]);
  await post("/v1/sign-in/vault", {
    request: await request(own, "vault", name, version, await digest(both)),
    record: toBase64(record),
    vault: toBase64(vault),
  });
}

/** Opens the vault of a name by its password: the keyring's text. */
export async function openVault(name, password) {
  const [state, message] = await keys("password_sign_in", password, random(32));
  const begun = await post("/v1/sign-in/start", { name, message: toBase64(message) });
  const [last, exportKey] = await keys(
    "password_sign_in_end", state, password, name, fromBase64(begun.message), random(32),
  );
  const opened = await post("/v1/sign-in/finish", { name, state: begun.state, message: toBase64(last) });
  const [keyring] = await keys("vault_open", exportKey, name, fromBase64(opened.vault));
  return keyring;
}

/** A keyring's text without its newest key, which stands last; nothing if it has one only. */
function withoutNewest(keyring) {
  const word = utf8("key ");
  const begins = [];
  for (let at = 0; at < keyring.length; at = keyring.indexOf(10, at) + 1 || keyring.length) {
    if (word.every((byte, n) => keyring[at + n] === byte)) begins.push(at);
  }
  if (begins.length < 2) return undefined;
  const from = begins.at(-1);
  return concat(keyring.subarray(0, from), keyring.subarray(keyring.indexOf(10, from) + 1 || keyring.length));
}

/** Reads a keyring's text: what `wallet.keep` takes. */
export async function readKeyring(keyring) {
  const [name, account, key, seed] = await keys("account_read", keyring);
  const held = [{ key, seed }];
  for (let rest = withoutNewest(keyring); rest; ) {
    const [, , key, seed] = await keys("account_read", rest);
    held.push({ key, seed });
    const shorter = withoutNewest(rest);
    rest.fill(0);
    rest = shorter;
  }
  return { name: new TextDecoder().decode(name), account, keys: held };
}

/** What is in a key file that somebody chose: a keyring's text. */
export async function openKeyFile(file, passphrase) {
  const [keyring] = await keys("key_file_open", passphrase, new Uint8Array(await file.arrayBuffer()));
  return keyring;
}

/** A key file as the command line's, under a passphrase. */
export async function keyFile(passphrase, keyring) {
  const [file] = await keys("key_file_seal", passphrase, keyring, random(48));
  return new Blob([file], { type: "application/octet-stream" });
}

async function digest(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
