//! The SDK in a card's front matter, by which Hugging Face runs a Space (hub documentation, "Spaces Configuration Reference"). Pure.

use hf2ms_hub::Sdk;

use super::licence::{front_matter, value_of};

/// The card with this SDK in its front matter; `None` if the card names one.
pub fn name_sdk(card: &str, sdk: Sdk) -> Option<String> {
    let (at, insert) = match front_matter(card) {
        Some(front) if value_of(card, front.clone(), "sdk").is_some() => return None,
        Some(front) => (front.start, format!("sdk: {sdk}\n")),
        None => (0, format!("---\nsdk: {sdk}\n---\n")),
    };
    let (before, after) = card.split_at(at);
    Some([before, &insert, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_gets_the_sdk_that_it_does_not_name() {
        let named = |card: &str| name_sdk(card, Sdk::Gradio);
        for (card, expected) in [
            ("# App\n", "---\nsdk: gradio\n---\n# App\n"),
            ("", "---\nsdk: gradio\n---\n"),
            (
                "---\nlicense: mit\n---\n# App\n",
                "---\nsdk: gradio\nlicense: mit\n---\n# App\n",
            ),
            ("---\nno end\n", "---\nsdk: gradio\n---\n---\nno end\n"),
        ] {
            assert_eq!(named(card).as_deref(), Some(expected), "{card:?}");
        }
        assert_eq!(named("---\ntitle: x\nsdk: static\n---\n"), None);
    }
}
