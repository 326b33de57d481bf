// Who is signed in on this device.
//
// The key is kept by the browser itself, as a CryptoKey that can't be read out (extractable: false), in IndexedDB: a
// script that got into a page could act with it while the page is open, but not take it away; and what is on the disk
// is no use in another browser profile. The seed is in a page's memory only while somebody joins, signs in, changes
// the password or makes a key file. So is the key of the account's encrypted list, which follows from the seed (HKDF,
// RFC 5869), that every device of the account has the same one. Deliberately absent: sessionStorage and localStorage, which any script can read.

import { fromHex, toHex, utf8 } from "./bytes.js";
import { Refusal } from "./modules.js";

/** What comes before an Ed25519 seed in PKCS #8 (RFC 8410). */
const PKCS8 = fromHex("302e020100300506032b657004220420");

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("pitpet", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("wallet");
      request.result.createObjectStore("seen");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new Refusal("storage", "storage"));
  });
}

async function run(store, mode, action) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(store, mode);
      const request = action(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onerror = () => reject(new Refusal("storage", "storage"));
      transaction.onabort = transaction.onerror;
    });
  } finally {
    database.close();
  }
}

/** The key of an account's encrypted list. */
async function cipherOf(seed, usages) {
  const made = await crypto.subtle.importKey("raw", seed, "HKDF", false, ["deriveKey"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: utf8("pitpet/v1/list") };
  return crypto.subtle.deriveKey(how, made, { name: "AES-GCM", length: 256 }, false, usages);
}

/** What the browser keeps of a key: `{ key, signer, cipher }`; erases the seed. Lists are sealed by the newest key alone. */
async function keptOf({ key, seed }, isNewest) {
  const cipher = await cipherOf(seed, isNewest ? ["encrypt", "decrypt"] : ["decrypt"]);
  const wrapped = new Uint8Array([...PKCS8, ...seed]);
  seed.fill(0);
  const signer = await crypto.subtle.importKey("pkcs8", wrapped, { name: "Ed25519" }, false, ["sign"]);
  wrapped.fill(0);
  return { key: toHex(key), signer, cipher };
}

/** Keeps an account as the one that is signed in: its keys, newest first, as `{ key, seed }`; erases the seeds. */
export async function keep({ name, account, keys }) {
  let newest, older;
  try {
    [newest, ...older] = await Promise.all(keys.map((key, n) => keptOf(key, n === 0)));
  } catch {
    throw new Refusal("old-browser", "old-browser");
  }
  const own = { name, account: toHex(account), ...newest, older };
  await run("wallet", "readwrite", (store) => store.put(own, "own"));
  return own;
}

/** Who is signed in: `{ name, account, key, signer, cipher, older: [{ key, signer, cipher }] }`, or nothing. */
export async function own() {
  try {
    return await run("wallet", "readonly", (store) => store.get("own"));
  } catch {
    return undefined;
  }
}

/** All keys of an account that this device holds, newest first. */
export const keysOf = (own) => [own, ...(own.older ?? [])];

/** Forgets the keys, and what the device knew of the account's list and notices. */
export async function signOut() {
  const account = (await own())?.account;
  await run("wallet", "readwrite", (store) => store.delete("own"));
  for (const what of ["list", "notices", "deeds"]) await run("seen", "readwrite", (store) => store.delete(`${what} ${account}`));
}

export const sign = async ({ signer }, bytes) =>
  new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, signer, bytes));

/** What this device has seen: of a ledger its size and root, to notice one that shrinks or changes; of an account's
    list and notices what they were. */
export const seen = (kennel) => run("seen", "readonly", (store) => store.get(kennel));
export const remember = (kennel, value) => run("seen", "readwrite", (store) => store.put(value, kennel));
