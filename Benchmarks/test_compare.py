"""Tests of the runner: its arithmetic, what it does with peers that fail (small scripts here), and what it writes.

Run in this folder: python3 -m unittest
"""

import contextlib
import io
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import compare
from comparison import page, turns
from comparison.figures import Ratio, Spread, figure, shown, spread
from comparison.peers import Peer
from comparison.programs import MEASURED, PROGRAMS, WORKLOADS, Metric, Program, chosen

GOOD = "print('{\"verified\": true, \"peakRSSBytes\": 1048576, \"result\": {}}')"


def fake(name, script=GOOD, **more):
    """A peer that is a line of Python; it ignores its arguments."""
    return Peer(name, f"fake {name}", "1", lambda workload: [sys.executable, "-c", script], **more)


def row_of(*peers, **more):
    return turns.Row(Program("churn", "", ""), [], list(peers), **({"unable": {}} | more))


def runs(*walls):
    return [{"wall": wall, "cpu": 2 * wall, "report": {"verified": True, "peakRSSBytes": 1 << 20}} for wall in walls]


def measure(*rows, repetitions=2, timeout=20):
    with contextlib.redirect_stderr(io.StringIO()):
        return turns.measure(list(rows), repetitions, timeout, lambda: None)


class Arithmetic(unittest.TestCase):
    def test_spread_is_minimum_median_and_share_of_the_median(self):
        several = Spread.of([3.0, 1.0, 2.0, 4.0])
        self.assertEqual((several.least, several.median, several.most, several.relative), (1, 2.5, 4, 1.2))
        self.assertEqual(str(several), "1.00 · 2.50 · 120 %")
        self.assertIsNone(Spread.of([]))
        self.assertEqual(str(Spread.of([0, 0])), "0 · 0")

    def test_ratio_takes_minima_and_medians_apart(self):
        ratio = Ratio.of(Spread(1, 3, 9), Spread(2, 2, 2))
        self.assertEqual((ratio.minima, ratio.medians), (0.5, 1.5))
        self.assertEqual(str(ratio), "0.50 · 1.50 ▲ ?")
        self.assertEqual(str(Ratio.of(Spread(1, 1, 1), Spread(2, 4, 4))), "0.50 · 0.25")
        self.assertEqual(str(Ratio.of(Spread(3, 3, 3), Spread(2, 2, 2))), "1.50 · 1.50 ▲")

    def test_no_ratio_without_both_figures(self):
        one = Spread(1, 1, 1)
        self.assertIsNone(Ratio.of(None, one))
        self.assertIsNone(Ratio.of(one, None))
        self.assertIsNone(Ratio.of(one, Spread(0, 0, 1)))

    def test_shown_keeps_a_few_digits(self):
        for value, text in [
            (0, "0"), (0.0123, "0.012"), (0.5, "0.50"), (9.994, "9.99"), (9.996, "10.0"), (12.34, "12.3"),
            (99.96, "100"), (12345.6, "12346"),
        ]:
            self.assertEqual(shown(value), text)

    def test_a_figure_that_a_peer_lacks_is_none(self):
        run = {"report": {"pauseNanoseconds": {"max": 5}, "gcCycles": None, "verified": True}}
        self.assertEqual(figure(run, "report.pauseNanoseconds.max"), 5)
        for path in ("report.pauseNanoseconds.p50", "report.gcCycles", "report.verified", "report.gcCycles.max"):
            self.assertIsNone(figure(run, path))
        self.assertIsNone(spread([run], Metric("", "report.nothing")))
        self.assertEqual(spread([run], Metric("", "report.pauseNanoseconds.max", 10)), Spread(0.5, 0.5, 0.5, runs=1))
        self.assertEqual(str(spread([run], Metric("", "report.pauseNanoseconds.max"))), "5.00")


class Turns(unittest.TestCase):
    def test_every_peer_runs_in_every_turn_and_another_one_begins(self):
        peers = [fake("tricolor"), fake("b"), fake("c", unable={"churn": "no"})]
        row = row_of(*peers, unable={"c": "no"})
        orders = [[each.name for each in row.takers(turn)] for turn in (0, 1)]
        self.assertEqual(orders, [["tricolor", "b"], ["b", "tricolor"]])
        self.assertFalse(measure(row, repetitions=3))
        self.assertEqual({name: len(each) for name, each in row.runs.items()}, {"tricolor": 3, "b": 3})
        self.assertGreater(row.runs["b"][0]["cpu"], 0)

    def test_a_failure_is_kept_with_its_reason_and_the_others_go_on(self):
        scripts = {
            "exits": "import sys; sys.exit('bad option')",
            "is killed": "import os; os.kill(os.getpid(), 9)",
            "prints no JSON": "print('hello')",
            "is not verified": "print('{\"verified\": false}')",
            "hangs": "import time; time.sleep(60)",
        }
        row = row_of(fake("tricolor"), *(fake(name, script) for name, script in scripts.items()))
        row.peers.append(Peer("is absent", "", "", lambda workload: ["./no-such-program"]))
        began = time.monotonic()
        measure(row, timeout=5)
        self.assertLess(time.monotonic() - began, 50)
        expected = {
            "exits": "exit code 1: bad option", "is killed": "killed by SIGKILL",
            "prints no JSON": "not one JSON object", "is not verified": "did not hold",
            "hangs": "not done after 5 s", "is absent": "No such file",
        }
        self.assertEqual(row.failed.keys(), expected.keys())
        for name, reason in expected.items():
            self.assertIn("turn 1: ", row.failed[name])
            self.assertIn(reason, row.failed[name])
        self.assertEqual(len(row.runs["tricolor"]), 2)

    def test_other_work_than_tricolor_did_is_a_failure(self):
        answer = "print('{{\"verified\": true, \"result\": {{\"check\": {}}}}}')".format
        row = row_of(
            fake("tricolor", answer(2**64 - 1)), fake("signed", answer(-1)), fake("other", answer(7)), fake("silent"))
        measure(row, repetitions=1)
        self.assertEqual(list(row.failed), ["other"])
        self.assertIn("result.check is 7", row.failed["other"])

    def test_an_interrupt_ends_the_run_and_keeps_what_was_measured(self):
        interrupts = "import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"
        row = row_of(fake("tricolor"), fake("slow", interrupts))
        # What a shell starts in the background ignores this signal.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        self.assertTrue(measure(row, timeout=60))
        self.assertEqual((list(row.runs), row.failed), (["tricolor"], {}))

    def test_a_peer_gets_its_environment(self):
        script = "import os; print('{\"verified\": true, \"gcCycles\": ' + os.environ['GOMAXPROCS'] + '}')"
        row = row_of(fake("tricolor", script, environment=(("GOMAXPROCS", "1"),)))
        measure(row, repetitions=1)
        self.assertEqual(row.runs["tricolor"][0]["report"]["gcCycles"], 1)

    def test_time_left_counts_known_runs_and_guesses_the_rest(self):
        with contextlib.redirect_stderr(io.StringIO()):
            progress = turns.Progress([row_of(fake("tricolor"), fake("b")), row_of(fake("tricolor"))], 3)
        self.assertIsNone(progress.left(0, 0))
        progress.ended(0, fake("tricolor"), 2)
        self.assertEqual(progress.left(0, 0), 3 * (2 + 2) + 3 * 2)
        progress.ended(0, fake("b"), 4)
        self.assertEqual(progress.left(0, 1), 2 * (2 + 4) + 3 * 3)


def sitting(*rows, **more):
    peers = list({peer.name: peer for row in rows for peer in row.peers}.values())
    defaults = {
        "left_out": {}, "machine": {"kernel": "Linux"}, "load": "1.0", "quick": True, "repetitions": 2,
        "is_interrupted": False,
    }
    return page.Sitting(list(rows), peers, **(defaults | more))


class Page(unittest.TestCase):
    def setUp(self):
        self.row = row_of(
            *map(fake, ["tricolor", "win", "loss", "broken", "none"]), unable={"none": "nothing | marks"})
        self.row.runs = {"tricolor": runs(1, 2), "win": runs(4, 4), "loss": runs(1, 1), "broken": runs(1)}
        self.row.failed = {"broken": "turn 2: exit code 1"}

    def test_markdown_cells_are_escaped_and_ruled(self):
        table = page.Table(["", "a"], [["x|y", "1"]])
        self.assertEqual(table.markdown(), "|  | a |\n| --- | ---: |\n| x\\|y | 1 |")
        self.assertEqual(table.text(), "        a\n  x|y   1")

    def test_a_program_has_a_row_for_each_peer_and_says_why_figures_are_missing(self):
        table = page.metric_table(self.row, MEASURED)
        cells = {line[0]: line[1:] for line in table.rows}
        figures = ["1.00 · 1.50 · 67 %", "2.00 · 3.00 · 67 %", "1.00 · 1.00 · 0 %"]
        self.assertEqual(cells["tricolor"], figures + ["–"] * 3)
        self.assertEqual(cells["win"][3:], ["0.25 · 0.38", "0.25 · 0.38", "1.00 · 1.00"])
        self.assertEqual(cells["loss"][3], "1.00 · 1.50 ▲ ?")
        self.assertEqual((cells["broken"][0], cells["none"][0]), ("failed", "cannot"))
        self.assertEqual(
            page.remarks(self.row), ["none cannot: nothing | marks", "broken failed in turn 2: exit code 1"])
        self.assertIsNone(page.metric_table(self.row, [Metric("nobody has it", "report.no")]))

    def test_the_summary_marks_losses_and_counts_them(self):
        table = page.summary_table([self.row], self.row.peers)
        self.assertEqual(table.header[1:], ["win", "loss", "broken", "none"])
        self.assertEqual(table.rows[0][1:], ["0.38, 0.38", "1.50 ▲ ?, 1.50 ▲ ?", "failed", "cannot"])
        self.assertEqual(table.rows[1][1:], ["0 of 1", "1 of 1", "0 of 0", "0 of 0"])

    def test_without_tricolor_there_are_figures_and_no_ratios(self):
        del self.row.runs["tricolor"]
        self.row.failed["tricolor"] = "turn 1: exit code 70"
        self.assertEqual(page.summary_table([self.row], self.row.peers).rows[0][1], "tricolor failed")
        self.assertEqual(page.metric_table(self.row, MEASURED).rows[1][4], "–")

    def test_both_reports_have_everything(self):
        one = sitting(self.row, left_out={"arc": "no swift"}, is_interrupted=True)
        for written in (page.markdown(one), page.text(one)):
            for part in ("churn, one thread", "failed in turn 2", "no swift", "runs done: 7", "1.50 ▲"):
                self.assertIn(part, written)
        self.assertIn("## churn\n", page.markdown(one))
        self.assertEqual(json.loads(json.dumps(compare.as_json(one)))["programs"][0]["cannot"], self.row.unable)


class Programs(unittest.TestCase):
    def test_every_program_is_described_and_every_workload_has_a_small_size(self):
        self.assertLessEqual({each.workload for each in PROGRAMS}, WORKLOADS.keys())
        self.assertEqual({each.workload for each in chosen(None, quick=True)}, WORKLOADS.keys())
        self.assertEqual({each.workload for each in chosen(["graph"], quick=False)}, {"graph"})

    def test_peers_take_part_where_they_are_meant_to(self):
        one_worker, able = fake("go-one-worker", threads=1), fake("go")
        unable = fake("glibc", unable={"graph": "nothing marks"})
        programs = [
            Program("graph", "", "", only=("go",)), Program("churn", "", "", threads=2), Program("graph", "", "")]
        rows = compare.make_rows(programs, [fake("tricolor"), able, one_worker, unable], quick=True)
        self.assertEqual(
            [[each.name for each in row.peers] for row in rows],
            [["tricolor", "go"], ["tricolor", "go", "glibc"], ["tricolor", "go", "go-one-worker", "glibc"]])
        self.assertEqual(rows[2].unable, {"glibc": "nothing marks"})

    def test_what_needs_more_memory_than_there_is_does_not_run(self):
        rows = compare.make_rows([Program("graph", "", gibibytes=1 << 20)], [fake("tricolor")], quick=False)
        self.assertEqual(rows[0].takers(0), [])
        self.assertIn("GiB", rows[0].unable["tricolor"])


class CommandLine(unittest.TestCase):
    def test_bad_options_end_with_64_and_say_what_is_allowed(self):
        program = pathlib.Path(__file__).parent / "compare.py"
        for options, said in [
            (["--repetitions", "0"], "--repetitions is '0'; allowed: 1 to 1000"),
            (["--repetitions", "many"], "--repetitions is 'many'"), (["--timeout", "-1"], "--timeout is '-1'; allowed"),
            (["--peers", "go,perl"], "--peers is 'perl'; allowed: go, "),
            (["--only", "nothing"], "--only is 'nothing'; allowed: "), (["--json", "/no/such/folder/x"], "--json is"),
            (["./no-such-tricolor"], "cannot be run"), (["--what"], "--what"),
        ]:
            done = subprocess.run([sys.executable, program, *options], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (64, ""), options)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    unittest.main()
