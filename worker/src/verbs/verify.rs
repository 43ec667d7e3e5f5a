//! `verify`: compares every file of a destination with a manifest.

use crate::context::Context;
use crate::pipeline::compare::compare;
use crate::protocol::{Event, Exit, VerifyJob};

/// Compares the job's files and says what was found.
pub async fn verify(context: &Context, job: &VerifyJob) -> Exit {
    let bytes = job.files.iter().map(|file| file.file.size).sum();
    context
        .events
        .start("verify", &job.run, 0, job.files.len() as u64, bytes);
    match compare(context, &job.files).await {
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
