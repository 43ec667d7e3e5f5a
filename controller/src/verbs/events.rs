//! All events of `--json` in one list, and the documents of verbs. Their schemas and `docs/json.md` are made of it.

use hf2ms_worker::plan::Plan;
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Value, json};

use crate::batch::status::BatchStatusEvent;
use crate::batch::summary::BatchEvent;
use crate::cleanup::summary::{CleanupEvent, CleanupRepoEvent};
use crate::copy::deletions::DeletionsEvent;
use crate::copy::preview::PlannedEvent;
use crate::copy::run::CreatedEvent;
use crate::engine::remote::SubmittedEvent;
use crate::estimate::EstimateEvent;
use crate::estimate::simulate::simulation::SimulationEvent;
use crate::inventory::output::InventoryDocument;
use crate::inventory::summary::{InventoryEvent, InventoryRepoEvent};
use crate::mirror::check::MirrorCheckedEvent;
use crate::mirror::remote::PullMirrorEvent;
use crate::mirror::report::MirrorReportEvent;
use crate::mirror::run::MirrorPlannedEvent;
use crate::mirror::scan_report::{LackingEvent, ScannedEvent};
use crate::probe::report::{ProbeEvent, ProbedEvent, ScratchEvent};
use crate::revisions::summary::RevisionsEvent;
use crate::runs::removal_report::RemovalReportEvent;
use crate::runs::report::ReportEvent;
use crate::settings::config::OptionEvent;
use crate::ui::json::{ErrorEvent, StartEvent, WarningEvent};
use crate::ui::worker_events::{
    BackupTagEvent, CommittedEvent, DeletedEvent, FailedEvent, FileEvent, PauseEndedEvent,
    PausedEvent, ProgressEvent, RateLimitedEvent, RetryEvent, StreamsEvent, TransportEvent,
    WorkersEvent,
};
use crate::verbs::doctor::CheckEvent;
use crate::verbs::logs::LogEvent;
use crate::verbs::plan::PlanEvent;
use crate::verbs::runs::RunEvent;
use crate::verbs::status::StatusEvent;
use crate::verbs::stop::StoppedEvent;
use crate::verbs::verify::{CheckedSideEvent, VerifiedEvent};

/// The JSON Schema of every line that `--json` prints.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut generator = settings.into_generator();
    let events = all(&mut generator);
    let one_of: Vec<Value> = events
        .iter()
        .map(|(name, _)| json!({"$ref": format!("#/$defs/{name}")}))
        .collect();
    let mut definitions = generator.take_definitions(true);
    definitions.extend(events);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of hf2ms --json",
        "oneOf": one_of,
        "$defs": definitions,
    })
}

/// The JSON Schema of each document that a verb prints or writes as a whole, by its file in `docs`.
pub fn documents() -> [(&'static str, Value); 2] {
    [
        ("plan.schema.json", document::<Plan>("A plan of hf2ms")),
        (
            "inventory.schema.json",
            document::<InventoryDocument<'static>>("An inventory of hf2ms"),
        ),
    ]
}

fn document<D: JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<D>();
    schema.insert("title".to_owned(), title.into());
    schema.into()
}

/// Every event by its name, in the order of `docs/json.md`.
fn all(generator: &mut SchemaGenerator) -> Vec<(String, Value)> {
    vec![
        of::<StartEvent<'static>>(generator, "start"),
        of::<WarningEvent>(generator, "warning"),
        of::<ErrorEvent>(generator, "error"),
        of::<OptionEvent>(generator, "option"),
        of::<PlannedEvent<'static>>(generator, "planned"),
        of::<DeletionsEvent<'static>>(generator, "deletions"),
        of::<EstimateEvent<'static>>(generator, "estimate"),
        of::<SimulationEvent>(generator, "simulation"),
        of::<PlanEvent<'static>>(generator, "plan"),
        of::<CreatedEvent<'static>>(generator, "created"),
        of::<SubmittedEvent<'static>>(generator, "submitted"),
        of::<ProgressEvent>(generator, "progress"),
        of::<FileEvent>(generator, "file"),
        of::<DeletedEvent>(generator, "deleted"),
        of::<RetryEvent>(generator, "retry"),
        of::<RateLimitedEvent>(generator, "rate_limited"),
        of::<PausedEvent>(generator, "paused"),
        of::<PauseEndedEvent>(generator, "pause_ended"),
        of::<StreamsEvent>(generator, "streams"),
        of::<WorkersEvent>(generator, "workers"),
        of::<TransportEvent>(generator, "transport"),
        of::<FailedEvent>(generator, "failed"),
        of::<BackupTagEvent>(generator, "backup_tag"),
        of::<CommittedEvent>(generator, "committed"),
        of::<ReportEvent<'static>>(generator, "report"),
        of::<RevisionsEvent<'static>>(generator, "revisions"),
        of::<BatchStatusEvent<'static>>(generator, "batch_status"),
        of::<BatchEvent<'static>>(generator, "batch"),
        of::<VerifiedEvent<'static>>(generator, "verified"),
        of::<InventoryRepoEvent<'static>>(generator, "inventory_repo"),
        of::<InventoryEvent<'static>>(generator, "inventory"),
        of::<CheckedSideEvent<'static>>(generator, "verified_against"),
        of::<CleanupRepoEvent<'static>>(generator, "cleanup_repo"),
        of::<CleanupEvent>(generator, "cleanup"),
        of::<RemovalReportEvent<'static>>(generator, "removal_report"),
        of::<MirrorPlannedEvent<'static>>(generator, "mirror_planned"),
        of::<ScannedEvent>(generator, "scanned"),
        of::<LackingEvent<'static>>(generator, "lacking"),
        of::<MirrorReportEvent<'static>>(generator, "mirror_report"),
        of::<PullMirrorEvent<'static>>(generator, "pull_mirror"),
        of::<MirrorCheckedEvent<'static>>(generator, "mirror_checked"),
        of::<RunEvent<'static>>(generator, "run"),
        of::<StatusEvent<'static>>(generator, "status"),
        of::<LogEvent>(generator, "log"),
        of::<StoppedEvent<'static>>(generator, "stopped"),
        of::<CheckEvent>(generator, "check"),
        of::<ScratchEvent<'static>>(generator, "scratch"),
        of::<ProbeEvent<'static>>(generator, "probe"),
        of::<ProbedEvent<'static>>(generator, "probed"),
    ]
}

/// The name and the schema of one event, with what each line has.
fn of<E: JsonSchema>(generator: &mut SchemaGenerator, name: &str) -> (String, Value) {
    let mut event = E::json_schema(generator);
    let fields = event.ensure_object();
    if let Value::Object(properties) = fields.entry("properties").or_insert(json!({})) {
        let text = |meaning| json!({"type": "string", "description": meaning});
        let common = [
            ("event", json!({"const": name, "type": "string"})),
            (
                "time",
                text("When the line was printed, in UTC: 2026-11-20T09:40:00.123Z."),
            ),
            ("repo", text("The repo that the line is about, of several.")),
            (
                "revision",
                text("The branch or tag that the line is about, of several."),
            ),
        ];
        let common = common.map(|(name, schema)| (name.to_owned(), schema));
        properties.extend(common);
    }
    if let Value::Array(required) = fields.entry("required").or_insert(json!([])) {
        required.extend(["event".into(), "time".into()]);
    }
    (name.to_owned(), event.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_name_and_its_time() {
        let schema = schema();
        let events = schema["oneOf"].as_array().unwrap();
        assert_eq!(events.len(), 49);
        for event in events {
            let name = event["$ref"]
                .as_str()
                .unwrap()
                .trim_start_matches("#/$defs/");
            let event = &schema["$defs"][name];
            assert_eq!(event["properties"]["event"]["const"], name);
            let required = event["required"].as_array().unwrap();
            assert!(
                required.contains(&"time".into()) && required.contains(&"event".into()),
                "{name}"
            );
        }
    }
}
