//! The name that may have been meant where a word is no name.

/// From this similarity on, of 0 to 1, a name may be what was meant.
const ALIKE: f64 = 0.7;

/// The name that is most like a word, if one is like it. Names are compared in lower case, with `-` for `_`.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let even = |word: &str| word.to_lowercase().replace('_', "-");
    let word = even(word);
    names
        .map(|name| (strsim::jaro_winkler(&word, &even(name)), name))
        .filter(|(similarity, _)| *similarity >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_told_and_none_that_is_unlike() {
        let names = ["Qwen2.5-7B", "bert_base", "gpt2"];
        let near = |word| nearest(word, names.into_iter());
        assert_eq!(near("qwen2.5-7b-instruct"), Some("Qwen2.5-7B"));
        assert_eq!(near("bert-bas"), Some("bert_base"));
        assert_eq!(near("xyz"), None);
    }
}
