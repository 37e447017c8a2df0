"""The arithmetic: several runs of a program become a minimum, a median and a spread, and two programs become a ratio.

Machines of one kind differ by two to three times and a shared one drifts within minutes, so no figure means anything by
itself: only ratios between programs that took turns count, and of those only the ones that minima and medians agree on.
"""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Spread:
    """What several runs of one program came to."""

    least: float
    median: float
    most: float
    runs: int = 1

    @classmethod
    def of(cls, values):
        """None where there are no values."""
        return cls(min(values), statistics.median(values), max(values), len(values)) if values else None

    @property
    def relative(self):
        """The distance from the smallest to the largest as a share of the median; None where the median is 0."""
        return (self.most - self.least) / self.median if self.median else None

    def __str__(self):
        if self.runs == 1:
            return shown(self.median)
        share = "" if self.relative is None else f" · {self.relative * 100:.0f} %"
        return f"{shown(self.least)} · {shown(self.median)}{share}"


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Tricolor's figure over a peer's: below 1, Tricolor needs less."""

    minima: float
    medians: float

    @classmethod
    def of(cls, own, peer):
        """None where one of them has no figure or the peer's is 0."""
        if own is None or peer is None or not peer.least or not peer.median:
            return None
        return cls(own.least / peer.least, own.median / peer.median)

    @property
    def is_loss(self):
        return self.medians > 1

    @property
    def is_undecided(self):
        """Whether minima and medians disagree about who needs less."""
        return (self.minima > 1) != (self.medians > 1)

    @property
    def mark(self):
        """What stands behind a ratio that is no win, or none for sure."""
        return (" ▲" if self.is_loss else "") + (" ?" if self.is_undecided else "")

    def __str__(self):
        return f"{shown(self.minima)} · {shown(self.medians)}{self.mark}"


def shown(value):
    """Two or three significant digits, without exponents."""
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.1 else 3
    return f"{value:.{digits}f}"


def figure(run, path):
    """The number at a path such as report.pauseNanoseconds.max; None where the peer has no such figure."""
    value = run
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def spread(runs, metric):
    """What the runs came to in one metric, None where a run lacks it."""
    values = [figure(run, metric.path) for run in runs]
    return None if None in values else Spread.of([value / metric.unit for value in values])
