//! The card, README.md, where the destination refuses its front matter: the plan gets an edit of the license, and of nothing
//! else. The destination is asked before anything moves, since otherwise it refuses the commit.

use hf2ms_hub::{Cards, Destination, Result};

use crate::plan::card::rename_licence;
use crate::plan::{CardPolicy, Plan, PlannedFile, Step};
use crate::protocol::Edit;
use crate::transfer::budget::MemoryBudget;
use crate::transfer::reader::Reader;

/// Cards are small; a larger one is left to the hub.
const LARGEST: u64 = 1 << 20;
const CARD: &str = "README.md";

/// Plans the edit that makes the destination take the card, and adds a warning about it; a warning alone where no edit is known.
///
/// # Errors
/// The destination can't be asked. A card that can't be read is reported by the commit, which reads it again.
pub async fn mend(plan: &mut Plan, source: &Reader, destination: &dyn Destination) -> Result<()> {
    let memory = MemoryBudget::new(&plan.options).reserve(LARGEST).await;
    let Some(cards) = destination.cards() else {
        return Ok(());
    };
    if plan.card == CardPolicy::Kept {
        return Ok(());
    }
    let hub = plan.destination.hub;
    let is_card = |planned: &&mut PlannedFile| {
        planned.file.path.as_str() == CARD
            && planned.file.size <= LARGEST
            && planned.step == Step::Inline
    };
    let Some(planned) = plan.files.iter_mut().find(is_card) else {
        return Ok(());
    };
    let Ok(content) = source.whole(&planned.file, &memory).await else {
        return Ok(());
    };
    let Some((edit, warning)) = edit_of(&content, cards).await? else {
        return Ok(());
    };
    plan.warnings.push(format!("{CARD}: {hub} {warning}"));
    let Some(edit) = edit else {
        return Ok(());
    };
    if planned
        .current
        .is_some_and(|current| edit.is_done(&current))
    {
        planned.step = Step::Unchanged;
    }
    planned.edit = Some(edit);
    Ok(())
}

/// The edit after which the destination takes the card, if one is known, and what to warn of; `None` where the destination takes
/// the card as it is.
async fn edit_of(content: &[u8], cards: &dyn Cards) -> Result<Option<(Option<Edit>, String)>> {
    let Ok(text) = std::str::from_utf8(content) else {
        return Ok(None);
    };
    let Some(complaint) = cards.refusal_of(text).await? else {
        return Ok(None);
    };
    let Some(change) = rename_licence(text) else {
        let warning =
            format!("will refuse its front matter, and what to change is not known: {complaint}");
        return Ok(Some((None, warning)));
    };
    let edit = Edit::new(content, change.range, change.insert);
    let edited = edit.apply(content).map(String::from_utf8);
    let edited = edited.and_then(std::result::Result::ok).unwrap_or_default();
    if let Some(complaint) = cards.refusal_of(&edited).await? {
        let warning =
            format!("will refuse its front matter, with another licence too: {complaint}");
        return Ok(Some((None, warning)));
    }
    let warning = format!(
        "refuses {}, so {} is written; --keep-readme sends it as it is",
        change.was, change.is
    );
    Ok(Some((Some(edit), warning)))
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Digest, Listing};

    use super::*;
    use crate::plan::DigestCache;
    use crate::plan::tests::{by_suffix, listing, order};
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
