//! A repo on a Git server: its address, and the request for its refs.

use bytes::Bytes;
use reqwest::Url;
use reqwest::header::{CACHE_CONTROL, HeaderValue};

use super::advertisement::Advertisement;
use super::errors::GitErrors;
use crate::http::{Credentials, Http, HttpOptions, Request, Response, user_agent};
use crate::{Error, Kind, Result, Token};

/// An advertisement of a million refs has some 100 MiB.
const LONGEST: u64 = 256 << 20;

/// A service of Git's smart HTTP protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// Fetches objects.
    UploadPack,
    /// Pushes objects.
    ReceivePack,
}

impl Service {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// The media type of a request.
    pub(super) fn request_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-request",
            Self::ReceivePack => "application/x-git-receive-pack-request",
        }
    }

    /// The media type of a response.
    pub(super) fn result_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-result",
            Self::ReceivePack => "application/x-git-receive-pack-result",
        }
    }
}

/// A repo on a Git server, spoken to by smart HTTP. Cheap to clone; sends nothing by itself.
#[derive(Clone)]
pub struct GitRepo {
    pub(super) http: Http,
    url: Url,
}

/// A server's answer about its refs, and the address that gave it: a renamed repo's address redirects to the new one.
pub(super) struct RefsResponse {
    pub(super) bytes: Bytes,
    pub(super) base: Url,
}

impl GitRepo {
    /// The repo at `url` (as `git clone` takes it), its token sent as the password of `user` to that origin only.
    ///
    /// # Errors
    /// [`Kind::Refused`] for an address that is not http(s) or holds credentials; what [`Http::new`] fails with.
    pub fn open(
        url: &Url,
        user: &str,
        token: Option<&Token>,
        options: HttpOptions,
    ) -> Result<Self> {
        let mut url = url.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.set_path(url.path().trim_end_matches('/').to_owned().as_str());
        let words = GitErrors {
            has_token: token.is_some(),
        };
        let http = Http::new(&url, Credentials::basic(user, token), words, options)?;
        Ok(Self { http, url })
    }

    /// The server's refs for fetching, in one request.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`], [`Kind::Denied`] or [`Kind::NotFound`] as the server says; [`Kind::Refused`] when no Git server
    /// answers.
    pub async fn advertised(&self) -> Result<Advertisement> {
        let told = self.advertisement(Service::UploadPack).await?;
        Advertisement::parse(&told.bytes).map_err(|error| error.without(self.http.redactor()))
    }

    /// The server's refs for pushing. A login that may not push is refused here.
    ///
    /// # Errors
    /// As [`GitRepo::advertised`].
    pub async fn writable(&self) -> Result<Advertisement> {
        let told = self.advertisement(Service::ReceivePack).await?;
        Advertisement::parse(&told.bytes).map_err(|error| error.without(self.http.redactor()))
    }

    pub(super) async fn advertisement(&self, service: Service) -> Result<RefsResponse> {
        let url = below(&self.url, &format!("info/refs?service={}", service.name()))?;
        let answer = self
            .http
            .send(
                Request::get(url)
                    .headers(user_agent::git())
                    .header(CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            )
            .await?;
        let base = base_of(answer.url())?;
        let expected = format!("application/x-{}-advertisement", service.name());
        expect(&answer, &expected)?;
        Ok(RefsResponse {
            bytes: answer.bytes(LONGEST).await?,
            base,
        })
    }
}

/// `base` and a path below it.
pub(super) fn below(base: &Url, path: &str) -> Result<Url> {
    let text = format!("{}/{path}", base.as_str().trim_end_matches('/'));
    text.parse()
        .map_err(|error| Error::new(Kind::Invalid, format!("the Git address is none: {error}")))
}

/// The repo's address, from the address that answered for its refs.
fn base_of(answered: &Url) -> Result<Url> {
    let path = answered.path().strip_suffix("/info/refs");
    let path = path.ok_or_else(|| {
        Error::new(
            Kind::Refused,
            "the Git server's redirect leads away from the repo",
        )
    })?;
    let mut base = answered.clone();
    base.set_path(path);
    base.set_query(None);
    Ok(base)
}

/// Refuses a response of another media type: a web page, a proxy's text, or Git's old "dumb" protocol.
pub(super) fn expect(answer: &Response, media_type: &str) -> Result<()> {
    let told = answer.header("content-type").unwrap_or("nothing".into());
    let told = told.split(';').next().unwrap_or_default().trim();
    if told == media_type {
        return Ok(());
    }
    let told = crate::path::escape(told);
    Err(Error::new(
        Kind::Refused,
        format!("no Git server answers there: it sent {told} where {media_type} was expected"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tests::ManualClock;
    use crate::http::testing::{Reply, Server, quick};

    const NO_REFS: &str = "001e# service=git-upload-pack\n00000000";

    /// As ModelScope's edge does it.
    async fn for_git_alone() -> Server {
        Server::answering(|seen| {
            match seen
                .header("user-agent")
                .is_some_and(|agent| agent.starts_with("git/"))
            {
                true => Reply::new(
                    200,
                    &[(
                        "Content-Type",
                        "application/x-git-upload-pack-advertisement",
                    )],
                    NO_REFS,
                ),
                false => Reply::new(
                    421,
                    &[],
                    r#"{"message":"mirror self-forwarded loop detected"}"#,
                ),
            }
        })
        .await
    }

    #[tokio::test]
    async fn the_agent_is_gits_and_stays_so_behind_a_redirect_to_another_host() {
        let there = for_git_alone().await;
        let to = format!("{}/a/b/info/refs?service=git-upload-pack", there.endpoint());
        let here = Server::scripted([Reply::new(302, &[("Location", &to)], "")]).await;
        let url = format!("{}/a/b", here.endpoint()).parse().unwrap();
        let repo = GitRepo::open(&url, "", None, quick(&ManualClock::new())).unwrap();
        assert_eq!(repo.advertised().await.unwrap(), Advertisement::default());
    }
}
