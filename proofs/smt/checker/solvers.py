"""The solvers: each says of some formulas that they cannot be true together, or does not.

`proved` means that they cannot be. An answer that they can be counts as `refuted`; no answer in time as
`unknown`. Both solvers read the same formulas: cvc5 what z3 writes down in the language SMT-LIB.
"""
import z3


def solve_with_z3(formulas, timeout_ms, seed):
    solver = z3.Solver()
    solver.set("timeout", timeout_ms)
    solver.set("random_seed", seed)
    solver.add(*formulas)
    answer = solver.check()
    if answer == z3.unsat:
        return "proved"
    return "refuted" if answer == z3.sat else "unknown"


def solve_with_cvc5(formulas, timeout_ms, seed):
    import cvc5  # only needed by those who ask for a second judge

    written = z3.Solver()
    written.add(*formulas)
    solver = cvc5.Solver()
    solver.setOption("tlimit-per", str(timeout_ms))
    solver.setOption("seed", str(seed))
    solver.setOption("enum-inst", "true")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, "(set-logic ALL)\n" + written.to_smt2(), "")
    symbols, answer = parser.getSymbolManager(), ""
    while True:
        command = parser.nextCommand()
        if command.isNull():
            break
        answer = command.invoke(solver, symbols).strip() or answer
    return {"unsat": "proved", "sat": "refuted"}.get(answer, "unknown")


SOLVERS = {"z3": solve_with_z3, "cvc5": solve_with_cvc5}
