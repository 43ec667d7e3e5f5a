//! The creation of a destination: an absent repo is created, one that exists is taken as it is, unless it would show what
//! is to be hidden. The hub is asked whether it created what was asked for.

use hf2ms_hub::{Destination, Error, Gate, Kind, RepoInfo, Result, Visibility};

/// How a destination came to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was created as asked for.
    New,
    /// Another writer created it first; it is taken as it is.
    ByAnother,
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
            CreationError::NotVisible => {
                "the destination exists and is not ours to see: take another id".to_owned()
            }
        };
        Self::new(Kind::Denied, message)
    }
}

/// The visibility that a copy of `source` is created with, and that a destination which exists must not exceed: what was
/// asked for, else the source's own. A source that is gated, or may be, counts as private.
pub fn visibility_of_copy(source: &RepoInfo, asked: Option<Visibility>) -> Visibility {
    asked.unwrap_or(match source.gate {
        Gate::Open => source.visibility,
        Gate::Gated | Gate::Untold => Visibility::Private,
    })
}

/// Makes sure that there is a destination to write to. Many workers may do so at once: one creates it, the others take it.
///
/// # Errors
/// [`CreationError`]
pub async fn ensure(destination: &dyn Destination, wanted: Visibility) -> Result<()> {
    match destination.find().await? {
        Some(found) => check_not_exposed(wanted, found.visibility)?,
        None => {
            let creation = destination.create(wanted);
            create_or_adopt(destination, wanted, creation).await?;
        }
    }
    Ok(())
}

/// Awaits `creation`, the request that creates the destination, and asks the hub who may see what it created. Where another
/// writer was first, the repo of that writer is taken.
///
/// # Errors
/// [`CreationError`]
pub async fn create_or_adopt(
    destination: &dyn Destination,
    wanted: Visibility,
    creation: impl Future<Output = Result<()>>,
) -> std::result::Result<Created, CreationError> {
    match creation.await {
        Ok(()) => {
            check_created(destination, wanted).await?;
            Ok(Created::New)
        }
        Err(error) if error.kind() == Kind::Conflict => {
            let found = destination.find().await?;
            let found = found.ok_or(CreationError::NotVisible)?;
            check_not_exposed(wanted, found.visibility).map(|()| Created::ByAnother)
        }
        Err(error) => Err(CreationError::Hub(error)),
    }
}

/// Refuses a new destination that shows more than was asked for. One that the hub does not show yet is left to
/// [`check_before_commit`].
async fn check_created(
    destination: &dyn Destination,
    wanted: Visibility,
) -> std::result::Result<(), CreationError> {
    if wanted == Visibility::Public {
        return Ok(());
    }
    match destination.find().await?.map(|found| found.visibility) {
        Some(found) if found.shows_more_than(wanted) => {
            Err(CreationError::ShowsMore { wanted, found })
        }
        _ => Ok(()),
    }
}

/// Asks the hub once more who may see the destination, before the first commit. Nothing is asked where all may see what is
/// committed.
///
/// # Errors
/// [`CreationError::WouldShow`], and [`CreationError::NotVisible`] where the hub does not tell.
pub async fn check_before_commit(
    destination: &dyn Destination,
    wanted: Visibility,
) -> std::result::Result<(), CreationError> {
    if wanted == Visibility::Public {
        return Ok(());
    }
    let found = destination.find().await?.ok_or(CreationError::NotVisible)?;
    check_not_exposed(wanted, found.visibility)
}

/// Refuses a destination that shows to everyone what is not public.
///
/// # Errors
/// [`CreationError::WouldShow`]
pub fn check_not_exposed(
    wanted: Visibility,
    found: Visibility,
) -> std::result::Result<(), CreationError> {
    match wanted.is_betrayed_by(found) {
        true => Err(CreationError::WouldShow(wanted)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use Visibility::{Private, Public};

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
        for (gate, asked, expected) in [
            (Gate::Open, None, Public),
            (Gate::Gated, None, Private),
            (Gate::Untold, None, Private),
            (Gate::Gated, Some(Public), Public),
            (Gate::Open, Some(Private), Private),
        ] {
            let source = RepoInfo {
                commit: None,
                visibility: Public,
                gate,
                renamed: None,
            };
            assert_eq!(visibility_of_copy(&source, asked), expected, "{gate:?}");
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
