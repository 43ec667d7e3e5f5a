//! `.lfsconfig`: where a repo says that its LFS server is. Facts: git-lfs-config(5).

use reqwest::Url;

use super::bare::{Bare, read};
use super::lfs_store::lfs_address;
use crate::Result;
use crate::http::Origin;
use crate::path::escape;

/// Longer is no configuration.
const LONGEST: u64 = 64 << 10;

/// Where blobs are, and what a person should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LfsAddress {
    /// The LFS server.
    pub url: String,
    /// Why `.lfsconfig` was not followed, if it was not.
    pub warning: Option<String>,
}

impl Bare {
    /// The LFS server of the repo at `url`, by the `.lfsconfig` of its branch `head`: followed at the same origin only, since
    /// anyone who may commit could name another.
    ///
    /// # Errors
    /// [`crate::Kind::Corrupt`] for a file that can't be read.
    pub async fn lfs_address(&self, url: &Url, head: Option<&str>) -> Result<LfsAddress> {
        let branch = format!("refs/heads/{}", head.unwrap_or("main"));
        let config = self.work(move |repository| {
            let tree = repository
                .find_reference(&branch)
                .and_then(|branch| branch.peel_to_tree());
            let entry = tree
                .ok()
                .and_then(|tree| tree.get_name(".lfsconfig").map(|entry| entry.id()));
            entry.map(|oid| read(repository, oid, LONGEST)).transpose()
        });
        let named = config
            .await?
            .and_then(|config| lfs_url(&String::from_utf8_lossy(&config)));
        Ok(choose(url, named.as_deref()))
    }
}

/// The server that `.lfsconfig` names, if it is at the repo's origin; else the usual one, with a warning.
fn choose(repo: &Url, named: Option<&str>) -> LfsAddress {
    let usual = lfs_address(repo);
    let Some(named) = named else {
        return LfsAddress {
            url: usual,
            warning: None,
        };
    };
    let same = named
        .parse::<Url>()
        .ok()
        .filter(|url| matches!((Origin::of(url), Origin::of(repo)), (Ok(a), Ok(b)) if a == b));
    match same {
        Some(url) => LfsAddress {
            url: url.as_str().trim_end_matches('/').to_owned(),
            warning: None,
        },
        None => {
            let warning = format!(
                ".lfsconfig names another LFS server, which is not asked: {}",
                shown(named)
            );
            LfsAddress {
                url: usual,
                warning: Some(warning),
            }
        }
    }
}

/// The address without what may be a password in it.
fn shown(named: &str) -> String {
    escape(named.rsplit('@').next().unwrap_or_default())
        .chars()
        .take(200)
        .collect()
}

/// The value of `lfs.url`; the last one counts.
fn lfs_url(config: &str) -> Option<String> {
    let (mut in_lfs, mut url) = (false, None);
    for line in config.lines().map(str::trim) {
        if let Some(section) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            in_lfs = section.trim().eq_ignore_ascii_case("lfs");
        } else if let Some((key, value)) = line.split_once('=').filter(|_| in_lfs)
            && key.trim().eq_ignore_ascii_case("url")
        {
            url = Some(value.trim().trim_matches('"').to_owned());
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_at_the_same_origin_is_followed() {
        let repo: Url = "https://h/a/b.git".parse().unwrap();
        let chosen = |config: &str| choose(&repo, lfs_url(config).as_deref());
        assert_eq!(chosen("").url, "https://h/a/b.git/info/lfs");
        assert_eq!(
            chosen("[core]\n url = https://h/no\n[lfs]\n\turl = \"https://h/lfs/a/\"\n").url,
            "https://h/lfs/a"
        );
        for elsewhere in [
            "https://evil/a",
            "http://h/a",
            "https://h:8443/a",
            "ssh://h/a",
            "https://user:canary@h/a",
            "file:///etc",
        ] {
            let address = chosen(&format!("[lfs]\nurl={elsewhere}\n"));
            assert_eq!(address.url, "https://h/a/b.git/info/lfs", "{elsewhere}");
            assert!(
                address
                    .warning
                    .is_some_and(|warning| !warning.contains("canary")),
                "{elsewhere}"
            );
        }
    }
}
