"""The reference storm: 60 000 keys of 2 KiB, four clients that list everything five times each, at smaller and smaller limits.

Tricolor's store by one response, by one response with shedding, and streamed; its twin in Go; and etcd itself as Debian has it.
"""

import dataclasses

from . import etcd, store
from .building import Unavailable, say

LIMITS = tuple(size * store.MIB for size in (1536, 1280, 1024, 768, 512, 384, 320))
LISTS = 20
SEED = 20261123


@dataclasses.dataclass(frozen=True)
class Row:
    """What came of one program and way to list, by limit."""

    name: str
    cells: dict


def works(setting):
    """(name, setting, work) of all ways to list that a program has."""
    def work(lists, more=("--watchers", "1")):
        return store.Work("uniform-2k", LISTS, "list-storm", lists, threads=4, more=more)

    yield f"{setting.name}, GOGC={setting.gogc}: one response", setting, work("unary")
    yield f"{setting.name}, GOGC={setting.gogc}: streamed", setting, work("stream")
    if setting.name == "tricolor":
        # The last of two --shed options would be refused: the command without it sheds.
        command = tuple(each for each in setting.command if each not in ("--shed", "off"))
        sheds = dataclasses.replace(setting, name="tricolor sheds", command=command)
        yield f"tricolor, GOGC={setting.gogc}: one response, sheds", sheds, work("unary")


def cell(run):
    """The lists that were finished and the seconds they took, or how it ended."""
    if run["outcome"] != store.SURVIVED:
        done = run.get("lists")
        return run["outcome"] if done is None else f"{run['outcome']} ({done} lists)"
    if "lists" in run:
        return f"{run['lists']} lists, {run['seconds']:.1f} s"
    result = run["report"]["result"]
    seconds = sum(phase["seconds"] for phase in result["phaseTable"] if phase["name"] == "list storm")
    return f"{result['listsFinished']} lists, {seconds:.1f} s"


def measure(options, settings, runs):
    rows = []
    for setting in settings:
        for name, each, work in works(setting):
            rows.append(Row(name, {limit: cell(runs.get(each, work, limit, SEED, say)) for limit in LIMITS}))
    try:
        real = etcd.Etcd()
        for name, environment in etcd.SETTINGS.items():
            cells = {
                limit: cell(runs.keep(
                    f"etcd {name} limit={limit}", lambda: real.storm(environment, limit, options.timeout), say))
                for limit in LIMITS}
            rows.append(Row(f"etcd {real.version}, {name}: one response", cells))
    except Unavailable as reason:
        say(f"etcd is left out: {reason}")
    return rows
