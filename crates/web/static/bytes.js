// Bytes, and the layout in which they cross to the key module: each field a length (u32, little-endian) and that many
// bytes. Nothing in this layout is hashed, signed or stored; everything that is, is encoded by the module.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function fromHex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error("not hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export const random = (count) => crypto.getRandomValues(new Uint8Array(count));

export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

export const text = (bytes) => decoder.decode(bytes);

export const utf8 = (from) => encoder.encode(from);

/** A field of a call: bytes as they are, a text as UTF-8, a number as 8 bytes. */
function field(value) {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return encoder.encode(value);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

export function writeFields(values) {
  const parts = [];
  for (const value of values) {
    const bytes = field(value);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes.length, true);
    parts.push(length, bytes);
  }
  return concat(...parts);
}

export function readFields(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fields = [];
  let at = 0;
  while (at < bytes.length) {
    const length = view.getUint32(at, true);
    fields.push(bytes.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return fields;
}

export const number = (bytes) =>
  Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(0, true));
