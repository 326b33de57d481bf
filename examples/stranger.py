#!/usr/bin/env python3
"""A client that shares no code with PitPet, written from docs/wire-format.md alone.

    stranger.py live URL PHOTO FILE   makes an account, gives birth to a pet, posts, checks the post's
                                      proof down to the signed checkpoint, and saves it
    stranger.py check FILE            checks a saved proof again, without a server

Exits 0 if the proof holds, 1 if it doesn't or the server refuses, 2 if it is called otherwise.
"""
import base64, hashlib, json, os, sys, time
import urllib.error, urllib.parse, urllib.request

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class Refused(Exception):
    """A proof does not show what it claims, or the server refused a request."""


def require(holds, otherwise):
    if not holds:
        raise Refused(otherwise)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def h(tag, *parts):
    return sha256(b"pitpet/v1/", tag.encode(), b"\0", *parts)


def b64(data):
    return base64.b64encode(data).decode()


def un64(text):
    return base64.b64decode(text, validate=True)


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


def root_from(leaf, index, size, path):
    """The root that a path of RFC 9162 section 2.1.3.2 leads to."""
    require(index < size, "the leaf is outside its tree")
    at, last, node = index, size - 1, sha256(b"\0", leaf)
    for sibling in path:
        require(last > 0, "a path is too long")
        if at & 1 or at == last:
            node = sha256(b"\1", sibling, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = sha256(b"\1", node, sibling)
        at, last = at >> 1, last >> 1
    require(last == 0, "a path is too short")
    return node


def check(saved):
    """Everything that the document asks for before an event is trusted; the height and the changes."""
    kennel, event_id = bytes.fromhex(saved["kennel"]), bytes.fromhex(saved["event"])
    genesis = un64(saved["genesis"])
    require(h("kennel", genesis) == kennel, "the genesis is another kennel's")
    checkpoint_key = cbor2.loads(genesis)[7]
    # The event and its receipt are in the block.
    proof = cbor2.loads(un64(saved["proof"]))
    header_bytes, index, signed, events, event_path, receipt_bytes, receipts, receipt_path = proof
    header, receipt = cbor2.loads(header_bytes), cbor2.loads(receipt_bytes)
    unsigned, signature = cbor2.loads(signed)
    require(header[1] == kennel and cbor2.loads(unsigned)[1] == kennel, "the proof is of another kennel")
    require(h("event", unsigned) == event_id == receipt[0], "the proof is of another event")
    author = Ed25519PublicKey.from_public_bytes(cbor2.loads(unsigned)[3])
    author.verify(signature, b"pitpet/v1/signature\0" + event_id)
    require(root_from(signed, index, events, event_path) == header[6], "the event is not in the block")
    require(root_from(receipt_bytes, index, receipts, receipt_path) == header[7], "the receipt is not in the block")
    # The checkpoint is signed by the key in the genesis.
    text, _, signatures = saved["checkpoint"].partition("\n\n")
    origin, size, root = text.split("\n")
    require(origin == kennel.hex(), "the checkpoint is another kennel's")
    lines = [line.split(" ") for line in signatures.splitlines()]
    noted = next((un64(line[2]) for line in lines if line[:2] == ["—", origin]), None)
    require(noted, "the checkpoint is not signed by its kennel")
    require(noted[:4] == sha256(origin.encode(), b"\n\1", checkpoint_key)[:4], "the checkpoint names another key")
    Ed25519PublicKey.from_public_bytes(checkpoint_key).verify(noted[4:], (text + "\n").encode())
    # The block is in the log that the checkpoint signs.
    height, log_size, log_path = cbor2.loads(un64(saved["log_proof"]))
    require(height == header[2] and log_size == int(size), "the log proof is of another block or checkpoint")
    block_hash = h("block", header_bytes)
    require(root_from(block_hash, height, log_size, log_path) == un64(root), "the block is not in the log")
    # Headers lead from it to the checkpoint's newest block, each naming the one before.
    chain = [un64(header) for header in saved["headers"]]
    require(len(chain) == log_size - height and chain[0] == header_bytes, "headers are missing")
    for at, (parent, child) in enumerate(zip(chain, chain[1:]), height + 1):
        fields = cbor2.loads(child)
        require(fields[1:3] == [kennel, at] and fields[5] == h("block", parent), f"block {at} does not follow")
    return height, receipt[1]


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


def main(arguments):
    try:
        match arguments:
            case ["live", url, photo, file]:
                saved = live(url, photo, file)
            case ["check", file]:
                saved = json.load(open(file))
            case _:
                print(__doc__, file=sys.stderr)
                return 2
        height, changes = check(saved)
    except InvalidSignature:
        print("refused: a signature is wrong", file=sys.stderr)
        return 1
    except (Refused, cbor2.CBORDecodeError, OSError, ValueError, TypeError, IndexError, KeyError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    pets = [change[1] for change in changes if change[0] == 1]
    print(f"posted {saved['event']} at height {height}; its proof holds; the pet has {pets[0][10]} post(s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
