#!/usr/bin/env python3
"""Writes a Debian package index into an etcd, with a history behind it.

One key per package version, `/registry/debian/packages/NAME/VERSION`, the stanza as its value. A store that was only
ever loaded has version 1 everywhere, so the script also lives a little: records arrive in transactions of different
sizes, some keys are put again (once to four times, as a controller does that renews a record), some hang on one of a
few leases, and one record in eleven is deleted, after which `--keys` of them are left. Everything follows
from the index and a fixed seed. Uses etcd's JSON gateway: one HTTP connection, no process per transaction.
"""

import argparse
import base64
import http.client
import json
import random
import re
import sys
import urllib.parse

SEED = 20261123
PREFIX = "/registry/debian/packages"
OPERATIONS_PER_TRANSACTION = 100  # etcd allows 128
BYTES_PER_TRANSACTION = 512 * 1024  # etcd allows 1.5 MiB, counted after decoding
LEASES = 4
LEASE_SECONDS = 86_400


class Gateway:
    """etcd's JSON gateway behind one kept-alive connection."""

    def __init__(self, endpoint):
        address = urllib.parse.urlsplit(endpoint)
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)

    def post(self, path, body):
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        text = response.read()
        if response.status != 200:
            sys.exit(f"etcd answered {response.status} to {path}: {text.decode(errors='replace')}")
        return json.loads(text)

    def grant_lease(self, seconds):
        return self.post("/v3/lease/grant", {"TTL": seconds})["ID"]

    def commit(self, operations):
        self.post("/v3/kv/txn", {"success": operations})


def put(key, value, lease=None):
    request = {"key": base64.b64encode(key).decode(), "value": base64.b64encode(value).decode()}
    if lease is not None:
        request["lease"] = lease
    return {"requestPut": request}


def delete(key):
    return {"requestDeleteRange": {"key": base64.b64encode(key).decode()}}


def read_index(path):
    """The stanzas of the index as a sorted list of (key, value); a version listed by two suites counts once."""
    records = {}
    with open(path, "rb") as file:
        for stanza in re.split(rb"\n\n+", file.read()):
            fields = dict(re.findall(rb"^(Package|Version): (.*)$", stanza, re.MULTILINE))
            if len(fields) == 2:
                key = b"/".join([PREFIX.encode(), fields[b"Package"], fields[b"Version"]])
                records[key] = stanza.strip(b"\n") + b"\n"
    return sorted(records.items())


def spread(records, count):
    """`count` records at even distances over the whole list."""
    return [records[index * len(records) // count] for index in range(count)]


def transactions(operations, chance, largest):
    """Cuts (operation, bytes) pairs into transactions of 1 to `largest` operations that etcd accepts."""
    batch, size, room = [], 0, chance.randint(1, largest)
    for operation, length in operations:
        if batch and (len(batch) == room or size + length > BYTES_PER_TRANSACTION):
            yield batch
            batch, size, room = [], 0, chance.randint(1, largest)
        batch.append(operation)
        size += length
    if batch:
        yield batch


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", required=True, help="http://HOST:PORT of an empty etcd")
    parser.add_argument("--keys", default="all", help="keys that are left at the end, or all")
    parser.add_argument("index", help="output of apt-cache dumpavail")
    options = parser.parse_args()

    chance = random.Random(SEED)
    gateway = Gateway(options.endpoint)
    records = read_index(options.index)
    if options.keys != "all":
        wanted = int(options.keys)
        total = wanted + max(1, wanted // 10)
        if total > len(records):
            sys.exit(f"--keys {wanted} is too many: the index has {len(records)} records, a tenth are deleted again")
        records = spread(records, total)
        deleted = chance.sample(records, total - wanted)
    else:
        deleted = chance.sample(records, len(records) // 11)
    largest = min(OPERATIONS_PER_TRANSACTION, max(1, len(records) // 20))

    def write(operations):
        for batch in transactions(operations, chance, largest):
            gateway.commit(batch)

    leases = [gateway.grant_lease(LEASE_SECONDS) for _ in range(LEASES)]
    held = {key: leases[chance.randrange(LEASES)] for key, _ in chance.sample(records, len(records) // 20)}
    gone = {key for key, _ in deleted}
    kept = [record for record in records if record[0] not in gone]

    arriving = records[:]
    chance.shuffle(arriving)
    write((put(key, value, held.get(key)), len(value)) for key, value in arriving)
    for _ in range(4):
        # Each round puts a tenth of the kept keys again; a key may be drawn in several rounds.
        write((put(key, value, held.get(key)), len(value)) for key, value in chance.sample(kept, len(kept) // 10))
    write((delete(key), len(key)) for key, _ in deleted)
    print(f"{len(records)} records written, {len(deleted)} deleted, {len(kept)} left", file=sys.stderr)


if __name__ == "__main__":
    main()
