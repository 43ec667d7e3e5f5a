//! The tools: their names, what they are for, and what they change.

use rmcp::model::{Tool, ToolAnnotations};
use schemars::schema_for;
use serde_json::{Map, Value};

use super::arguments::{
    Arguments, DoctorArgs, InventoryArgs, PlanArgs, RunArgs, RunsArgs, StartArgs, StatusArgs,
    StopArgs, ToolCall, VerifyArgs,
};

/// What a tool changes, as clients want to know it before they let an assistant use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Changes,
}

/// One tool.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    description: &'static str,
    effect: Effect,
    schema: fn() -> Map<String, Value>,
    call: fn(Map<String, Value>) -> Result<ToolCall, String>,
}

/// Every tool.
pub const ENTRIES: [Entry; 9] = [
    Entry::of::<DoctorArgs>(
        "doctor",
        Effect::Reads,
        "Tells whether the tokens are set and right, both hubs are reachable, and the engines can work.",
    ),
    Entry::of::<InventoryArgs>(
        "inventory",
        Effect::Reads,
        "Lists what owners have, and how the copy of each repo stands: none, partial, different, newer, conflict, equal. Exit 1: not every \
         copy is whole. Ask for the summary first where an owner has many repos.",
    ),
    Entry::of::<PlanArgs>(
        "plan",
        Effect::Reads,
        "Tells what a copy would move, how long it would take and what it would cost. Nothing is created.",
    ),
    Entry::of::<StartArgs>(
        "start",
        Effect::Changes,
        "Starts a copy and returns its run id and its plan. The copy goes on by itself; ask `status`. The same call goes on with a copy \
         that was stopped. Nothing is deleted, overwritten or made public unless an argument says so.",
    ),
    Entry::of::<StatusArgs>(
        "status",
        Effect::Reads,
        "Tells how far a run is, in bytes and files. With wait_seconds it answers when the run ends, or after that time.",
    ),
    Entry::of::<RunArgs>(
        "report",
        Effect::Reads,
        "The report of a run that has ended: what was moved, what failed and why, and what was verified.",
    ),
    Entry::of::<VerifyArgs>(
        "verify",
        Effect::Reads,
        "Compares a repo with its copy, file by file. Exit 0: all files are equal. Nothing is written.",
    ),
    Entry::of::<StopArgs>(
        "stop",
        Effect::Changes,
        "Stops a run and all its workers. What was stored stays; the same `start` goes on later.",
    ),
    Entry::of::<RunsArgs>(
        "runs",
        Effect::Reads,
        "Lists the last runs of this machine.",
    ),
];

impl Entry {
    const fn of<A: Arguments>(
        name: &'static str,
        effect: Effect,
        description: &'static str,
    ) -> Self {
        Self {
            name,
            description,
            effect,
            schema: schema::<A>,
            call: parse::<A>,
        }
    }

    /// As the protocol describes it.
    pub fn tool(&self) -> Tool {
        let hints = ToolAnnotations::new()
            .read_only(self.effect == Effect::Reads)
            .destructive(self.effect != Effect::Reads)
            .idempotent(true);
        let mut tool = Tool::new(self.name, self.description, (self.schema)());
        tool.annotations = Some(hints);
        tool
    }

    /// What these arguments ask for.
    ///
    /// # Errors
    /// One is unknown, missing or wrong.
    pub fn call(&self, arguments: Map<String, Value>) -> Result<ToolCall, String> {
        let schema = (self.schema)();
        let known = schema.get("properties").and_then(Value::as_object);
        let unknown = arguments
            .keys()
            .find(|name| !known.is_some_and(|known| known.contains_key(*name)));
        match unknown {
            // What was asked for and would not be done is worse than an error.
            Some(name) => Err(format!("{} has no argument {name}", self.name)),
            None => (self.call)(arguments),
        }
    }
}

fn schema<A: Arguments>() -> Map<String, Value> {
    match schema_for!(A).to_value() {
        Value::Object(mut schema) => {
            schema.remove("$schema");
            schema.remove("title");
            schema
        }
        _ => Map::new(),
    }
}

fn parse<A: Arguments>(arguments: Map<String, Value>) -> Result<ToolCall, String> {
    let arguments: A = serde_json::from_value(Value::Object(arguments))
        .map_err(|error| format!("the arguments do not fit: {error}"))?;
    arguments.call()
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::cli::Cli;

    fn call(name: &str, arguments: Value) -> Result<ToolCall, String> {
        let Value::Object(arguments) = arguments else {
            unreachable!("a test's arguments are an object");
        };
        let entry = ENTRIES.iter().find(|entry| entry.name == name).unwrap();
        entry.call(arguments)
    }

    fn words(call: ToolCall) -> Vec<String> {
        match call {
            ToolCall::Read { words }
            | ToolCall::First { words, .. }
            | ToolCall::OfRun { words, .. }
            | ToolCall::Start { words } => words,
        }
    }

    #[test]
    fn each_tool_is_a_command_line_that_the_program_takes() {
        let route = json!({"source": "org/a", "destination": "ms:me/a", "repo_type": "dataset", "revision": "v1", "include": ["*.bin"], "exclude": ["x"]});
        let with = |more: Value| {
            let mut all = route.as_object().unwrap().clone();
            all.extend(more.as_object().unwrap().clone());
            Value::Object(all)
        };
        let start = json!({"on": "modal", "containers": 3, "max_cost": 2.5, "visibility": "private", "all_revisions": false, "prune": true, "max_delete": "5%", "overwrite": true});
        let run = json!({"run": "last"});
        for (name, arguments) in [
            ("doctor", json!({})),
            (
                "inventory",
                json!({"owners": ["org", "ms:me"], "against": "ms:you", "only": ["none"], "summary": true, "deep": true}),
            ),
            ("plan", route.clone()),
            ("start", with(start)),
            ("status", run.clone()),
            ("status", json!({"run": "last", "wait_seconds": 5})),
            ("report", run),
            ("verify", with(json!({"level": "sample"}))),
            ("stop", json!({"run": "last", "confirm": true})),
            ("runs", json!({})),
        ] {
            let words = words(call(name, arguments).unwrap());
            let line = ["hf2ms".to_owned()].into_iter().chain(words);
            let parsed = Cli::try_parse_from(line).unwrap();
            assert!(parsed.command.wants_json(), "{name}");
        }
    }

    #[test]
    fn no_value_becomes_an_option() {
        let call = call(
            "plan",
            json!({"source": "--env-file", "destination": "--help", "revision": "--x"}),
        );
        let words = words(call.unwrap());
        assert_eq!(words[3..], ["--revision=--x", "--", "--env-file", "--help"]);
    }

    #[test]
    fn what_deletes_ends_or_costs_needs_an_argument_of_its_own() {
        for (name, arguments, word) in [
            (
                "stop",
                json!({"run": "x", "confirm": false}),
                "nothing was stopped",
            ),
            ("stop", json!({"run": "x"}), "confirm"),
            (
                "start",
                json!({"source": "a/b", "prune": true}),
                "max_delete",
            ),
            ("start", json!({"source": "a/b", "on": "modal"}), "max_cost"),
            (
                "start",
                json!({"source": "a/b", "yes": true}),
                "no argument yes",
            ),
        ] {
            let why = call(name, arguments).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
        let plain = words(call("start", json!({"source": "a/b"})).unwrap());
        assert_eq!(plain, ["migrate", "--json", "--on=local", "--", "a/b"]);
    }

    #[test]
    fn tools_that_only_read_say_so_and_the_others_are_asked_about() {
        let asked: Vec<_> = ENTRIES
            .iter()
            .map(Entry::tool)
            .filter(|tool| tool.annotations.as_ref().unwrap().destructive_hint == Some(true))
            .map(|tool| tool.name)
            .collect();
        assert_eq!(asked, ["start", "stop"]);
        let reading: Vec<_> = ENTRIES
            .iter()
            .map(Entry::tool)
            .filter(|tool| tool.annotations.as_ref().unwrap().read_only_hint == Some(true))
            .map(|tool| tool.name)
            .collect();
        assert_eq!(
            reading,
            [
                "doctor",
                "inventory",
                "plan",
                "status",
                "report",
                "verify",
                "runs"
            ]
        );
    }
}
