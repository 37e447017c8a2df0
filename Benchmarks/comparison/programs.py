"""The programs that every peer runs, their sizes, and what is read from a run.

A program is a workload at one size with one number of threads; all peers get the same arguments. The sizes are such
that a run takes seconds, not minutes, with the slower peers: large graphs are marked fewer times.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Metric:
    """One column: where in a run's figures it is (a path of keys), its unit, and whether a ratio says anything."""

    label: str
    path: str
    unit: float = 1
    compared: bool = False


@dataclasses.dataclass(frozen=True)
class Program:
    """A workload at one size. `quick` is its small size, None where `--quick` leaves it out."""

    workload: str
    full: str
    quick: str | None = None
    threads: int = 1
    only: tuple = ()  # peers beside Tricolor; empty: all
    gibibytes: int = 0  # memory that must be available

    def arguments(self, quick):
        return (self.quick if quick else self.full).split()


MEASURED = (
    Metric("wall, s", "wall", compared=True),
    Metric("CPU, s", "cpu", compared=True),
    Metric("peak RSS, MiB", "report.peakRSSBytes", 1 << 20, compared=True),
)
WORK = (
    Metric("work alone, s", "report.seconds", compared=True),
    Metric("work alone CPU, s", "report.processCPUNanoseconds", 1e9, compared=True),
)
COLLECTOR = (
    Metric("cycles", "report.gcCycles"),
    Metric("longest stop or hold, µs", "report.pauseNanoseconds.max", 1e3),
    Metric("longest stall, µs", "report.mutatorStallNanoseconds.max", 1e3),
)
MARKING = (Metric("mark, CPU ns/object", "report.markNanosecondsPerObject", compared=True),)
OPERATIONS = tuple(
    Metric(f"{name}, µs", f"report.operationNanoseconds.{key}", 1e3, compared=True)
    for name, key in [("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"), ("p99.99", "p9999"), ("max", "max")]
)


@dataclasses.dataclass(frozen=True)
class Workload:
    """What a reader is told about a workload, and the tables beside those that all have."""

    purpose: str
    tables: tuple = ()


TIMED = (OPERATIONS[:3], OPERATIONS[3:])
WORKLOADS = {
    "binary-trees": Workload(
        "Benchmarks Game rules: a stretch tree, a long-lived tree, and millions of short-lived ones; nodes of two "
        "references. Shows allocation and reclaiming of small objects."),
    "graph": Workload(
        "Nodes of two references and two words stay alive while the collector is forced to run; references random, or "
        "to the next two nodes. Shows marking: the figure is the process's CPU per node and forced cycle.", (MARKING,)),
    "latency": Workload(
        "A map of the last messages; each insert fills a message byte by byte and drops the oldest. Every insert is "
        "timed: shows what collections do to the slowest operations.", TIMED),
    "churn": Workload(
        "Records of random size replace each other at random places: a steady live set under constant allocation."),
    "linked-list": Workload(
        "Long singly linked lists, one alive while the next is built: marking with one path, nothing to share or "
        "prefetch."),
    "large-objects": Workload(
        "Buffers of up to some MiB that come and go; each page is written. Shows finding, zeroing and giving back of "
        "large runs of memory. Every buffer is timed.", TIMED),
    "cross-thread": Workload(
        "One thread builds lists of messages, another checks and drops them: what is allocated here dies there. The "
        "building of each parcel is timed.", TIMED),
    "write-heavy": Workload(
        "Stores of references into random nodes while others are replaced: the write barrier, often active. Every "
        "thousand writes are timed.", TIMED),
}


def graphs(shape):
    """The sizes of one shape; the largest is for the two collectors that it is about."""
    return (
        Program("graph", f"--nodes 1000000 --cycles 20 --shape {shape}", f"--nodes 200000 --cycles 5 --shape {shape}"),
        Program("graph", f"--nodes 4000000 --cycles 10 --shape {shape}"),
        Program("graph", f"--nodes 16000000 --cycles 4 --shape {shape}", gibibytes=4),
        Program("graph", f"--nodes 64000000 --cycles 2 --shape {shape}", only=("go",), gibibytes=6),
    )


PROGRAMS = (
    Program("binary-trees", "--depth 18", "--depth 13"),
    Program("binary-trees", "--depth 18", "--depth 13", threads=2),
    Program("binary-trees", "--depth 20"),
    Program("binary-trees", "--depth 20", threads=2),
    *graphs("random"),
    *graphs("sequential"),
    Program(
        "latency", "--window 200000 --inserts 2000000 --bytes 1024", "--window 20000 --inserts 200000 --bytes 1024"),
    Program("churn", "--records 100000 --operations 5000000", "--records 20000 --operations 500000"),
    Program("churn", "--records 100000 --operations 5000000", "--records 20000 --operations 500000", threads=2),
    Program("linked-list", "--nodes 10000000 --lists 3", "--nodes 200000 --lists 3"),
    Program("large-objects", "--keep 16 --buffers 4000", "--keep 16 --buffers 200"),
    Program("cross-thread", "--parcels 20000 --messages 1000", "--parcels 200 --messages 1000", threads=2),
    Program("write-heavy", "--nodes 500000 --writes 20000000", "--nodes 50000 --writes 1000000"),
    Program("write-heavy", "--nodes 500000 --writes 20000000", "--nodes 50000 --writes 1000000", threads=2),
)


def chosen(workloads, quick):
    """The programs of these workloads (all where none is named) that have the wanted size."""
    return [
        each for each in PROGRAMS
        if (not workloads or each.workload in workloads) and (not quick or each.quick is not None)
    ]
