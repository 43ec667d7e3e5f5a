"""Adds up the results of campaigns, keeps the sums in a file, and writes them as a table of Markdown."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

from campaign.checks import KINDS
from campaign.rounds import Result

SIGNALS = {-9: "killed", -15: "SIGTERM", -2: "SIGINT", -1: "SIGHUP"}
COUNTERS = ("kinds", "kills", "thrown", "first", "tries", "problems")
LONGEST_PROBLEM = 200
LOCAL, CONTAINERS = "scripts/chaos", "scripts/chaos --docker"


class Tally:
    """The sums over all rounds, of one campaign or of several."""

    def __init__(self):
        # Seeds by the place where workers ran: a round in containers is another one than that of the same seed in processes.
        self.seeds: dict[str, list[int]] = {}
        self.failed: list[tuple[str, int, str]] = []
        self.strangers = 0
        self.kinds, self.kills, self.thrown, self.first, self.tries, self.problems = (Counter() for _ in COUNTERS)

    @property
    def rounds(self) -> int:
        return sum(map(len, self.seeds.values()))

    def add(self, result: Result, place: str = LOCAL):
        round = result.round
        self.seeds.setdefault(place, []).append(round.seed)
        self.strangers += result.strangers
        self.kinds[(round.verb, round.direction, round.engine)] += 1
        self.kills[result.killed or "nobody"] += 1
        self.thrown += result.thrown
        self.first[SIGNALS.get(result.codes[0], str(result.codes[0]))] += 1
        self.tries[str(len(result.codes) - 1)] += 1
        self.problems += Counter(problem.kind for problem in result.problems)
        self.failed += [(place, round.seed, " ".join(str(problem).split())[:LONGEST_PROBLEM]) for problem in result.problems]

    def save(self, path: Path):
        """Writes the sums, so that another campaign adds to them."""
        told = {name: [[key, count] for key, count in getattr(self, name).items()] for name in COUNTERS}
        told |= {"seeds": self.seeds, "failed": self.failed, "strangers": self.strangers}
        aside = path.with_name(path.name + ".new")
        aside.write_text(json.dumps(told, ensure_ascii=False))
        aside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Tally:
        """The sums of earlier campaigns; none where the file is not there yet."""
        tally = cls()
        if not path.is_file():
            return tally
        told = json.loads(path.read_text())
        for name in COUNTERS:
            pairs = [(tuple(key) if isinstance(key, list) else key, count) for key, count in told[name]]
            setattr(tally, name, Counter(dict(pairs)))
        tally.seeds, tally.strangers = told["seeds"], told["strangers"]
        tally.failed = [tuple(one) for one in told["failed"]]
        return tally

    def markdown(self) -> str:
        """All tables, with the zeros first."""
        parts = [self.summary(), rows(["has to be 0", "what it counts", "count"], [(kind, text, self.problems[kind]) for kind, text in KINDS.items()])]
        if self.failed:
            parts.append(rows(["what failed", "seed", "how"], sorted((place, seed, text.replace("|", "\\|")) for place, seed, text in self.failed)))
        verbs = sorted(self.kinds.items(), key=lambda item: item[0])
        parts.append(rows(["verb", "direction", "engine", "rounds"], [(*key, count) for key, count in verbs]))
        parts.append(rows(["ended by", "rounds"], self.kills.most_common()))
        parts.append(rows(["fault", "times it struck"], self.thrown.most_common()))
        parts.append(rows(["how the first run ended", "rounds"], sorted(self.first.items())))
        parts.append(rows(["runs needed after the first", "rounds"], sorted(self.tries.items())))
        return "\n\n".join(parts) + "\n"

    def summary(self) -> str:
        """What was done, in two sentences."""
        in_containers = sum(count for (_, _, engine), count in self.kinds.items() if engine == "docker")
        notes = {LOCAL: "workers in processes", CONTAINERS: f"{in_containers} of them with workers in containers"}
        places = [f"{len(seeds)} by {place} ({notes[place]}; seeds {ranges(seeds)})" for place, seeds in sorted(self.seeds.items()) if seeds]
        said = f"{self.rounds} rounds: {', '.join(places)}. " if places else "0 rounds. "
        said += f"In them {sum(self.thrown.values())} faults struck, {self.rounds - self.kills['nobody']} runs were killed or stopped, "
        return said + f"and someone else committed or pushed {self.strangers} times."


def ranges(seeds: list[int]) -> str:
    """Numbers as a person writes them: 1 to 5, 9."""
    ordered = sorted(set(seeds))
    begins = [ordered[0]] + [after for before, after in pairwise(ordered) if after > before + 1]
    ends = [before for before, after in pairwise(ordered) if after > before + 1] + [ordered[-1]]
    return ", ".join(str(begin) if begin == end else f"{begin} to {end}" for begin, end in zip(begins, ends))


def rows(heads: list[str], lines) -> str:
    """One table."""
    lines = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def line_of(result: Result) -> str:
    """A round in one line."""
    round = result.round
    parts = [f"seed {round.seed}", round.verb, round.direction, round.kind, *(["docker"] if round.engine == "docker" else []), *round.options]
    parts.append(f"{sum(result.thrown.values())} faults")
    parts += [f"ended by {result.killed}"] if result.killed else []
    parts += [f"{result.strangers} strangers"] if result.strangers else []
    ended = "PROBLEMS" if result.problems else "ok"
    return f"{' '.join(parts)}: exit {', '.join(map(str, result.codes))}: {ended} ({result.seconds:.1f} s)"
