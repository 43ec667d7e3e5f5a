//! The card, README.md, where the destination refuses its front matter, or runs no Space of it: the plan gets an edit of the license and the
//! SDK, and of nothing else. The destination is asked before anything moves, since otherwise it refuses the commit.

use hf2ms_hub::{Cards, Destination, Result, Sdk};

use crate::plan::card::{name_sdk, rename_licence};
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
    let names_sdk = hub.profile().abilities.card_names_sdk;
    let sdk = plan.creation.sdk.filter(|_| names_sdk);
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
    let Ok(text) = std::str::from_utf8(&content) else {
        return Ok(());
    };
    let (edited, warnings) = mended(text, cards, sdk).await?;
    let warnings = warnings.into_iter();
    plan.warnings
        .extend(warnings.map(|warning| format!("{CARD}: {hub} {warning}")));
    if edited == text {
        return Ok(());
    }
    let edit = Edit::between(text, &edited);
    if planned
        .current
        .is_some_and(|current| edit.is_done(&current))
    {
        planned.step = Step::Unchanged;
    }
    planned.edit = Some(edit);
    Ok(())
}

/// The card that the destination takes and runs a Space of, as far as one is known, and what to warn of.
async fn mended(text: &str, cards: &dyn Cards, sdk: Option<Sdk>) -> Result<(String, Vec<String>)> {
    let (mut edited, mut warnings) = (text.to_owned(), Vec::new());
    if let Some(complaint) = cards.refusal_of(text).await? {
        let (renamed, warning) = renamed(text, &complaint, cards).await?;
        edited = renamed.unwrap_or(edited);
        warnings.push(warning);
    }
    if let Some((named, sdk)) = sdk.and_then(|sdk| Some((name_sdk(&edited, sdk)?, sdk))) {
        edited = named;
        warnings.push(format!(
            "runs no Space whose card names no sdk, so 'sdk: {sdk}' is written; --keep-readme sends it as it is"
        ));
    }
    Ok((edited, warnings))
}

/// A refused card under another licence, if the destination takes that, and what to warn of.
async fn renamed(
    text: &str,
    complaint: &str,
    cards: &dyn Cards,
) -> Result<(Option<String>, String)> {
    let Some(change) = rename_licence(text) else {
        let warning =
            format!("will refuse its front matter, and what to change is not known: {complaint}");
        return Ok((None, warning));
    };
    let mut edited = text.to_owned();
    edited.replace_range(change.range, &change.insert);
    if let Some(complaint) = cards.refusal_of(&edited).await? {
        let warning =
            format!("will refuse its front matter, with another licence too: {complaint}");
        return Ok((None, warning));
    }
    let warning = format!(
        "refuses {}, so {} is written; --keep-readme sends it as it is",
        change.was, change.is
    );
    Ok((Some(edited), warning))
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Committer, Digest, Listing};

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
    async fn a_space_gets_its_sdk_beside_a_licence_that_is_taken() {
        let (card, refuses) = ("---\nlicense: Apache License 2.0\n---\n# A\n", "Apache");
        let destination = FakeDestination {
            bad_card: Some(refuses),
            ..FakeDestination::default()
        };
        let cards = destination.cards().unwrap();
        let (edited, warnings) = super::mended(card, cards, Some(Sdk::Gradio)).await.unwrap();
        assert_eq!(
            (edited.as_str(), warnings.len()),
            ("---\nsdk: gradio\nlicense: apache-2.0\n---\n# A\n", 2)
        );
        let (same, warnings) = super::mended("# A\n", cards, None).await.unwrap();
        assert_eq!((same.as_str(), warnings), ("# A\n", Vec::new()));
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
