#!/usr/bin/env python3
"""How marking would scale on machines with more nodes than there are here: a simulation in virtual time.

  numa.py                       the tables of docs/numa.md: 1 to 8 nodes, 2 to 256 threads, every policy
  numa.py --nodes 2 --markers 2 --policy interleave [--affinity SHARE] [--objects N]    one run, as JSON

A marker of this model does what one of the heap does (Sources/Tricolor/Collector/Marker.swift, GreyPool.swift), not object by object but by
batches of edges: it takes edges off its stack, puts those to objects of other nodes aside, marks what is not marked yet, scans it, gives full
chunks to the list of their node, hands half of its stack on when others wait, and takes from its own node's list, then from the nearest that
has any. What a batch costs comes from measurements on one node (`Costs`); what distance, bandwidth and the lock add is assumed
(`Machine`), and docs/numa.md says from where. Every run prints the same figures for the same seed.
"""

import argparse
import dataclasses
import functools
import heapq
import json
import math
import random
import sys

CHUNK = 2046  # edges, GreyChunk.capacity
QUANTUM = 256  # edges an event of the simulation
WORTH_SHARING = 128
POLICIES = ("local", "interleave", "node:0", "off")


@dataclasses.dataclass(frozen=True)
class Costs:
    """Nanoseconds and bytes, measured on one node."""

    compute: float = 12.5  # an object whose memory comes in time: `graph --shape sequential`
    exposed: float = 18.5  # what waiting for local memory adds: `graph --shape random` less the above
    aside: float = 2.0  # an edge that is put aside, and taken off its node's list later
    pool: float = 200.0  # an operation on the shared lists, under their lock
    edges: int = 2  # references an object
    line_bytes: int = 2 * 64  # memory an object needs: its first line and that of its mark


@dataclasses.dataclass(frozen=True)
class Machine:
    """What is assumed of a machine."""

    nodes: int
    controller: float = 60.0  # GB/s of a node's memory that marking may use, the program having the rest
    link: float = 20.0  # GB/s between two nodes, one way

    def distance(self, a, b):
        """As in the firmware's tables, a tenth of it being local latencies: two sockets 2.1; of more, neighbours on a ring of pairs 2.1 and others 3.1."""
        if a == b:
            return 1.0
        if self.nodes == 2 or a // 2 == b // 2 or abs(a - b) in (2, self.nodes - 2):
            return 2.1
        return 3.1


def binomial(generator, n, p):
    """How many of `n` things happen that have the probability `p`; by the normal distribution where that is close."""
    if n == 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    mean, deviation = n * p, math.sqrt(n * p * (1 - p))
    if deviation < 3:
        return sum(generator.random() < p for _ in range(n))
    return min(n, max(0, round(generator.gauss(mean, deviation))))


class Server:
    """Something that serves one at a time: a lock, a memory controller, a link."""

    def __init__(self):
        self.free = 0.0
        self.busy = 0.0

    def serve(self, now, nanoseconds):
        """When a piece of work is done that arrives at `now`."""
        self.free = max(self.free, now) + nanoseconds
        self.busy += nanoseconds
        return self.free


class Marker:
    def __init__(self, number, node, nodes):
        self.number, self.node, self.home = number, node, node
        self.stack = [0] * nodes
        self.outbox = [0] * nodes
        self.waits = True


class Simulation:
    """One marking of `objects` objects, from a chunk of roots for each marker to an empty grey set."""

    def __init__(self, machine, markers, policy, affinity, objects, seed, costs=Costs()):
        nodes = machine.nodes
        self.machine, self.costs, self.generator = machine, costs, random.Random(seed)
        self.routes = policy != "off" and nodes > 1
        self.share = [self.edge_shares(node, policy, affinity) for node in range(nodes)]
        self.total = [objects if node == 0 else 0 for node in range(nodes)] if policy == "node:0" else [objects // nodes] * nodes
        self.unmarked = list(self.total)
        self.lists = [[] for _ in range(nodes if self.routes else 1)]
        self.lock = Server()
        self.controllers = [Server() for _ in range(nodes)]
        self.links = {}
        self.markers = [Marker(number, number % nodes, nodes) for number in range(markers)]
        self.remote = self.marked = self.crossed = 0
        self.end = 0.0
        for number in range(markers):
            # Roots are as mixed as they come.
            chunk = [0] * nodes
            for node in self.generator.choices(range(nodes), self.total, k=CHUNK):
                chunk[node] += 1
            self.put(number % nodes, chunk, 0.0)

    def edge_shares(self, node, policy, affinity):
        """Which share of the references in objects of `node` leads to each node."""
        nodes = self.machine.nodes
        if policy == "node:0":
            return [1.0] + [0.0] * (nodes - 1)
        if policy == "interleave" or nodes == 1:
            return [1.0 / nodes] * nodes
        return [affinity if other == node else (1 - affinity) / (nodes - 1) for other in range(nodes)]

    def run(self):
        events = [(0.0, marker.number) for marker in self.markers]
        heapq.heapify(events)
        waiting = []
        while events:
            now, number = heapq.heappop(events)
            marker = self.markers[number]
            if marker.waits and not self.refill(marker):
                waiting.append(number)
                continue
            if marker.waits:
                marker.waits = False
                now = self.lock.serve(now, self.costs.pool)
            now, gave = self.step(marker, now, bool(waiting))
            heapq.heappush(events, (now, number))
            self.end = max(self.end, now)
            if gave:
                for other in waiting:
                    heapq.heappush(events, (now, other))
                waiting.clear()
        return self.report()

    def refill(self, marker):
        """Takes a chunk: from the list of the marker's own node, or from the nearest that has any."""
        return self.take_chunk(
            marker, sorted(range(len(self.lists)), key=lambda node: self.machine.distance(marker.node, node)))

    def take_chunk(self, marker, nodes):
        """Takes the newest chunk of the first of these lists that has any; whether there was one."""
        for node in nodes:
            if self.lists[node]:
                marker.stack = self.lists[node].pop()
                marker.home = node
                return True
        return False

    def step(self, marker, now, hungry):
        """A batch, and what follows from it. When it is done, and whether anybody was given work."""
        gave = False
        taken = self.take(marker)
        if sum(taken) == 0:
            if self.take_chunk(marker, (marker.node, marker.home) if self.routes else (0,)):
                return self.lock.serve(now, self.costs.pool), False
            marker.waits = True
            return self.send_outboxes(marker, now)
        now, full = self.process(marker, taken, now)
        for node in full:
            marker.outbox[node] -= CHUNK
            now, gave = self.put(node, self.only(node, CHUNK), now), True
        while sum(marker.stack) > CHUNK:
            now, gave = self.give(marker, CHUNK, now), True
        if hungry and not any(self.lists) and sum(marker.stack) >= WORTH_SHARING:
            now, gave = self.give(marker, sum(marker.stack) // 2, now), True
        if hungry and any(marker.outbox):
            now, sent = self.send_outboxes(marker, now)
            gave = gave or sent
        return now, gave

    def take(self, marker):
        size = sum(marker.stack)
        count = min(QUANTUM, size)
        taken = [min(have, round(have * count / size)) for have in marker.stack] if size else marker.stack[:]
        if count and sum(taken) == 0:
            taken = marker.stack[:]
        for node, edges in enumerate(taken):
            marker.stack[node] -= edges
        return taken

    def process(self, marker, taken, now):
        """Marks and scans; puts aside what lies elsewhere. When that is done, and the nodes whose outbox is full."""
        costs, aside, nanoseconds = self.costs, 0, 0.0
        for node, edges in enumerate(taken):
            if edges == 0:
                continue
            if self.routes and node != marker.home:
                marker.outbox[node] += edges
                aside += edges
                continue
            new = min(self.unmarked[node], binomial(self.generator, edges, self.unmarked[node] / self.total[node]))
            self.unmarked[node] -= new
            self.marked += new
            ratio = self.machine.distance(marker.node, node)
            # Half of an object's cost goes with its edges, most of which find it marked already; the other half with its scan.
            weight = 0.5 * edges / costs.edges + 0.5 * new
            nanoseconds += weight * (costs.compute + costs.exposed * ratio)
            now = max(now, self.memory(marker, node, weight * costs.line_bytes, now))
            if node != marker.node:
                self.remote += new
            for other, share in enumerate(self.share[node]):
                marker.stack[other] += binomial(self.generator, new * costs.edges, share)
        self.crossed += aside
        nanoseconds += aside * costs.aside
        return now + nanoseconds, [node for node, edges in enumerate(marker.outbox) if edges >= CHUNK]

    def memory(self, marker, node, size, now):
        """When memory of `node` has delivered `size` bytes beyond what the batch's own time covers."""
        ready = self.controllers[node].serve(now, size / self.machine.controller)
        if node != marker.node:
            link = self.links.setdefault((node, marker.node), Server())
            ready = max(ready, link.serve(now, size / self.machine.link))
        return ready

    def give(self, marker, count, now):
        """Hands `count` edges of the stack on, to the list of the node whose work they are part of."""
        size = sum(marker.stack)
        given = [min(have, round(have * count / size)) for have in marker.stack]
        marker.stack = [have - gone for have, gone in zip(marker.stack, given)]
        return self.put(marker.home, given, now)

    def send_outboxes(self, marker, now):
        sent = False
        for node, edges in enumerate(marker.outbox):
            if edges:
                marker.outbox[node] = 0
                now, sent = self.put(node, self.only(node, edges), now), True
        return now, sent

    def only(self, node, edges):
        return [edges if other == node else 0 for other in range(self.machine.nodes)]

    def put(self, node, chunk, now):
        """Adds a chunk to a list, into the newest there if both fit in one."""
        chunks = self.lists[node if self.routes else 0]
        if chunks and sum(chunks[-1]) + sum(chunk) <= CHUNK:
            chunk = [a + b for a, b in zip(chunks.pop(), chunk)]
        chunks.append(chunk)
        return self.lock.serve(now, self.costs.pool)

    def report(self):
        return {
            "marked": self.marked,
            "seconds": self.end / 1e9,
            "objectsPerSecond": self.marked / self.end * 1e9,
            "remoteMarkedShare": self.remote / self.marked,
            "edgesPutAsideAnObject": self.crossed / self.marked,
            "lockBusyShare": self.lock.busy / self.end,
            "controllerBusyShare": max(each.busy for each in self.controllers) / self.end,
        }


# Hardware threads, of which a quarter mark while the program runs (GCBackgroundUtilization).
THREADS = (2, 8, 32, 128, 256)
NODES = (1, 2, 4, 8)
COLUMNS = (("local", 0.9), ("local", 0.5), ("interleave", None), ("node:0", None), ("off", 0.9))


def tables():
    """Throughput and remote share of each policy, for each machine."""
    for title, key, shown in (
        ("Million objects marked a second", "objectsPerSecond", lambda value: f"{value / 1e6:.0f}"),
        ("Marked by a thread of another node, percent", "remoteMarkedShare", lambda value: f"{100 * value:.1f}"),
        ("Time the lock of the grey set is held, percent", "lockBusyShare", lambda value: f"{100 * value:.0f}"),
    ):
        print(f"\n{title}:\n")
        print("| nodes | threads | markers |", *(f"{name}{'' if share is None else f', {share:.0%} own'} |" for name, share in COLUMNS))
        print("|---|---|---|" + "---|" * len(COLUMNS))
        for nodes in NODES:
            for threads in THREADS:
                markers = max(1, threads // 4)
                cells = (shown(outcome(nodes, markers, name, share)[key]) for name, share in COLUMNS)
                print(f"| {nodes} | {threads} | {markers} |", *(f"{cell} |" for cell in cells), flush=True)


@functools.cache
def outcome(nodes, markers, policy, affinity):
    print(f"{nodes} nodes, {markers} markers, {policy}", file=sys.stderr)
    return Simulation(Machine(nodes), markers, policy, affinity or 0, max(1_000_000, 100_000 * markers), seed=1).run()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, choices=range(1, 9), metavar="1-8")
    parser.add_argument("--markers", type=int, metavar="N")
    parser.add_argument("--policy", choices=POLICIES, default="local")
    parser.add_argument("--affinity", type=float, default=0.9, help="share of references within a node, policy local and off")
    parser.add_argument("--objects", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.nodes is None:
        return tables()
    if options.markers is None or options.markers < 1:
        parser.error("--nodes wants --markers, of which there is at least one")
    simulation = Simulation(
        Machine(options.nodes), options.markers, options.policy, options.affinity, options.objects, options.seed)
    print(json.dumps(simulation.run(), indent=2))


if __name__ == "__main__":
    main()
