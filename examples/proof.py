#!/usr/bin/env python3
"""Checks a saved proof down to the signed checkpoint, without a server; from docs/wire-format.md alone.

    proof.py FILE

Exits 0 if the proof holds, 1 if it doesn't, 2 if it is called otherwise.
"""
import base64, hashlib, json, sys

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    """A proof does not show what it claims, or the server refused a request."""


def require(holds, otherwise):
    if not holds:
        raise Refused(otherwise)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def h(tag, *parts):
    return sha256(b"pitpet/v1/", tag.encode(), b"\0", *parts)


def un64(text):
    return base64.b64decode(text, validate=True)


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


def run(work):
    """The exit code of a piece of work that ends in a saved proof."""
    try:
        saved = work()
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
    if len(sys.argv) != 2:
        sys.exit(print(__doc__, file=sys.stderr) or 2)
    sys.exit(run(lambda: json.load(open(sys.argv[1]))))
