"""Tests of the store's runner: what bisection asks for and finds, what is kept and not done again, what different work is.

Run in this folder: python3 -m unittest
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import compare_store
from comparison import groups, store, store_page, storm

OURS = store.Setting("tricolor", ("tricolor",), "100")
GO = store.Setting("go", ("etcd",), "100")
WORK = store.Work("mixed", 1_000)
MIB = store.MIB


def survived(checksum="ab", seconds=2.0):
    phases = [
        {"name": "load", "seconds": 9.0, "operations": 5, "heapLiveBytes": 70 * MIB},
        {"name": "steady", "seconds": seconds, "operations": 1_000, "heapLiveBytes": 90 * MIB}]
    report = {
        "operationNanoseconds": {"p99": 1e6, "p999": 2e6}, "gcCPUFraction": 0.1, "peakRSSBytes": 80 * MIB,
        "result": {"checksum": checksum, "phaseTable": phases, "listsFinished": 3}}
    return {"outcome": store.SURVIVED, "wall": 1.0, "cpu": 1.5, "peakGroup": 88 * MIB, "report": report}


KILLED = {"outcome": "killed", "wall": 1.0, "cpu": 1.0, "peakGroup": 64 * MIB}


class Fakes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.asked = []

    def runs(self, answer):
        def execute(setting, work, limit, seed, timeout):
            self.asked.append((limit, seed))
            return answer(limit, seed)

        return store.Runs(pathlib.Path(self.folder.name) / "state.json", 10, execute)


class Bisection(Fakes):
    def find(self, answer, low=50, high=800):
        return store.smallest_limit(
            self.runs(answer), OURS, WORK, [1, 2, 3], low * MIB, high * MIB, lambda text: None)

    def test_finds_the_smallest_limit_to_two_percent(self):
        for needed in (51, 97, 300, 799):
            found = self.find(lambda limit, seed: survived() if limit >= needed * MIB else KILLED)
            self.assertGreaterEqual(found, needed * MIB)
            self.assertLessEqual(found, needed * 1.03 * MIB + MIB)
            (pathlib.Path(self.folder.name) / "state.json").unlink()

    def test_one_seed_that_dies_is_enough(self):
        found = self.find(lambda limit, seed: KILLED if limit < (400 if seed == 3 else 100) * MIB else survived())
        self.assertGreaterEqual(found, 400 * MIB)

    def test_after_a_death_no_other_seed_is_tried(self):
        self.find(lambda limit, seed: survived() if limit >= 300 * MIB else KILLED)
        self.assertEqual({seed for limit, seed in self.asked if limit < 300 * MIB}, {1})

    def test_none_where_the_largest_limit_is_too_small(self):
        self.assertIsNone(self.find(lambda limit, seed: KILLED))
        self.assertEqual(len(self.asked), 1)


class State(Fakes):
    def test_what_was_run_is_not_run_again_not_even_by_another_sitting(self):
        first = self.runs(lambda limit, seed: survived())
        first.get(OURS, WORK, 90 * MIB, 1)
        first.get(OURS, WORK, 90 * MIB, 1)
        self.assertEqual(self.runs(lambda limit, seed: KILLED).get(OURS, WORK, 90 * MIB, 1)["outcome"], store.SURVIVED)
        self.assertEqual(len(self.asked), 1)

    def test_everything_that_makes_a_run_is_in_its_name(self):
        runs = self.runs(lambda limit, seed: survived())
        other = store.Work("mixed", 1_000, lists="unary")
        for setting, work, limit, seed in (
            (OURS, WORK, 90, 1), (GO, WORK, 90, 1), (store.Setting("go", ("etcd",), "off"), WORK, 90, 1),
            (OURS, other, 90, 1), (OURS, WORK, 91, 1), (OURS, WORK, 90, 2), (OURS, WORK, None, 1),
        ):
            runs.get(setting, work, limit, seed)
        self.assertEqual(len(self.asked), 7)

    def test_live_bytes_are_the_most_of_any_phase(self):
        self.assertEqual(
            store.live_bytes(self.runs(lambda limit, seed: survived()), OURS, WORK, 1, lambda text: None), 90 * MIB)


class Work(unittest.TestCase):
    def test_different_checksums_of_one_seed_are_different_work(self):
        store.check_same_work([(1, survived("a")), (1, survived("a")), (2, survived("b")), (1, KILLED)])
        with self.assertRaisesRegex(store.DifferentWork, "seed 1 .* a, b"):
            store.check_same_work([(1, survived("a")), (1, survived("b"))])

    def test_figures_are_medians_of_those_that_survived_without_loading(self):
        figures = store.Figures.of([survived(seconds=1), KILLED, survived(seconds=4), survived(seconds=2)])
        self.assertEqual((figures.survived, figures.runs, figures.operations_per_second), (3, 4, 500))
        self.assertEqual(store_page.survived(figures), "3 of 4 (killed)")
        self.assertEqual(store_page.survived(store.Figures.of([KILLED])), "none (killed)")

    def test_limits_reach_the_program_as_a_share_and_settings_outside_do_not(self):
        environment = store.Setting("go", (), "off").environment(1000)
        self.assertEqual((environment["GOMEMLIMIT"], environment["GOGC"]), ("900", "off"))
        self.assertNotIn("GOMEMLIMIT", OURS.environment(None))


class Pages(unittest.TestCase):
    def test_tables_compare_with_the_smaller_of_go(self):
        profile = store_page.Profile("mixed", 100 * MIB, {OURS: 120 * MIB, GO: 200 * MIB}, {})
        self.assertEqual(
            store_page.smallest_table(profile).rows,
            [["tricolor, GOGC=100", "120", "1.20", "0.60"], ["go, GOGC=100", "200", "2.00", "1.00"]])

    def test_a_page_has_every_profile_limit_and_storm(self):
        profile = store_page.Profile(
            "mixed", 100 * MIB, {OURS: None}, {150 * MIB: {OURS: store.Figures.of([survived()])}})
        rows = [storm.Row("tricolor: streamed", {320 * MIB: storm.cell(survived()), 1024 * MIB: "killed"})]
        options = compare_store.parse_arguments([sys.executable])
        sitting = store_page.Sitting([profile], rows, [OURS], {"kernel": "x"}, "c", options)
        for text in (store_page.markdown(sitting), store_page.text(sitting)):
            for expected in ("mixed: 100 MiB alive", "150 (1.50)", "3 lists", "killed", "500"):
                self.assertIn(expected, text)

    def test_bad_options_end_with_64(self):
        for arguments in (["--profile", "x"], ["--seeds", "0"], ["--multiple", "0"], ["--state", "/none/x"]):
            with self.assertRaises(SystemExit) as ended, tempfile.TemporaryFile("w") as nowhere:
                standard, sys.stderr = sys.stderr, nowhere
                try:
                    compare_store.parse_arguments([sys.executable, *arguments])
                finally:
                    sys.stderr = standard
            self.assertEqual(ended.exception.code, 64)


class Groups(unittest.TestCase):
    def setUp(self):
        try:
            with groups.Group(64 * MIB):
                pass
        except groups.NoGroup as reason:
            self.skipTest(f"no control group can be made here: {reason}")

    def python(self, script, limit):
        setting = store.Setting("python", (sys.executable, "-c", script), "100")
        work = unittest.mock.Mock(arguments=lambda seed: [])
        return store.execute_in_group(setting, work, limit, 1, 30)

    def test_a_program_that_takes_more_than_its_limit_is_killed(self):
        found = self.python("x = bytearray(300 << 20)", 64 * MIB)
        self.assertEqual(found["outcome"], "killed")
        self.assertGreater(found["peakGroup"], 50 * MIB)

    def test_a_program_that_fits_survives_and_what_it_said_is_kept(self):
        said = json.dumps({"verified": True, "seconds": 1, "result": {"checksum": "ab", "other": 1}})
        found = self.python(f"print('''{said}''')", 64 * MIB)
        self.assertEqual((found["outcome"], found["report"]["result"]["checksum"]), (store.SURVIVED, "ab"))

    def test_the_group_is_gone_afterwards(self):
        with groups.Group(64 * MIB) as group:
            child = subprocess.Popen(["sleep", "60"], preexec_fn=group.join)
            directory = group.directory
            self.assertTrue(directory.is_dir())
        self.assertFalse(directory.exists())
        self.assertEqual(child.wait(), -9)


if __name__ == "__main__":
    unittest.main()
