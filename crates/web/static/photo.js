// A photo, encoded anew in the page: cropped to a square around its middle, at most 1,200 pixels wide, as JPEG. What the
// camera wrote beside the picture (where and when it was taken, with what) never leaves the page.

import { Refusal } from "./modules.js";
import { T } from "./texts.js";

const SIDE_MAX = 1200;
const PIXELS_MAX = 60e6;
const BYTES_MAX = 2 * 1024 * 1024;

/** What a browser decodes as a picture, and nothing that may hold a script. */
const TYPES = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/avif", "image/heic", "image/heif"];

export const ACCEPT = TYPES.join(",");

/** Size of a JPEG, PNG, GIF or WebP by its head, before a pixel of it is decoded; nothing for others. */
function measure(head) {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const is = (at, text) => [...text].every((char, index) => head[at + index] === char.charCodeAt(0));
  try {
    if (is(1, "PNG")) return [view.getUint32(16), view.getUint32(20)];
    if (is(0, "GIF8")) return [view.getUint16(6, true), view.getUint16(8, true)];
    if (is(8, "WEBPVP8X")) {
      const at = (offset) => (view.getUint32(offset, true) & 0xffffff) + 1;
      return [at(24), at(27)];
    }
    if (view.getUint16(0) === 0xffd8) {
      for (let at = 2; at + 9 < head.length; at += 2 + view.getUint16(at + 2)) {
        const marker = view.getUint16(at);
        if (marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker)) {
          return [view.getUint16(at + 7), view.getUint16(at + 5)];
        }
      }
    }
  } catch {
    // Shorter than its kind of head: the browser decides.
  }
  return undefined;
}

/** Gives the photo as a JPEG blob, and its object URL to show. */
export async function prepare(file) {
  if (!TYPES.includes(file.type)) throw new Refusal("photo", T.badPhoto);
  const size = measure(new Uint8Array(await file.slice(0, 256 * 1024).arrayBuffer()));
  if (size && size[0] * size[1] > PIXELS_MAX) {
    throw new Refusal("photo", T.hugePhoto(Math.round((size[0] * size[1]) / 1e6)));
  }
  let image;
  try {
    image = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Refusal("photo", T.badPhoto);
  }
  const side = Math.min(image.width, image.height);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.min(side, SIDE_MAX);
  const context = canvas.getContext("2d");
  // JPEG has no transparency.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(
    image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, canvas.width, canvas.height,
  );
  image.close();
  for (const quality of [0.86, 0.7, 0.5]) {
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
    if (blob?.type !== "image/jpeg") throw new Refusal("photo", T.noWriting);
    if (blob.size <= BYTES_MAX) return blob;
  }
  throw new Refusal("photo", T.noWriting);
}
