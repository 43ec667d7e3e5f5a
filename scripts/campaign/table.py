"""Adds up the results of a campaign, and writes them as a table of Markdown."""

from __future__ import annotations

from collections import Counter

from campaign.checks import KINDS
from campaign.rounds import Result

SIGNALS = {-9: "killed", -15: "SIGTERM", -2: "SIGINT", -1: "SIGHUP"}


class Tally:
    """The sums over all rounds."""

    def __init__(self):
        self.rounds = 0
        self.seconds = 0.0
        self.strangers = 0
        self.kinds, self.kills, self.thrown, self.first, self.tries, self.problems = (Counter() for _ in range(6))

    def add(self, result: Result):
        round = result.round
        self.rounds += 1
        self.seconds += result.seconds
        self.strangers += result.strangers
        self.kinds[(round.verb, round.direction, round.engine)] += 1
        self.kills[result.killed or "nobody"] += 1
        self.thrown += result.thrown
        self.first[SIGNALS.get(result.codes[0], str(result.codes[0]))] += 1
        self.tries[len(result.codes) - 1] += 1
        self.problems += Counter(problem.kind for problem in result.problems)

    def markdown(self, begins: int) -> str:
        """All tables, with the zeros first."""
        seeds = f"Seeds {begins} to {begins + self.rounds - 1}: {self.rounds} rounds, {sum(self.thrown.values())} faults that struck, "
        seeds += f"{self.rounds - self.kills['nobody']} kills, {self.strangers} commits and pushes of someone else."
        parts = [seeds, rows(["has to be 0", "what it counts", "count"], [(kind, text, self.problems[kind]) for kind, text in KINDS.items()])]
        verbs = sorted(self.kinds.items(), key=lambda item: item[0])
        parts.append(rows(["verb", "direction", "engine", "rounds"], [(*key, count) for key, count in verbs]))
        parts.append(rows(["ended by", "rounds"], self.kills.most_common()))
        parts.append(rows(["fault", "times it struck"], self.thrown.most_common()))
        parts.append(rows(["how the first run ended", "rounds"], sorted(self.first.items())))
        parts.append(rows(["runs needed after the first", "rounds"], sorted(self.tries.items())))
        return "\n\n".join(parts) + "\n"


def rows(heads: list[str], lines) -> str:
    """One table."""
    lines = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def line_of(result: Result) -> str:
    """A round in one line."""
    round = result.round
    parts = [f"seed {round.seed}", round.verb, round.direction, round.kind, *round.options]
    parts.append(f"{sum(result.thrown.values())} faults")
    parts += [f"ended by {result.killed}"] if result.killed else []
    parts += [f"{result.strangers} strangers"] if result.strangers else []
    ended = "PROBLEMS" if result.problems else "ok"
    return f"{' '.join(parts)}: exit {', '.join(map(str, result.codes))}: {ended} ({result.seconds:.1f} s)"
