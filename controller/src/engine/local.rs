//! Workers as processes on this machine. The job goes in as the first line of stdin, which then stays open ([`super::lifeline`]): its
//! end tells the worker that the controller has ended, or asks it to stop. Tokens are passed by environment only.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{self, Stdio};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hf2ms_hub::Kind;
use hf2ms_worker::settings::NETWORK;
use tokio::process::{Child, ChildStdin, Command};

use super::job::{Ended, WorkerJob, WorkerOutput};
use super::lifeline::{self, WorkerInput};
use super::output::{ExitStatus, GRACE, StopRequest, classify, keep_log, read_events};
use super::{Engine, Listener, Network};
use crate::binaries::not_started;
use crate::platform::{System, own_group, places, signal};
use crate::settings::{OF_MACHINE, PASSED_ON, Settings};
use crate::stop::Stop;

/// Workers as processes on this machine.
pub struct Local {
    /// The worker's program.
    pub binary: PathBuf,
    /// Processes at a time.
    pub workers: usize,
    /// Where their logs go, if they are kept.
    pub logs: Option<PathBuf>,
    /// The tokens they get, and that no log keeps.
    pub settings: Settings,
    /// When to stop.
    pub stop: Stop,
}

impl Engine for Local {
    fn workers(&self) -> usize {
        self.workers
    }

    fn network(&self) -> Network {
        Network::OfThisMachine
    }

    fn work<'a>(&'a self, job: &'a WorkerJob, listener: Listener<'a>) -> BoxFuture<'a, Ended> {
        self.process(job, listener).boxed()
    }
}

impl Local {
    async fn process(&self, job: &WorkerJob, listener: Listener<'_>) -> Ended {
        if self.stop.is_asked() {
            return Ended::Stopped(WorkerOutput::default());
        }
        let mut child = match self.spawn(job) {
            Ok(child) => child,
            Err(error) => {
                return Ended::Refused(Kind::Usage, not_started(&self.binary, &error));
            }
        };
        let log = child
            .stderr
            .take()
            .map(|stderr| tokio::spawn(keep_log(stderr, self.log(job), self.settings.redactor())));
        let mut output = WorkerOutput::default();
        let status = self.converse(&mut child, job, &mut output, listener).await;
        let last_log_line = match log {
            Some(log) => log.await.unwrap_or_default(),
            None => String::new(),
        };
        let asked = if self.stop.is_asked() {
            StopRequest::Made
        } else {
            StopRequest::NotMade
        };
        classify(asked, &exit_status(status), output, &last_log_line)
    }

    fn spawn(&self, job: &WorkerJob) -> std::io::Result<Child> {
        let mut command = Command::new(&self.binary);
        command
            .args([job.verb.name(), "--attached"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.env_clear().envs(of_process());
        command.envs(self.settings.endpoint_variables());
        for (name, token) in self.settings.token_variables() {
            if let Some(token) = token {
                command.env(name, token.expose());
            }
        }
        // A group of its own: Ctrl-C reaches the controller alone, which then asks its workers in order.
        own_group(&mut command).kill_on_drop(true).spawn()
    }

    fn log(&self, job: &WorkerJob) -> Option<PathBuf> {
        Some(self.logs.as_ref()?.join(format!("{}.log", job.label())))
    }

    /// Waits until the worker has ended: by itself, on request, or killed after the grace period. After its receipt the
    /// standard input is closed, so that the worker does not wait for more.
    async fn converse(
        &self,
        child: &mut Child,
        job: &WorkerJob,
        output: &mut WorkerOutput,
        listener: Listener<'_>,
    ) -> std::io::Result<process::ExitStatus> {
        let mut stdin = child.stdin.take();
        if let Some(stdout) = child.stdout.take() {
            tokio::select! {
                () = read_events(stdout, output, listener, &self.settings) => (),
                () = self.feed(&mut stdin, job) => (),
            }
        }
        drop(stdin);
        match tokio::time::timeout(GRACE, child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                child.start_kill()?;
                child.wait().await
            }
        }
    }

    /// Writes the job, keeps the standard input open until a stop is asked for, and returns after the grace period.
    async fn feed(&self, stdin: &mut Option<ChildStdin>, job: &WorkerJob) {
        if let Some(stdin) = stdin {
            let http = self.settings.http();
            let told = WorkerInput {
                lines: &format!("{}\n", job.json),
                at_work: job.at_work.as_ref(),
            };
            lifeline::feed(stdin, told, &http, &self.stop).await;
        }
        self.stop.asked().await;
        stdin.take();
        tokio::time::sleep(GRACE).await;
    }
}

/// What a worker gets of this process's variables: the machine's, the network's, and how patient to be.
fn of_process() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = OF_MACHINE
        .iter()
        .chain(places::variables(System::THIS))
        .chain(&PASSED_ON)
        .chain(&NETWORK);
    names.filter_map(|name| Some((*name, std::env::var_os(name)?)))
}

fn exit_status(status: std::io::Result<process::ExitStatus>) -> ExitStatus {
    match status {
        Ok(status) => match (status.code(), signal(status)) {
            (Some(code), _) => ExitStatus::exited(code),
            (None, signal) => ExitStatus::killed(signal.unwrap_or_default()),
        },
        Err(error) => ExitStatus::unseen(error.to_string()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use hf2ms_worker::protocol::{Event, Exit};

    use super::*;
    use crate::engine::job::WorkerCommand;

    const TOKEN: &str = "ms-canary-token";

    /// A local engine whose worker is this shell script.
    pub(crate) fn scripted(folder: &Path, script: &str) -> Local {
        let binary = folder.join("worker");
        std::fs::write(&binary, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
        let settings =
            Settings::read(&|name| (name == "MODELSCOPE_TOKEN").then(|| TOKEN.to_owned())).unwrap();
        Local {
            binary,
            workers: 2,
            logs: Some(folder.to_owned()),
            settings,
            stop: Stop::default(),
        }
    }

    fn job() -> WorkerJob {
        WorkerJob {
            verb: WorkerCommand::Run,
            number: 3,
            json: "{\"x\":1}".to_owned(),
            at_work: None,
        }
    }

    const RECEIPT: &str = r#"{"event":"receipt","run":"r","chunk":3,"files":[],"failed":[],"sent":7,"retries":0,"seconds":0.1}"#;

    async fn ended(script: &str) -> (Ended, String) {
        let folder = tempfile::tempdir().unwrap();
        let ended = scripted(folder.path(), script).work(&job(), &|_| ()).await;
        (
            ended,
            std::fs::read_to_string(folder.path().join("run-0003.log")).unwrap_or_default(),
        )
    }

    #[tokio::test]
    async fn a_worker_gets_its_job_and_its_receipt_is_taken() {
        let script = format!(
            "read job; test \"$job\" = '{{\"x\":1}}' || exit 9; test \"$1 $2\" = 'run --attached' || exit 8; echo '{RECEIPT}'"
        );
        let (ended, _) = ended(&script).await;
        let Ended::Finished(Exit::Done, output) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(output.receipt.unwrap().sent, 7);
    }

    #[tokio::test]
    async fn a_killed_worker_has_crashed_and_its_files_are_kept() {
        let file = format!(
            r#"{{"event":"file","path":"a","bytes":1,"sha256":"{}","how":"streamed"}}"#,
            "0".repeat(64)
        );
        let (ended, _) = ended(&format!(
            "read job; echo '{file}'; echo last words >&2; kill -9 $$"
        ))
        .await;
        let Ended::Crashed(why, output) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(
            (why.as_str(), output.files.len()),
            ("killed by signal 9: last words", 1)
        );
    }

    #[tokio::test]
    async fn an_error_that_any_worker_would_meet_refuses_the_job() {
        let failed =
            r#"{"event":"failed","error":"MODELSCOPE_TOKEN is wrong","kind":"unauthorized"}"#;
        let (ended, _) = ended(&format!("read job; echo '{failed}'; exit 3")).await;
        assert_eq!(
            ended,
            Ended::Refused(Kind::Unauthorized, "MODELSCOPE_TOKEN is wrong".to_owned())
        );
    }

    #[tokio::test]
    async fn logs_hold_no_token() {
        let (_, log) = ended("read job; echo \"token $MODELSCOPE_TOKEN\" >&2; exit 1").await;
        assert_eq!(log, "token ***\n");
    }

    #[tokio::test]
    async fn a_token_that_is_a_word_of_the_protocol_changes_no_event() {
        for token in ["files", "receipt", "7"] {
            let folder = tempfile::tempdir().unwrap();
            let mut engine = scripted(folder.path(), &format!("read job; echo '{RECEIPT}'"));
            engine.settings =
                Settings::read(&|name| (name == "HF_TOKEN").then(|| token.to_owned())).unwrap();
            let ended = engine.work(&job(), &|_| ()).await;
            let Ended::Finished(Exit::Done, output) = ended else {
                panic!("{token}: {ended:?}")
            };
            assert_eq!(output.receipt.unwrap().sent, 7, "{token}");
        }
    }

    #[tokio::test]
    async fn a_worker_gets_the_variables_that_it_needs_and_no_others() {
        let (_, log) = ended("read job; env | cut -d= -f1 >&2; exit 1").await;
        let names: Vec<&str> = log.lines().collect();
        for name in ["PATH", "MODELSCOPE_TOKEN", "MODELSCOPE_ENDPOINT"] {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
        // Cargo sets this one for tests.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some() && !names.contains(&"CARGO_PKG_NAME"));
    }

    #[tokio::test]
    async fn a_worker_that_waits_for_its_input_to_close_is_not_waited_for() {
        let (ended, _) = ended(&format!("read job; echo '{RECEIPT}'; cat")).await;
        assert!(matches!(ended, Ended::Finished(Exit::Done, _)), "{ended:?}");
    }

    #[tokio::test]
    async fn the_wait_that_one_worker_met_is_told_to_the_others_and_heard_of_once() {
        let folder = tempfile::tempdir().unwrap();
        let limited = r#"{"event":"rate_limited","host":"h","seconds":90}"#;
        let script =
            format!("read job; echo '{limited}'; read wait; echo \"$wait\" >&2; echo '{RECEIPT}'");
        let engine = scripted(folder.path(), &script);
        let heard = std::sync::Mutex::new(Vec::new());
        let listener = |event: &Event| heard.lock().unwrap().push(event.clone());
        let jobs = [3, 4].map(|number| WorkerJob { number, ..job() });
        let ended =
            futures_util::future::join_all(jobs.iter().map(|job| engine.work(job, &listener)));
        for ended in ended.await {
            assert!(matches!(ended, Ended::Finished(Exit::Done, _)), "{ended:?}");
        }
        for number in [3, 4] {
            let log = folder.path().join(format!("run-000{number}.log"));
            let log = std::fs::read_to_string(log).unwrap();
            assert!(
                log.starts_with(r#"{"rate_limited":{"host":"h","seconds":8"#),
                "{log}"
            );
        }
        let heard = heard.into_inner().unwrap();
        let waits = heard
            .iter()
            .filter(|event| matches!(event, Event::RateLimited(_)));
        assert_eq!(waits.count(), 1, "{heard:?}");
    }

    #[tokio::test]
    async fn stopping_closes_the_input_and_takes_the_receipt_so_far() {
        let folder = tempfile::tempdir().unwrap();
        let engine = scripted(
            folder.path(),
            &format!(
                "read job; echo '{{\"event\":\"progress\",\"bytes\":1,\"files\":0}}'; cat; echo '{RECEIPT}'"
            ),
        );
        let stop = engine.stop.clone();
        let ended = engine.work(&job(), &|_| stop.ask()).await;
        let Ended::Stopped(output) = ended else {
            panic!("{ended:?}")
        };
        assert!(output.receipt.is_some());
    }
}
