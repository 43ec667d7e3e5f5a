//! The facts of the toy hub.

use reqwest::header::AUTHORIZATION;

use crate::http::Credentials;
use crate::profile::{Abilities, Folders, Profile, Variables};
use crate::token::Token;
use crate::transport::BlobTransport;

/// The toy hub, which has no public address: `TOY_ENDPOINT` names its server.
pub(crate) const PROFILE: Profile = Profile {
    name: "Toy",
    id: "toy",
    prefix: "toy",
    endpoint: Some("https://toy.invalid"),
    hosts: &["toy.invalid"],
    mirrors: &[],
    storage: &[],
    folders: Some(Folders {
        model: "models",
        dataset: "datasets",
        space: "spaces",
    }),
    main_branch: "trunk",
    own_files: &[],
    variables: Variables {
        token: &["TOY_TOKEN"],
        endpoint: "TOY_ENDPOINT",
        domain: None,
        destination_token: "TOY_DESTINATION_TOKEN",
        destination_endpoint: "TOY_DESTINATION_ENDPOINT",
        user: None,
    },
    token_page: Some("/tokens"),
    settings_page: None,
    members_page: None,
    permissions: None,
    client_login: None,
    git_user: "toy",
    git_suffix: "",
    credentials,
    app: None,
    transports: &[BlobTransport::Http],
    private_storage: &[],
    abilities: Abilities {
        tells_commits: true,
        lists_git_ids: false,
        scopes_tokens: false,
        deletes_repos: false,
        separate_sites: false,
        copies_blobs: false,
        card_names_sdk: false,
        pull_requests: None,
    },
};

/// The token goes as a bearer.
pub(super) fn credentials(token: Option<&Token>) -> Credentials {
    Credentials::of(token, |token| [(AUTHORIZATION, token.header("Bearer "))])
}
