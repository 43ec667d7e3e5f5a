//! The facts of Hugging Face. Sources: huggingface_hub 2.4.0, `constants.py`, `repository.py`.

use reqwest::header::AUTHORIZATION;

use crate::http::Credentials;
use crate::profile::{Abilities, ClientLogin, Folders, PermissionNames, Profile, Variables};
use crate::token::Token;
use crate::transport::BlobTransport;

/// Hugging Face, and servers with the same API.
pub(crate) const PROFILE: Profile = Profile {
    name: "Hugging Face",
    id: "huggingface",
    prefix: "hf",
    endpoint: Some("https://huggingface.co"),
    hosts: &["huggingface.co", "hf.co"],
    mirrors: &["hf-mirror.com"],
    // Below its own domains, and in S3 by either form of the address (recorded).
    storage: &[
        "huggingface.co",
        "hf.co",
        "s3-accelerate.amazonaws.com",
        "s3.us-east-1.amazonaws.com",
        "s3.amazonaws.com",
    ],
    folders: Some(Folders {
        model: "",
        dataset: "datasets",
        space: "spaces",
    }),
    main_branch: "main",
    own_files: &[".gitattributes"],
    variables: Variables {
        token: &["HF_TOKEN"],
        endpoint: "HF_ENDPOINT",
        domain: None,
        destination_token: "HF_DESTINATION_TOKEN",
        destination_endpoint: "HF_DESTINATION_ENDPOINT",
        user: Some("HF_USERNAME"),
    },
    token_page: Some("/settings/tokens"),
    settings_page: Some("/settings"),
    // The path of an organisation's page, and the permissions' names in answers of `whoami-v2`, as other projects recorded them.
    members_page: Some("/organizations/{}/settings/members"),
    permissions: Some(PermissionNames {
        read: "repo.content.read",
        write: "repo.write",
        gated: "access to public gated repositories",
    }),
    client_login: Some(ClientLogin {
        path: "HF_TOKEN_PATH",
        home: "HF_HOME",
        folder: "huggingface",
        file: "token",
        opt_out: "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    }),
    // Any user name does ("git over https").
    git_user: "user",
    git_suffix: "",
    credentials,
    app: Some("space"),
    transports: &[BlobTransport::Http, BlobTransport::Xet],
    // As its pricing page said when it was recorded.
    private_storage: &[("free", 100_000_000_000), ("PRO", 1_000_000_000_000)],
    abilities: Abilities {
        tells_commits: true,
        lists_git_ids: true,
        scopes_tokens: true,
        deletes_repos: true,
        separate_sites: false,
        copies_blobs: true,
        card_names_sdk: true,
        pull_requests: Some("refs/pr/*"),
    },
};

/// The token goes as a bearer.
pub(super) fn credentials(token: Option<&Token>) -> Credentials {
    Credentials::of(token, |token| [(AUTHORIZATION, token.header("Bearer "))])
}
