"""etcd itself under the reference storm: loaded once, then started in a control group from a copy of its data for every run.

Its clients are etcdctl processes outside the group. The copy's pages are dropped from the page cache first, so that they are
charged to the group that reads them.
"""

import base64
import concurrent.futures
import contextlib
import functools
import http.client
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile
import time

from .building import BUILD, Unavailable, first_line, say
from .groups import Group

KEYS, VALUE_BYTES, CLIENTS, LISTS_EACH = 60_000, 2_048, 4, 5
PREFIX = "/registry/pods/"
SETTINGS = {"GOGC=100": {}, "GOGC=30": {"GOGC": "30"}, "GOMEMLIMIT 90 %": {"GOMEMLIMIT": 90}}


class Etcd:
    """Debian's etcd: the one on the PATH, or its packages unpacked below .build."""

    def __init__(self):
        self.folder = BUILD / "etcd"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.programs = {name: self.find(name) for name in ("etcd", "etcdctl")}
        self.version = first_line([self.programs["etcd"], "--version"]).removeprefix("etcd Version: ")

    def find(self, name):
        if path := shutil.which(name):
            return path
        unpacked = self.folder / "root" / "usr" / "bin" / name
        if not unpacked.exists():
            self.unpack()
        if not unpacked.exists():
            raise Unavailable(f"no {name} on the PATH; type: sudo apt-get install etcd-server etcd-client")
        return str(unpacked)

    def unpack(self):
        say("unpacking Debian's etcd into .build/etcd")
        download = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", "etcd-server", "etcd-client"]
        if not shutil.which("apt-get") or subprocess.run(download, cwd=self.folder).returncode != 0:
            raise Unavailable("etcd's packages cannot be downloaded; type: sudo apt-get install etcd-server etcd-client")
        for package in self.folder.glob("etcd-*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, self.folder / "root"], check=True)

    @functools.cached_property
    def loaded(self):
        """A data directory with the storm's keys."""
        place = self.folder / "data"
        if place.exists():
            return place
        say(f"loading etcd with {KEYS} keys")
        fresh = self.folder / "loading"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        with self.serving(fresh, os.environ, None) as address:
            load(address)
        fresh.rename(place)
        return place

    @contextlib.contextmanager
    def serving(self, data, environment, before):
        """An etcd on free ports of loopback, until it is no longer needed; its process as the address's second part."""
        ports = free_ports(2)
        client, peer = (f"http://127.0.0.1:{port}" for port in ports)
        with open(self.folder / "etcd.log", "w") as log:
            process = subprocess.Popen(
                [
                    self.programs["etcd"], "--name", "storm", "--data-dir", data, "--log-level", "warn",
                    "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                    "--initial-advertise-peer-urls", peer, "--initial-cluster", f"storm={peer}",
                ], stdout=log, stderr=log, env=dict(environment), preexec_fn=before)
        try:
            yield Address(ports[0], process)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def storm(self, environment, limit, timeout):
        """What came of a storm in a group with a limit: {"outcome", "lists", "seconds", "peakGroup"}."""
        settings = {name: str(limit * value // 100) if value == 90 else value for name, value in environment.items()}
        kept = {name: value for name, value in os.environ.items() if name not in ("GOGC", "GOMEMLIMIT")}
        with tempfile.TemporaryDirectory(dir=self.folder) as data, Group(limit) as group:
            shutil.copytree(self.loaded, data, dirs_exist_ok=True)
            drop_pages(pathlib.Path(data))
            with self.serving(data, kept | settings, group.join) as address:
                is_ready = address.wait_ready(timeout)
                began = time.monotonic()
                done = self.list_all(address, timeout) if is_ready else 0
                found = {"lists": done, "seconds": time.monotonic() - began, "peakGroup": group.peak}
                if group.kills:
                    return found | {"outcome": "killed"}
                complete = done == CLIENTS * LISTS_EACH
                return found | {"outcome": "survived" if complete else "lists failed" if is_ready else "did not start"}

    def list_all(self, address, timeout):
        """How many lists of all clients succeed."""
        end = time.monotonic() + timeout

        def client(_):
            done = 0
            for _ in range(LISTS_EACH):
                left = end - time.monotonic()
                if left <= 0 or address.process.poll() is not None:
                    break
                done += self.list_once(address, left)
            return done

        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            return sum(pool.map(client, range(CLIENTS)))

    def list_once(self, address, timeout):
        command = [
            self.programs["etcdctl"], "--endpoints", f"127.0.0.1:{address.port}", "--command-timeout", f"{timeout:.0f}s",
            "get", "--prefix", PREFIX, "-w", "protobuf",
        ]
        client = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "ETCDCTL_API": "3"})
        try:
            # A client whose server is gone would go on trying.
            while client.poll() is None and address.process.poll() is None:
                time.sleep(0.02)
            return client.poll() == 0
        finally:
            client.kill()
            client.wait()


class Address:
    def __init__(self, port, process):
        self.port, self.process = port, process

    def wait_ready(self, timeout):
        """Whether it answers in time."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/health")
                if b'"true"' in connection.getresponse().read():
                    return True
            time.sleep(0.1)
        return False


def load(address):
    """Puts the keys through the JSON gateway, a hundred in a transaction."""
    if not address.wait_ready(60):
        raise Unavailable("etcd does not start")
    chance = random.Random(1)
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=60)
    for first in range(0, KEYS, 100):
        puts = []
        for number in range(first, first + 100):
            key = f"{PREFIX}ns{number % 97:04}/pod-{number:07}".encode()
            puts.append({"requestPut": {
                "key": base64.b64encode(key).decode(),
                "value": base64.b64encode(chance.randbytes(VALUE_BYTES)).decode()}})
        connection.request("POST", "/v3/kv/txn", json.dumps({"success": puts}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        said = response.read()
        if response.status != 200:
            raise Unavailable(f"etcd answered {response.status} to a transaction: {said[:100]!r}")


def drop_pages(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
