//! What a tool answers: the lines of JSON of a process, shortened so that an assistant can read them.

use hf2ms_worker::protocol::Exit;
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

/// Lines that an answer holds at most.
const MOST_EVENTS: usize = 200;
/// Entries of a list that an answer holds at most.
const MOST_ENTRIES: usize = 50;
/// The fields of a status that are reports of runs.
const REPORTS: [&str; 4] = ["report", "mirror_report", "removal_report", "verification"];
/// Lines that say only that the work goes on.
const OMITTED: [&str; 5] = ["start", "progress", "streams", "workers", "retry"];

/// How far a process is.
#[derive(Debug, PartialEq)]
pub struct StepProgress {
    /// Bytes, or what the step counts.
    pub done: f64,
    /// All of them.
    pub total: f64,
    /// What is done.
    pub step: String,
}

/// The lines of one process.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    run: Option<String>,
    exit: Option<i32>,
    is_over: bool,
    events: Vec<Value>,
    /// Lines that are kept of the first; else the last are kept.
    first: Option<usize>,
    left_out: usize,
    complaint: Option<String>,
}

impl Answer {
    /// One that holds so many of the first lines.
    pub fn of_first(most: usize) -> Self {
        Self {
            first: Some(most.min(MOST_EVENTS)),
            ..Self::default()
        }
    }

    /// Takes one line.
    pub fn take(&mut self, event: Value, listener: &dyn Fn(StepProgress)) {
        if let Some(progress) = progress_of(&event) {
            listener(progress);
        }
        let name = event["event"].as_str().unwrap_or_default();
        if name == "start" {
            self.run = event["run"].as_str().map(ToOwned::to_owned);
        }
        if OMITTED.contains(&name) {
            return;
        }
        if self.first.is_some_and(|most| self.events.len() == most) {
            self.left_out += 1;
            return;
        }
        if self.events.len() == MOST_EVENTS {
            self.events.remove(0);
            self.left_out += 1;
        }
        self.events.push(shortened(event));
    }

    /// The process has ended with this exit code, or by a signal, and printed this as text.
    pub fn ended(&mut self, exit: Option<i32>, printed: &str) {
        (self.exit, self.is_over) = (exit, true);
        let has_said = self.has_error();
        if exit != Some(0) && !has_said && !printed.trim().is_empty() {
            self.complaint = Some(printed.trim().to_owned());
        }
    }

    /// The last line: each line tells all that the one before did.
    pub fn last_only(mut self) -> Self {
        self.events = self.events.pop().into_iter().collect();
        self.left_out = 0;
        self
    }

    /// The report in the status of a run that has ended. That of all branches and tags comes before it, where the run is the first of
    /// them. The exit code is left out: it is that of the question.
    ///
    /// # Errors
    /// There is none yet.
    pub fn report(self) -> Result<Self, String> {
        let status = self.events.iter().rfind(|event| event["event"] == "status");
        let Some(status) = status else {
            return Ok(self);
        };
        let revisions = &status["revisions"];
        if revisions.is_object() && revisions["exit"].is_null() {
            return Err(
                "there is no report: not all branches and tags are known to be written; ask for its status".to_owned(),
            );
        }
        let report = REPORTS.iter().map(|name| &status[*name]);
        let reports = [revisions]
            .into_iter()
            .chain(report)
            .filter(|one| one.is_object());
        let reports: Vec<Value> = reports.cloned().collect();
        if !reports.is_empty() {
            let (events, exit) = (reports, None);
            return Ok(Self {
                events,
                exit,
                ..self
            });
        }
        let state = &status["record"]["state"];
        Err(format!(
            "there is no report: the run is {}; ask for its status",
            state.as_str().unwrap_or("not known")
        ))
    }

    /// Whether the command refused what was asked as one that does not fit, such as the id of a run that is not there.
    pub fn is_misuse(&self) -> bool {
        self.exit == Some(Exit::Usage as i32)
    }

    /// Whether the process has ended.
    pub fn has_ended(&self) -> bool {
        self.is_over
    }

    fn has_error(&self) -> bool {
        self.events.iter().any(|event| event["event"] == "error")
    }

    /// The id of the run that it has announced.
    pub fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// Says what else has to be known.
    pub fn say(&mut self, line: &str) {
        self.complaint.get_or_insert_with(|| line.to_owned());
    }

    /// As the protocol has it. A command that failed in part has done something: only a refusal is a failure of the tool.
    pub fn into_result(self) -> CallToolResult {
        let has_error = self.has_error();
        let mut fields = Map::new();
        if let Some(run) = &self.run {
            fields.insert("run".to_owned(), json!(run));
        }
        if let Some(exit) = self.exit {
            fields.insert("exit".to_owned(), json!(exit));
            fields.insert("meaning".to_owned(), json!(meaning(exit)));
        }
        fields.insert("events".to_owned(), Value::Array(self.events));
        if self.left_out > 0 {
            fields.insert("events_left_out".to_owned(), json!(self.left_out));
        }
        if let Some(complaint) = self.complaint {
            fields.insert("message".to_owned(), json!(complaint));
        }
        let fields = Value::Object(fields);
        let has_failed = self.exit.is_some_and(|exit| !is_done(exit, has_error));
        if has_failed {
            CallToolResult::error(vec![ContentBlock::text(fields.to_string())])
        } else {
            CallToolResult::structured(fields)
        }
    }
}

/// Whether something was done. After an error, an exit code of 1 says that the command could not be done now.
fn is_done(exit: i32, has_error: bool) -> bool {
    exit == Exit::Done as i32 || (exit == Exit::Incomplete as i32 && !has_error)
}

/// What an exit code says.
fn meaning(exit: i32) -> &'static str {
    const CODES: [(Exit, &str); 6] = [
        (Exit::Done, "done"),
        (Exit::Incomplete, "not all is done, or not all is equal"),
        (Exit::Usage, "the arguments do not fit"),
        (Exit::Refused, "refused: token, permission, not found, cost"),
        (Exit::Integrity, "content is not what it should be"),
        (Exit::Interrupted, "stopped, or not confirmed"),
    ];
    let known = CODES.iter().find(|(code, _)| exit == *code as i32);
    known.map_or("unknown", |(_, words)| words)
}

/// How far the work is by this line: of a verb's own work, or of another process's.
fn progress_of(event: &Value) -> Option<StepProgress> {
    let numbers = match event["event"].as_str()? {
        "progress" => event,
        "status" => event.get("progress")?,
        _ => return None,
    };
    let of = |bytes: &str, count: &str| {
        let bytes = numbers[bytes].as_f64().filter(|bytes| *bytes > 0.0);
        bytes.or_else(|| numbers[count].as_f64())
    };
    Some(StepProgress {
        done: of("done_bytes", "done").unwrap_or_default(),
        total: of("total_bytes", "total")?,
        step: numbers["step"].as_str().unwrap_or("working").to_owned(),
    })
}

/// The same with the first entries of long lists.
fn shortened(value: Value) -> Value {
    match value {
        Value::Array(mut entries) => {
            let more = entries.len().saturating_sub(MOST_ENTRIES);
            entries.truncate(MOST_ENTRIES);
            let mut entries: Vec<Value> = entries.into_iter().map(shortened).collect();
            if more > 0 {
                entries.push(json!(format!("and {more} more")));
            }
            Value::Array(entries)
        }
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name, shortened(value)))
                .collect(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(events: impl IntoIterator<Item = Value>) -> Answer {
        let mut answer = Answer::default();
        events
            .into_iter()
            .for_each(|event| answer.take(event, &|_| ()));
        answer
    }

    #[test]
    fn a_long_list_and_many_lines_are_cut_and_that_is_told() {
        let long = json!({"event": "verified", "missing": vec!["x"; 1_000]});
        let many = (0..300).map(|n| json!({"event": "file", "n": n}));
        let mut answer = answer(many.chain([long]));
        answer.ended(Some(0), "");
        let told = answer.into_result().structured_content.unwrap();
        assert_eq!(told["events_left_out"], 101);
        let events = told["events"].as_array().unwrap();
        let missing = events.last().unwrap()["missing"].as_array().unwrap();
        assert_eq!(
            (events.len(), missing.len()),
            (MOST_EVENTS, MOST_ENTRIES + 1)
        );
        assert_eq!(missing.last().unwrap(), "and 950 more");
    }

    #[test]
    fn the_first_lines_are_kept_where_the_first_are_the_newest() {
        let mut answer = Answer::of_first(20);
        (0..300).for_each(|n| answer.take(json!({"event": "run", "n": n}), &|_| ()));
        let told = answer.into_result().structured_content.unwrap();
        assert_eq!(
            (&told["events"][0]["n"], &told["events"][19]["n"]),
            (&json!(0), &json!(19))
        );
        assert_eq!(told["events_left_out"], 280);
    }

    #[test]
    fn only_a_refusal_is_a_failure_and_it_has_words() {
        for (exit, failed) in [
            (0, false),
            (1, false),
            (2, true),
            (3, true),
            (4, true),
            (130, true),
        ] {
            let mut answer = answer([json!({"event": "start", "run": "01X"})]);
            answer.ended(Some(exit), " what happened\n");
            let result = answer.into_result();
            assert_eq!(result.is_error, Some(failed), "{exit}");
            let text = serde_json::to_string(&result).unwrap();
            assert_eq!(text.contains("what happened"), exit != 0, "{text}");
            assert!(text.contains("01X") && !text.contains("unknown"), "{text}");
        }
    }

    #[test]
    fn progress_is_that_of_this_or_another_process() {
        let of = |event: Value| progress_of(&event).map(|progress| (progress.done, progress.total));
        let bytes = json!({"event": "progress", "step": "copying", "done": 1, "total": 2, "done_bytes": 10, "total_bytes": 20});
        assert_eq!(of(bytes.clone()), Some((10.0, 20.0)));
        assert_eq!(
            of(json!({"event": "status", "progress": bytes})),
            Some((10.0, 20.0))
        );
        let files =
            json!({"event": "progress", "done": 1, "total": 2, "done_bytes": 0, "total_bytes": 0});
        assert_eq!(of(files), Some((1.0, 2.0)));
        assert_eq!(of(json!({"event": "status", "progress": null})), None);
        assert_eq!(of(json!({"event": "report"})), None);
    }

    #[test]
    fn a_run_that_has_not_ended_has_no_report() {
        let running = json!({"event": "status", "record": {"state": "running"}, "report": null});
        assert!(
            answer([running])
                .report()
                .unwrap_err()
                .contains("is running")
        );
        let ended =
            json!({"event": "status", "record": {"state": "done"}, "report": {"state": "done"}});
        let report = answer([ended]).report().unwrap();
        assert_eq!(report.events, [json!({"state": "done"})]);
    }

    #[test]
    fn a_run_of_all_revisions_has_their_report_before_its_own() {
        let of = |revisions: Value| {
            let report = json!({"state": "done"});
            let status = json!({"event": "status", "report": report, "revisions": revisions});
            answer([status]).report()
        };
        let failed = json!({"exit": 1, "revisions": [{"source": "dev", "state": "failed"}]});
        let told = of(failed.clone()).unwrap();
        assert_eq!(told.events, [failed, json!({"state": "done"})]);
        let open = of(json!({"exit": null, "revisions": []})).unwrap_err();
        assert!(open.contains("not all branches and tags"), "{open}");
    }
}
