//! `docs/json.md`, made of the schema.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::common::json::names;

const HEAD: &str = "\
# Output for programs

With `--json` every command prints NDJSON on stdout, one event a line, and nothing else. Messages about signals and settings files
may stand on stderr. This page is generated from the code, as is [events.schema.json](events.schema.json), the JSON Schema of each line.
A field without *always* may be absent. A change of the code changes both files:
`HF2MS_WRITE_REFERENCE=1 cargo test --workspace --features hf2ms-sandbox/xet --test e2e events::`.

## Rules
- The first line is `start`. Its `schema` is the version of these lines: it grows when a field goes or changes its meaning, and not when one is added.
- Each line has `event`, its name, and `time`, in UTC with milliseconds.
- In a batch and with `--all-revisions` a line that is about one repo or revision has `repo`, `revision` or both.
- A command line that is wrong prints one `error` and no `start`.
- The command ends with its exit code, which the last event has as `exit`. A command that fails ends with `error`.
- New events and new fields may come at any time: a reader skips what it does not know.

## Documents
Two forms are one document and no events. [plan.schema.json](plan.schema.json) is that of `hf2ms plan`, which `migrate --plan` takes; with `--all-revisions` there is one
a line, with `revisions` beside it. [inventory.schema.json](inventory.schema.json) is that of `hf2ms inventory --format json`. `report.json` of a run has the fields of `report`.

## Words
A word has one meaning in all events.

| field | meaning |
|---|---|
| `files`, `bytes` | the files of the repo that are to stand at the destination, and their bytes |
| `to_move`, `to_move_bytes` | files whose content has to move, and their bytes |
| `moved`, `moved_bytes` | blobs whose content was sent, and their bytes |
| `done`, `total`, `done_bytes`, `total_bytes` | how far a step is |
| `size` | the bytes of one file |
| `lacking`, `lacking_bytes` | LFS objects that the target of a mirror does not have |
| `run` | the id of a run, as `hf2ms status` takes it |
| `source`, `destination` | a repo at a revision; in the rows of a batch and of revisions its name |
| `seconds` | how long something took; `expected_seconds` is the estimate before it |
| `exit` | an exit code, see [reference.md](reference.md) |
| `failed`, `refused` | files that are not there, and entries of the source that no destination takes; with the reason |

## Events
";

/// The page of a schema.
pub fn of(schema: &Value) -> String {
    let mut page = HEAD.to_owned();
    let mut shared = BTreeSet::new();
    for name in names(schema) {
        section(&mut page, &name, &schema["$defs"][&name], &mut shared);
    }
    page.push_str("\n## Types\n");
    let mut shown = BTreeSet::new();
    while let Some(name) = shared.iter().find(|name| !shown.contains(*name)).cloned() {
        let definition = &schema["$defs"][&name];
        section(&mut page, &name, definition, &mut shared);
        shown.insert(name);
    }
    page
}

fn section(page: &mut String, name: &str, schema: &Value, shared: &mut BTreeSet<String>) {
    let _ = writeln!(page, "\n### {name}\n{}\n", words(&schema["description"]));
    if let Some(fields) = schema["properties"].as_object() {
        page.push_str("| field | type | meaning |\n|---|---|---|\n");
        let required = schema["required"].as_array();
        for (field, of_field) in fields {
            if ["event", "time", "repo", "revision"].contains(&field.as_str()) && is_event(schema) {
                continue;
            }
            let always = required.is_some_and(|names| names.contains(&field.as_str().into()));
            let always = if always { ", always" } else { "" };
            let _ = writeln!(
                page,
                "| `{field}` | {}{always} | {} |",
                kind(of_field, shared),
                words(&of_field["description"])
            );
        }
    } else {
        let _ = writeln!(page, "{}", kind(schema, shared));
    }
}

fn is_event(schema: &Value) -> bool {
    schema["properties"]["event"]["const"].is_string()
}

/// The type of a field, and the names of types it refers to.
fn kind(schema: &Value, shared: &mut BTreeSet<String>) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        let text = format!("[{name}](#{})", name.to_lowercase());
        shared.insert(name);
        return text;
    }
    if let Some(value) = schema["const"].as_str() {
        return format!("`{value}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values = values
            .iter()
            .filter_map(Value::as_str)
            .map(|value| format!("`{value}`"));
        return values.collect::<Vec<_>>().join(", ");
    }
    for any in ["oneOf", "anyOf", "allOf"] {
        if let Some(options) = schema[any].as_array() {
            let options: Vec<String> = options.iter().map(|option| kind(option, shared)).collect();
            return options.join(" or ");
        }
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => {
            format!("list of {}", kind(&schema["items"], shared))
        }
        Value::String(name) => name.clone(),
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    }
}

/// A description in one line.
fn words(description: &Value) -> String {
    let text = description.as_str().unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace('|', "\\|")
}
