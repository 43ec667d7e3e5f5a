//! The account that a token belongs to, and what that token may do, as far as its hub tells.

use crate::repo::{RepoAt, RepoId, RepoKind};

/// The account that a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The organisations that the account is known to be in; empty where the hub does not tell.
    pub organisations: Vec<Organisation>,
    /// Whether the token may write, where the hub tells and it is the same for every repo.
    pub can_write: Option<bool>,
    /// The single permissions of the token, where it has such.
    pub scopes: Option<TokenScopes>,
    /// The account's plan, by a name of [`crate::Profile::private_storage`]; `None` where the hub does not tell.
    pub plan: Option<&'static str>,
}

/// An organisation, and the account's role in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its name, as it stands before the names of its repos.
    pub name: String,
    /// The role; `None` where the hub names none, or one that is not known here.
    pub role: Option<OrganisationRole>,
}

/// The role of an account in an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganisationRole {
    /// Reads, and writes nothing.
    Read,
    /// Creates repos, and writes to its own.
    Contributor,
    /// Writes to every repo.
    Write,
    /// Writes to every repo, and has members and settings in hand.
    Admin,
}

/// The permissions of a token that was given each of them by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenScopes {
    /// What the token may do, and where.
    pub grants: Vec<PermissionGrant>,
    /// Whether it reads gated repos that the account was let into.
    pub reads_gated: bool,
    /// Whether it has more permissions, on repos that the hub's answer does not name.
    pub is_partial: bool,
}

/// Permissions on the repos of an owner, or on one repo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionGrant {
    /// What they are about.
    pub on: PermissionTarget,
    /// Whether private content may be read.
    pub can_read: bool,
    /// Whether repos may be written; of an owner, also made.
    pub can_write: bool,
}

/// What a permission is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PermissionTarget {
    /// Every repo of a user or an organisation.
    Owner(String),
    /// One repo.
    Repo(RepoKind, RepoId),
}

/// What keeps a token from writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteRefusal {
    /// The token only reads.
    ReadOnlyToken,
    /// The owner is neither the account nor an organisation of it.
    NotMember,
    /// The account's role in the organisation only reads.
    ReadOnlyRole,
    /// The token lacks the permission to write there.
    NoPermission,
}

impl Account {
    /// An account of which its hub tells no more than the name.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            organisations: Vec::new(),
            can_write: None,
            scopes: None,
            plan: None,
        }
    }

    /// Whether this owner is the account itself, or an organisation that it is known to be in.
    pub fn owns(&self, owner: &str) -> bool {
        self.name.eq_ignore_ascii_case(owner) || self.organisation(owner).is_some()
    }

    /// What is known to keep the token from writing to the repo at `at`, or from making it. `None` does not say that it may: the hub
    /// decides at the first write.
    pub fn write_refusal(&self, at: &RepoAt) -> Option<WriteRefusal> {
        let owner = at.id.owner();
        let scopes = self.scopes.as_ref();
        let is_granted =
            scopes.is_some_and(|scopes| scopes.of_repo(at).any(|grant| grant.can_write));
        if self.can_write == Some(false) {
            Some(WriteRefusal::ReadOnlyToken)
        } else if is_granted && !self.reads_only_in(owner) {
            None
        } else if !self.organisations.is_empty() && !self.owns(owner) {
            Some(WriteRefusal::NotMember)
        } else if self.reads_only_in(owner) {
            Some(WriteRefusal::ReadOnlyRole)
        } else {
            let is_told = scopes.is_some_and(|scopes| !scopes.is_partial);
            is_told.then_some(WriteRefusal::NoPermission)
        }
    }

    /// Whether the account's role in an organisation of this name only reads.
    pub fn reads_only_in(&self, owner: &str) -> bool {
        self.organisation(owner)
            .is_some_and(|organisation| organisation.role == Some(OrganisationRole::Read))
    }

    fn organisation(&self, name: &str) -> Option<&Organisation> {
        self.organisations
            .iter()
            .find(|organisation| organisation.name.eq_ignore_ascii_case(name))
    }
}

impl OrganisationRole {
    /// The role's name, as hubs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Contributor => "contributor",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Read, Self::Contributor, Self::Write, Self::Admin]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

impl TokenScopes {
    /// The permissions on every repo of an owner.
    pub fn of_owner<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = &'a PermissionGrant> {
        self.grants.iter().filter(move |grant| match &grant.on {
            PermissionTarget::Owner(name) => name.eq_ignore_ascii_case(owner),
            PermissionTarget::Repo(..) => false,
        })
    }

    /// The permissions that hold for one repo: its own, and those of its owner.
    fn of_repo<'a>(&'a self, at: &'a RepoAt) -> impl Iterator<Item = &'a PermissionGrant> {
        self.grants.iter().filter(|grant| match &grant.on {
            PermissionTarget::Owner(name) => name.eq_ignore_ascii_case(at.id.owner()),
            PermissionTarget::Repo(kind, id) => {
                *kind == at.kind && id.as_str().eq_ignore_ascii_case(at.id.as_str())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(id: &str) -> RepoAt {
        let json = serde_json::json!({"hub": "huggingface", "endpoint": "https://h", "kind": "model", "id": id, "revision": "main"});
        serde_json::from_value(json).unwrap()
    }

    fn account(role: Option<OrganisationRole>, scopes: Option<TokenScopes>) -> Account {
        let acme = Organisation {
            name: "Acme".into(),
            role,
        };
        Account {
            organisations: vec![acme],
            scopes,
            ..Account::named("alice")
        }
    }

    fn refusals(account: &Account) -> [Option<WriteRefusal>; 3] {
        ["alice/x", "acme/x", "bob/x"].map(|id| account.write_refusal(&at(id)))
    }

    #[test]
    fn what_the_hub_tells_decides_where_a_token_may_write() {
        use WriteRefusal::{NoPermission, NotMember, ReadOnlyRole, ReadOnlyToken};
        let of_roles = [
            (None, None),
            (Some(OrganisationRole::Contributor), None),
            (Some(OrganisationRole::Read), Some(ReadOnlyRole)),
        ];
        for (role, in_acme) in of_roles {
            let told = refusals(&account(role, None));
            assert_eq!(told, [None, in_acme, Some(NotMember)], "{role:?}");
        }
        let reader = Account {
            can_write: Some(false),
            ..account(None, None)
        };
        assert_eq!(refusals(&reader), [Some(ReadOnlyToken); 3]);
        assert_eq!(refusals(&Account::named("alice")), [None; 3], "not told");
        let nothing = account(None, Some(TokenScopes::default()));
        assert_eq!(
            refusals(&nothing),
            [Some(NoPermission), Some(NoPermission), Some(NotMember)]
        );
    }

    #[test]
    fn a_permission_holds_for_its_owner_or_its_repo() {
        let grant = |on, can_write| PermissionGrant {
            on,
            can_read: true,
            can_write,
        };
        let one = PermissionTarget::Repo(RepoKind::Model, "acme/x".parse().unwrap());
        let scopes = TokenScopes {
            grants: vec![
                grant(PermissionTarget::Owner("Alice".into()), true),
                grant(PermissionTarget::Owner("acme".into()), false),
                grant(one, true),
            ],
            ..TokenScopes::default()
        };
        let account = account(None, Some(scopes.clone()));
        assert_eq!(refusals(&account)[..2], [None, None]);
        let of_acme = ["acme/y", "acme/x"].map(|id| {
            let dataset = RepoAt {
                kind: RepoKind::Dataset,
                ..at(id)
            };
            account.write_refusal(&dataset)
        });
        assert_eq!(of_acme, [Some(WriteRefusal::NoPermission); 2]);
        let partial = TokenScopes {
            is_partial: true,
            ..scopes
        };
        let account = Account {
            scopes: Some(partial),
            ..account
        };
        assert_eq!(
            account.write_refusal(&at("acme/y")),
            None,
            "the hub's answer does not name all repos"
        );
    }
}
