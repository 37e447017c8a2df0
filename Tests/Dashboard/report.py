#!/usr/bin/env python3
"""The pages of finished runs in a real browser, headless Chromium: one run, two over each other, a sweep over limits, a run that was killed.

Checks what only a browser can tell: that the pages' scripts run without an error, ask for nothing, draw every part, and fit into a narrow
window. Pictures of them, light and dark, wide, narrow and without colour, are left in a folder for people to look at.

    Tests/Dashboard/report.py .build/release/tricolor [--pictures FOLDER] [--seconds N]

Exit codes: 0 all held, 1 something did not, 77 there is no Chromium here (apt-get install chromium).
"""

import os
import subprocess
import sys
import time

from browser import DRAWN, parser, run_in_browser

LOOKS = (
    ("wide-light", 1400, "light", "none"), ("wide-dark", 1400, "dark", "none"), ("narrow-light", 420, "light", "none"),
    ("narrow-dark", 420, "dark", "none"), ("wide-without-colour", 1400, "light", "achromatopsia"),
)


def run(program, folder, name, *arguments, exit_code=0, environment=None):
    """A recorded run of the command; the paths of its object and its page."""
    files = folder / f"{name}.json", folder / f"{name}.html"
    process = subprocess.run(
        [program, "run", *arguments, "--quiet", "--json", files[0], "--report", files[1]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, env=dict(os.environ, **(environment or {})), check=False)
    if process.returncode != exit_code:
        raise RuntimeError(f"{name}: exit code {process.returncode}, not {exit_code}: {process.stderr}")
    return files


def report(program, page, *objects):
    subprocess.run([program, "report", *objects, "--html", page], check=True)
    return page


class Pages:
    """Looks at pages."""

    def __init__(self, browser, pictures, checks):
        self.browser, self.pictures, self.checks = browser, pictures, checks

    def look(self, name, page, charts, looks=LOOKS):
        """Every chart is there, in every look, and nothing is wider than the window."""
        self.browser.show(1400, 1500, "light")
        self.browser.call("Page.navigate", url=page.as_uri())
        time.sleep(1)
        drawn = self.browser.evaluate("[...document.querySelectorAll('svg.band')].map((s) => s.dataset.band)")
        self.checks.hold(f"{name}: every part is drawn", set(charts) <= set(drawn), f"{sorted(set(charts) - set(drawn))} missing")
        for look, width, scheme, sight in looks:
            self.browser.show(width, 1500, scheme, sight)
            time.sleep(0.5)
            overflow = self.browser.evaluate("document.documentElement.scrollWidth - innerWidth")
            self.checks.hold(f"{name}, {look}: nothing is wider than the window", overflow <= 0, f"{overflow} px")
            self.browser.picture(self.pictures / f"{name}-{look}.png")

    def text(self):
        return self.browser.evaluate("document.body.innerText")


def check(browser, program, folder, pages, checks, seconds):
    bands = ["memory", "cpu", "latency", "decisions"]
    curves = ["utilisation", "histogram-operation", "histogram-stall", "histogram-hold"]
    over = ["over-resident", "over-heap", "over-collector", "over-operation", "over-stall"]
    phases = ("--phases", "steady,list-storm,compaction")
    etcd = ("etcd", "--duration", f"{seconds}s", "--cgroup")
    one = run(program, folder, "store", *etcd, "192MiB", *phases)
    pages.look("one", one[1], bands + curves)
    checks.hold("one: the four bands have something in them", browser.evaluate(DRAWN) == 4)
    two = run(program, folder, "roomier", *etcd, "384MiB", *phases)
    pages.look("two", report(program, folder / "two.html", one[0], two[0]), over + curves)
    browser.evaluate("document.querySelectorAll('details')[1].open = true")
    time.sleep(0.5)
    opened = browser.evaluate(DRAWN)
    checks.hold("two: a run that is opened shows its bands", opened == 4, f"{opened} of 4")
    limits = [run(program, folder, f"limit-{size}", "churn", "--records", "20000", "--duration", "2s", "--memory-limit", f"{size}MiB")
              for size in (30, 33, 38, 48, 64, 96)]
    dead = run(program, folder, "killed", "churn", "--records", "30000", "--duration", "60s", "--cgroup", "48MiB", exit_code=3,
               environment={"GOGC": "400", "GOMEMLIMIT": "off"})
    pages.look("killed", dead[1], bands, LOOKS[:1])
    checks.hold("killed: the page says so", "The kernel killed the run" in pages.text() and "killed by the kernel" in pages.text())
    pages.look("sweep", report(program, folder / "sweep.html", *(files[0] for files in limits), dead[0]), ["sweep"] + [name for name in over if name != "over-operation"])


def main():
    options = parser(__doc__)
    options.add_argument("--seconds", type=int, default=8, help="how long the store runs (8)")
    options = options.parse_args()

    def check_all(browser, pictures, checks):
        check(browser, options.program, pictures, Pages(browser, pictures, checks), checks, options.seconds)

    return run_in_browser("reports", options, check_all, lambda pictures: pictures.as_uri())


if __name__ == "__main__":
    sys.exit(main())
