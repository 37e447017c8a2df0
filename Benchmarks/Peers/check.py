#!/usr/bin/env python3
"""Runs every program of the peers at a small size and compares what they say of their data.

    check.py NAME=COMMAND ...        glibc=OUT/glibc "java-g1=java -XX:+UseG1GC -cp OUT Main" "tricolor=tricolor run"

A COMMAND is called with a workload and its options behind it; where it contains {}, the workload is put there instead.
Every run must verify, have the keys of the report, and give the figures of the first program that ran the same; every bad
option must end with exit code 64 and name what is wrong. A program that cannot do a workload must say so with 64 too.

Exit code: 0 when everything agrees, 1 when not, 64 for a bad command line.
"""

import json
import shlex
import subprocess
import sys

PROGRAMS = (
    ("binary-trees", "--depth 12", (1, 2)),
    ("graph", "--nodes 50000 --cycles 3 --shape random", (1,)),
    ("graph", "--nodes 50000 --cycles 3 --shape sequential", (1,)),
    ("latency", "--window 5000 --inserts 60000 --bytes 300", (1,)),
    ("churn", "--records 7001 --bytes 300 --operations 100003", (1, 2)),
    ("linked-list", "--nodes 300000 --lists 2", (1, 2)),
    ("large-objects", "--keep 5 --buffers 50 --bytes 1000000", (1, 2)),
    ("cross-thread", "--parcels 50 --messages 500 --bytes 48", (2, 4)),
    ("write-heavy", "--nodes 10001 --writes 300007", (1, 2)),
)
BAD = (
    ("binary-trees", "--depth 5", "5"), ("binary-trees", "--depth 31", "31"), ("binary-trees", "--depth x", "x"),
    ("latency", "--window 0", "0"), ("latency", "--threads 2", "2"), ("churn", "--records -1", "-1"),
    ("churn", "--threads 1025", "1025"), ("linked-list", "--nodes 99999999999999999999", "99999999999999999999"),
    ("cross-thread", "--threads 3", "3"), ("cross-thread", "--bytes 7", "7"), ("churn", "--seed -1", "-1"),
    ("churn", "--colour 1", "--colour"), ("no-such-workload", "", "no-such-workload"),
)
CANNOT = {"glibc": ("graph", "write-heavy"), "mimalloc": ("graph", "write-heavy"), "arc": ("graph",)}
KEYS = ("workload", "seed", "threads", "seconds", "operations", "processCPUNanoseconds", "peakRSSBytes", "verified",
        "result")
TIMED = ("latency", "linked-list", "large-objects", "cross-thread", "write-heavy")
OWN_FIGURES = ("cycleSeconds", "cycleCPUNanoseconds", "processors", "runtime", "leaks", "maxHeapBytes", "collectors",
               "interrupted", "cyclesByCause", "kinds", "phases", "phaseTable")


def call(command, workload, options):
    words = [word.replace("{}", workload) for word in shlex.split(command)]
    if "{}" not in command:
        words.append(workload)
    return subprocess.run([*words, *options], capture_output=True, text=True, timeout=300)


def faults_of_report(report, workload, threads):
    """What is wrong with a report by itself."""
    if report.get("verified") is not True:
        yield "its data is not verified"
    yield from (f"no key {key}" for key in KEYS if key not in report)
    if report.get("workload") != workload or report.get("threads") != threads:
        yield f"it ran {report.get('workload')} with {report.get('threads')} threads"
    if workload in TIMED and set(report.get("operationNanoseconds", ())) != {"p50", "p99", "p999", "p9999", "max"}:
        yield "operationNanoseconds is not complete"
    if workload == "graph" and not report.get("markNanosecondsPerObject", 0) > 0:
        yield "no markNanosecondsPerObject"


def figures_of(report):
    own = {key: value for key, value in report["result"].items() if key not in OWN_FIGURES}
    return {"operations": report["operations"], **own}


def faults_of_run(name, command, program, threads, known):
    """Runs one program; `known` has the figures of those that ran before, each with the name that said so first."""
    workload, options, _ = program
    answer = call(command, workload, [*options.split(), "--threads", str(threads)])
    if workload in CANNOT.get(name, ()):
        if answer.returncode != 64:
            yield f"exit code {answer.returncode} for what it cannot do, not 64"
        return
    if answer.returncode != 0:
        yield f"exit code {answer.returncode}: {answer.stderr.strip()}"
        return
    report = json.loads(answer.stdout)
    yield from faults_of_report(report, workload, threads)
    for key, value in figures_of(report).items():
        first, expected = known.setdefault((workload, options, threads, key), (name, value))
        if value != expected:
            yield f"{key} is {value}, but {expected} in {first}"


def faults_of_refusal(command, workload, options, culprit):
    answer = call(command, workload, options.split())
    if answer.returncode != 64:
        yield f"exit code {answer.returncode}, not 64"
    if answer.stdout or culprit not in answer.stderr:
        yield f"the message does not name {culprit}: {(answer.stdout + answer.stderr).strip()}"


def main():
    commands = dict(argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    if not commands or len(commands) != len(sys.argv) - 1:
        print(__doc__, file=sys.stderr)
        return 64
    known, faults = {}, 0
    for name, command in commands.items():
        found = [
            (f"{program[0]} {program[1]} --threads {threads}", fault)
            for program in PROGRAMS for threads in program[2]
            for fault in faults_of_run(name, command, program, threads, known)]
        if "{}" not in command:
            found += [
                (f"{workload} {options}", fault) for workload, options, culprit in BAD
                for fault in faults_of_refusal(command, workload, options, culprit)]
        for what, fault in found:
            print(f"{name}: {what}: {fault}")
        faults += len(found)
        print(f"{name}: {'everything agrees' if not found else f'{len(found)} faults'}", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
