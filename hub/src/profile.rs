//! The facts of a hub that the rest of the workspace asks for: names, addresses, variables and abilities. Each hub's folder defines
//! its own [`Profile`]; [`crate::Hub::profile`] returns it. Requests and answers are not here: they are in the hub's folder.

use crate::http::Credentials;
use crate::token::Token;
use crate::transport::BlobTransport;

/// The facts of one hub.
#[derive(Debug)]
pub struct Profile {
    /// The hub's name in texts for people.
    pub name: &'static str,
    /// The hub's name in JSON; on the command line it may stand before a repo's id, as in `modelscope:owner/name`.
    pub id: &'static str,
    /// The short form of [`Profile::id`], as in `ms:owner/name`.
    pub prefix: &'static str,
    /// The public address, without a trailing slash; `None` where each repo has an address of its own.
    pub endpoint: Option<&'static str>,
    /// Hosts whose web addresses name repos of this hub; messages name the first.
    pub hosts: &'static [&'static str],
    /// Hosts that serve this hub's repos for others; their web addresses are read like those of [`Profile::hosts`].
    pub mirrors: &'static [&'static str],
    /// Domains at and below which the hub keeps blobs: behind a proxy these need not resolve on this machine.
    pub storage: &'static [&'static str],
    /// The folder of each kind in web addresses and Git URLs; `None` where the endpoint is the repo's whole address.
    pub folders: Option<Folders>,
    /// The branch that a new repo has.
    pub main_branch: &'static str,
    /// Files that the hub puts into the root of a new repo by itself.
    pub own_files: &'static [&'static str],
    /// The variables of the environment that say how the hub is reached.
    pub variables: Variables,
    /// The path of the web page that gives tokens, below the endpoint.
    pub token_page: Option<&'static str>,
    /// The path of a repo's page of settings below its own page, where its owner deletes it by hand.
    pub settings_page: Option<&'static str>,
    /// The path of the web page on which an organisation's members get their roles, below the endpoint, with `{}` for its name.
    pub members_page: Option<&'static str>,
    /// The names of the permissions that a token may be given by itself; `None` where tokens have levels at most.
    pub permissions: Option<PermissionNames>,
    /// Where the hub's own client keeps the token of its login; `None` where no other program can use that.
    pub client_login: Option<ClientLogin>,
    /// The user name that Git sends beside the hub's token.
    pub git_user: &'static str,
    /// The ending of the Git URL that a mirror's report shows.
    pub git_suffix: &'static str,
    /// How the API gets the token.
    pub(crate) credentials: fn(Option<&Token>) -> Credentials,
    /// The hub's word for a repo that is an app; `None` where there are none.
    pub app: Option<&'static str>,
    /// The ways in which blobs travel, apart from Git.
    pub transports: &'static [BlobTransport],
    /// The bytes of private repos that an account may have, by its plan; empty where the hub publishes no such limit.
    pub private_storage: &'static [(&'static str, u64)],
    /// What the hub does that others don't.
    pub abilities: Abilities,
}

/// What a hub calls the permissions of a token that a copy needs.
#[derive(Debug, Clone, Copy)]
pub struct PermissionNames {
    /// To read private repos.
    pub read: &'static str,
    /// To make and to write repos.
    pub write: &'static str,
    /// To read gated repos that the account was let into, as the page of the token says it.
    pub gated: &'static str,
}

/// The folder of each kind of repo, without slashes; empty where repos of the kind stand below the endpoint itself.
#[derive(Debug, Clone, Copy)]
pub struct Folders {
    /// The folder of models.
    pub model: &'static str,
    /// The folder of datasets.
    pub dataset: &'static str,
    /// The folder of apps.
    pub space: &'static str,
}

/// The file in which a hub's own client keeps its token.
#[derive(Debug, Clone, Copy)]
pub struct ClientLogin {
    /// The variable that holds the file's path.
    pub path: &'static str,
    /// The variable that holds the folder with the file, where [`ClientLogin::path`] is not set.
    pub home: &'static str,
    /// That folder's name in the user's folder of caches, where neither is set.
    pub folder: &'static str,
    /// The file's name.
    pub file: &'static str,
    /// The variable by which a user says that the file is not to be used unasked.
    pub opt_out: &'static str,
}

/// The names of a hub's environment variables.
#[derive(Debug, Clone, Copy)]
pub struct Variables {
    /// The token, or the login of a Git host; messages name the first, and the others are read where that is not set.
    pub token: &'static [&'static str],
    /// The endpoint; of a Git host, the origin that gets the login.
    pub endpoint: &'static str,
    /// The endpoint's host, read where [`Variables::endpoint`] is not set.
    pub domain: Option<&'static str>,
    /// The token of a destination that is another account or site.
    pub destination_token: &'static str,
    /// The endpoint of a destination that is another site.
    pub destination_endpoint: &'static str,
    /// The user name for Git.
    pub user: Option<&'static str>,
}

impl Variables {
    /// The variable of the token that messages name.
    pub const fn token_name(&self) -> &'static str {
        match self.token {
            [name, ..] => name,
            [] => "",
        }
    }

    /// Every variable of the hub.
    pub fn all(&self) -> impl Iterator<Item = &'static str> {
        let always = [
            self.endpoint,
            self.destination_token,
            self.destination_endpoint,
        ];
        let some = self.domain.into_iter().chain(self.user);
        self.token.iter().copied().chain(always).chain(some)
    }
}

/// What a hub does that others don't.
#[derive(Debug, Clone, Copy)]
pub struct Abilities {
    /// The hub always tells the commit of a revision; without it a repo may have to be read by a branch's name.
    pub tells_commits: bool,
    /// The listing has Git's id of a file outside LFS, and a SHA-256 only of a blob; elsewhere it has a SHA-256 of every file.
    pub lists_git_ids: bool,
    /// A token has scopes: it may read only, or write to one repo and not to another of the same owner.
    pub scopes_tokens: bool,
    /// A token may delete a repo.
    pub deletes_repos: bool,
    /// Each of the hosts is a site with accounts and repos of its own.
    pub separate_sites: bool,
    /// The hub copies blobs from one of its repos to another by itself.
    pub copies_blobs: bool,
    /// What runs an app is read of the front matter of its card; an app whose card names nothing does not run.
    pub card_names_sdk: bool,
    /// The pattern of the refs that hold pull requests.
    pub pull_requests: Option<&'static str>,
}
