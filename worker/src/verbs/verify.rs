//! `verify`: compares every file of a destination with a manifest.

use crate::context::Context;
use crate::pipeline::compare::compare;
use crate::pipeline::contents::Sampling;
use crate::protocol::{Event, Exit, VerifyJob};

/// Compares the job's files and says what was found.
pub async fn verify(context: &Context, job: &VerifyJob) -> Exit {
    let bytes = job.files.iter().map(|file| file.file.size).sum();
    context
        .events
        .start("verify", &job.run, 0, job.files.len() as u64, bytes);
    match compare(context, &job.files, Sampling::of_all(job.sample)).await {
        Ok(found) => {
            let exit = found.exit();
            context.events.say(&Event::Verified(found));
            exit
        }
        Err(error) => {
            context.events.verb_failed(&error);
            Exit::of(error.kind())
        }
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Blob, File, Kind, Sha256};

    use super::*;
    use crate::plan::tests::order;
    use crate::protocol::{SampleChoice, VERSION, Verification, VerifyFile, WorkerOptions};
    use crate::testing::{FakeDestination, FakeSource, ReadFault, observed};

    /// The verification of these files, where the destination has these contents.
    async fn verified(
        source: FakeSource,
        files: Vec<File>,
        there: &[(&str, &[u8])],
    ) -> (Exit, Verification) {
        let destination = FakeDestination::default();
        for (path, content) in there {
            let blob = Blob {
                sha256: Sha256::of(content),
                size: content.len() as u64,
            };
            let mut files = destination.files.lock().unwrap();
            files.insert(path.parse().unwrap(), blob);
        }
        let (context, _, _, log) = observed(source, destination);
        let order = order(None);
        let job = VerifyJob {
            version: VERSION,
            run: "r".into(),
            source: order.source,
            destination: order.destination,
            files: files
                .into_iter()
                .map(|file| VerifyFile {
                    file,
                    also: None,
                    sent: false,
                })
                .collect(),
            sample: SampleChoice::default(),
            options: WorkerOptions::default(),
        };
        let exit = verify(&context, &job).await;
        let found = log.events().into_iter().find_map(|event| match event {
            Event::Verified(found) => Some(found),
            _ => None,
        });
        (exit, found.unwrap())
    }

    #[tokio::test]
    async fn each_file_is_compared_by_its_digest() {
        for (content, exit) in [
            (&b"one"[..], Exit::Done),
            (b"two", Exit::Integrity),
            (b"longer", Exit::Integrity),
        ] {
            let mut source = FakeSource::default();
            let files = vec![source.lfs("a", "one")];
            let (found, _) = verified(source, files, &[("a", content)]).await;
            assert_eq!(found, exit, "{content:?}");
        }
        let mut source = FakeSource::default();
        let files = vec![source.lfs("a", "one"), source.lfs("b", "two")];
        let (exit, found) = verified(source, files, &[("a", b"one")]).await;
        assert_eq!(exit, Exit::Incomplete);
        assert_eq!((found.checked, found.equal), (2, 1));
        assert_eq!(found.missing, ["b".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_file_of_which_both_sides_tell_another_digest_is_read() {
        for (content, fault, exit) in [
            (&b"one"[..], None, Exit::Done),
            (b"two", None, Exit::Integrity),
            (b"one", Some(Kind::NotFound), Exit::Incomplete),
        ] {
            let mut source = FakeSource::default();
            let files = vec![source.git("a", "one")];
            let faults = vec![fault.map(ReadFault::Fail); 9];
            source
                .faults
                .lock()
                .unwrap()
                .extend(faults.into_iter().flatten());
            let (found, verification) = verified(source, files, &[("a", content)]).await;
            assert_eq!(found, exit, "{content:?} {fault:?}");
            assert_eq!(verification.unread.len(), usize::from(fault.is_some()));
        }
    }
}
