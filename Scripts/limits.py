#!/usr/bin/env python3
"""How close to its memory limit a program can live: the tables of tuning.md, measured again on this machine.

  limits.py smallest    the smallest control group in which the etcd-like store lives, three seeds each
  limits.py curve       its throughput, CPU of the collector and stalls against limit over live memory, 1.05 to 4
  limits.py settings    the store, with as many keys as its control group is large, in 256 MiB to 4 GiB: without a limit, with one alone, with
                        both, and with what `tricolor tune` answers
  limits.py quota       the store in 160 MiB with CPU quotas of a half, one and one and a half processors, and without (version 1 of control groups)
  limits.py heaps       two unlike heaps under one limit: what their collectors take as it is divided, against fixed parts
  limits.py overshoot   by how much resident memory goes over the limit: 20 runs of the store at odd sizes, its limit a share of its group's and
                        given in bytes, and 20 of a program whose
                        allocation rate changes tenfold while malloc takes a quarter of the limit, slowly and at once

Release builds are made first. Tables go to standard output, progress to standard error. Exit code: 0, 70 when a run fails in a way that is no
result, 2 for wrong options.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / ".build" / "release"
MEBIBYTE = 1 << 20
SEEDS = (20261123, 20261124, 20261125)
VARIABLES = ("GOGC", "GOMEMLIMIT", "GODEBUG", "GOMAXPROCS")


def environment(**settings):
    return {k: v for k, v in os.environ.items() if k not in VARIABLES and not k.startswith("TRICOLOR_")} | settings


def build():
    for product in ("tricolor", "tricolor-limit-programs"):
        subprocess.run(["swift", "build", "-c", "release", "--product", product], cwd=ROOT, check=True, stdout=sys.stderr)


def store(*options, before=None, **settings):
    """A run of the store: its report. Killed by the kernel (exit 3) and ended by its policy (75) are results. `before` is called in its process."""
    command = [RELEASE / "tricolor", "run", "etcd", "--quiet", "--json", "-", *options]
    print("limits:", *command[1:], file=sys.stderr)
    run = subprocess.run(command, env=environment(**settings), stdout=subprocess.PIPE, text=True, preexec_fn=before)
    if run.returncode not in (0, 3, 75):
        sys.exit(70)
    return json.loads(run.stdout)


def program(scenario, limit):
    """A run of one of Tests/LimitPrograms under `limit` bytes: its figures."""
    with tempfile.NamedTemporaryFile(mode="r") as file:
        print("limits:", scenario, limit, file=sys.stderr)
        subprocess.run(
            [RELEASE / "tricolor-limit-programs", scenario, file.name], env=environment(GOMEMLIMIT=str(limit)), check=True)
        return {name: int(value) for name, value in (line.split("=") for line in file.read().splitlines())}


def lives(report):
    return report["verified"] and not report["oomKilled"]


def figures(report):
    stalls = report["mutatorStallNanoseconds"]
    return (
        f"{report['operationsPerSecond']:.0f} | {100 * report['gcCPUFraction']:.1f} % | {stalls['p999'] / 1e6:.2f} | "
        f"{stalls['max'] / 1e6:.1f} | {report['operationNanoseconds']['p99'] / 1e6:.2f}")


def smallest(options):
    print("| cgroup | lives, of three seeds | operations/s | collector CPU | stall p99.9 ms | longest | operation p99 ms |")
    print("|---|---|---|---|---|---|---|")
    size = options.start
    while size > 0:
        reports = [store("--cgroup", f"{size}MiB", "--duration", options.duration, "--seed", str(seed)) for seed in SEEDS]
        living = [r for r in reports if lives(r)]
        middle = sorted(living, key=lambda r: r["operationsPerSecond"])[len(living) // 2] if living else None
        print(f"| {size} MiB | {len(living)} | {figures(middle) if middle else '– | – | – | – | –'} |", flush=True)
        if not living:
            return
        size -= options.step


def curve(options):
    """Live is what is resident after a forced collection: objects, tables, and everything of the process that is not the heap's."""
    live = options.live * MEBIBYTE
    print("| limit / live | limit | peak RSS over the limit | operations/s | collector CPU | stall p99.9 ms | longest | operation p99 ms |")
    print("|---|---|---|---|---|---|---|---|")
    for ratio in (1.05, 1.1, 1.15, 1.25, 1.5, 2, 2.5, 3, 4):
        limit = int(live * ratio)
        runs = [
            store("--memory-limit", str(limit), "--gogc", "off", "--duration", options.duration, "--seed", str(seed))
            for seed in SEEDS]
        middle = sorted(runs, key=lambda r: r["operationsPerSecond"])[1]
        over = max(r["rssOvershootBytes"] for r in runs) / limit
        verified = "" if all(r["verified"] for r in runs) else " (not verified)"
        print(f"| {ratio} | {limit / MEBIBYTE:.0f} MiB{verified} | {100 * over:.2f} % | {figures(middle)} |", flush=True)


def tuned(size, keys, options):
    """The variables that a short tuning recommends; None when it finds none that is enough."""
    command = [
        RELEASE / "tricolor", "tune", "etcd", "--memory", f"{size}MiB", "--budget", options.budget, "--quiet", "--json", "-", "--keys", str(keys)]
    print("limits:", *command[1:], file=sys.stderr)
    run = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True)
    if run.returncode not in (0, 3):
        sys.exit(70)
    return json.loads(run.stdout)["environment"] or None


def settings(options):
    """The data grows with the group: 140 keys a mebibyte, about a third of it alive."""
    given = {
        "no limit": {"GOGC": "100", "GOMEMLIMIT": "off"}, "no limit, half the growth": {"GOGC": "50", "GOMEMLIMIT": "off"},
        "the limit alone": {"GOGC": "off", "GOMEMLIMIT": "90%"}, "both": {"GOGC": "100", "GOMEMLIMIT": "90%"}}
    print("| cgroup | keys | settings | lives, of three seeds | operations/s | collector CPU | stall p99.9 ms | longest | operation p99 ms | peak RSS |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for size in (256, 512, 1024, 2048, 4096):
        keys = 140 * size
        for name, variables in (given | {"tuned": tuned(size, keys, options)}).items():
            if variables is None:
                print(f"| {size} MiB | {keys} | {name} | nothing is enough | – | – | – | – | – | – |", flush=True)
                continue
            text = " ".join(f"{variable}={value}" for variable, value in variables.items())
            reports = [
                store("--cgroup", f"{size}MiB", "--keys", str(keys), "--duration", options.duration, "--seed", str(seed), **variables)
                for seed in SEEDS]
            living = [r for r in reports if lives(r)]
            middle = sorted(living, key=lambda r: r["operationsPerSecond"])[len(living) // 2] if living else None
            shown = f"{figures(middle)} | {middle['peakRSSBytes'] / MEBIBYTE:.0f} MiB" if middle else "– | – | – | – | – | –"
            print(f"| {size} MiB | {keys} | {name}: `{text}` | {len(living)} | {shown} |", flush=True)


@contextlib.contextmanager
def cpu_group(processors):
    """A control group with a quota of so many processors, None for no quota: its folder."""
    group = pathlib.Path("/sys/fs/cgroup/cpu") / f"tricolor-quota-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_quota_us").write_text("-1" if processors is None else str(int(100_000 * processors)))
    except OSError as error:
        print(f"limits: no CPU quota can be set here, which needs version 1 of control groups and the right to make one: {error}", file=sys.stderr)
        sys.exit(70)
    try:
        yield group
    finally:
        group.rmdir()


def quota(options):
    """A quota is for each tenth of a second: who has used it up stands still until the next."""
    print("| processors | operations/s | collector CPU | stall p99.9 ms | longest | operation p99 ms | periods throttled |")
    print("|---|---|---|---|---|---|---|")
    for processors in (0.5, 1, 1.5, None):
        runs = []
        for seed in SEEDS:
            with cpu_group(processors) as group:
                report = store(
                    "--cgroup", "160MiB", "--duration", options.duration, "--seed", str(seed), before=lambda: (group / "cgroup.procs").write_text("0"))
                counted = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
            runs.append((report, int(counted["nr_throttled"]), int(counted["nr_periods"])))
        report, throttled, periods = sorted(runs, key=lambda run: run[0]["operationsPerSecond"])[1]
        verified = "" if all(run[0]["verified"] for run in runs) else " (not verified)"
        print(f"| {processors or 'no quota'}{verified} | {figures(report)} | {throttled} of {periods} |", flush=True)


def heaps(options):
    """One heap of 160 MiB that allocates 20 MiB/s beside one of 4 MiB that allocates 150 MiB/s."""
    divisions = {
        "shared by the rule": "unlikeShared", "equal parts of the limit": "unlikeEqualParts", "equal parts of the room": "unlikeEqualRoom"}
    runs = {name: [] for name in divisions}
    for _ in range(3):
        for name, scenario in divisions.items():
            runs[name].append(program(scenario, 400 * MEBIBYTE))
    print("| division | CPU of both collectors, ms: median | all three | cycles of each (median run) |")
    print("|---|---|---|---|")
    for name, found in runs.items():
        found.sort(key=lambda run: run["heap0.collectorMicroseconds"] + run["heap1.collectorMicroseconds"])
        costs = [(run["heap0.collectorMicroseconds"] + run["heap1.collectorMicroseconds"]) / 1000 for run in found]
        middle = found[1]
        print(
            f"| {name} | {costs[1]:.0f} | {', '.join(f'{cost:.0f}' for cost in costs)} | {middle['heap0.cycles']} and {middle['heap1.cycles']} |", flush=True)


def overshoot(options):
    rows = []

    def note(name, is_right, over):
        rows.append((name, is_right, over))
        print(f"limits: {name}: {'right' if is_right else 'not alive or wrong'}, {100 * over:.2f} % over", file=sys.stderr)

    for name, limit in (("the store, 90 %", lambda size: "90%"), ("the store, as many bytes", lambda size: str(size * MEBIBYTE * 9 // 10))):
        for run in range(options.runs):
            size = 137 + 13 * run
            report = store(
                "--cgroup", f"{size}MiB", "--duration", options.duration, "--seed", str(700 + run), GOMEMLIMIT=limit(size))
            note(name, lives(report), report["rssOvershootBytes"] / report["limitBytes"])
    for scenario in ("swings", "jumps"):
        for run in range(options.runs):
            limit = (211 + 23 * run) * MEBIBYTE + 4097 * run
            found = program(scenario, limit)
            note(scenario, found["wrong"] == 0, max(0, found["peak"] - limit) / limit)
    print("| program | runs | data right | over the limit: none | largest | all of them |")
    print("|---|---|---|---|---|---|")
    for name in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == name]
        overs = sorted(100 * row[2] for row in mine)
        print(
            f"| {name} | {len(mine)} | {sum(row[1] for row in mine)} | {sum(over == 0 for over in overs)} | {overs[-1]:.2f} % | "
            f"{', '.join(f'{over:.2f}' for over in overs if over > 0) or 'none'} |")


TABLES = {
    "smallest": smallest, "curve": curve, "settings": settings, "quota": quota, "heaps": heaps, "overshoot": overshoot}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tuple(TABLES))
    parser.add_argument("--duration", default="8s", help="of a run of the store")
    parser.add_argument("--start", type=int, default=120, help="smallest: the first control group, in MiB")
    parser.add_argument("--step", type=int, default=5, help="smallest: how much smaller each next one is, in MiB")
    parser.add_argument("--live", type=int, default=85, help="curve: live memory of the store's process, in MiB")
    parser.add_argument("--budget", default="1m", help="settings: of a tuning")
    parser.add_argument("--runs", type=int, default=20, help="overshoot: runs of each program")
    options = parser.parse_args()
    build()
    TABLES[options.what](options)


if __name__ == "__main__":
    main()
