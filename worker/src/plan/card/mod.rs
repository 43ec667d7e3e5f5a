//! The card, README.md, where the destination refuses its front matter: the licence is named as the hub wants it, and nothing
//! else is touched. Found out before anything moves, because the hub says it only at the commit.

use hf2ms_hub::{Destination, Result};

use super::{Plan, PlannedFile, Step};
use crate::protocol::Edit;
use crate::transfer::reader::Reader;

mod licence;

use licence::renamed;

/// Cards are small; a larger one is left to the hub.
const LARGEST: u64 = 1 << 20;
const CARD: &str = "README.md";

/// What is done about a card that the destination refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CardPolicy {
    /// Its licence is mended.
    #[default]
    Mended,
    /// It is sent as it is.
    Kept,
}

/// Plans the change that makes the destination take the card, and warns of it; warns too when none is known.
///
/// # Errors
/// The destination can't be asked. A card that can't be read is the committer's to report.
pub async fn mend(plan: &mut Plan, source: &Reader, destination: &dyn Destination) -> Result<()> {
    let Some(cards) = destination
        .cards()
        .filter(|_| plan.card != CardPolicy::Kept)
    else {
        return Ok(());
    };
    let wanted = |planned: &&mut PlannedFile| {
        planned.file.path.as_str() == CARD && planned.file.size <= LARGEST
    };
    let Some(planned) = plan
        .files
        .iter_mut()
        .find(wanted)
        .filter(|planned| planned.step == Step::Inline)
    else {
        return Ok(());
    };
    let Ok(content) = source.whole(&planned.file).await else {
        return Ok(());
    };
    let Ok(text) = std::str::from_utf8(&content) else {
        return Ok(());
    };
    let Some(complaint) = cards.refusal_of(text).await? else {
        return Ok(());
    };
    let hub = plan.destination.hub;
    let Some(change) = renamed(text) else {
        plan.warnings.push(format!("{CARD}: {hub} will refuse its front matter, and what to change is not known: {complaint}"));
        return Ok(());
    };
    let edit = Edit::new(&content, change.range, change.insert);
    let mended = edit
        .apply(&content)
        .and_then(|mended| String::from_utf8(mended).ok())
        .unwrap_or_default();
    if let Some(complaint) = cards.refusal_of(&mended).await? {
        plan.warnings.push(format!(
            "{CARD}: {hub} will refuse its front matter, with another licence too: {complaint}"
        ));
        return Ok(());
    }
    plan.warnings.push(format!(
        "{CARD}: {hub} refuses {}, so {} is written; --keep-readme sends it as it is",
        change.was, change.is
    ));
    if planned
        .current
        .is_some_and(|current| edit.is_done(&current))
    {
        planned.step = Step::Unchanged;
    }
    planned.edit = Some(edit);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Digest, Listing};

    use super::super::DigestCache;
    use super::super::tests::{by_suffix, listing, order};
    use super::*;
    use crate::protocol::ExistingFile;
    use crate::testing::{FakeDestination, FakeSource, context};

    const FRENCH: &str = "---\nlicense: Licence Ouverte\n---\n# Bonjour\n";

    /// The plan of a repo that holds this card, for a hub that refuses cards with these words.
    async fn mended(card: &str, refuses: &'static str, there: Option<&[u8]>) -> Plan {
        let mut source = FakeSource::default();
        let file = source.git("README.md", card.to_owned());
        let destination = FakeDestination {
            bad_card: Some(refuses),
            ..FakeDestination::default()
        };
        let (context, _, _) = context(source, destination, 1 << 20);
        let listed = hf2ms_hub::Listed { file, lfs: false };
        let mut plan = Plan::make(
            order(None),
            listing(vec![listed]),
            &Listing::default(),
            by_suffix,
            &DigestCache::new(),
        );
        plan.files[0].current = there.map(|content| ExistingFile {
            digest: Digest::Sha256(hf2ms_hub::Sha256::of(content)),
            size: content.len() as u64,
        });
        mend(&mut plan, &context.reader(), context.destination.as_ref())
            .await
            .unwrap();
        plan
    }

    #[tokio::test]
    async fn a_card_that_the_hub_takes_is_left_alone() {
        let plan = mended("---\nlicense: MIT\n---\n", "Apache", None).await;
        assert!(plan.files[0].edit.is_none() && plan.warnings.is_empty());
    }

    #[tokio::test]
    async fn a_refused_licence_is_renamed_and_said() {
        let plan = mended(
            "---\nlicense: Apache License 2.0\n---\n# A\n",
            "Apache License",
            None,
        )
        .await;
        let edit = plan.files[0].edit.as_ref().unwrap();
        assert_eq!(
            edit.sha256,
            hf2ms_hub::Sha256::of(b"---\nlicense: apache-2.0\n---\n# A\n")
        );
        assert!(
            plan.warnings[0].contains("Apache License 2.0")
                && plan.warnings[0].contains("--keep-readme"),
            "{:?}",
            plan.warnings
        );
        let expected = &plan.verify_job("r", &[], &[]).files[0];
        assert_eq!(
            (expected.file.digest, expected.file.size),
            (Digest::Sha256(edit.sha256), edit.size)
        );
    }

    #[tokio::test]
    async fn one_that_was_mended_before_is_unchanged() {
        let before = b"---\nlicense: apache-2.0\n---\n# A\n";
        let plan = mended(
            "---\nlicense: Apache License 2.0\n---\n# A\n",
            "Apache License",
            Some(before),
        )
        .await;
        assert_eq!(plan.files[0].step, Step::Unchanged);
    }

    #[tokio::test]
    async fn what_can_not_be_mended_is_said_and_sent_as_it_is() {
        for (card, refuses) in [("---\ntags: nonsense\n---\n", "nonsense"), (FRENCH, "---")] {
            let plan = mended(card, refuses, None).await;
            assert!(
                plan.files[0].edit.is_none() && plan.warnings[0].contains("will refuse"),
                "{:?}",
                plan.warnings
            );
        }
    }
}
