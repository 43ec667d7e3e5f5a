//! `hf2ms logs`: the logs of a run's workers.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::args::workers::EngineKind;
use crate::engine::modal::{Follow, Modal, explain};
use crate::engine::remote::app::noted_app;
use crate::runs::batches::RunOrBatch;
use crate::runs::{RunRecord, Runs};
use crate::settings::{self, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// The pause between two reads of the log files.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Show what the workers of a run said
///
/// On modal these are the containers' own lines, kept there for about a day; elsewhere the files in the run's folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The id of a run or a batch, the end of it, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Go on until the run has ended
    #[arg(long, short)]
    follow: bool,
    /// Print one line of JSON a line
    #[arg(long)]
    pub json: bool,
}

/// Prints the logs.
///
/// # Errors
/// There is no such run; Modal can't be reached.
pub async fn run(args: &Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let runs = Runs::new(&state_dir(&environment)?);
    let follow = if args.follow { Follow::Yes } else { Follow::No };
    match runs.find_any(&args.run)? {
        RunOrBatch::Run(record) if record.on == EngineKind::Modal => {
            // The calls of all revisions are those of their first run.
            let record = runs.first_of(&record);
            stop.unless(of_the_cloud(&record, &runs, follow, screen))
                .await?;
        }
        RunOrBatch::Run(record) => {
            let one = || vec![(record.id.clone(), screen.clone())];
            stop.unless(of_files(&record.id, one, &runs, follow))
                .await?;
        }
        RunOrBatch::Batch(batch) => {
            let all = || {
                let of_batch = runs.runs_of(&batch.id).into_iter();
                of_batch
                    .map(|run| (run.id, screen.of_repo(run.source.id.as_str())))
                    .collect()
            };
            stop.unless(of_files(&batch.id, all, &runs, follow)).await?;
        }
    }
    Ok(Exit::Done)
}

async fn of_the_cloud(
    record: &RunRecord,
    runs: &Runs,
    follow: Follow,
    screen: &Screen,
) -> CliResult<()> {
    let nowhere = || {
        CliError::usage(format!(
            "run {0} never reached Modal, so that it has no logs there: see hf2ms status {0}",
            record.id
        ))
    };
    let (app, _) = noted_app(&runs.journal(&record.id)).ok_or_else(nowhere)?;
    let log = runs.path(&record.id).join("logs").join("bridge.log");
    let modal = Modal::open(&state_dir(&environment)?, &log, &settings::load()?).await?;
    let heard = |line: Value| {
        screen.json(&LogEvent::of_container(&line));
        screen.print(log_line(&line));
    };
    modal
        .logs(&app, &record.id, follow, heard)
        .await
        .map_err(|trouble| explain(&trouble))
}

/// A line that a worker logged, or an event that it printed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "log")]
pub struct LogEvent {
    /// The worker: its log's name, or `chunk N` of a container.
    worker: String,
    /// The line of its log.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    /// An event of the worker protocol, of a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<Value>,
}

impl LogEvent {
    fn of_container(line: &Value) -> Self {
        let log = logged(line).map(ToOwned::to_owned);
        Self {
            worker: line["chunk"]
                .as_u64()
                .map_or_else(|| "last".to_owned(), |chunk| format!("chunk {chunk}")),
            said: log.is_none().then(|| line.clone()),
            log,
        }
    }
}

/// The words of a container's line; nothing of one that is an event.
fn logged(line: &Value) -> Option<&str> {
    line["log"].as_str().or(line["text"].as_str())
}

/// `chunk 3: event started, files 2`.
fn log_line(line: &Value) -> String {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned)
    };
    let who = line["chunk"]
        .as_u64()
        .map(|chunk| format!("chunk {chunk}: "))
        .unwrap_or_default();
    if let Some(said) = logged(line) {
        return format!("{who}{said}");
    }
    let fields = line
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !["run", "chunk", "event"].contains(&name.as_str()));
    let fields: Vec<String> = fields
        .map(|(name, value)| format!("{name} {}", text(value)))
        .collect();
    format!(
        "{who}{} {}",
        line["event"].as_str().unwrap_or_default(),
        fields.join(", ")
    )
}

/// Prints the log files of runs, each on its screen, until the process that works on `id` has ended.
async fn of_files(
    id: &str,
    all: impl Fn() -> Vec<(String, Screen)>,
    runs: &Runs,
    follow: Follow,
) -> CliResult<()> {
    let mut read: Vec<(PathBuf, u64)> = Vec::new();
    loop {
        let runs_on = runs.is_alive(id);
        for (run, screen) in all() {
            show_more(&runs.path(&run).join("logs"), &mut read, &screen)?;
        }
        if follow == Follow::No || !runs_on {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Prints what was appended to each file since the last read.
fn show_more(folder: &Path, read: &mut Vec<(PathBuf, u64)>, screen: &Screen) -> CliResult<()> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort_unstable();
    for path in files {
        let at = read
            .iter()
            .position(|(known, _)| *known == path)
            .unwrap_or_else(|| {
                read.push((path.clone(), 0));
                read.len() - 1
            });
        let text =
            rest(&path, &mut read[at].1).map_err(|error| CliError::state_file(&path, &error))?;
        let worker = path
            .file_stem()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let of = screen
            .part()
            .map_or(String::new(), |part| format!("{part}: "));
        for line in text.lines() {
            screen.json(&LogEvent {
                worker: worker.clone(),
                log: Some(line.to_owned()),
                said: None,
            });
            screen.print(format!("{of}{worker}: {line}"));
        }
    }
    Ok(())
}

/// The whole lines from `offset` on; moves `offset` behind them.
fn rest(path: &Path, offset: &mut u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(*offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    bytes.truncate(whole);
    *offset += whole as u64;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_container_is_put_into_words() {
        let words = |json: &str| log_line(&serde_json::from_str(json).unwrap());
        assert_eq!(
            words(r#"{"run":"r","chunk":3,"log":"hello"}"#),
            "chunk 3: hello"
        );
        assert_eq!(
            words(r#"{"run":"r","chunk":3,"event":"progress","bytes":7,"files":1}"#),
            "chunk 3: progress bytes 7, files 1"
        );
    }

    #[test]
    fn a_line_is_shown_once_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut offset) = (folder.path().join("run-0000.log"), 0);
        fs::write(&path, "one\ntw").unwrap();
        assert_eq!(rest(&path, &mut offset).unwrap(), "one\n");
        fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(rest(&path, &mut offset).unwrap(), "two\n");
    }
}
