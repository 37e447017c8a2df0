"""Runs the programs in turns: in each turn every program is run once by every peer, one right after the other.

So a change of the machine's mood hits all peers of a program alike, each program's runs are spread over the whole
sitting, and whoever ends it early still has every program. The peer that begins changes from turn to turn.

Wall and CPU are taken from outside, by the same meter for every peer (wait4: the whole process, its start and its final
check included). The rest is what the programs report, with the keys of `tricolor run --json`; that goes for the peak
RSS too, since the kernel's ru_maxrss starts from that of the process which started them.
"""

import dataclasses
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from .figures import figure
from .programs import Program

LONGEST_REASON = 200  # characters


class RunFailed(Exception):
    """A run that ended otherwise than with a verified report; the text says how."""


@dataclasses.dataclass
class Row:
    """A program, who runs it, and what came of it. `unable` and `failed` give the reason by the peer's name."""

    program: Program
    arguments: list
    peers: list
    unable: dict
    runs: dict = dataclasses.field(default_factory=dict)
    failed: dict = dataclasses.field(default_factory=dict)

    @property
    def title(self):
        threads = self.program.threads
        clients = "one thread" if threads == 1 else f"{threads} threads"
        return f"{' '.join([self.program.workload, *self.arguments])}, {clients}"

    def command(self, peer):
        return [*peer.command(self.program.workload), *self.arguments, "--threads", str(self.program.threads)]

    def takers(self, turn):
        """Who runs in a turn, in order: Tricolor begins the first. Who failed once does not run again."""
        able = [each for each in self.peers if each.name not in self.unable]
        first = turn % len(able) if able else 0
        return [each for each in able[first:] + able[:first] if each.name not in self.failed]

    def add(self, peer, run):
        """Keeps a run, unless the peer's check says that it did other work than Tricolor."""
        check = figure(run, "report.result.check")
        for other in self.runs.get("tricolor", [])[:1]:
            expected = figure(other, "report.result.check")
            if None not in (check, expected) and (check - expected) % (1 << 64):  # signed or not, the same bits
                raise RunFailed(f"its result.check is {check}, Tricolor's {expected}: they did different work")
        self.runs.setdefault(peer.name, []).append(run)


def run(command, environment, timeout):
    """Runs a program to its end: {"wall", "cpu", "report"}. Raises RunFailed."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        try:
            # Its own session: Ctrl-C is for us, and a kill reaches all that it started.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True,
                env={**os.environ, **dict(environment)})
        except OSError as error:
            raise RunFailed(f"cannot be started: {error.strerror}") from error
        ended, status, usage = await_end(process, timeout)
        wall = time.monotonic() - began
        if not ended:
            raise RunFailed(f"not done after {timeout:g} s")
        return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "report": read_report(status, output, errors)}


def await_end(process, timeout):
    """Whether the process ended in time, its wait status and its usage; it is killed otherwise, and on an interrupt."""
    descriptor = os.pidfd_open(process.pid)
    ended = False
    try:
        ended = bool(select.select([descriptor], [], [], timeout)[0])
    finally:
        os.close(descriptor)
        if not ended:
            os.killpg(process.pid, signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return ended, process.returncode, usage


def read_report(status, output, errors):
    """The JSON object that a run printed; RunFailed unless it ended well and its own check held."""
    output.seek(0)
    errors.seek(0)
    if status != 0:
        said = errors.read().decode(errors="replace").strip().splitlines()
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
        raise RunFailed(": ".join([how, *said[:1]])[:LONGEST_REASON])
    text = output.read().decode(errors="replace")
    try:
        report = json.loads(text)
    except json.JSONDecodeError as error:
        raise RunFailed(f"its output is not one JSON object ({error}): {text[:80]!r}") from error
    if not isinstance(report, dict) or report.get("verified") is not True:
        raise RunFailed("its check of its own data did not hold")
    return report


class Progress:
    """Says on standard error what runs and how long the rest will take.

    On a terminal one line that changes, elsewhere a line now and then.
    """

    SPARSE_SECONDS = 30

    def __init__(self, rows, repetitions):
        self.rows, self.repetitions = rows, repetitions
        self.seconds = {}  # by row and peer: what its runs took
        self.last_line = -self.SPARSE_SECONDS
        self.is_terminal = sys.stderr.isatty()

    def left(self, turn, place):
        """About how many seconds are left from a row of a turn on: by a peer's own runs, else the row's, else all."""
        everything = [each for row in self.seconds.values() for each in row.values()]
        if not everything:
            return None
        seconds = 0
        for number, row in enumerate(self.rows):
            known = self.seconds.get(number, {})
            guess = statistics.mean(known.values() if known else everything)
            turns = self.repetitions - turn - (number < place)
            seconds += turns * sum(known.get(peer.name, guess) for peer in row.takers(0))
        return seconds

    def began(self, turn, place, peer):
        now = time.monotonic()
        if not self.is_terminal and now - self.last_line < self.SPARSE_SECONDS:
            return
        self.last_line = now
        left = self.left(turn, place)
        rest = "" if left is None else f", about {duration(left)} left"
        text = f"turn {turn + 1} of {self.repetitions}{rest}: {self.rows[place].title}, {peer.name}"
        self.write(text, "" if self.is_terminal else "\n")

    def ended(self, place, peer, seconds):
        self.seconds.setdefault(place, {})[peer.name] = seconds

    def failed(self, row, peer, reason):
        self.write(f"{row.title}, {peer.name}: {reason}", "\n")

    def clear(self):
        self.write("", "")

    def write(self, text, end):
        print(("\r\033[K" if self.is_terminal else "") + text, end=end, file=sys.stderr, flush=True)


def duration(seconds):
    """In the unit that fits."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def measure(rows, repetitions, timeout, before_each):
    """Runs everything and fills the rows. Returns whether it was interrupted; what was measured until then is kept."""
    progress = Progress(rows, repetitions)
    try:
        for turn in range(repetitions):
            for place, row in enumerate(rows):
                for peer in row.takers(turn):
                    before_each()
                    progress.began(turn, place, peer)
                    began = time.monotonic()
                    try:
                        row.add(peer, run(row.command(peer), peer.environment, timeout))
                    except RunFailed as failure:
                        row.failed[peer.name] = f"turn {turn + 1}: {failure}"
                        progress.failed(row, peer, row.failed[peer.name])
                    progress.ended(place, peer, time.monotonic() - began)
    except KeyboardInterrupt:
        return True
    finally:
        progress.clear()
    return False
