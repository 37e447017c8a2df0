"""Memory control groups for measured programs: a hard limit, no swap, and what the kernel says of the group afterwards.

Version 1 or 2, whichever the machine has. A group goes below the runner's own, or below the nearest group above it that
allows that (version 2 has no limited group below one with processes).
"""

import contextlib
import errno
import os
import pathlib
import re
import time


class NoGroup(Exception):
    """No limited group can be made here; the text says why."""


class Group:
    """A group of our own. A context manager: the group is gone afterwards, and so is what still ran in it."""

    def __init__(self, limit, parents=None):
        self.version, self.parents = parents or own_chain()
        self.limit = limit
        self.directory = None

    def __enter__(self):
        refusals = []
        for parent in self.parents:
            directory = parent / f"tricolor-bench-{os.getpid()}"
            try:
                self.make(parent, directory)
                self.directory = directory
                return self
            except OSError as error:
                refusals.append(f"{directory}: {error.strerror}")
                with contextlib.suppress(OSError):
                    directory.rmdir()
        raise NoGroup("; ".join(refusals))

    def make(self, parent, directory):
        if self.version == 2 and "memory" not in (parent / "cgroup.subtree_control").read_text().split():
            (parent / "cgroup.subtree_control").write_text("+memory")
        directory.mkdir()
        if self.version == 1:
            # The limit with swap is never below the limit without, so that comes first.
            write(directory / "memory.limit_in_bytes", self.limit)
            if (directory / "memory.memsw.limit_in_bytes").exists():
                write(directory / "memory.memsw.limit_in_bytes", self.limit)
        else:
            write(directory / "memory.max", self.limit)
            if (directory / "memory.swap.max").exists():
                write(directory / "memory.swap.max", 0)

    def join(self):
        """Moves the calling process into the group; for a child before it becomes the program."""
        write(self.directory / "cgroup.procs", os.getpid())

    @property
    def peak(self):
        """The largest use so far, in bytes; None before Linux 5.19 on version 2."""
        path = self.directory / ("memory.max_usage_in_bytes" if self.version == 1 else "memory.peak")
        return int(path.read_text()) if path.exists() else None

    @property
    def kills(self):
        """Processes that the kernel killed at the limit."""
        path = self.directory / ("memory.oom_control" if self.version == 1 else "memory.events")
        match = re.search(r"^oom_kill (\d+)$", path.read_text(), re.MULTILINE)
        return int(match[1]) if match else 0

    def __exit__(self, *_):
        for _ in range(200):
            try:
                self.directory.rmdir()
                return
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
            for line in (self.directory / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(line), 9)
            time.sleep(0.01)
        raise NoGroup(f"{self.directory} cannot be removed: processes in it do not end")


def write(path, value):
    """Unbuffered, so that the kernel's refusal comes from here."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, str(value).encode())
    finally:
        os.close(descriptor)


def own_chain():
    """(version, the own memory group and those above it)."""
    text = pathlib.Path("/proc/self/cgroup").read_text()
    mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return 1, chain(mount_of(mounts, "cgroup ", "memory"), path)
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            return 2, chain(mount_of(mounts, "cgroup2 ", ""), path)
    raise NoGroup("no memory controller is mounted")


def mount_of(mounts, kind, option):
    """Where the file system of a kind is mounted that has an option, and which of its folders is."""
    for line in mounts:
        fields, rest = line.split(" - ", 1)
        if rest.startswith(kind) and (not option or option in rest.split(" ")[2].split(",")):
            root, place = fields.split(" ")[3:5]
            return pathlib.Path(place), root
    raise NoGroup(f"{kind.strip()} is not mounted with {option or 'any controller'}")


def chain(mount, path):
    place, root = mount
    below = pathlib.PurePosixPath(path)
    if root != "/" and below.is_relative_to(root):
        below = below.relative_to(root)
    own = place / str(below).lstrip("/")
    found = [own, *(parent for parent in own.parents if parent.is_relative_to(place))]
    return [each for each in found if each.is_dir()]
