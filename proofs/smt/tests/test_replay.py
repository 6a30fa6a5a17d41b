"""What the replay evaluates is what the models say."""
import os
import random
import sys
import unittest

import z3

SMT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, SMT)

from checker.ground import Ground  # noqa: E402
from replay.batch import MODEL  # noqa: E402
from replay.bugs import BUGS, SOME, UNSEEN  # noqa: E402
from replay.formulas import parameter  # noqa: E402
from replay.machine import Machine, Rejected  # noqa: E402
from replay.outcome import BEGIN  # noqa: E402

SIZE = 2
CHANCES = (0.05, 0.3, 0.7)
"""How many tuples of each relation are true."""


class Replayed(unittest.TestCase):
    def setUp(self):
        self.machine = Machine(MODEL)
        self.ground = Ground(self.machine.model, {})

    def draw(self, chance, chooser):
        """The same random state for both evaluators."""
        machine, ground = self.machine, self.ground
        machine.reset()
        for elements in machine.elements.values():
            elements.extend(range(SIZE))
        for name, sorts in machine.sorts.items():
            is_order = name in ("at_most", "not_after")
            table = {xs: xs[0] <= xs[1] if is_order else chooser.random() < chance for xs in ground.tuples(sorts)}
            (ground.state if name in machine.model.relations else ground.fixed)[name] = table
            for xs, truth in table.items():
                if truth:
                    machine.add(name, xs[0] if len(xs) == 1 else xs)
        ground.compiled.clear()

    def test_guards_and_effects_are_those_of_the_model(self):
        chooser = random.Random(1)
        for chance in CHANCES:
            self.draw(chance, chooser)
            for action in self.machine.model.actions:
                rule = self.machine.rules[action.name]
                for choice in chooser.sample(self.ground.choices(action, {}), 2):
                    given = [choice[name] for name in rule.parameters]
                    for (name, allows), (_, formula) in zip(rule.guards, action.guards):
                        self.assertEqual(bool(allows(*given)), self.ground.value(formula, choice),
                                         (action.name, name, choice))
                    self.compare_effects(action, rule, choice, given)

    def compare_effects(self, action, rule, choice, given):
        bodies = self.ground.effects(action)
        for name, effect, stays in rule.effects:
            rows = set(effect(*given)) | (self.machine.rows(name) if stays else set())
            expected = {
                xs[0] if len(xs) == 1 else xs for xs in self.ground.state[name]
                if self.ground.value(bodies[name], {**choice, **{f"column{k}": x for k, x in enumerate(xs)}})}
            self.assertEqual(rows, expected, (action.name, name, choice))

    def test_conjuncts_are_those_of_the_model(self):
        chooser = random.Random(2)
        outcomes = set()
        for chance in (*CHANCES, 0.9, 0.01):
            self.draw(chance, chooser)
            for conjunct in self.machine.kept:
                everywhere, _ = self.machine.conjuncts[conjunct.name]
                truth = self.ground.value(self.machine.model.state(conjunct, self.machine.model.here))
                self.assertEqual(everywhere() is None, truth, conjunct.name)
                outcomes.add((conjunct.name, truth))
        broken = {name for name, truth in outcomes if not truth}
        self.assertGreater(len(broken), len(self.machine.kept) // 2, "conjuncts that can be false")

    def test_a_guard_that_is_false_rejects(self):
        self.machine.reset()
        self.machine.elements["Round"].extend([0, 1])
        self.machine.take("start_matching", i=1)
        with self.assertRaises(Rejected) as caught:
            self.machine.take("start_matching", i=1)
        self.assertEqual(caught.exception.what, "guard: the round is new")

    def test_a_false_conjunct_rejects(self):
        self.machine.reset()
        for elements in self.machine.elements.values():
            elements.extend([0, 1])
        self.machine.add("barred", 1)
        self.machine.add("matched", 1)
        with self.assertRaises(Rejected):
            self.machine.check(is_everywhere=True)

    def test_indexes_follow_what_is_added(self):
        self.machine.reset()
        self.machine.add("chosen", (1, 7, 0))
        self.machine.add("chosen", (2, 7, 0))
        self.machine.add("chosen", (2, 7, 0))
        self.assertEqual(self.machine.look_up("chosen", (1,), 7), [(1, 0), (2, 0)])


class Documented(unittest.TestCase):
    def test_bugs_are_documented(self):
        with open(os.path.join(SMT, "..", "..", "docs", "proofs.md"), encoding="utf-8") as file:
            text = file.read().split(BEGIN)[1]
        for name in BUGS:
            self.assertIn(f"| {name} |", text)
        self.assertTrue(set(SOME) <= set(BUGS))
        for reason, names in UNSEEN.items():
            self.assertIn(reason, " ".join(text.split()))
            for name in names:
                self.assertNotIn(name, BUGS)
                self.assertIn(name, text)

    def test_parameters_have_names_of_their_own(self):
        self.assertEqual(parameter("i"), "p_i")
        self.assertTrue(z3.get_version_string())


if __name__ == "__main__":
    unittest.main()
