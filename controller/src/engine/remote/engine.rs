//! Modal as an engine: each job is a call that this process waits for. It is for files that are read and hashed; a copy submits its
//! calls at once ([`crate::engine::remote`]).

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hf2ms_hub::Kind;
use serde_json::Value;

use super::app::DeployedApp;
use crate::engine::job::{Ended, WorkerCommand, WorkerJob, WorkerOutput};
use crate::engine::modal::bridge::BridgeError;
use crate::engine::modal::{CallEnd, CancelMode, Envelope, Function, explain};
use crate::engine::{Engine, Listener, Network};
use crate::stop::Stop;

/// An app on Modal that is given one job after the other.
pub struct ModalEngine {
    app: DeployedApp,
    workers: usize,
    stop: Stop,
}

impl ModalEngine {
    /// The engine of an app with so many workers at a time.
    pub fn new(app: DeployedApp, workers: usize, stop: Stop) -> Self {
        Self { app, workers, stop }
    }

    async fn call(&self, job: &WorkerJob, listener: Listener<'_>) -> Ended {
        if self.stop.is_asked() {
            return Ended::Stopped(WorkerOutput::default());
        }
        if job.verb != WorkerCommand::Run {
            let line = format!("no call on Modal does {} alone", job.verb.name());
            return Ended::Refused(Kind::Invalid, line);
        }
        let body: Value = serde_json::from_str(&job.json).unwrap_or_default();
        let (app, function) = (self.app.name(), Function::RunChunk);
        match self.app.modal.submit(app, function, body).await {
            Ok(call) => self.wait(&call, listener).await,
            Err(error) => failed(&error),
        }
    }

    async fn wait(&self, call: &str, listener: Listener<'_>) -> Ended {
        let end = tokio::select! {
            () = self.stop.asked() => {
                // A call that can't be cancelled ends by itself, and nothing of it is committed.
                let _ = self.app.modal.cancel(call, CancelMode::Immediate).await;
                return Ended::Stopped(WorkerOutput::default());
            }
            end = self.app.modal.poll_until_ended(call, |_| ()) => end,
        };
        let crashed = |why| Ended::Crashed(why, WorkerOutput::default());
        match end {
            Ok(CallEnd::Done(result)) => ended(result, listener),
            Ok(CallEnd::Failed(error)) => crashed(error),
            Ok(CallEnd::Expired | CallEnd::Cancelled) => {
                crashed("its call was cancelled".to_owned())
            }
            Err(error) => failed(&error),
        }
    }
}

fn ended(result: Value, listener: Listener<'_>) -> Ended {
    match serde_json::from_value::<Envelope>(result) {
        Ok(envelope) => {
            envelope.events().for_each(|event| listener(&event));
            envelope.ended()
        }
        Err(error) => Ended::Crashed(
            format!("its call gave what nobody expects: {error}"),
            WorkerOutput::default(),
        ),
    }
}

fn failed(error: &BridgeError) -> Ended {
    let why = explain(error).to_string();
    if error.may_pass() {
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

    fn work<'a>(&'a self, job: &'a WorkerJob, listener: Listener<'a>) -> BoxFuture<'a, Ended> {
        self.call(job, listener).boxed()
    }
}
