"""Rewrite rules as data, applied bottom-up until none fires: each lowers its phase's measure, a budget catches mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import SlopesError, user_location
from .node import Node
from .text import type_text
from .walk import topological

ANY = "*"


class RewriteError(SlopesError, RuntimeError):
    """Rules that undo each other or never end: a fault of slopes."""


@dataclass(frozen=True)
class Rule:
    """One rewrite: `apply(node)` returns an equal, simpler node, or None where the rule does not fit.

    `says` is the rule as an equation, `heads` the operations it looks at, `example()` a pair (before, expected) for the tests.
    """

    name: str
    says: str
    heads: tuple[str, ...]
    apply: Callable[[Node], Node | None]
    example: Callable[[], tuple[Node, Node]]


@dataclass
class Phase:
    """Rules with one meaning, and the weight of a node in the measure that each of them lowers.

    The measure of a graph is the sum of weights over its expression tree (a shared node counts once per use). It is strictly
    monotone in every argument, so that a rule that lowers it at one node lowers it everywhere: rewriting must end.
    Rules that mention an argument more often than before count each node once instead (`once=True`).
    """

    name: str
    weight: Callable[[Node], int]
    rules: list[Rule] = field(default_factory=list)
    once: bool = False

    def rule(self, says: str, *heads: str, example: Callable[[], tuple[Node, Node]]) -> Callable:
        """Decorator: add a function `node -> node | None` as a rule."""
        def add(function: Callable[[Node], Node | None]) -> Callable[[Node], Node | None]:
            self.rules.append(Rule(function.__name__, says, heads, function, example))
            return function
        return add

    def measure(self, roots: Iterable[Node]) -> int:
        """The quantity that every rule of this phase lowers."""
        roots = list(roots)
        if self.once:
            return sum(self.weight(node) for node in topological(roots))
        total: dict[Node, int] = {}
        for node in topological(roots):
            total[node] = self.weight(node) + sum(total[arg] for arg in node.args)
        return sum(total[root] for root in roots)

    def table(self) -> dict[str, list[Rule]]:
        """The rules by the operation that they look at, those for any operation first."""
        names = {head for rule in self.rules for head in rule.heads}
        return {name: [rule for rule in self.rules if name in rule.heads or ANY in rule.heads] for name in names | {ANY}}


Firing = tuple[Rule, Node, Node]


def rewrite(roots: Sequence[Node], phase: Phase, budget: int | None = None, log: list[Firing] | None = None,
            fixed: Iterable[Node] = ()) -> list[Node]:
    """The roots with every rule of the phase applied wherever it fits, arguments before users.

    Nodes that are `fixed` stay as they are, with all that they are computed from.
    At most `budget` rules fire (by default 50 per node, and 1,000); beyond that, and when a node comes back to itself, a
    RewriteError prints the last firings. `log` receives every (rule, before, after).
    """
    run = Rewriting(phase, budget or 50 * len(topological(roots)) + 1000, log)
    run.done.update((node, node) for node in fixed)
    return [run.normal(root) for root in roots]


class Rewriting:
    """One run of a phase, with the result for every node."""

    def __init__(self, phase: Phase, budget: int, log: list[Firing] | None) -> None:
        self.phase, self.budget, self.log = phase, budget, log
        self.rules = phase.table()
        self.done: dict[Node, Node] = {}
        self.became: dict[Node, Node] = {}  # one step: a node that waits for the normal form of another
        self.firings: list[Firing] = []
        self.here = user_location()

    def normal(self, root: Node) -> Node:
        """The node to which no rule applies any more."""
        stack = [root]
        while stack:
            node = stack[-1]
            if node in self.done:
                stack.pop()
            elif node in self.became:
                self.follow(node, stack)
            else:
                pending = [arg for arg in node.args if arg not in self.done]
                self.enter(pending, stack) if pending else self.step(node)
        return self.done[root]

    def follow(self, node: Node, stack: list[Node]) -> None:
        """Take over the normal form of what this node became, or wait for it."""
        target = self.became[node]
        if target in self.done:
            self.done[node] = self.done[target]
        else:
            self.enter([target], stack)

    def enter(self, nodes: list[Node], stack: list[Node]) -> None:
        """Work on these nodes next; one that is already waiting would wait for itself."""
        if any(node in self.became for node in nodes):
            raise self.error("a node was rewritten to something that contains itself")
        stack.extend(reversed(nodes))

    def step(self, node: Node) -> None:
        """All arguments are in normal form: rebuild on them, else apply the first rule that fits, else be done."""
        args = tuple(self.done[arg] for arg in node.args)
        if args != node.args:
            self.became[node] = self.adopt(node.op.make(*args, **node.params), node)
            return
        for rule in self.rules.get(node.op.name, self.rules[ANY]):
            result = rule.apply(node)
            if result is not None and result is not node:
                self.fire(rule, node, result)
                return
        self.done[node] = node

    def fire(self, rule: Rule, node: Node, result: Node) -> None:
        self.became[node] = self.adopt(result, node)
        self.firings.append((rule, node, result))
        if self.log is not None:
            self.log.append(self.firings[-1])
        if result.shape != node.shape or result.dtype != node.dtype:
            raise self.error(f"a rule changed the type {type_of(node)} to {type_of(result)}")
        if len(self.firings) > self.budget:
            raise self.error(f"more than {self.budget} rules fired")

    def adopt(self, result: Node, node: Node) -> Node:
        """The new nodes take over the user's line and region, which messages and profiles name."""
        for new in topological([result], stop=lambda old: old in self.done or old.location != self.here):
            if new.location == self.here:
                new.location, new.region = node.location, node.region
        return result

    def error(self, what: str) -> RewriteError:
        """The error, with the firings that led to it."""
        last = "; ".join(f"{rule.name}: {show(before)} -> {show(after)}" for rule, before, after in self.firings[-8:])
        return RewriteError(f"{self.phase.name}: {what}", why=f"the last rules were {last}",
                            repair="one of these rules does not lower the measure; this is a fault of slopes")


def show(node: Node) -> str:
    """A node and its arguments, in a few words."""
    return f"{node.op.name}({', '.join(f'{arg.op.name} {type_of(arg)}' for arg in node.args)})"


def type_of(node: Node) -> str:
    return type_text(node.dtype, node.shape)
