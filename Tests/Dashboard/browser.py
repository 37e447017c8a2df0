#!/usr/bin/env python3
"""The dashboard in a real browser, headless Chromium, while the etcd-like store runs in a memory control group.

Checks what only a browser can tell: that the page's scripts run without an error, ask nobody but the run, draw all four bands, move, fit
into a narrow window, and say how the run ended, also when it was killed. Pictures of the page, light and dark, wide, narrow and without
colour, are left in a folder for people to look at.

    Tests/Dashboard/browser.py .build/release/tricolor [--pictures FOLDER]

Exit codes: 0 all held, 1 something did not, 77 there is no Chromium here (apt-get install chromium).

The browser is spoken to over a pair of pipes (--remote-debugging-pipe): JSON texts that end with a zero byte. No library is needed.
"""

import argparse
import base64
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time


class Browser:
    """A headless Chromium with one page."""

    def __init__(self, program, profile):
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()

        def arrange():
            # Both ends first go where nothing of the browser's is, for one of them may be 3 or 4 already.
            read, write = os.dup(to_browser), os.dup(from_browser)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
             "--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=arrange, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.pending = b""
        self.sent = 0
        self.events = []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """Sends a command and waits for its result; what happens meanwhile is kept in `events`."""
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive(30)
            if answer is None:
                raise TimeoutError(f"the browser did not answer {method}")
            if answer.get("id") == self.sent:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def receive(self, seconds):
        """The next message; None when none comes in time."""
        deadline = time.monotonic() + seconds
        while b"\0" not in self.pending:
            if not select.select([self.read_end], [], [], max(0, deadline - time.monotonic()))[0]:
                return None
            data = os.read(self.read_end, 1 << 16)
            if not data:
                raise EOFError("the browser has ended")
            self.pending += data
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def evaluate(self, expression):
        """The value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def show(self, width, height, scheme, sight="none"):
        """A window of this width, in a colour scheme, as somebody sees it."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setEmulatedVisionDeficiency", type=sight)

    def picture(self, path):
        """The whole page as it is."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self, own):
        """Errors of the pages' scripts, and requests to anybody else than addresses that begin with `own`."""
        found = []
        for event in self.events:
            parameters = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(f"exception: {parameters['exceptionDetails'].get('exception', {}).get('description', parameters)}")
            if event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
                # A refused connection is how a page learns that the run is over.
                if parameters["entry"]["source"] != "network":
                    found.append(f"log: {parameters['entry']['text']}")
            if event.get("method") == "Network.requestWillBeSent":
                url = parameters["request"]["url"]
                if not url.startswith((own, "data:", "about:")):
                    found.append(f"a request to {url}")
        return found

    def end(self):
        self.process.terminate()
        self.process.wait()


class Run:
    """A run of the command with a dashboard."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen(
            [program, "run", *arguments, "--dashboard", "0", "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        match = re.search(r"dashboard at (http://\S+)", line)
        if not match:
            raise RuntimeError(f"no address of the dashboard; the command said: {line}{self.process.stderr.read()}")
        self.url = match[1]

    def wait(self):
        self.process.stderr.read()
        return self.process.wait()


class Checks:
    """Counts what did not hold."""

    def __init__(self):
        self.failures = 0

    def hold(self, what, held, detail=""):
        print(f"{'ok    ' if held else 'FAILED'}  {what}{f': {detail}' if detail and not held else ''}", flush=True)
        self.failures += not held


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


DRAWN = "['memory','cpu','latency','decisions'].filter((n) => document.querySelector(`svg[data-band=${n}]`)?.querySelector('path, line')).length"


def check_store(browser, program, pictures, checks):
    """The store in a control group: everything moves, in every window, until the last word."""
    browser.show(1400, 1500, "light")
    run = Run(program, "etcd", "--cgroup", "256MiB", "--duration", "24s")
    browser.call("Page.navigate", url=run.url)
    checks.hold("four bands are drawn", wait_until(lambda: browser.evaluate(DRAWN) == 4, 10), f"{browser.evaluate(DRAWN)} of 4")
    before = browser.evaluate("history_.samples.length")
    time.sleep(9)
    after = browser.evaluate("history_.samples.length")
    checks.hold("samples arrive at about five a second", 20 <= after - before <= 60, f"{after - before} in nine seconds")
    checks.hold("cycles are drawn", browser.evaluate("document.querySelectorAll('svg[data-band=memory] .mark').length") > 0)
    for name, width, scheme, sight in (
        ("wide-light", 1400, "light", "none"), ("wide-dark", 1400, "dark", "none"), ("narrow-light", 420, "light", "none"),
        ("narrow-dark", 420, "dark", "none"), ("wide-without-colour", 1400, "light", "achromatopsia"),
    ):
        browser.show(width, 1500, scheme, sight)
        time.sleep(1)
        overflow = browser.evaluate("document.documentElement.scrollWidth - innerWidth")
        checks.hold(f"{name}: nothing is wider than the window", overflow <= 0, f"{overflow} px")
        browser.picture(pictures / f"{name}.png")
    browser.show(1400, 1500, "light")
    ended = wait_until(lambda: "has ended" in browser.evaluate("document.getElementById('status').textContent"), 40)
    status = browser.evaluate("document.getElementById('status').textContent")
    checks.hold("the page says how the run ended", ended and "what was stored" in status, status)
    checks.hold("the command ends by itself", run.wait() == 0)
    browser.call("Page.bringToFront")
    time.sleep(3)
    still = browser.evaluate("document.getElementById('status').textContent")
    checks.hold("it still says so when nobody answers", still == status, still)
    browser.picture(pictures / "ended.png")


def check_killed(browser, program, pictures, checks):
    """A run that is killed has no last word, and the page says that."""
    run = Run(program, "churn", "--records", "1000", "--duration", "60s")
    browser.call("Page.navigate", url=run.url)
    wait_until(lambda: browser.evaluate(DRAWN) == 4, 10)
    run.process.send_signal(signal.SIGKILL)
    run.wait()
    told = wait_until(lambda: "without a last word" in browser.evaluate("document.getElementById('status').textContent"), 10)
    checks.hold("the page says that a killed run ended without a last word", told)
    browser.picture(pictures / "killed.png")


def run_in_browser(what, options, check, own):
    """Calls `check` with a browser, a folder for pictures and `Checks`; the exit code. No page may complain, or ask other addresses than `own` of
    that folder says."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print(f"SKIPPED: {what} in a browser: there is no Chromium here (apt-get install chromium)", file=sys.stderr)
        return 77
    pictures = options.pictures or pathlib.Path(tempfile.mkdtemp(prefix="tricolor-pictures-"))
    pictures.mkdir(parents=True, exist_ok=True)
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="tricolor-browser-", ignore_cleanup_errors=True) as profile:
        browser = Browser(chromium, profile)
        try:
            check(browser, pictures, checks)
            complaints = browser.complaints(own(pictures))
            checks.hold("no script failed, and nobody else was asked for anything", not complaints, "; ".join(complaints))
        finally:
            browser.end()
    print(f"pictures: {pictures}")
    return 1 if checks.failures else 0


def parser(documentation):
    """The options that all checks in a browser have."""
    made = argparse.ArgumentParser(description=documentation.split("\n")[0])
    made.add_argument("program", help="the tricolor command")
    made.add_argument("--pictures", type=pathlib.Path, help="a folder for the pictures (a new temporary one)")
    return made


def main():
    options = parser(__doc__).parse_args()

    def check(browser, pictures, checks):
        check_store(browser, options.program, pictures, checks)
        check_killed(browser, options.program, pictures, checks)

    return run_in_browser("the dashboard", options, check, lambda pictures: "http://127.0.0.1:")


if __name__ == "__main__":
    sys.exit(main())
