"""docs/proofs.md and docs/invariants.md say what the models say."""
import os
import sys
import unittest

SMT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, SMT)

from checker import judges, tables  # noqa: E402


class Docs(unittest.TestCase):
    def check_table(self, name, made):
        with open(os.path.join(SMT, "..", "..", "docs", name), encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text == made.written_into(text),
                        f"docs/{name} is stale: run proofs/smt/check --write docs/{name}")

    def test_tables_are_those_of_the_models(self):
        self.check_table("proofs.md", tables)

    def test_judges_are_those_of_the_sources(self):
        self.check_table("invariants.md", judges)

    def test_each_of_the_three_judges_has_its_properties(self):
        self.assertGreaterEqual(len(judges.simulated()), 39)
        self.assertEqual(judges.modelled()["A13"], ["graph", "log"])
        self.assertIn("agreement", judges.proved()["A1"][0]["safety"])


if __name__ == "__main__":
    unittest.main()
