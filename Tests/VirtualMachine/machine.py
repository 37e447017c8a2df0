"""A Linux machine of a given shape (NUMA nodes, their processors, memory and distances), booted under qemu for the length of a
list of steps. The host needs neither several nodes nor version 2 of control groups, and the user need not be root.

The kernel is Debian's for cloud machines: it has NUMA, control groups and pressure information built in and boots without a
module in a few seconds. It is taken out of its package and never installed. The processors are emulated (TCG), since a
stock kernel does not start under every host's KVM: what a program does is what counts here, its speed means nothing.

Serial ports 0 to 2 are the kernel's console, what the steps print, and a line "NUMBER STATUS" for each step that has ended.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from archive import Archive


class Unavailable(Exception):
    """The host has not got what a machine needs."""


@dataclasses.dataclass
class Node:
    """A NUMA node: how many processors it has, and mebibytes of memory; either may be none."""

    processors: int = 1
    memory: int = 768


@dataclasses.dataclass
class Step:
    """A command for the machine's shell."""

    name: str
    command: str
    # The exit status it must end with.
    status: int = 0
    # Seconds, after which it is ended.
    timeout: int = 600


@dataclasses.dataclass
class Result:
    step: Step
    # None for a step that did not come to its end.
    status: "int | None"
    output: str

    @property
    def is_right(self):
        return self.status == self.step.status


def distance(first, second, count):
    """Of nodes in a ring: 10, 20 to a neighbour, 30 to all others."""
    steps = min((first - second) % count, (second - first) % count)
    return [10, 20, 30][min(steps, 2)]


class Machine:
    """A machine to be booted. `append` is added to the kernel's command line."""

    def __init__(self, kit, nodes, append=""):
        self.kit = kit
        self.nodes = nodes
        self.append = append
        self.archive = Archive()
        self.archive.file(kit.busybox, "/usr/bin/busybox")
        if os.path.exists("/etc/ld.so.cache"):
            self.archive.file("/etc/ld.so.cache")

    def run(self, steps, folder, report=print, timeout=1800):
        """Boots, runs the steps one after the other, and answers their results. `folder` keeps the console's text."""
        self.archive.text("init", INIT)
        for number, step in enumerate(steps):
            self.archive.text(f"steps/{number}", step.command + "\n")
            self.archive.text(f"steps/{number}.timeout", f"{step.timeout}\n")
        with tempfile.TemporaryDirectory() as work:
            ramdisk = pathlib.Path(work, "ramdisk")
            with open(ramdisk, "wb") as file:
                self.archive.write(file)
            # The archive and the files out of it lie in memory together for a moment.
            needed = 96 + 2 * ramdisk.stat().st_size // (1 << 20)
            if sum(node.memory for node in self.nodes) < needed:
                raise ValueError(f"these files need a machine of {needed} MiB or more")
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
            ports = [pathlib.Path(folder, name) for name in ("console", "output", "status")]
            for port in ports:
                port.write_bytes(b"")
            self._boot(ramdisk, ports, len(steps), report, timeout)
            return self._results(steps, *ports)

    def _boot(self, ramdisk, ports, count, report, timeout):
        process = subprocess.Popen(self._command(ramdisk, ports), stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + timeout
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            if process.returncode is None:
                report(f"the machine was still running after {timeout} s")
        finally:
            process.kill()
            process.wait()

    def _command(self, ramdisk, ports):
        total = sum(node.memory for node in self.nodes)
        command = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "pc",
            "-accel", "tcg", "-cpu", "max", "-m", f"{total}M", "-smp", str(sum(node.processors for node in self.nodes))]
        first = 0
        for number, node in enumerate(self.nodes):
            option = f"node,nodeid={number}"
            if node.processors:
                option += f",cpus={first}-{first + node.processors - 1}"
                first += node.processors
            if node.memory:
                command += ["-object", f"memory-backend-ram,id=memory{number},size={node.memory}M"]
                option += f",memdev=memory{number}"
            command += ["-numa", option]
        for one in range(len(self.nodes)):
            for other in range(one):
                value = distance(one, other, len(self.nodes))
                command += ["-numa", f"dist,src={one},dst={other},val={value}"]
        for port in ports:
            command += ["-serial", f"file:{port}"]
        # Balancing would move pages that a test looks at. It boots with the first processor, so that the files lie on its node: a kernel
        # thread unpacks them, and on another node they could fill a small one. The first program starts the others.
        line = f"console=ttyS0 quiet panic=-1 rootfstype=ramfs maxcpus=1 mitigations=off numa_balancing=disable {self.append}"
        return command + ["-kernel", str(self.kit.kernel), "-initrd", str(ramdisk), "-append", line]

    @staticmethod
    def _results(steps, console, output, status):
        statuses = dict(re.findall(r"^(\d+) (\d+)\r?$", status.read_text(), re.MULTILINE))
        text = output.read_text(errors="replace").replace("\r\n", "\n")
        parts = re.split(r"^--- step (\d+)\n", text, flags=re.MULTILINE)
        outputs = dict(zip(parts[1::2], parts[2::2]))
        results = []
        for number, step in enumerate(steps):
            ended = statuses.get(str(number))
            results.append(Result(step, None if ended is None else int(ended), outputs.get(str(number), "")))
        return results


# The first program. Version 2 of control groups is mounted with all that the tests use passed on.
INIT = """#!/usr/bin/busybox sh
/usr/bin/busybox --install -s /usr/bin
export PATH=/usr/bin HOME=/root TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
for online in /sys/devices/system/cpu/cpu[0-9]*/online; do echo 1 >$online; done
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs shm /dev/shm
ip link set lo up
mount -t cgroup2 cgroup /sys/fs/cgroup
echo "+cpu +cpuset +memory +pids" >/sys/fs/cgroup/cgroup.subtree_control
for port in 1 2; do stty -F /dev/ttyS$port raw -echo 115200; done
number=0
while [ -e /steps/$number ]; do
  echo "--- step $number" >/dev/ttyS1
  timeout -s KILL "$(cat /steps/$number.timeout)" sh /steps/$number </dev/null >/dev/ttyS1 2>&1
  echo "$number $?" >/dev/ttyS2
  number=$((number + 1))
done
reboot -f
"""


class Kit:
    """What machines are made of: qemu, a kernel and busybox, kept in `folder` once they have been fetched."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.kernel = self.folder / "vmlinuz"
        self.busybox = self.folder / "busybox"
        if shutil.which("qemu-system-x86_64") is None:
            raise Unavailable("qemu-system-x86_64 is missing; apt-get install qemu-system-x86 has it")
        if not (self.kernel.exists() and self.busybox.exists()):
            self._fetch()

    def _fetch(self):
        for tool in ("apt-get", "apt-cache", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise Unavailable(f"{tool} is missing: kernel and busybox come out of Debian's packages")
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder) as work:
            try:
                names = [self._kernel_package(), "busybox-static"]
                subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names], cwd=work, check=True, stdout=subprocess.DEVNULL)
                for package in pathlib.Path(work).glob("*.deb"):
                    subprocess.run(["dpkg-deb", "-x", package, pathlib.Path(work, "unpacked")], check=True)
            except subprocess.CalledProcessError as error:
                raise Unavailable(f"the packages could not be fetched: {error}")
            unpacked = pathlib.Path(work, "unpacked")
            # Renamed into place, so that what is there is whole.
            next(unpacked.glob("boot/vmlinuz-*")).rename(self.kernel)
            next(path for path in (unpacked / "bin/busybox", unpacked / "usr/bin/busybox") if path.exists()).rename(self.busybox)

    @staticmethod
    def _kernel_package():
        """The package that the newest kernel for cloud machines is in, which the name without a version depends on."""
        depends = subprocess.run(
            ["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"Depends: (linux-image-\d\S+)", depends)
        if not found:
            raise Unavailable("apt knows no linux-image-cloud-amd64; apt-get update may help")
        return found[1]
