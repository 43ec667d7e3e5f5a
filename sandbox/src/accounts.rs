//! Who the tokens are, and what they may do.

use std::collections::HashSet;
use std::sync::RwLock;

use serde_json::{Value, json};

use crate::sync::Shared;

/// A hub, as far as accounts go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// Hugging Face.
    HuggingFace,
    /// ModelScope.
    ModelScope,
}

/// A token and whose it is.
#[derive(Debug)]
pub struct Account {
    /// The token.
    pub token: &'static str,
    /// The user's name.
    pub user: &'static str,
    /// Whether it may change anything.
    pub write: bool,
    /// Organisations the user administers.
    pub orgs: &'static [&'static str],
    /// The permissions of a fine-grained token; `None` for one that may what its user may.
    pub scopes: Option<&'static Scopes>,
}

/// The permissions of a fine-grained token.
#[derive(Debug)]
pub struct Scopes {
    /// Whether it reads gated repos that the user was let into.
    pub reads_gated: bool,
    /// `user` or `org`, its name, and the permissions there.
    pub of: &'static [(&'static str, &'static str, &'static [&'static str])],
}

impl Scopes {
    fn has(&self, namespace: &str, permission: &str) -> bool {
        self.of
            .iter()
            .any(|(_, name, has)| *name == namespace && has.contains(&permission))
    }
}

/// All of alice's own repos, and nothing but reading at acme.
static FINE_GRAINED: Scopes = Scopes {
    reads_gated: false,
    of: &[
        (
            "user",
            "alice",
            &["repo.content.read", "repo.access.read", "repo.write"],
        ),
        ("org", "acme", &["repo.content.read", "discussion.write"]),
    ],
};

static HUGGING_FACE: [Account; 4] = [
    Account {
        token: "hf_sandboxAliceWrite",
        user: "alice",
        write: true,
        orgs: &["acme"],
        scopes: None,
    },
    Account {
        token: "hf_sandboxAliceRead",
        user: "alice",
        write: false,
        orgs: &["acme"],
        scopes: None,
    },
    Account {
        token: "hf_sandboxBobWrite",
        user: "bob",
        write: true,
        orgs: &[],
        scopes: None,
    },
    Account {
        token: "hf_sandboxAliceFine",
        user: "alice",
        write: true,
        orgs: &["acme"],
        scopes: Some(&FINE_GRAINED),
    },
];
static MODEL_SCOPE: [Account; 2] = [
    Account {
        token: "ms-sandbox-alice-write",
        user: "alice",
        write: true,
        orgs: &["acme"],
        scopes: None,
    },
    Account {
        token: "ms-sandbox-bob-write",
        user: "bob",
        write: true,
        orgs: &[],
        scopes: None,
    },
];

/// Who is asking.
#[derive(Clone, Copy)]
pub enum Caller {
    /// Nobody in particular.
    Anonymous,
    /// The owner of a good token.
    Known(&'static Account),
    /// Someone with a token that is not, or no longer, good.
    Bad,
}

impl Account {
    /// Whether the namespace is the user's own or an organisation's they administer.
    pub fn owns(&self, namespace: &str) -> bool {
        self.user == namespace || self.orgs.contains(&namespace)
    }

    /// Whether the token may change things in the namespace.
    pub fn may_write(&self, namespace: &str) -> bool {
        self.write && self.owns(namespace) && self.has(namespace, "repo.write")
    }

    /// Whether the token reads what is private in the namespace.
    pub fn may_read(&self, namespace: &str) -> bool {
        self.owns(namespace) && self.has(namespace, "repo.content.read")
    }

    fn has(&self, namespace: &str, permission: &str) -> bool {
        self.scopes
            .is_none_or(|scopes| scopes.has(namespace, permission))
    }
}

impl Caller {
    /// The account, if the token is good.
    pub fn account(self) -> Option<&'static Account> {
        match self {
            Self::Known(account) => Some(account),
            Self::Anonymous | Self::Bad => None,
        }
    }
}

/// The accounts, and the tokens that were taken back.
#[derive(Default)]
pub struct Accounts {
    revoked: RwLock<HashSet<String>>,
}

impl Accounts {
    /// Whose token it is.
    pub fn caller(&self, site: Site, token: Option<&str>) -> Caller {
        let Some(token) = token else {
            return Caller::Anonymous;
        };
        if self.revoked.shared().contains(token) {
            return Caller::Bad;
        }
        accounts_of(site)
            .iter()
            .find(|account| account.token == token)
            .map_or(Caller::Bad, Caller::Known)
    }

    /// Makes a token bad.
    pub fn revoke(&self, token: &str) {
        self.revoked.exclusive().insert(token.to_owned());
    }

    /// Makes a revoked token good again.
    pub fn restore(&self, token: &str) {
        self.revoked.exclusive().remove(token);
    }
}

fn accounts_of(site: Site) -> &'static [Account] {
    match site {
        Site::HuggingFace => &HUGGING_FACE,
        Site::ModelScope => &MODEL_SCOPE,
    }
}

/// All accounts whose tokens may do what their users may, for the line that says the sandbox is ready.
pub fn listed() -> Value {
    let list = |site| -> Vec<Value> {
        accounts_of(site)
            .iter()
            .filter(|a| a.scopes.is_none())
            .map(|a| json!({"token": a.token, "user": a.user, "write": a.write, "orgs": a.orgs}))
            .collect()
    };
    json!({"hf": list(Site::HuggingFace), "ms": list(Site::ModelScope)})
}
