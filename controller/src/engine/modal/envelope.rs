//! The values of the functions: how the worker ended and what it printed.

use std::collections::BTreeMap;

use hf2ms_worker::protocol::{Event, Receipt};
use serde::Deserialize;
use serde_json::Value;

use crate::engine::job::{Ended, WorkerOutput};
use crate::engine::output::{ExitStatus, StopRequest, classify};

/// How one worker ended.
#[derive(Debug, Default, Deserialize)]
pub struct Envelope {
    /// Its exit code.
    pub exit: i32,
    /// Its events, without those of progress and single files.
    #[serde(default)]
    events: Vec<Value>,
    /// The end of its log.
    #[serde(default)]
    log: String,
}

/// The value of the finalizer.
#[derive(Debug, Deserialize)]
pub struct Finalized {
    /// Its own worker's end.
    #[serde(flatten)]
    pub own: Envelope,
    /// How the call of each chunk ended.
    pub chunks: BTreeMap<u32, ChunkEnd>,
}

/// The value of a mirror's call.
#[derive(Debug, Deserialize)]
pub struct Mirrored {
    /// How its last worker ended, and the events of both.
    #[serde(flatten)]
    pub own: Envelope,
    /// How the call of each chunk ended.
    pub chunks: BTreeMap<u32, ChunkEnd>,
    /// How the calls ended that an earlier attempt had submitted.
    #[serde(default)]
    pub before: Vec<ChunkEnd>,
}

/// How the call of a chunk ended.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum ChunkEnd {
    /// It gave no value.
    Crashed {
        /// Why.
        lost: String,
    },
    /// Its worker ended.
    Ended(Envelope),
}

impl Envelope {
    /// Everything that the worker printed.
    pub fn output(&self) -> WorkerOutput {
        let mut output = WorkerOutput::default();
        self.events().for_each(|event| output.note(event));
        output
    }

    /// Its events. One that this version does not know is passed over: the exit code and the receipt decide.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        self.events
            .iter()
            .filter_map(|event| serde_json::from_value(event.clone()).ok())
    }

    /// How the worker ended.
    pub fn ended(&self) -> Ended {
        classify(
            StopRequest::NotMade,
            &ExitStatus::exited(self.exit),
            self.output(),
            &self.log,
        )
    }
}

impl ChunkEnd {
    /// How the worker of the chunk ended.
    pub fn ended(&self) -> Ended {
        match self {
            Self::Crashed { lost } => Ended::Crashed(lost.clone(), WorkerOutput::default()),
            Self::Ended(envelope) => envelope.ended(),
        }
    }

    /// The receipt of its worker, if that ended by itself.
    pub fn receipt(&self) -> Option<Receipt> {
        match self {
            Self::Crashed { .. } => None,
            Self::Ended(envelope) => envelope.output().receipt,
        }
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::Kind;
    use hf2ms_worker::protocol::Exit;

    use super::*;

    #[test]
    fn the_value_of_the_finalizer_is_read() {
        let given = r#"{"exit":1,"events":[{"event":"committed","actions":3},{"event":"new_kind"}],"log":"",
            "chunks":{"0":{"exit":0,"events":[{"event":"receipt","run":"r","chunk":0,"files":[],"sent":7,"retries":0,"seconds":1.5}],"log":""},
                      "1":{"lost":"its container died"},"2":{"exit":3,"events":[{"event":"failed","error":"no","kind":"denied"}]}}}"#;
        let given: Finalized = serde_json::from_str(given).unwrap();
        assert_eq!((given.own.exit, given.own.output().commits.len()), (1, 1));
        let ends: Vec<Ended> = given.chunks.values().map(ChunkEnd::ended).collect();
        assert!(
            matches!(&ends[0], Ended::Finished(Exit::Done, output) if output.receipt.as_ref().unwrap().sent == 7)
        );
        assert!(matches!(&ends[1], Ended::Crashed(why, _) if why == "its container died"));
        assert_eq!(ends[2], Ended::Refused(Kind::Denied, "no".to_owned()));
    }

    #[test]
    fn the_value_of_a_mirror_is_read() {
        let receipt = r#"{"event":"receipt","run":"r","chunk":4,"files":[],"sent":7,"retries":0,"seconds":1.5}"#;
        let given = format!(
            r#"{{"exit":1,"events":[{{"event":"pushed","refs":[],"there":[{{"name":"refs/heads/a","oid":"1"}}]}},{receipt}],
            "chunks":{{"0":{{"lost":"cancelled"}}}},"before":[{{"exit":0,"events":[{receipt}]}},{{"lost":"expired"}}]}}"#
        );
        let given: Mirrored = serde_json::from_str(&given).unwrap();
        assert_eq!(given.own.output().landed.unwrap().there.len(), 1);
        let before: Vec<u64> = given
            .before
            .iter()
            .filter_map(ChunkEnd::receipt)
            .map(|receipt| receipt.sent)
            .collect();
        assert_eq!((given.chunks.len(), before), (1, vec![7]));
    }
}
