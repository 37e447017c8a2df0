"""Writes what the store and its twin came to under limits: for a terminal, and as the page docs/benchmarks-store.md."""

import dataclasses

from .figures import shown
from .page import NOTHING, Table
from .store import MIB

LEGEND = (
    "Medians of the runs that survived; \"2 of 3\" says how many did where not all. Operations per second are those after loading; "
    "p99 and p99.9 are of every timed operation, loading included. GC CPU is the share of the processors' time that went to the "
    "collector by its own account. A limit is a control group's, without swap; GOMEMLIMIT is 90 % of it. Programs took turns.")


@dataclasses.dataclass(frozen=True)
class Profile:
    name: str
    live: int
    smallest: dict  # by setting: bytes, None for more than was tried
    limits: dict  # by bytes, then by setting


@dataclasses.dataclass(frozen=True)
class Sitting:
    profiles: list
    storms: list
    settings: list
    machine: dict
    commit: str
    options: object


def label(setting):
    return f"{setting.name}, GOGC={setting.gogc}"


def mebibytes(size):
    return NOTHING if size is None else f"{size / MIB:.0f}"


def smallest_table(profile):
    """What each needs, and how much of Go's best that is."""
    go = [limit for setting, limit in profile.smallest.items() if setting.name == "go" and limit]
    lines = []
    for setting, limit in profile.smallest.items():
        ratio = f"{limit / min(go):.2f}" if limit and go else NOTHING
        of_live = f"{limit / profile.live:.2f}" if limit else NOTHING
        lines.append([label(setting), mebibytes(limit), of_live, ratio])
    return Table(["smallest limit that all runs survive", "MiB", "× live", "of Go's smaller"], lines)


def limits_table(profile):
    header = [
        "limit, MiB (× live)", "program", "survived", "operations/s", "p99, ms", "p99.9, ms", "GC CPU, %", "peak RSS, MiB",
        "peak of the group, MiB", "CPU, s"]
    lines = []
    for limit, by_setting in profile.limits.items():
        for place, (setting, figures) in enumerate(by_setting.items()):
            name = f"{mebibytes(limit)} ({limit / profile.live:.2f})" if place == 0 else ""
            lines.append([name, label(setting), survived(figures), *cells(figures)])
    return Table(header, lines)


def survived(figures):
    if figures.survived == figures.runs:
        return "all"
    said = f"{figures.survived} of {figures.runs}" if figures.survived else "none"
    return f"{said} ({figures.why})"


def cells(figures):
    def cell(value, unit):
        return NOTHING if value is None else shown(value / unit)

    return [
        cell(figures.operations_per_second, 1), cell(figures.p99, 1e6), cell(figures.p999, 1e6),
        cell(figures.collector_share, 0.01), cell(figures.peak_rss, MIB), cell(figures.peak_group, MIB),
        cell(figures.cpu, 1)]


def storm_table(storms):
    """A row a program and way to list, a column a limit."""
    limits = sorted({limit for row in storms for limit in row.cells}, reverse=True)
    lines = [[row.name, *(row.cells.get(limit, NOTHING) for limit in limits)] for row in storms]
    return Table(["storm: 4 clients list 60,000 keys of 2 KiB 5 times", *(f"{mebibytes(each)} MiB" for each in limits)], lines)


def sections(sitting):
    """Titles and tables."""
    for profile in sitting.profiles:
        title = f"{profile.name}: {mebibytes(profile.live)} MiB alive"
        if profile.smallest:
            yield title, smallest_table(profile)
        if profile.limits:
            yield title, limits_table(profile)
    if sitting.storms:
        yield "The reference storm", storm_table(sitting.storms)


def text(sitting):
    parts = [f"{title}\n{table.text()}\n" for title, table in sections(sitting)]
    return "\n".join([*parts, LEGEND])


def markdown(sitting):
    facts = sitting.machine | {"commit": sitting.commit}
    options = sitting.options
    parts = [
        "# The store under limits, beside its twin in Go",
        "Written by `make bench-store`. [The workload](workloads/etcd.md) and its twin in Go do the same operations from the same "
        "seed, and end with the same checksum. "
        f"{options.operations} operations after loading, {options.threads} threads, {options.seeds} seeds; neither sheds load, "
        "except where a row of the storm says so.", LEGEND]
    last = None
    for title, table in sections(sitting):
        if title != last:
            parts.append(f"## {title}")
        last = title
        parts.append(table.markdown())
    parts += ["## Measured with", Table(["", ""], [list(fact) for fact in facts.items()], has_numbers=False).markdown()]
    return "\n\n".join(parts) + "\n"
