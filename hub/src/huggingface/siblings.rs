//! A listing without pages, for mirrors whose next page is the first again (olah leaves the cursor out): the names that the repo's
//! description holds, and what is at each of them. Facts: huggingface_hub 2.4.0, `hf_api.py` (`get_paths_info`); the description
//! names every file up to 50,000 (recorded).

use serde::Deserialize;
use serde_json::Value;

use super::HuggingFaceRepo;
use super::api::escaped;
use super::entries::Walk;
use super::repo::{LONGEST, MOST_NAMES};
use crate::http::Request;
use crate::{Error, Kind, Listing, Result, Revision};

/// Names in one question (the hub's own limit).
const A_CALL: usize = 500;

#[derive(Deserialize)]
struct Described {
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// Every file at a revision.
///
/// # Errors
/// [`Kind::Refused`] when the names may not be all, or not every one of them is told about.
pub(super) async fn list(repo: &HuggingFaceRepo, revision: &Revision) -> Result<Listing> {
    let revision = escaped(revision.as_str());
    let url = repo.api(&format!("/revision/{revision}"))?;
    let told = repo
        .ask::<Described>(LONGEST, || Request::get(url.clone()))
        .await?
        .value;
    let names: Vec<String> = told
        .siblings
        .into_iter()
        .map(|sibling| sibling.rfilename)
        .collect();
    if names.len() >= MOST_NAMES {
        return Err(Error::new(
            Kind::Refused,
            format!("the repo names {} files, and may have more", names.len()),
        ));
    }
    let url = repo.api(&format!("/paths-info/{revision}"))?;
    let mut walk = Walk::default();
    for names in names.chunks(A_CALL) {
        let form: Vec<String> = names
            .iter()
            .map(|name| format!("paths={}", escaped(name)))
            .collect();
        let request =
            Request::post(url.clone()).body("application/x-www-form-urlencoded", form.join("&"));
        walk.take(
            repo.ask::<Vec<Value>>(LONGEST, || request.clone())
                .await?
                .value,
        )?;
    }
    let listing = walk.ended();
    match listing.files.len() + listing.refused.len() {
        told if told == names.len() => Ok(listing),
        told => Err(Error::new(
            Kind::Refused,
            format!("{told} of the repo's {} files are told about", names.len()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{COMMIT, repo};
    use super::*;
    use crate::http::testing::{Reply, Seen, Server};
    use crate::{GitSha1, Repo};

    fn entry(path: &str) -> Value {
        json!({"type": "file", "path": path, "size": 3, "oid": GitSha1::of(b"abc").to_string()})
    }

    /// A mirror of a repo with these names, which has one page of two entries again and again.
    async fn mirror(names: &'static [&'static str], told: &'static [&'static str]) -> Server {
        let next = format!(
            "</api/datasets/org/name/tree/{COMMIT}?recursive=true&expand=false&cursor=x>; rel=\"next\""
        );
        Server::answering(move |seen: &Seen| {
            match (seen.method.as_str(), seen.path().contains("/tree/")) {
                ("GET", true) => Reply::new(
                    200,
                    &[("Link", &next)],
                    json!([entry("a"), entry("b c")]).to_string(),
                ),
                ("GET", false) => {
                    let siblings: Vec<Value> = names
                        .iter()
                        .map(|name| json!({"rfilename": name}))
                        .collect();
                    Reply::json(&json!({"sha": COMMIT, "siblings": siblings}))
                }
                _ => Reply::json(&told.iter().map(|name| entry(name)).collect()),
            }
        })
        .await
    }

    #[tokio::test]
    async fn where_pages_lead_nowhere_the_names_are_asked_about() {
        let server = mirror(&["a", "b c", "d"], &["a", "b c", "d"]).await;
        let listing = repo(&server).list().await.unwrap();
        let paths: Vec<_> = listing
            .files
            .iter()
            .map(|listed| listed.file.path.as_str())
            .collect();
        assert_eq!((paths, listing.refused.len()), (vec!["a", "b c", "d"], 0));
        let asked = server.seen().pop().unwrap();
        assert_eq!(
            asked.line(),
            format!("POST /api/datasets/org/name/paths-info/{COMMIT}")
        );
        assert_eq!(&asked.body[..], b"paths=a&paths=b%20c&paths=d");
    }

    #[tokio::test]
    async fn a_listing_that_lacks_a_name_is_none() {
        let server = mirror(&["a", "b c", "d"], &["a", "d"]).await;
        assert_eq!(
            repo(&server).list().await.unwrap_err().kind(),
            Kind::Refused
        );
    }
}
