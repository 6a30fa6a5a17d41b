"""Many runs, in several processes, each of which reads what a simulator of its own writes."""
import itertools
import json
import multiprocessing
import subprocess
import sys
import time
from functools import lru_cache

from replay.machine import Machine, Rejected
from replay.outcome import Outcome, Rejection
from replay.run import Run

MODEL = "own_adjacent_handover"
CHUNK = 10
"""Seeds that are one piece of work."""


@lru_cache(maxsize=1)
def machine():
    return Machine(MODEL)


class Batch:
    """How runs are made and read."""

    def __init__(self, simulator, calls, interval, jobs):
        self.simulator, self.calls, self.interval, self.jobs = simulator, calls, interval, jobs

    def run(self, seeds, mutation=None, stops=False):
        """What came of all seeds; with `stops`, up to the first that is rejected."""
        begun, outcome = time.monotonic(), Outcome(machine().rules)
        chunks = [seeds[k:k + CHUNK] for k in range(0, len(seeds), CHUNK)]
        work = [(self, chunk, mutation) for chunk in chunks]
        with multiprocessing.Pool(max(1, self.jobs)) as pool:
            for part in pool.imap(read_seeds, work):
                outcome.add(part)
                progress(outcome, len(seeds))
                if stops and outcome.rejections:
                    pool.terminate()
                    break
        progress(None, 0)
        outcome.seconds = time.monotonic() - begun
        return outcome

    def command(self, seeds, mutation):
        bug = ["--mutation", mutation] if mutation else []
        return [self.simulator, "events", "--seeds", f"{seeds[0]}..{seeds[-1] + 1}",
                "--calls", str(self.calls), *bug]


def progress(outcome, wanted):
    """Shows how far it is, on a terminal."""
    if sys.stderr.isatty():
        text = f"{outcome.run_count}/{wanted} runs, {outcome.event_count} events" if outcome else ""
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def read_seeds(work):
    """Runs and reads some seeds."""
    batch, seeds, mutation = work
    outcome = Outcome(machine().rules)
    with subprocess.Popen(batch.command(seeds, mutation), stdout=subprocess.PIPE, text=True) as simulator:
        events = []
        for line in simulator.stdout:
            event = json.loads(line)
            if "seed" in event:
                events = []
            elif "end" in event:
                read_run(outcome, event, events, batch.interval)
            else:
                events.append(event)
    if simulator.returncode:
        raise RuntimeError(f"{' '.join(batch.command(seeds, mutation))} failed: {simulator.returncode}")
    return outcome


def read_run(outcome, end, events, interval):
    """Reads one run; what is not allowed ends it."""
    guards = machine().guard_count
    run, number = Run(machine(), events, interval), 0
    try:
        for number, event in zip(itertools.count(), events):
            if "at" in event:
                run.read(event)
        run.check(is_everywhere=True)
    except Rejected as rejected:
        said = {name: run.universe.told(value) if name in "ijkwbrx" and isinstance(value, int) else value
                for name, value in rejected.values.items()}
        outcome.rejections.append(Rejection(
            end["end"], end["broken"], number, json.dumps(events[number]), rejected.action, rejected.what, said))
    outcome.run_count += 1
    outcome.event_count += len(events)
    outcome.guard_count += machine().guard_count - guards
    outcome.check_count += run.check_count
    for action, count in run.taken.items():
        outcome.taken[action] += count
