"""Formulas as Python code.

*Is there x so that ...* becomes a generator: whatever of the formula says where x can be found (an atom of
a relation, an equation) gives the loop, and everything else is a test as soon as its variables are known.
So the cost of a formula is that of a join, not that of all values of all variables.
"""
from replay.formulas import free, joined

COST = {"compare": 0, "among": 1, "holds": 1, "truth": 0, "or": 2, "and": 2, "some": 3, "none": 3}


def domain(sort):
    """What the list of all elements of a sort is called."""
    return f"D_{sort}"


class Compiler:
    """Turns formulas into code; `indexes` collects what the code wants to look up, and how."""

    def __init__(self):
        self.indexes = set()

    def test(self, formula):
        """An expression that says whether a formula holds; all of its variables are known."""
        kind = formula[0]
        if kind == "truth":
            return str(formula[1])
        if kind == "compare":
            return f"({formula[2]} {formula[1]} {formula[3]})"
        if kind == "among":
            return f"({formula[3]} {'in' if formula[1] else 'not in'} {formula[2]})"
        if kind == "holds":
            return f"({row(formula[3])} {'in' if formula[1] else 'not in'} {formula[2]})"
        if kind in ("and", "or"):
            parts = sorted(formula[1], key=lambda part: COST[part[0]])
            return "(" + f" {kind} ".join(self.test(part) for part in parts) + ")"
        found = self.exists(formula[1], formula[2])
        return found if kind == "some" else f"(not {found})"

    def exists(self, variables, body):
        """An expression that says whether there are values of these variables."""
        used = [(name, sort) for name, sort in variables if name in free(body)]
        if not used:
            return self.test(body)
        if body[0] == "or":
            return "(" + " or ".join(self.exists(used, part) for part in body[1]) + ")"
        return f"any(True {self.loops(used, body)})"

    def loops(self, variables, body, first=()):
        """The loops and tests that find the values of `variables`; those in `first` by what is named there."""
        pool, parts = dict(variables), []
        gather(body, pool, parts)
        clauses = []
        for name, where in first:
            clauses.append(f"for {name} in {where}")
            del pool[name]
        while parts or pool:
            ready = [part for part in parts if not free(part) & pool.keys()]
            for part in sorted(ready, key=lambda part: COST[part[0]]):
                clauses.append(f"if {self.test(part)}")
                parts.remove(part)
            if pool:
                clauses.append(self.next_loop(pool, parts))
        if not clauses or clauses[0].startswith("if "):
            clauses.insert(0, "for _ in (0,)")
        return " ".join(clauses)

    def next_loop(self, pool, parts):
        """The loop that costs least; it takes what it finds out of `pool` and `parts`."""
        def rank(part):
            if part[0] == "compare":
                return (0, 0)
            terms = terms_of(part)
            unknown = {term for term in terms if term in pool}
            return (1 if len(unknown) < len(terms) else 2, len(unknown))
        chances = [part for part in parts if gives(part, pool)]
        if not chances:
            name = next(iter(pool))
            return f"for {name} in {domain(pool.pop(name))}"
        best = min(chances, key=rank)
        parts.remove(best)
        if best[0] == "compare":
            name, other = (best[2], best[3]) if best[2] in pool else (best[3], best[2])
            del pool[name]
            return f"for {name} in ({other},)"
        return self.loop_over(best, pool, parts)

    def loop_over(self, part, pool, parts):
        """The loop over those tuples of a relation that agree with what is known."""
        terms, seen = [], set()
        for term in terms_of(part):
            again = f"{term}_again" if term in seen else term
            if again != term:
                parts.append(("compare", "==", term, again))
                pool[again] = pool[term]
            seen.add(term)
            terms.append(again)
        found = [term for term in terms if term in pool]
        for name in found:
            del pool[name]
        if part[0] == "among":
            return f"for {found[0]} in {part[2]}"
        known = tuple(k for k, term in enumerate(terms) if term not in found)
        if not known:
            return f"for {row(found)} in {part[2]}"
        self.indexes.add((part[2], known))
        return f"for {row(found)} in {index(part[2], known)}.get({row([terms[k] for k in known])}, ())"

    def tuples(self, columns, body):
        """An expression for the set of all tuples of which a formula holds."""
        branches = body[1] if body[0] == "or" else [body]
        names = row([name for name, _ in columns])
        return "set().union(" + ", ".join(
            f"({names} {self.loops(columns, branch)})" for branch in branches if branch != ("truth", False)
        ) + ")"

    def counterexample(self, variables, body, first=()):
        """An expression for values of the variables of which `body` holds, as a dictionary; else `None`."""
        branches = body[1] if body[0] == "or" else [body]
        searches = []
        for branch in branches:
            used = [(name, sort) for name, sort in variables if name in free(branch)]
            told = "{" + ", ".join(f"{name!r}: {name}" for name, _ in used) + "}"
            named = [(name, where) for name, where in first if (name, "Slot") in used]
            searches.append(f"next(({told} {self.loops(used, branch, named)}), None)")
        return " or ".join(searches)


def gather(body, pool, parts):
    """The conjuncts of `body`; variables that they say to exist join the pool."""
    if body[0] == "and":
        for part in body[1]:
            gather(part, pool, parts)
    elif body[0] == "some" and joined("and", [body[2]])[0] != "or":
        pool.update(body[1])
        gather(body[2], pool, parts)
    elif body != ("truth", True):
        parts.append(body)


def gives(part, pool):
    """Whether an atom says where values of unknown variables can be found."""
    if part[0] == "compare":
        unknown = [term for term in part[2:] if term in pool]
        return part[1] == "==" and len(unknown) == 1
    return part[0] in ("among", "holds") and part[1] and any(term in pool for term in terms_of(part))


def terms_of(part):
    return [part[3]] if part[0] == "among" else part[3]


def row(terms):
    """A tuple, or a single term as it is."""
    return terms[0] if len(terms) == 1 else "(" + ", ".join(terms) + ")"


def index(name, known):
    """What the index of a relation by these columns is called."""
    return f"{name}_by_" + "_".join(map(str, known))
