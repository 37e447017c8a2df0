#!/usr/bin/env python3
"""Runs the etcd-like store and its twin in Go under memory limits: the smallest limit each survives, and both at equal limits.

Every run is kept in a file, and one that is there is not done again: after Ctrl-C the same command goes on.

Exit code: 0 when everything ran, 1 when the programs did different work or nothing could be measured, 64 for options that
do not make sense, 130 after Ctrl-C.
"""

import argparse
import pathlib
import signal
import sys

from comparison import go, machine, store, store_page, storm
from comparison.building import BUILD, SOURCES, BuildFailed, Unavailable, build, say
from comparison.groups import NoGroup
from comparison.turns import RunFailed

USAGE = 64
PROFILES = ("mixed", "uniform-2k", "k8s-small", "k8s-5k", "bigval", "tiny-1m")
USUAL_PROFILES = ("mixed", "uniform-2k", "k8s-small")
PARTS = ("smallest", "limits", "storm")
FIRST_SEED = 20261123


class Parser(argparse.ArgumentParser):
    """With the exit code that all of the project's programs have for bad options."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def number(kind, low, high):
    """A number in bounds, for argparse."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"is {text!r}; allowed: {low} to {high}")
        return value

    return parse


def parse_arguments(arguments):
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("tricolor", nargs="?", default=str(BUILD / "release" / "tricolor"), help="the tricolor command")
    parser.add_argument("--part", action="append", choices=PARTS, help="may be given several times (default: all)")
    parser.add_argument("--profile", action="append", choices=PROFILES, help=f"(default: {', '.join(USUAL_PROFILES)})")
    parser.add_argument(
        "--multiple", action="append", type=number(float, 0.5, 100), help="a limit as a multiple of what is alive "
        "(default: 1.1, 1.25, 1.5, 2, 4, and the smallest limit that Go survives where that is known)")
    parser.add_argument("--seeds", type=number(int, 1, 100), default=3, help="runs of each (default: 3)")
    parser.add_argument(
        "--operations", type=number(int, 1, 10**9), default=400_000, help="after loading (default: 400000)")
    parser.add_argument("--threads", type=number(int, 1, 64), default=2, help="(default: 2)")
    parser.add_argument("--timeout", type=number(float, 1, 86_400), default=300, help="seconds for one run (300)")
    parser.add_argument("--state", default=str(BUILD / "store-runs.json"), help="where runs are kept")
    parser.add_argument("--markdown", metavar="FILE", help="also write a page such as docs/benchmarks-store.md")
    options = parser.parse_args(arguments)
    options.part = options.part or list(PARTS)
    options.profile = options.profile or list(USUAL_PROFILES)
    BUILD.mkdir(exist_ok=True)  # the default's folder, which a fresh clone does not have
    for path in (options.state, options.markdown):
        if path and not pathlib.Path(path).resolve().parent.is_dir():
            parser.error(f"{path!r} is in no folder that exists")
    if not pathlib.Path(options.tricolor).is_file():
        parser.error(f"{options.tricolor} is not there; build it with: swift build -c release --product tricolor")
    return options


def settings(tricolor):
    """Tricolor as it comes, and Go at its two best settings; none sheds load, so that all do the same work."""
    command = go.find()
    twin = BUILD / "peers" / "go" / "etcd"
    say("building the store in Go")
    build([command, "build", "-C", SOURCES / "EtcdStore", "-o", twin, "."], go.environment())
    ours = (tricolor, "run", "etcd", "--quiet", "--json", "-", "--shed", "off")
    return [
        store.Setting("tricolor", ours, "100"), store.Setting("go", (str(twin),), "100"),
        store.Setting("go", (str(twin),), "off"),
    ]


def measure_profile(profile, options, all_settings, runs):
    """Everything that is asked for of one profile."""
    work = store.Work(profile, options.operations, threads=options.threads)
    seeds = [FIRST_SEED + place for place in range(options.seeds)]
    live = store.live_bytes(runs, all_settings[0], work, seeds[0], say)
    smallest, limits = {}, {}
    if "smallest" in options.part:
        for each in all_settings:
            smallest[each] = store.smallest_limit(runs, each, work, seeds, live // 2, live * 4, say)
    if "limits" in options.part:
        go_smallest = [limit for each, limit in smallest.items() if each.name == "go" and limit]
        wanted = options.multiple or [1.1, 1.25, 1.5, 2, 4]
        for limit in sorted({store.to_mib(live * multiple) for multiple in wanted} | set(go_smallest and [min(go_smallest)])):
            # Seed by seed, so that the programs take turns.
            found = [(seed, each, runs.get(each, work, limit, seed, say)) for seed in seeds for each in all_settings]
            store.check_same_work([(seed, run) for seed, _, run in found])
            limits[limit] = {
                each: store.Figures.of([run for _, other, run in found if other is each]) for each in all_settings}
    return store_page.Profile(profile, live, smallest, limits)


def main():
    def interrupt(signal_number, frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    options = parse_arguments(sys.argv[1:])
    runs = store.Runs(options.state, options.timeout)
    try:
        all_settings = settings(options.tricolor)
        profiles = []
        if set(options.part) & {"smallest", "limits"}:
            profiles = [measure_profile(profile, options, all_settings, runs) for profile in options.profile]
        storms = storm.measure(options, all_settings, runs) if "storm" in options.part else []
    except (Unavailable, BuildFailed, NoGroup, RunFailed, store.DifferentWork) as reason:
        print(f"compare_store.py: {reason}", file=sys.stderr)
        return 1
    sitting = store_page.Sitting(profiles, storms, all_settings, machine.describe(), machine.commit(), options)
    print(store_page.text(sitting))
    if options.markdown:
        pathlib.Path(options.markdown).write_text(store_page.markdown(sitting))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
