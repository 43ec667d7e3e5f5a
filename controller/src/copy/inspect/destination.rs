//! The destination: the account, the repo and its files.

use std::sync::Arc;

use hf2ms_hub::{
    Account, Destination, Error, Kind, Listing, RepoAt, RepoInfo, Revision, WriteRefusal,
    open_destination, open_space,
};
use hf2ms_worker::pipeline::creation::{
    self, Created, CreationError, Readers, create_or_adopt, no_gates,
};
use hf2ms_worker::protocol::Creation;

use crate::args::filter::Filter;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error, token_missing};
use crate::settings::refused_write::RefusedWrite;
use crate::ui::errors::{CliError, CliResult};

/// The destination as it was found: absent, or with its branch and files.
pub struct DestinationRepo {
    /// The repo and its branch.
    pub at: RepoAt,
    /// What its hub says of it; `None` when it is absent.
    pub info: Option<RepoInfo>,
    /// Where its branch stood before anything was listed, if its hub tells.
    pub head: Option<Revision>,
    /// Its files, once listed; none when it is absent.
    pub listing: Listing,
    /// How it is spoken to.
    pub hub: Arc<dyn Destination>,
    account: Option<Account>,
    filter: Filter,
    /// Whether it will be written, or only read.
    mode: AccessMode,
}

/// The account that writes at the destination's hub.
pub struct Writer {
    at: RepoAt,
    hub: Arc<dyn Destination>,
    account: Option<Account>,
}

impl Writer {
    /// Asks the hub of this repo whose the token is.
    ///
    /// # Errors
    /// No token, or a bad one.
    pub async fn ask(at: RepoAt, settings: &Settings) -> CliResult<Self> {
        let access = settings.access_to(at.hub);
        if access.token.is_none() {
            return Err(token_missing(at.hub, access));
        }
        let hub = open(&at, settings)?;
        let account = hub
            .account_if_told()
            .await
            .map_err(|error| hub_error(&error, &at, settings, AccessMode::Account))?;
        Ok(Self { at, hub, account })
    }
}

impl DestinationRepo {
    /// Finds a destination that will be written; the account is checked first.
    ///
    /// # Errors
    /// No token, a bad one, or one that may not write there.
    pub async fn to_write(at: RepoAt, filter: Filter, settings: &Settings) -> CliResult<Self> {
        let writer = Writer::ask(at.clone(), settings).await?;
        Self::written_by(writer, at, filter, settings).await
    }

    /// The same for an account that is known already.
    ///
    /// # Errors
    /// The hub's, or that the token may not write there.
    pub async fn written_by(
        writer: Writer,
        at: RepoAt,
        filter: Filter,
        settings: &Settings,
    ) -> CliResult<Self> {
        let (hub, account) = match writer {
            Writer {
                at: asked,
                hub,
                account,
            } if asked == at => (hub, account),
            Writer { account, .. } => (open(&at, settings)?, account),
        };
        let token_name = settings.access_to(at.hub).token_name;
        account
            .iter()
            .try_for_each(|account| may_write(account, &at, token_name))?;
        let looking = Self::look(at, filter, settings, hub, account, AccessMode::Write);
        let mut destination = looking.await?;
        destination.head = if destination.info.is_some() {
            destination.head_now().await
        } else {
            None
        };
        Ok(destination)
    }

    /// Finds a destination that is only read.
    ///
    /// # Errors
    /// The hub's.
    pub async fn to_read(at: RepoAt, filter: Filter, settings: &Settings) -> CliResult<Self> {
        let hub = open(&at, settings)?;
        Self::look(at, filter, settings, hub, None, AccessMode::ReadDestination).await
    }

    async fn look(
        at: RepoAt,
        filter: Filter,
        settings: &Settings,
        hub: Arc<dyn Destination>,
        account: Option<Account>,
        mode: AccessMode,
    ) -> CliResult<Self> {
        let info = hub.find().await;
        let info = info.map_err(|error| unread(&error, &at, settings, mode))?;
        Ok(Self {
            at,
            info,
            head: None,
            listing: Listing::default(),
            hub,
            account,
            filter,
            mode,
        })
    }

    /// The same repo at another branch or tag, which stands at `head`; nothing is listed yet.
    ///
    /// # Errors
    /// The hub can't be spoken to.
    pub fn at_branch(
        &self,
        branch: &Revision,
        head: Option<Revision>,
        settings: &Settings,
    ) -> CliResult<Self> {
        let at = RepoAt {
            revision: branch.clone(),
            ..self.at.clone()
        };
        let (hub, info) = (open(&at, settings)?, self.info.clone());
        Ok(Self {
            at,
            info,
            head,
            listing: Listing::default(),
            hub,
            account: self.account.clone(),
            filter: self.filter.clone(),
            mode: self.mode,
        })
    }

    /// Creates it, as a repo of files or as an app; where another writer was first, the repo of that writer is taken. What it holds
    /// then is listed while the hub is asked who may see it.
    ///
    /// # Errors
    /// It can't be created, may not be seen, or is public when what comes is not.
    pub async fn create(
        &self,
        creation: Creation,
        settings: &Settings,
    ) -> CliResult<(Created, CliResult<Listing>)> {
        let wanted = Readers::from(creation);
        let creating = async {
            match creation.sdk {
                None => creation::create(self.hub.as_ref(), wanted).await,
                Some(_) if wanted.gate.is_some() => Err(no_gates()),
                Some(sdk) => {
                    open_space(&settings.destination(&self.at)?, settings.http())?
                        .create_space(wanted.visibility, sdk)
                        .await
                }
            }
        };
        let listing = self.list(settings);
        let created = create_or_adopt(self.hub.as_ref(), wanted, creating, listing);
        created.await.map_err(|error| match error {
            CreationError::Hub(error) => hub_error(&error, &self.at, settings, AccessMode::Write),
            error => self.not_usable(&error),
        })
    }

    /// Refuses a destination that would show to everyone what is to have these readers.
    ///
    /// # Errors
    /// That it would.
    pub fn check_not_exposed(&self, wanted: impl Into<Readers>) -> CliResult<()> {
        match &self.info {
            Some(info) => {
                creation::check_not_exposed(wanted, info).map_err(|error| self.not_usable(&error))
            }
            None => Ok(()),
        }
    }

    /// Why this destination can't take what comes, with what to do instead.
    fn not_usable(&self, error: &CreationError) -> CliError {
        let RepoAt { id, hub, .. } = &self.at;
        CliError::refused(match error {
            CreationError::WouldShow(wanted) => format!(
                "{id} is public at the destination, and what would be copied is {wanted}: give --public to show it, or --dest with another id"
            ),
            CreationError::ShowsMore { wanted, found } => format!(
                "{hub} created {id} {found}, though {wanted} was asked for, and no file was committed: make it {wanted} there, or delete it"
            ),
            CreationError::WouldOpen => format!(
                "{id} is open to all at the destination, and what would be copied is behind a gate: set the gate there, or use --dest with another id"
            ),
            CreationError::NoGate => format!(
                "{hub} created {id} without the gate that was asked for, and no file was committed: set it there, or delete the repo"
            ),
            CreationError::NotVisible => {
                format!("{id} exists on {hub} and is not ours to see: use --dest with another id")
            }
            CreationError::Hub(error) => error.to_string(),
        })
    }

    /// What stands there now; nothing where there is no repo.
    ///
    /// # Errors
    /// The hub's.
    pub async fn current(&self, settings: &Settings) -> CliResult<Listing> {
        if self.info.is_none() {
            return Ok(Listing::default());
        }
        let listed = self.hub.list_branch_at(self.head.as_ref()).await;
        self.filtered(listed, settings)
    }

    /// Where its branch stands now, if its hub tells.
    pub async fn head_now(&self) -> Option<Revision> {
        self.hub.head().await.ok().flatten()
    }

    /// Lists what the run is about, anew.
    ///
    /// # Errors
    /// The hub's.
    pub async fn list(&self, settings: &Settings) -> CliResult<Listing> {
        self.filtered(self.hub.list_branch().await, settings)
    }

    fn filtered(
        &self,
        listed: hf2ms_hub::Result<Listing>,
        settings: &Settings,
    ) -> CliResult<Listing> {
        let mut listing = listed.map_err(|error| unread(&error, &self.at, settings, self.mode))?;
        self.filter.apply(&mut listing);
        Ok(listing)
    }

    /// The files that the run is about.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether the owner is known to be the account itself, whose token may write. A token with scopes may write to one repo and
    /// not to another, which only asking tells.
    pub fn is_ours(&self) -> bool {
        !self.at.hub.profile().abilities.scopes_tokens
            && self
                .account
                .as_ref()
                .is_some_and(|account| account.owns(self.at.id.owner()))
    }
}

fn open(at: &RepoAt, settings: &Settings) -> CliResult<Arc<dyn Destination>> {
    settings
        .destination(at)
        .and_then(|side| open_destination(&side, settings.http()))
        .map_err(|error| unread(&error, at, settings, AccessMode::ReadDestination))
}

/// The error of a read of the destination. Where it will be written and is another's, another destination helps.
fn unread(error: &Error, at: &RepoAt, settings: &Settings, mode: AccessMode) -> CliError {
    let mode = match error.kind() {
        Kind::Gated => mode,
        _ => AccessMode::ReadDestination,
    };
    hub_error(error, at, settings, mode)
}

/// Refuses what is known to be impossible. A hub that tells no organisations decides when the repo is created; so does one whose
/// organisation lets the account only read, since a resource group of it may let the account write.
fn may_write(account: &Account, at: &RepoAt, token: &str) -> CliResult<()> {
    let refusal = account.write_refusal(at);
    let Some(refusal) = refusal.filter(|refusal| *refusal != WriteRefusal::ReadOnlyRole) else {
        return Ok(());
    };
    let (name, hub) = (&account.name, at.hub);
    let RefusedWrite { why, remedy } = RefusedWrite::of(refusal, at, account);
    let own = RepoAt {
        id: format!("{name}/{}", at.id.name())
            .parse()
            .unwrap_or_else(|_| at.id.clone()),
        ..at.clone()
    };
    let elsewhere = match account.write_refusal(&own) {
        None => format!("use --dest {}", own.id),
        Some(_) => "give another --dest".to_owned(),
    };
    Err(CliError::refused(match refusal {
        WriteRefusal::ReadOnlyToken => format!("{token} of {name} may only read: {remedy}"),
        WriteRefusal::NotMember => format!(
            "{token} of {name} may not write to {} on {hub}: {elsewhere}",
            at.id
        ),
        WriteRefusal::ReadOnlyRole | WriteRefusal::NoPermission => format!(
            "{token} of {name} may not write to {} on {hub}: {why}; {remedy}, or {elsewhere}",
            at.id
        ),
    }))
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{
        Organisation, OrganisationRole, PermissionGrant, PermissionTarget, TokenScopes,
    };

    use super::*;
    use crate::runs::tests::at;

    fn account(name: &str, organisations: &[&str], can_write: Option<bool>) -> Account {
        let organisation = |name: &&str| Organisation {
            name: (*name).to_owned(),
            role: Some(OrganisationRole::Admin),
        };
        Account {
            organisations: organisations.iter().map(organisation).collect(),
            can_write,
            ..Account::named(name)
        }
    }

    #[test]
    fn a_missing_permission_or_role_is_named_with_the_page_that_gives_it() {
        let to = at("huggingface", "acme/x");
        let own = PermissionGrant {
            on: PermissionTarget::Owner("bob".into()),
            can_read: true,
            can_write: true,
        };
        let mut bob = Account {
            scopes: Some(TokenScopes {
                grants: vec![own],
                ..TokenScopes::default()
            }),
            ..account("bob", &["acme"], None)
        };
        let line = |bob: &Account| may_write(bob, &to, "HF_TOKEN").unwrap_err().to_string();
        let (endpoint, head) = (
            &to.endpoint,
            "HF_TOKEN of bob may not write to acme/x on Hugging Face",
        );
        assert_eq!(
            line(&bob),
            format!(
                "{head}: it lacks repo.write for acme; add that at {endpoint}/settings/tokens, or use --dest bob/x"
            )
        );
        assert!(may_write(&bob, &at("huggingface", "bob/x"), "HF_TOKEN").is_ok());
        bob.organisations[0].role = Some(OrganisationRole::Read);
        bob.scopes.as_mut().unwrap().grants.clear();
        assert!(may_write(&bob, &to, "HF_TOKEN").is_ok(), "the hub decides");
    }

    #[test]
    fn a_namespace_of_someone_else_is_refused_where_it_can_be_known() {
        let to = at("modelscope", "Acme/x");
        assert!(may_write(&account("acme", &[], None), &to, "MODELSCOPE_TOKEN").is_ok());
        assert!(
            may_write(
                &account("bob", &["acme"], Some(true)),
                &to,
                "MODELSCOPE_TOKEN"
            )
            .is_ok()
        );
        assert!(
            may_write(&account("bob", &[], None), &to, "MODELSCOPE_TOKEN").is_ok(),
            "the hub decides"
        );
        let line = may_write(&account("bob", &["other"], None), &to, "MODELSCOPE_TOKEN")
            .unwrap_err()
            .to_string();
        assert_eq!(
            line,
            "MODELSCOPE_TOKEN of bob may not write to Acme/x on ModelScope: use --dest bob/x"
        );
        assert!(
            may_write(&account("acme", &[], Some(false)), &to, "MODELSCOPE_TOKEN")
                .unwrap_err()
                .to_string()
                .contains("may only read")
        );
    }
}
