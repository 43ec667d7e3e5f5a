//! The facts of a Git host, which has no API here: a repo is known by its whole address and read by Git and LFS.

use crate::http::Credentials;
use crate::profile::{Abilities, Profile, Variables};
use crate::transport::BlobTransport;

/// Any Git host.
pub(crate) const PROFILE: Profile = Profile {
    name: "Git",
    id: "git",
    prefix: "git",
    endpoint: None,
    hosts: &[],
    mirrors: &[],
    // GitHub's; other hosts keep blobs below their own domain, or where a user's resolver has to know the name.
    storage: &["githubusercontent.com", "github-cloud.s3.amazonaws.com"],
    folders: None,
    main_branch: "main",
    own_files: &[],
    variables: Variables {
        token: &["HF2MS_SOURCE_LOGIN"],
        endpoint: "HF2MS_SOURCE_ENDPOINT",
        domain: None,
        destination_token: "HF2MS_TARGET_LOGIN",
        destination_endpoint: "HF2MS_TARGET_ENDPOINT",
        user: None,
    },
    token_page: None,
    settings_page: None,
    members_page: None,
    permissions: None,
    client_login: None,
    git_user: "oauth2",
    git_suffix: "",
    credentials: |token| Credentials::basic(PROFILE.git_user, token),
    app: None,
    transports: &[BlobTransport::Http],
    private_storage: &[],
    abilities: Abilities {
        tells_commits: true,
        lists_git_ids: false,
        scopes_tokens: true,
        deletes_repos: false,
        separate_sites: false,
        copies_blobs: false,
        card_names_sdk: false,
        pull_requests: None,
    },
};
