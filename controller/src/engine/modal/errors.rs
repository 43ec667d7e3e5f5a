//! The errors of Modal for a person: what happened, and what to do.

use hf2ms_worker::protocol::Exit;

use super::bridge::{BridgeError, BridgeErrorKind};
use super::{EXTRA, SDK};
use crate::ui::errors::CliError;

/// The error of a command for an error of Modal.
pub fn explain(error: &BridgeError) -> CliError {
    let said = &error.message;
    match error.kind {
        BridgeErrorKind::Missing => CliError::usage(format!(
            "--on modal needs Modal's SDK: pip install '{EXTRA}', pipx install --force '{EXTRA}' or uv tool install '{EXTRA}' brings it; or set HF2MS_PYTHON to a Python that has modal=={SDK} ({said})"
        )),
        BridgeErrorKind::Unauthorized => CliError::refused(format!(
            "Modal refuses the token: set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET, from https://modal.com/settings/tokens ({said})"
        )),
        BridgeErrorKind::Quota => CliError::refused(format!(
            "Modal gives this workspace no more: use fewer --containers or raise its limits ({said})"
        )),
        BridgeErrorKind::Spent => CliError::refused(format!(
            "Modal's spend limit for this workspace is reached: raise it at https://modal.com/settings/usage, then run the same command again ({said})"
        )),
        BridgeErrorKind::NotFound => CliError::refused(format!(
            "Modal knows no such app or call, since it was stopped or deleted there: run the same command again ({said})"
        )),
        BridgeErrorKind::Unreachable | BridgeErrorKind::Busy => CliError::new(
            Exit::Incomplete,
            format!(
                "Modal can't be reached: check the network, then run the same command again ({said})"
            ),
        ),
        BridgeErrorKind::Gone | BridgeErrorKind::Other => CliError::new(
            Exit::Incomplete,
            format!(
                "Modal fails: run the same command again, and look at https://modal.com/apps if it goes on ({said})"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::says_what_to_do;

    /// Every kind; a new one does not compile until it is here.
    fn every_kind() -> [BridgeErrorKind; 9] {
        use BridgeErrorKind::{
            Busy, Gone, Missing, NotFound, Other, Quota, Spent, Unauthorized, Unreachable,
        };
        let all = [
            Missing,
            Unauthorized,
            Quota,
            Spent,
            NotFound,
            Unreachable,
            Busy,
            Gone,
            Other,
        ];
        for kind in all {
            match kind {
                Missing | Unauthorized | Quota | Spent | NotFound => (),
                Unreachable | Busy | Gone | Other => (),
            }
        }
        all
    }

    #[test]
    fn no_error_of_modal_is_without_a_remedy() {
        for kind in every_kind() {
            let message = "m".to_owned();
            let line = explain(&BridgeError { kind, message }).to_string();
            assert!(
                says_what_to_do(&line) && line.contains("Modal"),
                "{kind:?}: {line}"
            );
        }
    }

    #[test]
    fn every_error_says_what_to_do() {
        for (kind, exit, words) in [
            (
                BridgeErrorKind::Missing,
                Exit::Usage,
                "pip install 'hf2ms-cli[modal]'",
            ),
            (
                BridgeErrorKind::Unauthorized,
                Exit::Refused,
                "set MODAL_TOKEN_ID",
            ),
            (BridgeErrorKind::Quota, Exit::Refused, "fewer --containers"),
            (BridgeErrorKind::Spent, Exit::Refused, "spend limit"),
            (
                BridgeErrorKind::Unreachable,
                Exit::Incomplete,
                "check the network",
            ),
        ] {
            let failure = explain(&BridgeError {
                kind,
                message: "m".into(),
            });
            assert_eq!(failure.exit(), exit);
            assert!(
                failure.to_string().contains(words) && failure.to_string().contains("(m)"),
                "{failure}"
            );
        }
    }
}
