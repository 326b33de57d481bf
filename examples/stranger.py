#!/usr/bin/env python3
"""A client that shares no code with PitPet, written from docs/wire-format.md alone.

    stranger.py URL PHOTO FILE

It makes an account, gives birth to a pet, posts, saves the post's proof, and checks it as proof.py does,
whose exit codes it has; 1 also if the server refuses.
"""
import base64, hashlib, json, os, sys, time
import urllib.error, urllib.parse, urllib.request

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proof import Refused, h, require, run, sha256, un64


def b64(data):
    return base64.b64encode(data).decode()


def stamp(base, bits):
    """The first stamp whose work begins with so many zero bits."""
    start, stamp = hashlib.sha256(b"pitpet/v1/work\0" + base), 0
    while True:
        trial = start.copy()
        trial.update(stamp.to_bytes(8, "big"))
        if int.from_bytes(trial.digest(), "big") >> (256 - bits) == 0:
            return stamp
        stamp += 1


class Client:
    """A new account in one kennel of one server."""

    def __init__(self, url, label):
        self.url, self.key, self.nonce = url, Ed25519PrivateKey.generate(), 0
        self.public = self.key.public_key().public_bytes_raw()
        self.account = h("account", self.public)
        self.kennel_path = f"/v1/kennels/{label}"
        view = self.get(self.kennel_path)
        self.genesis, self.anchor = un64(view["genesis"]), bytes.fromhex(view["anchor"])
        self.kennel = h("kennel", self.genesis)
        self.stamp_bits, self.birth_bits = cbor2.loads(self.genesis)[1][11:13]

    def call(self, path, data=None, method=None, headers=None):
        request = urllib.request.Request(urllib.parse.urljoin(self.url, path), data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(f"{path}: {error.code} {error.read().decode()}") from None

    def get(self, path):
        return json.loads(self.call(path))

    def post(self, path, value):
        return json.loads(self.call(path, json.dumps(value).encode(), headers={"content-type": "application/json"}))

    def upload(self, photo, content_type):
        expires_ms = int(time.time() * 1000) + 300_000
        request = [1, self.account, self.public, expires_ms, [2, sha256(photo), len(photo), content_type], 0]
        request[5] = stamp(h("stamp", cbor2.dumps(request)), 16)
        signature = self.key.sign(b"pitpet/v1/request\0" + cbor2.dumps(request))
        ticket = self.post("/v1/media", {"request": b64(cbor2.dumps([request, signature]))})
        self.call(ticket["url"], photo, ticket["method"], ticket["headers"])

    def submit(self, payload, body, salt, bits):
        """Signs, stamps and sends an event with its body; returns what the server says once it is mined."""
        self.nonce += 1
        expires_ms = int(time.time() * 1000) + 3_600_000
        event = [1, self.kennel, self.account, self.public, self.nonce, expires_ms, payload]
        event.append(stamp(h("stamp", cbor2.dumps(event)), bits))
        event_id = h("event", cbor2.dumps(event))
        signed = cbor2.dumps([cbor2.dumps(event), self.key.sign(b"pitpet/v1/signature\0" + event_id)])
        self.post("/v1/events", {"event": b64(signed), "salt": b64(salt), "body": b64(body)})
        view = self.get(f"/v1/events/{event_id.hex()}?wait_ms=20000")
        require(view["status"] == "mined", f"rejected: {view.get('reject')}")
        return event_id, view

    def headers(self, first, last):
        """Headers of blocks, as a chain from one height to another."""
        heights = range(first, last + 1)
        blocks = [un64(self.get(f"{self.kennel_path}/blocks/{height}")["bytes"]) for height in heights]
        return [b64(cbor2.dumps(cbor2.loads(block)[0])) for block in blocks]


def live(url, photo_path, file):
    photo = open(photo_path, "rb").read()
    client = Client(url, "classic")
    client.upload(photo, "image/png" if photo.startswith(b"\x89PNG") else "image/jpeg")

    body, salt = cbor2.dumps(["Mochi", "Came in through the window."]), os.urandom(32)
    birth = [1, sha256(photo), h("body", salt, body), None, client.anchor]
    pet, view = client.submit(birth, body, salt, client.birth_bits)
    print(f"born {pet.hex()} at height {view['place']['height']}")

    body, salt = cbor2.dumps(["Hello from a stranger.", ["first"]]), os.urandom(32)
    post, view = client.submit([2, pet, None, h("body", salt, body)], body, salt, client.stamp_bits)
    proof, height = view["place"]["proof"], view["place"]["height"]
    size = int(proof["checkpoint"].split("\n")[1])
    saved = {"kennel": client.kennel.hex(), "genesis": b64(client.genesis), "event": post.hex(), **proof}
    saved["headers"] = client.headers(height, size - 1)
    with open(file, "w") as out:
        json.dump(saved, out, indent=1)
    return saved


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(print(__doc__, file=sys.stderr) or 2)
    sys.exit(run(lambda: live(*sys.argv[1:])))
