#!/usr/bin/env python3
"""Lists the public symbols without documentation in a folder of symbol graphs, and exits 1 when there are any.

usage: undocumented.py FOLDER MODULE

Symbols that the compiler makes up, and those that fulfil a documented requirement of a protocol elsewhere, have none of their own.
"""
import json
import pathlib
import sys


def symbols(folder, module):
    """The symbols that the module declares, itself and in extensions of others' types."""
    for path in sorted(pathlib.Path(folder).glob(f"{module}*.symbols.json")):
        yield from json.loads(path.read_text())["symbols"]


def is_written(symbol):
    """Whether somebody wrote it: the others have no place in a file, or are copies under another type's name."""
    return "location" in symbol and "::SYNTHESIZED::" not in symbol["identifier"]["precise"]


def main(folder, module):
    written = [symbol for symbol in symbols(folder, module) if is_written(symbol)]
    if not written:
        sys.exit(f"undocumented.py: no symbols of {module} in {folder}")
    missing = [symbol for symbol in written if not symbol.get("docComment")]
    for symbol in missing:
        place = symbol["location"]
        line = place["position"]["line"] + 1
        print(f"{place['uri'].removeprefix('file://')}:{line}: {'.'.join(symbol['pathComponents'])} has no documentation")
    print(f"{module}: {len(written)} public symbols, {len(missing)} without documentation")
    return 1 if missing else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
