"""Tests of the model of marking on several nodes. Run in this folder: python3 -m unittest"""

import unittest

from numa import POLICIES, Machine, Simulation


def marking(nodes, markers, policy="local", affinity=0.9, objects=200_000, seed=7):
    return Simulation(Machine(nodes), markers, policy, affinity, objects, seed).run()


class Marking(unittest.TestCase):
    def test_a_seed_gives_the_same_figures_again(self):
        self.assertEqual(marking(4, 8), marking(4, 8))
        self.assertNotEqual(marking(4, 8), marking(4, 8, seed=8))

    def test_it_ends_with_what_a_random_graph_reaches(self):
        # A random graph with two references an object: the share x with x = 1 - exp(-2x), 0.797, and a little more for the roots.
        for policy in POLICIES:
            for nodes, markers in ((1, 1), (2, 3), (8, 2), (8, 32)):
                with self.subTest(policy=policy, nodes=nodes, markers=markers):
                    self.assertAlmostEqual(marking(nodes, markers, policy, objects=1_000_000)["marked"] / 1e6, 0.81, delta=0.03)

    def test_a_single_marker_marks_remotely_what_lies_on_other_nodes(self):
        for nodes in (1, 2, 4, 8):
            self.assertAlmostEqual(marking(nodes, 1, "interleave")["remoteMarkedShare"], 1 - 1 / nodes, delta=0.01)
        self.assertEqual(marking(4, 1, "node:0")["remoteMarkedShare"], 0)

    def test_with_markers_everywhere_edges_cross_and_not_marking(self):
        routed, free = marking(4, 8, objects=2_000_000), marking(4, 8, "off", objects=2_000_000)
        self.assertLess(routed["remoteMarkedShare"], 0.05)
        self.assertGreater(free["remoteMarkedShare"], 0.7)
        self.assertGreater(routed["edgesPutAsideAnObject"], 0)
        self.assertEqual(free["edgesPutAsideAnObject"], 0)

    def test_one_node_s_memory_bounds_those_who_read_it(self):
        bound = Machine(8).controller / 128 * 1e9
        self.assertLess(marking(8, 64, "node:0", objects=2_000_000)["objectsPerSecond"], bound)


if __name__ == "__main__":
    unittest.main()
