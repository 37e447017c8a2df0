"""What a reader must know of the machine and the moment: figures of different ones cannot be compared."""

import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess

from .building import ROOT, first_line

# Names, or their beginnings, of what the programs or their runtimes read.
SETTINGS = re.compile(
    "GOGC|GOMEMLIMIT|GOMAXPROCS|GODEBUG|TRICOLOR_(?!GO$)|MALLOC_|GLIBC_TUNABLES|MIMALLOC_|GC_|JAVA_TOOL_OPTIONS|JDK_")


def field(path, name):
    """The value behind "name:" in a file of /proc, "" where there is none."""
    match = re.search(rf"^{re.escape(name)}\s*:\s*(.+)$", pathlib.Path(path).read_text(), re.MULTILINE)
    return match[1] if match else ""


def gibibytes(name):
    """A row of /proc/meminfo."""
    return int(field("/proc/meminfo", name).split()[0]) / (1 << 20)


def commit():
    """The commit that is checked out, and whether files differ from it."""
    try:
        subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=ROOT, check=True, capture_output=True)
        changed = ""
    except (OSError, subprocess.CalledProcessError):
        changed = ", with local changes"
    return first_line(["git", "rev-parse", "--short", "HEAD"]) + changed


def describe():
    """The machine and the settings, as pairs of a name and a text."""
    vectors = "with" if re.search(r"\bavx512f\b", field("/proc/cpuinfo", "flags")) else "without"
    settings = [f"{name}={value}" for name, value in sorted(os.environ.items()) if SETTINGS.match(name)]
    return {
        "date": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %z"),
        "processor": f"{field('/proc/cpuinfo', 'model name') or platform.machine()}, {vectors} AVX-512",
        "processors": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}",
        "memory": f"{gibibytes('MemTotal'):.1f} GiB, {gibibytes('MemAvailable'):.1f} GiB available at the start",
        "kernel": f"{platform.system()} {platform.release()}",
        "settings in the environment": " ".join(settings) or "none",
    }


class Load:
    """The machine's load average (of a minute) at the start of every run; the measured programs count in it too."""

    def __init__(self):
        self.samples = []

    def sample(self):
        self.samples.append(os.getloadavg()[0])

    def __str__(self):
        if not self.samples:
            return "nothing was run"
        return (
            f"{self.samples[0]:.1f} before the first run; at the starts of runs {min(self.samples):.1f} to "
            f"{max(self.samples):.1f}, median {statistics.median(self.samples):.1f}")
