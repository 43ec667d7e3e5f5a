//! What the functions give back: how the worker ended and what it said, in one envelope.

use std::collections::BTreeMap;

use hf2ms_worker::protocol::{Event, Receipt};
use serde::Deserialize;
use serde_json::Value;

use crate::engine::job::{Ended, WorkerOutput};
use crate::engine::output::{ExitStatus, StopRequest, classify};

/// One worker's end.
#[derive(Debug, Default, Deserialize)]
pub struct Envelope {
    /// Its exit code.
    pub exit: i32,
    /// What it said, but for progress and single files.
    #[serde(default)]
    events: Vec<Value>,
    /// Its last words.
    #[serde(default)]
    log: String,
}

/// What the finalizer gives.
#[derive(Debug, Deserialize)]
pub struct Finalized {
    /// Its own worker's end.
    #[serde(flatten)]
    pub own: Envelope,
    /// What became of each chunk.
    pub chunks: BTreeMap<u32, Part>,
}

/// What a mirror's call gives.
#[derive(Debug, Deserialize)]
pub struct Mirrored {
    /// The end of its last worker, and what both said.
    #[serde(flatten)]
    pub own: Envelope,
    /// What became of each chunk.
    pub chunks: BTreeMap<u32, Part>,
    /// What became of chunks that an earlier try had given out, when this one looked.
    #[serde(default)]
    pub before: Vec<Part>,
}

/// What became of one chunk.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Part {
    /// Its call gave nothing.
    Crashed {
        /// Why.
        lost: String,
    },
    /// Its worker ended.
    Ended(Envelope),
}

impl Envelope {
    /// Everything that the worker said.
    pub fn output(&self) -> WorkerOutput {
        let mut output = WorkerOutput::default();
        self.said().for_each(|event| output.note(event));
        output
    }

    /// Its events. One that this version does not know is passed over: the exit code and the receipt decide.
    pub fn said(&self) -> impl Iterator<Item = Event> {
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

impl Part {
    /// How the chunk's worker ended.
    pub fn ended(&self) -> Ended {
        match self {
            Self::Crashed { lost } => Ended::Crashed(lost.clone(), WorkerOutput::default()),
            Self::Ended(envelope) => envelope.ended(),
        }
    }

    /// What its worker left behind, if it ended by itself.
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
    fn what_the_finalizer_gives_is_read() {
        let given = r#"{"exit":1,"events":[{"event":"committed","actions":3},{"event":"new_kind"}],"log":"",
            "chunks":{"0":{"exit":0,"events":[{"event":"receipt","run":"r","chunk":0,"files":[],"sent":7,"retries":0,"seconds":1.5}],"log":""},
                      "1":{"lost":"its container died"},"2":{"exit":3,"events":[{"event":"failed","error":"no","kind":"denied"}]}}}"#;
        let given: Finalized = serde_json::from_str(given).unwrap();
        assert_eq!((given.own.exit, given.own.output().commits.len()), (1, 1));
        let ends: Vec<Ended> = given.chunks.values().map(Part::ended).collect();
        assert!(
            matches!(&ends[0], Ended::Finished(Exit::Done, output) if output.receipt.as_ref().unwrap().sent == 7)
        );
        assert!(matches!(&ends[1], Ended::Crashed(why, _) if why == "its container died"));
        assert_eq!(ends[2], Ended::Refused(Kind::Denied, "no".to_owned()));
    }

    #[test]
    fn what_a_mirror_gives_is_read() {
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
            .filter_map(Part::receipt)
            .map(|receipt| receipt.sent)
            .collect();
        assert_eq!((given.chunks.len(), before), (1, vec![7]));
    }
}
