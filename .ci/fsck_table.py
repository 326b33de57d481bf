#!/usr/bin/env python3
"""`pitpet fsck --table` against an emulated DynamoDB.

    .ci/fsck_table.py --pitpet PROGRAM --ministack PROGRAM

A service runs in one process and plays a game; all that its table holds is carried over to a table
of MiniStack's. There `fsck` must find nothing; then one thing after the other is damaged: `fsck` must
name it, repair it so that the table is as it was, or say what is lost.
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

    def repairs(self, what, place, damage, before):
        """Damages; the fault must be named, and be gone after a repair, with everything as it was."""
        damage()
        code, found = self.fsck()
        assert code == 1, f"{what}: nothing was found"
        said = [f"{fault['place']}: {fault['flaw']}" for fault in found["faults"]]
        assert any(place in line for line in said), f"{what}: {place} is not named in {said}"
        code, repaired = self.fsck("--repair")
        assert code == 0 and repaired["summary"]["repaired"] >= 1, f"{what}: {repaired}"
        assert self.fsck()[0] == 0, f"{what}: the repair leaves faults"
        assert self.table.all() == before, f"{what}: the repair leaves another table"
        print(f"  {what}: found and repaired ({said[0]})")


def play(pitpet, folder, environment):
    """A service with a game in it; gives its table, copied, and ends it."""
    data, log = os.path.join(folder, "data"), open(os.path.join(folder, "serve.log"), "w+", encoding="utf-8")
    command = [pitpet, "serve", "--listen", "127.0.0.1:0", "--data-dir", data]
    service = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def said():
        with open(log.name, encoding="utf-8") as lines:
            return re.search(r"http://127\.0\.0\.1:\d+", lines.read())

    try:
        url = until("the service starts", said)[0]
        subprocess.run(
            [pitpet, "--url", url, "demo", "--pace-ms", "0", "--within-s", "900"],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        source = Table(until("the engine listens", lambda: engine_of(service.pid)), TABLE)
        source.name = source.call("ListTables")["TableNames"][0]
        return source.call("DescribeTable")["Table"], source.all(), data
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(timeout=30)
        log.close()


def check(bench, kennel, before):
    """One damage after the other."""
    code, clean = bench.fsck()
    assert code == 0, clean
    summary = clean["summary"]
    print(f"  clean: {summary['blocks']} blocks executed again, {summary['items']} items held against them")
    assert summary["executed"] > 10 and summary["items"] > 50, summary

    def first(pk, sk):
        return next(key for key in sorted(before) if key[0].startswith(pk) and key[1].startswith(sk))

    def altered(key, **attributes):
        return lambda: bench.table.put({**before[key], **attributes})

    rubbish = {"B": base64.b64encode(b"rubbish").decode()}
    other = {"B": base64.b64encode(bytes([7] * 32)).decode()}
    card, account, post = first("P#", "CARD"), first("A#", "K#"), first("O#", "CARD")
    entry, place, feed = first("P#", "E#"), first("E#", "PLACE"), first("F#", "0")
    track = first(f"K#{kennel}", "T#")
    for what, key in [("a card", card), ("an account", account), ("a post", post), ("an entry", entry),
                      ("a place", place), ("an entry of a feed", feed), ("a track", track)]:
        bench.repairs(f"{what} is gone", key[0].split("#")[1], lambda key=key: bench.table.delete(key), before)
    bench.repairs("a card has another record", card[0][2:], altered(card, record=rubbish), before)
    bench.repairs("a place names another block", place[0][2:], altered(place, hash=other), before)
    bench.repairs("a track names another block", kennel, altered(track, hash=other), before)
    extra = (entry[0], "E#" + "9" * 20 + "#00000")
    bench.repairs(
        "an entry that nothing implies",
        entry[0][2:],
        lambda: bench.table.put({**before[entry], "sk": {"S": extra[1]}}),
        before,
    )

    body = first("E#", "BODY")
    bench.table.delete(body)
    for arguments in [(), ("--repair",)]:
        code, lost = bench.fsck(*arguments)
        assert code == 1 and lost["faults"][0]["remedy"] == "lost", lost
        assert body[0][2:] in lost["faults"][0]["place"], lost
    print(f"  a body is gone: lost ({lost['faults'][0]['place']}: {lost['faults'][0]['loss']})")
    bench.table.put(before[body])

    block = first(f"K#{kennel}", "B#" + "0" * 19 + "1")
    bench.table.delete(block)
    code, lost = bench.fsck("--repair")
    assert code == 1 and lost["summary"]["lost"] >= 1, lost
    print(f"  a block is gone: lost ({lost['faults'][0]['place']}: {lost['faults'][0]['flaw']})")
    # From a backup: with it all that the repair could not derive without it.
    bench.table.put(before[block])
    code, repaired = bench.fsck("--repair")
    said = [f"{fault['place']}: {fault['flaw']} ({fault['remedy']})" for fault in repaired["faults"]]
    assert code == 0 and bench.table.all() == before, said
    print(f"  the block is back: {len(said)} faults repaired, all is as it was")


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
        kennel = base64.b64decode(before[("KENNELS", "classic")]["kennel"]["B"]).hex()
        print(f"  {len(before)} items carried over")
        bench = Bench(arguments.pitpet, table, f"file://{os.path.join(data, 'objects')}", cloud)
        check(bench, kennel, before)
    finally:
        emulator.kill()
        emulator.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
