//! The creation of a destination: an absent repo is created, one that exists is taken as it is, unless it would show what
//! is to be hidden. The hub is asked whether it created what was asked for.

use futures_util::try_join;
use hf2ms_hub::{Destination, Error, Gate, GateMode, Kind, RepoInfo, Result, Visibility};

use crate::protocol::Creation;

/// What becomes of a source's gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GatePolicy {
    /// The copy is private.
    #[default]
    Private,
    /// The same gate is set at the copy.
    Keep,
}

impl GatePolicy {
    /// Reads what a command line asks for.
    ///
    /// # Errors
    /// Names the policies that there are.
    pub fn asked(text: &str) -> std::result::Result<Self, String> {
        match text {
            "private" => Ok(Self::Private),
            "keep" => Ok(Self::Keep),
            _ => Err("expected private or keep".to_owned()),
        }
    }
}

/// Who may read a copy that has to be created, as the command line asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VisibilityRequest {
    /// Its visibility; `None` means that of the source.
    pub visibility: Option<Visibility>,
    /// What becomes of the source's gate.
    pub gate: GatePolicy,
}

/// Who may read a repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readers {
    /// Who may see it.
    pub visibility: Visibility,
    /// The gate before its files, if there is one.
    pub gate: Option<GateMode>,
}

impl From<Visibility> for Readers {
    fn from(visibility: Visibility) -> Self {
        let gate = None;
        Self { visibility, gate }
    }
}

impl From<Creation> for Readers {
    fn from(
        Creation {
            visibility, gate, ..
        }: Creation,
    ) -> Self {
        Self { visibility, gate }
    }
}

impl From<&RepoInfo> for Readers {
    fn from(info: &RepoInfo) -> Self {
        let gate = match info.gate {
            Gate::Gated(mode) => Some(mode),
            Gate::Open | Gate::Untold => None,
        };
        let visibility = info.visibility;
        Self { visibility, gate }
    }
}

impl Readers {
    /// Whether all may read.
    fn are_all(self) -> bool {
        self.visibility == Visibility::Public && self.gate.is_none()
    }

    /// Whether a repo with the readers `planned` has more of them: others see it, or a gate is missing.
    pub fn are_exceeded_by(self, planned: Self) -> bool {
        planned.visibility.shows_more_than(self.visibility)
            || (self.gate.is_some() && planned.are_all())
    }

    /// Whether what is meant for these would be seen by all in a repo with the readers `found`.
    fn are_betrayed_by(self, found: Self) -> bool {
        self.visibility.is_betrayed_by(found.visibility) || (self.gate.is_some() && found.are_all())
    }
}

/// How a destination came to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was created as asked for, or for fewer readers: these.
    New(Visibility),
    /// It was there when the hub was asked for it, and is taken as it is.
    Before {
        /// Who may see it.
        visibility: Visibility,
        /// An earlier request of this run may have created it: its answer was lost.
        may_be_ours: bool,
    },
}

impl Created {
    /// Who may see it.
    pub fn visibility(self) -> Visibility {
        match self {
            Self::New(visibility) | Self::Before { visibility, .. } => visibility,
        }
    }
}

/// Why there is no destination to write to.
#[derive(Debug)]
pub enum CreationError {
    /// The hub's error.
    Hub(Error),
    /// The destination is public, and what would be copied has this visibility.
    WouldShow(Visibility),
    /// The hub created the repo with more readers than were asked for.
    ShowsMore {
        /// The visibility that was asked for.
        wanted: Visibility,
        /// The visibility that the hub gave it.
        found: Visibility,
    },
    /// The destination is open to all, and what would be copied is behind a gate.
    WouldOpen,
    /// The hub created the repo without the gate that was asked for.
    NoGate,
    /// The destination exists, and the account may not see it.
    NotVisible,
}

impl From<Error> for CreationError {
    fn from(error: Error) -> Self {
        Self::Hub(error)
    }
}

impl From<CreationError> for Error {
    fn from(creation: CreationError) -> Self {
        let message = match creation {
            CreationError::Hub(error) => return error,
            CreationError::WouldShow(wanted) => format!(
                "the destination is public, and what would be copied is {wanted}: give --public to show it"
            ),
            CreationError::ShowsMore { wanted, found } => format!(
                "the hub created the destination {found}, though {wanted} was asked for, and no file was committed: make it {wanted} there, or delete it"
            ),
            CreationError::WouldOpen => {
                "the destination is open to all, and what would be copied is behind a gate: set the gate there, or give --public without --gated keep".to_owned()
            }
            CreationError::NoGate => {
                "the hub created the destination without the gate that was asked for, and no file was committed: set it there, or delete the repo".to_owned()
            }
            CreationError::NotVisible => {
                "the destination exists and is not ours to see: take another id".to_owned()
            }
        };
        Self::new(Kind::Denied, message)
    }
}

/// The readers that a copy of `source` is created with, and that a destination which exists must not exceed: what was
/// asked for, else the source's own. A source that is gated, or may be, counts as private where its gate is not kept.
pub fn readers_of_copy(source: &RepoInfo, asked: VisibilityRequest) -> Readers {
    let (usual, gate) = match source.gate {
        Gate::Open => (source.visibility, None),
        Gate::Gated(mode) if asked.gate == GatePolicy::Keep => (source.visibility, Some(mode)),
        Gate::Gated(_) | Gate::Untold => (Visibility::Private, None),
    };
    let visibility = asked.visibility.unwrap_or(usual);
    Readers { visibility, gate }
}

/// Asks the hub to create the destination for these readers.
///
/// # Errors
/// What the hub fails with; [`Kind::Denied`] where it has no gates for such a repo.
pub async fn create(destination: &dyn Destination, wanted: Readers) -> Result<()> {
    let Some(mode) = wanted.gate else {
        return destination.create(wanted.visibility).await;
    };
    match destination.gates() {
        Some(gates) => gates.create_gated(wanted.visibility, mode).await,
        None => Err(no_gates()),
    }
}

/// The refusal of a gate that the destination's hub can't set.
pub fn no_gates() -> Error {
    let message = "the destination's hub sets no gate for such a repo: leave out --gated keep for a private copy";
    Error::new(Kind::Denied, message)
}

/// Makes sure that there is a destination to write to. Many workers may do so at once: one creates it, the others take it.
///
/// # Errors
/// [`CreationError`]
pub async fn ensure(destination: &dyn Destination, wanted: impl Into<Readers>) -> Result<()> {
    let wanted = wanted.into();
    match destination.find().await? {
        Some(found) => check_not_exposed(wanted, &found)?,
        None => {
            let creation = create(destination, wanted);
            create_or_adopt(destination, wanted, creation, std::future::ready(())).await?;
        }
    }
    Ok(())
}

/// Awaits `creation`, the request that creates the destination, and asks the hub who may see what it created. Where another
/// writer was first, the repo of that writer is taken. Meanwhile `beside` asks for what it holds, or for nothing.
///
/// # Errors
/// [`CreationError`]
pub async fn create_or_adopt<T>(
    destination: &dyn Destination,
    wanted: Readers,
    creation: impl Future<Output = Result<()>>,
    beside: impl Future<Output = T>,
) -> std::result::Result<(Created, T), CreationError> {
    let beside = async { Ok(beside.await) };
    match creation.await {
        Ok(()) => {
            let (visibility, beside) = try_join!(check_created(destination, wanted), beside)?;
            Ok((Created::New(visibility), beside))
        }
        Err(error) if error.kind() == Kind::Conflict => {
            let (visibility, beside) = try_join!(check_adopted(destination, wanted), beside)?;
            let may_be_ours = error.is_unanswered();
            let created = Created::Before {
                visibility,
                may_be_ours,
            };
            Ok((created, beside))
        }
        Err(error) => Err(CreationError::Hub(error)),
    }
}

/// Refuses a repo that may not be seen, or that shows more than was asked for. Returns who may see it.
async fn check_adopted(
    destination: &dyn Destination,
    wanted: Readers,
) -> std::result::Result<Visibility, CreationError> {
    let found = destination.find().await?;
    let found = found.ok_or(CreationError::NotVisible)?;
    check_not_exposed(wanted, &found).map(|()| found.visibility)
}

/// Refuses a new destination that shows more than was asked for. One that the hub does not show yet is left to
/// [`check_before_commit`]. Returns who may see it.
async fn check_created(
    destination: &dyn Destination,
    wanted: Readers,
) -> std::result::Result<Visibility, CreationError> {
    if wanted.are_all() {
        return Ok(wanted.visibility);
    }
    let Some(info) = destination.find().await? else {
        return Ok(wanted.visibility);
    };
    let (found, visibility) = (Readers::from(&info), wanted.visibility);
    if found.visibility.shows_more_than(visibility) {
        return Err(CreationError::ShowsMore {
            wanted: visibility,
            found: found.visibility,
        });
    }
    match wanted.gate.is_some() && found.gate.is_none() {
        true => Err(CreationError::NoGate),
        false => Ok(found.visibility),
    }
}

/// Asks the hub once more who may see the destination, before the first commit. Nothing is asked where all may see what is
/// committed.
///
/// # Errors
/// [`CreationError::WouldShow`], and [`CreationError::NotVisible`] where the hub does not tell.
pub async fn check_before_commit(
    destination: &dyn Destination,
    wanted: impl Into<Readers>,
) -> std::result::Result<(), CreationError> {
    let wanted = wanted.into();
    if wanted.are_all() {
        return Ok(());
    }
    let found = destination.find().await?.ok_or(CreationError::NotVisible)?;
    check_not_exposed(wanted, &found)
}

/// Refuses a destination that shows to everyone what is not public, or what is behind a gate.
///
/// # Errors
/// [`CreationError::WouldShow`], [`CreationError::WouldOpen`]
pub fn check_not_exposed(
    wanted: impl Into<Readers>,
    found: impl Into<Readers>,
) -> std::result::Result<(), CreationError> {
    let (wanted, found) = (wanted.into(), found.into());
    match wanted.are_betrayed_by(found) {
        true if wanted.visibility == Visibility::Public => Err(CreationError::WouldOpen),
        true => Err(CreationError::WouldShow(wanted.visibility)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use Visibility::{Private, Public};
    use hf2ms_hub::FileCount;

    use super::*;
    use crate::testing::FakeDestination;

    /// How [`ensure`] ended, and the visibility of the destination afterwards.
    async fn ensured(
        wanted: Visibility,
        there: FakeDestination,
    ) -> (Result<()>, Option<Visibility>) {
        let ended = ensure(&there, wanted).await;
        (ended, *there.visibility.lock().unwrap())
    }

    fn standing(visibility: Visibility) -> FakeDestination {
        FakeDestination {
            visibility: Some(visibility).into(),
            ..FakeDestination::default()
        }
    }

    fn made_meanwhile(visibility: Visibility) -> FakeDestination {
        FakeDestination {
            made_meanwhile: Some(visibility).into(),
            ..FakeDestination::default()
        }
    }

    #[tokio::test]
    async fn an_absent_destination_is_created_as_asked_for() {
        let (ended, visibility) = ensured(Private, FakeDestination::default()).await;
        assert!(ended.is_ok() && visibility == Some(Private));
    }

    #[tokio::test]
    async fn what_stands_or_was_made_meanwhile_is_taken_as_it_is() {
        for there in [standing(Private), made_meanwhile(Private)] {
            let (ended, visibility) = ensured(Public, there).await;
            assert!(ended.is_ok() && visibility == Some(Private), "{ended:?}");
        }
    }

    #[tokio::test]
    async fn what_is_private_never_goes_where_all_see_it() {
        for there in [standing(Public), made_meanwhile(Public)] {
            let (ended, _) = ensured(Private, there).await;
            assert_eq!(ended.unwrap_err().kind(), Kind::Denied);
        }
    }

    #[tokio::test]
    async fn a_hub_that_ignores_the_visibility_is_noticed() {
        use Visibility::Internal;
        for (wanted, given, is_refused) in [
            (Private, Public, true),
            (Private, Internal, true),
            (Internal, Public, true),
            (Internal, Private, false),
            (Public, Private, false),
        ] {
            let ignoring = FakeDestination {
                creates: Some(given),
                ..FakeDestination::default()
            };
            let (ended, _) = ensured(wanted, ignoring).await;
            let refused = ended.is_err_and(|error| error.kind() == Kind::Denied);
            assert_eq!(refused, is_refused, "{wanted} asked for, {given} created");
        }
    }

    #[tokio::test]
    async fn a_gate_is_looked_for_once_created_and_before_the_first_commit() {
        let gated = Readers {
            visibility: Public,
            gate: Some(GateMode::Auto),
        };
        let with = |has_gates, ignores_gates| FakeDestination {
            has_gates,
            ignores_gates,
            ..FakeDestination::default()
        };
        let keeping = with(true, false);
        ensure(&keeping, gated).await.unwrap();
        check_before_commit(&keeping, gated).await.unwrap();
        *keeping.gate.lock().unwrap() = None;
        let opened = check_before_commit(&keeping, gated).await;
        assert!(matches!(opened, Err(CreationError::WouldOpen)));
        for (there, words) in [
            (with(false, false), "sets no gate"),
            (with(true, true), "without the gate"),
            (standing(Public), "open to all"),
        ] {
            let refused = ensure(&there, gated).await.unwrap_err();
            assert!(refused.kind() == Kind::Denied && refused.message().contains(words));
        }
        ensure(&standing(Private), gated).await.unwrap();
    }

    #[tokio::test]
    async fn before_the_first_commit_the_destination_is_looked_at_again() {
        for (wanted, there, is_refused) in [
            (Private, standing(Public), true),
            (Private, FakeDestination::default(), true),
            (Private, standing(Private), false),
            (Public, standing(Public), false),
        ] {
            let checked = check_before_commit(&there, wanted).await;
            assert_eq!(checked.is_err(), is_refused, "{wanted}: {checked:?}");
        }
    }

    #[test]
    fn a_gate_makes_the_copy_private_unless_asked_otherwise() {
        let (gated, manual) = (Gate::Gated(GateMode::Manual), Some(GateMode::Manual));
        let usual = GatePolicy::Private;
        for (gate, visibility, policy, expected) in [
            (Gate::Open, None, usual, (Public, None)),
            (gated, None, usual, (Private, None)),
            (Gate::Untold, None, usual, (Private, None)),
            (gated, Some(Public), usual, (Public, None)),
            (Gate::Open, Some(Private), usual, (Private, None)),
            (gated, None, GatePolicy::Keep, (Public, manual)),
            (gated, Some(Private), GatePolicy::Keep, (Private, manual)),
            (Gate::Open, None, GatePolicy::Keep, (Public, None)),
            (Gate::Untold, None, GatePolicy::Keep, (Private, None)),
        ] {
            let source = RepoInfo {
                commit: None,
                visibility: Public,
                gate,
                renamed: None,
                files: FileCount::Untold,
            };
            let asked = VisibilityRequest {
                visibility,
                gate: policy,
            };
            let Readers { visibility, gate } = readers_of_copy(&source, asked);
            assert_eq!((visibility, gate), expected, "{source:?} {asked:?}");
        }
    }

    #[tokio::test]
    async fn what_exists_and_can_not_be_seen_is_refused() {
        let unseen = FakeDestination {
            taken: true,
            ..FakeDestination::default()
        };
        let (ended, _) = ensured(Private, unseen).await;
        assert!(ended.unwrap_err().to_string().contains("not ours to see"));
    }

    #[test]
    fn what_is_hidden_stays_hidden() {
        use Visibility::Internal;
        for (wanted, found, fits) in [
            (Public, Public, true),
            (Public, Private, true),
            (Private, Private, true),
            (Private, Public, false),
            (Internal, Public, false),
        ] {
            assert_eq!(
                check_not_exposed(wanted, found).is_ok(),
                fits,
                "{wanted} into {found}"
            );
        }
    }
}
