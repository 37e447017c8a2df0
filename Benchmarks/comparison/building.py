"""What building a peer takes: its tools, system packages where they may be installed, and two ways not to get there.

A tool that is missing leaves a peer out (Unavailable); sources that do not build are a failure (BuildFailed).
"""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / ".build"
SOURCES = ROOT / "Benchmarks" / "Peers"


class Unavailable(Exception):
    """The peer cannot be had on this machine; the text says what to do about it."""


class BuildFailed(Exception):
    """The peer's sources do not build; the text says what the builder said."""


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def need_tool(name, package):
    if not shutil.which(name):
        raise Unavailable(f"no {name} on the PATH; type: sudo apt-get install {package}")


def need_header(header, package):
    """Installs the package of a C header where it is missing and we may."""
    if has_header(header):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"installing {package}")
        for command in (["update"], ["install", "-y", package]):
            subprocess.run(["apt-get", "-qq", *command], stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if not has_header(header):
        raise Unavailable(f"<{header}> is missing; type: sudo apt-get install {package}")


def has_header(header):
    probe = subprocess.run(["cc", "-E", "-"], input=f"#include <{header}>\n", capture_output=True, text=True)
    return probe.returncode == 0


def build(command, environment=None):
    """Runs a builder. What it says is shown, and kept for the failure's text."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    except OSError as error:
        raise Unavailable(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        print(said, file=sys.stderr, flush=True)
        raise BuildFailed(f"does not build: {(said.splitlines() or ['nothing was said'])[-1]}")


def first_line(command, environment=None):
    """The first line that a command prints, "unknown" where it cannot be asked."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    except OSError:
        return "unknown"
    return next(iter((answer.stdout + answer.stderr).strip().splitlines()), "unknown")
