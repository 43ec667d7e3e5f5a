"""One round from its seed to its result."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from campaign import checks, copies, draw, faults, githost, hubs, program
from campaign.checks import Problem
from campaign.mirrors import MirrorCheck

# Runs without faults that a round may need after the first.
MOST_TRIES = 4
# Tokens in the environment that no request of a copy has a use for.
UNUSED = {
    "MODAL_TOKEN_SECRET": "as-campaign-canary-4be1c07f52",
    "GITLAB_API_TOKEN": "glpat-campaign-canary-90d3a7e1",
    "SOURCE_TOKEN": "source-campaign-canary-1f7e66b0",
    "AWS_SECRET_ACCESS_KEY": "aws-campaign-canary-c2d94e18",
}


@dataclass
class Result:
    """What a round came to."""

    round: draw.Round
    problems: list[Problem]
    codes: list[int]
    killed: str | None
    thrown: Counter = field(default_factory=Counter)
    strangers: int = 0
    refused: bool = False
    seconds: float = 0.0


class Site:
    """What the rounds of one job share: a sandbox, a Git host, a trap, and the programs."""

    def __init__(self, sandbox, folder: Path, programs: dict[str, str], image: str | None):
        self.sandbox, self.folder, self.programs = sandbox, folder, programs
        # The image of containers; empty for the one that hf2ms makes, None for no containers.
        self.image = image
        self.trap, self.host = hubs.Trap(), githost.GitHost(folder / "host")
        # Many rounds together ask more often than a hub allows.
        self.usual = sandbox.post("/settings", hf_whoami_quota=None, hf_commit_quota=None)
        self.known = faults.kinds(sandbox)

    def close(self):
        self.trap.close()
        self.host.close()

    def drawn(self, seed: int) -> draw.Round:
        return draw.drawn(seed, self.known, self.trap.url, self.image is not None)

    def owners(self) -> dict[str, str]:
        """The origin that each token is for."""
        return {self.sandbox.hf_alice: "hf", self.sandbox.ms_alice: "ms", githost.PASSWORD: "", **dict.fromkeys(UNUSED.values(), "")}

    def environment(self, folder: Path) -> dict[str, str]:
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder / "tmp"), "LANG": "C.UTF-8", "HF2MS_STATE": str(folder / "state")}
        env |= {"HF_ENDPOINT": self.sandbox.hf, "HF_TOKEN": self.sandbox.hf_alice, "MODELSCOPE_ENDPOINT": self.sandbox.ms, "MODELSCOPE_TOKEN": self.sandbox.ms_alice}
        env |= {"TARGET_USERNAME": githost.USER, "TARGET_TOKEN": githost.PASSWORD, **UNUSED}
        env |= {"HF2MS_WORKER": self.programs["worker"], "HF2MS_RETRY_BASE": "0.01", "HF2MS_STALL": "1", "HF2MS_LONGEST_WAIT": "2"}
        return env | ({"HF2MS_STATIC_WORKER": self.programs["static"]} if self.image == "" else {})


class Attempt:
    """A round under way."""

    def __init__(self, site: Site, round: draw.Round, folder: Path):
        self.site, self.round, self.folder = site, round, folder
        self.rng = random.Random(-round.seed)
        self.sandbox = site.sandbox
        self.problems: list[Problem] = []
        self.codes: list[int] = []
        self.mirror = None
        self.is_calm = True
        self.repos: list[copies.RepoCheck] = []

    def prepare(self):
        """Both sides, and an empty memory of requests and faults."""
        (self.folder / "tmp").mkdir(parents=True)
        self.site.trap.heard.clear()
        if self.round.verb == "mirror":
            self.mirror = MirrorCheck(self.sandbox, self.site.host, self.round, self.rng)
            self.mirror.seed()
        else:
            self.repos = [copies.RepoCheck(self.sandbox, self.round, copy) for copy in self.round.copies]
            for repo in self.repos:
                repo.seed()
        self.sandbox.ask("DELETE", "/faults")
        self.sandbox.post("/settings", **self.site.usual | self.round.settings)
        self.sandbox.post("/counters/reset")
        self.site.host.fresh()
        (self.folder / "round.json").write_text(json.dumps(self.described(), ensure_ascii=False, indent=1))

    def described(self) -> dict:
        told = asdict(self.round)
        for copy in told["copies"]:
            copy["files"] = {path: len(text) for path, text in copy["files"].items()}
            copy["before"] = copy["before"] and {path: len(text) for path, text in copy["before"].items()}
            copy["branches"] = {name: len(files) for name, files in copy["branches"].items()}
        return told

    def arm(self) -> list[dict]:
        """Puts the faults in force, and returns their rules."""
        rules = [dict(rule) for rule in self.round.faults]
        someone = self.round.stranger
        if self.mirror is None and someone:
            rules.append(dict(someone))
        for rule in rules:
            self.sandbox.post("/faults", **rule)
        if someone and rules and self.mirror is None:
            rules[-1]["after_the_plan"] = True
        if self.mirror:
            host = self.site.host
            host.faults = {self.rng.randrange(1, 14): self.rng.choice(githost.FAULTS) for _ in range(self.rng.choice([0, 0, 1, 2]))}
            # A branch of theirs at an empty target would make that unrelated.
            if someone and self.round.target == "older":
                # The first requests ask for the refs, so that the scan has not seen this.
                host.before[self.rng.randrange(4, 9)] = self.mirror.stranger
        return rules

    def engine(self) -> list[str]:
        if self.round.engine == "local":
            return []
        return ["--on", "docker", "--network", "host", *(["--image", self.site.image] if self.site.image else [])]

    def requests(self) -> int:
        return hubs.count_of(self.sandbox) + self.site.host.requests

    def run(self, number: int, kill) -> program.Ran:
        if self.mirror:
            command = self.mirror.command(self.site.programs, self.engine())
        else:
            command = copies.command(self.round, self.site.programs, self.engine(), self.folder)
        killer = program.Killer(kill, self.requests, self.containers, self.stop)
        return program.run(command, self.site.environment(self.folder), self.folder, f"run{number}", killer)

    def stop(self) -> subprocess.Popen:
        """Has hf2ms end its newest run."""
        with (self.folder / "stop.out").open("wb") as out:
            command = [self.site.programs["hf2ms"], "stop", "last"]
            return subprocess.Popen(command, env=self.site.environment(self.folder), stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def containers(self, ended: bool = False) -> list[str]:
        """The running containers of this round; with `ended` all that the engine still has."""
        identity = self.folder / "state/id"
        if self.round.engine == "local" or not identity.is_file():
            return []
        return program.containers(identity.read_text().strip(), ended)

    def look(self, ran: program.Ran, number: int, rules: list[dict], done: bool, calm: bool):
        """Everything that has to hold after a run: `done` if it has to have got to its end, `calm` if no fault struck it."""
        name = f"run {number}"
        found = list(checks.of_process(ran, name))
        owners = self.site.owners()
        found += checks.leaked(owners, f"a command line of {name}", "\n".join(ran.shown))
        found += checks.leaked_in_requests(hubs.requests(self.sandbox), owners)
        found += checks.leaked(owners, "what another origin was told", "\n".join(self.site.trap.heard))
        foreign = [token for token in owners if token != githost.PASSWORD]
        found += checks.leaked(foreign, "what the Git host was told", "\n".join(self.site.host.heard))
        # Output, state, temporary files, and whatever else is written.
        found += checks.leaked_on_disk(owners, self.folder)
        for watched in self.repos:
            found += watched.problems(ran, rules, number, done, calm)
        if self.mirror:
            found += self.mirror.problems(ran, number, done)
        found += self.strange_repos()
        self.problems += [Problem(problem.kind, f"{problem.text} (after {name}, exit {ran.code})") for problem in found]

    def strange_repos(self):
        known = {id for copy in self.round.copies for id in (copy.source, copy.destination)}
        for hub in ("hf", "ms"):
            for repo in self.sandbox.ask("GET", "/repos", hub=hub):
                if repo["id"] not in known:
                    yield Problem("left behind", f"the repo {repo['id']} was made and not asked for")

    def thrown(self) -> Counter:
        """How often each kind of fault struck."""
        counted = Counter({f"Git host: {fault}": times for fault, times in Counter(self.site.host.thrown).items()})
        for armed in self.sandbox.ask("GET", "/faults"):
            counted[armed["rule"]["kind"]["do"]] += armed["fired"]
        return +counted

    def is_end(self, ran: program.Ran) -> bool:
        """Whether a run without faults has got to the right end of this round."""
        if self.round.ends_refused:
            return ran.code == 3
        if self.mirror and self.mirror.keeps_theirs():
            return ran.code == 1
        # An entry that can't be copied is told by the exit code, and costs no other; so are more deletions than --max-delete allows.
        withholds = self.round.prunes and '"withheld":[{' in ran.output
        spoiled = any(copy.spoiled for copy in self.round.copies)
        return ran.code == 0 or ran.code in (1, 4) and spoiled or ran.code == 1 and withholds

    def finish(self, rules: list[dict]) -> bool:
        """Runs the same command without faults until it is done. Whether it was."""
        for number in range(2, MOST_TRIES + 2):
            ran = self.run(number, None)
            self.codes.append(ran.code)
            done = self.is_end(ran)
            self.look(ran, number, rules, done and not self.round.ends_refused, self.is_calm)
            if done:
                return True
        self.problems.append(Problem("unfinished", f"exit codes {self.codes}: {ran.output.strip()[-300:]}"))
        return False

    def carry_out(self) -> Result:
        began = time.monotonic()
        self.prepare()
        rules = self.arm()
        first = self.run(1, self.round.kill)
        self.codes.append(first.code)
        thrown = self.thrown()
        self.sandbox.ask("DELETE", "/faults")
        self.site.host.faults, self.site.host.before = {}, {}
        self.is_calm = not thrown
        self.look(first, 1, rules, first.code == 0, self.is_calm)
        done = first.code == 0 or self.finish(rules)
        self.problems += self.remains(done and first.killed is None and len(self.codes) == 1)
        strangers = sum(len(repo.strangers) + len(repo.versions) - 1 for repo in self.repos) + bool(self.mirror and self.mirror.theirs)
        self.tidy()
        return Result(self.round, self.problems, self.codes, first.killed, thrown, strangers, self.round.ends_refused, time.monotonic() - began)

    def remains(self, clean: bool):
        """What is left when all has ended; temporary files only after a `clean` end, since a killed run can't take its own away."""
        for name in self.containers(ended=True):
            yield Problem("left behind", f"the container {name}")
        for path in (self.folder / "tmp").iterdir() if clean else ():
            yield Problem("left behind", f"{path.name} in the temporary folder")

    def tidy(self):
        self.sandbox.ask("DELETE", "/faults")
        self.sandbox.post("/settings", **self.site.usual)
        for hub in ("hf", "ms"):
            for repo in self.sandbox.ask("GET", "/repos", hub=hub):
                self.sandbox.ask("DELETE", "/repo", hub=hub, kind=repo["kind"], id=repo["id"])
