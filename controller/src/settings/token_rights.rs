//! What a token may do, as far as its hub tells: whom it reads and writes, what is missing, and the page that mends it.

use hf2ms_hub::{
    Account, Hub, Organisation, PermissionGrant, PermissionTarget, RepoKind, WriteRefusal,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::settings::account::any_of;
use crate::settings::hub_errors::token_page;
use crate::settings::refused_write::RefusedWrite;
use crate::ui::numbers::size;

/// What a token may do, as far as its hub tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TokenRights {
    /// The account's name.
    account: String,
    /// What the token may do at all.
    level: TokenLevel,
    /// The account and its organisations; the latter only where the hub names them.
    owners: Vec<OwnerRights>,
    /// Repos for which the token has permissions of their own.
    repos: Vec<RepoRights>,
    /// Whether it reads gated repos that the account was let into; absent where the hub does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    reads_gated: Option<bool>,
    /// The web page on which the hub gives and changes tokens.
    page: String,
    /// The account's private storage; absent where the hub does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_storage: Option<StorageLeft>,
    #[serde(skip)]
    hub: Hub,
}

/// What a token may do at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenLevel {
    /// It reads what its account reads.
    Read,
    /// It writes what its account writes.
    Write,
    /// It has single permissions.
    FineGrained,
    /// The hub does not tell.
    Untold,
}

/// What a token may do with the repos of an owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OwnerRights {
    /// The account, or an organisation.
    owner: String,
    /// The account's role in the organisation; absent where the hub names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// Whether private repos can be read; absent where the hub does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    reads_private: Option<bool>,
    /// Whether repos can be made and written; absent where the hub does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    writes: Option<bool>,
    /// Why they can't be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    /// The permissions for a copy that the token lacks, by the hub's names.
    missing: Vec<&'static str>,
    /// What to do to write there.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// What a token may do with one repo, by permissions of that repo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RepoRights {
    /// The repo's kind.
    kind: RepoKind,
    /// The repo.
    repo: String,
    /// Whether it can be read though it is private.
    reads_private: bool,
    /// Whether it can be written.
    writes: bool,
}

/// The private storage of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StorageLeft {
    /// The account's plan.
    plan: &'static str,
    /// The bytes that private repos may have with that plan, as the hub publishes it.
    limit: u64,
    /// The bytes of the private repos that the token sees; absent where they could not be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<u64>,
}

impl TokenRights {
    /// What is known of a token of `account`, at the hub at `endpoint`.
    pub fn of(hub: Hub, endpoint: &str, account: &Account) -> Self {
        let organisations = account.organisations.iter();
        let own = (account.name.as_str(), None);
        let all =
            std::iter::once(own).chain(organisations.map(|one| (one.name.as_str(), Some(one))));
        Self {
            account: account.name.clone(),
            level: TokenLevel::of(account),
            owners: all
                .map(|(name, of)| OwnerRights::of(hub, endpoint, account, (name, of)))
                .collect(),
            repos: repos(account),
            reads_gated: account.scopes.as_ref().map(|scopes| scopes.reads_gated),
            page: token_page(hub, endpoint),
            private_storage: account.plan.and_then(|plan| StorageLeft::of(hub, plan)),
            hub,
        }
    }

    /// The same with the bytes that the account's private repos have.
    pub fn with_used(mut self, used: Option<u64>) -> Self {
        self.private_storage = self
            .private_storage
            .map(|storage| StorageLeft { used, ..storage });
        self
    }

    /// Whether the account's private storage has a limit, and its own repos tell what is used.
    pub fn counts_storage(&self) -> bool {
        let own = self.owners.first();
        self.private_storage.is_some() && own.and_then(|own| own.reads_private) == Some(true)
    }

    /// The same in lines for a person; none about what needs no word.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.level == TokenLevel::Untold {
            let told = "not told: what the token may do, the account's organisations, its storage";
            lines.push(format!("{told}; see {}", self.page));
            return lines;
        }
        let writes: Vec<String> = self
            .owners
            .iter()
            .filter(|owner| owner.writes == Some(true))
            .map(OwnerRights::named)
            .collect();
        if !writes.is_empty() {
            lines.push(format!("writes to {}", writes.join(", ")));
        }
        lines.extend(self.repos.iter().map(RepoRights::line));
        lines.extend(self.unwritten());
        lines.extend(self.unread());
        lines.extend(self.private_storage.map(StorageLeft::line));
        lines
    }

    /// Whom the token can't write to, those together for whom the reason is the same.
    fn unwritten(&self) -> Vec<String> {
        let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
        for owner in &self.owners {
            let Some((why, remedy)) = owner.refusal.as_ref().zip(owner.remedy.as_ref()) else {
                continue;
            };
            let reason = format!("{why}; {remedy}");
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, owners)) => owners.push(owner.named()),
                None => reasons.push((reason, vec![owner.named()])),
            }
        }
        let line = |(reason, owners): (String, Vec<String>)| {
            format!("can't write to {}: {reason}", owners.join(", "))
        };
        reasons.into_iter().map(line).collect()
    }

    /// What a token with single permissions can't read.
    fn unread(&self) -> Vec<String> {
        let Some(names) = self.hub.profile().permissions else {
            return Vec::new();
        };
        let unread = self
            .owners
            .iter()
            .filter(|owner| owner.reads_private == Some(false))
            .map(|owner| owner.owner.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let mut lines = Vec::new();
        if !unread.is_empty() {
            lines.push(format!(
                "can't read private repos of {unread}: it lacks {}; add that at {}",
                names.read, self.page
            ));
        }
        if self.reads_gated == Some(false) {
            lines.push(format!(
                "can't read gated repos of others: it lacks {}; add that at {}",
                names.gated, self.page
            ));
        }
        lines
    }
}

impl TokenLevel {
    fn of(account: &Account) -> Self {
        match (account.can_write, &account.scopes) {
            (_, Some(_)) => Self::FineGrained,
            (Some(true), None) => Self::Write,
            (Some(false), None) => Self::Read,
            (None, None) => Self::Untold,
        }
    }
}

impl OwnerRights {
    fn of(
        hub: Hub,
        endpoint: &str,
        account: &Account,
        (owner, organisation): (&str, Option<&Organisation>),
    ) -> Self {
        let at = any_of(hub, RepoKind::Model, owner, endpoint).ok();
        let refusal = at.as_ref().and_then(|at| account.write_refusal(at));
        let refused = at.as_ref().zip(refusal);
        let refused = refused.map(|(at, refusal)| RefusedWrite::of(refusal, at, account));
        let has = |wanted: fn(&PermissionGrant) -> bool| {
            let scopes = account.scopes.as_ref()?;
            let granted = scopes.of_owner(owner).any(wanted);
            (granted || !scopes.is_partial).then_some(granted)
        };
        let reads_private = match account.scopes {
            Some(_) => has(|grant| grant.can_read),
            None => account.can_write.map(|_| true),
        };
        let writes = match (refusal, &account.scopes) {
            (Some(_), _) => Some(false),
            (None, Some(_)) => has(|grant| grant.can_write),
            (None, None) => account.can_write,
        };
        let names = hub
            .profile()
            .permissions
            .filter(|_| account.scopes.is_some());
        let lacks_write = refusal == Some(WriteRefusal::NoPermission);
        let lacking = names.into_iter().flat_map(|names| {
            [
                (names.read, reads_private == Some(false)),
                (names.write, lacks_write),
            ]
        });
        let (why, remedy) = refused.map_or((None, None), |refused| {
            (Some(refused.why), Some(refused.remedy))
        });
        Self {
            owner: owner.to_owned(),
            role: organisation
                .and_then(|one| one.role)
                .map(|role| role.name()),
            reads_private,
            writes,
            refusal: why,
            missing: lacking
                .filter_map(|(name, lacks)| lacks.then_some(name))
                .collect(),
            remedy,
        }
    }

    fn named(&self) -> String {
        match self.role {
            Some(role) => format!("{} ({role})", self.owner),
            None => self.owner.clone(),
        }
    }
}

impl RepoRights {
    fn line(&self) -> String {
        let may = match (self.reads_private, self.writes) {
            (true, true) => "reads and writes",
            (false, true) => "writes",
            (true, false) => "reads",
            (false, false) => "has no permission of a copy for",
        };
        format!("{may} the {} {}", self.kind, self.repo)
    }
}

impl StorageLeft {
    fn of(hub: Hub, plan: &'static str) -> Option<Self> {
        let mut plans = hub.profile().private_storage.iter();
        let (plan, limit) = plans.find(|(name, _)| *name == plan)?;
        Some(Self {
            plan,
            limit: *limit,
            used: None,
        })
    }

    fn line(self) -> String {
        let (limit, plan) = (size(self.limit), self.plan);
        match self.used {
            None => format!("private storage: {limit} (plan {plan}); what is used was not told"),
            Some(used) => {
                let left = size(self.limit.saturating_sub(used));
                let used = size(used);
                format!("private storage: {used} of {limit} used (plan {plan}), {left} left")
            }
        }
    }
}

fn repos(account: &Account) -> Vec<RepoRights> {
    let grants = account.scopes.iter().flat_map(|scopes| &scopes.grants);
    grants
        .filter_map(|grant| match &grant.on {
            PermissionTarget::Owner(_) => None,
            PermissionTarget::Repo(kind, id) => Some(RepoRights {
                kind: *kind,
                repo: id.to_string(),
                reads_private: grant.can_read,
                writes: grant.can_write,
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{OrganisationRole, TokenScopes};

    use super::*;

    fn hugging_face() -> Hub {
        Hub::by_prefix("hf").unwrap()
    }

    fn alice(roles: &[(&str, OrganisationRole)]) -> Account {
        let organisation = |(name, role): &(&str, OrganisationRole)| Organisation {
            name: (*name).to_owned(),
            role: Some(*role),
        };
        Account {
            organisations: roles.iter().map(organisation).collect(),
            plan: Some("free"),
            ..Account::named("alice")
        }
    }

    fn lines(account: &Account) -> Vec<String> {
        TokenRights::of(hugging_face(), "https://h", account)
            .with_used(Some(12_000_000_000))
            .lines()
    }

    const STORAGE: &str = "private storage: 12 GB of 100 GB used (plan free), 88 GB left";

    #[test]
    fn a_token_that_writes_says_where_and_which_role_stands_in_the_way() {
        let account = Account {
            can_write: Some(true),
            ..alice(&[
                ("acme", OrganisationRole::Admin),
                ("lab", OrganisationRole::Read),
            ])
        };
        assert_eq!(
            lines(&account),
            [
                "writes to alice, acme (admin)",
                "can't write to lab (read): the role of alice there only reads, unless a resource group gives another; ask an admin to change it at https://h/organizations/lab/settings/members",
                STORAGE,
            ]
        );
    }

    #[test]
    fn a_token_that_only_reads_says_so_once() {
        let account = Account {
            can_write: Some(false),
            ..alice(&[("acme", OrganisationRole::Admin)])
        };
        assert_eq!(
            lines(&account)[0],
            "can't write to alice, acme (admin): it may only read; get one that may write at https://h/settings/tokens"
        );
    }

    #[test]
    fn a_fine_grained_token_names_each_permission_that_a_copy_lacks() {
        let grant = |on, can_read, can_write| PermissionGrant {
            on,
            can_read,
            can_write,
        };
        let scopes = TokenScopes {
            grants: vec![
                grant(PermissionTarget::Owner("alice".into()), true, true),
                grant(PermissionTarget::Owner("acme".into()), true, false),
                grant(
                    PermissionTarget::Repo(RepoKind::Dataset, "lab/data".parse().unwrap()),
                    true,
                    true,
                ),
            ],
            reads_gated: false,
            is_partial: false,
        };
        let mut account = Account {
            scopes: Some(scopes),
            ..alice(&[
                ("acme", OrganisationRole::Admin),
                ("lab", OrganisationRole::Write),
            ])
        };
        assert_eq!(
            lines(&account),
            [
                "writes to alice",
                "reads and writes the dataset lab/data",
                "can't write to acme (admin): it lacks repo.write for acme; add that at https://h/settings/tokens",
                "can't write to lab (write): it lacks repo.write for lab; add that at https://h/settings/tokens",
                "can't read private repos of lab: it lacks repo.content.read; add that at https://h/settings/tokens",
                "can't read gated repos of others: it lacks access to public gated repositories; add that at https://h/settings/tokens",
                STORAGE,
            ]
        );
        let rights = TokenRights::of(hugging_face(), "https://h", &account);
        let json = serde_json::to_value(&rights).unwrap();
        assert_eq!(json["level"], "fine-grained");
        assert_eq!(
            json["owners"][1]["missing"],
            serde_json::json!(["repo.write"])
        );
        assert_eq!(json["owners"][0]["writes"], true);
        assert!(rights.counts_storage());
        // What the hub's answer does not name is neither promised nor denied.
        let scopes = account.scopes.as_mut().unwrap();
        (scopes.is_partial, scopes.grants[0].can_read) = (true, false);
        let rights = TokenRights::of(hugging_face(), "https://h", &account);
        assert!(!rights.counts_storage(), "private repos are not seen");
        assert!(
            lines(&account)
                .iter()
                .all(|line| !line.contains("can't write"))
        );
    }

    #[test]
    fn what_a_hub_does_not_tell_is_said_plainly() {
        let account = Account::named("alice");
        let hub = Hub::by_prefix("ms").unwrap();
        let rights = TokenRights::of(hub, "https://h", &account);
        assert_eq!(
            rights.lines(),
            [
                "not told: what the token may do, the account's organisations, its storage; see https://h/my/myaccesstoken"
            ]
        );
        let json = serde_json::to_value(&rights).unwrap();
        assert_eq!(
            (&json["level"], &json["owners"][0]["writes"]),
            (&"untold".into(), &serde_json::Value::Null)
        );
        assert!(!rights.counts_storage());
    }
}
