#!/usr/bin/env python3
"""Breaks the collector on purpose, one defect at a time, and shows which test notices.

Every mutation of Sources/Tricolor/Collector/Mutation.swift is run against the scripted tests, against random programs
(tricolor-fuzz), and, under the same name, in the model (Model/check.sh). A row that nobody catches is a failure: either
the defect is none, or the tests are blunt. The unbroken collector must pass all of it first.

  Scripts/mutations.py                 all of them; builds what it needs, about 15 minutes on two processors
  Scripts/mutations.py NAME...         only these
  Scripts/mutations.py --scripted      without the model, and random programs only where the scripted tests miss (CI)
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build-mutations"
SOURCE = ROOT / "Sources/Tricolor/Collector/Mutation.swift"
SUITES = [
    "HandshakeTests", "BarrierTests", "TerminationTests", "ComingAndGoingTests", "WeakLoadTests", "ConservativeTests",
    "BlockingTests", "WeakTests", "EphemeronTests", "SweepTests", "RootTests", "AssistCreditTests", "LaneTests",
    "YoungTests", "YoungCycleTests", "NodeTests",
]
FUZZ = [("clobberfree", 300_000), ("threads", 200_000), ("delays", 300_000), ("gcstress", 6_000)]
# Hidden by the scheduler on an idle machine, by chance on a busy one: a few seeds each.
FUZZ_SEEDS = 3
# How the test program ends when its filter leaves nothing to run.
NO_TESTS = os.EX_UNAVAILABLE


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(command, environment, timeout):
    """Exit status (None: hung and killed), output, seconds."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", start_new_session=True)
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, re.sub(r"\x1b\[[0-9;]*m", "", output), time.monotonic() - started
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        return None, output, time.monotonic() - started


def mutations():
    return re.findall(r'case \w+ = "([A-Z_]+)"', SOURCE.read_text())


def build():
    say("==> debug build with mutations and delays")
    subprocess.run(
        ["swift", "build", "--build-tests", "-Xswiftc", "-DPROTOCOL_TESTING", "--scratch-path", str(BUILD)],
        cwd=ROOT, check=True, stdout=sys.stderr)


def environment_of(name):
    environment = {"SWIFT_BACKTRACE": "enable=no", "TRICOLOR_DELAYS": "20"}
    if name:
        environment["TRICOLOR_MUTATION"] = name
    return environment


def failing_suite(name):
    """The first suite that fails, its test, and after how many seconds."""
    total = 0
    for suite in SUITES:
        status, output, seconds = run(
            [str(BUILD / "debug/TricolorPackageTests.xctest"), "--testing-library", "swift-testing", "--filter", suite],
            environment_of(name), 120)
        total += seconds
        if status == NO_TESTS:
            raise SystemExit(f"there is no suite {suite}")
        if status == 0:
            continue
        failed = re.findall(r'✘ Test "?(.+?)"? (?:with \d+ test cases )?(?:failed|recorded)', output)
        started = re.findall(r'script waited in vain for .*|Fatal error: .*|precondition.*', output)
        what = failed[0] if failed else started[0] if started else "hung" if status is None else "crashed"
        return f"{suite}: {what}", total
    return None, total


def failing_program(name):
    total = 0
    for seed in range(1, FUZZ_SEEDS + 1):
        for mode, operations in FUZZ:
            status, output, seconds = run(
                [str(BUILD / "debug/tricolor-fuzz"), "--once", "--mode", mode, "--operations", str(operations),
                 "--seed", str(seed)], environment_of(name), 120)
            total += seconds
            if status != 0:
                lines = [line for line in output.splitlines() if "FAILED" in line or "atal error" in line]
                what = lines[0].removeprefix("FAILED: ") if lines else "hung" if status is None else "crashed"
                return f"{mode}, seed {seed}: {what}", total
    return None, total


def failing_model(name):
    status, output, seconds = run(["sh", "Model/check.sh", "mutation", name], {}, 900)
    if status == 64:
        return "not modelled", seconds
    caught = re.search(r"caught +(\d+) states.*by: (.*?)   ", output)
    return (f"{caught[2].strip()}, {caught[1]} states" if status == 0 and caught else None), seconds


def cell(found, seconds):
    return f"{found} ({seconds:.0f} s)" if found else f"no ({seconds:.0f} s)"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--scripted", action="store_true", help="no model; random programs only where scripts miss")
    options = parser.parse_args()
    known = mutations()
    for name in options.names:
        if name not in known:
            parser.error(f"there is no mutation {name}; there are {', '.join(known)}")
    build()
    say("==> the unbroken collector")
    for find in (failing_suite,) if options.scripted else (failing_suite, failing_program):
        found, _ = find(None)
        if found:
            raise SystemExit(f"the unbroken collector fails: {found}")
    print("| mutation | model | scripted test | random programs |\n|---|---|---|---|")
    missed = []
    for name in options.names or known:
        say(f"==> {name}")
        suite = failing_suite(name)
        short = options.scripted
        program = ("not run", 0) if short and suite[0] else failing_program(name)
        model = ("not run", 0) if short else failing_model(name)
        print(f"| {name} | {cell(*model)} | {cell(*suite)} | {cell(*program)} |", flush=True)
        if not suite[0] and not program[0]:
            missed.append(name)
    if missed:
        raise SystemExit("no test of the running code catches: " + ", ".join(missed))


main()
