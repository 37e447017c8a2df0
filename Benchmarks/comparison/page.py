"""Writes what was measured: as tables for a terminal, and as the Markdown page docs/benchmarks.md.

Both are made of the same tables. Losses are in them like everything else, and marked.
"""

import dataclasses

from .figures import Ratio, shown, spread
from .programs import COLLECTOR, MEASURED, WORK, WORKLOADS

NOTHING = "–"
LEGEND = (
    "Figures are minimum · median · spread (largest less smallest, as a share of the median), or one run's "
    "alone. Ratios are Tricolor over the peer, of minima · of medians: below 1, Tricolor needs less. ▲: Tricolor needs "
    "more. ?: minima and medians disagree about who needs less.")


@dataclasses.dataclass(frozen=True)
class Table:
    header: list
    rows: list
    has_numbers: bool = True  # to the right, in all columns but the first

    def text(self):
        """Columns as wide as their widest cell, the first to the left, numbers to the right."""
        lines = [self.header, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        return "\n".join(
            ("  " + "   ".join(cell.rjust(width) if column else cell.ljust(width)
                               for column, (cell, width) in enumerate(zip(line, widths)))).rstrip()
            for line in lines)

    def markdown(self):
        rule = ["---"] + ["---:" if self.has_numbers else "---"] * (len(self.header) - 1)
        return "\n".join("| " + " | ".join(map(in_cell, line)) + " |" for line in [self.header, rule, *self.rows])


def in_cell(text):
    return text.replace("|", "\\|")


def ratio(row, peer, metric):
    own, other = (spread(row.runs.get(name, []), metric) for name in ("tricolor", peer.name))
    return Ratio.of(own, other)


def state(row, peer):
    """What stands in a table for a peer without figures; None where it has some."""
    if peer.name in row.unable:
        return "cannot"
    if peer.name in row.failed:
        return "failed"
    return None if row.runs.get(peer.name) else "not run"


def metric_table(row, metrics):
    """A row a peer, a column a metric, and behind them the ratios. None where no peer has any of the figures."""
    compared = [metric for metric in metrics if metric.compared]
    lines, has_figures = [], False
    for peer in row.peers:
        figures = [None if state(row, peer) else spread(row.runs[peer.name], metric) for metric in metrics]
        ratios = [
            None if state(row, peer) or peer.name == "tricolor" else ratio(row, peer, metric) for metric in compared]
        has_figures = has_figures or any(figures)
        cells = [NOTHING if cell is None else str(cell) for cell in figures + ratios]
        lines.append([peer.name, state(row, peer) or cells[0], *cells[1:]])
    header = ["", *(each.label for each in metrics), *(f"ratio {each.label.split(',')[0]}" for each in compared)]
    return Table(header, lines) if has_figures else None


def program_tables(row):
    """All tables of one program that have something in them."""
    groups = [MEASURED, *WORKLOADS[row.program.workload].tables, WORK, COLLECTOR]
    return [table for table in (metric_table(row, group) for group in groups) if table]


def remarks(row):
    """Why peers have no figures here, and what else a reader must know of the figures."""
    said = [f"{peer.name} cannot: {row.unable[peer.name]}" for peer in row.peers if peer.name in row.unable]
    said += [f"{peer.name} failed in {row.failed[peer.name]}" for peer in row.peers if peer.name in row.failed]
    for peer in row.peers:
        results = [run["report"].get("result") or {} for run in row.runs.get(peer.name, [])]
        if any(result.get("leaks") is True for result in results):
            said.append(f"{peer.name} never frees what is dead here")
    if row.takers(0) and not row.runs:
        said.append("not run")
    if row.program.only:
        said.append(f"at this size only tricolor and {', '.join(row.program.only)}")
    return said


def summary_cell(row, peer):
    """Wall and CPU ratio of medians, with their marks."""
    if peer not in row.peers:
        return NOTHING
    for each in (row.peers[0], peer):
        if reason := state(row, each):
            return reason if each is peer else f"tricolor {reason}"
    return ", ".join(summary_ratio(ratio(row, peer, metric)) for metric in MEASURED[:2])


def summary_ratio(one):
    return NOTHING if one is None else f"{shown(one.medians)}{one.mark}"


def losses(rows, peer, metric):
    """In how many of the programs that both did Tricolor needs more."""
    ratios = [
        ratio(row, peer, metric) for row in rows
        if peer in row.peers and not state(row, peer) and not state(row, row.peers[0])]
    known = [each for each in ratios if each is not None]
    return f"{sum(each.is_loss for each in known)} of {len(known)}"


def summary_table(rows, peers):
    """Program by peer: the ratios of the medians of wall and CPU."""
    others = [peer for peer in peers if peer.name != "tricolor"]
    lines = [[row.title, *(summary_cell(row, peer) for peer in others)] for row in rows]
    for metric in MEASURED[:2]:
        name = metric.label.split(",")[0]
        lines.append([f"Tricolor needs more {name} in", *(losses(rows, peer, metric) for peer in others)])
    return Table(["Tricolor / peer: wall, CPU", *(peer.name for peer in others)], lines)


@dataclasses.dataclass(frozen=True)
class Sitting:
    """Everything there is to write about: what was measured, by whom, and where."""

    rows: list
    peers: list
    left_out: dict  # peers that could not be had or built, and why
    machine: dict
    load: str
    quick: bool
    repetitions: int
    is_interrupted: bool

    @property
    def interruption(self):
        """A sentence where not everything was measured, else nothing."""
        if not self.is_interrupted:
            return []
        done = sum(len(runs) for row in self.rows for runs in row.runs.values())
        return [f"Interrupted: not everything was measured (runs done: {done})."]


def text(sitting):
    """The report for a terminal."""
    parts = []
    for row in sitting.rows:
        parts.append(row.title)
        parts += [f"{table.text()}\n" for table in program_tables(row)]
        parts += [f"  {remark}" for remark in remarks(row)]
        parts.append("")
    parts.append(summary_table(sitting.rows, sitting.peers).text())
    parts += [f"  {name}: left out, {reason}" for name, reason in sitting.left_out.items()]
    parts += ["", LEGEND, f"Load average: {sitting.load}.", *sitting.interruption]
    return "\n".join(parts)


def markdown(sitting):
    """The page: the summary, what it was measured with, then a section a workload."""
    sizes = "small sizes (no measurement)" if sitting.quick else f"{sitting.repetitions} turns"
    parts = [
        "# Benchmarks",
        f"Tricolor and its peers on the same work, in turns; written by `make bench`, {sizes}. [How it is measured, "
        "and what each peer is](../Benchmarks/README.md). Only ratios of one sitting mean anything. "
        "[The store and its twin in Go under memory limits](benchmarks-store.md) have a page of their own.",
        *(f"**{sentence}**" for sentence in sitting.interruption),
        "## Summary",
        "Each cell: the ratio of the medians of wall time, then of CPU time. \"Cannot\" and \"failed\" are explained "
        "with the program.",
        summary_table(sitting.rows, sitting.peers).markdown(),
        LEGEND,
        "## Measured with",
        *(table.markdown() for table in origin_tables(sitting)),
        "\n".join(f"- {name} is left out: {reason}" for name, reason in sitting.left_out.items()),
    ]
    for workload, rows in by_workload(sitting.rows):
        parts += [f"## {workload}", WORKLOADS[workload].purpose]
        for row in rows:
            parts.append(f"### {row.title}")
            parts += [table.markdown() for table in program_tables(row)]
            parts.append("\n".join(f"- {remark}" for remark in remarks(row)))
    return "\n\n".join(part for part in parts if part) + "\n"


def origin_tables(sitting):
    """The machine and the moment, and the peers with their versions."""
    facts = sitting.machine | {"load average": sitting.load}
    peers = [[each.name, each.about, each.version] for each in sitting.peers]
    return [
        Table(["", ""], [list(fact) for fact in facts.items()], has_numbers=False),
        Table(["peer", "what it is", "version"], peers, has_numbers=False),
    ]


def by_workload(rows):
    """Rows of one workload together, in the order of their first."""
    groups = {}
    for row in rows:
        groups.setdefault(row.program.workload, []).append(row)
    return groups.items()
