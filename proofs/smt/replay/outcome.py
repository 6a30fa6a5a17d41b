"""What came of runs, and how it is told."""
from dataclasses import dataclass, field

BEGIN, END = "<!-- validation -->", "<!-- end of validation -->"
EVENT_SHOWN = 400
"""Characters of an event that are shown."""


@dataclass
class Rejection:
    """Something that the model does not allow."""

    seed: int
    broken: str
    """The property that the simulator found broken, if it did."""
    number: int
    event: str
    action: str
    what: str
    values: dict

    def __str__(self):
        given = ", ".join(f"{name}={shown(value)}" for name, value in self.values.items())
        return (f"seed {self.seed}, event {self.number}: {self.action} is rejected\n  {self.what}\n  {given}\n"
                f"  {self.event[:EVENT_SHOWN]}")


def shown(value):
    return "{" + ", ".join(map(str, sorted(value))) + "}" if isinstance(value, frozenset) else str(value)


@dataclass
class Outcome:
    """Sums over runs."""

    actions: object
    run_count: int = 0
    event_count: int = 0
    guard_count: int = 0
    check_count: int = 0
    seconds: float = 0.0
    rejections: list = field(default_factory=list)
    taken: dict = field(default_factory=dict)

    def __post_init__(self):
        self.actions = list(self.actions)
        self.taken = {action: 0 for action in self.actions}

    def add(self, other):
        self.run_count += other.run_count
        self.event_count += other.event_count
        self.guard_count += other.guard_count
        self.check_count += other.check_count
        self.rejections.extend(other.rejections)
        for action, count in other.taken.items():
            self.taken[action] += count

    @property
    def never(self):
        """Actions that happened in no run."""
        return [action for action, count in self.taken.items() if not count]

    @property
    def is_well(self):
        return self.run_count > 0 and not self.rejections and not self.never

    def tell(self):
        """Prints the table."""
        for rejection in sorted(self.rejections, key=lambda rejection: rejection.seed):
            print(f"{rejection}\n")
        for action, count in self.taken.items():
            print(f"{count:>10}  {action}")
        for action in self.never:
            print(f"{action} never happened: its guards were not tried")
        rate = self.event_count / max(self.seconds, 1e-9)
        print(f"\n{self.run_count} runs, {self.event_count} events, {sum(self.taken.values())} actions, "
              f"{self.guard_count} guards, the invariant {self.check_count} times; "
              f"{self.seconds:.0f} s, {rate:.0f} events/s")
        print("the model allows all of it" if self.is_well else f"{len(self.rejections)} runs REJECTED"
              if self.rejections else "NOT VALIDATED")


def written_into(text, tried):
    """A text with the table of bugs in its place."""
    before, rest = text.split(BEGIN)
    return before + bugs_table(tried) + rest.split(END)[1]


def bugs_table(tried):
    """What rejects each bug, as a table of Markdown."""
    lines = ["| bug | rejected by | run |", "| --- | --- | --- |"]
    lines += [f"| {bug.name} | {bug.by} | {bug.seed} |" for bug in tried]
    return "\n\n".join([BEGIN, "\n".join(lines), END])
