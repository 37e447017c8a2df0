#!/usr/bin/env python3
"""Records what etcd's Go runtime says of its collections (GODEBUG=gctrace=1) under a known load and settings.

The store holds the 60 000 keys of the reference storm (Benchmarks/comparison/etcd.py). Two loads: `steady`, transactions and
short lists at a fixed rate, whatever the collector does; and `storm`, clients that list everything at once, again and again.
Writes etcd's log to FILE.log and what was seen from outside to FILE.json: the processor time of the process, its largest
resident set, the group's largest use and whether the kernel killed it. What an advice from one trace predicts for other settings
can so be held against a run with these settings.
"""

import argparse
import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Benchmarks"))

from comparison import etcd  # noqa: E402
from comparison.groups import Group  # noqa: E402

PUTS_A_SECOND, LISTS_A_SECOND, KEYS_A_LIST = 100, 16, 400


class Watch:
    """The largest resident set of a process, looked at every 20 ms; its anonymous part by itself."""

    def __init__(self, process):
        self.process, self.resident, self.anonymous = process, 0, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self):
        while not self.ended.wait(0.02):
            with contextlib.suppress(OSError, KeyError):
                text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
                fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
                self.resident = max(self.resident, kib(fields["VmRSS"]))
                self.anonymous = max(self.anonymous, kib(fields["RssAnon"]))

    def end(self):
        self.ended.set()
        self.thread.join()


def kib(field):
    return int(field.split()[0]) << 10


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def post(connection, path, body):
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    return response.status == 200


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def at_a_rate(address, seconds, rate, request):
    """How many requests succeed of `rate` a second; each begins when it is due, or at once when it is late."""
    began, done = time.monotonic(), 0
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
    for number in range(int(seconds * rate)):
        wait = began + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        if address.process.poll() is not None:
            break
        try:
            done += post(connection, *request(number))
        except (OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
    return done


def steady(address, options):
    """Puts and lists of a page, both at a fixed rate."""
    chance = random.Random(2)
    values = [base64.b64encode(chance.randbytes(etcd.VALUE_BYTES)).decode() for _ in range(64)]
    keys = [
        encoded(f"{etcd.PREFIX}ns{number % 97:04}/pod-{number:07}")
        for number in (chance.randrange(etcd.KEYS) for _ in range(int(options.seconds * PUTS_A_SECOND)))]
    starts = [encoded(f"{etcd.PREFIX}ns{number % 80:04}/") for number in range(97)]
    end = encoded(etcd.PREFIX[:-1] + "0")

    def put(number):
        return "/v3/kv/put", {"key": keys[number], "value": values[number % len(values)]}

    def page(number):
        return "/v3/kv/range", {"key": starts[number % len(starts)], "range_end": end, "limit": KEYS_A_LIST}

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        puts = pool.submit(at_a_rate, address, options.seconds, PUTS_A_SECOND, put)
        lists = pool.submit(at_a_rate, address, options.seconds, LISTS_A_SECOND, page)
        wanted = int(options.seconds * PUTS_A_SECOND) + int(options.seconds * LISTS_A_SECOND)
        return puts.result() + lists.result(), wanted


def storm(server, address, options):
    """Clients that list everything, one list after the other."""
    def client(_):
        return sum(
            server.list_once(address, 120) for _ in range(options.rounds) if address.process.poll() is None)

    with concurrent.futures.ThreadPoolExecutor(options.clients) as pool:
        return sum(pool.map(client, range(options.clients))), options.clients * options.rounds


def record(options):
    server = etcd.Etcd()
    server.folder.mkdir(parents=True, exist_ok=True)
    loaded = server.loaded
    kept = {name: value for name, value in os.environ.items() if name not in ("GOGC", "GOMEMLIMIT", "GODEBUG")}
    kept["GODEBUG"] = "gctrace=1,scavtrace=1"
    kept |= {name: value for name, value in (("GOGC", options.gogc), ("GOMEMLIMIT", options.limit)) if value}
    with tempfile.TemporaryDirectory(dir=server.folder) as data, Group(options.group << 20) as group:
        shutil.copytree(loaded, data, dirs_exist_ok=True)
        etcd.drop_pages(pathlib.Path(data))
        with server.serving(data, kept, group.join) as address:
            watch = Watch(address.process)
            try:
                done, wanted = 0, 1
                if address.wait_ready(60):
                    began = time.monotonic()
                    done, wanted = steady(address, options) if options.load == "steady" else storm(server, address, options)
                seconds = time.monotonic() - began if done else None
                is_alive = address.process.poll() is None
                used = processor_seconds(address.process) if is_alive else None
                # The last cycles' lines are there when the process has ended.
            finally:
                watch.end()
        shutil.copy(server.folder / "etcd.log", f"{options.out}.log")
        return {
            "load": options.load, "gogc": options.gogc, "gomemlimit": options.limit, "groupBytes": options.group << 20,
            "etcd": server.version, "loadSeconds": seconds, "requests": done, "requestsWanted": wanted,
            "killed": group.kills > 0, "isAlive": is_alive, "peakGroupBytes": group.peak, "peakResidentBytes": watch.resident,
            "peakAnonymousBytes": watch.anonymous, "processCPUSeconds": used,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("load", choices=["steady", "storm"])
    parser.add_argument("--gogc", help="GOGC; not set without")
    parser.add_argument("--limit", help="GOMEMLIMIT in Go's spelling; not set without")
    parser.add_argument("--group", type=int, default=6144, help="MiB of the memory control group")
    parser.add_argument("--seconds", type=float, default=40, help="length of the steady load")
    parser.add_argument("--clients", type=int, default=4, help="clients of the storm")
    parser.add_argument("--rounds", type=int, default=3, help="lists of each of them")
    parser.add_argument("out", help="FILE, without an ending")
    options = parser.parse_args()
    found = record(options)
    text = json.dumps(found, indent=2)
    pathlib.Path(f"{options.out}.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
