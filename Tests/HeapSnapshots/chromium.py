#!/usr/bin/env python3
"""Whether Chrome's own code for its memory panel reads heap snapshots, and makes of them what `tricolor snapshot` makes.

The developer tools of a headless Chromium are opened as a page, and their module for heap snapshots, the one the panel's workers run, loads
each file: the objects of each layout, their bytes and what they retain, and the shortest distance from the roots. All must be in the table.

    Tests/HeapSnapshots/chromium.py .build/release/tricolor FILE.heapsnapshot...

Exit codes: 0 all agree, 1 something does not, 77 there is no Chromium here (apt-get install chromium).
"""

import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

BROWSER = pathlib.Path(__file__).resolve().parent.parent / "Dashboard" / "browser.py"
TOOLS = "devtools://devtools/bundled/"
PIECE = 1 << 20

LOAD = """(async () => {
  const {HeapSnapshotLoader, HeapSnapshot} = await import('%sentrypoints/heap_snapshot_worker/heap_snapshot_worker.js');
  const loader = new HeapSnapshotLoader.HeapSnapshotLoader({sendEvent() {}});
  for (const piece of window.pieces) loader.write(piece);
  loader.close();
  const channel = new MessageChannel();
  new HeapSnapshot.SecondaryInitManager(channel.port2);
  const snapshot = await loader.buildSnapshot(channel.port1);
  const classes = snapshot.getAggregatesByClassKey(false, 'allObjects');
  const rows = Object.values(classes).map(c => [c.name, c.count, c.self, c.maxRet, c.distance]);
  return JSON.stringify({total: snapshot.totalSize, rows});
})()""" % TOOLS


def open_tools(program, profile):
    specification = importlib.util.spec_from_file_location("browser", BROWSER)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    browser = module.Browser(program, profile)
    browser.call("Page.navigate", url=TOOLS + "devtools_app.html")
    return browser


def load(browser, path):
    """What the panel's code makes of a file."""
    text = path.read_text(encoding="utf-8")
    browser.evaluate("window.pieces = [], null")
    for first in range(0, len(text), PIECE):
        browser.evaluate(f"window.pieces.push({json.dumps(text[first:first + PIECE])}), null")
    answer = browser.call("Runtime.evaluate", expression=LOAD, awaitPromise=True, returnByValue=True)
    if "exceptionDetails" in answer:
        raise RuntimeError(f"{path}: {answer['exceptionDetails']}")
    return json.loads(answer["result"]["value"])


def in_words(size):
    """Bytes as the command writes them."""
    if size < 1024:
        return f"{size} B"
    scaled, unit = size / 1024, 0
    while scaled >= 1024 and unit < 3:
        scaled, unit = scaled / 1024, unit + 1
    decimals = 2 if unit >= 2 else 1
    rounded = int(scaled * 10 ** decimals + 0.5)
    return f"{rounded // 10 ** decimals}.{rounded % 10 ** decimals:0{decimals}} {['KiB', 'MiB', 'GiB', 'TiB'][unit]}"


def compare(path, seen, table):
    """Prints both where they differ; how many differences there are."""
    lines = table.splitlines()
    differences = 0
    layouts = [row for row in seen["rows"] if row[2] > 0]
    for name, count, size, retained, distance in layouts:
        expected = f"{count:,}".rjust(14) + in_words(size).rjust(12) + in_words(retained).rjust(12) + "  " + name
        if expected not in lines:
            print(f"{path}: the panel has \"{expected}\", and the table no such line")
            differences += 1
        if not 2 <= distance < 100_000_000:
            print(f"{path}: the panel shows {name} at distance {distance}, as if no root of the program led there")
            differences += 1
    if len(layouts) != len(lines) - 2:
        print(f"{path}: the panel has {len(layouts)} layouts, the table {len(lines) - 2}")
        differences += 1
    if seen["total"] != sum(row[2] for row in layouts):
        print(f"{path}: the root retains {seen['total']} and not all of it")
        differences += 1
    if differences == 0:
        print(f"{path}: {sum(row[1] for row in layouts):,} objects of {len(layouts)} layouts, as in the table")
    return differences


def main(program, *paths):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        print("SKIPPED: there is no Chromium here", file=sys.stderr)
        return 77
    differences = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = open_tools(chromium, profile)
        try:
            for path in map(pathlib.Path, paths):
                table = subprocess.run([program, "snapshot", str(path)], check=True, capture_output=True, text=True).stdout
                differences += compare(path, load(browser, path), table)
        finally:
            browser.end()
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
