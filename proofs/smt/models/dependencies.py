"""BPaxos: dependencies, consensus for each vertex, recovery with noop, collection of prefixes, and
the replacement of the dependency service by epochs.

There is no code for it yet: actions are named after the messages of the design. Consensus on one vertex is a
black box that chooses one of its proposals (B1); model d proves it.

Safety: of two chosen commands that conflict, one depends on the other (B2).
"""
from z3 import And, BoolVal, DeclareSort, Not, Or

from checker.logic import Part, SetOf, exists, forall, implies

from .generations import Epoch, earlier, not_after
from . import generations

Vertex = DeclareSort("Vertex")
Node = DeclareSort("DependencyNode")
NodeMajority = DeclareSort("NodeMajority")
Proposal = DeclareSort("Proposal")

part = Part("dependencies")
part.fixed["not_after"] = not_after
part.constants.append(generations.FOUNDING)
part.axioms.extend(axiom for axiom in generations.part.axioms if axiom[0] == "epochs_are_ordered")
conflicts = part.fixed_relation("conflicts", Vertex, Vertex)
"""The commands of the vertices do not commute."""
is_of = part.fixed_relation("is_of", Proposal, Vertex)
"""The proposal is for the vertex."""
is_noop = part.fixed_relation("is_noop", Proposal)
"""The proposal is a noop without dependencies."""
of = part.fixed_relation("of", Node, NodeMajority)
"""The node is one of the majority."""
is_majority = part.fixed_relation("is_majority", NodeMajority, Epoch)
"""A majority of the nodes of the epoch."""
stopper = part.fixed_relation("stopper", Node, Epoch)
"""One of the majority whose answers the start of the next epoch was merged from."""

for name, sorts in {
    "seen": [Node, Epoch, Vertex], "depends": [Node, Epoch, Vertex, Vertex], "gone": [Node, Epoch, Vertex],
    "frozen": [Node, Epoch], "active": [Epoch], "current": [Epoch], "base": [Epoch, Vertex],
    "proposed": [Proposal], "chosen": [Proposal], "lists": [Proposal, Vertex],
}.items():
    part.relation(name, *sorts)


@part.holds_initially("active")
def one_epoch_is_active(e):
    """The founding epoch is active."""
    return e == generations.FOUNDING


@part.holds_initially("current")
def one_epoch_is_current(e):
    """The founding epoch is current."""
    return e == generations.FOUNDING


@part.axiom
def conflicts_are_mutual(u: Vertex, v: Vertex):
    """Conflict is symmetric."""
    return conflicts(u, v) == conflicts(v, u)


@part.axiom
def a_proposal_is_for_one_vertex(p: Proposal, u: Vertex, v: Vertex):
    """A proposal is for one vertex."""
    return implies(And(is_of(p, u), is_of(p, v)), u == v)


def one_of(q, holds):
    """`holds` of some node of the majority."""
    def one(d: Node):
        return And(of(d, q), holds(d))
    return exists(one)


def each_of(q, holds):
    """`holds` of each node of the majority."""
    def each(d: Node):
        return implies(of(d, q), holds(d))
    return forall(each)


part.mutant("R44", "f dependency nodes are enough", "each_knows_the_other_in_an_epoch",
            at="on_dependency_reply")


@part.axiom_unless("R44")
def majorities_meet(e: Epoch, p: NodeMajority, q: NodeMajority):
    """Any two majorities of one epoch have a member in common."""
    return implies(And(is_majority(p, e), is_majority(q, e)), one_of(p, lambda d: of(d, q)))


@part.axiom
def who_froze_meets_each_majority(e: Epoch, q: NodeMajority):
    """Those whose answers are merged are a majority, so they meet each other one."""
    return implies(is_majority(q, e), one_of(q, lambda d: stopper(d, e)))


part.mutant("R48", "a dependency node forgets what it has seen", "conflicts_are_seen_at_one_node")
part.mutant("R49", "a dependency node forgets the prefix that it collected", "conflicts_are_seen_at_one_node")
part.mutant("R48b", "a node of a new epoch leaves out what was before the epoch", "answers_list_the_base")
part.mutant("R33d", "a frozen dependency node still answers", "frozen_nodes_see_nothing_new")


@part.action("on_dependency_request")
def on_dependency_request(step, d: Node, e: Epoch, v: Vertex, some: SetOf(Vertex)):
    """A node answers with all vertices that it has seen and that conflict, all that it has collected, and all from
    before its epoch; more does no harm (`some`: filled prefixes)."""
    s = step.before
    step.require("the epoch has been chosen", s.active(e))
    step.require("it is not frozen", Not(s.frozen(d, e)), unless="R33d")
    step.require("it has not answered for the vertex", Not(s.seen(d, e, v)))
    forgets, drops = step.has_bug("R48"), step.has_bug("R49")
    keeps_base = BoolVal(not step.has_bug("R48b"))

    def listed(u):
        known = And(s.seen(d, e, u), conflicts(u, v), Not(s.gone(d, e, u)))
        collected = And(s.seen(d, e, u), s.gone(d, e, u), BoolVal(not drops))
        return Or(And(Or(known, collected), BoolVal(not forgets)), And(s.base(e, u), keeps_base), some(u))
    step.add("seen", d, e, v)
    step.add_where("depends", lambda c, f, x, u: And(c == d, f == e, x == v, u != v, listed(u)))


@part.action("on_collect")
def on_collect(step, d: Node, e: Epoch, v: Vertex):
    """A node drops a vertex from its index; its watermark covers it, conflict or not."""
    s = step.before
    step.require("it has seen it", s.seen(d, e, v))
    step.add("gone", d, e, v)


part.mutant("R45", "the intersection of the answers is proposed, not the union", "proposals_are_computed")
part.mutant("R46", "the answer of one node is proposed", "proposals_are_computed")
part.mutant("R40d", "answers of two epochs count together", "proposals_are_computed")


@part.action("on_dependency_reply")
def on_dependency_reply(step, p: Proposal, v: Vertex, e: Epoch, f: Epoch, q: NodeMajority, c: Node):
    """A leader proposes a command with the union of the answers of a majority of one epoch. (f and c matter to
    bugs only.)"""
    s = step.before
    mixed, one = step.has_bug("R40d"), step.has_bug("R46")
    step.require("a new proposal, no noop", And(Not(s.proposed(p)), is_of(p, v), Not(is_noop(p))))
    step.require("a majority of one epoch", And(s.active(e), is_majority(q, e), of(c, q)))
    answered = (lambda d: Or(s.seen(d, e, v), And(s.active(f), s.seen(d, f, v)))) if mixed else (
        lambda d: s.seen(d, e, v))
    step.require("has answered", each_of(q, answered))

    def listed(u):
        if step.has_bug("R45"):
            return each_of(q, lambda d: s.depends(d, e, v, u))
        return s.depends(c, e, v, u) if one else one_of(q, lambda d: s.depends(d, e, v, u))
    step.add("proposed", p)
    step.add_where("lists", lambda x, u: And(x == p, listed(u)))


part.mutant("R47", "a command is recovered with empty dependencies, not as noop", "proposals_are_computed")


@part.action("on_recover")
def on_recover(step, p: Proposal):
    """Whoever recovers a vertex proposes a noop; it conflicts with nothing, so it needs no dependencies."""
    step.require("a new proposal", Not(step.before.proposed(p)))
    step.require("a noop", is_noop(p), unless="R47")
    step.add("proposed", p)


part.mutant("R04v", "consensus on a vertex chooses two proposals", "one_proposal_of_a_vertex_is_chosen")


@part.action("on_phase2b")
def on_phase2b(step, p: Proposal, v: Vertex):
    """Consensus on a vertex chooses one of its proposals."""
    s = step.before

    def other(x: Proposal):
        return implies(And(s.chosen(x), is_of(x, v)), x == p)
    step.require("it is proposed", And(is_of(p, v), s.proposed(p)))
    step.require("no other is chosen for the vertex", forall(other), unless="R04v")
    step.add("chosen", p)


@part.action("on_freeze")
def on_freeze(step, d: Node, e: Epoch):
    """A node answers in an epoch no more."""
    step.require("the epoch has been chosen", step.before.active(e))
    step.add("frozen", d, e)


part.mutant("R34d", "a new epoch begins before the old one is frozen", "predecessors_are_frozen")
part.mutant("R36d", "a new epoch begins with what one frozen node has seen", "epochs_begin_with_what_was_seen")


@part.action("on_successor")
def on_successor(step, e: Epoch, f: Epoch, some: SetOf(Vertex), c: Node):
    """The decree of an epoch chooses the next one, and where it begins: after all that a frozen majority has
    seen. (`some`: filled prefixes; c matters to a bug only.)"""
    s = step.before

    def frozen(d: Node):
        return implies(stopper(d, e), s.frozen(d, e))

    def was_seen(u):
        def one(d: Node):
            return And(stopper(d, e), s.seen(d, e, u))
        return And(stopper(c, e), s.seen(c, e, u)) if step.has_bug("R36d") else exists(one)
    step.require("the epoch is current", s.current(e))
    step.require("the next one is new and later", And(earlier(e, f), Not(s.active(f))))
    step.require("a majority is frozen", forall(frozen), unless="R34d")
    step.add("active", f)
    step.assign("current", lambda d: d == f)
    step.add_where("base", lambda d, u: And(d == f, Or(s.base(e, u), was_seen(u), some(u))))


def follows(s, d, e):
    """Epoch e is active and later than d, which was active too."""
    return And(s.active(d), s.active(e), earlier(d, e))


@part.conjunct("B3")
def only_active_epochs_serve(s, d: Node, e: Epoch, v: Vertex, u: Vertex):
    """Nothing happens in an epoch that was not chosen, and answers are for vertices that were seen."""
    return And(
        implies(Or(s.seen(d, e, v), s.frozen(d, e), s.base(e, v), s.current(e)), s.active(e)),
        implies(s.depends(d, e, v, u), And(s.seen(d, e, v), u != v)))


@part.conjunct("B3")
def one_epoch_is_the_newest(s, d: Epoch, e: Epoch):
    """No epoch is after the current one."""
    return implies(And(s.current(e), s.active(d)), not_after(d, e))


@part.conjunct("B3")
def predecessors_are_frozen(s, d: Epoch, e: Epoch, n: Node):
    """Those whose answers began an epoch are frozen in the one before."""
    return implies(And(follows(s, d, e), stopper(n, d)), s.frozen(n, d))


@part.step("B3")
def frozen_nodes_see_nothing_new(s, t, d: Node, e: Epoch, v: Vertex):
    """A frozen node answers for no further vertex."""
    return implies(And(s.frozen(d, e), Not(s.seen(d, e, v))), Not(t.seen(d, e, v)))


@part.conjunct("B3")
def conflicts_are_seen_at_one_node(s, d: Node, e: Epoch, u: Vertex, v: Vertex):
    """Of two conflicting vertices that a node has seen in an epoch, it lists the first for the second."""
    both = And(s.seen(d, e, u), s.seen(d, e, v), u != v, conflicts(u, v))
    return implies(both, Or(s.depends(d, e, v, u), s.depends(d, e, u, v)))


@part.conjunct("B3")
def answers_list_the_base(s, d: Node, e: Epoch, u: Vertex, v: Vertex):
    """An answer lists all that was before the epoch."""
    return implies(And(s.seen(d, e, v), s.base(e, u), u != v), s.depends(d, e, v, u))


@part.conjunct("B3")
def epochs_begin_with_what_was_seen(s, d: Epoch, e: Epoch, n: Node, v: Vertex):
    """An epoch begins after all that someone frozen saw in an earlier one."""
    return implies(And(follows(s, d, e), stopper(n, d), s.seen(n, d, v)), s.base(e, v))


@part.conjunct("B3")
def bases_only_grow(s, d: Epoch, e: Epoch, v: Vertex):
    """What was before an epoch was before all later ones."""
    return implies(And(follows(s, d, e), s.base(d, v)), s.base(e, v))


@part.conjunct("B4")
def proposals_are_computed(s, p: Proposal, v: Vertex):
    """A proposal is a noop, or lists all that a majority of one epoch answered for its vertex."""
    def computed(e: Epoch, q: NodeMajority):
        def each(d: Node, u: Vertex):
            listed = implies(s.depends(d, e, v, u), s.lists(p, u))
            return implies(of(d, q), And(s.seen(d, e, v), listed))
        return And(s.active(e), is_majority(q, e), forall(each))
    return implies(And(s.proposed(p), is_of(p, v), Not(is_noop(p))), exists(computed))


@part.conjunct("B10")
def nothing_lists_itself(s, p: Proposal, v: Vertex):
    """No proposal lists its own vertex, and only what is proposed lists anything."""
    return And(implies(s.lists(p, v), s.proposed(p)), Not(And(s.lists(p, v), is_of(p, v))))


@part.conjunct("B4")
def what_is_chosen_was_proposed(s, p: Proposal):
    """Only proposals are chosen."""
    return implies(s.chosen(p), s.proposed(p))


@part.conjunct("B1")
def one_proposal_of_a_vertex_is_chosen(s, p: Proposal, x: Proposal, v: Vertex):
    """For each vertex at most one proposal is chosen."""
    return implies(And(s.chosen(p), s.chosen(x), is_of(p, v), is_of(x, v)), p == x)


@part.safety("B3", using=["conflicts_are_seen_at_one_node", "answers_list_the_base",
                          "epochs_begin_with_what_was_seen", "only_active_epochs_serve"])
def each_knows_the_other_in_an_epoch(
        s, p: NodeMajority, q: NodeMajority, d: Epoch, e: Epoch, u: Vertex, v: Vertex):
    """Of two completed computations for conflicting vertices, in whichever epochs, one lists the other."""
    done = And(s.active(d), s.active(e), is_majority(p, d), is_majority(q, e),
               each_of(p, lambda n: s.seen(n, d, u)), each_of(q, lambda n: s.seen(n, e, v)))
    listed = Or(one_of(p, lambda n: s.depends(n, d, u, v)), one_of(q, lambda n: s.depends(n, e, v, u)))
    return implies(And(done, conflicts(u, v), u != v), listed)


@part.safety("B2")
def conflicting_commands_depend(s, p: Proposal, x: Proposal, u: Vertex, v: Vertex):
    """Of two chosen commands that conflict, one depends on the other."""
    both = And(s.chosen(p), s.chosen(x), is_of(p, u), is_of(x, v), u != v, conflicts(u, v))
    return implies(And(both, Not(is_noop(p)), Not(is_noop(x))), Or(s.lists(p, v), s.lists(x, u)))
