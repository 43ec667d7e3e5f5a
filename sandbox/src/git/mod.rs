//! Repos as Git reads them. What Git computes is left to the real `git`: here are only the objects' forms ([`objects`]), a pack
//! of them ([`pack`]), the folder that `git` serves ([`bare`]), the advertisement, which needs no folder ([`refs`]), and the way to
//! `git http-backend` ([`cgi`]). [`host`] is a Git server of its own.

pub mod bare;
pub mod cgi;
pub mod folder;
pub mod host;
pub mod objects;
mod pack;
pub mod refs;

use axum::body::Body;
use axum::http::Response;

use crate::answer::{Answer, Refusal, settle, typed, with};
use crate::call::Call;
use crate::hub::Hub;
use crate::repo::Repo;

/// `POST /../git-upload-pack`: the real thing answers, out of a folder made for it.
pub async fn upload_pack(hub: &Hub, mut call: Call, repo: &Repo) -> Answer {
    let folder = bare::up_to_date(hub, repo)
        .await
        .map_err(|error| no_git(&error))?;
    let body = crate::shape::frames(std::mem::take(&mut call.body));
    let (method, headers) = (&call.method, &call.headers);
    let asked = cgi::Request {
        folder: &folder,
        path: "/git-upload-pack",
        query: "",
        method,
        headers,
        writes: false,
    };
    let begun = cgi::served(&asked, body);
    begun.await.map_err(|error| no_git(&error))
}

/// What a Git client asks of a hub besides objects to read: nothing here takes a push.
pub fn no_push() -> Refusal {
    typed(
        403,
        "text/plain",
        "this hub takes changes by its API only\n",
    )
    .into()
}

/// A refusal that makes a Git client send its credentials.
pub fn challenged(refusal: Refusal) -> Refusal {
    let response: Response<Body> = settle(Err(refusal));
    match response.status().as_u16() {
        401 => with(
            response,
            "www-authenticate",
            "Basic realm=\"Authentication required\"",
        )
        .into(),
        _ => response.into(),
    }
}

/// Without `git` there is no Git.
fn no_git(error: &std::io::Error) -> Refusal {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            typed(501, "text/plain", "there is no git on the sandbox's PATH\n").into()
        }
        _ => typed(500, "text/plain", format!("sandbox: git: {error}\n")).into(),
    }
}
