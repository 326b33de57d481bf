#!/usr/bin/env python3
"""`pitpet fsck --table` against an emulated DynamoDB.

    .ci/fsck_table.py --pitpet PROGRAM --ministack PROGRAM

A service runs in one process and plays games until a window of blocks is published; all that its table
holds is carried over to a table of MiniStack's. There `fsck` must find nothing; then one thing after the
other is damaged: `fsck` must name it, repair it so that the table is as it was, or say what is lost.
"""

import argparse
import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

TABLE = "pitpet"
REGION = "eu-west-1"
# Games, at most: a window takes 512 blocks, and a game has some 60.
GAMES_MAX = 30
# The rows of a bucket of words that lists nothing.
NO_ROWS = b"\x80"
# What is said of what is gone.
MISSING = "it is missing"
# 32 bytes in CBOR, as ids and hashes are in rows.
DIGEST = b"\x58\x20"


class Table:
    """A table of DynamoDB's API at an address."""

    def __init__(self, address, name):
        self.address, self.name = address, name

    def call(self, operation, **fields):
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/dynamodb/aws4_request, "
            "SignedHeaders=host, Signature=0",
        }
        named = {} if operation == "ListTables" else {"TableName": self.name}
        body = json.dumps({**named, **fields}).encode()
        request = urllib.request.Request(self.address, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            sys.exit(f"{operation} was refused: {error.read().decode()}")

    def all(self):
        """Every item, by its key."""
        items, more = {}, {}
        while True:
            page = self.call("Scan", **more)
            items.update({(item["pk"]["S"], item["sk"]["S"]): item for item in page["Items"]})
            if "LastEvaluatedKey" not in page:
                return items
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def get(self, key):
        return self.call("GetItem", Key={"pk": {"S": key[0]}, "sk": {"S": key[1]}}, ConsistentRead=True).get("Item")

    def put(self, item):
        self.call("PutItem", Item=item)

    def delete(self, key):
        self.call("DeleteItem", Key={"pk": {"S": key[0]}, "sk": {"S": key[1]}})


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, probe, seconds=60):
    """Looks again until there is something to be had."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        found = probe()
        if found:
            return found
        time.sleep(0.1)
    sys.exit(f"{what}: not within {seconds} s")


def engine_of(pid):
    """Where the engine inside of a service listens: on an address of loopback's that is its own."""
    sockets = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as lines:
        for line in list(lines)[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            host = ".".join(str(part) for part in reversed(bytes.fromhex(address)))
            if fields[3] == "0A" and fields[9] in sockets and host != "127.0.0.1":
                return f"http://{host}:{int(port, 16)}/"
    return None


class Damage:
    """An item that is made another one, or none; and how it is to be named."""

    def __init__(self, what, key, item, flaw):
        self.what, self.key, self.item, self.flaw = what, key, item, flaw
        self.place = f"item {key[0]} · {key[1]}"

    def do(self, table):
        if self.item is None:
            table.delete(self.key)
        else:
            table.put({**self.item, "pk": {"S": self.key[0]}, "sk": {"S": self.key[1]}})


class Bench:
    """The table under test, and the checker."""

    def __init__(self, pitpet, table, objects, environment):
        self.pitpet, self.table, self.objects, self.environment = pitpet, table, objects, environment

    def fsck(self, *more):
        """Exit code and answer."""
        command = [self.pitpet, "--json", "fsck", "--table", TABLE, "--objects", self.objects, *more]
        ran = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if ran.returncode not in (0, 1):
            sys.exit(f"fsck ended with {ran.returncode}: {ran.stderr}")
        return ran.returncode, json.loads(ran.stdout)

    def faults(self, *more):
        """What is named, by its place."""
        code, found = self.fsck(*more)
        faults = {fault["place"]: fault for fault in found["faults"]}
        assert code == int(any(fault["remedy"] != "repaired" for fault in faults.values())), found
        return faults

    def named(self, faults, damages, remedy, flaw=None):
        """Each of what was damaged must be named, with its flaw and remedy; gives what else is named."""
        rest = dict(faults)
        for damage in damages:
            fault = rest.pop(damage.place, None)
            assert fault, f"{damage.what}: {damage.place} is not named in {list(faults)}"
            assert (fault["flaw"], fault["remedy"]) == (flaw or damage.flaw, remedy), f"{damage.what}: {fault}"
        return rest

    def restored(self, before):
        """A repair leaves no fault, and the table as it was; gives how many it made good."""
        code, repaired = self.fsck("--repair")
        assert code == 0, repaired
        after = self.table.all()
        changed = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
        # Nothing is wrong in such a table: that was seen.
        assert not changed, f"the repair leaves another table: {[(before.get(key), after.get(key)) for key in changed]}"
        return repaired["summary"]["repaired"]

    def repairs(self, damages, before):
        """Each must be named, and nothing else; a repair leaves everything as it was."""
        for damage in damages:
            damage.do(self.table)
        faults = self.faults()
        more = self.named(faults, damages, "repairable")
        assert not more, f"more is named than was damaged: {more}"
        assert self.restored(before) == len(damages)
        for damage in damages:
            print(f"  {damage.what}: found and repaired ({damage.place}: {faults[damage.place]['flaw']})")

    def loses(self, damages, before, may_follow):
        """Each must be named as lost, also by a repair and after it, until the items are back."""
        for damage in damages:
            damage.do(self.table)
        faults = self.faults()
        for found in [faults, self.faults("--repair")]:
            others = self.named(found, damages, "lost")
            assert all(may_follow(place) for place in others), f"more is named than was damaged: {others}"
        # Now what was false is gone too, and what followed from it is repaired.
        others = self.named(self.faults("--repair"), damages, "lost", MISSING)
        assert not others, f"the repair leaves faults: {others}"
        for damage in damages:
            fault = faults[damage.place]
            print(f"  {damage.what}: lost ({damage.place}: {fault['flaw']}; {fault['loss']})")
        # From a backup: with them all that a repair could not derive without them.
        for damage in damages:
            self.table.put(before[damage.key])
        print(f"  back again: {self.restored(before)} faults repaired, all is as it was")


def kennel_in(listed):
    """Which kennel a label leads to."""
    return base64.b64decode(listed["kennel"]["B"]).hex()


def play(pitpet, folder, environment):
    """A service with a published window in it; gives its table, copied, and ends it."""
    data, log = os.path.join(folder, "data"), open(os.path.join(folder, "serve.log"), "w+", encoding="utf-8")
    command = [pitpet, "serve", "--listen", "127.0.0.1:0", "--data-dir", data]
    service = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def said():
        with open(log.name, encoding="utf-8") as lines:
            return re.search(r"http://127\.0\.0\.1:\d+", lines.read())

    try:
        url = until("the service starts", said)[0]
        source = Table(until("the engine listens", lambda: engine_of(service.pid)), TABLE)
        source.name = source.call("ListTables")["TableNames"][0]
        head = (f"K#{kennel_in(source.get(('KENNELS', 'classic')))}", "HEAD")

        def height(name):
            return int(source.get(head)[name]["N"])

        games = 0
        while height("published_height") == 0:
            assert games < GAMES_MAX, f"after {games} games of {height('height')} blocks no window is published"
            subprocess.run(
                [pitpet, "--url", url, "demo", "--pace-ms", "0", "--within-s", "900"],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            games += 1

        def quiet():
            items = source.all()
            # What the reaper does goes on after the last game.
            time.sleep(2)
            return items if source.all() == items else None

        items = until("the service is quiet", quiet, 300)
        published = height("published_height")
        print(f"  {games} games: {published} of {height('height')} blocks are published")
        assert published < height("height"), "no block is in an open window"
        return source.call("DescribeTable")["Table"], items, data
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(timeout=30)
        log.close()


def check(bench, kennel, before):
    """One kind of damage after the other. Each run costs the emulator a thousand queries."""
    code, clean = bench.fsck()
    assert code == 0, clean
    summary = clean["summary"]
    print(f"  clean: {summary['blocks']} blocks executed again, {summary['items']} items held against them")
    assert summary["executed"] > 500 and summary["items"] > 1_000 and summary["unpublished"] > 0, summary

    def some(pk, sk="", has=lambda item: True):
        return [key for key in sorted(before) if key[0].startswith(pk) and key[1].startswith(sk) and has(before[key])]

    def content(key, name="rows"):
        return base64.b64decode(before[key][name]["B"])

    def altered(key, name, value):
        return {**before[key], name: {"B": base64.b64encode(value).decode()}}

    def of_another(key):
        """The first id or hash of the rows is another."""
        rows = content(key)
        at = rows.index(DIGEST) + len(DIGEST)
        return altered(key, "rows", rows[:at] + bytes([7] * 32) + rows[at + 32 :])

    def flipped(key, name="rows"):
        value = content(key, name)
        return altered(key, name, value[:-1] + bytes([value[-1] ^ 1]))

    # Some items are held against what others lead to, and are named with those: that a story waits to be ended
    # against the card of its pet, a photo's event against its place and track. The games show the same photos, and
    # the newest of their events is named.
    card = some("P#", "CARD", lambda item: "died_height" not in item)[0]
    account, post = some("A#", "K#")[0], some("O#", "CARD")[0]
    entries, feed = some("P#", "E#")[0], some(f"F#{kennel}#")[0]
    genesis, tracks, _, later_tracks, *more_tracks = some(f"K#{kennel}", "T#")
    assert len(more_tracks) > 2, more_tracks
    shown = [content(key, "event") for key in some("M#", "REF")]
    # A bucket's partition is short: others are of one event each.
    places = next(
        key for key in some("E#") if len(key[0]) == len("E#00") and not any(id in content(key) for id in shown)
    )
    words, other_words = some("W#~", has=lambda item: base64.b64decode(item["rows"]["B"]) != NO_ROWS)[:2]
    gone = [
        ("a card", card),
        ("an account", account),
        ("a post", post),
        ("a run of a timeline", entries),
        ("a bucket of places", places),
        ("a run of a feed", feed),
        ("the genesis block's track", genesis),
        ("the first run of tracks", tracks),
        ("a later one", later_tracks),
        ("a bucket of words", words),
    ]
    bench.repairs([Damage(f"{what} is gone", key, None, MISSING) for what, key in gone], before)

    rows = "its rows is not what the chain implies"
    changed = [
        ("a card has another record", card, altered(card, "record", b"rubbish"), rows.replace("rows", "record")),
        ("a timeline names another event", entries, of_another(entries), rows),
        ("a place is another event's", places, of_another(places), rows),
        ("a feed names another event", feed, of_another(feed), rows),
        ("a track names another block", tracks, of_another(tracks), rows),
        ("a text is listed under another word", words, flipped(words), rows),
        ("a bucket lists nothing", other_words, altered(other_words, "rows", NO_ROWS), rows),
    ]
    bench.repairs([Damage(*one) for one in changed], before)

    # Of heights and times that the chain doesn't have.
    nines = "9" * 15
    unimplied = [
        ("a run of a timeline", entries, f"E#{nines}99999#00000"),
        ("a run of a feed", feed, f"{nines}#00000{nines}#00000#{kennel[:8]}"),
        ("a run of tracks", tracks, f"T#00000{nines}"),
        ("a bucket of places", places, f"{nines}#00000{nines}#{kennel}"),
        ("a bucket of words", words, f"{nines}#00000{nines}#{kennel}"),
    ]
    flaw = "nothing in the chain implies it"
    bench.repairs(
        [Damage(f"{what} that nothing implies", (key[0], sk), before[key], flaw) for what, key, sk in unimplied],
        before,
    )

    # Of posts and comments each an attribute, named by its place in the block; a birth's is an item.
    texts, other, another = some(f"C#{kennel}")[:3]
    name, other_name = (next(name for name in sorted(before[key]) if name.isdigit()) for key in (other, another))
    without = {key: value for key, value in before[other].items() if key != name}
    birth = some("E#", "BODY")[0]
    lost = [
        ("a block's texts are gone", texts, None, MISSING),
        ("a text is gone", other, without, MISSING),
        ("a text is another", another, flipped(another, other_name), "it is not the body that its event commits to"),
        ("a birth's text is gone", birth, None, MISSING),
    ]
    # They are not listed under their words any more.
    bench.loses([Damage(*one) for one in lost], before, lambda place: place.startswith("item W#~"))

    block = some(f"K#{kennel}", "B#" + "0" * 19 + "1")[0]
    bench.loses([Damage("a block is gone", block, None, MISSING)], before, lambda place: False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pitpet", required=True)
    parser.add_argument("--ministack", required=True)
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="pitpet-fsck-")
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "HOME": folder}
    cloud = {
        **environment,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    emulator = subprocess.Popen(
        [arguments.ministack],
        cwd=folder,
        env={
            **environment,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": "123456789012",
            "TMPDIR": folder,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        shape, items, data = play(arguments.pitpet, folder, environment)
        table = Table(cloud["AWS_ENDPOINT_URL"] + "/", TABLE)

        def answers():
            try:
                return table.call("ListTables") is not None
            except OSError:
                return False

        until("MiniStack starts", answers)
        table.call(
            "CreateTable",
            KeySchema=shape["KeySchema"],
            AttributeDefinitions=shape["AttributeDefinitions"],
            BillingMode="PAY_PER_REQUEST",
        )
        for item in items.values():
            table.put(item)
        before = table.all()
        assert len(before) == len(items)
        kennel = kennel_in(before[("KENNELS", "classic")])
        print(f"  {len(before)} items carried over")
        bench = Bench(arguments.pitpet, table, f"file://{os.path.join(data, 'objects')}", cloud)
        check(bench, kennel, before)
    finally:
        emulator.kill()
        emulator.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
