"""One run of the simulator as actions of the model `own_adjacent_handover`.

A step of an actor is read in the order: what it was told, what it wrote down, what it said. Records and
messages become actions; what a leader has been told is remembered as the witness of the actions that it
takes later: which matchmakers answered, which promises counted, who has voted. What is *answered* is compared
with what the model says is shown, and what is *asked* with the history that the model has.
"""
from replay.machine import Rejected
from replay.universe import Universe, majorities, records

OTHER = 0
"""A parameter that matters to a bug of the model only."""


class Run:
    """Takes the actions of one run, one event after the other."""

    def __init__(self, machine, events, interval):
        self.machine, self.interval = machine, interval
        self.universe = Universe(events)
        self.taken, self.since_check, self.check_count = {}, 0, 0
        self.serving, self.members = {}, {}
        """The generation of each matchmaker; the members of each generation that was chosen."""
        self.leading, self.deciding = {}, set()
        self.answers, self.asked, self.promises, self.votes = {}, {}, {}, {}
        """What proposers were told: by round."""
        self.collected, self.stops, self.merged, self.origin, self.installed = {}, {}, {}, {}, {}
        self.majority_of, self.quorum_of = {}, {}
        self._begin()

    # The state at the founding.

    def _begin(self):
        machine, universe = self.machine, self.universe
        machine.reset()
        elements = machine.elements
        elements["Round"].extend(range(len(universe.rounds)))
        elements["Slot"].extend(universe.slots)
        elements["Value"].extend(range(universe.value_count))
        elements["Acceptor"].extend(universe.acceptors)
        elements["Epoch"].extend(universe.epochs)
        for low in elements["Round"][1:-1]:
            if universe.is_adjacent(low, low + 1):
                machine.add("is_adjacent", (low, low + 1))
        for configuration in universe.configurations.values():
            self._declare_archives(configuration)
        for name in universe.chosen_successor.values():
            self._declare_generation(universe.successors[name])
        for member in self.members[0]:
            self.serving[member] = 0
        for number in elements["Round"]:
            self._declare_round(number)
        machine.begin()

    def _declare_archives(self, configuration):
        elements = self.machine.elements
        known = elements["ArchiveMajority"]
        for majority in majorities(configuration["archives"]):
            if majority not in known:
                known.append(majority)
                for archive in majority:
                    self.machine.add("holds_in", (archive, majority))
                    if archive not in elements["Archive"]:
                        elements["Archive"].append(archive)

    def _declare_round(self, number):
        machine, universe = self.machine, self.universe
        for other in machine.elements["Round"]:
            if universe.version(number) < universe.version(other):
                machine.add("is_older", (number, other))
        if universe.rounds[number] not in universe.configuration_of:
            return
        configuration = universe.configuration(number)
        for phase in ("phase1", "phase2"):
            for quorum in quorums(configuration, phase):
                machine.add(f"is_{phase}", (number, self._quorum(quorum)))

    def _declare_generation(self, successor):
        """Who stops a generation is not known yet: for the time being, all of its members."""
        epoch, members = successor["epoch"], frozenset(successor["members"])
        self.members[epoch] = members
        for member in members:
            if member not in self.machine.elements["Matchmaker"]:
                self.machine.elements["Matchmaker"].append(member)
            self.machine.add("stopper", (member, epoch))
        for majority in majorities(members):
            self._majority(majority)

    def _majority(self, members):
        """A set of matchmakers as an element."""
        machine, known = self.machine, self.majority_of
        if members not in known:
            known[members] = len(known)
            machine.elements["Majority"].append(known[members])
            for member in members:
                machine.add("of", (member, known[members]))
        for epoch, all_members in self.members.items():
            if members <= all_members and 2 * len(members) > len(all_members):
                machine.add("is_majority", (known[members], epoch))
        return known[members]

    def _quorum(self, members):
        """A set of acceptors as an element."""
        known = self.quorum_of
        if members not in known:
            known[members] = len(known)
            self.machine.elements["Quorum"].append(known[members])
            for member in members:
                self.machine.add("among", (member, known[members]))
        return known[members]

    # Steps.

    def take(self, action, **values):
        """Takes an action; evaluates the conjuncts every so often."""
        self.machine.take(action, **values)
        self.taken[action] = self.taken.get(action, 0) + 1
        if "t" in values:
            self.machine.focus.add(values["t"])
        self.since_check += 1
        if self.since_check >= self.interval:
            self.check(is_everywhere=False)

    def check(self, is_everywhere):
        """Evaluates axioms and conjuncts."""
        self.machine.check(is_everywhere)
        self.machine.focus.clear()
        self.since_check, self.check_count = 0, self.check_count + 1

    def read(self, event):
        """Takes the actions of one step."""
        if event.get("starts"):
            self._start(event["by"])
        if "got" in event:
            sender, message = event["got"]
            for kind, content in message.items():
                if kind != "garbage_a":
                    getattr(self, f"_got_{kind}")(event["by"], sender, content)
        for kind, content in records(event):
            if kind != "registered" or not event.get("sent"):
                getattr(self, f"_wrote_{kind}")(event["by"], content)
        sent = [(to, kind, content) for to, message in event.get("sent", ()) for kind, content in message.items()]
        if any(kind == "garbage_b" for _, kind, _ in sent):
            self._answer_garbage_a(event["by"], event["got"][1]["garbage_a"])
        for wanted in ("match_a", "match_b", "phase1_a", "phase1_b", "stop_a"):
            for to, kind, content in sent:
                if kind == wanted:
                    getattr(self, f"_sent_{kind}")(event["by"], to, content)
        if "leads" in event:
            self._lead(event["by"], event["leads"], sent)
        for wanted in ("phase2_a", "chosen", "garbage_a", "collected", "decree_a", "activate_a"):
            for _, kind, content in sent:
                if kind == wanted:
                    getattr(self, f"_sent_{kind}")(event, content)

    # Matchmakers.

    def _sent_match_b(self, matchmaker, _, content):
        round_, watermark = self.universe.round(content["round"]), self.universe.round(content["watermark"])
        epoch = content["epoch"]
        is_again = self.machine.holds("registered", matchmaker, epoch, round_)
        self.take("on_match_a_again" if is_again else "on_match_a", m=matchmaker, e=epoch, i=round_, w=watermark)
        shown = {x for x in self.machine.look_up("showed_round", (0, 1, 2), (matchmaker, epoch, round_))
                 if x >= watermark}
        if shown != set(map(self.universe.round, content["history"])):
            raise Rejected("on_match_a", "answer: the history that it shows", {
                "m": matchmaker, "i": round_, "model": sorted(map(self.universe.told, shown)),
                "code": [".".join(map(str, name)) for name in content["history"]],
            })

    def _wrote_registered(self, matchmaker, content):
        """The answer was lost in a crash that the record survived."""
        epoch, round_ = self.serving[matchmaker], self.universe.round(content["round"])
        self.take("on_match_a", m=matchmaker, e=epoch, i=round_, w=self._watermark(matchmaker, epoch))

    def _watermark(self, matchmaker, epoch):
        collected = self.machine.look_up("watermark", (0, 1), (matchmaker, epoch))
        return max([*collected, *self.machine.look_up("inherited", (0,), epoch)])

    def _answer_garbage_a(self, matchmaker, content):
        """A matchmaker that is asked to forget less than it has forgotten writes nothing, and answers."""
        epoch, round_ = content["epoch"], self.universe.round(content["round"])
        if not self.machine.holds("watermark", matchmaker, epoch, round_):
            self.take("on_garbage_a", m=matchmaker, e=epoch, i=round_)

    def _wrote_collected(self, matchmaker, content):
        below = self.universe.round(content["below"])
        self.take("on_garbage_a", m=matchmaker, e=self.serving[matchmaker], i=below)

    def _wrote_stopped(self, matchmaker, content):
        self.take("on_stop_a", m=matchmaker, e=content["epoch"])

    def _wrote_activated(self, matchmaker, content):
        successor = self.universe.successors[content["successor"]]
        self._install(content["successor"])
        self.serving[matchmaker] = successor["epoch"]

    def _wrote_succeeded(self, matchmaker, content):
        self._install(content["successor"])
        self.serving.pop(matchmaker, None)

    # Acceptors.

    def _wrote_promised(self, acceptor, content):
        self.take("on_phase1a", n=acceptor, i=self.universe.round(content["round"]))

    def _wrote_voted(self, acceptor, content):
        slot, round_ = content["slot"], self.universe.round(content["round"])
        self.take("on_phase2a", n=acceptor, i=round_, t=slot, v=self.universe.value(slot, content["value"]))

    def _wrote_persisted(self, acceptor, content):
        for slot in self.universe.slots:
            if slot < content["below"] and not self.machine.holds("told", acceptor, slot):
                self.take("on_persisted_a", n=acceptor, t=slot)

    def _sent_phase1_b(self, acceptor, _, content):
        universe, round_ = self.universe, self.universe.round(content["round"])
        if not self.machine.holds("promised", acceptor, round_):
            self.take("on_phase1a", n=acceptor, i=round_)
        shown = {}
        for slot, low, value in self.machine.look_up("showed", (0, 1), (acceptor, round_)):
            shown[slot] = max(shown.get(slot, (OTHER, OTHER)), (low, value))
        end = universe.slots[-1] if content["next"] is None else content["next"]
        first = max(content["first"], content["persisted"])
        told = {slot: (universe.round(low), universe.value(slot, value))
                for slot, low, value in content["votes"]}
        for slot in universe.slots:
            is_own = told.get(slot, (OTHER, OTHER))[0] >= round_
            if first <= slot < end and not is_own and shown.get(slot) != told.get(slot):
                raise Rejected("on_phase1a", "answer: the last vote that it shows", {
                    "n": acceptor, "i": round_, "t": slot, "model": shown.get(slot), "code": told.get(slot)})

    # Archives.

    def _wrote_stored(self, archive, content):
        slot = content["slot"]
        self._store(archive, slot, self.universe.value(slot, content["value"]))

    def _wrote_snapshot(self, archive, content):
        """A snapshot stands for what was chosen below."""
        for slot in self.universe.slots:
            chosen = self.machine.look_up("chosen", (1,), slot)
            if slot < content["below"]:
                self._store(archive, slot, chosen[0][1] if chosen else OTHER)

    def _store(self, archive, slot, value):
        if archive not in self.machine.elements["Archive"]:
            self.machine.elements["Archive"].append(archive)
        if not self.machine.holds("archived", archive, slot, value):
            rounds = [round_ for round_, v in self.machine.look_up("chosen", (1,), slot) if v == value]
            self.take("on_store", x=archive, i=rounds[0] if rounds else OTHER, t=slot, v=value)

    # What proposers are told.

    def _got_match_b(self, _, sender, content):
        by_epoch = self.answers.setdefault(self.universe.round(content["round"]), {})
        by_epoch.setdefault(content["epoch"], {})[sender] = self.universe.round(content["watermark"])

    def _got_phase1_b(self, _, sender, content):
        round_ = self.universe.round(content["round"])
        if content["next"] is None and self.asked.get((round_, sender)) == content["first"]:
            self.promises.setdefault(round_, set()).add(sender)

    def _got_phase2_b(self, _, sender, content):
        if content["slot"] >= content["persisted"]:
            key = self.universe.round(content["round"]), content["slot"]
            self.votes.setdefault(key, set()).add(sender)

    def _got_garbage_b(self, proposer, sender, content):
        key = proposer, content["epoch"]
        told = self.collected.setdefault(key, {})
        told[sender] = max(told.get(sender, OTHER), self.universe.round(content["below"]))

    def _got_stop_b(self, driver, sender, content):
        key = driver, content["epoch"]
        if key not in self.deciding:
            self.stops.setdefault(key, set()).add(sender)

    # Leaders.

    def _wrote_used(self, _, content):
        self.take("start_matching", i=self.universe.round(content["round"]))

    def _sent_match_a(self, _, __, content):
        round_, name = self.universe.round(content["round"]), content["configuration"]
        if self.universe.configuration(round_)["configuration"] != name:
            raise Rejected("assumption", "a round has one configuration (A4)", {"i": round_})

    def _sent_phase1_a(self, _, to, content):
        round_ = self.universe.round(content["round"])
        if not self.machine.holds("matched", round_):
            self._finish_matching(round_)
        history = self.machine.look_up("history", (0,), round_)
        members = set().union(*[self.universe.configuration(x)["members"] for x in history])
        for acceptor in to:
            self.asked[round_, acceptor] = content["first"]
            if acceptor not in members:
                raise Rejected("finish_matching", "question: whom Phase 1 asks", {"i": round_, "n": acceptor})

    def _finish_matching(self, round_):
        by_epoch = self.answers.get(round_, {OTHER: {}})
        whole = [e for e, answers in by_epoch.items() if 2 * len(answers) > len(self.members.get(e, ()))]
        epoch = max(whole or by_epoch)
        answers = by_epoch[epoch]
        inherited = self.machine.look_up("inherited", (0,), epoch)
        self.take(
            "finish_matching", i=round_, e=epoch, majority=self._majority(frozenset(answers)),
            w=max(answers.values(), default=OTHER), b=max(inherited, default=OTHER), d=epoch)

    def _lead(self, proposer, name, sent):
        before = self.leading.get(proposer)
        self.leading[proposer] = round_ = name and self.universe.round(name)
        if round_ is None:
            return
        if not self.machine.holds("matched", round_):
            self._finish_matching(round_)
        if before is None:
            below = max([content["below"] for _, kind, content in sent if kind == "chosen_watermark"], default=0)
            for acceptor in self.promises.get(round_, ()):
                self.machine.add("counted", (round_, acceptor))
            floor = self.machine.look_up("floor", (0,), round_)
            heard = frozenset(slot for slot in self.universe.slots if slot < below)
            self.take("finish_phase1", i=round_, w=max(floor), heard=heard)
        else:
            self.take("switch", i=before, j=round_, v=OTHER, slots=frozenset(self.universe.slots))

    def _sent_phase2_a(self, _, content):
        round_, slot = self.universe.round(content["round"]), content["slot"]
        value = self.universe.value(slot, content["value"])
        if self.machine.holds("proposed", round_, slot, value):
            return
        is_settled = self.machine.holds("free", round_, slot) or self.machine.look_up(
            "fixed", (0, 1), (round_, slot))
        if self.machine.holds("settled", round_) and not is_settled:
            self._adopt(round_, slot, value)
        self.take("propose", i=round_, t=slot, v=value, j=OTHER)

    def _adopt(self, round_, slot, value):
        votes = [(value == v, k, n, v) for n in self.promises.get(round_, ())
                 for s, k, v in self.machine.look_up("showed", (0, 1), (n, round_)) if s == slot]
        if votes:
            _, k, n, v = max(votes)
            floor = self.machine.look_up("floor", (0,), round_)
            self.take("adopt", i=round_, w=max(floor), t=slot, n=n, k=k, v=v)

    def _sent_chosen(self, event, content):
        slot = content["slot"]
        voted = event.get("got", (None, {}))[1].get("phase2_b")
        round_ = self.universe.round(voted["round"]) if voted else OTHER
        voters = self.votes.get((round_, slot), set())
        least = quorums(self.universe.configuration(round_), "phase2") if voted else []
        quorum = next((q for q in least if q <= voters), frozenset(voters))
        self.take("on_phase2b", i=round_, t=slot, v=self.universe.value(slot, content["value"]),
                  q=self._quorum(quorum))

    def _sent_garbage_a(self, _, content):
        round_ = self.universe.round(content["round"])
        if not self.machine.holds("garbage", round_):
            self.take("advance_garbage", j=round_, i=OTHER, u=self.universe.slots[-1])

    def _sent_collected(self, event, content):
        round_ = self.universe.round(content["below"])
        if any(self.machine.holds("collected", e, round_) for e in self.members):
            return
        chances = {}
        for (proposer, epoch), answers in self.collected.items():
            if proposer == event["by"]:
                chances[epoch] = frozenset(m for m, below in answers.items() if below >= round_)
        whole = [e for e, those in chances.items() if 2 * len(those) > len(self.members.get(e, ()))]
        epoch = max(whole or chances, default=OTHER)
        majority = self._majority(chances.get(epoch, frozenset()))
        self.take("finish_collection", i=round_, e=epoch, majority=majority, d=epoch)

    # Drivers of handovers.

    def _sent_stop_a(self, driver, to, content):
        """A driver that asks everyone has no answer, whatever it was told before: later ones are not for it."""
        if self.members.get(content["epoch"]) == frozenset(to):
            self.deciding.discard((driver, content["epoch"]))
            self.stops.pop((driver, content["epoch"]), None)

    def _start(self, proposer):
        """What was not durable is forgotten."""
        for key in [key for key in self.stops if key[0] == proposer]:
            del self.stops[key]
        self.deciding = {key for key in self.deciding if key[0] != proposer}

    def _sent_decree_a(self, event, content):
        key = event["by"], content["epoch"]
        if key not in self.deciding:
            self.deciding.add(key)
            self.merged[key] = self.stops.pop(key, set())
        if content["successor"] is not None:
            self.origin.setdefault((content["epoch"], content["successor"]), self.merged.get(key, set()))

    def _sent_activate_a(self, _, content):
        self._install(content["successor"])

    def _install(self, name):
        """A generation begins: that it was chosen is known from the first that tells of it."""
        successor = self.universe.successors[name]
        epoch = successor["epoch"]
        if self.installed.get(epoch) == name or epoch == 0:
            return
        machine, before, round_ = self.machine, epoch - 1, self.universe.round
        merged = self.origin.get((before, name), set())
        if not machine.holds("active", epoch):
            others = [row for row in machine.rows("stopper") if row[1] != before]
            machine.replace("stopper", [*others, *[(m, before) for m in merged]])
        watermark = round_(successor["watermark"])
        inherited = machine.look_up("inherited", (0,), before)
        self.take("install", e=before, f=epoch, w=watermark, b=max(inherited, default=OTHER),
                  m=min(merged, default=min(self.members[before])))
        self.installed[epoch] = name
        handed = set(machine.look_up("handed", (0,), epoch))
        if handed != set(map(round_, successor["log"])):
            raise Rejected("install", "answer: what is handed over", {
                "f": epoch, "model": sorted(map(self.universe.told, handed)), "code": successor["log"]})
        self.check(is_everywhere=False)


def quorums(configuration, phase):
    """The least quorums of a configuration."""
    return [frozenset(configuration["members"][k] for k in positions) for positions in configuration[phase]]
