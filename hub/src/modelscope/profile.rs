//! The facts of ModelScope. Sources: modelscope-hub 0.5.1, `constants.py`, `_repository.py`.

use reqwest::header::{AUTHORIZATION, COOKIE};

use crate::http::Credentials;
use crate::profile::{Abilities, Folders, Profile, Variables};
use crate::token::Token;
use crate::transport::BlobTransport;

/// ModelScope: the Chinese site, and the international one with accounts and repos of its own.
pub(crate) const PROFILE: Profile = Profile {
    name: "ModelScope",
    id: "modelscope",
    prefix: "ms",
    endpoint: Some("https://modelscope.cn"),
    hosts: &["modelscope.cn", "modelscope.ai"],
    mirrors: &[],
    // Below its own domains (recorded), and in OSS at Hangzhou, where its open data are.
    storage: &[
        "modelscope.cn",
        "modelscope.ai",
        "oss-cn-hangzhou.aliyuncs.com",
    ],
    folders: Some(Folders {
        model: "models",
        dataset: "datasets",
        space: "studios",
    }),
    main_branch: "master",
    own_files: &[".gitattributes", "README.md", "configuration.json"],
    variables: Variables {
        token: &["MODELSCOPE_TOKEN", "MODELSCOPE_API_TOKEN"],
        endpoint: "MODELSCOPE_ENDPOINT",
        domain: Some("MODELSCOPE_DOMAIN"),
        destination_token: "MODELSCOPE_DESTINATION_TOKEN",
        destination_endpoint: "MODELSCOPE_DESTINATION_ENDPOINT",
        user: None,
    },
    token_page: Some("/my/myaccesstoken"),
    // A maintainer names the page (issue 1341 of modelscope/modelscope); its path was not seen.
    settings_page: Some("/settings"),
    members_page: None,
    permissions: None,
    client_login: None,
    git_user: "oauth2",
    git_suffix: ".git",
    credentials,
    app: Some("studio"),
    transports: &[BlobTransport::Http],
    private_storage: &[],
    abilities: Abilities {
        tells_commits: false,
        lists_git_ids: false,
        scopes_tokens: false,
        deletes_repos: false,
        separate_sites: true,
        copies_blobs: false,
        card_names_sdk: false,
        pull_requests: None,
    },
};

/// The token goes as a bearer and as a cookie, because older routes read only the cookie (modelscope-hub 0.5.1, `_legacy_api.py`).
pub(super) fn credentials(token: Option<&Token>) -> Credentials {
    Credentials::of(token, |token| {
        [
            (AUTHORIZATION, token.header("Bearer ")),
            (COOKIE, token.header("m_session_id=")),
        ]
    })
}
