//! Whether a copy shows more than its source.

use hf2ms_hub::{Gate, Visibility};

/// How a copy shows more than its source: `public, and the source private`. Of each side it is known who may see it, and its gate.
pub fn shows_more(
    (ours, our_gate): (Visibility, Gate),
    (its, its_gate): (Visibility, Gate),
) -> Option<String> {
    let is_gated = matches!(its_gate, Gate::Gated(_));
    match (our_gate, is_gated) {
        _ if ours.shows_more_than(its) => Some(format!("{ours}, and the source {its}")),
        (Gate::Open, true) if !its.shows_more_than(ours) => {
            Some("open, and the source behind a gate".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::GateMode;

    use super::*;

    #[test]
    fn a_copy_that_shows_more_than_its_source_is_told() {
        use Visibility::{Private, Public};
        let gated = Gate::Gated(GateMode::Manual);
        let open = |source| shows_more((Public, Gate::Open), source);
        let said = open((Private, Gate::Open));
        assert_eq!(said.as_deref(), Some("public, and the source private"));
        let said = open((Public, gated));
        assert_eq!(said.as_deref(), Some("open, and the source behind a gate"));
        assert_eq!(open((Public, Gate::Open)), None);
        assert_eq!(open((Public, Gate::Untold)), None);
        assert_eq!(shows_more((Private, Gate::Open), (Public, gated)), None);
        assert_eq!(shows_more((Public, gated), (Public, gated)), None);
    }
}
