//! The formats that workers, engines and runs share: any input is read or refused, what was written is read again, and a field of a
//! later version is passed over.

#![allow(clippy::unwrap_used, missing_docs)]

use hf2ms_hub::{Digest, File, GitSha1, Listed, Listing, Placement, RepoAt, Sha256, Visibility};
use hf2ms_worker::plan::{DigestCache, MaxDelete, Plan, PlanRequest};
use hf2ms_worker::protocol::{
    Chunk, Chunking, Creation, Event, FailedFile, How, Memory, Receipt, Stored, WorkerOptions,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A file by its path, its size, the number of its content, and whether its hub tells a SHA-256.
type AnyFile = (String, u64, u8, bool);

fn any_file() -> impl Strategy<Value = AnyFile> {
    (
        "[a-d]{1,2}/[^/\\\\\\x00-\\x1f:.~]{1,12}[.]bin",
        any::<u64>(),
        any::<u8>(),
        any::<bool>(),
    )
}

fn any_files() -> impl Strategy<Value = Vec<AnyFile>> {
    proptest::collection::vec(any_file(), 0..12)
}

/// The files whose paths are lawful, each path once.
fn listing(files: &[AnyFile]) -> Listing {
    let mut listed: Vec<Listed> = files
        .iter()
        .filter_map(|(path, size, content, lfs)| {
            let digest = match lfs {
                true => Digest::Sha256(Sha256::of(&[*content])),
                false => Digest::GitSha1(GitSha1::of(&[*content])),
            };
            let (path, size) = (path.parse().ok()?, *size >> 20);
            Some(Listed {
                file: File { path, size, digest },
                lfs: *lfs,
            })
        })
        .collect();
    listed.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    listed.dedup_by(|a, b| a.file.path == b.file.path);
    Listing {
        files: listed,
        ..Listing::default()
    }
}

fn at(hub: &str, revision: &str) -> RepoAt {
    let at = json!({"hub": hub, "endpoint": "http://h", "kind": "model", "id": "org/name", "revision": revision});
    serde_json::from_value(at).unwrap()
}

fn plan(source: &[AnyFile], destination: &[AnyFile]) -> Plan {
    let creation = Creation {
        visibility: Visibility::Private,
        exists: true,
        sdk: None,
        gate: None,
    };
    let request = PlanRequest {
        source: at("huggingface", &"a".repeat(40)),
        asked: "main".parse().unwrap(),
        destination: at("modelscope", "master"),
        creation,
        chunking: Chunking::Even { containers: 3 },
        prune: Some(MaxDelete::default()),
        options: WorkerOptions {
            measured_above: Some(Memory(1 << 20)),
            scratch: Some(Memory(1 << 20)),
            ..WorkerOptions::default()
        },
    };
    let place = |_: &_, size| match size % 2 {
        0 => Placement::Inline,
        _ => Placement::Blob,
    };
    let destination = listing(destination);
    Plan::make(
        request,
        listing(source),
        &destination,
        place,
        &DigestCache::new(),
    )
}

fn receipt(files: &[AnyFile], error: &str) -> Receipt {
    let stored = listing(files).files.into_iter().map(|listed| Stored {
        path: listed.file.path,
        sha256: Sha256::of(b""),
        git_sha1: None,
        size: listed.file.size,
        how: How::Streamed,
    });
    let failed = FailedFile::new("a", error, hf2ms_hub::Kind::Transient);
    Receipt {
        run: "r".into(),
        files: stored.collect(),
        failed: vec![failed],
        seconds: 0.1,
        ..Receipt::default()
    }
}

/// The same with a field more in every object that is no choice between kinds.
fn with_later_fields(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let is_choice = fields.len() == 1;
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name, with_later_fields(value)));
            let later = (!is_choice).then(|| ("of_a_later_version".to_owned(), json!({"a": [1]})));
            Value::Object(fields.chain(later).collect())
        }
        Value::Array(values) => values.into_iter().map(with_later_fields).collect(),
        value => value,
    }
}

/// Writes and reads a value, as it is and as a later version may write it.
fn survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert!(!text.contains('\n'), "one line each");
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value);
    let later = with_later_fields(serde_json::from_str(&text).unwrap());
    assert_eq!(&serde_json::from_value::<T>(later).unwrap(), value);
}

/// Reads bytes as each of the formats. What is taken is a value that can be written.
fn read_as_each(bytes: &[u8]) {
    if let Ok(event) = serde_json::from_slice::<Event>(bytes) {
        serde_json::to_string(&event).unwrap();
    }
    if let Ok(chunk) = serde_json::from_slice::<Chunk>(bytes) {
        serde_json::to_string(&chunk).unwrap();
    }
    if let Ok(plan) = serde_json::from_slice::<Plan>(bytes) {
        // What a plan says of itself may be a lie: it is checked before it is used.
        if plan.check().is_ok() {
            plan.summary();
            (0..plan.chunks.len()).for_each(|number| drop(plan.chunk("r", number as u32)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_read_again_by_this_version_and_an_older_one(
        files in any_files(), has in any_files(), error in ".{0,20}", numbers in any::<(u64, u64)>()
    ) {
        let plan = plan(&files, &has);
        prop_assert_eq!(plan.check(), Ok(()));
        survives(&plan);
        for number in 0..plan.chunks.len() {
            survives(&plan.chunk("r", number as u32));
        }
        survives(&Event::Receipt(receipt(&files, &error)));
        survives(&Event::Planned(plan.summary()));
        survives(&Event::Progress { bytes: numbers.0, files: numbers.1 });
        survives(&Event::Failed { path: Some(error.clone()), error, kind: hf2ms_hub::Kind::Denied });
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
        read_as_each(&bytes);
        read_as_each(text.as_bytes());
    }

    #[test]
    fn what_is_damaged_anywhere_is_read_or_refused(
        files in any_files(), places in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        end in any::<proptest::sample::Index>()
    ) {
        let plan = plan(&files, &[]);
        let chunk = plan.chunks.first().map(|_| serde_json::to_vec(&plan.chunk("r", 0)).unwrap());
        let event = serde_json::to_vec(&Event::Receipt(receipt(&files, "e"))).unwrap();
        for mut text in [Some(serde_json::to_vec(&plan).unwrap()), chunk, Some(event)].into_iter().flatten() {
            for (place, byte) in &places {
                let at = place.index(text.len());
                // Digits stay digits now and then, so that numbers change too.
                text[at] = if text[at].is_ascii_digit() && byte % 2 == 0 { b'0' + byte % 10 } else { *byte };
            }
            read_as_each(&text);
            read_as_each(&text[..end.index(text.len())]);
        }
    }
}
