//! A Git server's advertisement of refs, one packet for each line. Facts: gitprotocol-pack(5), gitprotocol-http(5).

use crate::path::escape;
use crate::refs::{Ref, RefKind, Refs};
use crate::{Error, Kind, Result, Revision};

/// An advertisement with more refs is refused.
const MOST_REFS: usize = 2_000_000;

/// One ref of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRef {
    /// Its name in full: `refs/heads/main`, `HEAD`; an annotated tag's commit has its tag's name with `^{}`. Bytes that are not UTF-8
    /// are written as `\xff`: no lawful name has a backslash, so that none is taken for another.
    pub name: String,
    /// The object that it names, in 40 hex digits.
    pub oid: Revision,
}

/// The refs that a server advertises, and its capabilities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advertisement {
    /// The refs, in the server's order.
    pub all: Vec<RemoteRef>,
    /// The server's capabilities: `shallow`, `allow-reachable-sha1-in-want`, ..
    pub capabilities: Vec<String>,
}

impl Advertisement {
    /// Reads an advertisement.
    ///
    /// # Errors
    /// [`Kind::Refused`] for anything else, and for more than two million refs; [`Kind::Disabled`] for a repo that is shallow, or has
    /// ids that are not SHA-1's.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let mut refs = Self::default();
        let mut packets = Packets(body);
        while let Some(packet) = packets.next()? {
            refs.take(packet)?;
        }
        Ok(refs)
    }

    fn take(&mut self, packet: &[u8]) -> Result<()> {
        let line = spelled(packet);
        if let Some(said) = line.strip_prefix("ERR ") {
            return Err(Error::new(
                Kind::Refused,
                format!("the Git server says: {}", escape(said.trim_end())),
            ));
        }
        let (line, capabilities) = line.split_once('\0').unwrap_or((&line, ""));
        self.capabilities
            .extend(capabilities.split_whitespace().map(str::to_owned));
        if let Some(reason) = unsupported(line, capabilities) {
            return Err(Error::new(Kind::Disabled, reason));
        }
        let Some((oid, name)) = line
            .trim_end_matches('\n')
            .split_once(' ')
            .filter(|_| !line.starts_with('#'))
        else {
            return Ok(());
        };
        let oid = commit(oid).ok_or_else(|| not_git("something that is no ref"))?;
        // An empty repo's only line has no ref, just capabilities.
        if name != "capabilities^{}" {
            self.all.push(RemoteRef {
                name: name.to_owned(),
                oid,
            });
        }
        if self.all.len() > MOST_REFS {
            return Err(Error::new(
                Kind::Refused,
                format!("the Git server has more than {MOST_REFS} refs"),
            ));
        }
        Ok(())
    }

    /// The object of the ref with this full name.
    pub fn oid(&self, name: &str) -> Option<&Revision> {
        self.all.iter().find(|r| r.name == name).map(|r| &r.oid)
    }

    /// The commit of a branch or tag; the commit itself where a ref points at it.
    pub fn commit(&self, revision: &str) -> Option<&Revision> {
        let named = |pattern: &str| self.oid(&pattern.replace('*', revision));
        named("refs/heads/*")
            .or_else(|| named("refs/tags/*^{}"))
            .or_else(|| named("refs/tags/*"))
            .or_else(|| named("*").filter(|_| revision.starts_with("refs/")))
            .or_else(|| self.at(revision).map(|at| &at.oid))
    }

    /// A ref that points at this object; a tag's commit counts as the tag's.
    pub fn at(&self, oid: &str) -> Option<&RemoteRef> {
        self.all.iter().find(|r| r.oid.as_str() == oid)
    }

    /// The branches and tags among the refs. An annotated tag has two lines: its own object's, and with `^{}` its commit's,
    /// which counts.
    ///
    /// # Errors
    /// [`Kind::Refused`] when there are more than a repo may have.
    pub(crate) fn branches_and_tags(&self) -> Result<Refs> {
        let mut refs = Refs::default();
        for RemoteRef { name, oid } in &self.all {
            if let Some(branch) = name.strip_prefix("refs/heads/") {
                refs.add(RefKind::Branch, branch, Some(oid.as_str()))?;
            } else if let Some(tag) = name
                .strip_prefix("refs/tags/")
                .filter(|tag| !tag.ends_with("^{}"))
            {
                let peeled = self.oid(&format!("{name}^{{}}"));
                let commit = peeled.unwrap_or(oid);
                refs.add(RefKind::Tag, tag, Some(commit.as_str()))?;
                if let (Some(_), Ok(name)) = (peeled, tag.parse::<Revision>()) {
                    let commit = oid.clone();
                    refs.tag_objects.push(Ref { name, commit });
                }
            }
        }
        Ok(refs.sorted())
    }

    /// The branch of `HEAD`, where the server tells it.
    pub fn head(&self) -> Option<&str> {
        self.capabilities
            .iter()
            .find_map(|capability| capability.strip_prefix("symref=HEAD:refs/heads/"))
    }

    /// Whether the server has this capability.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|has| has == capability)
    }
}

/// Why a repo is not supported: its object format, or a shallow clone. Facts: gitprotocol-capabilities(5) (`object-format`), gitprotocol-pack(5) (`shallow`).
fn unsupported(line: &str, capabilities: &str) -> Option<String> {
    let format = capabilities
        .split_whitespace()
        .find_map(|capability| capability.strip_prefix("object-format="));
    match format {
        Some(format) if format != "sha1" => Some(format!("its object ids are of {}, and only SHA-1's are taken", escape(format))),
        _ if line.starts_with("shallow ") => {
            Some("it is a shallow clone and lacks the older part of its history: run git fetch --unshallow there".to_owned())
        }
        _ => None,
    }
}

/// The text of these bytes; those that are not UTF-8 as `\xff`.
fn spelled(bytes: &[u8]) -> String {
    let chunk = |chunk: std::str::Utf8Chunk<'_>| {
        let invalid: String = chunk
            .invalid()
            .iter()
            .map(|byte| format!("\\x{byte:02x}"))
            .collect();
        format!("{}{invalid}", chunk.valid())
    };
    bytes.utf8_chunks().map(chunk).collect()
}

/// Whether a ref's name is the one in Git, without bytes written as `\xff`.
pub fn is_exact(name: &str) -> bool {
    !name.contains('\\')
}

/// An object's id in 40 lower-case hex digits.
fn commit(oid: &str) -> Option<Revision> {
    let is_oid = oid.len() == 40
        && oid
            .bytes()
            .all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
    is_oid.then(|| oid.parse().ok()).flatten()
}

fn not_git(what: &str) -> Error {
    Error::new(
        Kind::Refused,
        format!("no Git server answers there: it sent {what}"),
    )
}

/// Git's packets: a length in four hex digits, themselves counted, then the bytes; lengths below four are marks.
struct Packets<'a>(&'a [u8]);

impl<'a> Packets<'a> {
    /// The next packet with bytes; `None` at the end.
    fn next(&mut self) -> Result<Option<&'a [u8]>> {
        while !self.0.is_empty() {
            let length = self
                .0
                .get(..4)
                .and_then(|digits| std::str::from_utf8(digits).ok());
            let length = length.and_then(|digits| usize::from_str_radix(digits, 16).ok());
            let length = length.ok_or_else(|| not_git("something else than packets"))?;
            let (packet, rest) = self
                .0
                .split_at_checked(length.max(4))
                .ok_or_else(|| not_git("half a packet"))?;
            self.0 = rest;
            if length > 4 {
                return Ok(Some(&packet[4..]));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const COMMIT: &str = "8f434346648f6b96df89dda901c5176b10a6d839";

    fn packet(line: &str) -> String {
        format!("{:04x}{line}", line.len() + 4)
    }

    fn advertised(lines: &[String]) -> Advertisement {
        let lines: String = lines.iter().map(|line| packet(line)).collect();
        let body = format!("{}0000{lines}0000", packet("# service=git-upload-pack\n"));
        Advertisement::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn branches_tags_and_commits_are_found_among_the_refs() {
        let [one, two, three] = ["1", "2", "3"].map(|digit| digit.repeat(40));
        let refs = advertised(&[
            format!("{one} HEAD\0shallow symref=HEAD:refs/heads/main allow-tip-sha1-in-want\n"),
            format!("{one} refs/heads/main\n"),
            format!("{COMMIT} refs/heads/not/master\n"),
            format!("{two} refs/tags/v1\n"),
            format!("{three} refs/tags/v1^{{}}\n"),
        ]);
        let commit = |revision: &str| refs.commit(revision).map(|commit| commit.as_str());
        assert_eq!(commit("main"), Some(one.as_str()));
        assert_eq!(commit("not/master"), Some(COMMIT));
        assert_eq!(
            commit("v1"),
            Some(three.as_str()),
            "an annotated tag's commit, not the tag"
        );
        assert_eq!(commit("refs/tags/v1"), Some(two.as_str()));
        assert_eq!(commit(COMMIT), Some(COMMIT));
        assert_eq!((commit("master"), commit("HEAD")), (None, None));
        assert_eq!(refs.head(), Some("main"));
        assert!(refs.can("shallow") && !refs.can("allow-reachable-sha1-in-want"));
    }

    #[test]
    fn names_that_are_not_utf8_stay_apart_and_are_known() {
        let line = |name: &[u8]| {
            [
                format!("{:04x}{COMMIT} ", 46 + name.len()).as_bytes(),
                name,
                b"\n",
            ]
            .concat()
        };
        let body = [
            line(b"refs/heads/caf\xe9"),
            line(b"refs/heads/caf\xe8"),
            line("refs/heads/café".as_bytes()),
        ]
        .concat();
        let names: Vec<_> = Advertisement::parse(&body)
            .unwrap()
            .all
            .into_iter()
            .map(|found| found.name)
            .collect();
        assert_eq!(
            names,
            [
                "refs/heads/caf\\xe9",
                "refs/heads/caf\\xe8",
                "refs/heads/café"
            ]
        );
        assert_eq!(
            names.iter().map(|name| is_exact(name)).collect::<Vec<_>>(),
            [false, false, true]
        );
        assert!(
            "caf\\xe9".parse::<Revision>().is_err(),
            "no branch is made by a spelled name"
        );
    }

    #[test]
    fn a_shallow_repo_and_one_of_other_ids_are_named_as_what_they_are() {
        let [long, short] = [64, 40].map(|digits| "0".repeat(digits));
        for (lines, words) in [
            (
                vec![format!(
                    "{long} capabilities^{{}}\0shallow object-format=sha256\n"
                )],
                "object ids are of sha256",
            ),
            (
                vec![format!("{long} HEAD\0object-format=sha256\n")],
                "object ids are of sha256",
            ),
            (
                vec![
                    format!("{short} HEAD\0shallow object-format=sha1\n"),
                    format!("shallow {short}"),
                ],
                "is a shallow clone",
            ),
        ] {
            let body: String = lines.iter().map(|line| packet(line)).collect();
            let error = Advertisement::parse(body.as_bytes()).unwrap_err();
            assert!(
                error.kind() == Kind::Disabled && error.message().contains(words),
                "{error}"
            );
        }
    }

    #[test]
    fn an_empty_repo_has_no_refs() {
        let refs = advertised(&[format!(
            "{} capabilities^{{}}\0shallow agent=git/2\n",
            "0".repeat(40)
        )]);
        assert!(refs.all.is_empty() && refs.can("shallow"));
    }

    #[test]
    fn the_servers_own_words_are_told_and_anything_else_is_no_answer() {
        let said = Advertisement::parse(packet("ERR no such\u{1b} repo\n").as_bytes()).unwrap_err();
        assert_eq!(said.message(), "the Git server says: no such\\u{1b} repo");
        for odd in [
            "<html>",
            "00",
            "ffff1234",
            "0040short",
            &packet("xyz refs/heads/main\n"),
        ] {
            assert_eq!(
                Advertisement::parse(odd.as_bytes()).unwrap_err().kind(),
                Kind::Refused,
                "{odd:?}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_bytes_are_refs_or_an_error(bytes in vec(any::<u8>(), 0..600), lines in vec(vec(any::<u8>(), 0..80), 0..8)) {
            let _ = Advertisement::parse(&bytes);
            let packet = |line: &Vec<u8>| [format!("{:04x}", line.len() + 4).as_bytes(), line].concat();
            let body = lines.iter().map(packet).collect::<Vec<_>>().concat();
            if let Ok(read) = Advertisement::parse(&body) {
                prop_assert!(read.all.len() <= lines.len());
            }
            let mut packets = Packets(&body);
            for line in lines.iter().filter(|line| !line.is_empty()) {
                prop_assert_eq!(packets.next().unwrap(), Some(&line[..]));
            }
            prop_assert_eq!(packets.next().unwrap(), None);
        }

        #[test]
        fn what_is_advertised_is_read(names in vec("refs/(heads|tags)/[a-zA-Z0-9._/é-]{1,40}", 0..20), seed in "[0-9a-f]{40}") {
            let lines: Vec<_> = names.iter().map(|name| format!("{seed} {name}\n")).collect();
            let read = advertised(&lines);
            let found: Vec<_> = read.all.iter().map(|found| (&*found.name, found.oid.as_str())).collect();
            let expected: Vec<_> = names.iter().map(|name| (&**name, &*seed)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
