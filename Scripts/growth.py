#!/usr/bin/env python3
"""What TRICOLOR_TUNE=on is worth against percentages of growth that never change: the tables of tuning.md, measured again on this machine.

  growth.py rates       the etcd-like store at 2000 operations a second and at 40 000, in turns of three seconds
  growth.py phases      the store's phases at full speed: the mix, list storms, compactions, watch bursts

For each: CPU of the collector and of the process, the resident set's mean and peak (read every 10 ms), operations a second and their p99. A release
build is made first, unless --command names one. Rows go to standard output, progress to standard error. Exit code: 0, 70 when a run fails, 2 for wrong options.
"""

import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILT = ROOT / ".build" / "release" / "tricolor"
MEBIBYTE = 1 << 20
STATIC = ("25", "50", "100", "200", "400")
LOADS = {
    "rates": ("etcd", "--threads", "2", "--phases", "steady", "--rate", "2000", "--obey-orders"),
    "phases": ("etcd", "--threads", "2"),
}
RATES = (2000, 40000)
TURN = 3.0


def environment(settings):
    kept = {k: v for k, v in os.environ.items() if k not in ("GOGC", "GOMEMLIMIT", "GODEBUG", "GOMAXPROCS")}
    return {k: v for k, v in kept.items() if not k.startswith("TRICOLOR_")} | settings


def resident(process):
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def run(built, load, settings, duration, seed):
    """A run: its report, and the resident set's mean over the time after the first second and its peak."""
    command = [built, "run", *LOADS[load], "--duration", duration, "--seed", str(seed), "--quiet", "--json", "-"]
    print("growth:", *(f"{k}={v}" for k, v in settings.items()), *command[1:], file=sys.stderr)
    orders, theirs = socket.socketpair()
    process = subprocess.Popen(command, env=environment(settings), stdin=theirs, stdout=subprocess.PIPE, text=True)
    theirs.close()
    began = time.monotonic()
    readings, turn = [], 0
    while process.poll() is None:
        passed = time.monotonic() - began
        if load == "rates" and int(passed / TURN) != turn:
            turn = int(passed / TURN)
            orders.sendall(f"rate {RATES[turn % len(RATES)]}\n".encode())
        if passed > 1:
            try:
                readings.append(resident(process))
            except (OSError, IndexError):
                break
        time.sleep(0.01)
    report = json.loads(process.stdout.read())
    if process.wait() != 0 or not report["verified"]:
        sys.exit(70)
    readings = [r for r in readings if r > 0]
    return report, sum(readings) / len(readings), max(readings)


def row(name, report, mean, peak):
    collector = sum(report["gcCPUNanoseconds"].values()) / 1e9
    used = report["processCPUNanoseconds"] / 1e9
    print(
        f"| {name} | {collector:.2f} s | {100 * collector / used:.1f} % | {mean / MEBIBYTE:.0f} MiB | {peak / MEBIBYTE:.0f} MiB | "
        f"{report['operationsPerSecond']:.0f} | {report['operationNanoseconds']['p99'] / 1e6:.2f} ms | {report['gogc']} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("load", choices=LOADS)
    parser.add_argument("--duration", default="15s", help="of each run")
    parser.add_argument("--seed", type=int, default=20261126)
    parser.add_argument("--limit", default="off", help="GOMEMLIMIT")
    parser.add_argument("--percents", default=",".join(STATIC), help="GOGC of the runs without a tuner, with commas")
    parser.add_argument("--tune", default="on", help="TRICOLOR_TUNE of the last run, which begins with GOGC=100")
    parser.add_argument("--command", help="a tricolor command to run, instead of making one")
    options = parser.parse_args()
    if not options.command:
        subprocess.run(["swift", "build", "-c", "release", "--product", "tricolor"], cwd=ROOT, check=True, stdout=sys.stderr)
    built = options.command or BUILT
    print("| GOGC | collector CPU | of the CPU used | mean RSS | peak RSS | operations/s | p99 | GOGC at the end |")
    print("|---|---|---|---|---|---|---|---|")
    for percent in filter(None, options.percents.split(",")):
        settings = {"GOGC": percent, "GOMEMLIMIT": options.limit}
        row(percent, *run(built, options.load, settings, options.duration, options.seed))
    settings = {"TRICOLOR_TUNE": options.tune, "GOMEMLIMIT": options.limit}
    row(f"TRICOLOR_TUNE={options.tune}", *run(built, options.load, settings, options.duration, options.seed))


if __name__ == "__main__":
    main()
