//! The errors of Git hosts for a person who mirrors.

use hf2ms_hub::{Error, Kind};
use hf2ms_worker::protocol::Exit;

use super::endpoints::{GitEndpoint, MirrorSide};
use crate::settings::remedies::remedy_of_mirror;
use crate::ui::errors::CliError;

/// A host's error in one line: what is wrong, and what to do.
pub(super) fn explain(error: &Error, endpoint: &GitEndpoint, side: MirrorSide) -> CliError {
    let (name, url, token) = (side.name(), &endpoint.at.endpoint, endpoint.token_name);
    let [user_name, of_side, _] = side.variables();
    let both = match token == of_side {
        true => format!("{user_name} and {token}"),
        false => token.to_owned(),
    };
    let line = match (error.kind(), endpoint.login.is_some()) {
        (Kind::Unauthorized, false) => {
            format!("the {name} {url} wants credentials, or does not exist: set {both}")
        }
        (Kind::Unauthorized, true) => {
            format!(
                "the {name} {url} does not take the user name and {token}: check both, and that the token is valid"
            )
        }
        (Kind::Denied, _) if side == MirrorSide::Target => {
            format!(
                "{token} may not push to the target {url}: give it the right to write the repository ({})",
                error.message()
            )
        }
        (Kind::Denied, _) => format!(
            "{token} may not read the source {url}: use the token of an account that may ({})",
            error.message()
        ),
        (Kind::Disabled, _) => format!(
            "the {name} {url} can't be mirrored: {}; only its host's support can help",
            error.message()
        ),
        (Kind::NotFound, _) => format!(
            "the {name} {url} was not found: check the address, and that {token} may see it"
        ),
        (Kind::Refused, _) => format!(
            "the {name} {url} is no Git repo that can be reached by HTTP: {}; check the address",
            error.message()
        ),
        (Kind::Unreachable, _) => format!(
            "the {name} {url} can't be reached: check the address and the network ({error})"
        ),
        (kind, _) => format!("the {name} {url}: {error}; {}", remedy_of_mirror(kind)),
    };
    let exit = if error.kind() == Kind::Refused {
        Exit::Refused
    } else {
        Exit::of(error.kind())
    };
    CliError::new(exit, line)
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::Token;

    use super::*;
    use crate::mirror::endpoints::parse_source;
    use crate::settings::Environment;
    use crate::settings::remedies::every_kind;
    use crate::ui::errors::says_what_to_do;

    #[test]
    fn every_error_of_a_git_host_names_the_side_and_says_what_to_do() {
        for kind in every_kind() {
            for side in [MirrorSide::Source, MirrorSide::Target] {
                for login in [None, Token::login("me", "t-1234567").ok()] {
                    let address = "https://git.example/a/b.git";
                    let mut endpoint = parse_source(address, &Environment::default()).unwrap();
                    (endpoint.login, endpoint.token_name) = (login, side.variables()[1]);
                    let line = explain(&Error::new(kind, "no"), &endpoint, side).to_string();
                    assert!(
                        says_what_to_do(&line)
                            && line.contains(side.name())
                            && line.lines().count() == 1,
                        "{kind:?} {side:?}: {line}"
                    );
                }
            }
        }
    }
}
