"""What there is to do for a model, in pieces that processes share."""
import importlib
import time
from dataclasses import dataclass, field
from functools import lru_cache

from checker.discharge import Prover, obligations
from checker.examples import counterexample, vacuous
from checker.logic import Model
from checker.runs import Search
from checker.solvers import SOLVERS

RUN_TIMEOUT_MS = 120_000


@dataclass(frozen=True)
class Task:
    """A piece of work."""

    kind: str
    """`prove`, `vacuity`, `run` or `mutant`."""
    model: str
    subject: str
    """An action (or none: the first state, and what follows), a run, or a mutant."""
    solver: str = "z3"
    timeout_ms: int = 0


@dataclass
class Outcome:
    """What came of a piece of work."""

    task: Task
    seconds: float = 0.0
    """Of the processor: what it costs, whatever else runs."""
    done: int = 0
    """Obligations proved; or one, if the rest went as it must."""
    total: int = 0
    faults: list = field(default_factory=list)
    story: list = field(default_factory=list)
    """What was found, for those who want to read it."""


@lru_cache(maxsize=None)
def definition(name):
    """The module of a model."""
    return importlib.import_module(f"models.{name}")


@lru_cache(maxsize=None)
def build(name, mutant=None):
    """A model, with a mutant or none."""
    return Model(name, definition(name).PARTS, mutant)


@lru_cache(maxsize=None)
def prover(name, solver, timeout_ms):
    return Prover(build(name), SOLVERS[solver], timeout_ms)


def tasks_of(name, solvers, wants_mutants, timeout_ms):
    """All that there is to do for a model."""
    model = build(name)
    yield Task("vacuity", name, "")
    for solver in solvers:
        for action in ["", *[action.name for action in model.actions]]:
            yield Task("prove", name, action, solver, timeout_ms)
    yield from (Task("run", name, run) for run in definition(name).RUNS)
    if wants_mutants:
        yield from (Task("mutant", name, mutant) for mutant in model.mutants)


def perform(task):
    """Does a piece of work."""
    begun = time.process_time()
    outcome = Outcome(task)
    {"prove": prove, "vacuity": check_vacuity, "run": check_run, "mutant": check_mutant}[task.kind](
        task, outcome)
    outcome.seconds = time.process_time() - begun
    return outcome


def prove(task, outcome):
    judge = prover(task.model, task.solver, task.timeout_ms)
    for obligation in obligations(judge.model):
        if obligation.action != task.subject:
            continue
        verdict = judge.discharge(obligation)
        outcome.total += 1
        outcome.done += verdict.result == "proved"
        if verdict.result == "proved":
            outcome.story.append((str(obligation), verdict.by, verdict.seconds))
            continue
        example = counterexample(judge.model, obligation)
        shown = f"\n{example}" if example else "\n  no small example was found"
        outcome.faults.append(f"{task.solver}: not proved ({verdict.result}): {obligation}{shown}")


def check_vacuity(task, outcome):
    outcome.total = 1
    outcome.faults.extend(f"vacuous: {what}" for what in vacuous(build(task.model)))
    outcome.done = int(not outcome.faults)


def find_run(model, run, outcome, failure):
    """The steps of a run; a fault if there is none."""
    try:
        found = Search(model, run).find(RUN_TIMEOUT_MS)
    except TimeoutError:
        found = None
    if found is None:
        outcome.faults.append(failure)
    return found or []


def check_run(task, outcome):
    outcome.total = 1
    run = definition(task.model).RUNS[task.subject]
    outcome.story = find_run(build(task.model), run, outcome, f"no run found: {task.subject}")
    outcome.done = int(not outcome.faults)


def check_mutant(task, outcome):
    outcome.total = 1
    model = build(task.model, task.subject)
    mutant = model.mutants[task.subject]
    example = broken_by(model, mutant)
    if example is None:
        outcome.faults.append(f"mutant {mutant.name} survives: {mutant.breaks} is not broken")
    else:
        outcome.story.append(example)
    harm = getattr(definition(task.model), "HARM", {}).get(task.subject)
    if harm:
        outcome.story.extend(find_run(
            model, harm, outcome, f"mutant {mutant.name}: its run does no harm"))
    outcome.done = int(not outcome.faults)


def broken_by(model, mutant):
    """An example of how a mutant breaks the conjunct that it is said to break."""
    changed = {mutant.at} if mutant.at else {
        action.name for action in model.actions if mutant.name in action.mutants}
    for obligation in obligations(model):
        concerns = obligation.action in changed or obligation.kind == "safety"
        if obligation.conjunct == mutant.breaks and concerns:
            example = counterexample(model, obligation)
            if example:
                return example
    return None
