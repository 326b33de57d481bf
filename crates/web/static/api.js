// The HTTP API: JSON, and problem documents in words.

import { Refusal } from "./modules.js";
import { reason } from "./reasons.js";

async function answer(response) {
  const body = await response.json().catch(() => {
    // An answer that was cut short is none; of a problem the status is enough.
    if (response.ok) throw new Refusal("offline", "offline");
    return {};
  });
  if (!response.ok) {
    const code = (body.type ?? "").replace("/problems/", "") || String(response.status);
    throw Object.assign(new Refusal(code, await reason(code, body.detail ?? response.statusText)), {
      status: response.status,
      field: body.field,
    });
  }
  return body;
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal("offline", "offline");
  }
  return answer(response);
}

export const get = (path) => request(path);

export const post = (path, value) =>
  request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

/** Uploads with progress from 0 to 1, which fetch doesn't tell. */
export function put(ticket, blob, progress) {
  return new Promise((resolve, reject) => {
    const upload = new XMLHttpRequest();
    upload.open(ticket.method, ticket.url);
    for (const [name, value] of Object.entries(ticket.headers)) upload.setRequestHeader(name, value);
    upload.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    upload.onload = () =>
      upload.status < 300 ? resolve() : reject(new Refusal("upload", `${upload.status} ${upload.statusText}`));
    upload.onerror = () => reject(new Refusal("offline", "offline"));
    upload.send(blob);
  });
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until an event of a kennel is mined or rejected; goes on while the server is away. */
export async function outcome(id, kennel, onWaiting) {
  for (let pause = 500; ; pause = Math.min(pause * 2, 8000)) {
    try {
      const event = await get(`/v1/events/${id}?kennel=${kennel}&wait_ms=10000&proof=false`);
      return event;
    } catch (error) {
      if (error.status === 404) {
        pause = 250;
      } else if (error.code !== "offline" && !(error.status >= 500)) {
        throw error;
      }
      onWaiting?.(error.code);
    }
    await wait(pause);
  }
}
