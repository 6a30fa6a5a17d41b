"""The checker itself: it must be able to fail."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from z3 import And, DeclareSort, Not  # noqa: E402

from checker.discharge import Obligation, Prover, obligations  # noqa: E402
from checker.examples import counterexample, vacuous  # noqa: E402
from checker.logic import Model, Part, exists, implies  # noqa: E402
from checker.runs import Run, Search  # noqa: E402
from checker.solvers import SOLVERS  # noqa: E402

Node = DeclareSort("Node")


def lock():
    """A lock: whoever takes it holds it, unless somebody does."""
    part = Part("lock")
    part.relation("holds", Node)

    def free(s):
        def one(n: Node):
            return s.holds(n)
        return Not(exists(one))
    part.mutant("M1", "the lock is taken though it is held", "one_holder")

    @part.action("on_take")
    def take(step, n: Node):
        """A node takes the lock."""
        step.require("it is free", free(step.before), unless="M1")
        step.add("holds", n)

    @part.conjunct("S1")
    def one_holder(s, n: Node, m: Node):
        """At most one node holds the lock."""
        return implies(And(s.holds(n), s.holds(m)), n == m)
    return part


def results(model, solver="z3"):
    """The verdict on each obligation."""
    prover = Prover(model, SOLVERS[solver], 5_000)
    return {str(o): prover.discharge(o).result for o in obligations(model)}


class Checker(unittest.TestCase):
    def test_what_is_true_is_proved(self):
        for solver in SOLVERS:
            with self.subTest(solver):
                try:
                    found = results(Model("lock", [lock()]), solver)
                except ImportError:
                    self.skipTest(f"{solver} is not installed")
                self.assertEqual(set(found.values()), {"proved"})

    def test_a_dropped_guard_is_refuted_with_an_example(self):
        model = Model("lock", [lock()], "M1")
        self.assertEqual(results(model)["take keeps one_holder"], "refuted")
        example = counterexample(model, Obligation("keep", "take", "one_holder"))
        self.assertIn("take(", example.step)
        self.assertEqual(len(example.appears), 1)

    def test_a_false_conjunct_is_refuted(self):
        part = lock()

        @part.conjunct()
        def nobody_holds(s, n: Node):
            """Nobody ever holds the lock: false."""
            return Not(s.holds(n))
        found = results(Model("lock", [part]))
        self.assertEqual(found["init => nobody_holds"], "proved")
        self.assertEqual(found["take keeps nobody_holds"], "refuted")

    def test_a_conjunct_that_is_false_at_first_is_refuted(self):
        part = lock()

        @part.conjunct()
        def somebody_holds(s):
            """Somebody holds the lock: false at first."""
            def one(n: Node):
                return s.holds(n)
            return exists(one)
        self.assertEqual(results(Model("lock", [part]))["init => somebody_holds"], "refuted")

    def test_a_safety_property_that_does_not_follow_is_refuted(self):
        part = lock()

        @part.safety("S2")
        def nobody_holds(s, n: Node):
            """Nobody holds the lock: does not follow."""
            return Not(s.holds(n))
        self.assertEqual(results(Model("lock", [part]))["safety => nobody_holds"], "refuted")

    def test_a_step_property_is_checked(self):
        part = lock()

        @part.step()
        def nothing_changes(s, t, n: Node):
            """No step changes anything: false."""
            return s.holds(n) == t.holds(n)
        self.assertEqual(results(Model("lock", [part]))["take obeys nothing_changes"], "refuted")

    def test_a_contradictory_axiom_is_vacuous(self):
        part = lock()
        odd = part.fixed_relation("odd", Node)

        @part.axiom
        def all_are_odd(n: Node):
            """All nodes are odd."""
            return odd(n)

        @part.axiom
        def none_is_odd(n: Node):
            """No node is odd."""
            return Not(odd(n))
        self.assertEqual(vacuous(Model("lock", [part])),
                         ["no state fulfils the axioms and the invariant"])

    def test_an_action_that_can_never_happen_is_vacuous(self):
        part = lock()

        @part.action("on_never")
        def never(step, n: Node):
            """A node that holds the lock and does not drops it."""
            step.require("impossible", And(step.before.holds(n), Not(step.before.holds(n))))
            step.add("holds", n)
        self.assertEqual(vacuous(Model("lock", [part])), ["never never does anything"])

    def test_a_run_is_found_only_if_there_is_one(self):
        run = Run("take*2", (("Node", 2),), "one_holder")
        self.assertIsNone(Search(Model("lock", [lock()]), run).find(5_000))
        found = Search(Model("lock", [lock()], "M1"), run).find(5_000)
        self.assertEqual([happened.action for happened in found], ["take", "take"])

    def test_a_timeout_is_not_a_proof(self):
        prover = Prover(Model("lock", [lock()]), lambda formulas, timeout_ms, seed: "unknown", 1)
        verdict = prover.discharge(Obligation("keep", "take", "one_holder"))
        self.assertEqual(verdict.result, "unknown")

    def test_an_unexplained_conjunct_is_refused(self):
        part = lock()
        with self.assertRaises(ValueError):
            @part.conjunct()
            def unexplained(s):
                return Not(s.holds)


if __name__ == "__main__":
    unittest.main()
