"""The elements that occur in one run: what the sorts of a model are made of.

Rounds and epochs become numbers in their order. Slots are those that anything is said of, and one that stands
for all others. Values are numbered slot by slot: no formula compares values of different slots. Quorums are
the least ones of each configuration, as the code itself tells them.
"""
import itertools

ZERO = (0, 0, 0, 0)


def said(event):
    """All messages of a step: kind and content."""
    if "got" in event:
        yield from event["got"][1].items()
    for _, message in event.get("sent", ()):
        yield from message.items()


def records(event):
    """All records of a step: kind and content."""
    for record in event.get("wrote", ()):
        yield from record.items()


class Universe:
    """The elements of a run, by what the events call them."""

    def __init__(self, events):
        self.configurations, self.successors = {}, {}
        rounds, slots, acceptors = {ZERO}, set(), set()
        self.values, self.configuration_of, self.chosen_successor = {}, {}, {0: 0}
        for event in events:
            if "configuration" in event:
                self.configurations[event["configuration"]] = event
                acceptors.update(event["members"])
                continue
            if "successor" in event:
                self.successors[event["successor"]] = event
                rounds.update(map(tuple, [*event["log"], event["watermark"]]))
                continue
            for kind, content in itertools.chain(said(event), records(event)):
                self._note(content, rounds, slots)
                if kind == "match_a":
                    self.configuration_of.setdefault(tuple(content["round"]), content["configuration"])
                if kind in ("activate_a", "activated", "succeeded"):
                    successor = self.successors[content["successor"]]
                    self.chosen_successor.setdefault(successor["epoch"], successor["successor"])
            if event.get("leads"):
                rounds.add(tuple(event["leads"]))
            if any(kind in ("promised", "voted", "persisted") for kind, _ in records(event)):
                acceptors.add(event["by"])
        self.rounds = sorted(rounds)
        self.number = {name: number for number, name in enumerate(self.rounds)}
        self.slots = [*sorted(slots), max(slots, default=0) + 1]
        self.acceptors = sorted(acceptors)
        self.value_count = 1 + max(map(len, self.values.values()), default=0)
        self.epochs = range(1 + max(self.chosen_successor))

    def _note(self, content, rounds, slots):
        for key in ("round", "watermark", "below"):
            if isinstance(content.get(key), list):
                rounds.add(tuple(content[key]))
        rounds.update(map(tuple, content.get("history", ())))
        votes = [(slot, value) for slot, _, value in content.get("votes", ())]
        rounds.update(tuple(round_) for _, round_, _ in content.get("votes", ()))
        if "slot" in content:
            slots.add(content["slot"])
            votes += [(content["slot"], content["value"])] if "value" in content else []
        for slot, value in votes:
            slots.add(slot)
            known = self.values.setdefault(slot, {})
            known.setdefault(value, len(known))

    def round(self, name):
        return self.number[tuple(name)]

    def configuration(self, number):
        """The configuration of a round: the first that was to be registered for it."""
        return self.configurations[self.configuration_of[self.rounds[number]]]

    def version(self, number):
        """The version of the configuration of a round; a round without any is older than all."""
        is_known = self.rounds[number] in self.configuration_of
        return self.configuration(number)["version"] if is_known else -1

    def value(self, slot, name):
        return self.values[slot][name]

    def is_adjacent(self, low, high):
        """The own adjacent round: same owner, next step."""
        one, two = self.rounds[low], self.rounds[high]
        return one[:3] == two[:3] and one[3] + 1 == two[3]

    def told(self, name):
        """A round as traces of the simulator write it."""
        number, seat, _, step = self.rounds[name]
        return f"{number}.{seat}.{step}"


def majorities(members):
    """The least majorities."""
    return [frozenset(some) for some in itertools.combinations(sorted(members), len(members) // 2 + 1)]
