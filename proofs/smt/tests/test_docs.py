"""docs/proofs.md says what the models say."""
import os
import sys
import unittest

SMT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, SMT)

from checker.tables import written_into  # noqa: E402


class Docs(unittest.TestCase):
    def test_tables_are_those_of_the_models(self):
        with open(os.path.join(SMT, "..", "..", "docs", "proofs.md"), encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text == written_into(text),
                        "docs/proofs.md is stale: run proofs/smt/check --write docs/proofs.md")


if __name__ == "__main__":
    unittest.main()
