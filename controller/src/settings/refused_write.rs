//! Why a token may not write to a repo, in the words of `doctor` and of a refused copy alike.

use hf2ms_hub::{Account, RepoAt, WriteRefusal};

use crate::settings::hub_errors::token_page;

/// A refusal in words: why the token may not write, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedWrite {
    /// Why.
    pub why: String,
    /// What to do, beside writing elsewhere.
    pub remedy: String,
}

impl RefusedWrite {
    /// The words for a token of `account` that may not write to the repo at `at`, nor make it.
    pub fn of(refusal: WriteRefusal, at: &RepoAt, account: &Account) -> Self {
        let (name, owner, page) = (
            &account.name,
            at.id.owner(),
            token_page(at.hub, &at.endpoint),
        );
        let (why, remedy) = match refusal {
            WriteRefusal::ReadOnlyToken => (
                "it may only read".to_owned(),
                format!("get one that may write at {page}"),
            ),
            WriteRefusal::NotMember => (
                format!("{name} is no member of {owner}"),
                format!("ask {owner} to let {name} in"),
            ),
            WriteRefusal::ReadOnlyRole => (
                format!(
                    "the role of {name} there only reads, unless a resource group gives another"
                ),
                format!("ask an admin to change it{}", members_page(at)),
            ),
            WriteRefusal::NoPermission => {
                let names = at.hub.profile().permissions;
                let write = names.map_or("the permission to write", |names| names.write);
                (
                    format!("it lacks {write} for {owner}"),
                    format!("add that at {page}"),
                )
            }
        };
        Self { why, remedy }
    }
}

fn members_page(at: &RepoAt) -> String {
    let page = at.hub.profile().members_page;
    page.map_or(String::new(), |page| {
        format!(" at {}{}", at.endpoint, page.replace("{}", at.id.owner()))
    })
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Hub, RepoKind};

    use super::*;
    use crate::settings::account::any_of;
    use crate::ui::errors::says_what_to_do;

    #[test]
    fn every_refusal_of_a_write_says_what_to_do() {
        use WriteRefusal::{NoPermission, NotMember, ReadOnlyRole, ReadOnlyToken};
        for hub in Hub::with_api() {
            let at = any_of(hub, RepoKind::Model, "acme", "https://h").unwrap();
            for refusal in [ReadOnlyToken, NotMember, ReadOnlyRole, NoPermission] {
                // A new variant does not compile until it is above.
                match refusal {
                    ReadOnlyToken | NotMember | ReadOnlyRole | NoPermission => (),
                }
                let refused = RefusedWrite::of(refusal, &at, &Account::named("alice"));
                let line = format!("{}; {}", refused.why, refused.remedy);
                assert!(says_what_to_do(&line), "{hub} {refusal:?}: {line}");
            }
        }
    }
}
