"""The peers: how each is built, called and described, and what it cannot do.

A family is built once and gives several peers (three Java collectors, two allocators). All of them take the options of
`tricolor run WORKLOAD` and print its report.
"""

import dataclasses
import os
import shutil
import typing

from . import go
from .building import BUILD, SOURCES, BuildFailed, Unavailable, build, first_line, need_header, need_tool, say

NOTHING_MARKS = "nothing marks there"
BY_HAND = {
    "graph": NOTHING_MARKS,
    "write-heavy": "replaced nodes stay referred to; freeing them by hand would need counts",
}


@dataclasses.dataclass(frozen=True)
class Peer:
    """Something that runs the programs. `command` gives the beginning of a workload's command line."""

    name: str
    about: str
    version: str
    command: typing.Callable[[str], list]
    environment: tuple = ()
    unable: dict = dataclasses.field(default_factory=dict)  # workloads that it cannot do, and why
    threads: int | None = None  # takes part only in programs with so many; None: in all


def tricolor(command, commit):
    def call(workload):
        return [command, "run", workload, "--quiet", "--json", "-"]

    return Peer("tricolor", "this library", f"commit {commit}", call)


def make_go(_):
    command = go.find()
    output = BUILD / "peers" / "go"
    output.mkdir(parents=True, exist_ok=True)
    say("building the Go peers")
    build([command, "build", "-C", SOURCES / "Go", "-o", f"{output}{os.sep}", "./..."], go.environment())
    version = first_line([command, "version"], go.environment())

    def call(workload):
        return [str(output / workload)]

    about = "the same with GOMAXPROCS=1, in programs of one thread"
    return {
        "go": Peer("go", "Go's collector", version, call),
        "go-one-worker": Peer("go-one-worker", about, version, call, (("GOMAXPROCS", "1"),), threads=1),
    }


C_PEERS = {
    "glibc": ("malloc of the C library, freed by hand", None, BY_HAND),
    "mimalloc": ("another malloc, freed by hand", ("mimalloc.h", "libmimalloc-dev"), BY_HAND),
    "bdwgc": ("the conservative collector for C, linked", ("gc.h", "libgc-dev"), {}),
}


def make_c(name):
    about, needed, unable = C_PEERS[name]
    need_tool("make", "make")
    need_tool("cc", "gcc")
    if needed:
        need_header(*needed)
    output = BUILD / "peers" / "c"
    output.mkdir(parents=True, exist_ok=True)
    say(f"building the C peer {name}")
    build(["make", "-s", "-C", SOURCES / "C", f"OUT={output}", name])
    library = package_version(needed[1]) if needed else os.confstr("CS_GNU_LIBC_VERSION")
    version = f"{library}; {first_line(['cc', '--version'])}"
    return {name: Peer(name, about, version, lambda workload: [str(output / name), workload], unable=unable)}


def package_version(package):
    return first_line(["dpkg-query", "-W", "-f", "${Package} ${Version}", package])


JAVA_COLLECTORS = {
    "java-g1": ("Java's default collector, its default heap size", "-XX:+UseG1GC"),
    "java-parallel": ("Java's collector for throughput, which stops the program", "-XX:+UseParallelGC"),
    "java-zgc": ("Java's collector for short pauses", "-XX:+UseZGC"),
}


def make_java(_):
    for tool in ("java", "javac"):
        need_tool(tool, "default-jdk-headless")
    output = BUILD / "peers" / "java"
    shutil.rmtree(output, ignore_errors=True)
    say("building the Java peer")
    build(["javac", "-d", output, *sorted((SOURCES / "Java").rglob("*.java"))])
    version = first_line(["java", "--version"])

    def call(option):
        return lambda workload: ["java", option, "-cp", str(output), "Main", workload]

    return {
        name: Peer(name, about, version, call(option)) for name, (about, option) in JAVA_COLLECTORS.items()
    }


def make_arc(name):
    output = BUILD / "peers" / "swift"
    say("building the Swift peer")
    build(["swift", "build", "-c", "release", "--package-path", SOURCES / "Swift", "--scratch-path", output])
    program = str(output / "release" / name)
    about, version = "Swift's own reference counting, classes; cycles leak", first_line(["swift", "--version"])
    return {name: Peer(name, about, version, lambda workload: [program, workload], unable={"graph": NOTHING_MARKS})}


MAKERS = {
    "go": make_go, "go-one-worker": make_go,
    "glibc": make_c, "mimalloc": make_c, "bdwgc": make_c,
    "java-g1": make_java, "java-parallel": make_java, "java-zgc": make_java,
    "arc": make_arc,
}


def prepare(names):
    """Builds the named peers: those there are, the reasons of those left out and of those that do not build."""
    made, left_out, broken = {}, {}, {}
    for name in names:
        if name in made:
            continue
        try:
            made |= MAKERS[name](name)
        except Unavailable as reason:
            left_out[name] = str(reason)
            say(f"{name} is left out: {reason}")
        except BuildFailed as reason:
            broken[name] = str(reason)
            say(f"{name} {reason}")
    return [made[name] for name in names if name in made], left_out, broken
