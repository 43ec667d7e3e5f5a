//! Modal as an engine: a call a job, waited for from here. For all revisions of a repo, each of which is written after the one before it and
//! then gets its names from here; anything else is submitted at once ([`crate::engine::remote`]).

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hf2ms_hub::Kind;
use serde_json::{Value, json};

use super::bridge::BridgeError;
use super::{CallState, CancelMode, Envelope, Function, Modal, explain};
use crate::engine::job::{Ended, Job, Verb, WorkerOutput};
use crate::engine::{Engine, Listener, Network};
use crate::stop::Stop;

/// Seconds until Modal is asked again when it did not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Calls in Modal's cloud that someone here waits for.
pub struct ModalEngine {
    modal: Arc<Modal>,
    app: String,
    workers: usize,
    stop: Stop,
}

impl ModalEngine {
    /// Calls of an app that is deployed.
    pub fn new(modal: Arc<Modal>, app: String, workers: usize, stop: Stop) -> Self {
        Self {
            modal,
            app,
            workers,
            stop,
        }
    }

    async fn call(&self, job: &Job, listener: Listener<'_>) -> Ended {
        if self.stop.is_asked() {
            return Ended::Stopped(WorkerOutput::default());
        }
        let body: Value = serde_json::from_str(&job.json).unwrap_or_default();
        let (function, body) = match job.verb {
            Verb::Run => (Function::RunChunk, body),
            Verb::Finalize => (Function::Finalize, finalizing(body)),
            verb => {
                return Ended::Refused(
                    Kind::Invalid,
                    format!("no call on Modal does {}", verb.name()),
                );
            }
        };
        match self.modal.submit(&self.app, function, body).await {
            Ok(call) => self.see_through(&call, listener).await,
            Err(trouble) => lost(&trouble),
        }
    }

    async fn see_through(&self, call: &str, listener: Listener<'_>) -> Ended {
        loop {
            let standing = tokio::select! {
                () = self.stop.asked() => {
                    // What can't be cancelled ends by itself, and nothing of it is committed.
                    let _ = self.modal.cancel(call, CancelMode::Immediate).await;
                    return Ended::Stopped(WorkerOutput::default());
                }
                standing = self.modal.wait(call) => standing,
            };
            match standing {
                Ok(CallState::Pending) => (),
                Ok(CallState::Done { result }) => return ended(result, listener),
                Ok(CallState::Failed { error }) => {
                    return Ended::Crashed(error, WorkerOutput::default());
                }
                Ok(CallState::Expired | CallState::Cancelled) => {
                    return Ended::Crashed(
                        "its call was cancelled".to_owned(),
                        WorkerOutput::default(),
                    );
                }
                Err(trouble) if trouble.may_pass() => tokio::time::sleep(PATIENCE).await,
                Err(trouble) => return lost(&trouble),
            }
        }
    }
}

/// The chunks have ended, and their receipts are in the job. Modal starts a finalizer anew that was preempted: it looks at what
/// the one before has written.
fn finalizing(mut job: Value) -> Value {
    job["look"] = true.into();
    json!({"calls": {}, "job": job})
}

fn ended(result: Value, listener: Listener<'_>) -> Ended {
    match serde_json::from_value::<Envelope>(result) {
        Ok(envelope) => {
            envelope.said().for_each(|event| listener(&event));
            envelope.ended()
        }
        Err(error) => Ended::Crashed(
            format!("its call gave what nobody expects: {error}"),
            WorkerOutput::default(),
        ),
    }
}

fn lost(trouble: &BridgeError) -> Ended {
    let why = explain(trouble).to_string();
    if trouble.may_pass() {
        Ended::Crashed(why, WorkerOutput::default())
    } else {
        Ended::Refused(Kind::Refused, why)
    }
}

impl Engine for ModalEngine {
    fn workers(&self) -> usize {
        self.workers
    }

    fn network(&self) -> Network {
        Network::OfEachWorker
    }

    fn work<'a>(&'a self, job: &'a Job, listener: Listener<'a>) -> BoxFuture<'a, Ended> {
        self.call(job, listener).boxed()
    }
}
