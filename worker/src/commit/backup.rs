//! The backup tag of a run: made once, by whoever commits, right before the first commit that replaces or deletes something.
//!
//! The tag comes before any commit of the run. Where it stands already, an earlier worker of the run has made it. What it names then is
//! what stood there before the run.

use std::sync::Arc;

use hf2ms_hub::{Destination, Error, Kind, RefKind, RefStore, Result, Revision};
use tokio::sync::OnceCell;

use super::create_ref::create_ref;
use crate::context::Context;
use crate::plan::{BACKUP_PREFIX, BackupReason, BackupTag, Plan};
use crate::protocol::{BackupResult, Event};

/// Whether another worker of the run may have committed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precedence {
    /// This is the run's first to commit.
    First,
    /// Another one may have made the tag.
    Later,
}

/// The backup of one run.
pub struct Backup<'a> {
    context: &'a Context,
    tag: Option<&'a BackupTag>,
    run: &'a str,
    branch: &'a Revision,
    precedence: Precedence,
    made: OnceCell<()>,
}

impl<'a> Backup<'a> {
    /// The backup that a plan asks for.
    pub fn of(context: &'a Context, plan: &'a Plan, run: &'a str, precedence: Precedence) -> Self {
        Self {
            context,
            tag: plan.backup.as_ref(),
            run,
            branch: &plan.destination.revision,
            precedence,
            made: OnceCell::new(),
        }
    }

    /// Makes the tag, if there is to be one and it was not made yet. Its result is an event.
    ///
    /// # Errors
    /// It can't be made and nothing is to be written without it, or another try may make it.
    pub async fn ensure(&self) -> Result<()> {
        let Some(tag) = self.tag else {
            return Ok(());
        };
        let make = || self.make(tag);
        self.made.get_or_try_init(make).await.copied()
    }

    async fn make(&self, tag: &BackupTag) -> Result<()> {
        let name = tag.name_in(self.run)?;
        if let Some(commit) = &tag.made {
            self.tell(name, Some(commit.clone()), None);
            return Ok(());
        }
        let head = self.context.destination.head().await.ok().flatten();
        match self.make_at(&name, head.as_ref(), tag.reason).await {
            Ok(commit) => self.tell(name, commit, None),
            Err(error) if tag.reason == BackupReason::Asked || error.kind() == Kind::Transient => {
                return Err(refused(&name, error));
            }
            Err(error) => self.tell(name, head, Some(error.to_string())),
        }
        Ok(())
    }

    /// Makes the tag where the branch stands, and returns its commit, where the hub tells.
    async fn make_at(
        &self,
        name: &Revision,
        head: Option<&Revision>,
        reason: BackupReason,
    ) -> Result<Option<Revision>> {
        let references = self.context.destination.clone().ref_store();
        let references = references.ok_or_else(no_tags)?;
        let make = async |at| create_ref(&*references, RefKind::Tag, name, at).await;
        let made = match head {
            None => make(self.branch).await,
            // ModelScope's client names a branch, never a commit.
            Some(head) => match make(head).await {
                Err(error) if takes_no_commit(&error) => make(self.branch).await,
                made => made,
            },
        };
        match made {
            Err(error) if error.kind() == Kind::Conflict && self.may_be_ours(name, reason) => {
                let found = references.refs().await?;
                Ok(found.find(RefKind::Tag, name).cloned())
            }
            made => made.map(|()| head.cloned()),
        }
    }

    /// Whether a tag of this name that stands elsewhere is one that this run has made, or an earlier one of the same copy.
    fn may_be_ours(&self, name: &Revision, reason: BackupReason) -> bool {
        self.precedence == Precedence::Later || reason == BackupReason::Usual || is_own(name)
    }

    fn tell(&self, tag: Revision, commit: Option<Revision>, refused: Option<String>) {
        let result = BackupResult {
            tag,
            commit,
            refused,
        };
        self.context.events.say(&Event::BackupTag(result));
    }
}

/// Whether a hub may take a branch's name where it took no commit.
fn takes_no_commit(error: &Error) -> bool {
    matches!(error.kind(), Kind::Invalid | Kind::NotFound | Kind::Refused)
}

/// Whether the name is one that the program makes, of a run's id or of the source's commit.
fn is_own(name: &Revision) -> bool {
    name.as_str().starts_with(BACKUP_PREFIX)
}

fn no_tags() -> Error {
    Error::new(Kind::Refused, "its hub makes no tags")
}

/// The error of a run whose tag can't be made. What the hub has said for good is a matter of the option.
fn refused(name: &Revision, error: Error) -> Error {
    let kind = match error.kind() {
        Kind::Conflict | Kind::Refused => Kind::Usage,
        kind => kind,
    };
    let what = format!("the backup tag {name} could not be made");
    error.about(what).with_kind(kind)
}

/// Checks, before anything is written, that the tag that a command line asks for can be made.
///
/// # Errors
/// [`Kind::Refused`] where the hub has no tags, or the name exists; what listing the tags fails with.
pub async fn check_backup(plan: &Plan, destination: Arc<dyn Destination>) -> Result<()> {
    let asked = plan.backup.as_ref().filter(|tag| {
        tag.reason == BackupReason::Asked
            && tag.made.is_none()
            && (plan.replaces() || plan.overwrite)
    });
    let Some(tag) = asked else {
        return Ok(());
    };
    let references: Arc<dyn RefStore> = destination.ref_store().ok_or_else(|| {
        let hub = plan.destination.hub;
        let message = format!("{hub} makes no tags: nothing was written; leave out --backup-tag");
        Error::new(Kind::Refused, message)
    })?;
    let Some(name) = tag.name.as_ref().filter(|name| !is_own(name)) else {
        return Ok(());
    };
    let refs = references.refs().await?.named();
    for kind in [RefKind::Tag, RefKind::Branch] {
        if let Some(at) = refs.find(kind, name) {
            let kind = kind.name();
            return Err(Error::new(
                Kind::Refused,
                format!(
                    "the {kind} {name} exists at the destination already, at {at}: nothing was written; give --backup-tag another name"
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::BackupRequest;
    use crate::plan::tests::{listed, plan, there};
    use crate::testing::{FakeDestination, FakeSource, observed};

    fn at(digit: u64) -> Revision {
        format!("{digit:040}").parse().unwrap()
    }

    fn replacing(request: &BackupRequest) -> Plan {
        let old = vec![there("a.txt", b"old", false)];
        let mut plan = plan(vec![listed("a.txt", b"new", false)], old, None);
        plan.backup = request.tag(true);
        plan
    }

    fn named(name: &str) -> BackupRequest {
        BackupRequest::Asked(name.parse().ok())
    }

    /// What the making of a tag says, and the tags after it.
    async fn made(
        destination: FakeDestination,
        request: &BackupRequest,
        precedence: Precedence,
    ) -> (Result<()>, Vec<BackupResult>, Vec<(String, Revision)>) {
        let (context, destination, _, log) = observed(FakeSource::default(), destination);
        let plan = replacing(request);
        let backup = Backup::of(&context, &plan, "01K", precedence);
        let ended = backup.ensure().await;
        if ended.is_ok() {
            backup.ensure().await.unwrap();
        }
        let told = log.events().into_iter().filter_map(|event| match event {
            Event::BackupTag(result) => Some(result),
            _ => None,
        });
        let tags = destination.tags.standing();
        (ended, told.collect(), tags)
    }

    fn hub(tags: &[(&str, u64)]) -> FakeDestination {
        let destination = FakeDestination::default();
        *destination.tip.lock().unwrap() = Some(7);
        destination
            .tags
            .open(tags.iter().map(|(name, digit)| (*name, at(*digit))));
        destination
    }

    #[tokio::test]
    async fn the_head_is_tagged_once() {
        let (ended, told, tags) = made(hub(&[]), &BackupRequest::Usual, Precedence::First).await;
        let name = "hf2ms-before-01K";
        assert!(ended.is_ok());
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].tag.as_str(), &told[0].commit),
            (name, &Some(at(7)))
        );
        assert_eq!(tags, [(name.to_owned(), at(7))]);
    }

    #[tokio::test]
    async fn a_later_worker_of_the_run_keeps_the_tag_that_the_first_one_made() {
        for request in [BackupRequest::Usual, named("v1")] {
            let name = request.tag(true).unwrap().name_in("01K").unwrap();
            let destination = hub(&[(name.as_str(), 3)]);
            let (ended, told, tags) = made(destination, &request, Precedence::Later).await;
            assert!(ended.is_ok());
            assert_eq!(told[0].commit, Some(at(3)));
            assert_eq!(tags, [(name.to_string(), at(3))]);
        }
    }

    #[tokio::test]
    async fn a_tag_of_someone_else_is_left_alone_and_ends_the_run() {
        let (ended, told, tags) = made(hub(&[("v1", 3)]), &named("v1"), Precedence::First).await;
        let error = ended.unwrap_err();
        assert_eq!((error.kind(), told.len()), (Kind::Usage, 0));
        assert_eq!(tags, [("v1".to_owned(), at(3))]);
    }

    #[tokio::test]
    async fn a_name_of_the_programs_own_is_that_of_an_earlier_run_of_the_copy() {
        let name = "hf2ms-before-0123456789ab";
        let destination = hub(&[(name, 3)]);
        let (ended, told, _) = made(destination, &named(name), Precedence::First).await;
        assert!(ended.is_ok());
        assert_eq!(told[0].commit, Some(at(3)));
        let plan = replacing(&named(name));
        let checked = check_backup(&plan, Arc::new(hub(&[(name, 3)])));
        assert!(checked.await.is_ok());
    }

    #[tokio::test]
    async fn a_hub_that_takes_no_commit_is_given_the_branch() {
        let destination = hub(&[]);
        destination.tags.take_names_alone();
        let (ended, told, tags) = made(destination, &named("v1"), Precedence::First).await;
        assert!(ended.is_ok());
        assert_eq!(told[0].commit, Some(at(7)), "where the branch stood");
        assert_eq!(tags, [("v1".to_owned(), "master".parse().unwrap())]);
    }

    #[tokio::test]
    async fn a_hub_without_tags_refuses_one_that_was_asked_for_and_else_the_commit_is_named() {
        let without = || {
            let destination = FakeDestination::default();
            *destination.tip.lock().unwrap() = Some(7);
            destination
        };
        let (ended, ..) = made(without(), &named("v1"), Precedence::First).await;
        assert_eq!(ended.unwrap_err().kind(), Kind::Usage);
        let (ended, told, _) = made(without(), &BackupRequest::Usual, Precedence::First).await;
        assert!(ended.is_ok() && told[0].refused.is_some());
        assert_eq!(told[0].commit, Some(at(7)));
    }

    #[tokio::test]
    async fn a_name_that_exists_is_refused_before_anything_is_written() {
        for (tags, name, kind) in [
            (&[("v1", 3)][..], Some("v1"), Some(Kind::Refused)),
            (&[("v1", 3)], Some("v2"), None),
            (&[("v1", 3)], None, None),
        ] {
            let request = BackupRequest::Asked(name.and_then(|name| name.parse().ok()));
            let checked = check_backup(&replacing(&request), Arc::new(hub(tags))).await;
            assert_eq!(checked.err().map(|error| error.kind()), kind, "{name:?}");
        }
        let none = Arc::new(FakeDestination::default());
        let refused = check_backup(&replacing(&named("v1")), none.clone()).await;
        assert_eq!(refused.unwrap_err().kind(), Kind::Refused);
        let usual = check_backup(&replacing(&BackupRequest::Usual), none).await;
        assert!(usual.is_ok());
    }
}
