// Uploads a photo: a signed request gets a ticket for exactly these bytes.

import { request } from "./act.js";
import { post, put } from "./api.js";
import { sha256 } from "./bytes.js";

/** Gives the photo's SHA-256. */
export async function upload(own, blob, progress) {
  const hash = await sha256(await blob.arrayBuffer());
  const ticket = await post("/v1/media", { request: await request(own, "upload", hash, blob.size, blob.type) });
  await put(ticket, blob, progress);
  return hash;
}
