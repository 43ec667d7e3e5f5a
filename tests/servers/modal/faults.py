"""Faults of the plane, put in force over HTTP: each strikes as often as its `count` says (once unless told)."""

import json


class Faults:
    """The faults in force. A fault is a JSON object with `do` and what it waits for:

    - {"do": "exhausted" | "unavailable" | "lose_answer", "rpc": NAME, "retry_after"?, "message"?, "forget"?}
    - {"do": "delay", "rpc": NAME, "seconds": N}
    - {"do": "kill" | "preempt" | "freeze", "function": NAME, "line": TEXT}: strikes a container that prints TEXT
    - {"do": "twice", "function": NAME}: its next input goes to two containers at the same time

    `skip` of what a fault waits for are let through first.
    """

    def __init__(self):
        self.rules = []

    def add(self, rule):
        self.rules.append({"count": 1, "struck": 0, **rule})

    def clear(self):
        self.rules.clear()

    def take_for(self, rpc):
        """The fault that strikes this RPC, if one does."""
        return self._take(lambda rule: rule.get("rpc") == rpc)

    def take_line(self, function, text):
        """The fault that strikes a container of this function which printed this."""
        return self._take(lambda rule: rule.get("line") and rule.get("function") == function and rule["line"] in text)

    def take(self, do, function):
        """The fault of this kind that strikes this function."""
        return self._take(lambda rule: rule["do"] == do and rule.get("function") == function)

    def _take(self, fits):
        for rule in self.rules:
            if rule["struck"] >= rule["count"] or not fits(rule):
                continue
            if rule.get("skip", 0) > 0:
                rule["skip"] -= 1
                continue
            rule["struck"] += 1
            return rule
        return None

    def told(self):
        return json.loads(json.dumps(self.rules))
