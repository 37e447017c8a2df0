#!/usr/bin/env python3
"""Runs Tricolor's classic workloads, and the same programs on other collectors and allocators, in turns: prints ratios.

Exit code: 0 when everything ran, 1 when a run or a build failed (the rest is reported all the same), 64 for options
that do not make sense, 130 after Ctrl-C (what was measured is printed and written).

Settings such as GOGC, GOMEMLIMIT and GOMAXPROCS are handed to all programs as they are in the environment.
"""

import argparse
import json
import pathlib
import shutil
import signal
import sys

from comparison import machine, page, peers, turns
from comparison.building import BUILD, ROOT
from comparison.programs import WORKLOADS, chosen

USAGE = 64


class Parser(argparse.ArgumentParser):
    """With the exit code that all of the project's programs have for bad options."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def positive(text):
    """A number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


def parse_arguments(arguments):
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("tricolor", nargs="?", default=str(BUILD / "release" / "tricolor"), help="the tricolor command")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that everything runs")
    parser.add_argument("--repetitions", metavar="N", help="turns that each program takes (default: 5; 2 with --quick)")
    parser.add_argument("--only", metavar="WORKLOAD", action="append", help="one workload; may be given several times")
    parser.add_argument(
        "--peers", metavar="LIST", help=f"beside Tricolor, with commas (default: {','.join(peers.MAKERS)})")
    parser.add_argument("--timeout", metavar="SECONDS", default="300", help="for one run (default: 300)")
    parser.add_argument("--json", metavar="FILE", help="also write every run's figures")
    parser.add_argument("--markdown", metavar="FILE", help="also write a page such as docs/benchmarks.md")
    options = parser.parse_args(arguments)
    options.repetitions = options.repetitions or ("2" if options.quick else "5")
    if not options.repetitions.isdecimal() or not 1 <= int(options.repetitions) <= 1000:
        parser.error(f"--repetitions is {options.repetitions!r}; allowed: 1 to 1000")
    options.repetitions = int(options.repetitions)
    try:
        options.timeout = positive(options.timeout)
    except ValueError:
        parser.error(f"--timeout is {options.timeout!r}; allowed: a number of seconds above 0")
    options.peers = list(dict.fromkeys(options.peers.split(","))) if options.peers is not None else list(peers.MAKERS)
    for option, values, allowed in (("only", options.only or [], WORKLOADS), ("peers", options.peers, peers.MAKERS)):
        for value in values:
            if value not in allowed:
                parser.error(f"--{option} is {value!r}; allowed: {', '.join(allowed)}")
    for option in ("json", "markdown"):
        file = getattr(options, option)
        if file and not pathlib.Path(file).resolve().parent.is_dir():
            parser.error(f"--{option} is {file!r}; allowed: a file in a folder that exists")
    if not shutil.which(options.tricolor):
        parser.error(f"{options.tricolor} cannot be run; build it with: swift build -c release --product tricolor")
    return options


def make_rows(programs, available, quick):
    """Who runs what. A program that the machine has no memory for is not run by anybody."""
    rows = []
    for program in programs:
        taking_part = [
            each for each in available
            if each.threads in (None, program.threads)
            and (each.name == "tricolor" or not program.only or each.name in program.only)
        ]
        unable = {each.name: each.unable[program.workload] for each in taking_part if program.workload in each.unable}
        if not quick and machine.gibibytes("MemAvailable") < program.gibibytes:
            reason = f"it needs {program.gibibytes} GiB of memory"
            unable = {each.name: reason for each in taking_part}
        rows.append(turns.Row(program, program.arguments(quick), taking_part, unable))
    return rows


def as_json(sitting):
    return {
        "machine": sitting.machine, "loadAverage": sitting.load, "repetitions": sitting.repetitions,
        "interrupted": sitting.is_interrupted,
        "peers": {each.name: {"about": each.about, "version": each.version} for each in sitting.peers},
        "leftOut": sitting.left_out,
        "programs": [
            {
                "workload": row.program.workload, "arguments": row.arguments, "threads": row.program.threads,
                "runs": row.runs, "cannot": row.unable, "failed": row.failed,
            }
            for row in sitting.rows
        ],
    }


def interrupt(signal_number, frame):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, interrupt)
    options = parse_arguments(sys.argv[1:])
    found, left_out, broken = peers.prepare(options.peers)
    found.insert(0, peers.tricolor(options.tricolor, machine.commit()))
    description, load = machine.describe(), machine.Load()
    rows = make_rows(chosen(options.only, options.quick), found, options.quick)
    is_interrupted = turns.measure(rows, options.repetitions, options.timeout, load.sample)
    sitting = page.Sitting(
        rows, found, left_out | broken, description, str(load), options.quick, options.repetitions, is_interrupted)
    print(page.text(sitting))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(as_json(sitting), indent=1) + "\n")
    if options.markdown:
        pathlib.Path(options.markdown).write_text(page.markdown(sitting).replace(f"{ROOT}/", ""))
    if is_interrupted:
        return 130
    return 1 if broken or any(row.failed for row in rows) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
