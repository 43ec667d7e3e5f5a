//! The destination comes into being: created where it is absent, and taken as it is where it exists, unless it would
//! show what is to be hidden.

use hf2ms_hub::{Destination, Error, Kind, RepoInfo, Result, Visibility};

/// Makes sure that there is a destination to write to. Many workers may do so at once: one creates it, the others take it.
///
/// # Errors
/// It can't be created, or it is public and what comes is not.
pub async fn ensure(destination: &dyn Destination, wanted: Visibility) -> Result<()> {
    match destination.find().await? {
        Some(found) => stays_hidden(wanted, &found),
        None => create(destination, wanted).await,
    }
}

/// Creates the destination; one that someone else made meanwhile is taken.
///
/// # Errors
/// It can't be created, or what someone else made is not ours to see, or public when what comes is not.
pub async fn create(destination: &dyn Destination, wanted: Visibility) -> Result<()> {
    match destination.create(wanted).await {
        Err(error) if error.kind() == Kind::Conflict => match destination.find().await? {
            Some(found) => stays_hidden(wanted, &found),
            None => Err(Error::new(
                Kind::Denied,
                "the destination exists and is not ours to see: take another id",
            )),
        },
        created => created,
    }
}

/// Refuses a destination that shows to all what is not public.
///
/// # Errors
/// That it does.
pub fn stays_hidden(wanted: Visibility, found: &RepoInfo) -> Result<()> {
    if wanted.is_betrayed_by(found.visibility) {
        let message = format!(
            "the destination is public, and what would be copied is {wanted}: give --public to show it"
        );
        return Err(Error::new(Kind::Denied, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use Visibility::{Private, Public};

    use super::*;
    use crate::testing::{FakeDestination, FakeSource, context};

    /// What becomes of a destination when `wanted` comes to it: how it ended, and who may see it then.
    async fn ensured(
        wanted: Visibility,
        there: FakeDestination,
    ) -> (Result<()>, Option<Visibility>) {
        let (context, _, destination) = context(FakeSource::default(), there, 1 << 20);
        let ended = ensure(&*context.destination, wanted).await;
        (ended, *destination.visibility.lock().unwrap())
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
    async fn what_exists_and_can_not_be_seen_is_refused() {
        let unseen = FakeDestination {
            taken: true,
            ..FakeDestination::default()
        };
        let (ended, _) = ensured(Private, unseen).await;
        assert!(ended.unwrap_err().to_string().contains("not ours to see"));
    }
}
