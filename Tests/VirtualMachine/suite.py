#!/usr/bin/env python3
"""Runs the tests that need a kernel with several NUMA nodes, or with version 2 of control groups, in virtual machines that have them.

  suite.py BUILD                 all machines; BUILD is the folder of an optimised build of the tests
  suite.py BUILD --machine NAME  only that one

Exit status: 0 when all is right, 1 when a step is not, 77 when no machine can be had here, which is said aloud.
"""

import argparse
import pathlib
import sys
import time

from machine import Kit, Machine, Node, Step, Unavailable

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def tests(name, pattern, before="", **options):
    """Runs the suites whose names match in the test bundle."""
    command = f"{before}\n" if before else ""
    command += f'exec "$BUNDLE" --testing-library swift-testing --filter \'{pattern}\''
    return Step(name, command, **options)


# A third of what the tests do is spent in the loader; the programs are run a few at a time for that reason.
GROUPS = [
    tests("limits under version 2 of control groups", "VersionTwoTests"),
    tests("programs at their limit", "LimitsTests/ProgramTests"),
    tests("tricolor run --cgroup", "recordsThatWant|churn", timeout=900),
]

# Pages and threads, and the heap's own tests of what it does with several nodes.
NODES = [
    tests("pages and threads", "^PlacementTests\\.PlacementTests"),
    tests("the nodes of this machine", "TopologyTests"),
    Step("random programs", "exec $BUILD/tricolor-fuzz --operations 40000 --seed 1"),
]

# Leaders on real nodes: nothing may be made up, and the workload's own check must hold.
REGIONS = Step(
    "tricolor run regions",
    """$BUILD/tricolor run regions --regions 1000 --stores 12 --seconds 10 --threads 2 --quiet --json - >/regions || exit
grep logAppend -A 7 /regions
grep -q '"simulatedNodes": null' /regions && grep -q '"nodes": 2,' /regions""")


def cpuset(nodes, processors):
    """The tests of a process that may use only some nodes."""
    before = f"""mkdir /sys/fs/cgroup/part
echo {nodes} >/sys/fs/cgroup/part/cpuset.mems
echo {processors} >/sys/fs/cgroup/part/cpuset.cpus
echo $$ >/sys/fs/cgroup/part/cgroup.procs
export TRICOLOR_TEST_CPUSET={nodes}"""
    return tests(f"in a cpuset with nodes {nodes}, processors {processors}", "CpusetTests|TopologyTests", before)


# Name: nodes, words for the kernel, steps.
MACHINES = {
    "two": ([Node(), Node()], "", NODES + [REGIONS, cpuset("1", "0-1")] + GROUPS),
    "four": ([Node(memory=448) for _ in range(4)], "", NODES + [cpuset("1-2", "0,3")]),
    # Little memory, none, and no processor.
    "odd": (
        [Node(memory=900), Node(memory=288), Node(memory=0), Node(processors=0, memory=256)], "",
        [tests("pages and threads, a node of little memory", "^PlacementTests\\.PlacementTests", "export TRICOLOR_TEST_SMALL_NODE=1"),
         tests("the nodes of this machine", "TopologyTests"),
         Step("what is said of the machine", "exec $BUILD/tricolor topology")]),
    "without-pressure": ([Node(), Node()], "psi=0", [tests("no pressure information", "VersionTwoTests")]),
}


def run(name, kit, build):
    nodes, append, steps = MACHINES[name]
    bundle = build / "TricolorPackageTests.xctest"
    machine = Machine(kit, nodes, append)
    for program in (bundle, build / "tricolor", build / "tricolor-limit-programs", build / "tricolor-fuzz"):
        machine.archive.program(program)
    settings = f"export BUILD={build} BUNDLE={bundle} SWIFT_BACKTRACE=enable=no\n"
    prefixed = [Step(s.name, settings + s.command, s.status, s.timeout) for s in steps]
    began = time.monotonic()
    folder = kit.folder / name
    results = machine.run(prefixed, folder)
    print(f"==> machine {name}: {time.monotonic() - began:.0f} s, its console is in {folder}/console", flush=True)
    for result in results:
        if result.is_right:
            print(f"right  {result.step.name}")
            continue
        ended = "did not end" if result.status is None else f"ended with {result.status}, not {result.step.status}"
        lines = [line for line in result.output.splitlines() if not line.startswith("◇")]
        print(f"WRONG  {result.step.name}: it {ended}; it said:", *lines, sep="\n")
    return all(result.is_right for result in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--machine", choices=MACHINES, action="append")
    arguments = parser.parse_args()
    try:
        kit = Kit(ROOT / ".build/virtual-machine")
    except Unavailable as reason:
        print(f"SKIPPED: no virtual machine can be had here: {reason}")
        return 77
    wrong = [name for name in arguments.machine or MACHINES if not run(name, kit, arguments.build.resolve())]
    if wrong:
        print(f"==> wrong on the machines {', '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
