"""The store beside its twin in Go, under memory limits: the smallest limit that each survives, and what each does at equal ones.

Every run is one program with one setting, profile and seed in a control group of its own with one limit. What it came to is
kept in a file at once, under a name that says all of that, so an interrupted sitting goes on where it was.
"""

import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

from . import turns
from .groups import Group

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Setting:
    """A program with the settings it is run with. `limit_share` is GOMEMLIMIT in percent of the group's limit."""

    name: str
    command: tuple
    gogc: str
    limit_share: int = 90

    def environment(self, limit):
        kept = {name: value for name, value in os.environ.items() if name not in ("GOGC", "GOMEMLIMIT", "GODEBUG")}
        if limit:
            kept["GOMEMLIMIT"] = str(limit * self.limit_share // 100)
        return kept | {"GOGC": self.gogc}


@dataclasses.dataclass(frozen=True)
class Work:
    """What is done: the options that both programs have."""

    profile: str
    operations: int
    phases: str = "steady,list-storm,compaction,watch-burst,snapshot"
    lists: str = "pages"
    threads: int = 2
    more: tuple = ()  # of one program alone

    def arguments(self, seed):
        return [
            "--profile", self.profile, "--operations", str(self.operations), "--phases", self.phases, "--lists",
            self.lists, "--threads", str(self.threads), "--seed", str(seed), *self.more,
        ]


SURVIVED = "survived"


class Runs:
    """All runs there are, in a file."""

    def __init__(self, path, timeout, execute=None):
        self.path = pathlib.Path(path)
        self.timeout = timeout
        self.execute = execute or execute_in_group
        self.known = json.loads(self.path.read_text()) if self.path.exists() else {}

    def get(self, setting, work, limit, seed, say=lambda text: None):
        """What the run came to: {"outcome", "wall", "cpu", "peakGroup", "report"}; it is done if it has not been."""
        name = " ".join([setting.name, setting.gogc, f"limit={limit}", *work.arguments(seed)])
        return self.keep(name, lambda: self.execute(setting, work, limit, seed, self.timeout), say)

    def keep(self, name, run, say):
        """What `run` comes to, or came to when it was done under this name."""
        if name not in self.known:
            say(name)
            self.known[name] = run()
            temporary = self.path.with_suffix(".part")
            temporary.write_text(json.dumps(self.known, indent=1) + "\n")
            temporary.replace(self.path)
        return self.known[name]


def execute_in_group(setting, work, limit, seed, timeout):
    """Runs the program once. Without a limit it is in no group."""
    command = [*setting.command, *work.arguments(seed)]
    if not limit:
        return execute(command, setting.environment(None), timeout, None)
    with Group(limit) as group:
        found = execute(command, setting.environment(limit), timeout, group.join)
        found["peakGroup"] = group.peak
        if group.kills:
            found["outcome"] = "killed"
        return found


def execute(command, environment, timeout, before):
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True, env=environment,
            preexec_fn=before)
        ended, status, usage = turns.await_end(process, timeout)
        found = {"wall": time.monotonic() - began, "cpu": usage.ru_utime + usage.ru_stime}
        if not ended:
            return found | {"outcome": f"not done after {timeout:g} s"}
        try:
            return found | {"outcome": SURVIVED, "report": smaller(turns.read_report(status, output, errors))}
        except turns.RunFailed as failure:
            return found | {"outcome": str(failure)}


def smaller(report):
    """A report without what nobody reads here: a sitting has hundreds."""
    result = {key: report["result"].get(key) for key in ("checksum", "keys", "shed", "listsFinished", "phaseTable")}
    kept = (
        "seconds", "operations", "operationNanoseconds", "gogc", "limitBytes", "gcCycles", "gcCPUFraction",
        "heapLiveBytes", "peakRSSBytes", "verified")
    return {key: report.get(key) for key in kept} | {"result": result}


class DifferentWork(Exception):
    """Two programs with one seed did not end with one checksum."""


def check_same_work(runs):
    """Every run that survived with one seed must end with the same keys and values."""
    sums = {}
    for seed, run in runs:
        if run["outcome"] == SURVIVED:
            sums.setdefault(seed, set()).add(run["report"]["result"]["checksum"])
    for seed, found in sums.items():
        if len(found) != 1:
            raise DifferentWork(f"with seed {seed} the programs ended with the checksums {', '.join(sorted(found))}")


def live_bytes(runs, setting, work, seed, say):
    """What is alive at most at the end of a phase, as a run without a limit and with little growth finds it."""
    tight = dataclasses.replace(setting, gogc="10")
    run = runs.get(tight, work, None, seed, say)
    if run["outcome"] != SURVIVED:
        raise turns.RunFailed(f"{setting.name} without a limit: {run['outcome']}")
    return max(phase["heapLiveBytes"] for phase in run["report"]["result"]["phaseTable"])


def smallest_limit(runs, setting, work, seeds, low, high, say, step=0.02):
    """The smallest limit, to within a share of itself, at which the program survives with every seed.

    None when it does not at `high`. Assumes that what survives with less memory survives with more.
    """

    def survives(limit):
        found = [(seed, runs.get(setting, work, limit, seed, say)) for seed in seeds[:1]]
        for seed in seeds[1:]:
            if found[-1][1]["outcome"] != SURVIVED:
                return False
            found.append((seed, runs.get(setting, work, limit, seed, say)))
        return found[-1][1]["outcome"] == SURVIVED

    low, high = to_mib(low), to_mib(high)
    if not survives(high):
        return None
    while high - low > max(MIB, high * step):
        middle = to_mib((low + high) // 2)
        if middle in (low, high):
            break
        if survives(middle):
            high = middle
        else:
            low = middle
    return high


def to_mib(size):
    """Rounded to whole MiB, so that limits are the same from sitting to sitting."""
    return max(1, round(size / MIB)) * MIB


@dataclasses.dataclass(frozen=True)
class Figures:
    """What several runs with one limit came to: medians of those that survived."""

    survived: int
    runs: int
    operations_per_second: float | None = None
    p99: float | None = None
    p999: float | None = None
    collector_share: float | None = None
    peak_rss: float | None = None
    peak_group: float | None = None
    cpu: float | None = None
    why: str = ""

    @classmethod
    def of(cls, runs):
        good = [run for run in runs if run["outcome"] == SURVIVED]
        why = next((run["outcome"] for run in runs if run["outcome"] != SURVIVED), "")
        if not good:
            return cls(0, len(runs), why=why)

        def middle(read):
            values = [read(run) for run in good]
            return None if None in values else statistics.median(values)

        return cls(
            len(good), len(runs), middle(operations_per_second),
            middle(lambda run: run["report"]["operationNanoseconds"]["p99"]),
            middle(lambda run: run["report"]["operationNanoseconds"]["p999"]),
            middle(lambda run: run["report"]["gcCPUFraction"]), middle(lambda run: run["report"]["peakRSSBytes"]),
            middle(lambda run: run.get("peakGroup")), middle(lambda run: run["cpu"]), why)


def operations_per_second(run):
    """Without loading."""
    phases = [phase for phase in run["report"]["result"]["phaseTable"] if phase["name"] != "load"]
    seconds = sum(phase["seconds"] for phase in phases)
    return sum(phase["operations"] for phase in phases) / seconds if seconds else None
